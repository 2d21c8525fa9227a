//! A comparison with a baseline as plain data: the order of trials does not matter, a stop does not either, and every
//! verdict has its words.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "support/golden.rs"]
mod golden;
#[path = "support/runs.rs"]
mod runs;

use proptest::prelude::*;
use rehearsal::gate::compared::{Compared, Course, Gates, Known, Wanted};
use rehearsal::gate::control::{Cause, Control};
use rehearsal::gate::outlook::{ASSUMED_RATE, assumed, outlook};
use rehearsal::gate::rounds::{Knobs, Mode, Settings};
use rehearsal::gate::{Exit, GateVerdict, decide};
use rehearsal::ids::{CaseKey, Digest, ModelName};
use rehearsal::plan::Planned;
use rehearsal::report::gate::GateStamp;
use rehearsal::score::Outcome;
use rehearsal::stats::Tally;
use rehearsal::store::baseline::{Baseline, LaneKey, LanePrint, Night, Prints};
use rehearsal::store::outcomes::LaneOutcome;
use rehearsal::store::record::{Manifest, RunRecord};
use rehearsal::suite::{GateMode, GatePolicy};
use rehearsal::transcript::CaseKind;
use rehearsal::units::Share;

const CASES: u32 = 12;

fn manifest(mode: GateMode, margin: f64) -> Manifest {
    let gate = GatePolicy { mode, margin: Share(margin), ..GatePolicy::default() };
    Manifest { gate, ..runs::manifest("tonight") }
}

/// One trial of each case; three cases to a tag.
fn planned(trials: u32) -> Vec<Planned> {
    let row = |number: u32, trial: u32| {
        let mut row = runs::planned(number + 1).remove(number as usize);
        row.header.tags = vec![format!("tag-{}", number / 3)];
        row.header.trial = trial;
        row.header.key.trial = trial;
        row
    };
    (0..CASES).flat_map(|number| (1..=trials).map(move |trial| row(number, trial))).collect()
}

/// A baseline in which each case passed so often of fifteen.
fn baseline(passed: impl Fn(u32) -> u64, manifest: &Manifest) -> Baseline {
    let rows = planned(1);
    let lane = |(number, row): (u32, &Planned)| LaneOutcome {
        kind: row.header.kind,
        key: LaneKey::of(&row.header),
        print: LanePrint {
            question: row.header.key.question,
            model: row.header.key.model,
            score: row.score_key.0,
        },
        tags: row.header.tags.clone(),
        tally: Tally { trials: 15, passed: passed(number) },
        invalid: 0,
        missing: 0,
        confirms: Tally::default(),
        expected_failure: false,
    };
    let lanes: Vec<LaneOutcome> = (0..).zip(&rows).map(lane).collect();
    let night = Night {
        run: "last-night".into(),
        started: "2025-12-31T00:00:00Z".to_owned(),
        forced: None,
        prints: Prints::of(manifest, rows.iter().map(|row| &row.header)),
    };
    let mut known = Baseline::new("bookshop".into());
    known.accept(night, &lanes);
    known
}

fn begin(known: &Baseline, manifest: &Manifest, course: Course, trials: u32) -> Gates {
    let known = Known { baseline: known, file: "base.json".to_owned(), digest: Digest::of(b"base") };
    Gates::begin(&known, manifest, &planned(trials), course).unwrap()
}

/// Runs gates to their end: `gives` says what a trial gives, `order` in which order a batch ends.
fn run(
    mut gates: Gates,
    gives: impl Fn(&CaseKey) -> Outcome,
    mut order: impl FnMut(&mut Vec<Wanted>),
) -> Compared {
    loop {
        let (mut wanted, _) = gates.wants();
        if wanted.is_empty() {
            return gates.compared().unwrap();
        }
        order(&mut wanted);
        for one in wanted {
            gates.observe(&one.key, gives(&one.key)).unwrap();
        }
    }
}

/// Fails with this chance, by the trial's own identity.
fn by_chance(key: &CaseKey, salt: u64, share: u64) -> Outcome {
    let drawn = Digest::of_json(&(key.question, key.trial, salt)).as_u64() % 100;
    match drawn {
        drawn if drawn < share => Outcome::Fail,
        99 => Outcome::Invalid,
        _ => Outcome::Pass,
    }
}

fn record(compared: &Compared, manifest: Manifest) -> RunRecord {
    let trial = |number: u32| golden::Trial::new(CaseKind::Use, &format!("case-{number:05}"), "customer", 1);
    RunRecord { manifest, gate: Some(compared.to_value()), ..golden::run_of((0..CASES).map(trial)) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_the_order_of_trials_nor_a_stop_changes_anything(
        salt in any::<u64>(),
        share in 0_u64..40,
        turn in any::<usize>(),
        stop in 0_usize..60,
    ) {
        let manifest = manifest(GateMode::Nightly, 0.1);
        let known = baseline(|number| 10 + u64::from(number % 6), &manifest);
        let gives = |key: &CaseKey| by_chance(key, salt, share);
        let gates = begin(&known, &manifest, Course::Rounds, 1);
        let straight = run(gates.clone(), gives, |_| {});
        let turned = run(gates.clone(), gives, |wanted| {
            wanted.reverse();
            let by = turn % wanted.len();
            wanted.rotate_left(by);
        });
        prop_assert_eq!(&straight, &turned);
        prop_assert!(straight.verify().is_ok());
        // Stopped after so many trials, and taken up from the file.
        let (mut first, mut seen) = (gates, vec![]);
        'stopped: loop {
            let (wanted, _) = first.wants();
            for one in &wanted {
                if seen.len() == stop {
                    break 'stopped;
                }
                first.observe(&one.key, gives(&one.key)).unwrap();
                seen.push(one.key);
            }
            if wanted.is_empty() {
                break;
            }
        }
        let text = first.compared().unwrap().to_value().to_string();
        let mut again = Gates::again(serde_json::from_str(&text).unwrap()).unwrap();
        seen.reverse();
        for key in &seen {
            again.observe(key, gives(key)).unwrap();
        }
        prop_assert_eq!(&run(again, gives, |_| {}), &straight);
    }
}

fn fails(cases: &'static [u32]) -> impl Fn(&CaseKey) -> Outcome {
    move |key| {
        let failing = cases.iter().any(|number| runs::key(*number).question == key.question);
        if failing { Outcome::Fail } else { Outcome::Pass }
    }
}

/// The decision about a comparison, and what reports say of it.
fn told(compared: &Compared, manifest: &Manifest) -> String {
    let run = record(compared, manifest.clone());
    let decision = decide(&run);
    let mut out = format!("{} exit {}\n", decision.verdict.as_str(), decision.exit.code());
    for line in GateStamp::of(&run).unwrap().lines() {
        out.push_str(&format!("  {line}\n"));
    }
    for reason in decision.reasons {
        out.push_str(&format!("  {}: {}\n", reason.code, reason.message));
    }
    out
}

#[test]
fn every_verdict_has_its_words() {
    let mut out = String::new();
    let mut tell = |title: &str, margin: f64, passed: u64, gives: &dyn Fn(&CaseKey) -> Outcome| {
        let manifest = manifest(GateMode::Release, margin);
        let known = baseline(|number| if number < 3 { 15 } else { passed }, &manifest);
        let compared = run(begin(&known, &manifest, Course::Rounds, 1), gives, |_| {});
        out.push_str(&format!("{title}: {}\n", told(&compared, &manifest)));
    };
    tell("unchanged", 0.3, 15, &fails(&[]));
    tell("broken case", 0.05, 15, &fails(&[4]));
    tell("broken cases", 0.05, 5, &fails(&[0, 1, 2]));
    tell("everything", 0.05, 15, &fails(&[0, 1, 2, 3, 4, 5, 6, 7]));
    tell("too small", 0.001, 12, &|key| if key.trial < 3 { fails(&[5, 7, 9])(key) } else { Outcome::Pass });
    tell("nothing", 0.05, 15, &|_| Outcome::Invalid);
    insta::assert_snapshot!("compared_words", out);
    assert!(!out.contains("significant") && !out.contains("NaN") && !out.contains("p = 0\n"), "{out}");
}

#[test]
fn a_fixed_plan_names_its_open_suspects_and_still_fails_what_is_worse() {
    let manifest = manifest(GateMode::Release, 0.5);
    let known = baseline(|_| 15, &manifest);
    let judge = |gives: &dyn Fn(&CaseKey) -> Outcome| {
        let mut gates = begin(&known, &manifest, Course::Fixed, 2);
        assert!(gates.wants().0.is_empty(), "a fixed plan asks for nothing");
        for row in planned(2) {
            gates.observe(&row.header.key, gives(&row.header.key)).unwrap();
        }
        gates.compared().unwrap()
    };
    let open = judge(&|key| if key.trial == 1 { fails(&[4])(key) } else { Outcome::Pass });
    let said = told(&open, &manifest);
    assert!(said.starts_with("inconclusive exit 3") && said.contains("gate.unconfirmed"), "{said}");
    assert_eq!(open.unconfirmed[&ModelName::from("lexical")], ["case-00004"]);
    assert!(open.verify().is_ok());
    let worse = told(&judge(&fails(&[0, 1, 2, 3, 4])), &manifest);
    assert!(worse.starts_with("fail exit 1") && worse.contains("gate.regressed-suite"), "{worse}");
    let clean = told(&judge(&fails(&[])), &manifest);
    assert!(clean.starts_with("pass exit 0"), "{clean}");
}

#[test]
fn an_alarm_that_the_old_server_raises_too_is_not_held_against_the_new_one() {
    let manifest = manifest(GateMode::Release, 0.05);
    let known = baseline(|_| 15, &manifest);
    let mut compared = run(begin(&known, &manifest, Course::Rounds, 1), fails(&[4]), |_| {});
    let model = ModelName::from("lexical");
    assert_eq!(compared.verdict(&model), Some(GateVerdict::Fail));
    let control = |cause| Control {
        p_drift: 0.01,
        p_server: 0.4,
        level: 0.05,
        drift: -0.5,
        server: 0.0,
        cause,
        cases: vec![],
    };
    for (cause, exit) in [
        (Cause::Server, Exit::Fail),
        (Cause::Both, Exit::Fail),
        (Cause::Drift, Exit::Inconclusive),
        (Cause::Chance, Exit::Inconclusive),
    ] {
        compared.control.insert("lexical".into(), control(cause));
        let decision = decide(&record(&compared, manifest.clone()));
        assert_eq!(decision.exit, exit, "{cause:?}: {:#?}", decision.reasons);
        assert!(decision.reasons.iter().any(|reason| reason.code == "gate.control"));
    }
}

#[test]
fn a_comparison_that_cannot_be_read_decides_nothing() {
    let mut run = record(&unchanged(), manifest(GateMode::Release, 0.3));
    assert_eq!(decide(&run).exit, Exit::Pass);
    run.gate.as_mut().unwrap()["version"] = 99.into();
    let decision = decide(&run);
    assert_eq!(
        (decision.exit, decision.reasons[0].code.as_str()),
        (Exit::Inconclusive, "gate.unreadable-record")
    );
    assert!(decision.reasons[0].message.contains("version 99"));
}

fn unchanged() -> Compared {
    let manifest = manifest(GateMode::Release, 0.3);
    run(begin(&baseline(|_| 15, &manifest), &manifest, Course::Rounds, 1), fails(&[]), |_| {})
}

#[test]
fn a_changed_record_is_noticed() {
    let mut compared = unchanged();
    assert!(compared.verify().is_ok());
    let record = compared.gates.values_mut().next().unwrap();
    record.cases[0].rounds = "f".to_owned();
    assert!(compared.verify().is_err());
}

fn rounds(mode: Mode) -> Settings {
    Settings::new(mode, Knobs::default()).unwrap()
}

fn histories(n: usize, passed: u64) -> Vec<Tally> {
    vec![Tally { trials: 15, passed }; n]
}

#[test]
fn a_large_healthy_suite_shows_its_margin_and_needs_no_advice() {
    let outlook = outlook(&histories(100, 15), &rounds(Mode::Nightly), 1).unwrap();
    assert!(outlook.shown_margin.is_some_and(|shown| shown < 0.05), "{outlook:?}");
    assert!(outlook.advice().is_empty());
    assert_eq!((outlook.least_trials, outlook.most_trials), (100, 500 + 75 * 5));
}

#[test]
fn a_small_suite_cannot_and_is_told_what_helps() {
    let outlook = outlook(&assumed(20), &rounds(Mode::Nightly), 1).unwrap();
    assert!(outlook.shown_margin.is_some_and(|shown| shown > 0.08), "{outlook:?}");
    let advice = outlook.advice();
    assert!(advice[0].contains("twice the cases"), "{advice:?}");
    assert!(advice.iter().any(|line| line.contains("more rounds will not help")), "{advice:?}");
}

#[test]
fn one_round_is_helped_by_more() {
    let outlook = outlook(&histories(40, 14), &rounds(Mode::Pr), 1).unwrap();
    assert!(outlook.with_more_rounds < outlook.shown_margin, "{outlook:?}");
    assert_eq!(outlook.floor, "trials");
}

#[test]
fn without_a_baseline_there_is_nothing_to_say() {
    assert_eq!(outlook(&[], &rounds(Mode::Pr), 1), None);
    assert!(assumed(0).is_empty());
}

#[test]
fn what_is_assumed_has_the_mean_it_says() {
    let cases = assumed(200);
    let mean = cases.iter().filter_map(|case| case.rate()).sum::<f64>() / 200.0;
    assert!((mean - ASSUMED_RATE).abs() < 0.01, "{mean}");
}
