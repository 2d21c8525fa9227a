//! What a list of tools costs a model before anybody has asked it anything: tokens per tool and part.
//!
//! Nobody counts tokens without the model's own tokeniser, so they are estimated, four bytes each, as
//! [`crate::llm::estimate`] does wherever no provider reports. That is good for comparing tools and for budgets, and off
//! by up to a third for text that is not English.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Listed, Shown};
use crate::llm::ToolOffer;
use crate::llm::estimate::tokens;
use crate::transcript::ToolFact;

/// How tokens are counted, in words.
pub const HOW: &str = "estimated, four bytes a token";

/// What one client's menu costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bill {
    /// The client profile.
    pub client: String,
    /// The tools, the dearest first.
    pub tools: Vec<Line>,
    /// Tokens that a model reads in every request.
    pub total: u64,
}

/// What one tool costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The server's name of the tool; the client's own tools have theirs.
    pub tool: String,
    /// Tokens of name and description, as the client offers them.
    pub text: u64,
    /// Tokens of the input schema, as the client offers it.
    pub input: u64,
    /// Tokens of the output schema. Clients send it to no model.
    pub output: u64,
    /// Tokens of annotations and title. Clients send them to no model.
    pub annotations: u64,
    /// Tokens that a model reads: `text` and `input`; 0 for a tool that it has to search for.
    pub tokens: u64,
    /// The part of the total, 0 to 1.
    pub share: f64,
    /// The part of the total of this tool and all dearer ones, 0 to 1.
    pub cumulative: f64,
    /// Only its name is known until the model searches for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
}

impl Bill {
    /// The bill of a menu.
    pub fn of(shown: &Shown, tools: &[ToolFact]) -> Self {
        let facts: BTreeMap<&str, &ToolFact> = tools.iter().map(|tool| (tool.name.as_str(), tool)).collect();
        let mut lines: Vec<Line> = shown.offers.iter().map(|offer| line(offer, &facts)).collect();
        lines.extend(shown.deferred.iter().map(|name| {
            let (output, annotations) = beside(facts.get(name.as_str()).copied());
            Line { output, annotations, deferred: true, ..empty(name.as_str()) }
        }));
        lines.sort_by(|a, b| b.tokens.cmp(&a.tokens).then_with(|| a.tool.cmp(&b.tool)));
        let total: u64 = lines.iter().map(|line| line.tokens).sum();
        let mut so_far = 0;
        for line in &mut lines {
            so_far += line.tokens;
            line.share = line.tokens as f64 / total.max(1) as f64;
            line.cumulative = so_far as f64 / total.max(1) as f64;
        }
        Self { client: shown.client.to_string(), tools: lines, total }
    }

    /// The bills of all clients of a list.
    pub fn all(listed: &Listed<'_>) -> Vec<Self> {
        listed.clients.iter().map(|shown| Self::of(shown, listed.tools)).collect()
    }
}

fn empty(tool: &str) -> Line {
    Line {
        tool: tool.to_owned(),
        text: 0,
        input: 0,
        output: 0,
        annotations: 0,
        tokens: 0,
        share: 0.0,
        cumulative: 0.0,
        deferred: false,
    }
}

fn line(offer: &ToolOffer, facts: &BTreeMap<&str, &ToolFact>) -> Line {
    let text = tokens((offer.name.as_str().len() + offer.description.len()) as u64);
    let input = of_json(&offer.schema);
    let tool = offer.server_name().as_str();
    let (output, annotations) = beside(facts.get(tool).copied());
    Line { text, input, output, annotations, tokens: text + input, ..empty(tool) }
}

/// What a server sends of a tool that no model reads: the output schema; annotations and title.
fn beside(fact: Option<&ToolFact>) -> (u64, u64) {
    let part = |key: &str| fact.and_then(|fact| fact.raw.get(key)).map_or(0, of_json);
    (part("outputSchema"), part("annotations") + part("title"))
}

fn of_json(value: &Value) -> u64 {
    tokens(value.to_string().len() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(deferred: &[&str], offers: &[(&str, usize)]) -> Shown {
        let offer = |(name, length): &(&str, usize)| ToolOffer {
            name: (*name).into(),
            tool: None,
            title: None,
            description: "d".repeat(*length),
            schema: json!({}),
        };
        Shown {
            client: "c".into(),
            offers: offers.iter().map(offer).collect(),
            deferred: deferred.iter().map(|name| (*name).into()).collect(),
            names: vec![],
            cut: None,
        }
    }

    #[test]
    fn the_dearest_tool_comes_first_and_shares_add_up() {
        let raw = json!({"name": "dear", "outputSchema": {"type": "object"}, "annotations": {"title": "T"}});
        let facts = [ToolFact { name: "dear".into(), raw }];
        let bill = Bill::of(&shown(&["later"], &[("mini", 0), ("dear", 32)]), &facts);
        assert_eq!(bill.tools.iter().map(|line| line.tool.as_str()).collect::<Vec<_>>(), ["dear", "mini", "later"]);
        let dear = &bill.tools[0];
        assert_eq!((dear.text, dear.input, dear.tokens), (9, 1, 10));
        assert_eq!((dear.output, dear.annotations), (5, 4));
        assert_eq!(bill.total, 12);
        assert!((bill.tools[1].cumulative - 1.0).abs() < 1e-12);
        assert!(bill.tools[2].deferred && bill.tools[2].tokens == 0);
    }

    #[test]
    fn a_list_of_nothing_costs_nothing() {
        let bill = Bill::of(&shown(&["later"], &[]), &[]);
        assert_eq!((bill.total, bill.tools[0].share), (0, 0.0));
    }
}
