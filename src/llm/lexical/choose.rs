//! Which tool to call: BM25, and three things that say whether a tool fits the sentence.
//!
//! A tool whose name says more than the user did fits less, a tool that looks up fits a question and not an order, and
//! a tool whose required arguments are nowhere to be found fits less. Ties go to the tool that is listed first.

use super::arguments::{Filled, fill};
use super::bm25::Index;
use super::memory::Memory;
use super::prompt::{Prompt, RETRIEVAL};
use super::schema::{Param, params};
use super::tokenise::terms;
use crate::llm::ToolOffer;

/// The least share of the known words' information that a tool must explain.
const LEAST_SHARE: f64 = 0.3;

/// What a word of the name costs that the user did not say.
const UNSAID: f64 = 0.6;

/// What missing required arguments cost.
const UNFILLED: f64 = 0.5;

/// The tool to call, and with what.
pub(super) struct Choice<'a> {
    /// The tool.
    pub(super) tool: &'a ToolOffer,
    /// Its arguments.
    pub(super) filled: Filled,
}

/// The best tool for the user's newest words; `None` when no tool is about them.
pub(super) fn choose<'a>(tools: &'a [ToolOffer], prompt: &Prompt<'_>, memory: &Memory) -> Option<Choice<'a>> {
    let index = Index::of(tools);
    let least = LEAST_SHARE * index.information(&prompt.stems);
    let mut best: Option<(f64, Choice<'a>)> = None;
    for (tool, fit) in tools.iter().zip(index.matches(&prompt.stems)) {
        // One word of a description that others mention too is too little.
        if fit.score < least || !(fit.in_head || fit.telling || fit.words > 1) {
            continue;
        }
        let bare = fit.score * name_fit(tool, prompt);
        if best.as_ref().is_some_and(|(score, _)| bare <= *score) {
            continue;
        }
        let filled = fill(tool, prompt, memory);
        let score = if filled.missing.is_empty() { bare } else { bare * UNFILLED };
        if best.as_ref().is_none_or(|(best, _)| score > *best) {
            best = Some((score, Choice { tool, filled }));
        }
    }
    best.map(|(_, choice)| choice).or_else(|| search(tools, prompt, memory))
}

/// "Do you have anything by ...?" names no tool, but it asks for a search where there is exactly one.
fn search<'a>(tools: &'a [ToolOffer], prompt: &Prompt<'_>, memory: &Memory) -> Option<Choice<'a>> {
    const OPENINGS: [[&str; 2]; 4] = [["do", "you"], ["have", "you"], ["is", "there"], ["are", "there"]];
    let first: Vec<String> = prompt.words.iter().take(3).map(|word| word.text.to_lowercase()).collect();
    let exists = OPENINGS.iter().any(|opening| first.iter().take(2).eq(opening));
    let possession =
        first.first().is_none_or(|word| word != "do") || first.get(2).is_some_and(|word| word == "have");
    if !exists || !possession {
        return None;
    }
    let searches = |tool: &&ToolOffer| {
        terms(tool.name.as_str())
            .iter()
            .any(|stem| matches!(stem.as_str(), "search" | "find" | "lookup" | "query"))
            && params(tool).iter().any(Param::is_query)
    };
    let mut searching = tools.iter().filter(searches);
    let (Some(tool), None) = (searching.next(), searching.next()) else { return None };
    let filled = fill(tool, prompt, memory);
    (filled.missing.is_empty() && !filled.args.is_empty()).then_some(Choice { tool, filled })
}

fn name_fit(tool: &ToolOffer, prompt: &Prompt<'_>) -> f64 {
    let mut fit = 1.0;
    for stem in terms(tool.name.as_str()) {
        let said = prompt.stems.contains(&stem);
        let looks_up = RETRIEVAL.contains(&stem.as_str()) && prompt.asks;
        if !said && !looks_up {
            fit *= UNSAID;
        }
    }
    fit
}
