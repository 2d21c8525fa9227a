//! Where the next trials help most, from history only: this run's own results would bias it.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A case that could get one more trial, ordered by how much that helps; of equals, the first.
#[derive(PartialEq)]
struct Offer {
    gain: f64,
    at: usize,
}

impl Eq for Offer {}

impl Ord for Offer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What one more trial takes off v/k.
fn gain(variance: f64, trials: u64) -> f64 {
    let k = trials as f64;
    if variance == 0.0 { 0.0 } else { variance / (k * (k + 1.0)) }
}

/// More trials than this are refused.
const MOST_TRIALS: u64 = 100_000_000;

/// How many of `total` trials each case gets so that the sum of v/k is smallest: one at a time to the largest
/// v/(k(k+1)), which is the exact optimum over whole numbers; each case has `minimum` first.
///
/// Applies to estimating a rate with variances from history. Fails for a gate, where breakage shows in cases that used
/// to be certain. `None` without cases, with a variance that is negative or not finite, and when the minimum exceeds
/// the total.
pub fn greedy_allocation(variances: &[f64], total: u64, minimum: u64) -> Option<Vec<u64>> {
    let sound = variances.iter().all(|variance| *variance >= 0.0 && variance.is_finite());
    let rest = total.checked_sub(minimum.checked_mul(variances.len() as u64)?)?;
    if variances.is_empty() || !sound || total > MOST_TRIALS {
        return None;
    }
    let mut trials = vec![minimum; variances.len()];
    let mut offers: BinaryHeap<Offer> =
        variances.iter().enumerate().map(|(at, v)| Offer { gain: gain(*v, minimum), at }).collect();
    for _ in 0..rest {
        let Offer { at, .. } = offers.pop()?;
        trials[at] += 1;
        offers.push(Offer { gain: gain(variances[at], trials[at]), at });
    }
    Some(trials)
}

/// The variance of a trial of a case with `passed` of `trials` in history, shrunk by one pseudo-trial at the suite's
/// mean: the posterior mean of p(1-p) under Beta(mu, 1 - mu).
///
/// Applies to planning trials: no case is taken for certain. `None` for passed > trials or a mean outside [0, 1].
pub fn shrunk_case_variance(passed: u64, trials: u64, suite_mean: f64) -> Option<f64> {
    let failed = trials.checked_sub(passed)? as f64;
    if !(0.0..=1.0).contains(&suite_mean) {
        return None;
    }
    let (a, b) = (suite_mean + passed as f64, 1.0 - suite_mean + failed);
    Some(a * b / ((a + b) * (a + b + 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_below_the_minimum_is_undefined() {
        assert_eq!(greedy_allocation(&[0.1, 0.1], 1, 1), None);
        assert_eq!(greedy_allocation(&[], 1, 0), None);
        assert_eq!(greedy_allocation(&[f64::NAN], 1, 1), None);
        assert_eq!(shrunk_case_variance(2, 1, 0.5), None);
    }

    #[test]
    fn without_a_minimum_every_case_that_varies_gets_one_first() {
        assert_eq!(greedy_allocation(&[0.01, 0.0, 0.25], 3, 0), Some(vec![1, 0, 2]));
    }
}
