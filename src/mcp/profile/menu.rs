//! The menu layer: what the model sees of the list of tools.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

/// What the model sees of the tools. Everything absent leaves the server's list as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Menu {
    /// The system prompt the host puts before the conversation. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How the name offered is made of the tool's name. Reference: it is the tool's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<NameRule>,
    /// The order in which tools are offered. Reference: the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// Most tools offered; later ones are dropped. Reference: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Tools of which only the name is shown until the model searches for them. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferral: Option<Deferral>,
    /// What is changed in input schemas. Reference: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaEdits>,
    /// Where descriptions of tools are cut. Reference: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<TextCut>,
    /// What becomes of the server's instructions. Reference: shown whole in the system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Instructions>,
    /// How much of the lists is asked for. Looks at the server itself and access checks read to the end all the same.
    /// Reference: all pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
}

impl Menu {
    /// How much of the list is read.
    pub fn pages(&self) -> Pages {
        self.pages.unwrap_or(Pages::All)
    }
}

/// How the name offered is made. First the template, then the characters, then the length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NameRule {
    /// The name with `{server}` and `{tool}`. Absent: `{tool}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A namespace beside the name, with `{server}`. Models see it as part of where the tool is, not of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What is done to the server's name before it goes into the template. Absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerPart>,
    /// Characters that may stay. Absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Charset>,
    /// What stands for each other character. Absent: `_`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// Whether a run of such characters is replaced once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replace_runs: bool,
    /// Most characters of the whole name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// What becomes of a longer one. Absent: it is cut at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow: Option<Overflow>,
}

/// What is done to the server's name. First the case, then the characters, then the length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerPart {
    /// Whether it is lower-cased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// Characters that may stay; the others become the rule's replacement. Absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Charset>,
    /// Most characters; the rest is cropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
}

/// What becomes of a name that is too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// The tool is not offered.
    Drop,
    /// Its end is cut.
    Cut,
    /// The first and the last characters stay, with a mark between them.
    HeadTail {
        /// Characters kept at the beginning.
        head: usize,
        /// What stands between.
        mark: String,
        /// Characters kept at the end.
        tail: usize,
    },
    /// The first characters stay, followed by `_` and digits of the SHA-1 of the name before any replacement.
    Sha1 {
        /// Characters kept at the beginning.
        head: usize,
        /// Hexadecimal digits of the digest.
        digits: usize,
        /// Whether names get the digest also when only a character was replaced.
        #[serde(default)]
        when_replaced: bool,
    },
}

/// An order of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As the server lists them.
    Server,
    /// By the name offered, byte by byte.
    Alphabetical,
}

/// Tools that are found by searching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deferral {
    /// The name of the tool that searches.
    pub tool: String,
    /// Most tools that one search loads.
    pub results: usize,
    /// Tools offered with their schemas from the start.
    #[serde(default)]
    pub direct: usize,
}

/// Changes of an input schema.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SchemaEdits {
    /// Keywords left out wherever they stand as keywords.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Keywords of the top level that come first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
    /// Keywords of the top level that come last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<String>,
    /// Properties sorted by name, at every level.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sort_properties: bool,
    /// `additionalProperties: false` at the top level.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// Properties added to every tool. They are taken out of the arguments before a call.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub add: Map<String, Value>,
}

/// Where a text is cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextCut {
    /// Characters kept.
    pub max: usize,
    /// What is put behind the cut.
    #[serde(default)]
    pub mark: String,
}

/// What becomes of the server's instructions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Instructions {
    /// Whether the model sees them. Absent: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<bool>,
    /// Where they are cut. Absent: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<TextCut>,
    /// Where they stand. Absent: plainly in the system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// Where instructions stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the system prompt.
    System,
    /// In the system prompt, in a block that names the server.
    Block,
    /// In the description of the namespace of the tools.
    Namespace,
    /// With the notes on the project.
    Context,
}

/// How much of a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pages {
    /// Until there is no `nextCursor`.
    All,
    /// The first page; tools beyond it are invisible.
    First,
}

/// A set of characters, written as between the brackets of a regular expression: `A-Za-z0-9_.-`. A `-` stands for
/// itself at the beginning or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charset {
    text: String,
    ranges: Vec<(char, char)>,
}

impl Charset {
    /// Whether a character is in the set.
    pub fn has(&self, c: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c))
    }
}

impl FromStr for Charset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let chars: Vec<char> = text.chars().collect();
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            let low = chars[at];
            if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
                let high = chars[at + 2];
                if low > high {
                    return Err(format!(
                        "`{low}-{high}` is no range of characters; the lower one comes first"
                    ));
                }
                ranges.push((low, high));
                at += 3;
            } else {
                ranges.push((low, low));
                at += 1;
            }
        }
        if ranges.is_empty() {
            return Err("a set of characters holds at least one, like A-Za-z0-9_".to_owned());
        }
        Ok(Self { text: text.to_owned(), ranges })
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Charset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Charset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Charset {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Charset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "description": "Characters, like A-Za-z0-9_.-"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_characters_are_read_as_in_brackets() {
        let set: Charset = "A-Za-z0-9_.:-".parse().unwrap();
        assert!("azAZ09_.:-".chars().all(|c| set.has(c)));
        assert!(!"é /[".chars().any(|c| set.has(c)));
        assert!("z-a".parse::<Charset>().unwrap_err().contains("`z-a`"));
        assert!("".parse::<Charset>().is_err());
    }
}
