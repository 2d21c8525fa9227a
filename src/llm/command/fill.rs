//! Placeholders of an agent's command line and of its files. Pure.
//!
//! On a command line a placeholder stands for plain text, and no shell reads it. In a file it stands for a JSON value,
//! so that no name or address can break out of its place.

use std::collections::BTreeMap;

use serde_json::Value;

/// Where a text with placeholders stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A word of a command line, a variable, standard input.
    Word,
    /// A file.
    File,
}

/// What each placeholder stands for.
const NAMES: &[(&str, Option<Place>)] = &[
    ("prompt", Some(Place::Word)),
    ("mcp_config", None),
    ("home", None),
    ("work", None),
    ("model", None),
    ("server", None),
    ("max_turns", None),
    ("url", Some(Place::File)),
    ("program", Some(Place::File)),
    ("args", Some(Place::File)),
    ("address", Some(Place::File)),
    ("secret", Some(Place::File)),
];

/// The placeholders of a place.
pub fn known(place: Place) -> impl Iterator<Item = &'static str> {
    let here = move |(_, only): &&(&str, Option<Place>)| only.is_none_or(|only| only == place);
    NAMES.iter().filter(here).map(|(name, _)| *name)
}

/// Values by the names of their placeholders.
pub type Values = BTreeMap<&'static str, Value>;

/// A text with its placeholders filled in. Values are put in once: what they hold is not read again. A placeholder without
/// a value stays as it is written.
pub fn fill(text: &str, values: &Values, place: Place) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (head, tail) = rest.split_at(start);
        filled.push_str(head);
        let value = name(tail).and_then(|name| Some((name, values.get(name)?)));
        match value {
            Some((name, value)) => {
                match (place, value) {
                    (Place::Word, Value::String(text)) => filled.push_str(text),
                    (_, value) => filled.push_str(&value.to_string()),
                }
                rest = &tail[name.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &tail[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// What looks like a placeholder of ours and is none.
pub fn unknown(text: &str, place: Place) -> Vec<String> {
    let starts = text.match_indices('{').filter_map(|(start, _)| name(&text[start..]));
    starts.filter(|found| known(place).all(|name| name != *found)).map(str::to_owned).collect()
}

/// The name in a text that begins with `{name}`.
fn name(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).filter(|end| *end > 0)?;
    inner[end..].starts_with('}').then(|| &inner[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> Values {
        let args = json!(["a", "b\"c"]);
        [("prompt", json!("say {model}")), ("model", json!("m")), ("args", args), ("server", json!("s"))]
            .into()
    }

    #[test]
    fn values_are_put_in_once_and_as_they_are() {
        assert_eq!(fill("-p {prompt} {model}", &values(), Place::Word), "-p say {model} m");
        assert_eq!(fill("{nothing} {} {model", &values(), Place::Word), "{nothing} {} {model");
        let text = r#"{"mcpServers": {{server}: {"args": {args}}}}"#;
        let filled = fill(text, &values(), Place::File);
        let read: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(read, json!({"mcpServers": {"s": {"args": ["a", "b\"c"]}}}));
    }

    #[test]
    fn strangers_are_named_and_other_braces_are_not() {
        assert_eq!(unknown("{prompt} {promt} {\"a\": {}}", Place::Word), ["promt"]);
        assert_eq!(unknown("{url}", Place::Word), ["url"]);
        assert_eq!(unknown("{url} {args}", Place::File), Vec::<String>::new());
    }
}
