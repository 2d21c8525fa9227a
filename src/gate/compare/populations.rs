//! Which cases are alike on both sides.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ArmCase;
use crate::stats::{Pair, Tally};

/// One side of a comparison, over the cases compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Population {
    /// The mean of case means; `None` without cases.
    pub rate: Option<f64>,
    /// Valid trials.
    pub trials: u64,
    /// Trials that gave nothing. A share that differs between the sides can fake a change.
    pub invalid: u64,
}

impl Population {
    pub(super) fn of(cases: impl Iterator<Item = Tally>, invalid: u64) -> Self {
        let (mut sum, mut count, mut trials) = (0.0, 0_u64, 0);
        for case in cases {
            sum += case.rate().unwrap_or(0.0);
            count += 1;
            trials += case.trials;
        }
        Self { rate: (count > 0).then(|| sum / count as f64), trials, invalid }
    }
}

/// Cases that were not compared, by name in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// Only the baseline has them: removed since.
    pub removed: Vec<String>,
    /// Only the candidate has them: new.
    pub new: Vec<String>,
    /// Both have them, with other prompts or expectations.
    pub changed: Vec<String>,
    /// No valid trial on one side.
    pub unseen: Vec<String>,
}

impl Excluded {
    /// How many were left out.
    pub fn count(&self) -> usize {
        [&self.removed, &self.new, &self.changed, &self.unseen].iter().map(|names| names.len()).sum()
    }
}

/// A case on both sides.
pub(super) struct Matching<'a> {
    pub id: &'a str,
    pub pair: Pair,
    /// Invalid trials of baseline and candidate.
    pub invalid: [u64; 2],
    pub cluster: &'a str,
}

pub(super) struct Matched<'a> {
    /// In the order of their names.
    pub cases: Vec<Matching<'a>>,
    pub excluded: Excluded,
}

/// One side by name; `None` where one name has two contents.
type Side<'a> = BTreeMap<&'a str, Option<ArmCase>>;

fn side(cases: &[ArmCase]) -> Side<'_> {
    let mut found = Side::new();
    for case in cases {
        let kept = found
            .entry(case.id.as_str())
            .or_insert_with(|| Some(ArmCase { tally: Tally::default(), invalid: 0, ..case.clone() }));
        *kept = kept.take().filter(|kept| kept.content == case.content).map(|kept| ArmCase {
            tally: kept.tally.plus(case.tally),
            invalid: kept.invalid.saturating_add(case.invalid),
            ..kept
        });
    }
    found
}

pub(super) fn matched<'a>(baseline: &'a [ArmCase], candidate: &'a [ArmCase]) -> Matched<'a> {
    let (before, now) = (side(baseline), side(candidate));
    // Clusters are read from the candidate, which has the suite of today.
    let clusters: BTreeMap<&str, &str> = candidate
        .iter()
        .map(|case| (case.id.as_str(), case.cluster.as_deref().unwrap_or(case.id.as_str())))
        .collect();
    let new = now.keys().filter(|id| !before.contains_key(*id)).map(|id| (*id).to_owned()).collect();
    let mut excluded = Excluded { new, ..Excluded::default() };
    let mut cases = vec![];
    for (id, old) in &before {
        let Some(new) = now.get(id) else {
            excluded.removed.push((*id).to_owned());
            continue;
        };
        match (old, new) {
            (Some(old), Some(new)) if old.content == new.content => {
                if old.tally.rate().is_none() || new.tally.rate().is_none() {
                    excluded.unseen.push((*id).to_owned());
                    continue;
                }
                cases.push(Matching {
                    id,
                    pair: Pair { baseline: old.tally, candidate: new.tally },
                    invalid: [old.invalid, new.invalid],
                    cluster: clusters.get(id).copied().unwrap_or(id),
                });
            }
            _ => excluded.changed.push((*id).to_owned()),
        }
    }
    Matched { cases, excluded }
}
