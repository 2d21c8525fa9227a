//! The gate in rounds: what it asks for, what it decides, and that neither the order of trials nor the way through a
//! file changes it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use proptest::prelude::*;
use rehearsal::gate::GateVerdict;
use rehearsal::gate::rounds::{
    Gate, GateCase, GateError, Knobs, Mode, Next, Record, Ruling, Seen, Settings, Slot, Wanted, Why,
    certifiable_margin,
};
use rehearsal::stats::Tally;

fn case(at: usize, baseline: [u64; 2]) -> GateCase {
    let [passed, trials] = baseline;
    GateCase {
        id: format!("c{at:03}"),
        group: Some(format!("g{}", at / 10)),
        baseline: Tally { trials, passed },
        quarantined: false,
    }
}

fn suite(n: usize, baseline: [u64; 2]) -> Vec<GateCase> {
    (0..n).map(|at| case(at, baseline)).collect()
}

fn settings(knobs: Knobs) -> Settings {
    Settings::new(Mode::Nightly, knobs).unwrap()
}

fn gate(cases: Vec<GateCase>) -> Gate {
    Gate::new(settings(Knobs::default()), cases).unwrap()
}

/// Runs a gate to its verdict; `outcome` says what each wanted trial gives.
fn run(mut gate: Gate, outcome: impl Fn(&Wanted) -> Seen) -> (Ruling, Record) {
    loop {
        let wanted = match gate.advance() {
            Next::Decided(ruling) => {
                let record = gate.record();
                assert_eq!(record.recompute().as_ref(), Ok(&record), "the record gives the verdict again");
                let text = serde_json::to_string(&record).unwrap();
                assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
                return (ruling, record);
            }
            Next::Round(wanted) | Next::Confirm(wanted) => wanted,
        };
        for trial in wanted {
            gate.observe(&trial.case, trial.slot, outcome(&trial)).unwrap();
        }
    }
}

fn always(seen: Seen) -> impl Fn(&Wanted) -> Seen {
    move |_| seen
}

#[test]
fn an_unchanged_suite_passes_and_says_how_sure() {
    let (ruling, record) = run(gate(suite(100, [15, 15])), always(Seen::Pass));
    assert_eq!(ruling, Ruling { why: Why::NotWorse, round: 1, trials: 100 });
    assert!(record.looks[0].change.unwrap().lower > -0.05);
    let seen = record.smallest_drop().unwrap();
    assert!(seen > 0.005 && seen < 0.05, "{seen}");
}

#[test]
fn a_margin_that_can_be_certified_is_known_before_a_run() {
    let history = |n: usize| vec![Tally { trials: 15, passed: 14 }; n];
    let margin = |n| certifiable_margin(&history(n), &settings(Knobs::default()), 7).unwrap();
    let (small, large) = (margin(20), margin(200));
    assert!(small > 0.08 && large < 0.05 && large > 0.01, "{small} {large}");
    assert_eq!(margin(20), small, "same seed, same answer");
    assert_eq!(certifiable_margin(&[], &settings(Knobs::default()), 7), None);
    assert_eq!(certifiable_margin(&[Tally::default()], &settings(Knobs::default()), 7), None);
}

#[test]
fn a_broken_server_fails_in_the_first_round() {
    let (ruling, _) = run(gate(suite(100, [15, 15])), always(Seen::Fail));
    assert_eq!(ruling, Ruling { why: Why::Suite, round: 1, trials: 100 });
}

#[test]
fn a_broken_tool_is_named() {
    let cases = suite(100, [13, 15]);
    let (ruling, record) = run(gate(cases), |trial| {
        // Noise of the other groups hides the tool from the suite as a whole.
        if trial.case.starts_with("c03") { Seen::Fail } else { Seen::Pass }
    });
    assert_eq!(ruling.why, Why::Groups(vec!["g3".to_owned()]));
    assert!(record.looks[0].p_suite > record.looks[0].alpha_suite);
}

#[test]
fn a_single_broken_case_is_confirmed_by_fresh_trials_and_named() {
    let fail_one = |trial: &Wanted| if trial.case == "c042" { Seen::Fail } else { Seen::Pass };
    let (ruling, record) = run(gate(suite(100, [15, 15])), fail_one);
    assert_eq!(ruling, Ruling { why: Why::Cases(vec!["c042".to_owned()]), round: 1, trials: 105 });
    assert_eq!(record.looks[0].suspects.as_deref(), Some(&["c042".to_owned()][..]));
    assert_eq!(record.looks[0].confirmed[0].fresh, Tally { trials: 5, passed: 0 });
    assert_eq!(record.looks[0].valid, 100, "fresh trials stay out of the rate");
}

#[test]
fn a_case_that_failed_once_by_chance_is_cleared() {
    let fail_one = |trial: &Wanted| match trial.slot {
        Slot::Round(1) if trial.case == "c042" => Seen::Fail,
        _ => Seen::Pass,
    };
    let (ruling, record) = run(gate(suite(100, [15, 15])), fail_one);
    assert_eq!(ruling.why, Why::NotWorse);
    assert_eq!(record.looks[0].p_case_adjusted, Some(1.0));
    assert_eq!(record.looks.last().unwrap().confirmed.len(), 1, "suspects so far are kept");
}

#[test]
fn a_case_that_was_unreliable_is_no_suspect() {
    let mut cases = suite(100, [15, 15]);
    cases[42].baseline = Tally { trials: 15, passed: 12 };
    let fail_one = |trial: &Wanted| if trial.case == "c042" { Seen::Fail } else { Seen::Pass };
    let (_, record) = run(gate(cases), fail_one);
    assert_eq!(record.looks[0].suspects.as_deref(), Some(&[][..]));
}

#[test]
fn a_round_suspects_fifteen_percent_at_most() {
    let mut cases = suite(40, [13, 15]);
    cases.iter_mut().for_each(|case| case.group = None);
    let (_, record) = run(gate(cases), |trial| match trial.slot {
        Slot::Round(1) if trial.case.as_str() < "c008" => Seen::Fail,
        _ => Seen::Pass,
    });
    let suspects = record.looks[0].suspects.as_deref().unwrap();
    assert_eq!(suspects, ["c000", "c001", "c002", "c003", "c004", "c005"]);
    assert!(record.looks[0].groups.is_empty() && record.looks[0].p_group_adjusted == 1.0);
}

#[test]
fn a_small_suite_is_inconclusive_rather_than_passed() {
    let (ruling, record) = run(gate(suite(12, [15, 15])), always(Seen::Pass));
    assert_eq!(ruling, Ruling { why: Why::Budget, round: 5, trials: 60 });
    assert_eq!(ruling.why.verdict(), GateVerdict::Inconclusive);
    assert_eq!(record.looks.len(), 5);
    let wide = settings(Knobs { margin: 0.15, ..Knobs::default() });
    let (ruling, _) = run(Gate::new(wide, suite(12, [15, 15])).unwrap(), always(Seen::Pass));
    assert_eq!(ruling.why, Why::NotWorse);
}

#[test]
fn a_change_gets_one_round() {
    let pr = Settings::new(Mode::Pr, Knobs::default()).unwrap();
    let (ruling, _) = run(Gate::new(pr, suite(12, [15, 15])).unwrap(), always(Seen::Pass));
    assert_eq!((ruling.why, ruling.round), (Why::Budget, 1));
}

#[test]
fn a_quarantined_case_raises_no_alarm_but_counts_in_the_suite() {
    let fail_one = |trial: &Wanted| if trial.case == "c042" { Seen::Fail } else { Seen::Pass };
    let mut cases = suite(100, [15, 15]);
    cases[42].quarantined = true;
    let (ruling, record) = run(gate(cases), fail_one);
    assert!(!matches!(ruling.why, Why::Cases(_) | Why::Groups(_)));
    assert!(record.looks[0].change.unwrap().diff < 0.0);
    assert_eq!(record.looks[0].groups[4].p, 1.0);
}

#[test]
fn too_many_invalid_trials_cannot_pass_and_can_fail() {
    let every_tenth =
        |seen| move |trial: &Wanted| if trial.case.ends_with('0') { Seen::Invalid } else { seen };
    let (ruling, record) = run(gate(suite(100, [15, 15])), every_tenth(Seen::Pass));
    assert_eq!((ruling.why, ruling.round), (Why::Degraded, 5));
    assert_eq!(record.looks[0].unseen.len(), 10);
    assert_eq!(record.looks[0].change, None);
    let (ruling, _) = run(gate(suite(100, [15, 15])), every_tenth(Seen::Fail));
    assert_eq!(ruling.why, Why::Suite);
}

#[test]
fn a_few_invalid_trials_delay_a_pass_until_their_cases_were_seen() {
    let once = |trial: &Wanted| match trial.slot {
        Slot::Round(1) if trial.case == "c000" => Seen::Invalid,
        _ => Seen::Pass,
    };
    let (ruling, record) = run(gate(suite(100, [15, 15])), once);
    assert_eq!((ruling.why, ruling.round), (Why::NotWorse, 2));
    assert_eq!((record.looks[1].invalid, record.looks[1].valid), (1, 199));
}

#[test]
fn no_valid_trial_at_all_is_degraded() {
    let (ruling, record) = run(gate(suite(20, [15, 15])), always(Seen::Invalid));
    assert_eq!(ruling.why, Why::Degraded);
    assert_eq!(record.looks[0].p_suite, 1.0);
}

#[test]
fn edge_suites_reach_a_verdict() {
    let shapes: [(&str, Vec<GateCase>); 6] = [
        ("a baseline of one trial", suite(30, [1, 1])),
        ("one case", suite(1, [15, 15])),
        ("one group", suite(10, [14, 15])),
        ("always failed", suite(30, [0, 15])),
        ("unequal histories", (0..30).map(|at| case(at, [at as u64 % 7 + 1, at as u64 % 9 + 7])).collect()),
        ("never varied", suite(30, [15, 15])),
    ];
    for (name, cases) in shapes {
        for seen in [Seen::Pass, Seen::Fail] {
            let (ruling, record) = run(gate(cases.clone()), always(seen));
            assert!(ruling.round >= 1, "{name}");
            for look in &record.looks {
                assert!(look.p_suite > 0.0 && look.p_suite <= 1.0, "{name}: {look:?}");
                assert!(
                    look.change.is_none_or(|c| c.lower.is_finite() && c.lower <= c.diff),
                    "{name}: {look:?}"
                );
            }
        }
    }
}

#[test]
fn new_cases_are_listed_and_not_compared() {
    let mut cases = suite(100, [15, 15]);
    cases.push(case(100, [0, 0]));
    let mut gate = gate(cases);
    let Next::Round(wanted) = gate.advance() else { panic!("a round") };
    assert_eq!(wanted.len(), 100);
    gate.observe("c100", Slot::Round(1), Seen::Fail).unwrap();
    let (ruling, record) = run(gate, always(Seen::Pass));
    assert_eq!((ruling.why, record.new_cases), (Why::NotWorse, vec!["c100".to_owned()]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let settings = || settings(Knobs::default());
    let error = |cases| Gate::new(settings(), cases).unwrap_err();
    assert_eq!(error(vec![]), GateError::NoBaseline);
    assert_eq!(error(suite(3, [0, 0])), GateError::NoBaseline);
    assert_eq!(error(vec![case(1, [1, 1]), case(1, [1, 1])]), GateError::Twice("c001".to_owned()));
    assert_eq!(error(vec![case(1, [2, 1])]), GateError::BadBaseline("c001".to_owned()));
    let mut gate = gate(suite(2, [15, 15]));
    let mut observe = |case: &str, slot, seen| gate.observe(case, slot, seen);
    assert_eq!(observe("x", Slot::Round(1), Seen::Pass), Err(GateError::UnknownCase("x".to_owned())));
    for slot in [Slot::Round(0), Slot::Round(6), Slot::Confirm(0), Slot::Confirm(6)] {
        assert_eq!(observe("c000", slot, Seen::Pass), Err(GateError::NoSuchSlot("c000".to_owned())));
    }
    assert_eq!(observe("c000", Slot::Round(1), Seen::Pass), Ok(()));
    assert_eq!(observe("c000", Slot::Round(1), Seen::Pass), Ok(()), "told twice is told");
    let contradiction = observe("c000", Slot::Round(1), Seen::Fail);
    assert_eq!(contradiction, Err(GateError::Contradiction("c000".to_owned())));
}

#[test]
fn a_record_that_was_tampered_with_does_not_give_its_verdict_again() {
    let (_, record) = run(gate(suite(100, [15, 15])), always(Seen::Fail));
    let mut forged = record.clone();
    forged.ruling = Some(Ruling { why: Why::NotWorse, round: 1, trials: 100 });
    assert_ne!(forged.recompute().as_ref(), Ok(&forged));
    let mut broken = record;
    broken.cases[0].rounds = "x".to_owned();
    assert_eq!(broken.recompute(), Err(GateError::BadRecord("c000".to_owned())));
}

/// Every trial that could be wanted, with its outcome.
fn all_trials(cases: usize) -> impl Strategy<Value = Vec<(usize, Slot, Seen)>> {
    let seen = prop_oneof![8 => Just(Seen::Pass), 2 => Just(Seen::Fail), 1 => Just(Seen::Invalid)];
    proptest::collection::vec(seen, cases * 10).prop_map(move |outcomes| {
        let slot = |at: u32| if at < 5 { Slot::Round(at + 1) } else { Slot::Confirm(at - 4) };
        outcomes.into_iter().enumerate().map(|(at, seen)| (at / 10, slot(at as u32 % 10), seen)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Trials are told in two different orders, in one as they are asked for; the records are equal.
    #[test]
    fn the_order_of_finished_trials_does_not_matter(
        trials in all_trials(24).prop_flat_map(|trials| (Just(trials.clone()), Just(trials).prop_shuffle())),
        baselines in proptest::collection::vec(0_u64..=15, 24),
        ask_every in 1_usize..40,
    ) {
        let (ordered, shuffled) = trials;
        let cases: Vec<GateCase> = baselines.iter().enumerate().map(|(at, passed)| case(at, [*passed, 15])).collect();
        let ruled = |trials: &[(usize, Slot, Seen)], ask_every: usize| {
            let mut gate = gate(cases.clone());
            for (told, (at, slot, seen)) in trials.iter().enumerate() {
                gate.observe(&format!("c{at:03}"), *slot, *seen).unwrap();
                if told % ask_every == 0 {
                    gate.advance();
                }
            }
            gate.advance();
            gate.record()
        };
        let (one, other) = (ruled(&ordered, usize::MAX), ruled(&shuffled, ask_every));
        prop_assert!(one.ruling.is_some());
        prop_assert_eq!(one, other);
    }
}
