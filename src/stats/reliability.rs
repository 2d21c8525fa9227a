//! pass@k and pass^k: could one of k tries succeed, would all of them.

use super::Tally;
use super::proportion::standard_error;

/// pass@k: the chance that at least one of k tries passes, 1 - C(n-c, k)/C(n, k) (Chen et al. 2021, arXiv 2107.03374).
///
/// Unbiased for k <= n. Applies where somebody picks the good answer among k; not a measure of regression. Fails by
/// flattering: a model that is right one time in five looks good at k = 10. `None` for k = 0, k > n or c > n.
pub fn pass_at_k(tally: Tally, k: u64) -> Option<f64> {
    let failed = tally.trials.checked_sub(tally.passed)?;
    Some(1.0 - draws(failed, tally.trials, k)?)
}

/// pass^k: the chance that k tries in a row all pass, C(c, k)/C(n, k) (Yao et al. 2024, arXiv 2406.12045).
///
/// Unbiased for k <= n. The headline of reliability: k users in a row are served. Fails when the power of an average
/// rate is reported instead, which understates it when cases differ. `None` for k = 0, k > n or c > n.
pub fn pass_hat_k(tally: Tally, k: u64) -> Option<f64> {
    draws(tally.passed, tally.trials, k)
}

/// C(c, k)/C(n, k): the chance that k draws without replacement all hit one of `c` among `n`.
fn draws(c: u64, n: u64, k: u64) -> Option<f64> {
    if k == 0 || k > n || c > n {
        return None;
    }
    Some((0..k).map(|i| c.saturating_sub(i) as f64 / (n - i) as f64).product())
}

/// The estimate of pass^k for k beyond the trials run: the posterior mean
/// B(a + c + k, b + n - c)/B(a + c, b + n - c) under a Beta(a, b) prior.
///
/// Applies when k > n, labelled "projected". Fails by leaning on the prior the further k is from n. `None` for k = 0,
/// c > n or a prior that is not positive.
pub fn posterior_pass_hat_k(tally: Tally, k: u64, [a, b]: [f64; 2]) -> Option<f64> {
    let failed = tally.trials.checked_sub(tally.passed)? as f64;
    if k == 0 || k > 10_000 || !(a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite()) {
        return None;
    }
    let (hits, all) = (a + tally.passed as f64, a + b + tally.passed as f64 + failed);
    // B(x + k, y)/B(x, y) is the product of (x + i)/(x + y + i), i < k: no logarithms, no cancellation.
    Some((0..k).map(|i| (hits + i as f64) / (all + i as f64)).product())
}

/// pass^k of a suite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuiteReliability {
    /// The mean over cases.
    pub mean: f64,
    /// The standard error over cases; `None` for a single case.
    pub se: Option<f64>,
    /// Cases with at least k judged trials; the others say nothing about k.
    pub cases: u64,
}

/// pass^k of a suite: the mean of the cases' own values, over cases with at least k judged trials.
///
/// Applies with equal numbers of trials. Fails when cases that lost trials to faults differ from the rest, so reports
/// print how many cases it rests on. `None` when no case has k judged trials.
pub fn suite_pass_hat_k(cases: &[Tally], k: u64) -> Option<SuiteReliability> {
    let values: Vec<f64> = cases.iter().filter_map(|case| pass_hat_k(*case, k)).collect();
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let se = (values.len() > 1).then(|| standard_error(&values));
    Some(SuiteReliability { mean, se, cases: values.len() as u64 })
}

/// Reliability for k = 1, 2, ...: how fast trust fades, and how far picking would help.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// pass@k at index k - 1.
    pub pass_at: Vec<f64>,
    /// pass^k at index k - 1.
    pub pass_hat: Vec<f64>,
}

/// The curve up to the smallest number of judged trials of any case, so that every point rests on every case. Empty
/// when a case has none.
pub fn reliability_curve(cases: &[Tally]) -> Curve {
    let longest = cases.iter().map(|case| case.trials).min().unwrap_or(0);
    let mean = |value: fn(Tally, u64) -> Option<f64>, k| {
        let values: Option<Vec<f64>> = cases.iter().map(|case| value(*case, k)).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    Curve {
        pass_at: (1..=longest).map_while(|k| mean(pass_at_k, k)).collect(),
        pass_hat: (1..=longest).map_while(|k| mean(pass_hat_k, k)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tries_than_trials_are_undefined() {
        let tally = Tally { trials: 3, passed: 3 };
        assert_eq!(pass_at_k(tally, 4), None);
        assert_eq!(pass_hat_k(tally, 4), None);
        assert_eq!(pass_hat_k(tally, 0), None);
        assert_eq!(pass_hat_k(Tally { trials: 1, passed: 2 }, 1), None);
        assert_eq!(suite_pass_hat_k(&[tally], 4), None);
        assert_eq!(reliability_curve(&[]).pass_hat, Vec::<f64>::new());
    }

    #[test]
    fn a_case_without_enough_trials_does_not_count_as_zero() {
        let cases = [Tally { trials: 3, passed: 3 }, Tally { trials: 2, passed: 2 }];
        let suite = suite_pass_hat_k(&cases, 3).expect("one case has three trials");
        assert_eq!((suite.mean, suite.cases), (1.0, 1));
    }
}
