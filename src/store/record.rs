//! What a run file holds, as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{RunId, SuiteName};
use crate::plan::{Selection, Shard};
use crate::score::{Outcome, Verdict};
use crate::suite::{ExpectedFailure, GatePolicy, InstrumentUse};
use crate::transcript::{CaseHeader, End, Usage};

/// The number of the run format. Readers accept every number up to this one.
pub const SCHEMA: u32 = 1;

/// What a run is about; written before the first trial and never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// The run.
    pub run: RunId,
    /// The version of rehearsal.
    pub version: String,
    /// The suite.
    pub suite: SuiteName,
    /// The suite's path.
    pub file: String,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// The seed of the order.
    pub seed: u64,
    /// What was selected.
    pub selection: Selection,
    /// The part of the plan this file holds.
    pub shard: Option<Shard>,
    /// Every instrument used, with its digest.
    pub instruments: Vec<InstrumentUse>,
    /// The gate's policy at the time.
    pub gate: GatePolicy,
    /// The judge's model, if any criterion is judged.
    pub judge: Option<String>,
    /// How the target was reached, in words, without secrets.
    pub target: String,
    /// Every text that was read, by path: enough to show excerpts without the project.
    pub inputs: BTreeMap<String, String>,
}

/// One trial as reports and the gate see it: everything but the transcript.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// Identity, names and place.
    pub header: CaseHeader,
    /// Pass, fail or invalid. `None`: driven, not scored yet.
    pub outcome: Option<Outcome>,
    /// The findings. `None`: not scored yet.
    pub verdict: Option<Verdict>,
    /// Set when the trial is known to fail.
    pub expected_failure: Option<ExpectedFailure>,
    /// How it ended.
    pub end: End,
    /// Names of the tools the model called, in order.
    pub tool_calls: Vec<String>,
    /// Model calls of the candidate.
    pub model_calls: u32,
    /// Tokens of the candidate.
    pub usage: Usage,
    /// US dollars of the candidate; `None` when unpriced.
    pub cost: Option<f64>,
    /// Calls of the judge.
    pub judge_calls: u32,
    /// Tokens of the judge.
    pub judge_usage: Usage,
    /// US dollars of the judge; `None` when unpriced.
    pub judge_cost: Option<f64>,
    /// Milliseconds from start to end.
    pub took_ms: u64,
}

/// A run as reports and the gate see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// What it is about.
    pub manifest: Manifest,
    /// Every trial with a transcript, ordered by case, model, persona, client and trial.
    pub results: Vec<CaseResult>,
    /// Planned trials without a result.
    pub missing: Vec<CaseHeader>,
    /// Why the run stopped before its end, if it did.
    pub stops: Vec<Stop>,
}

/// Why a run stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// A stable code that `rehearsal explain` knows: `run.interrupted`, `run.budget`, `target.unreachable`, ...
    pub code: String,
    /// What happened.
    pub message: String,
}
