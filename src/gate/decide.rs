//! The decision: stops, missing evidence, cells and what a comparison with a baseline says, each with its exit code; the
//! gravest wins.

use super::cells::{self, Cell, Counts, State};
use super::compared::Compared;
use super::{Decision, Exit, GateVerdict, Reason};
use crate::store::record::{CaseResult, RunRecord, Stop};
use crate::suite::{GateMode, GatePolicy};
use crate::surface::judged::Broken;
use crate::transcript::{CaseKind, End};

pub(super) mod against;

/// What the decision needs to know beyond the run itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How many nights in a row were inconclusive, this one included. Matters in nightly mode only: from the third on,
    /// an inconclusive gate exits 3 instead of 0.
    pub inconclusive_nights: u32,
}

/// Inconclusive nights in a row from which a nightly gate stops being patient.
const PATIENCE: u32 = 3;

/// Decides a run by its own policy and by the comparison with a baseline that it holds, if any, as the first inconclusive
/// night in a row.
pub fn decide(run: &RunRecord) -> Decision {
    decide_with(run, Options { inconclusive_nights: 1 })
}

/// Decides a run by its own policy and by the comparison with a baseline that it holds, if any.
pub fn decide_with(run: &RunRecord, options: Options) -> Decision {
    let policy = &run.manifest.gate;
    let cells = cells::cells(run);
    let mut found: Vec<(Exit, Reason)> = run.stops.iter().map(|stop| stopped(stop, run)).collect();
    if cells.is_empty() && found.is_empty() {
        found.push((Exit::Usage, about("run.nothing-selected", "no trial was selected")));
    }
    found.extend(missing_evidence(&cells, policy));
    found.extend(judge_drift(run));
    found.extend(surface(run));
    if !cells.is_empty() && cells.iter().all(|cell| cell.state(policy) == State::Skipped) {
        let message = "none of the checks applies to this target, so nothing is known about it";
        found.push((Exit::Inconclusive, about("gate.nothing-applies", message)));
    }
    let loud = cells.iter().filter(|cell| !super::quarantine::mutes(run, cell));
    found.extend(loud.filter_map(|cell| judge_cell(cell, policy)));
    match Compared::of(run) {
        Ok(Some(compared)) => found.extend(against::found(&compared, &cells, run)),
        Ok(None) => {}
        Err(error) => found.push((Exit::Inconclusive, about("gate.unreadable-record", error.to_string()))),
    }
    // A stable sort: within one code, reasons keep the order in which they were found, but for holes that no list shows.
    found.sort_by_key(|(exit, reason)| {
        (
            Exit::BY_PRECEDENCE.iter().position(|known| known == exit),
            reason.code != "gate.hidden-but-callable",
        )
    });
    let exit = Exit::gravest(found.iter().map(|(exit, _)| *exit));
    let proven = found.iter().any(|(exit, _)| matches!(exit, Exit::Fail | Exit::Security));
    let verdict = match exit {
        Exit::Pass => GateVerdict::Pass,
        _ if proven => GateVerdict::Fail,
        _ => GateVerdict::Inconclusive,
    };
    let mut reasons: Vec<Reason> = found.into_iter().map(|(_, reason)| reason).collect();
    if exit == Exit::Inconclusive && policy.mode == GateMode::Nightly {
        let nights = options.inconclusive_nights.max(1);
        reasons.push(patience(nights));
        let exit = if nights < PATIENCE { Exit::Pass } else { exit };
        return Decision { verdict, exit, reasons };
    }
    Decision { verdict, exit, reasons }
}

fn patience(nights: u32) -> Reason {
    let message = if nights < PATIENCE {
        format!("inconclusive night {nights} in a row: a warning only, exit 3 from night {PATIENCE} on")
    } else {
        format!("inconclusive night {nights} in a row: no longer a warning only")
    };
    about("gate.nightly", message)
}

fn about(code: &str, message: impl Into<String>) -> Reason {
    Reason { code: code.to_owned(), message: message.into(), case: None, origin: None }
}

fn stopped(stop: &Stop, run: &RunRecord) -> (Exit, Reason) {
    (exit_of_stop(&stop.code, run), about(&stop.code, stop.message.clone()))
}

/// The exit code of a stop. A code nobody knows is missing evidence: never a pass, never a failure of quality.
fn exit_of_stop(code: &str, run: &RunRecord) -> Exit {
    let family = code.split('.').next().unwrap_or_default();
    match (code, family) {
        ("run.interrupted.sigterm", _) => Exit::Terminated,
        ("run.interrupted" | "run.interrupted.sigint", _) => Exit::Interrupted,
        ("run.nothing-selected", _) | (_, "suite" | "plan" | "usage") => Exit::Usage,
        // The target demands credentials that nobody configured.
        ("target.unauthorized", _) | (_, "credentials") => Exit::Credentials,
        (_, "store") => Exit::LocalIo,
        (_, "bug") => Exit::Bug,
        (_, "target") if !any_trial_ran(run) => Exit::Target,
        _ => Exit::Inconclusive,
    }
}

/// Whether any trial got as far as working with the target.
fn any_trial_ran(run: &RunRecord) -> bool {
    run.results.iter().any(|result| match &result.end {
        End::Done | End::OutOf(_) => true,
        End::Interrupted => false,
        End::Faulted(fault) => fault.side.counts_against_target() && !fault.code.starts_with("target."),
    })
}

fn missing_evidence(cells: &[Cell<'_>], policy: &GatePolicy) -> Vec<(Exit, Reason)> {
    let mut all = Counts::default();
    cells.iter().for_each(|cell| all += cell.counts());
    let mut found = vec![];
    if all.missing > 0 {
        let message = format!("planned trials without a verdict: {} of {}", all.missing, all.planned());
        found.push((Exit::Inconclusive, about("gate.missing-trials", message)));
    }
    let share = f64::from(all.invalid) / f64::from(all.tried().max(1));
    if share > policy.max_invalid.0 {
        let message = format!(
            "invalid trials: {} of {} ({:.1} %, limit {})",
            all.invalid,
            all.tried(),
            share * 100.0,
            policy.max_invalid
        );
        found.push((Exit::Inconclusive, about("gate.too-many-invalid", message)));
    }
    found
}

/// Verdicts of a judge that failed its newest canary are not those of the nights before.
fn judge_drift(run: &RunRecord) -> Option<(Exit, Reason)> {
    let canary = run.manifest.judging.as_ref()?.canary.as_ref()?;
    let failed = canary.failed.as_ref()?;
    let mut findings =
        run.results.iter().flat_map(|result| &result.verdict).flat_map(|verdict| &verdict.findings);
    findings.any(|finding| finding.ruling.is_some()).then(|| {
        let message = format!("the newest canary of the judge, of {}, failed: {failed}", canary.at);
        (Exit::Inconclusive, about("gate.judge-drift", message))
    })
}

/// Demands of the suite on the tools themselves that are broken: exact, whatever the trials say.
fn surface(run: &RunRecord) -> impl Iterator<Item = (Exit, Reason)> {
    let broken = run.manifest.surface.iter().flat_map(|judged| &judged.broken);
    broken.map(|Broken { code, message, origin }| {
        (Exit::Fail, Reason { origin: Some(origin.clone()), ..about(code, message.clone()) })
    })
}

/// What a cell contributes to the decision; nothing when it holds.
fn judge_cell(cell: &Cell<'_>, policy: &GatePolicy) -> Option<(Exit, Reason)> {
    let counts = cell.counts();
    let tried = format!("{} of {} trials passed, {}", counts.passed, counts.judged(), cells::bar(policy));
    let (exit, code, message) = match cell.state(policy) {
        State::Pass | State::Flaky | State::ExpectedFailure | State::Missing | State::Skipped => return None,
        State::Security => {
            let code = match cell.name.kind {
                CaseKind::Auth => "gate.auth",
                _ if cell.hidden_hole().is_some() => "gate.hidden-but-callable",
                _ => "gate.leak",
            };
            (Exit::Security, code, String::new())
        }
        // What is not worse than its baseline is no failure, and what is, its gate has named.
        State::Fail if cell.measured.is_some() => {
            let called = cell.forbidden_call()?;
            (Exit::Fail, "gate.forbidden-tool", called.why.clone())
        }
        State::Undecided if cell.measured.is_some() => return None,
        State::Fail => match cell.name.kind {
            CaseKind::Use => (Exit::Fail, "gate.case-failed", tried),
            CaseKind::Access => (Exit::Fail, "gate.case-failed", String::new()),
            CaseKind::Auth => (Exit::Fail, "gate.auth", String::new()),
        },
        State::UnexpectedPass => {
            let message = format!(
                "known to fail, but {} of {} trials passed: remove `expected_failure`",
                counts.passed,
                counts.judged()
            );
            (Exit::Fail, "gate.unexpected-pass", message)
        }
        State::Undecided => {
            let lost = counts.invalid + counts.missing;
            let message = format!("{tried}; {lost} without a verdict could turn this");
            (Exit::Inconclusive, "gate.undecided", message)
        }
        State::Invalid => return Some(no_valid_trial(cell, counts)),
    };
    Some((exit, reason(cell, code, &message)))
}

/// A cell of which no trial could be judged. When credentials were refused every time, that is what must be mended.
fn no_valid_trial(cell: &Cell<'_>, counts: Counts) -> (Exit, Reason) {
    let blames: Vec<(&str, &str)> = cell.results.iter().map(|result| fault_of(result)).collect();
    let (code, message) = blames.first().copied().unwrap_or_default();
    if blames.iter().all(|(code, _)| code.starts_with("credentials.")) {
        return (Exit::Credentials, reason(cell, code, message));
    }
    let message = format!("no trial could be judged ({} invalid): {message}", counts.invalid);
    (Exit::Inconclusive, reason(cell, "gate.no-valid-trial", &message))
}

fn fault_of(result: &CaseResult) -> (&str, &str) {
    let (_, code, message) = cells::blame(result);
    (code, message)
}

/// A reason about a cell, at the gravest failed finding if there is one; an empty message takes the finding's own.
fn reason(cell: &Cell<'_>, code: &str, message: &str) -> Reason {
    let finding = cell.security_failure().or_else(|| cell.failures().next().map(|(_, finding)| finding));
    let said = finding.map_or("the trial failed", |finding| finding.why.as_str());
    let who = [cell.name.model, Some(cell.name.persona), Some(cell.name.client)];
    let who = who.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let message = match (message.is_empty(), finding) {
        (true, _) => format!("{said} ({who})"),
        (false, Some(finding)) if matches!(code, "gate.case-failed" | "gate.regressed-case") => {
            format!("{message}: {} ({who})", finding.why)
        }
        (false, _) => format!("{message} ({who})"),
    };
    let origin = finding.map_or(cell.origin, |finding| &finding.origin);
    Reason {
        code: code.to_owned(),
        message,
        case: Some(cell.name.case.to_owned()),
        origin: Some(origin.clone()),
    }
}
