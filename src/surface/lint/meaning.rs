//! Descriptions that say the same: cosine similarity of their words, rare words counting more (TF-IDF).

use std::collections::BTreeMap;

use super::Hit;
use crate::llm::lexical::terms;
use crate::surface::Listed;
use crate::transcript::ToolFact;

/// From here on two descriptions count as the same: four of five words shared, or all of them in other forms.
const CLOSE: f64 = 0.75;
/// Fewer different words are too few to compare.
const LEAST: usize = 3;
/// Most tools that are compared with each other.
const TOOLS: usize = 1000;
/// Bytes of a description that are looked at.
const LONGEST: usize = 20_000;

/// Words that mean the same where tools are described; the first stands for all.
const SAME: &[&[&str]] = &[
    &["search", "find", "lookup", "query", "locate"],
    &["get", "fetch", "retrieve", "read", "show", "return", "view", "display"],
    &["list", "enumerate"],
    &["create", "add", "make", "insert", "new"],
    &["delete", "remove", "erase", "destroy"],
    &["update", "edit", "modify", "change"],
    &["send", "post", "submit"],
    &["user", "customer", "person", "people"],
    &["file", "document"],
];

type Vector = BTreeMap<String, f64>;

pub(super) fn close(listed: &Listed<'_>) -> Vec<Hit> {
    let tools: Vec<&ToolFact> = listed.tools.iter().take(TOOLS).collect();
    let vectors = vectors(&tools);
    let mut hits: Vec<(f64, Hit)> = Vec::new();
    for (index, first) in vectors.iter().enumerate() {
        for (offset, second) in vectors[index + 1..].iter().enumerate() {
            let (a, b) = (tools[index], tools[index + 1 + offset]);
            let alike = likeness(first, second);
            if alike > CLOSE && a.name != b.name {
                let detail = format!("likeness {alike:.2}");
                hits.push((alike, Hit { tools: vec![a.name.clone(), b.name.clone()], at: "/description".to_owned(), detail }));
            }
        }
    }
    hits.sort_by(|a, b| b.0.total_cmp(&a.0));
    hits.into_iter().map(|(_, hit)| hit).collect()
}

fn vectors(tools: &[&ToolFact]) -> Vec<Vector> {
    let stems: BTreeMap<String, String> = SAME
        .iter()
        .flat_map(|words| words.iter().map(|word| (stem(word), stem(words[0]))))
        .collect();
    let counted: Vec<BTreeMap<String, u32>> = tools
        .iter()
        .map(|tool| {
            let text = tool.description();
            let mut counts = BTreeMap::new();
            for term in terms(&text[..text.floor_char_boundary(LONGEST)]) {
                *counts.entry(stems.get(&term).cloned().unwrap_or(term)).or_insert(0) += 1;
            }
            counts
        })
        .collect();
    let mut found_in: BTreeMap<&str, u32> = BTreeMap::new();
    for term in counted.iter().flat_map(BTreeMap::keys) {
        *found_in.entry(term).or_insert(0) += 1;
    }
    let all = tools.len() as f64;
    let weigh = |counts: &BTreeMap<String, u32>| -> Vector {
        if counts.len() < LEAST {
            return Vector::new();
        }
        let weight = |(term, times): (&String, &u32)| {
            let rarity = (1.0 + all / f64::from(found_in.get(term.as_str()).copied().unwrap_or(1))).ln();
            (term.clone(), (1.0 + f64::from(*times).ln()) * rarity)
        };
        let vector: Vector = counts.iter().map(weight).collect();
        let length = vector.values().map(|weight| weight * weight).sum::<f64>().sqrt();
        vector.into_iter().map(|(term, weight)| (term, weight / length)).collect()
    };
    counted.iter().map(weigh).collect()
}

fn stem(word: &str) -> String {
    terms(word).into_iter().next().unwrap_or_else(|| word.to_owned())
}

fn likeness(first: &Vector, second: &Vector) -> f64 {
    let (small, large) = if first.len() < second.len() { (first, second) } else { (second, first) };
    small.iter().map(|(term, weight)| weight * large.get(term).copied().unwrap_or(0.0)).sum()
}
