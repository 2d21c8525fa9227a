//! Keywords with one value each: numbers that bound, and constraints that are there or not.

use serde_json::{Map, Value};

/// What became of what a schema takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It takes less.
    Narrower,
    /// It takes more.
    Wider,
    /// It takes something else.
    Other,
}

/// Lower bounds: a larger number takes less.
const LEAST: &[&str] =
    &["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"];
/// Upper bounds: a smaller number takes less.
const MOST: &[&str] =
    &["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"];
/// Constraints that nobody can order.
const PRESENT: &[&str] = &[
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "contains",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "if",
    "then",
    "else",
    "not",
    "contentEncoding",
    "contentMediaType",
];

/// What the keywords of two schemas say against each other, keyword by keyword.
pub(super) fn turns(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<(&'static str, Turn)> {
    let mut turns = Vec::new();
    for (keys, least) in [(LEAST, true), (MOST, false)] {
        for key in keys {
            let number = |map: &Map<String, Value>| map.get(*key).and_then(Value::as_f64);
            let turn = match (number(old), number(new)) {
                (None, Some(_)) => Turn::Narrower,
                (Some(_), None) => Turn::Wider,
                (Some(from), Some(to)) if from < to => {
                    if least { Turn::Narrower } else { Turn::Wider }
                }
                (Some(from), Some(to)) if from > to => {
                    if least { Turn::Wider } else { Turn::Narrower }
                }
                _ => continue,
            };
            turns.push((*key, turn));
        }
    }
    for key in PRESENT {
        let value = |map: &Map<String, Value>| {
            map.get(*key).filter(|value| **value != Value::Bool(false) || *key != "uniqueItems").map(super::canonical)
        };
        let turn = match (value(old), value(new)) {
            (None, Some(_)) => Turn::Narrower,
            (Some(_), None) => Turn::Wider,
            (Some(from), Some(to)) if from != to => Turn::Other,
            _ => continue,
        };
        turns.push((*key, turn));
    }
    turns
}

/// Whether a keyword is one of these.
pub(super) fn knows(key: &str) -> bool {
    [LEAST, MOST, PRESENT].iter().any(|keys| keys.contains(&key))
}
