//! Bootstrap over cases or groups of cases, never over trials. Replicates are drawn from one SplitMix64 stream in
//! order, n draws each, and each worker jumps to its place in it, so the numbers do not depend on the machine.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::Interval;
use super::mean::{all_finite, mean};
use super::proportion::upper;
use super::random::SplitMix64;
use super::special::{norm_quantile, normal};

/// How a bootstrap draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// How many replicates; 2000 is the default of reports.
    pub replicates: usize,
    /// Where the stream of chance begins.
    pub seed: u64,
}

/// More replicates than this are refused: they would take memory and no longer change a digit anyone reads.
const MOST_REPLICATES: usize = 10_000_000;

/// The means of `replicates` samples of `values` with replacement (Efron 1979), in the order drawn.
///
/// Applies to case means of any distribution. Fails below ten values, where the samples repeat each other. `None`
/// without values or replicates, or with a value that is not finite.
pub fn bootstrap_means(values: &[f64], resampling: Resampling) -> Option<Vec<f64>> {
    if values.is_empty() || !all_finite(values) {
        return None;
    }
    replicate(values.len(), resampling, |rng| {
        let sum: f64 = (0..values.len()).map(|_| values[rng.index(values.len())]).sum();
        sum / values.len() as f64
    })
}

/// The means of samples of whole clusters: G clusters are drawn, in ascending order of their keys, and all their
/// values count.
///
/// Applies when cases share a cause. Fails below ten clusters: use the t interval with G - 1 degrees of freedom.
pub fn cluster_bootstrap_means<K: Ord + Copy>(
    values: &[(K, f64)],
    resampling: Resampling,
) -> Option<Vec<f64>> {
    let mut clusters: BTreeMap<K, (f64, f64)> = BTreeMap::new();
    for (cluster, value) in values {
        let (sum, count) = clusters.entry(*cluster).or_default();
        *sum += value;
        *count += 1.0;
    }
    let clusters: Vec<(f64, f64)> = clusters.into_values().collect();
    if clusters.is_empty() || clusters.iter().any(|(sum, _)| !sum.is_finite()) {
        return None;
    }
    replicate(clusters.len(), resampling, |rng| {
        let (mut sum, mut count) = (0.0, 0.0);
        for _ in 0..clusters.len() {
            let drawn = clusters[rng.index(clusters.len())];
            sum += drawn.0;
            count += drawn.1;
        }
        sum / count
    })
}

fn replicate(
    draws: usize,
    resampling: Resampling,
    one: impl Fn(&mut SplitMix64) -> f64 + Sync,
) -> Option<Vec<f64>> {
    let Resampling { replicates, seed } = resampling;
    if replicates == 0 || replicates > MOST_REPLICATES {
        return None;
    }
    let start = SplitMix64::new(seed);
    let drawn = |at: usize| one(&mut start.skip(at as u64 * draws as u64));
    Some((0..replicates).into_par_iter().with_min_len(256).map(drawn).collect())
}

/// The `p` quantile of `sorted` values with linear interpolation (type 7 of Hyndman and Fan 1996). `None` without
/// values or outside 0 <= p <= 1.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) {
        return None;
    }
    let at = p * (sorted.len().checked_sub(1)?) as f64;
    let low = sorted.get(at.floor() as usize)?;
    let high = sorted.get(at.ceil() as usize)?;
    Some(low + (high - low) * (at - at.floor()))
}

/// The percentile interval of sum(a) / sum(b) over pairs (a, b), whole pairs drawn (Efron 1979).
///
/// Applies to ratios whose both halves vary from case to case, such as dollars per passing case. Fails below ten pairs.
/// The upper end is `None` when a draw without any b lies inside the interval: no finite number is sure enough then.
/// `None` without pairs, with a value that is negative or not finite, and when the b of all pairs add up to nothing.
pub fn ratio_interval(pairs: &[(f64, f64)], resampling: Resampling, conf: f64) -> Option<(f64, Option<f64>)> {
    let usable = |value: f64| value.is_finite() && value >= 0.0;
    if pairs.len() < 2 || !pairs.iter().all(|(a, b)| usable(*a) && usable(*b)) {
        return None;
    }
    if pairs.iter().all(|(_, b)| *b == 0.0) {
        return None;
    }
    let mut ratios = replicate(pairs.len(), resampling, |rng| {
        let (mut above, mut below) = (0.0, 0.0);
        for _ in 0..pairs.len() {
            let (a, b) = pairs[rng.index(pairs.len())];
            above += a;
            below += b;
        }
        if below > 0.0 { above / below } else { f64::INFINITY }
    })?;
    ratios.sort_unstable_by(f64::total_cmp);
    let upper = upper(conf)?;
    // Between a finite and an infinite value there is no line to interpolate on.
    let at = |p: f64| quantile(&ratios, p).filter(|ratio| ratio.is_finite());
    Some((at(1.0 - upper)?, at(upper)))
}

/// A bias-corrected and accelerated bootstrap interval, with everything needed to check it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bca {
    /// How far the median of the replicates lies from the estimate, in standard deviations.
    pub bias: f64,
    /// How fast the spread changes with the estimate.
    pub acceleration: f64,
    /// The levels at which the replicates are read.
    pub levels: [f64; 2],
    /// The interval.
    pub interval: Interval,
}

/// The BCa interval of a mean (Efron 1987): quantiles of the bootstrap means at levels moved by bias and skew.
///
/// Applies to scores in [0, 1] and other bounded values over ten cases or more. Fails below that by being noisier than
/// t. `None` for fewer than two values, when all are equal (show the point and say so), and when every replicate lies
/// on one side of the estimate.
pub fn bca_interval(values: &[f64], resampling: Resampling, conf: f64) -> Option<Bca> {
    let n = values.len() as f64;
    if values.len() < 2 || values.iter().all(|value| *value == values[0]) {
        return None;
    }
    let mut replicates = bootstrap_means(values, resampling)?;
    let estimate = mean(values)?;
    let below = replicates.iter().filter(|mean| **mean < estimate).count() as f64;
    let ties = replicates.iter().filter(|mean| **mean == estimate).count() as f64;
    let bias = norm_quantile((below + 0.5 * ties) / replicates.len() as f64)?;
    let sum: f64 = values.iter().sum();
    let jackknife: Vec<f64> = values.iter().map(|value| (sum - value) / (n - 1.0)).collect();
    let center = mean(&jackknife)?;
    let moment = |power| jackknife.iter().map(|mean| (center - mean).powi(power)).sum::<f64>();
    let acceleration = moment(3) / (6.0 * moment(2).powf(1.5));
    let level = |z: f64| normal(bias + (bias + z) / (1.0 - acceleration * (bias + z)));
    let z = norm_quantile(upper(conf)?)?;
    let levels = [level(-z), level(z)];
    replicates.sort_unstable_by(f64::total_cmp);
    let interval =
        Interval { low: quantile(&replicates, levels[0])?, high: quantile(&replicates, levels[1])? };
    Some(Bca { bias, acceleration, levels, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Resampling = Resampling { replicates: 100, seed: 1 };

    #[test]
    fn nothing_to_resample_is_undefined() {
        assert_eq!(bootstrap_means(&[], SOME), None);
        assert_eq!(bootstrap_means(&[1.0, f64::NAN], SOME), None);
        assert_eq!(bootstrap_means(&[1.0], Resampling { replicates: 0, seed: 1 }), None);
        assert_eq!(cluster_bootstrap_means::<u8>(&[], SOME), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn equal_values_have_no_interval() {
        assert_eq!(bca_interval(&[0.5; 12], SOME, 0.95), None);
    }

    #[test]
    fn a_ratio_has_an_upper_end_where_enough_pairs_have_a_lower_half() {
        let many = Resampling { replicates: 2000, seed: 1 };
        assert_eq!(ratio_interval(&[(1.0, 1.0); 12], many, 0.95), Some((1.0, Some(1.0))));
        let rare: Vec<(f64, f64)> = (0..10).map(|n| (1.0, f64::from(u8::from(n == 0)))).collect();
        let (low, high) = ratio_interval(&rare, many, 0.95).expect("defined");
        assert!((2.0..=10.0).contains(&low), "{low}");
        assert_eq!(high, None, "a third of all draws hold no such pair");
        let mixed: Vec<(f64, f64)> = (0..40).map(|n| (1.0, f64::from(n % 2))).collect();
        let (low, high) = ratio_interval(&mixed, many, 0.95).expect("defined");
        assert!(
            low > 1.3 && low < 2.0 && high.is_some_and(|high| high > 2.0 && high < 4.0),
            "{low} {high:?}"
        );
        assert_eq!(ratio_interval(&[(1.0, 0.0); 4], many, 0.95), None);
        assert_eq!(ratio_interval(&[(1.0, 1.0)], many, 0.95), None);
        assert_eq!(ratio_interval(&[(-1.0, 1.0); 3], many, 0.95), None);
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 1.0), Some(4.0));
    }
}
