//! Trials grouped into cells: one case for one model, persona and client profile. The one place that says what a cell's
//! trials amount to; the gate and every report read it from here.

use std::collections::BTreeMap;

use super::compared::Compared;
use crate::diag::Origin;
use crate::score::access::{Access, Sight, Standing};
use crate::score::{Finding, Outcome, Verdict, Weight};
use crate::store::record::{CaseResult, RunRecord};
use crate::suite::{ExpectedFailure, GatePolicy};
use crate::transcript::{CaseHeader, CaseKind, End, Side};

/// What names a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellName<'a> {
    /// Use, access or auth.
    pub kind: CaseKind,
    /// The case.
    pub case: &'a str,
    /// The model; `None` for access and auth cases.
    pub model: Option<&'a str>,
    /// The persona.
    pub persona: &'a str,
    /// The client profile.
    pub client: &'a str,
}

impl<'a> CellName<'a> {
    fn of(header: &'a CaseHeader) -> Self {
        Self {
            kind: header.kind,
            case: header.case.as_str(),
            model: header.model.as_ref().map(crate::ids::ModelName::as_str),
            persona: header.persona.as_str(),
            client: header.client.as_str(),
        }
    }
}

/// All trials of one cell.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// Its name.
    pub name: CellName<'a>,
    /// Where the case stands.
    pub origin: &'a Origin,
    /// Its trials, in order.
    pub results: Vec<&'a CaseResult>,
    /// Planned trials without a result.
    pub missing: u32,
    /// What the comparison with its baseline says of it; `None` where a bar decides.
    pub measured: Option<Measured>,
}

/// What the comparison with a baseline says of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measured {
    /// It, or its group, is worse.
    Worse,
    /// It is not shown to be worse; trials that failed do not fail it.
    NotShown,
}

/// How many trials ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u32,
    /// Failed.
    pub failed: u32,
    /// Invalid: missing data through a fault of ours, the model's API or the judge.
    pub invalid: u32,
    /// Planned without a result, or not scored yet.
    pub missing: u32,
    /// Ended with nothing to say, because the question does not arise.
    pub skipped: u32,
}

impl Counts {
    /// Trials with a verdict.
    pub fn judged(self) -> u32 {
        self.passed + self.failed
    }

    /// Trials of which a verdict was wanted and had or lost: judged or invalid.
    pub fn tried(self) -> u32 {
        self.judged() + self.invalid
    }

    /// Trials that ended: judged, invalid or skipped.
    pub fn ended(self) -> u32 {
        self.tried() + self.skipped
    }

    /// Every planned trial.
    pub fn planned(self) -> u32 {
        self.ended() + self.missing
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.invalid += other.invalid;
        self.missing += other.missing;
        self.skipped += other.skipped;
    }
}

/// What a cell's trials amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Passes.
    Pass,
    /// Passes with mixed trials; with a baseline: trials failed, and it is not shown to be worse than it was.
    Flaky,
    /// Fails, and no missing trial could have saved it.
    Fail,
    /// A finding of weight security failed: a leak, or a bad token accepted.
    Security,
    /// Known to fail, and fails.
    ExpectedFailure,
    /// Known to fail, and passes in the majority.
    UnexpectedPass,
    /// Missing or invalid trials could turn it: below the bar, or known to fail and so far passing.
    Undecided,
    /// No trial could be judged, at least one was invalid.
    Invalid,
    /// No trial ran.
    Missing,
    /// Its question does not arise.
    Skipped,
}

/// The cells of a run: use, access and auth cases, each in the order of the suite file.
pub fn cells(run: &RunRecord) -> Vec<Cell<'_>> {
    let mut cells: BTreeMap<CellName<'_>, Cell<'_>> = BTreeMap::new();
    // Fresh trials of suspects are chosen because something failed; they belong to no rate.
    for result in run.results.iter().filter(|result| !result.confirms) {
        entry(&mut cells, &result.header).results.push(result);
    }
    for header in &run.missing {
        entry(&mut cells, header).missing += 1;
    }
    let compared = Compared::of(run).ok().flatten();
    let measured = compared.as_ref().map(Compared::measured).unwrap_or_default();
    let mut cells: Vec<Cell<'_>> = cells.into_values().collect();
    for cell in &mut cells {
        cell.measured = cell.name.model.and_then(|model| {
            let CellName { case, persona, client, .. } = cell.name;
            measured.get(&[model, case, persona, client]).copied()
        });
        cell.results.sort_by_key(|result| result.header.trial);
    }
    cells.sort_by(|a, b| (a.name.kind, a.origin, a.name).cmp(&(b.name.kind, b.origin, b.name)));
    cells
}

fn entry<'m, 'a>(
    cells: &'m mut BTreeMap<CellName<'a>, Cell<'a>>,
    header: &'a CaseHeader,
) -> &'m mut Cell<'a> {
    let name = CellName::of(header);
    cells.entry(name).or_insert_with(|| Cell {
        name,
        origin: &header.origin,
        results: vec![],
        missing: 0,
        measured: None,
    })
}

impl<'a> Cell<'a> {
    /// How many trials ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { missing: self.missing, ..Counts::default() };
        for result in &self.results {
            match outcome(result) {
                Some(Outcome::Pass) if skipped(result).is_some() => counts.skipped += 1,
                Some(Outcome::Pass) => counts.passed += 1,
                Some(Outcome::Fail) => counts.failed += 1,
                Some(Outcome::Invalid) => counts.invalid += 1,
                None => counts.missing += 1,
            }
        }
        counts
    }

    /// Why the cell is known to fail, if it is.
    pub fn expected_failure(&self) -> Option<&'a ExpectedFailure> {
        self.results.iter().find_map(|result| result.expected_failure.as_ref())
    }

    /// What the trials amount to under a policy.
    pub fn state(&self, policy: &GatePolicy) -> State {
        let counts = self.counts();
        if counts.judged() == 0 {
            return match counts {
                Counts { invalid: 1.., .. } => State::Invalid,
                Counts { missing: 0, skipped: 1.., .. } => State::Skipped,
                _ => State::Missing,
            };
        }
        // Nobody may expect a leak: what is known to fail is a matter of quality.
        if self.security_failure().is_some() {
            return State::Security;
        }
        if self.expected_failure().is_some() {
            return match majority(counts.passed, counts.judged()) {
                true if majority(counts.passed, counts.planned() - counts.skipped) => State::UnexpectedPass,
                true => State::Undecided,
                false => State::ExpectedFailure,
            };
        }
        if let Some(measured) = self.measured {
            return match measured {
                _ if self.forbidden_call().is_some() => State::Fail,
                Measured::Worse => State::Fail,
                Measured::NotShown if counts.failed > 0 => State::Flaky,
                Measured::NotShown => State::Pass,
            };
        }
        let holds = |passed, of| match self.name.kind {
            CaseKind::Use => reaches_bar(passed, of, policy),
            // A tool that is hidden in most trials, or a token refused most of the time, is no protection.
            CaseKind::Access | CaseKind::Auth => passed == of,
        };
        if holds(counts.passed, counts.judged()) {
            return if counts.failed > 0 { State::Flaky } else { State::Pass };
        }
        let unknown = counts.invalid + counts.missing;
        if holds(counts.passed + unknown, counts.judged() + unknown) { State::Undecided } else { State::Fail }
    }

    /// The failed findings of its failed trials, in order of trial and suite, with the trial.
    pub fn failures(&self) -> impl Iterator<Item = (&'a CaseResult, &'a Finding)> {
        self.results
            .iter()
            .filter(|result| outcome(result) == Some(Outcome::Fail))
            .flat_map(|result| result.verdict.iter().flat_map(Verdict::failures).map(|f| (*result, f)))
    }

    /// The gravest failed finding of weight security: a hole that no list shows, else the first.
    pub fn security_failure(&self) -> Option<&'a Finding> {
        let mut all = self.failures().map(|(_, finding)| finding);
        self.hidden_hole().or_else(|| all.find(|finding| finding.weight == Weight::Security))
    }

    /// The first failed finding that a tool which the case forbids was called. Exact: no baseline excuses it.
    pub fn forbidden_call(&self) -> Option<&'a Finding> {
        let mut all = self.failures().map(|(_, finding)| finding);
        all.find(|finding| finding.check == FORBIDS && finding.weight != Weight::Info)
    }

    /// The bar in words, for messages.
    pub fn bar(&self, policy: &GatePolicy) -> String {
        match (self.name.kind, self.measured) {
            (CaseKind::Access | CaseKind::Auth, _) => "needs all".to_owned(),
            (CaseKind::Use, Some(_)) => "may not be worse than its baseline".to_owned(),
            (CaseKind::Use, None) => bar(policy),
        }
    }

    /// The first failed finding that something forbidden is hidden but callable.
    pub fn hidden_hole(&self) -> Option<&'a Finding> {
        let is_hole = |sight: &Sight| {
            sight.access == Access::Leak && sight.standing() == Some(Standing::HiddenButCallable)
        };
        let mut all = self.failures().map(|(_, finding)| finding);
        all.find(|finding| finding.weight == Weight::Security && finding.sights.iter().any(is_hole))
    }
}

/// The outcome of a trial as the gate counts it; `None` when it is not scored yet.
///
/// A trial cut short by a fault of ours, of the model's API or of the judge, or by an interruption, is invalid whatever
/// was scored: an absence ("was not called") proves nothing in a transcript that stops early. Only a failure that rests
/// on events that did happen stays a failure.
pub fn outcome(result: &CaseResult) -> Option<Outcome> {
    counted(&result.end, result.outcome?, result.verdict.as_ref())
}

/// The same for a trial that ended so, was scored so, and has these findings.
pub fn counted(end: &End, scored: Outcome, verdict: Option<&Verdict>) -> Option<Outcome> {
    let cut_short = match end {
        End::Faulted(fault) => !fault.side.counts_against_target(),
        End::Interrupted => true,
        End::Done | End::OutOf(_) => false,
    };
    match scored {
        Outcome::Fail if cut_short && !failed_on_evidence(verdict) => Some(Outcome::Invalid),
        Outcome::Pass if cut_short => Some(Outcome::Invalid),
        outcome => Some(outcome),
    }
}

/// Why a trial that ended well has nothing to say, if its question does not arise.
pub fn skipped(result: &CaseResult) -> Option<&str> {
    result.verdict.as_ref().filter(|_| outcome(result) == Some(Outcome::Pass))?.skipped()
}

fn failed_on_evidence(verdict: Option<&Verdict>) -> bool {
    let mut failures = verdict.into_iter().flat_map(Verdict::failures);
    failures.any(|finding| finding.check != "end" && !finding.evidence.is_empty())
}

/// Who is to blame for an invalid trial, with the code and the message of the fault.
pub fn blame(result: &CaseResult) -> (Side, &str, &str) {
    if let End::Faulted(fault) = &result.end {
        return (fault.side, &fault.code, &fault.message);
    }
    let unscored = result.verdict.iter().flat_map(|verdict| &verdict.findings).find_map(|finding| {
        match &finding.grade {
            crate::score::Grade::Unscored(fault) if finding.weight != Weight::Info => Some(fault),
            _ => None,
        }
    });
    match unscored {
        Some(fault) => (fault.side, &fault.code, &fault.message),
        None => (Side::Harness, "run.interrupted", "the trial was cut short"),
    }
}

/// The check that a tool is not called.
pub(super) const FORBIDS: &str = "tool_not_called";

/// More than half.
fn majority(passed: u32, of: u32) -> bool {
    u64::from(passed) * 2 > u64::from(of)
}

fn reaches_bar(passed: u32, of: u32, policy: &GatePolicy) -> bool {
    match policy.min_pass {
        // The slack keeps 2 of 3 at or above a bar written as 66.6667%.
        Some(bar) => f64::from(passed) + 1e-6 >= bar.0 * f64::from(of),
        None => majority(passed, of),
    }
}

/// The bar in words, for messages.
pub(super) fn bar(policy: &GatePolicy) -> String {
    match policy.min_pass {
        Some(share) => format!("needs {share}"),
        None => "needs a majority".to_owned(),
    }
}
