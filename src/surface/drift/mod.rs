//! How a list of tools changed: what breaks callers, what only adds, what only words say.
//!
//! *Breaking*: a call that was right may be refused now, or a result lacks what it had: a tool or property removed, a new
//! required parameter, a narrower type, enum or bound, a promise of an annotation withdrawn. *Additive*: more is possible
//! than before. *Wording*: descriptions, titles, examples; a model may choose otherwise, a program does not.
//! Schemas are compared by what they mean: references are followed, and the spellings of "or null" are one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::snapshot::canonical;
use crate::display;
use crate::transcript::ToolFact;

mod annotations;
mod bounds;
mod normal;
mod schema;

pub(super) use normal::target;
pub use schema::Side;
pub(super) use schema::escaped;

/// Most changes of one tool that are told; one more says that there were more.
const CHANGES: usize = 200;
/// Characters of an old or new value.
const VALUE: usize = 120;

/// What a change does to callers, the gravest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// What worked may not work any more.
    Breaking,
    /// Something became possible.
    Additive,
    /// Only words changed.
    Wording,
}

impl Class {
    /// The word in reports, flags and suites.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Additive => "additive",
            Self::Wording => "wording",
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The tool.
    pub tool: String,
    /// What it does to callers.
    pub class: Class,
    /// Where in the tool, as a JSON pointer; empty for the whole tool.
    pub at: String,
    /// What happened, as part of a sentence.
    pub what: String,
    /// The value before, if there was one, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The value after, if there is one, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

impl Change {
    /// The change as a line, safe for display.
    pub fn text(&self) -> String {
        let at =
            if self.at.is_empty() { String::new() } else { format!(" {}", display::excerpt(&self.at, 160)) };
        let values = match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!(": {old} -> {new}"),
            (Some(old), None) => format!(": was {old}"),
            (None, Some(new)) => format!(": {new}"),
            (None, None) => String::new(),
        };
        format!("{}{at}: {}{values}", display::excerpt(&self.tool, 80), self.what)
    }
}

/// What changed from one list to another, tool by tool in the order of names, the gravest first within a tool.
pub fn compare(before: &[ToolFact], after: &[ToolFact]) -> Vec<Change> {
    let by_name = |tools: &[ToolFact]| -> BTreeMap<String, Arc<Value>> {
        let mut all = BTreeMap::new();
        for tool in tools {
            all.entry(tool.name.to_string()).or_insert_with(|| Arc::clone(&tool.raw));
        }
        all
    };
    let (before, after) = (by_name(before), by_name(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let mut all = Vec::new();
    for name in names {
        let whole = |class, what: &str| Change {
            tool: name.clone(),
            class,
            at: String::new(),
            what: what.to_owned(),
            old: None,
            new: None,
        };
        match (before.get(name), after.get(name)) {
            (Some(old), None) => {
                let heir =
                    after.iter().find(|(other, new)| !before.contains_key(*other) && same_but_name(old, new));
                let what = match heir {
                    Some((other, _)) => {
                        format!("removed; `{}` is the same tool", display::excerpt(other, 80))
                    }
                    None => "removed".to_owned(),
                };
                all.push(whole(Class::Breaking, &what));
            }
            (None, Some(_)) => all.push(whole(Class::Additive, "new tool")),
            (Some(old), Some(new)) if canonical(old) != canonical(new) => {
                let mut found = Found { tool: name, changes: vec![] };
                tool(old, new, &mut found);
                let mut changes = found.changes;
                changes.sort_by_key(|change| change.class);
                if changes.len() > CHANGES {
                    changes.truncate(CHANGES);
                    let class = changes.last().map_or(Class::Wording, |last| last.class);
                    changes.push(whole(class, "and more"));
                }
                all.extend(changes);
            }
            _ => {}
        }
    }
    all
}

fn same_but_name(old: &Value, new: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = canonical(value);
        if let Some(map) = value.as_object_mut() {
            map.shift_remove("name");
        }
        value
    };
    bare(old) == bare(new)
}

/// Collects the changes of one tool.
pub(super) struct Found<'a> {
    tool: &'a str,
    changes: Vec<Change>,
}

impl Found<'_> {
    /// Notes a change with the values at its place.
    fn note(&mut self, class: Class, at: &str, what: &str, (old, new): (Option<&Value>, Option<&Value>)) {
        // Twice the number that is shown: enough to find the gravest, and a bound for hostile schemas.
        if self.changes.len() >= 20 * CHANGES {
            return;
        }
        let shown = |value: &Value| match value {
            Value::String(text) => format!("\"{}\"", display::excerpt(text, VALUE)),
            other => display::excerpt(&other.to_string(), VALUE),
        };
        let (tool, at, what) = (self.tool.to_owned(), at.to_owned(), what.to_owned());
        self.changes.push(Change { tool, class, at, what, old: old.map(shown), new: new.map(shown) });
    }
}

/// Compares a tool with what it was.
fn tool(old: &Value, new: &Value, found: &mut Found<'_>) {
    let nothing = Value::Object(serde_json::Map::new());
    let part = |tool: &'_ Value, key: &str| tool.get(key).cloned();
    let (before, after) = (part(old, "inputSchema"), part(new, "inputSchema"));
    let (from, to) = (before.as_ref().unwrap_or(&nothing), after.as_ref().unwrap_or(&nothing));
    schema::compare(Side::Input, (from, to), "/inputSchema", found);
    match (part(old, "outputSchema"), part(new, "outputSchema")) {
        (Some(from), Some(to)) => schema::compare(Side::Output, (&from, &to), "/outputSchema", found),
        (Some(from), None) => {
            found.note(Class::Breaking, "/outputSchema", "no output schema any more", (Some(&from), None));
        }
        (None, Some(to)) => {
            found.note(Class::Additive, "/outputSchema", "now has an output schema", (None, Some(&to)));
        }
        (None, None) => {}
    }
    annotations::compare(old.get("annotations"), new.get("annotations"), found);
    let known = ["name", "inputSchema", "outputSchema", "annotations"];
    let keys =
        |tool: &Value| tool.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let mut rest: Vec<String> = keys(old).into_iter().chain(keys(new)).collect();
    rest.sort();
    rest.dedup();
    for key in rest.iter().filter(|key| !known.contains(&key.as_str())) {
        let (from, to) = (old.get(key), new.get(key));
        if from.map(canonical) == to.map(canonical) {
            continue;
        }
        // A tool that can only be called as a task is out of reach for clients without tasks.
        let demands = to.and_then(|value| value.get("taskSupport")).is_some_and(|value| value == "required");
        let class = if key == "execution" && demands { Class::Breaking } else { Class::Wording };
        let at = format!("/{}", schema::escaped(key));
        found.note(class, &at, &format!("{} changed", display::excerpt(key, 40)), (from, to));
    }
}

#[cfg(test)]
mod tests;
