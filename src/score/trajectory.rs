//! How a model got to its answer: calls against expected calls, wasted calls, recovery from errors. Diagnostic; gates
//! rest on outcomes, because a model may find a better way than the author's. Pure functions of names and flags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub mod facts;

pub use facts::Trajectory;

/// Expected tool names against those called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrajectoryMatch {
    /// Share of the calls that were expected, as multisets; 1 when nothing was expected or called, 0 when nothing was
    /// called though something was expected, or the reverse.
    pub precision: f64,
    /// Share of the expected calls that were made; 1 when none was expected.
    pub recall: f64,
    /// Their harmonic mean; 0 when both are 0.
    pub f1: f64,
    /// Whether both lists are equal.
    pub exact: bool,
    /// The length of the longest common subsequence.
    pub common: usize,
    /// `common` over the number of expected calls; 1 when none was expected.
    pub order: f64,
    /// Insertions, deletions and replacements from one list to the other (Levenshtein 1966).
    pub edits: usize,
    /// 1 less edits over the longer list; 1 for two empty lists.
    pub similarity: f64,
    /// Calls beyond the expected ones, as multisets.
    pub extra: usize,
    /// Whether the expected calls occur in order, with others between.
    pub in_order: bool,
    /// Whether all expected calls occur, in any order.
    pub any_order: bool,
}

/// Compares tool names by multiset, order and edits.
///
/// Applies to required calls with one plan; with several, take the best plan. Fails by rewarding the author's way.
pub fn trajectory_match(expected: &[&str], actual: &[&str]) -> TrajectoryMatch {
    let (wanted, made) = (counted(expected), counted(actual));
    let shared: usize =
        wanted.iter().map(|(name, count)| made.get(name).map_or(0, |made| *count.min(made))).sum();
    let share = |of: usize| shared as f64 / of as f64;
    let (precision, recall) = match (expected.len(), actual.len()) {
        (0, 0) => (1.0, 1.0),
        (0, _) => (0.0, 1.0),
        (_, 0) => (0.0, 0.0),
        (expected, actual) => (share(actual), share(expected)),
    };
    let f1 = if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
    let common = longest_common(expected, actual);
    let edits = edits(expected, actual);
    let longer = expected.len().max(actual.len());
    TrajectoryMatch {
        precision,
        recall,
        f1,
        exact: expected == actual,
        common,
        order: if expected.is_empty() { 1.0 } else { common as f64 / expected.len() as f64 },
        edits,
        similarity: if longer == 0 { 1.0 } else { 1.0 - edits as f64 / longer as f64 },
        extra: actual.len() - shared,
        in_order: common == expected.len(),
        any_order: shared == expected.len(),
    }
}

fn counted<'a>(names: &[&'a str]) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    names.iter().for_each(|name| *counts.entry(*name).or_default() += 1);
    counts
}

fn longest_common(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for left in a {
        let mut diagonal = 0;
        for (at, right) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if left == right { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

fn edits(a: &[&str], b: &[&str]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (made, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = made + 1;
        for (at, right) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = (diagonal + usize::from(left != right)).min(above + 1).min(row[at] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

/// A call as the count of wasted calls sees it.
#[derive(Clone, Copy, Debug)]
pub struct MadeCall<'a> {
    /// The tool.
    pub tool: &'a str,
    /// Its arguments.
    pub arguments: &'a Value,
    /// Whether it may have changed the server: the tool is not annotated as read-only.
    pub mutates: bool,
}

/// Calls of the same tool with the same arguments (as canonical JSON) as an earlier one, with no call between that may
/// have changed the server. A repeated call that may change it is never wasted: its effect is not known.
pub fn redundant_calls(calls: &[MadeCall<'_>]) -> usize {
    let mut known: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut wasted = 0;
    for call in calls {
        if call.mutates {
            known.clear();
        } else if !known.insert((call.tool, canonical(call.arguments))) {
            wasted += 1;
        }
    }
    wasted
}

/// JSON with its keys in order and whole numbers written one way.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        Value::Number(number) => match number.as_f64() {
            // Beyond 2^53 a float no longer tells neighbours apart; adding 0 turns -0 into 0.
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => format!("{:.0}", float + 0.0),
            _ => number.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

/// How failed calls ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorRecovery {
    /// Calls that failed: a protocol error or `isError`.
    pub errors: usize,
    /// Those after which the same tool succeeded later.
    pub recovered: usize,
}

impl ErrorRecovery {
    /// The share recovered; `None` when nothing failed.
    pub fn rate(self) -> Option<f64> {
        (self.errors > 0).then(|| self.recovered as f64 / self.errors as f64)
    }
}

/// Failed calls (tool, whether it succeeded) that were followed by a success of the same tool.
pub fn error_recovery(calls: &[(&str, bool)]) -> ErrorRecovery {
    let mut found = ErrorRecovery { errors: 0, recovered: 0 };
    let mut succeeds_later: BTreeSet<&str> = BTreeSet::new();
    for (tool, succeeded) in calls.iter().rev() {
        if *succeeded {
            succeeds_later.insert(tool);
        } else {
            found.errors += 1;
            found.recovered += usize::from(succeeds_later.contains(tool));
        }
    }
    found
}

/// What each persona may see, by its name.
pub type Visible<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Expected against observed access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessDifference<'a> {
    /// What a persona should have and does not, for every persona.
    pub missing: Visible<'a>,
    /// What a persona has and must not: a hard failure.
    pub leaked: Visible<'a>,
}

impl AccessDifference<'_> {
    /// Personas that have exactly what they should.
    pub fn exact_personas(&self) -> usize {
        let personas = self.missing.iter().zip(self.leaked.values());
        personas.filter(|((_, missing), leaked)| missing.is_empty() && leaked.is_empty()).count()
    }

    /// All leaks.
    pub fn leak_count(&self) -> usize {
        self.leaked.values().map(BTreeSet::len).sum()
    }

    /// All that is missing.
    pub fn missing_count(&self) -> usize {
        self.missing.values().map(BTreeSet::len).sum()
    }
}

/// Personas x tools, expected against observed. A persona nobody expected may see nothing.
pub fn access_matrix<'a>(expected: &Visible<'a>, observed: &Visible<'a>) -> AccessDifference<'a> {
    let empty = BTreeSet::new();
    let personas: BTreeSet<&str> = expected.keys().chain(observed.keys()).copied().collect();
    let beyond = |of: &Visible<'a>, other: &Visible<'a>, persona: &str| {
        let (of, other) = (of.get(persona).unwrap_or(&empty), other.get(persona).unwrap_or(&empty));
        of.difference(other).copied().collect()
    };
    AccessDifference {
        missing: personas.iter().map(|name| (*name, beyond(expected, observed, name))).collect(),
        leaked: personas.iter().map(|name| (*name, beyond(observed, expected, name))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_and_the_spelling_of_numbers_do_not_matter() {
        let (one, other) = (json!({"a": 1, "b": [2.0]}), json!({"b": [2], "a": 1.0}));
        let different = json!({"a": 1, "b": ["2"]});
        let call = |arguments| MadeCall { tool: "get", arguments, mutates: false };
        assert_eq!(redundant_calls(&[call(&one), call(&other)]), 1);
        assert_eq!(redundant_calls(&[call(&one), call(&different)]), 0);
    }

    #[test]
    fn large_ids_are_told_apart() {
        let (one, other) =
            (json!({"id": 9_007_199_254_740_993_u64}), json!({"id": 9_007_199_254_740_992_u64}));
        let call = |arguments| MadeCall { tool: "get", arguments, mutates: false };
        assert_eq!(redundant_calls(&[call(&one), call(&other)]), 0);
    }

    #[test]
    fn a_repeated_change_is_not_wasted() {
        let none = json!({});
        let call = MadeCall { tool: "update", arguments: &none, mutates: true };
        assert_eq!(redundant_calls(&[call, call]), 0);
    }

    #[test]
    fn a_persona_nobody_expected_leaks_all_it_sees() {
        let observed = Visible::from([("guest", BTreeSet::from(["a"]))]);
        let difference = access_matrix(&Visible::new(), &observed);
        assert_eq!((difference.leak_count(), difference.exact_personas()), (1, 0));
    }
}
