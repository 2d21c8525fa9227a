//! Run and policy in, verdict and exit code out. Pure: the same run file gives the same verdict on any machine.

use serde::{Deserialize, Serialize};

use crate::diag::Origin;

pub mod exit;

pub use exit::Exit;

/// The decision about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Pass, fail or inconclusive.
    pub verdict: GateVerdict,
    /// The exit code.
    pub exit: Exit,
    /// Why, the gravest first; empty when everything holds.
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
