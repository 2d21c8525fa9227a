//! Pure statistics: counts in, rates with intervals and reliability out. Never panics, never returns NaN: what is
//! undefined is `None`.
//!
//! Every function names its formula, its source, when it applies and how it fails, and is checked against reference
//! values in `tests/fixtures/stats/vectors.json`.

pub mod agreement;
pub mod correction;
pub mod proportion;
pub mod reliability;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}
