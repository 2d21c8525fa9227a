//! What formats may read besides the summary: transcripts, one at a time, and the runs before. Whoever renders gives it;
//! reports open no file.

use crate::ids::CaseKey;
use crate::score::{Outcome, Verdict};
use crate::transcript::{CaseHeader, Transcript};

/// A trial, whole.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What happened.
    pub transcript: Transcript,
    /// What scoring found; `None`: not scored.
    pub verdict: Option<Verdict>,
}

/// The run of the suite just before this one.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// The run.
    pub run: String,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// Its trials.
    pub trials: Vec<(CaseHeader, Option<Outcome>)>,
}

/// An earlier run of the suite in a few numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// The run.
    pub run: String,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// Trials that passed.
    pub passed: u64,
    /// Trials that failed.
    pub failed: u64,
    /// Trials that gave nothing.
    pub invalid: u64,
}

/// Where formats find what no summary holds. What is not there, or cannot be read, is `None`: the record has said so.
pub trait Archive {
    /// A trial of this run.
    fn trial(&self, _key: CaseKey) -> Option<Kept> {
        None
    }

    /// The run just before this one.
    fn before(&self) -> Option<Before> {
        None
    }

    /// A trial of the run just before this one.
    fn earlier(&self, _key: CaseKey) -> Option<Kept> {
        None
    }

    /// The runs before this one, the oldest first, only as many as a chart can show.
    fn past(&self) -> Vec<PastRun> {
        vec![]
    }
}

/// An archive that holds nothing.
impl Archive for () {}
