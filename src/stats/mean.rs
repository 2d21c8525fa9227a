//! Means of case values with their standard errors: which spread counts depends on the question.
//!
//! "Did these cases get worse?" keeps the cases fixed and counts trial noise only ([`fixed_suite_se`]). "How good is it
//! on cases like these?" counts how cases differ ([`t_interval`], [`clustered_mean_ci`]).

use std::collections::BTreeMap;

use super::proportion::{standard_error, upper};
use super::special::student_t_quantile;
use super::{Interval, Tally};

/// The t interval of the mean of `values`, one per case: mean +- t sd/sqrt(n), n - 1 degrees of freedom (Student 1908).
///
/// Applies to 30 cases or more with mild skew. Fails near the edges of [0, 1], where it leaves them and covers too
/// little. `None` for fewer than two values, one that is not finite, and when all are equal: no spread was seen, which
/// does not mean that there is none.
pub fn t_interval(values: &[f64], conf: f64) -> Option<Interval> {
    if values.len() < 2 || !all_finite(values) || values.iter().all(|value| *value == values[0]) {
        return None;
    }
    let half = student_t_quantile(upper(conf)?, values.len() as f64 - 1.0)? * standard_error(values);
    let mean = mean(values)?;
    Some(Interval { low: mean - half, high: mean + half })
}

/// A mean with a standard error that knows which values belong together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClusteredMean {
    /// The mean of all values.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
    /// How many clusters there are.
    pub clusters: usize,
}

/// Whether a standard error is corrected for the finite number of clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FewClusters {
    /// Times G/(G-1) under the root: the default, as in statsmodels and Inspect.
    Corrected,
    /// As in the equation of Miller (2024), which assumes many clusters.
    Uncorrected,
}

/// The mean of `values` (cluster, value) with deviations summed by cluster before they are squared:
/// sqrt(G/(G-1) sum_g (sum_i (x_i - mean))^2) / N (Miller 2024, arXiv 2411.00640).
///
/// Applies to trials within cases, and to cases that share a cause (a seed document, a tool, a template). Fails below
/// ten clusters or so, where only the t quantile with G - 1 degrees of freedom saves it. `None` without values, with a
/// value that is not finite, and for a single cluster when corrected.
pub fn clustered_mean_se<K: Ord + Copy>(values: &[(K, f64)], few: FewClusters) -> Option<ClusteredMean> {
    let all: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    let center = mean(&all).filter(|_| all_finite(&all))?;
    let mut sums: BTreeMap<K, f64> = BTreeMap::new();
    for (cluster, value) in values {
        *sums.entry(*cluster).or_default() += value - center;
    }
    let clusters = sums.len();
    let factor = match few {
        FewClusters::Corrected if clusters < 2 => return None,
        FewClusters::Corrected => clusters as f64 / (clusters as f64 - 1.0),
        FewClusters::Uncorrected => 1.0,
    };
    let squares: f64 = sums.values().map(|sum| sum * sum).sum();
    Some(ClusteredMean { mean: center, se: (factor * squares).sqrt() / all.len() as f64, clusters })
}

/// [`clustered_mean_se`], corrected, with its t interval at G - 1 degrees of freedom. Not held within [0, 1], so that
/// a reader sees when the groups are too few to say anything. `None` for fewer than two clusters.
pub fn clustered_mean_ci<K: Ord + Copy>(values: &[(K, f64)], conf: f64) -> Option<(ClusteredMean, Interval)> {
    let found = clustered_mean_se(values, FewClusters::Corrected)?;
    let half = student_t_quantile(upper(conf)?, found.clusters as f64 - 1.0)? * found.se;
    Some((found, Interval { low: found.mean - half, high: found.mean + half }))
}

/// The standard error of the mean of case means when the cases are fixed: sqrt(sum p(1-p)/(k-1)) / n.
///
/// Applies to "did these cases change"; trial noise is all that counts. Fails as an answer about other cases. `None`
/// without cases, and when a case has fewer than two judged trials and so no spread of its own.
pub fn fixed_suite_se(cases: &[Tally]) -> Option<f64> {
    let noise: Option<Vec<f64>> =
        cases.iter().map(|case| Some(case.variance()? / case.trials as f64)).collect();
    let noise = noise.filter(|noise| !noise.is_empty())?;
    Some(noise.iter().sum::<f64>().sqrt() / noise.len() as f64)
}

/// Where the variation of trials comes from: how cases differ, or how one case differs from itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneWay {
    /// Mean square between cases.
    pub between_square: f64,
    /// Mean square within cases.
    pub within_square: f64,
    /// The number of trials per case that counts when it is unequal.
    pub k0: f64,
    /// Variance between cases; negative when noise exceeds it. Shown as 0, kept as it is.
    pub between: f64,
    /// Variance within cases.
    pub within: f64,
    /// The share of the variance that belongs to cases, ICC(1,1); `None` when nothing varies. High: failures belong to
    /// cases, mend them. Low: the agent is erratic, run more trials.
    pub icc: Option<f64>,
}

/// The one-way analysis of variance over cases with unequal numbers of trials (Shrout and Fleiss 1979).
///
/// Applies to pass and fail as 1 and 0. Fails with few cases: the ICC of 20 cases is known to +-0.2 or so. `None` for
/// fewer than two cases with trials, or when no case has a second trial.
pub fn icc_oneway(cases: &[Tally]) -> Option<OneWay> {
    let cases: Vec<Tally> = cases.iter().copied().filter(|case| case.rate().is_some()).collect();
    let (n, all) = (cases.len() as f64, cases.iter().map(|case| case.trials as f64).sum::<f64>());
    if cases.len() < 2 || all <= n {
        return None;
    }
    let grand = cases.iter().map(|case| case.passed as f64).sum::<f64>() / all;
    let (mut apart, mut inside, mut squares) = (0.0, 0.0, 0.0);
    for case in &cases {
        let (rate, trials) = (case.rate()?, case.trials as f64);
        apart += trials * (rate - grand).powi(2);
        inside += trials * rate * (1.0 - rate);
        squares += trials * trials;
    }
    let (between_square, within_square) = (apart / (n - 1.0), inside / (all - n));
    let k0 = (all - squares / all) / (n - 1.0);
    let between = (between_square - within_square) / k0;
    let total = between + within_square;
    let icc = (between_square > 0.0 || within_square > 0.0)
        .then_some(between / total)
        .filter(|icc| icc.is_finite());
    Some(OneWay { between_square, within_square, k0, between, within: within_square, icc })
}

/// The mean in the order given; `None` without values.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample variance, n - 1 below; `None` for fewer than two values.
pub(super) fn variance(values: &[f64]) -> Option<f64> {
    let center = mean(values).filter(|_| values.len() > 1)?;
    Some(values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0))
}

pub(super) fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_data_is_undefined() {
        assert_eq!(t_interval(&[1.0], 0.95), None);
        assert_eq!(t_interval(&[1.0, f64::NAN], 0.95), None);
        assert_eq!(clustered_mean_se(&[(0, 1.0), (0, 0.0)], FewClusters::Corrected), None);
        assert_eq!(clustered_mean_ci::<u8>(&[], 0.95), None);
        assert_eq!(fixed_suite_se(&[]), None);
        assert_eq!(fixed_suite_se(&[Tally { trials: 1, passed: 1 }]), None);
        assert_eq!(icc_oneway(&[Tally { trials: 3, passed: 1 }]), None);
        assert_eq!(icc_oneway(&[Tally { trials: 1, passed: 1 }; 4]), None);
    }

    #[test]
    fn a_suite_that_never_varies_has_no_icc() {
        let all_pass = icc_oneway(&[Tally { trials: 3, passed: 3 }; 4]).expect("defined");
        assert_eq!((all_pass.icc, all_pass.between), (None, 0.0));
    }

    #[test]
    fn failures_that_belong_to_cases_have_an_icc_of_one() {
        let cases = [Tally { trials: 3, passed: 3 }, Tally { trials: 3, passed: 0 }];
        assert_eq!(icc_oneway(&cases).and_then(|found| found.icc), Some(1.0));
    }
}
