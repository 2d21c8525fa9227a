//! Tool names as the API accepts them: letters, digits, `_` and `-`, at most 64. The mapping is made per request and is
//! reversible: two different names never become one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Digest, ToolName};
use crate::llm::{ChatRequest, Message};

/// The longest name the API accepts, in characters.
const LONGEST: usize = 64;

/// The names of one request. Empty when every name is acceptable as it is, which is the common case.
#[derive(Debug, Default)]
pub(super) struct Names {
    to_wire: BTreeMap<ToolName, String>,
}

impl Names {
    /// Maps every name that occurs in a request.
    pub(super) fn of(request: &ChatRequest) -> Self {
        let used = || {
            let called = request.messages.iter().flat_map(|message| match message {
                Message::Assistant { calls, .. } => calls.as_slice(),
                _ => &[],
            });
            request.tools.iter().map(|tool| &tool.name).chain(called.map(|call| &call.name))
        };
        if used().all(|name| acceptable(name.as_str())) {
            return Self::default();
        }
        let mut taken: BTreeSet<String> =
            used().map(ToolName::as_str).filter(|name| acceptable(name)).map(str::to_owned).collect();
        let mut to_wire = BTreeMap::new();
        for name in used().filter(|name| !acceptable(name.as_str())) {
            to_wire.entry(name.clone()).or_insert_with(|| {
                let wire = stand_in(name.as_str(), &taken);
                taken.insert(wire.clone());
                wire
            });
        }
        Self { to_wire }
    }

    /// The name to send.
    pub(super) fn wire<'a>(&'a self, name: &'a ToolName) -> &'a str {
        self.to_wire.get(name).map_or(name.as_str(), String::as_str)
    }

    /// The tool that a name on the wire means; a name that was never sent stays as the model spelled it.
    pub(super) fn tool(&self, wire: &str) -> ToolName {
        let known = self.to_wire.iter().find(|(_, sent)| sent.as_str() == wire);
        known.map_or_else(|| ToolName::from(wire), |(name, _)| name.clone())
    }
}

fn acceptable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The name with every other character replaced; a piece of its digest keeps it apart from others.
fn stand_in(name: &str, taken: &BTreeSet<String>) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .take(LONGEST)
        .collect();
    if acceptable(&plain) && name.chars().count() <= LONGEST && !taken.contains(&plain) {
        return plain;
    }
    let head: Cow<'_, str> = plain.chars().take(LONGEST - 33).collect();
    format!("{head}_{}", Digest::of(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::llm::ToolOffer;

    fn offer(names: &[String]) -> ChatRequest {
        let tool = |name: &String| ToolOffer {
            name: name.as_str().into(),
            tool: None,
            title: None,
            description: String::new(),
            schema: json!({}),
        };
        ChatRequest {
            system: None,
            messages: vec![],
            tools: names.iter().map(tool).collect(),
            trial: 1,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn acceptable_names_stay() {
        let names = Names::of(&offer(&["get_order".into(), "a-b".into()]));
        assert!(names.to_wire.is_empty());
        assert_eq!(names.wire(&"get_order".into()), "get_order");
    }

    #[test]
    fn other_names_come_back_as_they_were() {
        let long = "x".repeat(80);
        let given = ["a.b".to_owned(), "a_b".into(), "a/b".into(), "größe".into(), String::new(), long];
        let names = Names::of(&offer(&given));
        for name in &given {
            let name = ToolName::from(name.as_str());
            assert_eq!(names.tool(names.wire(&name)), name);
        }
        assert_eq!(names.wire(&"a_b".into()), "a_b");
        assert_eq!(names.tool("never_sent"), ToolName::from("never_sent"));
    }

    proptest! {
        #[test]
        fn the_mapping_is_reversible(given in prop::collection::vec("[a-c_./é ]{0,70}", 0..8)) {
            let names = Names::of(&offer(&given));
            for name in &given {
                let name = ToolName::from(name.as_str());
                prop_assert!(acceptable(names.wire(&name)));
                prop_assert_eq!(names.tool(names.wire(&name)), name);
            }
        }
    }
}
