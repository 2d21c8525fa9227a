//! Annotations and titles.

use serde_json::Value;

use super::Hit;
use crate::llm::lexical::terms;
use crate::surface::Listed;
use crate::transcript::ToolFact;

const HINTS: &[&str] = &["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"];

/// Verbs after which something is gone, or money is.
const DESTRUCTIVE: &[&str] = &[
    "cancel", "clear", "delete", "destroy", "drop", "erase", "kill", "overwrite", "purge", "refund", "remove", "reset",
    "revoke", "terminate", "truncate", "uninstall", "unpublish", "wipe",
];
/// Verbs that only look.
const READING: &[&str] = &[
    "check", "count", "describe", "download", "fetch", "find", "get", "inspect", "list", "lookup", "preview", "query",
    "read", "search", "show", "view",
];

fn hint(tool: &ToolFact, name: &str) -> Option<bool> {
    tool.raw.get("annotations")?.get(name)?.as_bool()
}

/// Whether the first word of a name, or the last, is one of these verbs.
fn verb(tool: &ToolFact, verbs: &[&str]) -> Option<String> {
    let words = terms(tool.name.as_str());
    let stems: Vec<String> = verbs.iter().flat_map(|verb| terms(verb)).collect();
    [words.first(), words.last()].into_iter().flatten().find(|word| stems.contains(word)).cloned()
}

fn each(listed: &Listed<'_>, wrong: impl Fn(&ToolFact) -> Option<String>) -> Vec<Hit> {
    let hit = |tool: &ToolFact| Some(Hit::at(&tool.name, "/annotations", wrong(tool)?));
    listed.tools.iter().filter_map(hit).collect()
}

pub(super) fn contradict(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool| {
        let both = hint(tool, "readOnlyHint") == Some(true) && hint(tool, "destructiveHint") == Some(true);
        both.then(|| "`readOnlyHint` and `destructiveHint` are both true".to_owned())
    })
}

pub(super) fn types(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool| {
        let annotations = tool.raw.get("annotations")?;
        if !annotations.is_object() && !annotations.is_null() {
            return Some("`annotations` is no object".to_owned());
        }
        let odd = HINTS.iter().find(|name| annotations.get(**name).is_some_and(|value: &Value| !value.is_boolean()))?;
        Some(format!("`{odd}` is not a boolean"))
    })
}

pub(super) fn destructive(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool| {
        let silent = hint(tool, "destructiveHint").is_none() && hint(tool, "readOnlyHint") != Some(true);
        let verb = verb(tool, DESTRUCTIVE).filter(|_| silent)?;
        Some(format!("`{verb}`, and no `destructiveHint`"))
    })
}

pub(super) fn denied(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool| {
        let harmless = match (hint(tool, "readOnlyHint"), hint(tool, "destructiveHint")) {
            (Some(true), _) => "`readOnlyHint: true`",
            (_, Some(false)) => "`destructiveHint: false`",
            _ => return None,
        };
        Some(format!("`{}`, and {harmless}", verb(tool, DESTRUCTIVE)?))
    })
}

pub(super) fn read_only(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool| {
        let silent = hint(tool, "readOnlyHint").is_none() && hint(tool, "destructiveHint") != Some(true);
        let first = terms(tool.name.as_str()).into_iter().next().filter(|_| silent)?;
        READING.iter().any(|verb| terms(verb).contains(&first)).then(|| format!("`{first}`, and no `readOnlyHint`"))
    })
}

pub(super) fn titles(listed: &Listed<'_>) -> Vec<Hit> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let titled = |tool: &&ToolFact| {
        text(tool.raw.get("title")) || text(tool.raw.get("annotations").and_then(|all| all.get("title")))
    };
    listed.tools.iter().filter(|tool| !titled(tool)).map(|tool| Hit::at(&tool.name, "/title", "no title")).collect()
}
