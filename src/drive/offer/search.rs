//! Tools that a client shows by name only, and the tool of its own that finds them. Pure.

use serde_json::{Value, json};

use crate::llm::{ToolOffer, loader};
use crate::mcp::profile::Deferral;

/// The tool that searches, as it is offered: its description names what can be found.
pub(super) fn offer(deferral: &Deferral, deferred: &[ToolOffer]) -> ToolOffer {
    let names = deferred.iter().map(|offer| offer.name.as_str());
    loader::offer(&deferral.tool, deferral.results, names)
}

/// What a search finds: the exact names, or the tools with most of the words in name and description, in menu order
/// among equals.
pub(super) fn find<'a>(deferred: &'a [ToolOffer], deferral: &Deferral, args: &Value) -> Vec<&'a ToolOffer> {
    let query = args.get("query").and_then(Value::as_str).unwrap_or_default();
    if let Some(names) = query.trim().strip_prefix(loader::SELECT) {
        let wanted: Vec<&str> = names.split(',').map(str::trim).collect();
        let chosen = deferred.iter().filter(|offer| wanted.contains(&offer.name.as_str()));
        return chosen.take(deferral.results).collect();
    }
    let query = query.to_lowercase();
    let words: Vec<&str> =
        query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut ranked: Vec<(usize, &ToolOffer)> = deferred
        .iter()
        .map(|offer| {
            let text = format!("{} {}", offer.name, offer.description).to_lowercase();
            (words.iter().filter(|word| text.contains(**word)).count(), offer)
        })
        .filter(|(hits, _)| *hits > 0)
        .collect();
    ranked.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    ranked.into_iter().take(deferral.results).map(|(_, offer)| offer).collect()
}

/// What the model reads after a search.
pub fn told(loaded: &[&ToolOffer]) -> String {
    if loaded.is_empty() {
        return "no tool was found; search for other words".to_owned();
    }
    let lines = loaded.iter().map(|offer| {
        json!({"name": offer.name, "description": offer.description, "parameters": offer.schema}).to_string()
    });
    format!("loaded, and ready to be called:\n{}", lines.collect::<Vec<_>>().join("\n"))
}
