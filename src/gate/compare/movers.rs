//! The cases that moved, ranked, with p-values that know how many were looked at.

use serde::{Deserialize, Serialize};

use super::populations::Matching;
use crate::stats::Tally;
use crate::stats::exact::{fisher_better, fisher_worse};
use crate::stats::multiple::{benjamini_hochberg, holm};

/// A case whose rate changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mover {
    /// Its name.
    pub case: String,
    /// What it gave before.
    pub baseline: Tally,
    /// What it gives now.
    pub candidate: Tally,
    /// Candidate minus baseline.
    pub diff: f64,
    /// Fisher's exact p-value in the direction it moved.
    pub p: f64,
    /// The same by Holm over all cases compared: for a yes or no.
    pub holm: f64,
    /// The same by Benjamini and Hochberg: for this list.
    pub discovery: f64,
}

/// Losers and gainers, the clearest first, of equals by name.
pub(super) fn movers(cases: &[Matching<'_>]) -> (Vec<Mover>, Vec<Mover>) {
    (ranked(cases, fisher_worse, |diff| diff < 0.0), ranked(cases, fisher_better, |diff| diff > 0.0))
}

type Test = fn(crate::stats::Pair) -> Option<f64>;

fn ranked(cases: &[Matching<'_>], test: Test, moved: fn(f64) -> bool) -> Vec<Mover> {
    let p: Vec<f64> = cases.iter().map(|case| test(case.pair).unwrap_or(1.0)).collect();
    let (Some(holm), Some(discovery)) = (holm(&p), benjamini_hochberg(&p)) else { return vec![] };
    let mover = |(at, case): (usize, &Matching<'_>)| {
        let diff = case.pair.candidate.rate()? - case.pair.baseline.rate()?;
        moved(diff).then(|| Mover {
            case: case.id.to_owned(),
            baseline: case.pair.baseline,
            candidate: case.pair.candidate,
            diff,
            p: p[at],
            holm: holm[at],
            discovery: discovery[at],
        })
    };
    let mut found: Vec<Mover> = cases.iter().enumerate().filter_map(mover).collect();
    found.sort_by(|a, b| a.p.total_cmp(&b.p).then(a.case.cmp(&b.case)));
    found
}
