//! Pure statistics: counts in, decisions' numbers out. Never panics, never returns NaN: what is undefined is `None`.
//!
//! Every function names its formula, its source, when it applies and how it fails, and is checked against reference
//! values in `tests/fixtures/stat-vectors.json`. A change is always candidate minus baseline, negative is worse; a
//! pass is 1. P-values are one-sided towards "worse" unless their name says otherwise, and never 0.

use serde::{Deserialize, Serialize};

pub mod agreement;
pub mod allocation;
pub mod anytime;
pub mod belief;
pub mod bootstrap;
pub mod change;
pub mod correction;
pub mod drift;
pub mod escalation;
pub mod exact;
mod lattice;
pub mod mean;
pub mod multiple;
pub mod nights;
pub mod order;
pub mod paired;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod random;
pub mod reliability;
pub mod sequential;
pub mod shown;
pub mod signs;
pub mod special;
pub mod votes;

/// A two-sided interval; `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// What the judged trials of one case gave. Invalid trials are missing data and not part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Judged trials.
    pub trials: u64,
    /// Those that passed; at most `trials`.
    pub passed: u64,
}

impl Tally {
    /// The share that passed; `None` without a judged trial.
    pub fn rate(self) -> Option<f64> {
        (self.trials > 0 && self.passed <= self.trials).then(|| self.passed as f64 / self.trials as f64)
    }

    /// The unbiased variance of one trial, p(1-p) k/(k-1); `None` below two judged trials.
    pub fn variance(self) -> Option<f64> {
        let rate = self.rate().filter(|_| self.trials > 1)?;
        Some(rate * (1.0 - rate) * self.trials as f64 / (self.trials as f64 - 1.0))
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            trials: self.trials.saturating_add(other.trials),
            passed: self.passed.saturating_add(other.passed),
        }
    }
}

/// One case on both sides of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// What it gave before.
    pub baseline: Tally,
    /// What it gives now.
    pub candidate: Tally,
}
