//! How long the statistics take: a gate from its first round to its verdict, a comparison of two runs of 100,000
//! trials, a bootstrap.
#![allow(missing_docs, reason = "a benchmark")]

use criterion::{Criterion, criterion_group, criterion_main};
use rehearsal::gate::compare::{ArmCase, Question, compare};
use rehearsal::gate::rounds::{Gate, GateCase, GateError, Knobs, Mode, Next, Ruling, Seen, Settings};
use rehearsal::stats::Tally;
use rehearsal::stats::bootstrap::{Resampling, bca_interval};

/// Every seventh case is unreliable.
fn baseline(at: usize) -> Tally {
    Tally { trials: 15, passed: if at.is_multiple_of(7) { 10 } else { 15 } }
}

fn verdict(cases: usize) -> Result<Ruling, GateError> {
    let case = |at: usize| GateCase {
        id: at.to_string(),
        group: Some((at / 10).to_string()),
        baseline: baseline(at),
        quarantined: false,
    };
    let mut gate =
        Gate::new(Settings::new(Mode::Nightly, Knobs::default())?, (0..cases).map(case).collect())?;
    loop {
        let wanted = match gate.advance() {
            Next::Decided(ruling) => return Ok(ruling),
            Next::Round(wanted) | Next::Confirm(wanted) => wanted,
        };
        for (at, trial) in wanted.iter().enumerate() {
            let seen = if at % 20 == 7 { Seen::Fail } else { Seen::Pass };
            gate.observe(&trial.case, trial.slot, seen)?;
        }
    }
}

fn arm(cases: usize, every: usize) -> Vec<ArmCase> {
    let case = |at: usize| ArmCase {
        id: format!("case {at}"),
        content: "digest".to_owned(),
        tally: Tally { trials: 5, passed: 5 - u64::from(at.is_multiple_of(every)) },
        invalid: 0,
        cluster: None,
    };
    (0..cases).map(case).collect()
}

fn statistics(criterion: &mut Criterion) {
    criterion.bench_function("gate of 200 cases", |bench| bench.iter(|| verdict(200)));
    let (before, now) = (arm(20_000, 7), arm(20_000, 6));
    criterion.bench_function("compare 100,000 trials a side", |bench| {
        bench.iter(|| compare(&before, &now, Question::TheseCases));
    });
    let values: Vec<f64> = (0..200).map(|at| f64::from(at % 5) / 4.0).collect();
    let resampling = Resampling { replicates: 2000, seed: 1 };
    criterion
        .bench_function("BCa of 200 cases", |bench| bench.iter(|| bca_interval(&values, resampling, 0.95)));
}

criterion_group!(
    name = all;
    config = Criterion::default().sample_size(10);
    targets = statistics
);
criterion_main!(all);
