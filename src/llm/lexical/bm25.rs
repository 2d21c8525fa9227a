//! BM25 over the offered tools (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, in its form with
//! weighted fields): tools in, scores for a query out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tokenise::terms;
use crate::llm::ToolOffer;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Bytes of a text that are looked at; a longer description says nothing more about what a tool is for.
const LONGEST: usize = 20_000;

/// How much a word counts by where it stands.
const NAME: f64 = 3.0;
const TITLE: f64 = 2.0;
const DESCRIPTION: f64 = 1.0;
const PARAMETERS: f64 = 0.5;

/// The tools, ready to be searched.
pub(super) struct Index {
    documents: Vec<Document>,
    /// In how many tools a stem occurs.
    found_in: BTreeMap<String, usize>,
    mean_length: f64,
}

struct Document {
    weights: BTreeMap<String, f64>,
    /// The stems of name and title.
    head: BTreeSet<String>,
    length: f64,
}

/// How well a tool fits a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Match {
    /// The BM25 score.
    pub(super) score: f64,
    /// Whether a word of the query stands in the name or the title.
    pub(super) in_head: bool,
    /// How many words of the query occur at all.
    pub(super) words: usize,
    /// Whether one of them occurs in no other tool.
    pub(super) telling: bool,
}

impl Index {
    /// Reads the tools.
    pub(super) fn of(tools: &[ToolOffer]) -> Self {
        let documents: Vec<Document> = tools.iter().map(Document::of).collect();
        let mut found_in = BTreeMap::new();
        for stem in documents.iter().flat_map(|document| document.weights.keys()) {
            *found_in.entry(stem.clone()).or_insert(0) += 1;
        }
        let total: f64 = documents.iter().map(|document| document.length).sum();
        let mean_length = (total / documents.len().max(1) as f64).max(1.0);
        Self { documents, found_in, mean_length }
    }

    /// How rare a stem is among the tools; 0 when no tool has it.
    fn rarity(&self, stem: &str) -> f64 {
        match self.found_in.get(stem) {
            Some(found) => {
                let (all, found) = (self.documents.len() as f64, *found as f64);
                (1.0 + (all - found + 0.5) / (found + 0.5)).ln()
            }
            None => 0.0,
        }
    }

    /// The information in those words of a query that any tool mentions: the sum of their rarities.
    pub(super) fn information(&self, query: &BTreeSet<String>) -> f64 {
        query.iter().map(|stem| self.rarity(stem)).sum()
    }

    /// How well each tool fits, in the order of the list.
    pub(super) fn matches(&self, query: &BTreeSet<String>) -> Vec<Match> {
        self.documents.iter().map(|document| self.fit(document, query)).collect()
    }

    fn fit(&self, document: &Document, query: &BTreeSet<String>) -> Match {
        let mut fit = Match { score: 0.0, in_head: false, words: 0, telling: false };
        let saturation = K1 * (1.0 - B + B * document.length / self.mean_length);
        for stem in query {
            let Some(weight) = document.weights.get(stem) else { continue };
            fit.score += self.rarity(stem) * weight * (K1 + 1.0) / (weight + saturation);
            fit.in_head |= document.head.contains(stem);
            fit.words += 1;
            fit.telling |= self.found_in.get(stem) == Some(&1);
        }
        fit
    }
}

impl Document {
    fn of(tool: &ToolOffer) -> Self {
        let mut document = Self { weights: BTreeMap::new(), head: BTreeSet::new(), length: 0.0 };
        document.add(tool.name.as_str(), NAME);
        document.add(tool.title.as_deref().unwrap_or_default(), TITLE);
        document.head = document.weights.keys().cloned().collect();
        document.add(&tool.description, DESCRIPTION);
        for (name, schema) in tool.schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            document.add(name, PARAMETERS);
            document.add(schema.get("description").and_then(Value::as_str).unwrap_or_default(), PARAMETERS);
        }
        document
    }

    fn add(&mut self, text: &str, weight: f64) {
        for stem in terms(&text[..text.floor_char_boundary(LONGEST)]) {
            *self.weights.entry(stem).or_insert(0.0) += weight;
            self.length += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(name: &str, description: &str) -> ToolOffer {
        ToolOffer {
            name: name.into(),
            tool: None,
            title: None,
            description: description.into(),
            schema: json!({}),
        }
    }

    fn query(text: &str) -> BTreeSet<String> {
        terms(text).into_iter().collect()
    }

    #[test]
    fn rare_words_and_names_count_more() {
        let tools = [
            tool("get_forecast", "Weather of the coming days for a city."),
            tool("get_alerts", "Weather warnings for a region."),
            tool("read_file", "Contents of a file."),
        ];
        let index = Index::of(&tools);
        let scores = |text: &str| index.matches(&query(text)).iter().map(|m| m.score).collect::<Vec<_>>();
        let weather = scores("weather");
        assert!(weather[0] > 0.0 && weather[1] > 0.0 && weather[2] == 0.0);
        let forecast = scores("weather forecast");
        assert!(forecast[0] > 2.0 * forecast[1]);
        assert_eq!(index.information(&query("nothing known")), 0.0);
        assert!(index.matches(&query("forecast"))[0].in_head);
    }
}
