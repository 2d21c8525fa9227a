//! A trial that is done, as listeners hear of it.

use std::sync::Arc;

use crate::diag::Origin;
use crate::gate::cells;
use crate::ids::{CaseKey, ToolName};
use crate::plan::Case;
use crate::score::expects::Expects;
use crate::score::judge::TOO_WEAK;
use crate::score::{Finding, Grade, Outcome, Verdict, Weight};
use crate::store::record::is_settled;
use crate::transcript::{CaseHeader, End, Fault, Side, Transcript, View};

/// A trial that is done.
#[derive(Debug)]
pub struct Scored {
    /// What it is about.
    pub header: CaseHeader,
    /// Pass, fail or invalid; `None` for a trial that was interrupted and will run again.
    pub outcome: Option<Outcome>,
    /// Set when it has nothing to say, because its question does not arise.
    pub skipped: bool,
    /// Why it did not pass, or was skipped: the first finding that says so.
    pub why: Option<String>,
    /// The line of the suite that this is about.
    pub place: Option<Origin>,
    /// The code of the fault to which an invalid trial is due.
    pub fault: Option<String>,
    /// The tools that a failed use case wants, and those that were called.
    pub path: Option<Path>,
    /// Set when it is known to fail.
    pub expected_failure: bool,
    /// US dollars, the judge's included; zero for what has no price.
    pub cost: f64,
    /// Set when a call of it, or of the judge about it, has no price.
    pub unpriced: bool,
    /// The judge's part of it.
    pub judge_cost: f64,
    /// Tokens that the model under test read and wrote.
    pub tokens: [u64; 2],
    /// Milliseconds of the trial.
    pub took_ms: u64,
    /// A fault that stops the whole run: nothing can be kept, or a credential is refused.
    pub(super) fatal: Option<Fault>,
    /// What is worth another try, when it gave nothing.
    pub(super) again: Option<Again>,
}

/// The way that a case wants against the way that a trial took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Tools that must be called, in the order of the suite; empty: no tool may be called.
    pub wanted: Vec<ToolName>,
    /// Tools that the model called, in order. Their names are its own: untrusted.
    pub called: Vec<ToolName>,
}

impl Path {
    /// `None` when the case says nothing that calls can be held against.
    fn of(case: &Case, transcript: &Transcript) -> Option<Self> {
        let wants = Expects::of(&case.checks);
        let called = || View::of(transcript).model_calls().map(|call| call.name.clone()).collect();
        wants.says_something().then(|| Self { called: called(), wanted: wants.called })
    }
}

/// What is tried again.
#[derive(Debug)]
pub(super) enum Again {
    /// The whole trial.
    Drive,
    /// The judge, about the transcript that is kept.
    Judge(Arc<Transcript>),
}

/// US dollars of a trial, a played user included.
pub(super) fn cost_of(transcript: &Transcript) -> f64 {
    let aside = transcript.events.iter().filter_map(|event| event.what.paid_aside()?.1).sum::<f64>();
    View::of(transcript).cost().unwrap_or(0.0) + aside
}

fn is_unpriced(transcript: &Transcript) -> bool {
    transcript.events.iter().any(|event| matches!(event.what.paid(), Some((_, None))))
}

fn first_trouble(verdict: &Verdict) -> Option<&Finding> {
    let weighty = verdict.findings.iter().filter(|finding| finding.weight != Weight::Info);
    let failed = weighty.clone().find(|finding| finding.grade == Grade::Fail);
    failed.or_else(|| weighty.clone().find(|finding| finding.grade != Grade::Pass))
}

/// Whether a trial that ended so may end otherwise when it is run again: it was cut short, and not by something that
/// only a person can mend.
fn may_differ(end: &End) -> bool {
    const HOPELESS: [&str; 9] = [
        "agent.no-relay",
        "agent.no-room",
        "agent.one-prompt",
        "agent.unconnected",
        "agent.unstarted",
        "model.bad-definition",
        "model.none",
        "model.refused-request",
        "model.script-left",
    ];
    const FAMILIES: [&str; 4] = ["bug.", "credentials.", "store.", "tape."];
    match end {
        End::Faulted(fault) => {
            !is_settled(end)
                && !HOPELESS.contains(&fault.code.as_str())
                && !FAMILIES.iter().any(|family| fault.code.starts_with(family))
        }
        End::Done | End::OutOf(_) | End::Interrupted => false,
    }
}

impl Scored {
    /// Enters the verdict, as the gate counts it. `asked`: the judge was asked.
    pub(super) fn enter(
        &mut self,
        case: &Case,
        verdict: &Verdict,
        transcript: &Arc<Transcript>,
        asked: bool,
    ) {
        let trouble = first_trouble(verdict);
        self.outcome = cells::counted(&transcript.end, verdict.outcome(), Some(verdict));
        self.skipped = verdict.skipped().is_some();
        self.why = verdict.skipped().or(trouble.map(|finding| finding.why.as_str())).map(str::to_owned);
        self.place = trouble.map(|finding| finding.origin.clone());
        self.fault = match (&transcript.end, trouble.map(|finding| &finding.grade)) {
            _ if self.outcome != Some(Outcome::Invalid) => None,
            (End::Faulted(fault), _) | (_, Some(Grade::Unscored(fault))) => Some(fault.code.clone()),
            _ => None,
        };
        self.path = (self.outcome == Some(Outcome::Fail)).then(|| Path::of(case, transcript)).flatten();
        self.again = match self.outcome {
            Some(Outcome::Invalid) if may_differ(&transcript.end) => Some(Again::Drive),
            // A judge that may not decide does so no more when it is asked again.
            Some(Outcome::Invalid) if self.fault.as_deref() == Some(TOO_WEAK) => None,
            Some(Outcome::Invalid) if asked && is_settled(&transcript.end) => {
                Some(Again::Judge(Arc::clone(transcript)))
            }
            _ => None,
        };
    }

    pub(super) fn of(case: &Case, transcript: &Transcript) -> Self {
        // A refused credential or a store that cannot be written will not get better with the next trial.
        let fatal = match &transcript.end {
            End::Faulted(fault)
                if fault.code == "credentials.refused" || fault.code.starts_with("store.") =>
            {
                Some(fault.clone())
            }
            _ => None,
        };
        let usage = View::of(transcript).usage();
        Self {
            expected_failure: case.expected_failure.is_some(),
            cost: cost_of(transcript),
            unpriced: is_unpriced(transcript),
            tokens: [usage.input, usage.output],
            took_ms: transcript.took_ms,
            fatal,
            ..Self::sketch(transcript.header.clone(), None)
        }
    }

    /// A trial of which nothing is known but what it came to.
    pub fn sketch(header: CaseHeader, outcome: Option<Outcome>) -> Self {
        Self {
            header,
            outcome,
            skipped: false,
            why: None,
            place: None,
            fault: None,
            path: None,
            expected_failure: false,
            cost: 0.0,
            unpriced: false,
            judge_cost: 0.0,
            tokens: [0, 0],
            took_ms: 0,
            fatal: None,
            again: None,
        }
    }

    pub(super) fn stopped_by(mut self, fault: Fault) -> Self {
        self.fatal = Some(fault);
        self
    }

    pub(super) fn broken(message: &str) -> Self {
        let digest = crate::ids::Digest::none();
        let header = CaseHeader {
            key: CaseKey { question: digest, model: digest, trial: 0 },
            suite: "".into(),
            case: "".into(),
            kind: crate::transcript::CaseKind::Use,
            model: None,
            persona: "".into(),
            client: "".into(),
            trial: 0,
            tags: vec![],
            origin: crate::diag::Origin { file: "".into(), line: 0, column: 0 },
        };
        let fatal = Some(Fault::new(Side::Harness, "bug.panic", format!("scoring broke: {message}")));
        Self { fatal, ..Self::sketch(header, None) }
    }
}
