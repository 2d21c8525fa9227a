//! Every text that a model may read of a tool or a server, with its place.

use serde_json::Value;

use super::Hit;
use crate::surface::Listed;

/// Levels that are looked into.
const DEPTH: usize = 64;

/// What has no words in it: addresses of pictures, and the parts of schemas that only programs read.
const SILENT: &[&str] = &["icons", "$ref", "$id", "$schema", "$anchor", "pattern", "_meta"];

/// Holds every text against a rule; a text is named by the words that the rule found in it.
pub(super) fn each(listed: &Listed<'_>, wrong: impl Fn(&str) -> Option<String>) -> Vec<Hit> {
    let mut hits = Vec::new();
    if let Some(detail) = listed.instructions.and_then(&wrong) {
        hits.push(Hit { tools: vec![], at: "/instructions".to_owned(), detail });
    }
    for tool in listed.tools {
        walk(&tool.raw, "", 0, &mut |at, text| {
            if let Some(detail) = wrong(text) {
                hits.push(Hit::at(&tool.name, at, detail));
            }
        });
    }
    hits
}

fn walk(value: &Value, at: &str, depth: usize, see: &mut dyn FnMut(&str, &str)) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::String(text) => see(at, text),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                walk(value, &format!("{at}/{index}"), depth + 1, see);
            }
        }
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| !SILENT.contains(&key.as_str())) {
                let here = format!("{at}/{}", crate::surface::drift::escaped(key));
                // Names of parameters are read by models, too.
                see(&here, key);
                walk(value, &here, depth + 1, see);
            }
        }
        _ => {}
    }
}
