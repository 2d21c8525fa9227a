//! Checks and the judge: transcripts in, findings out.
//!
//! Code checks come first and are pure; the judge is asked only about trials that no must check has failed already.
//! Scoring never talks to the server. A fault is not a failure: [`Grade::Unscored`] is never averaged as zero.

use serde::{Deserialize, Serialize};

use crate::diag::{Located, Origin};
use crate::ids::ScoreKey;
use crate::transcript::{End, Fault, Limit, Transcript, View};

pub mod access;
pub mod checks;
pub mod expects;
pub mod judge;
pub mod trajectory;

use access::Sight;
use checks::Check;
use judge::Ruling;

/// The result of one check or criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's or criterion's name: `tool_called`, `criterion`, `end`, `auth:A01`.
    pub check: String,
    /// What it says.
    pub grade: Grade,
    /// Why, as one sentence a person understands: expected and observed.
    pub why: String,
    /// Numbers of the events it rests on.
    pub evidence: Vec<u32>,
    /// The place of the expectation in the suite file.
    pub origin: Origin,
    /// How much a failure weighs.
    pub weight: Weight,
    /// What it shows of access, if it is about that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sights: Vec<Sight>,
    /// What the judge ruled, if it is about a criterion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Box<Ruling>>,
}

/// What a check or criterion says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// The expectation holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be decided; missing data, never a failure.
    Unscored(Fault),
}

/// How much a failure weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The trial fails.
    Must,
    /// The trial fails and the exit code is 6: a leak, or a bad token accepted.
    Security,
    /// Reported only.
    Info,
}

/// The findings of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What shaped them.
    pub score_key: ScoreKey,
    /// In the order of the suite file: how the trial ended, checks, criteria.
    pub findings: Vec<Finding>,
}

/// The outcome of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every must expectation holds.
    Pass,
    /// One does not, or the target broke.
    Fail,
    /// Our, the model API's or the judge's fault: missing data.
    Invalid,
}

impl Outcome {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Invalid => "invalid",
        }
    }
}

/// The code of a finding whose question does not arise.
pub const NOT_APPLICABLE: &str = "auth.not-applicable";

impl Finding {
    /// Whether its question does not arise. Such a finding weighs nothing: it neither holds nor fails.
    pub fn is_not_applicable(&self) -> bool {
        matches!(&self.grade, Grade::Unscored(fault) if fault.code == NOT_APPLICABLE)
    }
}

impl Verdict {
    /// Why the trial has nothing to say: set when not one of its questions arises. Its outcome is a pass in name only,
    /// and it is counted apart.
    pub fn skipped(&self) -> Option<&str> {
        let first = self.findings.first().filter(|_| self.findings.iter().all(Finding::is_not_applicable))?;
        Some(&first.why)
    }

    /// The outcome of its findings.
    pub fn outcome(&self) -> Outcome {
        outcome(&self.findings)
    }

    /// The failed findings that weigh.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.grade == Grade::Fail && finding.weight != Weight::Info)
    }
}

/// The outcome: a failure proven on the evidence outranks missing data, and missing data outranks a pass.
pub fn outcome(findings: &[Finding]) -> Outcome {
    let must = || findings.iter().filter(|finding| finding.weight != Weight::Info);
    if must().any(|finding| finding.grade == Grade::Fail) {
        Outcome::Fail
    } else if must().any(|finding| matches!(finding.grade, Grade::Unscored(_))) {
        Outcome::Invalid
    } else {
        Outcome::Pass
    }
}

/// Everything that code can say of a trial: how it ended, then every check in order.
///
/// A trial that ended through no fault of the target's is missing data: what its checks miss may only have been cut
/// off, so their failures become unscored. A leak stays a leak where one check saw it: a group of checks may have failed
/// for what it missed.
pub fn by_code(transcript: &Transcript, checks: &[Located<Check>]) -> Vec<Finding> {
    let end = examine_end(transcript);
    let cut_off = match end.as_ref().map(|finding| &finding.grade) {
        Some(Grade::Unscored(fault)) => Some(fault.clone()),
        _ => None,
    };
    let mut findings: Vec<Finding> = end.into_iter().collect();
    for (check, mut finding) in checks.iter().zip(checks::examine(checks, &View::of(transcript))) {
        let seen = finding.weight == Weight::Security
            && !finding.evidence.is_empty()
            && !matches!(check.value, Check::AllOf(_) | Check::AnyOf(_));
        if let Some(fault) = cut_off.as_ref().filter(|_| finding.grade == Grade::Fail && !seen) {
            finding.grade = Grade::Unscored(fault.clone());
        }
        findings.push(finding);
    }
    findings
}

/// Whether the judge can still change the outcome: the trial came to its end, and no check that weighs has failed.
pub fn needs_judge(findings: &[Finding]) -> bool {
    let settled = |finding: &Finding| {
        finding.check == END || (finding.weight != Weight::Info && finding.grade == Grade::Fail)
    };
    !findings.iter().any(settled)
}

/// The name of the finding about how a trial ended.
const END: &str = "end";

/// What was used up when a limit of the case was reached.
fn used_up(limit: Limit, view: &View<'_>) -> String {
    let usage = view.usage();
    match limit {
        Limit::Turns => format!("{} turns used without an answer", view.turns_since_user()),
        Limit::ToolCalls => format!("{} tool calls asked for without an answer", view.calls_asked()),
        Limit::Time => {
            format!(
                "no answer after {:.1} s, the time limit of the case",
                view.transcript().took_ms as f64 / 1000.0
            )
        }
        Limit::Tokens => {
            format!("{} tokens used, above the limit of the case", usage.input.saturating_add(usage.output))
        }
        Limit::Cost => match view.cost() {
            Some(cost) => format!("${cost:.4} spent, above the limit of the case"),
            None => "the cost limit of the case was reached".to_owned(),
        },
    }
}

/// What the end of a trial alone says: nothing when the work was done, a failure when the target broke or a limit was
/// reached, missing data when we or the model's API broke or somebody stopped the run.
pub fn examine_end(transcript: &Transcript) -> Option<Finding> {
    let (grade, why) = match &transcript.end {
        End::Done => return None,
        End::OutOf(limit) => (Grade::Fail, used_up(*limit, &View::of(transcript))),
        End::Interrupted => {
            let fault =
                Fault::new(crate::transcript::Side::Harness, "run.interrupted", "the run was stopped");
            (Grade::Unscored(fault), "the run was stopped during this trial".to_owned())
        }
        End::Faulted(fault) if fault.side.counts_against_target() => (Grade::Fail, fault.message.clone()),
        End::Faulted(fault) => (Grade::Unscored(fault.clone()), fault.message.clone()),
    };
    let evidence = transcript.events.last().map(|event| event.seq).into_iter().collect();
    let origin = transcript.header.origin.clone();
    Some(Finding {
        check: END.to_owned(),
        grade,
        why,
        evidence,
        origin,
        weight: Weight::Must,
        sights: vec![],
        ruling: None,
    })
}
