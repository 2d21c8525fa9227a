//! Tools as files: one JSON document per tool, with its keys in order, so that a review of a change shows the change.
//!
//! A file is recognised as ours by the end of its name and by a mark inside, so that nothing else is ever removed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::ids::Digest;
use crate::transcript::ToolFact;

/// The end of the name of every file.
pub const SUFFIX: &str = ".tool.json";
/// The key of the mark, which holds the number of the form.
const MARK: &str = "$rehearsal";
/// The number of the form.
const FORM: u32 = 1;
/// Characters of a tool's name that go into the name of its file.
const STEM: usize = 60;
/// Names that Windows keeps for devices.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt"];

/// The files of a list of tools: name and text. Of a tool that is listed twice, the first counts.
pub fn files(tools: &[ToolFact]) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for tool in tools {
        files.entry(file_name(tool.name.as_str())).or_insert_with(|| text(tool));
    }
    files
}

/// One file's text.
fn text(tool: &ToolFact) -> String {
    let mut all = Map::new();
    all.insert(MARK.to_owned(), json!(FORM));
    all.insert("name".to_owned(), json!(tool.name.as_str()));
    if let Value::Object(raw) = canonical(&tool.raw) {
        all.extend(raw.into_iter().filter(|(key, _)| key != MARK && key != "name"));
    }
    let mut text = serde_json::to_string_pretty(&Value::Object(all)).unwrap_or_default();
    text.push('\n');
    text
}

/// The tool that a file holds, if it is one of ours.
pub fn read(text: &str) -> Option<ToolFact> {
    let mut raw: Value = serde_json::from_str(text).ok()?;
    let map = raw.as_object_mut()?;
    let form = map.shift_remove(MARK)?;
    let name = map.get("name")?.as_str()?.to_owned();
    (form == json!(FORM)).then(|| ToolFact { name: name.as_str().into(), raw })
}

/// The name of a tool's file, which every file system takes: a plain name in lower case is itself, any other gets a
/// digest, so that names that differ only by case or by characters that were replaced have different files.
pub fn file_name(tool: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let device = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        RESERVED.contains(&stem.to_ascii_lowercase().as_str())
    };
    let is_plain = !tool.is_empty()
        && tool.len() <= STEM
        && tool.chars().all(plain)
        && !tool.starts_with('-')
        && !device(tool)
        && !ends_like_digest(tool);
    if is_plain {
        return format!("{tool}{SUFFIX}");
    }
    let stem: String = tool.chars().take(STEM).map(|c| if safe(c) { c } else { '_' }).collect();
    let stem = stem.trim_start_matches('-');
    let stem = if stem.is_empty() { "tool" } else { stem };
    let digest: String = Digest::of(tool.as_bytes()).to_string().chars().take(16).collect();
    format!("{stem}-{digest}{SUFFIX}")
}

/// Whether a plain name could be taken for one that got a digest.
fn ends_like_digest(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, end)| end.len() == 16 && end.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The same value with the keys of every object in order.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn tool(raw: Value) -> ToolFact {
        ToolFact { name: raw["name"].as_str().unwrap().into(), raw }
    }

    #[test]
    fn a_file_is_stable_and_reads_back() {
        let one = tool(json!({"name": "a", "inputSchema": {"type": "object", "properties": {"z": {}, "b": {}}}}));
        let other = tool(json!({"inputSchema": {"properties": {"b": {}, "z": {}}, "type": "object"}, "name": "a"}));
        assert_eq!(text(&one), text(&other));
        let back = read(&text(&one)).unwrap();
        assert_eq!(back.name, one.name);
        assert_eq!(back.raw, canonical(&one.raw));
        assert_eq!(text(&back), text(&one));
    }

    #[test]
    fn what_somebody_else_wrote_is_not_ours() {
        for text in ["", "{", "[]", "{\"name\": \"a\"}", "{\"$rehearsal\": 99, \"name\": \"a\"}", "{\"$rehearsal\": 1}"] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn hostile_names_get_harmless_files_of_their_own() {
        let long = "x".repeat(500);
        let longer = "x".repeat(501);
        let names = [
            "get_order", "getOrder", "GETORDER", "getorder", "../x", "..\\x", "/x", "CON", "con", "com1", "COM1",
            "nul", "", ".", "..", "-rf", "rf", "a b", "a_b", "a/b", "é", "e\u{301}", "a\u{0}b", &long, &longer,
            "x-0123456789abcdef", "tool",
        ];
        let files: Vec<String> = names.iter().map(|name| file_name(name)).collect();
        for file in &files {
            assert!(file.len() < 100 && file.ends_with(SUFFIX), "{file}");
            assert!(!file.starts_with(['.', '-']), "{file}");
            let stem = file.trim_end_matches(SUFFIX);
            assert!(stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{file}");
            assert!(!RESERVED.contains(&stem), "{file}");
        }
        let folded: BTreeSet<String> = files.iter().map(|file| file.to_lowercase()).collect();
        assert_eq!(folded.len(), names.len(), "{files:#?}");
        assert_eq!(file_name("get_order"), "get_order.tool.json");
        // A name that looks as if it had a digest cannot take the file of one that has.
        let taken = file_name("getOrder");
        assert_ne!(file_name(taken.trim_end_matches(SUFFIX).to_lowercase().as_str()), taken.to_lowercase());
    }
}
