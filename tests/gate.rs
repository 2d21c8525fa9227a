//! The decision table: stops, missing evidence, cells, precedence, nightly patience.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/golden.rs"]
mod golden;

use golden::{Trial, run_of};
use proptest::prelude::*;
use rehearsal::gate::{Exit, GateVerdict, Options, decide, decide_with, explain::explain};
use rehearsal::score::access::{Access, Used};
use rehearsal::score::{Grade, Outcome, Verdict};
use rehearsal::store::record::{RunRecord, Stop};
use rehearsal::suite::GateMode;
use rehearsal::transcript::{CaseKind, End, Side};
use rehearsal::units::Share;

fn pass(case: &str, trial: u32) -> Trial {
    Trial::new(CaseKind::Use, case, "customer", trial).finding("c", Grade::Pass, "it holds", (7, 9))
}

fn fail(case: &str, trial: u32) -> Trial {
    Trial::new(CaseKind::Use, case, "customer", trial).finding("c", Grade::Fail, "it does not", (7, 9))
}

fn ours(case: &str, trial: u32) -> Trial {
    pass(case, trial).faulted(Side::Model, "model.unavailable", "503")
}

fn access(grade: Grade) -> Trial {
    Trial::new(CaseKind::Access, "access/clerk", "clerk", 1).guarded(
        "access_denied",
        grade,
        "`t` leaks",
        (17, 3),
    )
}

/// Another persona to whom something is listed.
fn leak_of(persona: &str, listed: bool) -> Trial {
    Trial::new(CaseKind::Access, &format!("access/{persona}"), persona, 1)
        .guarded("access_denied", Grade::Fail, "`t` leaks", (17, 3))
        .sight("t", (Some(listed), Some(Used::Allowed)), Access::Leak)
}

/// The loudest of all: it comes first wherever it stands.
fn hole() -> Trial {
    leak_of("zoe", false)
}

fn refused(trial: u32) -> Trial {
    pass("a", trial).faulted(Side::Model, "credentials.refused", "401")
}

fn skipped(case: &str) -> Trial {
    Trial::new(CaseKind::Auth, case, "customer", 1).skipped("an expired token is refused", (18, 1))
}

fn stopped(mut run: RunRecord, code: &str) -> RunRecord {
    run.stops.push(Stop { code: code.to_owned(), message: "stopped".to_owned() });
    run
}

fn missing(mut run: RunRecord, case: &str, trial: u32) -> RunRecord {
    run.missing.push(pass(case, trial).0.header);
    run
}

#[test]
fn precedence_holds_for_every_pair() {
    let codes: Vec<u8> = Exit::BY_PRECEDENCE.iter().map(|exit| exit.code()).collect();
    assert_eq!(codes, [70, 74, 130, 143, 2, 5, 4, 6, 1, 3, 0]);
    for (i, a) in Exit::BY_PRECEDENCE.into_iter().enumerate() {
        for (j, b) in Exit::BY_PRECEDENCE.into_iter().enumerate() {
            assert_eq!(Exit::gravest([a, b]), if i < j { a } else { b }, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn skipped_checks_do_not_thin_out_invalid_trials() {
    let share = |skips: u32| {
        let trials = (1..=15).map(|trial| pass("a", trial)).chain([ours("a", 16)]);
        let skips = (0..skips).map(|number| skipped(&format!("auth/X{number}")));
        decide(&run_of(trials.chain(skips))).exit
    };
    assert_eq!([share(0), share(40)], [Exit::Inconclusive; 2]);
}

#[test]
fn the_decision_table_holds() {
    let three = |a: Trial, b: Trial, c: Trial| run_of([a, b, c]);
    let table: Vec<(&str, RunRecord, u8, &str)> = vec![
        ("all pass", three(pass("a", 1), pass("a", 2), pass("a", 3)), 0, ""),
        ("two of three", three(pass("a", 1), fail("a", 2), pass("a", 3)), 0, ""),
        ("one of three", three(pass("a", 1), fail("a", 2), fail("a", 3)), 1, "gate.case-failed"),
        ("half is no majority", run_of([pass("a", 1), fail("a", 2)]), 1, "gate.case-failed"),
        (
            "a failure that faults could hide",
            three(fail("a", 1), ours("a", 2), ours("a", 3)),
            3,
            "gate.too-many-invalid",
        ),
        (
            "a failure that faults cannot save",
            three(fail("a", 1), fail("a", 2), ours("a", 3)),
            1,
            "gate.case-failed",
        ),
        ("nothing valid", run_of([ours("a", 1)]), 3, "gate.too-many-invalid"),
        ("keys refused everywhere", run_of([refused(1), refused(2)]), 5, "credentials.refused"),
        ("a leak", run_of([pass("a", 1), access(Grade::Fail)]), 6, "gate.leak"),
        ("a leak beats a failure", run_of([fail("a", 1), access(Grade::Fail)]), 6, "gate.leak"),
        ("a hidden hole", run_of([leak_of("a", true), hole()]), 6, "gate.hidden-but-callable"),
        ("a closed door", run_of([access(Grade::Pass)]), 0, ""),
        ("known and failing", run_of([fail("a", 1).known("x")]), 0, ""),
        ("known and passing", run_of([pass("a", 1).known("x")]), 1, "gate.unexpected-pass"),
        (
            "a leak in a case that is known to fail",
            run_of([pass("a", 1).guarded("tools_hidden", Grade::Fail, "`t` leaks", (17, 3)).known("x")]),
            6,
            "gate.leak",
        ),
        (
            "known, passing once, and faults hide the rest",
            three(pass("a", 1).known("x"), ours("a", 2).known("x"), ours("a", 3).known("x")),
            3,
            "gate.too-many-invalid",
        ),
        ("known, half passing", run_of([pass("a", 1).known("x"), fail("a", 2).known("x")]), 0, ""),
        ("nothing applies", run_of([skipped("auth/D03"), skipped("auth/D05")]), 3, "gate.nothing-applies"),
        ("what does not apply is no failure", run_of([pass("a", 1), skipped("auth/D03")]), 0, ""),
        ("nor does it save one", run_of([fail("a", 1), skipped("auth/D03")]), 1, "gate.case-failed"),
        ("a trial is missing", missing(run_of([pass("a", 1)]), "a", 2), 3, "gate.missing-trials"),
        ("a case is missing", missing(run_of([pass("a", 1)]), "b", 1), 3, "gate.missing-trials"),
        (
            "failed, though one is missing",
            missing(run_of([fail("a", 1), fail("a", 2)]), "a", 3),
            1,
            "gate.case-failed",
        ),
        ("nothing selected", run_of([]), 2, "run.nothing-selected"),
        (
            "a dead server is its own fault",
            run_of([pass("a", 1).faulted(Side::Server, "target.died", "x")]),
            1,
            "gate.case-failed",
        ),
        ("Ctrl-C", stopped(run_of([pass("a", 1)]), "run.interrupted.sigint"), 130, "run.interrupted.sigint"),
        (
            "SIGTERM",
            stopped(run_of([pass("a", 1)]), "run.interrupted.sigterm"),
            143,
            "run.interrupted.sigterm",
        ),
        ("disk full beats a leak", stopped(run_of([access(Grade::Fail)]), "store.write"), 74, "store.write"),
        ("budget", stopped(run_of([pass("a", 1)]), "run.budget"), 3, "run.budget"),
        ("budget and a failure", stopped(run_of([fail("a", 1)]), "run.budget"), 1, "gate.case-failed"),
        ("deadline", stopped(run_of([pass("a", 1)]), "run.deadline"), 3, "run.deadline"),
        ("no target", stopped(missing(run_of([]), "a", 1), "target.unreachable"), 4, "target.unreachable"),
        ("target lost on the way", stopped(run_of([pass("a", 1)]), "target.died"), 3, "target.died"),
        (
            "target wants a token",
            stopped(missing(run_of([]), "a", 1), "target.unauthorized"),
            5,
            "target.unauthorized",
        ),
        (
            "no key",
            stopped(missing(run_of([]), "a", 1), "credentials.missing-key"),
            5,
            "credentials.missing-key",
        ),
        ("a bug", stopped(run_of([fail("a", 1)]), "bug.panic"), 70, "bug.panic"),
        ("a stop nobody knows", stopped(run_of([pass("a", 1)]), "new.thing"), 3, "new.thing"),
    ];
    for (name, run, exit, code) in table {
        let decision = decide(&run);
        assert_eq!(decision.exit.code(), exit, "{name}: {decision:?}");
        assert_eq!(decision.reasons.first().map_or("", |reason| &reason.code), code, "{name}");
        let verdict = match exit {
            0 => GateVerdict::Pass,
            1 | 6 => GateVerdict::Fail,
            _ => decision.verdict,
        };
        assert_eq!(decision.verdict, verdict, "{name}");
        for reason in decision
            .reasons
            .iter()
            .filter(|reason| !reason.code.starts_with("new.") && reason.code != "bug.panic")
        {
            assert!(explain(&reason.code).is_some(), "{name}: no text for {}", reason.code);
        }
    }
}

#[test]
fn a_proven_failure_stays_in_the_verdict_of_an_interrupted_run() {
    let decision = decide(&stopped(run_of([fail("a", 1)]), "run.interrupted.sigint"));
    assert_eq!((decision.exit, decision.verdict), (Exit::Interrupted, GateVerdict::Fail));
}

#[test]
fn a_written_bar_replaces_the_majority() {
    let mut run = run_of([pass("a", 1), pass("a", 2), fail("a", 3)]);
    for (bar, exit) in [(0.5, 0), (0.666_667, 0), (0.7, 1), (1.0, 1)] {
        run.manifest.gate.min_pass = Some(Share(bar));
        assert_eq!(decide(&run).exit.code(), exit, "{bar}");
    }
}

#[test]
fn a_nightly_gate_is_patient_for_two_nights_and_never_about_failures() {
    let mut lost = missing(run_of([pass("a", 1)]), "a", 2);
    for (mode, nights, exit) in [
        (GateMode::Nightly, 1, 0),
        (GateMode::Nightly, 2, 0),
        (GateMode::Nightly, 3, 3),
        (GateMode::Pr, 1, 3),
        (GateMode::Release, 1, 3),
    ] {
        lost.manifest.gate.mode = mode;
        let decision = decide_with(&lost, Options { inconclusive_nights: nights });
        assert_eq!(decision.exit.code(), exit, "{mode:?} {nights}");
        assert_eq!(decision.verdict, GateVerdict::Inconclusive);
    }
    let mut failed = missing(run_of([fail("a", 1), fail("a", 2)]), "a", 3);
    failed.manifest.gate.mode = GateMode::Nightly;
    assert_eq!(decide(&failed).exit, Exit::Fail);
}

#[test]
fn what_a_cut_off_trial_misses_is_no_failure() {
    // A trial that was scored although the model's API died: "was not called" rests on no event.
    let mut trial = fail("a", 1);
    let fault = rehearsal::transcript::Fault::new(Side::Model, "model.timeout", "slow");
    trial.0.end = End::Faulted(fault);
    trial.0.verdict.iter_mut().for_each(|verdict| verdict.findings[0].evidence.clear());
    assert_eq!(decide(&run_of([trial])).exit, Exit::Inconclusive);
}

/// How a trial of the property goes.
#[derive(Clone, Debug)]
struct Drawn {
    case: u32,
    passes: bool,
    faulted: bool,
    side: Side,
    stored: Outcome,
}

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let side = prop_oneof![Just(Side::Harness), Just(Side::Model), Just(Side::Judge)];
    let stored = prop_oneof![Just(Outcome::Pass), Just(Outcome::Fail), Just(Outcome::Invalid)];
    let one = (0..3_u32, any::<bool>(), any::<bool>(), side, stored)
        .prop_map(|(case, passes, faulted, side, stored)| Drawn { case, passes, faulted, side, stored });
    proptest::collection::vec(one, 1..15)
}

fn build(drawn: &[Drawn], with_faults: bool) -> RunRecord {
    run_of(drawn.iter().zip(1..).map(|(one, trial)| {
        let case = format!("case-{}", one.case);
        let mut built = if one.passes { pass(&case, trial) } else { fail(&case, trial) };
        if with_faults && one.faulted {
            built = built.faulted(one.side, "model.unavailable", "503");
            // Whatever was stored, what a cut-off trial did not show is not evidence.
            built.0.outcome = Some(one.stored);
            let score_key = built.0.verdict.as_ref().map(|verdict| verdict.score_key).unwrap();
            built.0.verdict = Some(Verdict { score_key, findings: vec![] });
        }
        built
    }))
}

proptest! {
    /// Promise 2: taking trials away by faults of ours, of the model's API or of the judge turns a pass into neither a
    /// failure, nor a failure into a pass.
    #[test]
    fn faults_of_ours_yield_neither_a_failure_nor_a_pass(drawn in drawn()) {
        let (whole, faulted) = (decide(&build(&drawn, false)).exit, decide(&build(&drawn, true)).exit);
        match whole {
            Exit::Pass => prop_assert!(matches!(faulted, Exit::Pass | Exit::Inconclusive), "{faulted:?}"),
            _ => prop_assert!(matches!(faulted, Exit::Fail | Exit::Inconclusive), "{faulted:?}"),
        }
        if drawn.iter().any(|one| one.faulted) {
            prop_assert!(faulted != Exit::Pass, "with more than 5 % invalid trials nothing passes");
        }
    }
}
