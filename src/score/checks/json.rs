//! JSON in answers and results: found, located by path, held against a schema. Pure; nothing is ever fetched.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use serde_json_path::JsonPath;

use super::matcher::Matcher;
use crate::display::excerpt;

/// Most bytes of a schema in a suite.
const SCHEMA_BYTES: usize = 200_000;

/// Most places in a text that are tried as the start of JSON.
const STARTS: usize = 64;

/// An RFC 9535 JSONPath.
#[derive(Debug)]
pub(super) struct Path {
    path: JsonPath,
    text: String,
    /// Whether it can give one node at most.
    singular: bool,
}

impl Path {
    /// Reads a path of a suite.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("`{}` is not a JSONPath: {why}", excerpt(text, 60)));
        if text.len() > super::text::LONGEST {
            return wrong("it is too long");
        }
        // Every `..` multiplies the nodes that are visited.
        if text.matches("..").count() > 2 {
            return wrong("at most two `..` are allowed");
        }
        match JsonPath::parse(text) {
            Ok(path) => Ok(Self { path, text: text.to_owned(), singular: is_singular(text) }),
            Err(error) if !text.trim_start().starts_with('$') => {
                wrong(&format!("it must start with `$` ({})", error.message()))
            }
            Err(error) => wrong(error.message()),
        }
    }

    /// What the path selects: the node itself for a path that can give one at most, else the list of all nodes.
    fn select(&self, value: &Value) -> Option<Value> {
        let nodes = self.path.query(value);
        if self.singular {
            nodes.first().cloned()
        } else {
            Some(Value::Array(nodes.all().into_iter().cloned().collect()))
        }
    }
}

/// Whether a path has only names and indexes.
fn is_singular(text: &str) -> bool {
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '*' | '?' | ':' | ',') => return false,
            (None, '.') if chars.peek() == Some(&'.') => return false,
            (None, _) => {}
        }
    }
    true
}

/// A JSON Schema with bounded patterns; a remote `$ref` is an error.
pub(super) fn schema(schema: &Value) -> Result<Validator, String> {
    if schema.to_string().len() > SCHEMA_BYTES {
        return Err(format!("the schema is larger than {SCHEMA_BYTES} bytes"));
    }
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20))
        .build(schema)
        .map_err(|error| format!("the schema cannot be used: {}", excerpt(&error.to_string(), 160)))
}

/// What JSON must be: all parts that are given.
pub(super) struct Shape {
    path: Option<Path>,
    schema: Option<Validator>,
    equals: Option<Matcher>,
}

impl Shape {
    /// Compiles the parts; every mistake is one sentence.
    pub(super) fn compile(
        path: Option<&str>,
        schema: Option<&Value>,
        equals: Option<&Value>,
    ) -> Result<Self, Vec<String>> {
        let mut problems = vec![];
        let mut note = |problem: String| problems.push(problem);
        let path = path.and_then(|text| Path::parse(text).map_err(&mut note).ok());
        let schema = schema.and_then(|value| self::schema(value).map_err(&mut note).ok());
        let equals = equals.and_then(|value| Matcher::parse(value).map_err(&mut note).ok());
        if problems.is_empty() { Ok(Self { path, schema, equals }) } else { Err(problems) }
    }

    /// Whether the value is as it must be; the error says what was expected and observed.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let place = self.path.as_ref().map(|path| format!(" at `{}`", excerpt(&path.text, 60)));
        let place = place.as_deref().unwrap_or_default();
        let selected = match &self.path {
            Some(path) => path.select(value),
            None => Some(value.clone()),
        };
        if let Some(equals) = &self.equals {
            equals
                .check(selected.as_ref())
                .map_err(|mismatch| format!("{mismatch}{within}", within = inside(place)))?;
        } else if selected.as_ref().is_none_or(|found| self.path.is_some() && found == &Value::Array(vec![]))
        {
            return Err(format!("nothing was found{place}"));
        }
        match (&self.schema, &selected) {
            (Some(schema), Some(found)) => schema.validate(found).map_err(|error| {
                let at = error.instance_path().to_string();
                let at = if at.is_empty() { String::new() } else { format!(" at `{}`", excerpt(&at, 60)) };
                format!("{}{at}{within}", excerpt(&error.to_string(), 160), within = inside(place))
            }),
            _ => Ok(()),
        }
    }
}

fn inside(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" (looking{place})") }
}

/// The JSON in a text: the whole text, else its fenced blocks, else the first objects and lists in running text.
pub(super) fn in_text(text: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str(text.trim()) {
        return vec![value];
    }
    let fenced: Vec<Value> =
        fenced(text).into_iter().filter_map(|block| serde_json::from_str(block).ok()).collect();
    if !fenced.is_empty() {
        return fenced;
    }
    let mut found = vec![];
    let mut from = 0;
    for _ in 0..STARTS {
        let Some(start) = text[from..].find(['{', '[']).map(|at| from + at) else { break };
        let mut stream = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                found.push(value);
                from = start + stream.byte_offset();
            }
            _ => from = start + 1,
        }
    }
    found
}

/// The contents of Markdown's fenced blocks.
fn fenced(text: &str) -> Vec<&str> {
    let mut blocks = vec![];
    let mut rest = text;
    while let Some(open) = rest.find("```") {
        let after = &rest[open + 3..];
        let Some(line) = after.find('\n') else { break };
        let body = &after[line + 1..];
        let Some(close) = body.find("```") else { break };
        blocks.push(body[..close].trim());
        rest = &body[close + 3..];
    }
    blocks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_found_whole_fenced_or_inside() {
        assert_eq!(in_text(" {\"a\": 1} "), [json!({"a": 1})]);
        assert_eq!(in_text("Here:\n```json\n{\"a\": 1}\n```\nand {\"b\": 2}"), [json!({"a": 1})]);
        assert_eq!(in_text("I think {not json} but {\"b\": [2]} and [3]"), [json!({"b": [2]}), json!([3])]);
        assert!(in_text(&"[".repeat(100_000)).is_empty());
    }

    #[test]
    fn only_names_and_indexes_are_singular() {
        for (path, singular) in [
            ("$.a[0]", true),
            ("$['a*b'].c", true),
            ("$..a", false),
            ("$.a[*]", false),
            ("$[1:2]", false),
            ("$[0,1]", false),
        ] {
            assert_eq!(is_singular(path), singular, "{path}");
        }
    }

    #[test]
    fn nothing_is_fetched() {
        let remote = json!({"$ref": "http://127.0.0.1:1/schema.json"});
        assert!(schema(&remote).unwrap_err().contains("cannot be used"));
    }
}
