//! Intervals for a rate of passes. `conf` is the two-sided confidence, for example 0.95.

use super::special::{beta_quantile, norm_quantile, student_t_quantile};
use super::{Interval, Tally};

/// Wilson's score interval for `x` passes in `n` independent trials (Wilson 1927).
///
/// Formula: (p + q^2/2n +- q sqrt(p(1-p)/n + q^2/4n^2)) / (1 + q^2/n) with the normal quantile q. Never leaves [0, 1]
/// and stays sane at 0/n and n/n, so it is the default for a single case. Fails when trials are not independent, for
/// example several trials of several cases pooled: use [`suite_rate`] there. `None` for n = 0 or x > n.
pub fn wilson(x: u64, n: u64, conf: f64) -> Option<Interval> {
    let p = (Tally { trials: n, passed: x }).rate()?;
    wilson_neff(p, n as f64, conf)
}

/// Wilson's interval for a rate `p` worth `n_eff` independent trials, which need not be a whole number.
///
/// Applies when a design effect has shrunk the number of trials. Fails like any interval when `n_eff` is guessed.
/// `None` unless 0 <= p <= 1 and n_eff > 0.
pub fn wilson_neff(p: f64, n_eff: f64, conf: f64) -> Option<Interval> {
    score_interval(p, n_eff, norm_quantile(upper(conf)?)?)
}

/// Wilson's formula at any quantile.
pub(super) fn score_interval(p: f64, n: f64, quantile: f64) -> Option<Interval> {
    let defined = (0.0..=1.0).contains(&p) && n > 0.0 && n.is_finite() && quantile.is_finite();
    if !defined {
        return None;
    }
    let q2 = quantile * quantile;
    let middle = (p + q2 / (2.0 * n)) / (1.0 + q2 / n);
    let half = quantile * (p * (1.0 - p) / n + q2 / (4.0 * n * n)).sqrt() / (1.0 + q2 / n);
    // At the edges the end equals the edge in exact arithmetic.
    let low = if p == 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if p == 1.0 { 1.0 } else { (middle + half).min(1.0) };
    Some(Interval { low, high })
}

/// The exact interval of Clopper and Pearson (1934): at least `conf` coverage whatever the true rate.
///
/// Formula: beta quantiles B(a/2; x, n-x+1) and B(1-a/2; x+1, n-x). Applies where a guarantee is needed (security,
/// access); also valid for fixed cases of unlike difficulty (Hoeffding 1956). Fails by being wide: conservative. `None`
/// for n = 0 or x > n.
pub fn clopper_pearson(x: u64, n: u64, conf: f64) -> Option<Interval> {
    if n == 0 || x > n {
        return None;
    }
    let (upper, x, n) = (upper(conf)?, x as f64, n as f64);
    let low = if x == 0.0 { 0.0 } else { beta_quantile(1.0 - upper, x, n - x + 1.0)? };
    let high = if x == n { 1.0 } else { beta_quantile(upper, x + 1.0, n - x)? };
    Some(Interval { low, high })
}

/// The Jeffreys interval: the posterior under a Beta(1/2, 1/2) prior, with the edge rule of Brown, Cai and DasGupta
/// (2001): x = 0 gives a lower end of 0, x = n an upper end of 1.
///
/// Short and near its level on average; fails the level for single true rates. `None` for n = 0 or x > n.
pub fn jeffreys(x: u64, n: u64, conf: f64) -> Option<Interval> {
    let Interval { low, high } = beta_credible(x, n, [0.5, 0.5], conf).filter(|_| n > 0)?;
    Some(Interval { low: if x == 0 { 0.0 } else { low }, high: if x == n { 1.0 } else { high } })
}

/// The central credible interval of Beta(a + x, b + n - x) for the prior `[a, b]`; `[1, 1]` is uniform.
///
/// Applies when a statement of belief is wanted (Bowyer, Aitchison and Ivanova 2025, arXiv 2503.01747). Fails when the
/// prior carries more weight than the data. `None` for x > n or a prior that is not positive.
pub fn beta_credible(x: u64, n: u64, [a, b]: [f64; 2], conf: f64) -> Option<Interval> {
    let (x, misses, upper) = (x as f64, n.checked_sub(x)? as f64, upper(conf)?);
    let quantile = |p| beta_quantile(p, a + x, b + misses);
    Some(Interval { low: quantile(1.0 - upper)?, high: quantile(upper)? })
}

/// How often something could still fail that never failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NeverFailed {
    /// The exact one-sided upper bound of the failure rate.
    pub upper: f64,
    /// The rule of thumb 3/n, good at 95 % for n above 30 or so.
    pub rule_of_thumb: f64,
}

/// The upper bound of the failure rate after `n` passes and no failure: 1 - (1 - conf)^(1/n) (Hanley and
/// Lippman-Hand 1983).
///
/// Applies to a clean sheet; with any failure use an interval. `None` for n = 0.
pub fn rule_of_three(n: u64, conf: f64) -> Option<NeverFailed> {
    upper(conf).filter(|_| n > 0)?;
    let n = n as f64;
    // -expm1(ln(a)/n) keeps its digits where 1 - a^(1/n) would lose them.
    Some(NeverFailed { upper: -((1.0 - conf).ln() / n).exp_m1(), rule_of_thumb: 3.0 / n })
}

/// The pass rate of a suite, as its headline shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SuiteRate {
    /// The mean of the case means: each case counts once, whatever its number of trials.
    pub rate: f64,
    /// The standard error over cases; `None` for a single case.
    pub se: Option<f64>,
    /// How many independent trials the data are worth; `None` for a single case.
    pub n_eff: Option<f64>,
    /// The interval; `None` for a single case, which says nothing about how cases differ.
    pub interval: Option<Interval>,
    /// Cases with a judged trial.
    pub cases: u64,
}

/// The pass rate of a suite with Wilson's interval at the effective number of trials.
///
/// Formula: n_eff = N / deff, deff = SE^2 N / (p(1-p)) held within [1, N/n], with SE = sd(case means)/sqrt(n) over n
/// cases and N judged trials, and a t quantile with n - 1 degrees of freedom in Wilson's formula. At p = 0 or 1 the
/// spread says nothing, so every case counts once (n_eff = n). Applies when cases stand for the questions users ask and
/// trials of a case resemble each other, where pooling trials as independent would promise too much. Fails with very
/// few cases by being very wide, and when cases come in groups that share a cause. `None` without any judged trial.
pub fn suite_rate(cases: &[Tally], conf: f64) -> Option<SuiteRate> {
    let means: Vec<f64> = cases.iter().filter_map(|case| case.rate()).collect();
    let judged: u64 = cases.iter().filter(|case| case.rate().is_some()).map(|case| case.trials).sum();
    let (n, all) = (means.len() as f64, judged as f64);
    if means.is_empty() {
        return None;
    }
    let rate = (means.iter().sum::<f64>() / n).clamp(0.0, 1.0);
    let single = SuiteRate { rate, se: None, n_eff: None, interval: None, cases: means.len() as u64 };
    if means.len() == 1 {
        return Some(single);
    }
    let se = standard_error(&means);
    let spread = rate * (1.0 - rate);
    let per_case = all / n;
    let deff = if spread > 0.0 { (se * se * all / spread).clamp(1.0, per_case) } else { per_case };
    let n_eff = all / deff;
    let interval = score_interval(rate, n_eff, student_t_quantile(upper(conf)?, n - 1.0)?);
    Some(SuiteRate { se: Some(se), n_eff: Some(n_eff), interval, ..single })
}

/// sd/sqrt(n) of at least two values.
pub(super) fn standard_error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (n - 1.0) / n).sqrt()
}

/// The upper probability of a two-sided level.
pub(super) fn upper(conf: f64) -> Option<f64> {
    (conf > 0.0 && conf < 1.0).then(|| 0.5 + conf / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_judged_is_undefined() {
        assert_eq!(wilson(0, 0, 0.95), None);
        assert_eq!(wilson(2, 1, 0.95), None);
        assert_eq!(clopper_pearson(0, 0, 0.95), None);
        assert_eq!(jeffreys(0, 0, 0.95), None);
        assert_eq!(beta_credible(2, 1, [1.0, 1.0], 0.95), None);
        assert_eq!(rule_of_three(0, 0.95), None);
        assert_eq!(suite_rate(&[Tally { trials: 0, passed: 0 }], 0.95), None);
        assert_eq!(wilson(1, 2, 1.0), None);
    }

    #[test]
    fn one_case_has_a_rate_and_no_interval() {
        let rate = suite_rate(&[Tally { trials: 3, passed: 2 }], 0.95).expect("judged");
        assert_eq!((rate.rate, rate.interval), (2.0 / 3.0, None));
    }

    #[test]
    fn perfect_suites_count_each_case_once() {
        let perfect = vec![Tally { trials: 5, passed: 5 }; 20];
        let rate = suite_rate(&perfect, 0.95).expect("judged");
        assert_eq!(rate.n_eff, Some(20.0));
        assert_eq!(rate.interval.map(|i| i.high), Some(1.0));
    }

    #[test]
    fn alike_cases_are_worth_all_their_trials_and_unlike_ones_less() {
        let alike = vec![Tally { trials: 4, passed: 2 }; 10];
        let unlike: Vec<Tally> = (0..10).map(|i| Tally { trials: 4, passed: 4 * (i % 2) }).collect();
        assert_eq!(suite_rate(&alike, 0.95).and_then(|r| r.n_eff), Some(40.0));
        assert_eq!(suite_rate(&unlike, 0.95).and_then(|r| r.n_eff), Some(10.0));
    }
}
