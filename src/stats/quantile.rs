//! Medians and tails of what has no upper end: seconds, tokens, dollars. No mean and no bell curve.

use super::Interval;
use super::bootstrap;
use super::proportion::upper;
use super::special::beta_cdf;

/// A quantile with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// The quantile of the values seen, with linear interpolation (type 7 of Hyndman and Fan 1996).
    pub value: f64,
    /// The interval; `None` when the values are too few for one: their own extremes do not reach far enough.
    pub interval: Option<Interval>,
}

/// The `p` quantile of `sorted` values with the interval between two of them: the l-th and the u-th smallest, where
/// P(X < l) <= a/2 and P(X >= u) <= a/2 for X ~ Bin(n, p) (David and Nagaraja 2003, section 7.1).
///
/// Applies to any distribution without assuming its shape, and to trials of fixed cases of unlike size, where it is
/// wider than it need be (Hoeffding 1956). Fails by having no end at all for tails of few values: the 95th percentile
/// has an upper end from 72 values on. `None` without values, with one that is not finite, and outside 0 < p < 1.
pub fn quantile(sorted: &[f64], p: f64, conf: f64) -> Option<Quantile> {
    let tail = 1.0 - upper(conf)?;
    if sorted.iter().any(|value| !value.is_finite()) || !(p > 0.0 && p < 1.0) {
        return None;
    }
    let value = bootstrap::quantile(sorted, p)?;
    let n = sorted.len();
    // P(X <= k) grows with k, so both ends are found by halving.
    let first = |holds: &dyn Fn(usize) -> bool| {
        let (mut low, mut high) = (0, n);
        while low < high {
            let middle = low.midpoint(high);
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        low
    };
    // The smallest k at which P(X <= k) exceeds the lower tail: one rank below it is sure enough.
    let rank = first(&|k| at_most(k, n, p) > tail);
    let last = first(&|k| at_most(k, n, p) >= 1.0 - tail) + 1;
    let interval = (rank >= 1 && last <= n)
        .then(|| Some(Interval { low: *sorted.get(rank - 1)?, high: *sorted.get(last - 1)? }))
        .flatten();
    Some(Quantile { value, interval })
}

/// P(X <= k) for X ~ Bin(n, p), as a beta tail.
fn at_most(k: usize, n: usize, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_cdf(1.0 - p, (n - k) as f64, k as f64 + 1.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(n: u32, p: f64) -> Option<[f64; 2]> {
        let values: Vec<f64> = (1..=n).map(f64::from).collect();
        let interval = quantile(&values, p, 0.95).expect("values").interval;
        interval.map(|interval| [interval.low, interval.high])
    }

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Conover 1999, table A3 and its neighbours: medians.
        assert_eq!(ranks(6, 0.5), Some([1.0, 6.0]));
        assert_eq!(ranks(10, 0.5), Some([2.0, 9.0]));
        assert_eq!(ranks(20, 0.5), Some([6.0, 15.0]));
        assert_eq!(ranks(100, 0.5), Some([40.0, 61.0]));
        assert_eq!(ranks(5, 0.5), None, "1/32 on each side is too much");
    }

    #[test]
    fn tails_need_many_values() {
        assert_eq!(ranks(71, 0.95), None);
        assert_eq!(ranks(72, 0.95).map(|[_, high]| high), Some(72.0));
        assert_eq!(ranks(1000, 0.95), Some([936.0, 964.0]));
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(quantile(&[], 0.5, 0.95), None);
        assert_eq!(quantile(&[1.0, f64::NAN], 0.5, 0.95), None);
        assert_eq!(quantile(&[1.0], 0.0, 0.95), None);
        assert_eq!(quantile(&[1.0], 0.5, 1.0), None);
        assert_eq!(quantile(&[2.0], 0.5, 0.95), Some(Quantile { value: 2.0, interval: None }));
    }
}
