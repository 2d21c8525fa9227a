//! Two sets of outcomes side by side: runs, baselines, two models, two versions. Cases are paired with themselves; what
//! has no like on the other side is named and left out, never mixed in.

mod change;
mod found;
mod movers;
mod pairing;
mod populations;
mod sides;

use serde::{Deserialize, Serialize};

pub use change::{Change, Method, Question};
pub use found::{CLEAR, ChangedCase, Exact, Finding, Part, SideBySide, Unlike};
pub use movers::Mover;
pub use pairing::side_by_side;
pub use populations::{Excluded, Population};
pub use sides::{Pick, Side, SideLane};

use crate::stats::{Pair, Tally};

/// A case on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmCase {
    /// Its name, the same on both sides.
    pub id: String,
    /// The digest of what it asks and expects. Unlike digests are unlike cases.
    pub content: String,
    /// What its valid trials gave.
    pub tally: Tally,
    /// Trials that gave nothing.
    pub invalid: u64,
    /// What it shares a cause with: a seed document, a tool, a template. Cases of one cluster count together when the
    /// question is about cases like these.
    pub cluster: Option<String>,
}

/// A comparison of a candidate with a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What was asked.
    pub question: Question,
    /// Cases on both sides, with valid trials on both.
    pub cases: usize,
    /// The two sides, over these cases.
    pub baseline: Population,
    /// The candidate over these cases.
    pub candidate: Population,
    /// The change, if any case is on both sides.
    pub change: Option<Change>,
    /// Cases that got worse, the clearest first.
    pub losers: Vec<Mover>,
    /// Cases that got better, the clearest first.
    pub gainers: Vec<Mover>,
    /// What was left out, and why.
    pub excluded: Excluded,
}

/// Compares `candidate` with `baseline`. The order of the cases given does not matter.
///
/// A name that is there twice on one side is pooled if its content is one, else left out as changed.
pub fn compare(baseline: &[ArmCase], candidate: &[ArmCase], question: Question) -> Comparison {
    let populations::Matched { cases, excluded } = populations::matched(baseline, candidate);
    let pairs: Vec<Pair> = cases.iter().map(|case| case.pair).collect();
    let (losers, gainers) = movers::movers(&cases);
    Comparison {
        question,
        cases: cases.len(),
        baseline: Population::of(
            pairs.iter().map(|pair| pair.baseline),
            cases.iter().map(|c| c.invalid[0]).sum(),
        ),
        candidate: Population::of(
            pairs.iter().map(|pair| pair.candidate),
            cases.iter().map(|c| c.invalid[1]).sum(),
        ),
        change: change::change(&cases, question),
        losers,
        gainers,
        excluded,
    }
}
