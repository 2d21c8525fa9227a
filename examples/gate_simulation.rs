//! The operating characteristics of the gate, measured on simulated suites:
//! `cargo run --release --example gate_simulation [-- RUNS]`.
//!
//! Case rates are drawn from a beta distribution with a mean and an ICC; each case has 15 baseline trials; groups have
//! ten cases. Prints, per suite, how often the gate fails, how often it passes and how many trials it takes, beside the
//! figures it is held to. Exits with 1 when a false alarm exceeds 1 %, or a power leaves its figure by more than 0.03.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it reads one argument and prints"
)]

use std::process::ExitCode;

use rayon::prelude::*;
use rehearsal::gate::GateVerdict;
use rehearsal::gate::rounds::{Gate, GateCase, GateError, Knobs, Mode, Next, Seen, Settings};
use rehearsal::stats::Tally;
use rehearsal::stats::random::SplitMix64;

const BASELINE_TRIALS: u64 = 15;
const GROUP_SIZE: usize = 10;

/// What happened to the server since its baseline.
#[derive(Clone, Copy)]
enum World {
    Unchanged,
    /// Every case loses a share, so that the suite loses this much.
    Diffuse(f64),
    /// A tenth of the cases, all of one group, lose 5 points of the suite: about half of what they passed.
    OneTool,
    /// One case never passes again.
    OneCase,
}

/// A kind of suite with the figures it is held to: failing shares of unchanged, -2, -5, -10, one tool, one case; then
/// the passing share and the trials of an unchanged one.
struct Suite {
    cases: usize,
    rate: f64,
    icc: f64,
    mode: Mode,
    fails: [f64; 6],
    passes: f64,
    trials: f64,
}

const fn suite(cases: usize, rate: f64, icc: f64) -> Suite {
    Suite { cases, rate, icc, mode: Mode::Nightly, fails: [0.0; 6], passes: 0.0, trials: 0.0 }
}

const SUITES: &[Suite] = &[
    Suite {
        fails: [0.003, 0.05, 0.46, 0.96, 0.92, 0.83],
        passes: 0.58,
        trials: 209.0,
        ..suite(50, 0.90, 0.5)
    },
    Suite {
        fails: [0.001, 0.16, 0.78, 1.00, 0.98, 0.95],
        passes: 0.89,
        trials: 173.0,
        ..suite(50, 0.97, 0.5)
    },
    Suite {
        fails: [0.003, 0.12, 0.81, 1.00, 0.99, 0.82],
        passes: 0.93,
        trials: 279.0,
        ..suite(100, 0.90, 0.5)
    },
    Suite {
        fails: [0.002, 0.35, 0.98, 1.00, 1.00, 0.94],
        passes: 1.00,
        trials: 177.0,
        ..suite(100, 0.97, 0.5)
    },
    Suite {
        fails: [0.004, 0.07, 0.68, 1.00, 0.99, 0.75],
        passes: 0.86,
        trials: 321.0,
        ..suite(100, 0.90, 0.3)
    },
    Suite {
        mode: Mode::Pr,
        fails: [0.003, f64::NAN, 0.30, 0.83, 0.83, 0.81],
        passes: 0.70,
        trials: 107.0,
        ..suite(100, 0.90, 0.5)
    },
    Suite {
        mode: Mode::Pr,
        fails: [0.002, f64::NAN, 0.59, 0.96, 0.91, 0.95],
        passes: 0.92,
        trials: 103.0,
        ..suite(100, 0.97, 0.5)
    },
];

const WORLDS: [(&str, World); 6] = [
    ("unchanged", World::Unchanged),
    ("-2 diffuse", World::Diffuse(0.02)),
    ("-5 diffuse", World::Diffuse(0.05)),
    ("-10 diffuse", World::Diffuse(0.10)),
    ("one tool -half", World::OneTool),
    ("one case broken", World::OneCase),
];

#[derive(Clone, Copy, Default)]
struct Sums {
    runs: f64,
    failed: f64,
    passed: f64,
    trials: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            failed: self.failed + other.failed,
            passed: self.passed + other.passed,
            trials: self.trials + other.trials,
        }
    }
}

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).and_then(|runs| runs.parse::<u64>().ok()).unwrap_or(3000);
    let mut within = true;
    println!("cases rate ICC mode    | world           |  fail (held to) |  pass | trials");
    for (at, suite) in SUITES.iter().enumerate() {
        for (world_at, (name, world)) in WORLDS.iter().enumerate() {
            let held_to = suite.fails[world_at];
            // A rate of a few in a thousand needs more runs than a power.
            let unchanged = matches!(world, World::Unchanged);
            let runs = if unchanged { runs * 4 } else { runs };
            let one = |run| {
                let mut rng = SplitMix64::of_run(&format!("{at}/{world_at}/{run}"), "gate simulation");
                simulate(suite, *world, &mut rng)
            };
            let all: Result<Vec<Sums>, GateError> = (0..runs).into_par_iter().map(one).collect();
            let sums = match all {
                Ok(all) => all.into_iter().fold(Sums::default(), Sums::plus),
                Err(error) => {
                    println!("{error}");
                    return ExitCode::FAILURE;
                }
            };
            let share = |count: f64| count / sums.runs;
            let failed = share(sums.failed);
            let holds =
                if unchanged { failed <= 0.01 } else { held_to.is_nan() || (failed - held_to).abs() <= 0.03 };
            within &= holds;
            let mode = if suite.mode == Mode::Pr { "pr" } else { "nightly" };
            let held = if held_to.is_nan() { "  -  ".to_owned() } else { format!("{held_to:.3}") };
            println!(
                "{:5} {:.2} {:.1} {mode:7} | {name:15} | {failed:.4} ({held}){} | {:.3} | {:5.0}{}",
                suite.cases,
                suite.rate,
                suite.icc,
                if holds { " " } else { "!" },
                share(sums.passed),
                share(sums.trials),
                if unchanged {
                    format!("  (held to {:.2} and {:.0})", suite.passes, suite.trials)
                } else {
                    String::new()
                },
            );
        }
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One gate over one suite, from drawing its cases to the verdict.
fn simulate(suite: &Suite, world: World, rng: &mut SplitMix64) -> Result<Sums, GateError> {
    let strength = (1.0 - suite.icc) / suite.icc;
    let broken = rng.index(suite.cases);
    let group = rng.index(suite.cases / GROUP_SIZE);
    let mut rates = vec![];
    let mut cases = vec![];
    for at in 0..suite.cases {
        let rate = beta(suite.rate * strength, (1.0 - suite.rate) * strength, rng);
        let passed = (0..BASELINE_TRIALS).filter(|_| rng.next_f64() < rate).count() as u64;
        rates.push(rate);
        cases.push(GateCase {
            id: at.to_string(),
            group: Some((at / GROUP_SIZE).to_string()),
            baseline: Tally { trials: BASELINE_TRIALS, passed },
            quarantined: false,
        });
    }
    let hit = |at: usize| match world {
        World::Unchanged => false,
        World::Diffuse(_) => true,
        World::OneTool => at / GROUP_SIZE == group && at % GROUP_SIZE * 10 < suite.cases,
        World::OneCase => at == broken,
    };
    let exposed: f64 = rates.iter().enumerate().filter(|(at, _)| hit(*at)).map(|(_, rate)| rate).sum();
    let lost = match world {
        World::Unchanged => 0.0,
        World::Diffuse(points) => points / suite.rate,
        World::OneTool => (0.05 * suite.cases as f64 / exposed).min(1.0),
        World::OneCase => 1.0,
    };
    rates.iter_mut().enumerate().filter(|(at, _)| hit(*at)).for_each(|(_, rate)| *rate *= 1.0 - lost);
    let mut gate = Gate::new(Settings::new(suite.mode, Knobs::default())?, cases)?;
    loop {
        let wanted = match gate.advance() {
            Next::Round(wanted) | Next::Confirm(wanted) => wanted,
            Next::Decided(ruling) => {
                let is = |verdict| f64::from(u8::from(ruling.why.verdict() == verdict));
                let (failed, passed) = (is(GateVerdict::Fail), is(GateVerdict::Pass));
                return Ok(Sums { runs: 1.0, failed, passed, trials: ruling.trials as f64 });
            }
        };
        for trial in wanted {
            let rate = trial.case.parse::<usize>().ok().and_then(|at| rates.get(at)).copied().unwrap_or(0.0);
            let seen = if rng.next_f64() < rate { Seen::Pass } else { Seen::Fail };
            gate.observe(&trial.case, trial.slot, seen)?;
        }
    }
}

/// A draw from Beta(a, b) with small a or b (Joehnk 1964).
fn beta(a: f64, b: f64, rng: &mut SplitMix64) -> f64 {
    loop {
        // In logarithms, because u^(1/b) underflows for small b.
        let (x, y) = ((1.0 - rng.next_f64()).ln() / a, (1.0 - rng.next_f64()).ln() / b);
        let larger = x.max(y);
        if larger + ((x - larger).exp() + (y - larger).exp()).ln() <= 0.0 {
            return 1.0 / (1.0 + (y - x).exp());
        }
    }
}
