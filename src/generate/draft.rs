//! A case on its way: drafted, proved, written. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ids::ToolName;
use crate::llm::lexical;
use crate::suite::write::{Node, Part};

/// The tag of every case that was not written by a person.
pub const TAG: &str = "generated";

/// What a case is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tool must be called.
    Positive,
    /// No tool can help, so none must be called.
    Negative,
    /// One of two tools of near meaning must be called, and the other not.
    Confusion,
}

/// A case that may become one of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its id; drafts of one id are ways to say the same, of which one is kept.
    pub id: String,
    /// What the user says.
    pub prompt: String,
    /// What must come of it, as the suite writes it.
    pub expect: Vec<Value>,
    /// What it is for.
    pub kind: Kind,
    /// The tool it is about.
    pub tool: Option<ToolName>,
}

impl Draft {
    /// As an item of `cases:`. `persona` is written where it is not the suite's default.
    pub fn part(&self, persona: Option<&str>) -> Part {
        self.named(&self.id, persona)
    }

    /// The same under another id.
    pub fn named(&self, id: &str, persona: Option<&str>) -> Part {
        let tags = match self.kind {
            Kind::Positive => json!([TAG]),
            Kind::Negative => json!([TAG, "negative"]),
            Kind::Confusion => json!([TAG, "confusion"]),
        };
        let mut parts =
            vec![Part::of("id", id), Part::of("prompt", self.prompt.as_str()), Part::of("tags", tags)];
        parts.extend(persona.map(|persona| Part::of("persona", persona)));
        let checks = self.expect.iter().map(|check| Node::from(check.clone()));
        parts.push(Part::of("expect", Node::list(checks)));
        Part::item(Node::Map(parts))
    }
}

/// That a tool is called with these arguments.
pub fn called(tool: &ToolName, args: &Value) -> Value {
    match args.as_object().is_some_and(|args| !args.is_empty()) {
        true => json!({"tool_called": {"name": tool.as_str(), "args": args}}),
        false => json!({"tool_called": tool.as_str()}),
    }
}

/// Ids that are free: letters, digits and dashes, each given out once.
#[derive(Clone, Debug, Default)]
pub struct Ids(BTreeSet<String>);

impl Ids {
    /// None of these.
    pub fn but(taken: impl IntoIterator<Item = String>) -> Self {
        Self(taken.into_iter().collect())
    }

    /// An id after some words.
    pub fn next(&mut self, words: &str) -> String {
        let plain: Vec<String> = lexical::words_of(words)
            .iter()
            .map(|word| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>())
            .filter(|word| !word.is_empty())
            .collect();
        let mut base: String = plain.join("-").chars().take(50).collect();
        if base.is_empty() {
            base = "tool".to_owned();
        }
        let names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}")));
        let free = names.into_iter().find(|name| !self.0.contains(name)).unwrap_or(base);
        self.0.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::write::items;

    #[test]
    fn a_draft_is_written_as_a_case() {
        let draft = Draft {
            id: "get-order".to_owned(),
            prompt: "Where is my order 1042?".to_owned(),
            expect: vec![
                called(&"get_order".into(), &json!({"id": 1042})),
                json!({"answer_contains": "Solaris"}),
            ],
            kind: Kind::Confusion,
            tool: None,
        };
        insta::assert_snapshot!(items(&[draft.part(Some("clerk"))], 2), @r"
          - id: get-order
            prompt: Where is my order 1042?
            tags: [generated, confusion]
            persona: clerk
            expect:
              - {tool_called: {name: get_order, args: {id: 1042}}}
              - {answer_contains: Solaris}
        ");
        assert_eq!(called(&"ping".into(), &json!({})), json!({"tool_called": "ping"}));
    }

    #[test]
    fn ids_are_plain_and_given_once() {
        let mut ids = Ids::but(["get-order".to_owned()]);
        let given =
            ["get_order", "getOrder", "../../x", "", "日本", "a\u{1b}[31mb"].map(|name| ids.next(name));
        assert_eq!(given, ["get-order-2", "get-order-3", "x", "tool", "tool-2", "a-31mb"]);
    }
}
