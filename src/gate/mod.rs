//! Run and policy in, verdict and exit code out. Pure: the same run file gives the same verdict on any machine. Never
//! reads a file, never sees a transcript.

use serde::{Deserialize, Serialize};

use crate::diag::Origin;

pub mod case_state;
pub mod cells;
pub mod compare;
pub mod compared;
pub mod control;
mod decide;
pub mod exit;
pub mod explain;
pub mod nights;
pub mod outlook;
pub mod quarantine;
pub mod rounds;
pub mod states;
pub mod trend;
pub mod triage;

pub use compared::Compared;
pub use decide::{Options, decide, decide_with};
pub use exit::Exit;
pub use explain::explain;

/// The decision about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Pass, fail or inconclusive.
    pub verdict: GateVerdict,
    /// The exit code.
    pub exit: Exit,
    /// Why, the gravest first, and after it what limits the comparison with a baseline; empty when everything holds.
    pub reasons: Vec<Reason>,
}

/// The three verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// Everything selected ran to a verdict and the policy holds.
    Pass,
    /// A quality, access or auth verdict failed.
    Fail,
    /// Not enough evidence.
    Inconclusive,
}

impl GateVerdict {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One reason for a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What happened, as a sentence.
    pub message: String,
    /// The case, if it is about one.
    pub case: Option<String>,
    /// The place in the suite file, if it has one.
    pub origin: Option<Origin>,
}
