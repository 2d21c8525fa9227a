//! What a run file holds, as plain data. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{CaseKey, CaseName, Digest, PersonaName, Pool, RunId, SuiteName, ToolName};
use crate::plan::{Planned, Selection, Shard};
use crate::score::expects::Expects;
use crate::score::judge::calibration::Measured;
use crate::score::judge::routing::Routing;
use crate::score::judge::worth::PanelWorth;
use crate::score::judge::{Advises, Confidence, Fingerprint};
use crate::score::trajectory::Trajectory;
use crate::score::{Outcome, Verdict};
use crate::suite::health::Weakness;
use crate::suite::{ExpectedFailure, GatePolicy, InstrumentUse};
use crate::surface::judged::Judged;
use crate::transcript::{CaseHeader, CaseKind, End, ToolFact, Transcript, Usage, View, What, WireMessage};

/// The number of the run format. Readers accept every number up to this one.
pub const SCHEMA: u32 = 2;

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
    /// Who judges, exactly, and how well that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<Judging>,
    /// How the target was reached, in words, without secrets.
    pub target: String,
    /// The URL of the target, without what may be secret in it; none over standard streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What each persona saw before the first trial: which surface the run was measured on.
    #[serde(default)]
    pub surfaces: Vec<SurfaceSeen>,
    /// That surface held against what the suite demands of it; `None` when it demands nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surface: Option<Judged>,
    /// The client profiles of the suite and of the command line, as trials ran with them: without words and sources, and
    /// as JSON, since profiles of another version may have other values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Value>,
    /// The flaw that the demo server was given, so that a resume gives it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<String>,
    /// What was recorded on tapes, or played from them in place of the outside, such as `models: replay`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tapes: Vec<String>,
    /// What the use cases of the suite say of tools, by case; those that say nothing are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expects: BTreeMap<CaseName, Expects>,
    /// What is weak in the suite itself, whatever the target does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaknesses: Vec<Weakness>,
    /// Every text that was read, by path: enough to show excerpts without the project.
    pub inputs: BTreeMap<String, String>,
}

/// Who judges a run, and how well that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    /// The models that judge, the first one first.
    pub models: Vec<String>,
    /// The rubric.
    pub rubric: String,
    /// What makes this judge this one and no other.
    pub fingerprint: Fingerprint,
    /// Models under test that are of the same family as a judge, or are judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kin: Vec<String>,
    /// How it decided against people, if this very judge was calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibrated>,
    /// How it was known how sure the first of them is.
    #[serde(default, skip_serializing_if = "Confidence::is_none")]
    pub confidence: Confidence,
    /// The newest canary of a model that judges, the one that it failed before others; `None` when none was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanarySeen>,
}

/// What the newest canary said of a model that judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanarySeen {
    /// The model with this rubric.
    pub judge: Fingerprint,
    /// Its name.
    pub model: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Why its verdicts cannot be relied on; `None` when it held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A calibration as the record of a run keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// The day of the calibration.
    pub on: String,
    /// How people and judge decided.
    pub measured: Measured,
    /// Whether its verdicts may gate.
    pub may_gate: bool,
    /// What the panel is worth, if a panel was calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel: Option<PanelWorth>,
    /// Where the second judge is asked, if labels show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// The criteria whose own labels show the judge to be too weak for them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub weak: BTreeSet<String>,
}

impl Calibrated {
    /// Where the judge only advises. Too few labels show nothing, so they change nothing.
    pub fn advises(&self) -> Advises {
        Advises { all: !self.may_gate && self.measured.tells(), criteria: self.weak.clone() }
    }
}

/// What one persona saw of the target before the first trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurfaceSeen {
    /// The persona.
    pub persona: PersonaName,
    /// The names of its tools, in the server's order.
    pub tools: Vec<ToolName>,
    /// The tools that stand beyond the first page of its list, whole: clients that read one page never ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<ToolFact>,
    /// The digest of the server's instructions and of every tool as it was sent; `None`: the persona was refused.
    pub digest: Option<Digest>,
    /// What was said with the target meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub look: Vec<WireMessage>,
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
    /// A fresh trial that confirms or clears a suspect of the gate: no rate, no state and no baseline counts it.
    pub confirms: bool,
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
    /// What a model that plays the user took; apart from what the trial took.
    pub user: Spend,
    /// Milliseconds from start to end.
    pub took_ms: u64,
    /// Characters of the last answer; `None`: there is none, or an older version wrote the file.
    pub answer_chars: Option<u64>,
    /// How it got there; `None`: no model was asked, or an older version wrote the file.
    pub trajectory: Option<Trajectory>,
}

/// A run as reports and the gate see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// What it is about.
    pub manifest: Manifest,
    /// Every trial with a transcript, ordered by case, model, persona, client and trial.
    pub results: Vec<CaseResult>,
    /// Planned trials without a result, without those that only confirm.
    pub missing: Vec<CaseHeader>,
    /// Planned trials that were to confirm a suspect and have no result.
    pub unconfirmed: Vec<CaseHeader>,
    /// What was paid without a result to show for it.
    pub wasted: Wasted,
    /// What the comparison with a baseline rests on, if there was one, as `gate::Compared` wrote it.
    pub gate: Option<Value>,
    /// Why the run stopped before its end, if it did.
    pub stops: Vec<Stop>,
}

/// What was paid without a result to show for it: attempts that were cut off, or whose result or score was replaced, and
/// trials that left the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wasted {
    /// Calls that were answered.
    pub calls: u32,
    /// US dollars of models under test and of played users, as far as they have prices.
    pub trials: f64,
    /// US dollars of the judge, as far as it has a price.
    pub judging: f64,
    /// Trials of which one of these calls has no price.
    pub unpriced: BTreeSet<CaseKey>,
}

impl Wasted {
    /// US dollars, as far as there are prices.
    pub fn cost(&self) -> f64 {
        self.trials + self.judging
    }
}

/// Why a run stopped before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// A stable code that `rehearsal explain` knows: `run.interrupted`, `run.budget`, `target.unreachable`, ...
    pub code: String,
    /// What happened.
    pub message: String,
}

/// How a session of work on a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Wall-clock end, RFC 3339 in UTC.
    pub at: String,
    /// The exit code the program is about to return.
    pub exit: u8,
}

/// What some model calls took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    /// Calls that were answered.
    pub calls: u32,
    /// Tokens.
    pub usage: Usage,
    /// US dollars; `None` when any call has no price.
    pub cost: Option<f64>,
}

/// What judging one trial took.
pub type JudgeSpend = Spend;

impl Default for Spend {
    /// Nothing was called, so nothing was paid; that is a known price.
    fn default() -> Self {
        Self { calls: 0, usage: Usage::default(), cost: Some(0.0) }
    }
}

impl std::ops::AddAssign for Spend {
    fn add_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        // Adding nothing would otherwise turn reported numbers into estimated ones.
        if other.usage != Usage::default() {
            self.usage += other.usage;
        }
        self.cost = self.cost.zip(other.cost).map(|(ours, theirs)| ours + theirs);
    }
}

impl Spend {
    /// What the model responses among these events took.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a What>) -> Self {
        let mut sum = Self::default();
        for event in events {
            if let Some((usage, cost)) = event.paid() {
                sum += Self { calls: 1, usage, cost };
            }
        }
        sum
    }

    /// What a played user among these events took.
    pub fn aside<'a>(events: impl IntoIterator<Item = &'a What>) -> Self {
        let mut sum = Self::default();
        for (usage, cost) in events.into_iter().filter_map(What::paid_aside) {
            sum += Self { calls: 1, usage, cost };
        }
        sum
    }

    fn is_nothing(&self) -> bool {
        self.calls == 0
    }
}

/// Whether a trial that ended so is settled. The others are missing data: they are kept, shown as invalid, and run
/// again on resume.
pub fn is_settled(end: &End) -> bool {
    match end {
        End::Done | End::OutOf(_) => true,
        End::Faulted(fault) => fault.side.counts_against_target(),
        End::Interrupted => false,
    }
}

/// What reports need of a transcript, computed once when the trial ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) end: End,
    pub(super) tool_calls: Vec<String>,
    pub(super) spend: Spend,
    /// What a played user took.
    #[serde(default, skip_serializing_if = "Spend::is_nothing")]
    pub(super) user: Spend,
    pub(super) took_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer_chars: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trajectory: Option<Trajectory>,
}

impl Facts {
    pub(super) fn of(transcript: &Transcript) -> Self {
        let view = View::of(transcript);
        Self {
            end: transcript.end.clone(),
            tool_calls: view.model_calls().map(|call| call.name.to_string()).collect(),
            spend: Spend::of(transcript.events.iter().map(|event| &event.what)),
            user: Spend::aside(transcript.events.iter().map(|event| &event.what)),
            took_ms: transcript.took_ms,
            answer_chars: view.answer().map(|(_, text)| text.chars().count() as u64),
            trajectory: (transcript.header.kind == CaseKind::Use).then(|| Trajectory::of(&view)),
        }
    }

    pub(super) fn into_result(self, planned: Planned) -> CaseResult {
        let nothing = Spend::default();
        CaseResult {
            header: planned.header,
            outcome: None,
            verdict: None,
            expected_failure: planned.expected_failure,
            confirms: planned.confirms,
            end: self.end,
            tool_calls: self.tool_calls,
            model_calls: self.spend.calls,
            usage: self.spend.usage,
            cost: self.spend.cost,
            judge_calls: nothing.calls,
            judge_usage: nothing.usage,
            judge_cost: nothing.cost,
            user: self.user,
            took_ms: self.took_ms,
            answer_chars: self.answer_chars,
            trajectory: self.trajectory,
        }
    }
}

impl CaseResult {
    /// The result of a trial that was driven and is not scored yet.
    pub fn of(transcript: &Transcript, planned: Planned) -> Self {
        Facts::of(transcript).into_result(planned)
    }

    /// The same with its score.
    #[must_use]
    pub fn scored(mut self, verdict: Verdict, judge: Spend) -> Self {
        self.outcome = Some(verdict.outcome());
        self.verdict = Some(verdict);
        self.judge_calls = judge.calls;
        self.judge_usage = judge.usage;
        self.judge_cost = judge.cost;
        self
    }

    /// Gives back what reading took and nothing needs: copies of one text, room for more findings.
    pub(super) fn compact(&mut self, pool: &mut Pool) {
        self.tool_calls.shrink_to_fit();
        let Some(verdict) = &mut self.verdict else { return };
        verdict.findings.shrink_to_fit();
        for finding in &mut verdict.findings {
            pool.share(&mut finding.origin.file);
            finding.evidence.shrink_to_fit();
        }
    }

    /// What reports sort by.
    pub fn order(&self) -> impl Ord + '_ {
        place(&self.header)
    }
}

/// What trials are sorted by: case, model, persona, client, trial.
pub(super) fn place(header: &CaseHeader) -> impl Ord + '_ {
    (&header.case, &header.model, &header.persona, &header.client, header.trial, header.key)
}
