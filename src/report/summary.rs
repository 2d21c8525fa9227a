//! The one value all formats render from: `summary.json`, with every text made safe for display.
//!
//! Its JSON form is a contract ([`SCHEMA`]): fields are only added. What is unknown is `null`, never 0.

use std::sync::Arc;

use serde::Serialize;

use super::access::Grid;
use super::causes::Causes;
use super::fit::Clients;
use super::gate::GateStamp;
use super::health::HealthFinding;
use super::judging::JudgeStamp;
use super::losses::ModelLosses;
use super::quarantine::QuarantineStamp;
use super::rates::{ExactRate, Rate};
use super::spending::Spending;
use super::surface::{SurfaceStamp, ToolsChanged};
use super::toolscore::ModelTools;
use super::trend::TrendStamp;
use crate::diag::Origin;
use crate::gate::cells::{Counts, State};
use crate::ids::CaseKey;
use crate::score::trajectory::Trajectory;
use crate::transcript::CaseKind;

/// The number of the summary format.
pub const SCHEMA: u32 = 1;

/// A run and its decision, computed once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The suite.
    pub suite: String,
    /// The run.
    pub run: String,
    /// The version of rehearsal that made the run.
    pub version: String,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// How the target was reached.
    pub target: String,
    /// The seed of the order.
    pub seed: u64,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: &'static str,
    /// The exit code.
    pub exit_code: u8,
    /// The name of the exit code.
    pub exit: &'static str,
    /// Why, the gravest first.
    pub reasons: Vec<ReasonLine>,
    /// Trials over all cells.
    pub totals: Totals,
    /// Pass rates of the use cases.
    pub rates: Vec<Rate>,
    /// How often the access matrix held, with exact intervals; empty without access cases.
    pub exact: Vec<ExactRate>,
    /// Every cell: case, model, persona and client profile.
    pub cases: Vec<Row>,
    /// Personas by tools; `None` when no access case ran.
    pub access: Option<Grid>,
    /// What each client makes of the server, found without a model; `None` when that was not looked into.
    pub clients: Option<Clients>,
    /// What the API of each model did not take of the tools, so that the model sees less than the server says. Models
    /// without losses are left out.
    pub losses: Vec<ModelLosses>,
    /// What the suite demands of the tools themselves, and what was found; absent when it demands nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surface: Option<SurfaceStamp>,
    /// How the tools changed since an earlier run; absent when they did not, or none is at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools_changed: Option<ToolsChanged>,
    /// What was spent.
    pub usage: Spent,
    /// By whom.
    pub spending: Spending,
    /// The judge; `None` when nothing is judged.
    pub judge: Option<JudgeStamp>,
    /// The comparison with a baseline; absent when the run was compared with nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateStamp>,
    /// Which tools each model called against which its cases want.
    pub tools: Vec<ModelTools>,
    /// What is weak in the suite itself, the worst first.
    pub health: Vec<HealthFinding>,
    /// Cases that raise no alarm of their own; `None` when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineStamp>,
    /// The nights that end with this run, one entry per model; absent unless a run of the suite stands for a night.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trend: Vec<TrendStamp>,
    /// What failures are due to; absent when nobody looked into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causes: Option<Causes>,
    /// Where the run file is.
    #[serde(skip)]
    pub run_file: String,
    /// How the user starts the program.
    #[serde(skip)]
    pub program: String,
    /// Commands worth trying next.
    #[serde(skip)]
    pub next: Vec<String>,
}

/// A place in a file, safe for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The path; places in one file share it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl From<&Origin> for Place {
    fn from(origin: &Origin) -> Self {
        let shown = crate::display::excerpt(&origin.file, 300);
        let file = if *shown == *origin.file { Arc::clone(&origin.file) } else { shown.into() };
        Self { file, line: origin.line, column: origin.column }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One reason of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonLine {
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What happened.
    pub message: String,
    /// The case, if it is about one.
    pub case: Option<String>,
    /// The place in the suite file, if it has one.
    pub origin: Option<Place>,
}

/// Trials over all cells.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Totals {
    /// Trials that ended.
    pub trials: u32,
    /// Passed.
    pub passed: u32,
    /// Failed, as expected or not.
    pub failed: u32,
    /// Of these, failed in a case that is known to fail, and so as expected.
    pub expected: u32,
    /// Invalid: missing data, not failures.
    pub invalid: u32,
    /// Ended with nothing to say, because the question does not arise; neither passed nor failed.
    pub skipped: u32,
    /// Planned without a verdict.
    pub missing: u32,
    /// Invalid trials per trial that was judged or invalid; `None` when there is none.
    pub invalid_share: Option<f64>,
    /// Cells.
    pub cases: u32,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The case.
    pub id: String,
    /// `use`, `access` or `auth`.
    pub kind: &'static str,
    /// The model; `None` for access and auth cases.
    pub model: Option<String>,
    /// The persona.
    pub persona: String,
    /// The client profile.
    pub client: String,
    /// What its trials amount to: `pass`, `flaky`, `fail`, `security`, `expected-failure`, `unexpected-pass`,
    /// `undecided`, `invalid`, `missing` or `skipped`.
    pub state: &'static str,
    /// Whether it passes with mixed trials.
    pub flaky: bool,
    /// Trials that passed.
    pub passed: u32,
    /// Trials that failed.
    pub failed: u32,
    /// Invalid trials.
    pub invalid: u32,
    /// Trials with nothing to say, because the question does not arise.
    pub skipped: u32,
    /// Planned trials without a verdict.
    pub missing: u32,
    /// The bar it has to reach, in words.
    pub bar: String,
    /// Its state against its history; absent when the run was compared with nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<&'static str>,
    /// The tools that it wants called, in the order of the suite; empty: none may be. Absent where it says nothing of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wants: Option<Vec<String>>,
    /// It is under quarantine: it raises no alarm of its own.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// Why it is known to fail, if it is.
    pub expected_failure: Option<String>,
    /// Where the case stands.
    pub origin: Place,
    /// Seconds over all trials.
    pub seconds: f64,
    /// US dollars over all trials, judge included; `None` when nothing was priced.
    pub cost: Option<f64>,
    /// Trials with calls that have no price.
    pub unpriced_trials: u32,
    /// Different failed findings, the gravest first.
    pub failures: Vec<Failure>,
    /// Different failed findings that are only reported.
    pub advice: Vec<Failure>,
    /// What an auth check demands; `None` for other cases.
    pub rule: Option<Rule>,
    /// Who is to blame for the first invalid trial.
    pub fault: Option<FaultLine>,
    /// The trials, in order.
    pub trials: Vec<TrialLine>,
    /// The state as a value, for renderers.
    #[serde(skip)]
    pub is: State,
    /// The kind as a value, for renderers.
    #[serde(skip)]
    pub kind_is: CaseKind,
}

impl Row {
    /// Why its first skipped trial has nothing to say.
    pub fn why_skipped(&self) -> &str {
        self.trials.iter().find_map(|trial| trial.skipped.as_deref()).unwrap_or("does not apply")
    }

    /// The counts of the row.
    pub fn counts(&self) -> Counts {
        let Self { passed, failed, invalid, missing, skipped, .. } = *self;
        Counts { passed, failed, invalid, missing, skipped }
    }
}

/// A failed finding, once per cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The check or criterion.
    pub check: String,
    /// Expected and observed, of the first trial that failed it.
    pub why: String,
    /// `must`, `security` or `info`.
    pub weight: &'static str,
    /// The place of the expectation.
    pub origin: Place,
    /// How many trials failed it.
    pub trials: u32,
    /// The place with the line of the suite and a caret, ready to print.
    #[serde(skip)]
    pub excerpt: Vec<String>,
}

/// What an auth check demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What holds when it holds.
    pub title: &'static str,
    /// `must`, `should`, `rfc` or `hygiene`.
    pub level: &'static str,
    /// The section of the MCP specification, or the RFC.
    pub section: &'static str,
    /// What to change in the server when it is broken.
    pub fix: &'static str,
}

/// A fault, as reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultLine {
    /// `harness`, `model`, `judge`, `auth` or `server`.
    pub side: &'static str,
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialLine {
    /// Its identity, for formats that read transcripts.
    #[serde(skip)]
    pub key: CaseKey,
    /// Its number, from 1.
    pub trial: u32,
    /// `pass`, `fail` or `invalid`; `None` when it is skipped or not scored yet.
    pub outcome: Option<&'static str>,
    /// Why it has nothing to say, when its question does not arise.
    pub skipped: Option<String>,
    /// The findings.
    pub findings: Vec<FindingLine>,
    /// Who is to blame, when it is invalid.
    pub fault: Option<FaultLine>,
    /// Names of the tools the model called, in order.
    pub tool_calls: Vec<String>,
    /// Tokens of the model under test.
    pub tokens: Tokens,
    /// US dollars of the model under test; `None` when unpriced.
    pub cost: Option<f64>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// How the model got to its answer; `None` without one, and in files of older versions.
    pub trajectory: Option<Trajectory>,
}

/// Tokens of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Read.
    #[serde(rename = "in")]
    pub input: u64,
    /// Written.
    #[serde(rename = "out")]
    pub output: u64,
}

/// One finding of a trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingLine {
    /// The check or criterion.
    pub check: String,
    /// `pass`, `fail` or `unscored`.
    pub grade: &'static str,
    /// Why.
    pub why: String,
    /// `must`, `security` or `info`.
    pub weight: &'static str,
    /// The place of the expectation.
    pub origin: Place,
    /// Numbers of the events it rests on.
    pub evidence: Vec<u32>,
    /// What of the server it is about, such as `tool refund_order`, for formats that tell findings apart by it.
    #[serde(skip)]
    pub subject: Option<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_free(amount: &f64) -> bool {
    *amount <= 0.0
}

/// What a run spent, judge included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Tokens read by the models under test.
    pub tokens_in: u64,
    /// Tokens they wrote.
    pub tokens_out: u64,
    /// US dollars, judge included; `None` when nothing was priced. With `unpriced_trials` above 0 it is a lower bound.
    pub cost: Option<f64>,
    /// US dollars of it, for attempts that were cut off or done again: no trial's cost has them, and neither have tokens and
    /// calls. Absent without any.
    #[serde(skip_serializing_if = "is_free")]
    pub replaced_cost: f64,
    /// Trials with calls that have no price.
    pub unpriced_trials: u32,
    /// Calls of the models under test.
    pub model_calls: u64,
    /// Calls of the judge.
    pub judge_calls: u64,
    /// Tokens read by the judge.
    pub judge_tokens_in: u64,
    /// Tokens it wrote.
    pub judge_tokens_out: u64,
    /// Calls of models that play users; absent without any.
    #[serde(skip_serializing_if = "is_zero")]
    pub user_calls: u64,
    /// Tokens read by them.
    #[serde(skip_serializing_if = "is_zero")]
    pub user_tokens_in: u64,
    /// Tokens they wrote.
    #[serde(skip_serializing_if = "is_zero")]
    pub user_tokens_out: u64,
    /// Tool calls of the models under test.
    pub tool_calls: u64,
    /// Seconds over all trials; with concurrency more than the clock on the wall shows.
    pub seconds: f64,
}

/// The word of a state in reports and files.
pub fn word(state: State) -> &'static str {
    match state {
        State::Pass => "pass",
        State::Flaky => "flaky",
        State::Fail => "fail",
        State::Security => "security",
        State::ExpectedFailure => "expected-failure",
        State::UnexpectedPass => "unexpected-pass",
        State::Undecided => "undecided",
        State::Invalid => "invalid",
        State::Missing => "missing",
        State::Skipped => "skipped",
    }
}

/// How soon a row deserves attention: 0 first.
pub fn urgency(state: State) -> u8 {
    match state {
        State::Security => 0,
        State::Fail => 1,
        State::UnexpectedPass => 2,
        State::Undecided => 3,
        State::Invalid => 4,
        State::Missing => 5,
        State::Flaky => 6,
        State::ExpectedFailure => 7,
        State::Pass => 8,
        State::Skipped => 9,
    }
}
