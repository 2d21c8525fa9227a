//! Descriptions of tools.

use std::collections::BTreeSet;

use super::Hit;
use crate::llm::lexical::terms;
use crate::surface::Listed;
use crate::transcript::ToolFact;

/// Fewer words say too little.
const WORDS: usize = 4;

/// Words that say when a tool is meant.
const CUES: &[&str] = &[
    "when", "if", "before", "after", "instead", "unless", "once", "use", "used", "useful", "only", "whenever", "prefer",
    "rather", "need", "needs", "not", "never", "first",
];

fn described<'a>(listed: &Listed<'a>) -> impl Iterator<Item = (&'a ToolFact, &'a str)> {
    let text = |tool: &'a ToolFact| (tool, tool.description().trim());
    listed.tools.iter().map(text).filter(|(_, text)| !text.is_empty())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty())
}

/// Whether words are told apart by spaces, so that they can be counted.
fn has_spaced_words(text: &str) -> bool {
    text.chars().filter(char::is_ascii_alphabetic).count() * 2 >= text.chars().count()
}

pub(super) fn missing(listed: &Listed<'_>) -> Vec<Hit> {
    let silent = listed.tools.iter().filter(|tool| tool.description().trim().is_empty());
    silent.map(|tool| Hit::at(&tool.name, "/description", "no description")).collect()
}

/// Whether a text says no more than the name.
fn is_name(tool: &ToolFact, text: &str) -> bool {
    let set = |text: &str| -> BTreeSet<String> { terms(text).into_iter().collect() };
    let (said, name) = (set(text), set(tool.name.as_str()));
    // Words such as "tool" and "the" are no news.
    let news = said.iter().filter(|word| !name.contains(*word) && !["tool", "function", "method"].contains(&word.as_str()));
    !name.is_empty() && news.count() == 0
}

pub(super) fn short(listed: &Listed<'_>) -> Vec<Hit> {
    let hit = |(tool, text): (&ToolFact, &str)| {
        let number = words(text).count();
        let few = number < WORDS && has_spaced_words(text) && !is_name(tool, text);
        few.then(|| Hit::at(&tool.name, "/description", format!("words: {number}")))
    };
    described(listed).filter_map(hit).collect()
}

pub(super) fn cut(listed: &Listed<'_>) -> Vec<Hit> {
    let mut limits: Vec<(usize, &str)> =
        listed.clients.iter().filter_map(|shown| Some((shown.cut?, shown.client.as_str()))).collect();
    limits.sort_unstable();
    let hit = |(tool, text): (&ToolFact, &str)| {
        let chars = text.chars().count();
        let cutting: Vec<&str> = limits.iter().filter(|(most, _)| chars > *most).map(|(_, client)| *client).collect();
        let (least, _) = limits.first()?;
        (!cutting.is_empty()).then(|| {
            let detail = format!("{chars} characters; {} cut, the first at {least}", cutting.join(", "));
            Hit::at(&tool.name, "/description", detail)
        })
    };
    described(listed).filter_map(hit).collect()
}

pub(super) fn repeats(listed: &Listed<'_>) -> Vec<Hit> {
    let same = described(listed).filter(|(tool, text)| is_name(tool, text));
    same.map(|(tool, _)| Hit::at(&tool.name, "/description", "it only repeats the name")).collect()
}

pub(super) fn when(listed: &Listed<'_>) -> Vec<Hit> {
    if listed.tools.len() < 2 {
        return vec![];
    }
    let silent = described(listed).filter(|(tool, text)| {
        let known = words(text).any(|word| CUES.contains(&word.to_ascii_lowercase().as_str()));
        !known && words(text).count() >= WORDS && has_spaced_words(text) && !is_name(tool, text)
    });
    silent.map(|(tool, _)| Hit::at(&tool.name, "/description", "no word on when to use it, or when not")).collect()
}
