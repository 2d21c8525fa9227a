//! Tool calls as models write them: arguments that may be no JSON, ids that may be missing or used twice.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::ids::CallId;
use crate::llm::ChatRequest;

/// Most tool calls of one answer that are kept.
pub(in crate::llm) const MOST_CALLS: usize = 1024;

/// Longest text of arguments that is read as JSON, in bytes; a longer one stands as a string.
const LONGEST_ARGUMENTS: usize = 4 * 1024 * 1024;

/// Arguments as JSON; no text at all means no arguments, text that is no JSON stays a string.
pub(in crate::llm) fn arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(Map::new());
    }
    if text.len() > LONGEST_ARGUMENTS {
        return Value::String(text.to_owned());
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Gives every call of an answer an id that no other one of the conversation has.
pub(in crate::llm) struct Ids {
    turn: usize,
    next: usize,
    taken: BTreeSet<String>,
}

impl Ids {
    /// For the answer to a request.
    pub(in crate::llm) fn of(request: &ChatRequest) -> Self {
        Self { turn: request.messages.len(), next: 0, taken: BTreeSet::new() }
    }

    /// The model's id for the next call, or one of ours where it has none or has used it before: results could not be
    /// told apart.
    pub(in crate::llm) fn next(&mut self, id: &str) -> CallId {
        let position = self.next;
        self.next += 1;
        if !id.is_empty() && self.taken.insert(id.to_owned()) {
            return CallId::from(id);
        }
        let own = format!("call_{}_{position}", self.turn);
        self.taken.insert(own.clone());
        CallId::from(own.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_model_s_unless_they_are_missing_or_used_twice() {
        let mut ids = Ids::of(&ChatRequest::default());
        let given: Vec<String> = ["a", "", "a", "b"].iter().map(|id| ids.next(id).to_string()).collect();
        assert_eq!(given, ["a", "call_0_1", "call_0_2", "b"]);
    }

    #[test]
    fn arguments_are_json_or_the_text_itself() {
        assert_eq!(arguments(" "), Value::Object(Map::new()));
        assert_eq!(arguments("{\"a\":1}"), serde_json::json!({"a": 1}));
        assert_eq!(arguments("{oops"), Value::String("{oops".into()));
        let long = format!("\"{}\"", "x".repeat(LONGEST_ARGUMENTS));
        assert_eq!(arguments(&long), Value::String(long.clone()));
    }
}
