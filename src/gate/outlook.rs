//! Before a run: what a comparison with these baselines can show, and what would help it. Pure.

use serde::Serialize;

use super::rounds::{Settings, certifiable_margin};
use crate::stats::power::{Design, Floor, Risks, k_needed, smallest_drop};
use crate::stats::special::beta_quantile;
use crate::stats::{Pair, Tally};

/// The chance to see what is there that plans are made for.
const POWER: f64 = 0.8;

/// Cases above which what would help is not imagined: the answer would take seconds.
const MANY: usize = 2000;

/// What a comparison can show. Drops and margins are shares: 0.05 is five points.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// Cases compared.
    pub cases: u64,
    /// Accepted trials per case, the harmonic mean.
    pub accepted_trials: f64,
    /// The margin that is wanted.
    pub margin: f64,
    /// The smallest margin that an unchanged suite passes nine times in ten.
    pub shown_margin: Option<f64>,
    /// The smallest drop that is likely (8 in 10) to be called one, after all rounds.
    pub smallest_drop: Option<f64>,
    /// Trials per case that would see a drop as large as the margin; `None`: no number of them does.
    pub trials_needed: Option<u64>,
    /// What limits it most.
    pub floor: &'static str,
    /// The smallest margin with twice the accepted trials; `None` when that was not looked into.
    pub with_more_history: Option<f64>,
    /// The smallest margin with twice the cases.
    pub with_more_cases: Option<f64>,
    /// The smallest margin with five rounds.
    pub with_more_rounds: Option<f64>,
    /// Trials of an undisturbed run: one round.
    pub least_trials: u64,
    /// Trials when every round is needed and as many cases as can be come under suspicion.
    pub most_trials: u64,
}

/// What a comparison with these baselines can show under these settings; `None` without a baseline. `seed` starts the
/// imagined runs.
pub fn outlook(baselines: &[Tally], settings: &Settings, seed: u64) -> Option<Outlook> {
    let pairs: Vec<Pair> =
        baselines.iter().map(|baseline| Pair { baseline: *baseline, candidate: *baseline }).collect();
    let design = Design { k_candidate: f64::from(settings.max_rounds), ..Design::observed(&pairs)? };
    let risks = Risks { alpha: settings.alpha * settings.split[0], power: POWER };
    let shown_margin = certifiable_margin(baselines, settings, seed);
    let short = shown_margin.is_none_or(|shown| shown > settings.margin + 1e-9) && baselines.len() <= MANY;
    let imagine = |baselines: &[Tally], settings: &Settings| {
        short.then(|| certifiable_margin(baselines, settings, seed)).flatten()
    };
    let twice = |tally: &Tally| tally.plus(*tally);
    let rounds = Settings { max_rounds: 5, ..settings.clone() };
    let cases = baselines.len() as u64;
    let suspects = (settings.suspect_cap * cases as f64 + 1e-9).max(3.0) * f64::from(settings.max_rounds);
    let suspects = (suspects as u64).min(cases);
    let trials_needed = k_needed(&design, settings.margin, risks);
    Some(Outlook {
        cases,
        accepted_trials: design.k_baseline,
        margin: settings.margin,
        shown_margin,
        smallest_drop: smallest_drop(&design, risks),
        trials_needed: trials_needed.map(|trials| trials.ceil().max(1.0) as u64),
        floor: match design.binding() {
            Floor::Candidate => "trials",
            Floor::Baseline => "baseline",
            Floor::Cases => "cases",
        },
        with_more_history: imagine(&baselines.iter().map(twice).collect::<Vec<_>>(), settings),
        with_more_cases: imagine(&[baselines, baselines].concat(), settings),
        with_more_rounds: (settings.max_rounds < 5).then(|| imagine(baselines, &rounds)).flatten(),
        least_trials: cases,
        most_trials: cases * u64::from(settings.max_rounds) + suspects * u64::from(settings.confirm_trials),
    })
}

/// The rate that is assumed where nothing was run yet, as a share.
pub const ASSUMED_RATE: f64 = 0.9;
/// Accepted trials per case that are assumed.
pub const ASSUMED_TRIALS: u64 = 15;

/// Baselines where nothing was run yet: 15 trials of each case, nine in ten pass, and half of the variance lies between the
/// cases (rates by a beta law of 0.9 and 0.1).
pub fn assumed(cases: usize) -> Vec<Tally> {
    let rate = |at: usize| {
        let place = (at as f64 + 0.5) / cases as f64;
        beta_quantile(place, ASSUMED_RATE, 1.0 - ASSUMED_RATE).unwrap_or(ASSUMED_RATE)
    };
    let tally = |at| {
        let passed = (rate(at) * ASSUMED_TRIALS as f64).round() as u64;
        Tally { trials: ASSUMED_TRIALS, passed: passed.min(ASSUMED_TRIALS) }
    };
    (0..cases).map(tally).collect()
}

impl Outlook {
    /// What would help, the most first; empty when the margin can be shown.
    pub fn advice(&self) -> Vec<String> {
        let Some(shown) = self.shown_margin.filter(|shown| *shown > self.margin + 1e-9) else {
            return vec![];
        };
        let points = |share: f64| format!("{:.1} points", share * 100.0);
        let mut ways: Vec<(f64, String)> = [
            (self.with_more_rounds, "five rounds"),
            (self.with_more_history, "twice the accepted trials"),
            (self.with_more_cases, "twice the cases"),
        ]
        .into_iter()
        .filter_map(|(reach, way)| Some((reach?, way)))
        // Imagined runs know a margin to half a point or so.
        .filter(|(reach, _)| *reach < shown - 0.005)
        .map(|(reach, way)| (reach, format!("with {way}: {}", points(reach))))
        .collect();
        ways.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut advice: Vec<String> = ways.into_iter().map(|(_, words)| words).collect();
        if self.with_more_rounds.is_none_or(|reach| reach >= shown - 0.005) {
            let why = match self.floor {
                "baseline" => "more trials a night will not help; accept more runs or add cases",
                _ => "more rounds will not help; add cases, accept more runs, or want a wider margin",
            };
            advice.push(why.to_owned());
        }
        advice
    }
}
