//! Before a run: the smallest margin this suite can be expected to certify.

use super::settings::Settings;
use crate::stats::bootstrap::quantile;
use crate::stats::change::suite_change_interval;
use crate::stats::random::SplitMix64;
use crate::stats::{Pair, Tally};

/// Runs imagined; their tenth is known to a point or so.
const RUNS: u64 = 400;

/// The smallest margin that an unchanged suite passes nine times in ten within the rounds of `settings`, given its
/// baselines; the margin of the settings is not used.
///
/// Imagines runs of the unchanged suite: each case passes at a rate drawn from its history with one pseudo-trial at the
/// suite's mean (by an urn, so that rate and trials are drawn at once), and notes the best bound of the rounds. Applies
/// to planning; warn before money is spent when the wanted margin is smaller. Fails to see failing alarms, which are
/// rare. `None` without baselines.
pub fn certifiable_margin(baselines: &[Tally], settings: &Settings, seed: u64) -> Option<f64> {
    let known: Vec<Tally> = baselines.iter().copied().filter(|baseline| baseline.rate().is_some()).collect();
    let mean = known.iter().filter_map(|baseline| baseline.rate()).sum::<f64>() / known.len() as f64;
    let start = SplitMix64::new(seed);
    let draws = known.len() as u64 * u64::from(settings.max_rounds);
    let run = |run: u64| best_bound(&known, mean, settings, &mut start.skip(run * draws));
    let bounds: Option<Vec<f64>> = (0..RUNS).map(run).collect();
    let mut bounds = bounds.filter(|_| !known.is_empty())?;
    bounds.sort_unstable_by(f64::total_cmp);
    Some(-quantile(&bounds, 0.1)?)
}

/// The highest lower bound of the change over the rounds of one imagined run.
fn best_bound(known: &[Tally], mean: f64, settings: &Settings, rng: &mut SplitMix64) -> Option<f64> {
    let mut pairs: Vec<Pair> =
        known.iter().map(|baseline| Pair { baseline: *baseline, candidate: Tally::default() }).collect();
    let mut best = f64::NEG_INFINITY;
    for levels in settings.levels() {
        for pair in &mut pairs {
            let all = pair.baseline.plus(pair.candidate);
            let chance = (mean + all.passed as f64) / (1.0 + all.trials as f64);
            let passed = u64::from(rng.next_f64() < chance);
            pair.candidate = pair.candidate.plus(Tally { trials: 1, passed });
        }
        best = best.max(suite_change_interval(&pairs, levels.pass, settings.deff_floor)?.interval.low);
    }
    Some(best)
}
