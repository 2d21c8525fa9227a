//! MCP input schemas as the schemas that an API takes, and what is lost on the way.
//!
//! What an API takes is data ([`Rules`], one value per API in `rules`); one walk follows them all. A schema that fits is
//! borrowed, never copied. The walk is bounded in depth, in size and in the losses it lists, whatever a server sends.

use std::borrow::Cow;

use serde_json::Value;

use self::rules::Rules;
use self::walk::Walk;
use super::ToolOffer;
use crate::transcript::Loss;

mod close;
mod fold;
mod normal;
mod root;
pub(in crate::llm) mod rules;
mod shape;
mod walk;

/// Most losses of one tool that are listed; the rest is counted.
const MOST_LOSSES: usize = 100;

/// Levels of JSON that are looked at; what is read from the wire has fewer than 128.
const DEEPEST: usize = 128;

/// Something that an API does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::llm) struct Cut {
    /// Where in the schema, as a JSON pointer; empty for the whole.
    pub(in crate::llm) place: String,
    /// What became of it.
    pub(in crate::llm) what: String,
}

/// A schema for an API.
#[derive(Debug)]
pub(in crate::llm) struct Translated<'a> {
    /// What the API gets.
    pub(in crate::llm) schema: Cow<'a, Value>,
    /// What it does not get, the first hundred and then a count.
    pub(in crate::llm) cuts: Vec<Cut>,
}

/// The input schema of a tool.
pub(in crate::llm) fn input<'a>(schema: &'a Value, rules: &Rules) -> Translated<'a> {
    if shape::is_deeper(schema, DEEPEST) {
        let pruned = shape::pruned(schema, DEEPEST - 2);
        let Translated { schema, mut cuts } = input(&pruned, rules);
        cuts.insert(0, Cut { place: String::new(), what: format!("cut below {DEEPEST} levels of JSON") });
        return Translated { schema: Cow::Owned(schema.into_owned()), cuts };
    }
    let mut walk = Walk::new(schema, rules);
    let translated = walk.root(schema);
    Translated { schema: translated.map_or(Cow::Borrowed(schema), Cow::Owned), cuts: walk.cuts.finish() }
}

/// The schema of an answer: rehearsal's own, so nothing of it is a finding.
pub(in crate::llm) fn answer<'a>(schema: &'a Value, rules: &Rules) -> Cow<'a, Value> {
    input(schema, rules).schema
}

/// The description of a tool. An API without a field for titles shows one where there is no description.
pub(in crate::llm) fn description<'a>(tool: &'a ToolOffer, rules: &Rules) -> &'a str {
    let text = match (tool.description.as_str(), &tool.title) {
        ("", Some(title)) => title,
        (description, _) => description,
    };
    match rules.description {
        Some(most) => text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end]),
        None => text,
    }
}

/// What of these tools the API does not take, in their order. `wire` is the name that each goes by.
pub(in crate::llm) fn losses<'a>(
    tools: &'a [ToolOffer],
    rules: &Rules,
    wire: impl Fn(&'a ToolOffer) -> &'a str,
) -> Vec<Loss> {
    let mut losses = vec![];
    for (number, tool) in tools.iter().enumerate() {
        let mut lost = |place: String, what: String| {
            losses.push(Loss { tool: tool.name.clone(), place, what });
        };
        if rules.tools.is_some_and(|most| number >= most) {
            let most = rules.tools.unwrap_or_default();
            lost(String::new(), format!("left out: {} takes {most} tools", rules.api));
            continue;
        }
        let name = wire(tool);
        if name != tool.name.as_str() {
            lost("/name".to_owned(), format!("goes by `{name}`: {} takes no such name", rules.api));
        }
        if tool.title.is_some() && !tool.description.is_empty() {
            lost("/title".to_owned(), format!("left out: {} takes no titles", rules.api));
        }
        let (whole, shown) = (tool.description.chars().count(), description(tool, rules).chars().count());
        if shown < whole {
            lost(
                "/description".to_owned(),
                format!("cut from {whole} to {shown} characters: {} takes no more", rules.api),
            );
        }
        for cut in input(&tool.schema, rules).cuts {
            lost(format!("/inputSchema{}", cut.place), cut.what);
        }
    }
    losses
}

/// The tools that the API takes; the rest is a loss.
pub(in crate::llm) fn taken<'a>(tools: &'a [ToolOffer], rules: &Rules) -> &'a [ToolOffer] {
    &tools[..rules.tools.map_or(tools.len(), |most| most.min(tools.len()))]
}

/// The losses of one schema, as far as they are listed.
#[derive(Default)]
struct Cuts {
    listed: Vec<Cut>,
    more: usize,
}

impl Cuts {
    fn add(&mut self, place: impl FnOnce() -> String, what: impl FnOnce() -> String) {
        if self.listed.len() < MOST_LOSSES {
            self.listed.push(Cut { place: place(), what: what() });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Cut> {
        if self.more > 0 {
            self.listed.push(Cut { place: String::new(), what: format!("{} more losses", self.more) });
        }
        self.listed
    }
}

#[cfg(test)]
mod tests;
