//! Charts against a slow slide, and where it began.

use super::mean::all_finite;

/// A chart with the place of its first alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The value after each observation.
    pub path: Vec<f64>,
    /// The first observation, from 0, at which it raised the alarm.
    pub alarm: Option<usize>,
}

impl Chart {
    fn of(path: Vec<f64>, height: f64) -> Self {
        let alarm = path.iter().position(|value| *value >= height);
        Self { path, alarm }
    }
}

/// What a downward chart of standardised values is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CusumSettings {
    /// Half the shift to look for, in standard deviations; 0.5 by default.
    pub slack: f64,
    /// The height of the alarm; 5 by default: a false alarm every 910 nights or so.
    pub height: f64,
}

/// The one-sided tabular CUSUM towards "lower": S = max(0, S + (mu - x)/sigma - k) (Page 1954).
///
/// Applies to nightly means against a pinned baseline; sees a shift of one sigma in ten nights. Fails when sigma leaves
/// out the variance between nights. `None` unless sigma > 0 and all values are finite.
pub fn tabular_cusum_low(values: &[f64], mu: f64, sigma: f64, settings: CusumSettings) -> Option<Chart> {
    if !(sigma > 0.0 && all_finite(&[mu, sigma, settings.slack, settings.height]) && all_finite(values)) {
        return None;
    }
    let mut sum = 0.0_f64;
    let path = values.iter().map(|value| {
        sum = (sum + (mu - value) / sigma - settings.slack).max(0.0);
        sum
    });
    Some(Chart::of(path.collect(), settings.height))
}

/// The CUSUM of failures of one case: log likelihood ratios of the failure rate `p1` against `p0`, never below 0
/// (Page 1954).
///
/// Applies to streaks of single trials. `None` unless both rates lie within (0, 1) and differ.
pub fn bernoulli_cusum(failed: &[bool], p0: f64, p1: f64, height: f64) -> Option<Chart> {
    let inside = |p: f64| p > 0.0 && p < 1.0;
    if !inside(p0) || !inside(p1) || p0 == p1 || !height.is_finite() {
        return None;
    }
    let (fail, pass) = ((p1 / p0).ln(), ((1.0 - p1) / (1.0 - p0)).ln());
    let mut sum = 0.0_f64;
    let path = failed.iter().map(|failed| {
        sum = (sum + if *failed { fail } else { pass }).max(0.0);
        sum
    });
    Some(Chart::of(path.collect(), height))
}

/// An exponentially weighted moving average with its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Ewma {
    /// The average after each observation.
    pub path: Vec<f64>,
    /// The lower limit at each observation.
    pub lower: Vec<f64>,
    /// The upper limit at each observation.
    pub upper: Vec<f64>,
    /// The first observation, from 0, outside the limits.
    pub alarm: Option<usize>,
}

/// What an average is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EwmaSettings {
    /// The weight of the newest value; 0.2 by default.
    pub weight: f64,
    /// The limits in standard deviations; 2.7 by default: a false alarm every 460 nights or so.
    pub limit: f64,
}

/// The exponentially weighted moving average (Roberts 1959) with exact limits, which widen from the first observation.
///
/// Applies to nightly means; sees a shift of one sigma in eight nights. Fails like the CUSUM. `None` unless sigma > 0
/// and 0 < weight <= 1.
pub fn ewma(values: &[f64], mu: f64, sigma: f64, settings: EwmaSettings) -> Option<Ewma> {
    let EwmaSettings { weight, limit } = settings;
    let sound = sigma > 0.0 && weight > 0.0 && weight <= 1.0 && limit >= 0.0;
    if !sound || !all_finite(&[mu, sigma, limit]) || !all_finite(values) {
        return None;
    }
    let mut average = mu;
    let path: Vec<f64> = values
        .iter()
        .map(|value| {
            average = weight * value + (1.0 - weight) * average;
            average
        })
        .collect();
    let reach = |at: usize| {
        let forgotten = (1.0 - weight).powf(2.0 * (at + 1) as f64);
        limit * sigma * (weight / (2.0 - weight) * (1.0 - forgotten)).sqrt()
    };
    let lower: Vec<f64> = (0..path.len()).map(|at| mu - reach(at)).collect();
    let upper: Vec<f64> = (0..path.len()).map(|at| mu + reach(at)).collect();
    let alarm = (0..path.len()).find(|at| path[*at] < lower[*at] || path[*at] > upper[*at]);
    Some(Ewma { path, lower, upper, alarm })
}

/// The likeliest start of a shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first observation, from 0, after the shift.
    pub from: usize,
    /// Twice the log likelihood ratio of two rates against one.
    pub two_llr: f64,
}

/// Where a failure rate most likely changed: the split of nights (failed, trials) with the largest likelihood ratio
/// (Hinkley 1970). Of equal splits, the first.
///
/// A locator, not a test: its maximum is not a chi-square. `None` for fewer than two nights, a night without trials or
/// with more failures than trials.
pub fn changepoint_bernoulli(nights: &[(u64, u64)]) -> Option<ChangePoint> {
    let sound = nights.iter().all(|(failed, trials)| *trials > 0 && failed <= trials);
    if nights.len() < 2 || !sound {
        return None;
    }
    let count = |part: &[(u64, u64)]| {
        part.iter().fold((0.0, 0.0), |sum, night| (sum.0 + night.0 as f64, sum.1 + night.1 as f64))
    };
    let whole = count(nights);
    let mut before = (0.0, 0.0);
    let mut best: Option<ChangePoint> = None;
    for (at, night) in nights.iter().enumerate().take(nights.len() - 1) {
        before = (before.0 + night.0 as f64, before.1 + night.1 as f64);
        let after = (whole.0 - before.0, whole.1 - before.1);
        let gain = 2.0 * (log_likelihood(before) + log_likelihood(after) - log_likelihood(whole));
        if best.is_none_or(|best| gain > best.two_llr) {
            best = Some(ChangePoint { from: at + 1, two_llr: gain });
        }
    }
    best.map(|best| ChangePoint { two_llr: best.two_llr.max(0.0), ..best })
}

/// The log likelihood of `failed` among `trials` at the observed rate.
fn log_likelihood((failed, trials): (f64, f64)) -> f64 {
    let term = |count: f64| if count > 0.0 { count * (count / trials).ln() } else { 0.0 };
    term(failed) + term(trials - failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSUM: CusumSettings = CusumSettings { slack: 0.5, height: 5.0 };
    const EWMA: EwmaSettings = EwmaSettings { weight: 0.2, limit: 2.7 };

    #[test]
    fn nonsense_is_undefined() {
        assert_eq!(tabular_cusum_low(&[0.9], 0.9, 0.0, CUSUM), None);
        assert_eq!(ewma(&[0.9], 0.9, 0.01, EwmaSettings { weight: 0.0, ..EWMA }), None);
        assert_eq!(bernoulli_cusum(&[true], 0.1, 0.1, 2.0), None);
        assert_eq!(changepoint_bernoulli(&[(1, 2)]), None);
        assert_eq!(changepoint_bernoulli(&[(1, 2), (0, 0)]), None);
    }

    #[test]
    fn a_quiet_series_raises_no_alarm_and_a_fallen_one_does() {
        let (quiet, fallen) = ([0.9; 20], [0.85; 20]);
        let cusum =
            |values: &[f64]| tabular_cusum_low(values, 0.9, 0.02, CUSUM).and_then(|chart| chart.alarm);
        assert_eq!(cusum(&quiet), None);
        assert_eq!(cusum(&fallen), Some(2));
        let average = |values: &[f64]| ewma(values, 0.9, 0.02, EWMA).and_then(|chart| chart.alarm);
        assert_eq!(average(&quiet), None);
        assert_eq!(average(&fallen), Some(1));
    }

    #[test]
    fn nights_that_never_fail_have_no_shift() {
        assert_eq!(changepoint_bernoulli(&[(0, 5); 3]).map(|found| found.two_llr), Some(0.0));
    }
}
