//! The shift-aware interval for the change of a fixed suite: the "not worse by more than" side of the gate.

use super::proportion::score_interval;
use super::special::norm_quantile;
use super::{Interval, Pair, Tally};

/// The change of a suite's rate between two arms of the same cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuiteChange {
    /// Candidate minus baseline, each the mean of its case means.
    pub diff: f64,
    /// The baseline's mean of case means.
    pub baseline: f64,
    /// The candidate's.
    pub candidate: f64,
    /// The share of binomial variance that is trial noise in the baseline; cases that are sure make it small.
    pub baseline_deff: f64,
    /// The same for the candidate, if its loss were spread over all trials.
    pub candidate_deff: f64,
    /// The interval; each end is a bound at the one-sided confidence.
    pub interval: Interval,
}

/// The change of a fixed suite with its interval.
///
/// Formula: Wilson's bound per arm at N/deff effective trials, N = n x the harmonic mean of trials per case, joined by
/// MOVER (Zou and Donner 2008): low = d - sqrt((p_c - l_c)^2 + (u_b - p_b)^2), high likewise. The baseline's deff is
/// its mean variance within cases over p_b(1 - p_b), held in [`deff_floor`, 1]. The candidate's is what it would be if
/// the loss were spread over all trials, f = WilsonLower(p_c)/p_b in [0, 1]: v_c = f p_b (1 - f) + f^2 v_b, because
/// cases that never failed before now can; the pooled variance within cases covers 74 to 90 % there.
///
/// Applies to the gate, on cases with trials in both arms; `conf` is per bound, 0.975 for the two-sided interval that
/// people see. Fails for questions about other cases. `None` without cases, when a case lacks trials in an arm, and
/// unless 1/2 <= conf < 1 and 0 < floor <= 1.
pub fn suite_change_interval(pairs: &[Pair], conf: f64, deff_floor: f64) -> Option<SuiteChange> {
    let sound = (0.5..1.0).contains(&conf) && deff_floor > 0.0 && deff_floor <= 1.0;
    if !sound {
        return None;
    }
    let z = norm_quantile(conf)?;
    let before = Arm::of(pairs.iter().map(|pair| pair.baseline))?;
    let now = Arm::of(pairs.iter().map(|pair| pair.candidate))?;
    let deff = |noise: f64, rate: f64| {
        let binomial = rate * (1.0 - rate);
        if binomial > 0.0 { (noise / binomial).clamp(deff_floor, 1.0) } else { 1.0 }
    };
    let (p, q) = (before.rate, now.rate);
    let baseline_deff = deff(before.noise, p);
    let kept = if p > 0.0 { (score_interval(q, now.trials, z)?.low / p).clamp(0.0, 1.0) } else { 1.0 };
    let candidate_deff = deff(kept * p * (1.0 - kept) + kept * kept * before.noise, kept * p);
    let base = score_interval(p, before.trials / baseline_deff, z)?;
    let cand = score_interval(q, now.trials / candidate_deff, z)?;
    let diff = q - p;
    let interval = Interval {
        low: diff - (q - cand.low).hypot(base.high - p),
        high: diff + (cand.high - q).hypot(p - base.low),
    };
    Some(SuiteChange { diff, baseline: p, candidate: q, baseline_deff, candidate_deff, interval })
}

struct Arm {
    rate: f64,
    /// n x the harmonic mean of trials per case.
    trials: f64,
    /// The mean variance of a trial within its case; that of a binomial when no case has a second trial.
    noise: f64,
}

impl Arm {
    fn of(cases: impl Iterator<Item = Tally>) -> Option<Self> {
        let (mut n, mut rates, mut inverse) = (0.0, 0.0, 0.0);
        let (mut noise, mut repeated) = (0.0, 0.0);
        for case in cases {
            n += 1.0;
            rates += case.rate()?;
            inverse += 1.0 / case.trials as f64;
            if let Some(variance) = case.variance() {
                noise += variance;
                repeated += 1.0;
            }
        }
        if n == 0.0 {
            return None;
        }
        let rate = (rates / n).clamp(0.0, 1.0);
        let noise = if repeated > 0.0 { noise / repeated } else { rate * (1.0 - rate) };
        Some(Self { rate, trials: n * n / inverse, noise })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(baseline: [u64; 2], candidate: [u64; 2]) -> Pair {
        let tally = |[passed, trials]: [u64; 2]| Tally { trials, passed };
        Pair { baseline: tally(baseline), candidate: tally(candidate) }
    }

    #[test]
    fn a_case_without_trials_makes_it_undefined() {
        assert_eq!(suite_change_interval(&[], 0.95, 0.05), None);
        assert_eq!(suite_change_interval(&[pair([1, 1], [0, 0])], 0.95, 0.05), None);
        assert_eq!(suite_change_interval(&[pair([1, 1], [1, 1])], 0.4, 0.05), None);
    }

    #[test]
    fn a_suite_that_always_failed_and_now_passes_has_an_interval() {
        let change = suite_change_interval(&[pair([0, 5], [3, 3]); 10], 0.95, 0.05).expect("trials");
        assert_eq!(change.diff, 1.0);
        assert!(change.interval.low > 0.8 && change.interval.high >= 1.0, "{change:?}");
    }
}
