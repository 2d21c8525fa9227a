//! Tool names as an API accepts them: letters, digits and a few signs, up to a length. The mapping is made per request
//! and is reversible: two different names never become one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Digest, ToolName};
use crate::llm::{ChatRequest, Message, ToolOffer};

/// What names an API accepts besides ASCII letters and digits.
#[derive(Clone, Copy, Debug)]
pub(in crate::llm) struct Rules {
    /// The longest one, in characters; at least 64.
    pub(in crate::llm) longest: usize,
    /// Other characters; `_` must be one of them.
    pub(in crate::llm) signs: &'static str,
    /// Whether the first character must be a letter or `_`.
    pub(in crate::llm) letter_first: bool,
}

impl Rules {
    fn takes(self, c: char) -> bool {
        c.is_ascii_alphanumeric() || self.signs.contains(c)
    }

    fn accept(self, name: &str) -> bool {
        let begins = !self.letter_first || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        !name.is_empty() && name.len() <= self.longest && begins && name.chars().all(|c| self.takes(c))
    }

    /// The name with every other character replaced; a piece of its digest keeps it apart from others.
    fn stand_in(self, name: &str, taken: &BTreeSet<String>) -> String {
        let plain = || name.chars().map(|c| if self.takes(c) { c } else { '_' });
        let whole: String = plain().take(self.longest + 1).collect();
        if self.accept(&whole) && !taken.contains(&whole) {
            return whole;
        }
        let begins = self.letter_first && !self.accept(whole.get(..1).unwrap_or("_"));
        let head: String = begins.then_some('_').into_iter().chain(plain()).take(self.longest - 33).collect();
        format!("{head}_{}", Digest::of(name.as_bytes()))
    }
}

/// The names of one request. Empty when every name is acceptable as it is, which is the common case.
#[derive(Debug, Default)]
pub(in crate::llm) struct Names {
    to_wire: BTreeMap<ToolName, String>,
}

impl Names {
    /// Maps every name that occurs in a request.
    pub(in crate::llm) fn of(request: &ChatRequest, rules: Rules) -> Self {
        let called = request.messages.iter().flat_map(|message| match message {
            Message::Assistant { calls, .. } => calls.as_slice(),
            _ => &[],
        });
        Self::all(request.tools.iter().map(|tool| &tool.name).chain(called.map(|call| &call.name)), rules)
    }

    /// Maps the names of tools.
    pub(in crate::llm) fn among(tools: &[ToolOffer], rules: Rules) -> Self {
        Self::all(tools.iter().map(|tool| &tool.name), rules)
    }

    fn all<'a>(used: impl Iterator<Item = &'a ToolName> + Clone, rules: Rules) -> Self {
        if used.clone().all(|name| rules.accept(name.as_str())) {
            return Self::default();
        }
        let mut taken: BTreeSet<String> =
            used.clone().map(ToolName::as_str).filter(|name| rules.accept(name)).map(str::to_owned).collect();
        let mut to_wire = BTreeMap::new();
        for name in used.filter(|name| !rules.accept(name.as_str())) {
            to_wire.entry(name.clone()).or_insert_with(|| {
                let wire = rules.stand_in(name.as_str(), &taken);
                taken.insert(wire.clone());
                wire
            });
        }
        Self { to_wire }
    }

    /// Whether every name is sent as it is.
    pub(in crate::llm) fn are_plain(&self) -> bool {
        self.to_wire.is_empty()
    }

    /// The name to send.
    pub(in crate::llm) fn wire<'a>(&'a self, name: &'a ToolName) -> &'a str {
        self.to_wire.get(name).map_or(name.as_str(), String::as_str)
    }

    /// The tool that a name on the wire means; a name that was never sent stays as the model spelled it.
    pub(in crate::llm) fn tool(&self, wire: &str) -> ToolName {
        let known = self.to_wire.iter().find(|(_, sent)| sent.as_str() == wire);
        known.map_or_else(|| ToolName::from(wire), |(name, _)| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    const PLAIN: Rules = Rules { longest: 64, signs: "_-", letter_first: false };
    const STRICT: Rules = Rules { longest: 128, signs: "_-.:", letter_first: true };

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
        let names = Names::of(&offer(&["get_order".into(), "a-b".into()]), PLAIN);
        assert!(names.to_wire.is_empty());
        assert_eq!(names.wire(&"get_order".into()), "get_order");
    }

    #[test]
    fn other_names_come_back_as_they_were() {
        let long = "x".repeat(80);
        let given = ["a.b".to_owned(), "a_b".into(), "a/b".into(), "größe".into(), String::new(), long];
        let names = Names::of(&offer(&given), PLAIN);
        for name in &given {
            let name = ToolName::from(name.as_str());
            assert_eq!(names.tool(names.wire(&name)), name);
        }
        assert_eq!(names.wire(&"a_b".into()), "a_b");
        assert_eq!(names.tool("never_sent"), ToolName::from("never_sent"));
    }

    #[test]
    fn a_first_sign_that_is_no_letter_is_not_lost() {
        let given = ["1up".to_owned(), "-x".into(), "a.b:c".into()];
        let names = Names::of(&offer(&given), STRICT);
        assert!(names.wire(&"1up".into()).starts_with("_1up_"), "{}", names.wire(&"1up".into()));
        assert!(names.wire(&"-x".into()).starts_with("_-x_"));
        assert_eq!(names.wire(&"a.b:c".into()), "a.b:c");
    }

    proptest! {
        #[test]
        fn the_mapping_is_reversible(given in prop::collection::vec("[a-c1_./é -]{0,140}", 0..8)) {
            for rules in [PLAIN, STRICT] {
                let names = Names::of(&offer(&given), rules);
                for name in &given {
                    let name = ToolName::from(name.as_str());
                    prop_assert!(rules.accept(names.wire(&name)));
                    prop_assert_eq!(names.tool(names.wire(&name)), name);
                }
            }
        }
    }
}
