//! What a call of a tool does to the world, as far as the server says or the name tells. Pure.

use serde_json::Value;

use crate::llm::lexical;
use crate::transcript::ToolFact;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads: called without asking.
    Reads,
    /// It changes something.
    Writes,
    /// Nothing says so.
    Unknown,
}

/// First words of names that read.
const READING: [&str; 24] = [
    "count",
    "describe",
    "explain",
    "fetch",
    "find",
    "get",
    "head",
    "help",
    "info",
    "inspect",
    "is",
    "list",
    "lookup",
    "peek",
    "query",
    "read",
    "retrieve",
    "search",
    "show",
    "stat",
    "status",
    "summarize",
    "view",
    "whoami",
];

/// Words of names that change something, wherever they stand.
const WRITING: [&str; 36] = [
    "add", "append", "apply", "approve", "archive", "assign", "book", "buy", "cancel", "clear", "close",
    "commit", "create", "delete", "deploy", "drop", "edit", "execute", "import", "insert", "kill", "merge",
    "move", "pay", "post", "publish", "purge", "push", "remove", "rename", "reset", "run", "send", "set",
    "update", "write",
];

/// What a tool does: its `readOnlyHint` and `destructiveHint` where it has them, else its name.
pub fn of(tool: &ToolFact) -> Effect {
    let hint =
        |name: &str| tool.raw.get("annotations").and_then(|all| all.get(name)).and_then(Value::as_bool);
    match (hint("readOnlyHint"), hint("destructiveHint")) {
        (Some(true), Some(true)) => return Effect::Unknown,
        (Some(true), _) => return Effect::Reads,
        (Some(false), _) => return Effect::Writes,
        (None, _) => {}
    }
    let words = lexical::words_of(tool.name.as_str());
    // The name of the thing may be a verb elsewhere: `get_book` books nothing.
    match words.split_first() {
        Some((first, rest)) if READING.contains(&first.as_str()) => {
            let writes = |word: &String| WRITING.contains(&word.as_str());
            let joined =
                rest.windows(2).any(|pair| matches!(pair[0].as_str(), "and" | "or") && writes(&pair[1]));
            if joined { Effect::Writes } else { Effect::Reads }
        }
        Some(_) if words.iter().any(|word| WRITING.contains(&word.as_str())) => Effect::Writes,
        _ => Effect::Unknown,
    }
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, annotations: Value) -> ToolFact {
        ToolFact { name: name.into(), raw: json!({"name": name, "annotations": annotations}).into() }
    }

    #[test]
    fn hints_come_before_names() {
        for (name, hints, effect) in [
            ("delete_all", json!({"readOnlyHint": true}), Effect::Reads),
            ("get_order", json!({"readOnlyHint": false}), Effect::Writes),
            ("get_order", json!({"readOnlyHint": true, "destructiveHint": true}), Effect::Unknown),
            ("get_book", Value::Null, Effect::Reads),
            ("listOrders", Value::Null, Effect::Reads),
            ("find_and_delete", Value::Null, Effect::Writes),
            ("cancel_order", Value::Null, Effect::Writes),
            ("frobnicate", Value::Null, Effect::Unknown),
            ("", Value::Null, Effect::Unknown),
        ] {
            assert_eq!(of(&tool(name, hints)), effect, "{name}");
        }
    }
}
