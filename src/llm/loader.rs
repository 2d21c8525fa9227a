//! The tool that loads tools: what a client offers in place of those that it shows by name only. The models of the program
//! read its description, as any model does, and use it when nothing else will do.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Message, ToolOffer};
use crate::ids::ToolName;
use crate::transcript::ToolCall;

/// Words before a list of exact names in a query.
pub const SELECT: &str = "select:";

/// What stands before the names in the description, one a line.
const LIST: &str = "Tools that can be loaded:\n";

/// The tool as it is offered: `name` loads at most `results` of the `hidden` tools at once.
pub fn offer<'a>(name: &str, results: usize, hidden: impl Iterator<Item = &'a str>) -> ToolOffer {
    let names: Vec<&str> = hidden.collect();
    ToolOffer {
        name: ToolName::from(name),
        tool: None,
        title: None,
        description: format!(
            "Loads tools, so that they can be called. Give `{SELECT}` and exact names separated by commas, or words to \
             search for; at most {results} tools are loaded at once. {LIST}{}",
            names.join("\n")
        ),
        schema: json!({
            "type": "object",
            "properties": {"query": {"type": "string", "description": "select:NAME,NAME or words"}},
            "required": ["query"],
        }),
    }
}

/// Such a tool among those offered.
pub(super) struct Loader<'a> {
    /// The tool.
    pub(super) tool: &'a ToolOffer,
    /// What can be loaded and has not been.
    pub(super) hidden: Vec<&'a str>,
}

impl<'a> Loader<'a> {
    /// The first that is offered.
    pub(super) fn among(tools: &'a [ToolOffer]) -> Option<Self> {
        let (tool, names) =
            tools.iter().find_map(|tool| Some((tool, tool.description.split_once(LIST)?.1)))?;
        let offered: BTreeSet<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let hidden = names.lines().filter(|name| !offered.contains(name)).collect();
        Some(Self { tool, hidden })
    }

    /// Whether a call is one of it.
    pub(super) fn made(&self, call: &ToolCall) -> bool {
        call.name == self.tool.name
    }

    /// The arguments of a call.
    pub(super) fn args(query: &str) -> Value {
        json!({ "query": query })
    }

    /// A conversation without what it told.
    pub(super) fn without(&self, messages: &[Message]) -> Vec<Message> {
        let told = |message: &&Message| !matches!(message, Message::Tool { call, .. } if self.made(call));
        messages.iter().filter(told).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_loaded_yet_is_read_from_the_description() {
        let mut tools = vec![offer("Find", 5, ["a", "b"].into_iter())];
        let loader = Loader::among(&tools).unwrap();
        assert_eq!((loader.tool.name.as_str(), loader.hidden), ("Find", vec!["a", "b"]));
        let loaded = ToolOffer { name: "a".into(), description: "Does a.".to_owned(), ..tools[0].clone() };
        tools.push(loaded);
        assert_eq!(Loader::among(&tools).unwrap().hidden, ["b"]);
        assert!(Loader::among(&tools[1..]).is_none());
    }
}
