//! Differences per case, tested by their signs, by flipping them, or by Student's t.

use super::Interval;
use super::lattice::Lattice;
use super::mean::{all_finite, mean};
use super::proportion::standard_error;
use super::special::{student_t_cdf, student_t_quantile};

/// A test in one direction and in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignedTest {
    /// One-sided: this much worse or more by chance.
    pub p_worse: f64,
    /// Two-sided.
    pub p_two: f64,
}

/// More differences than this are refused: 2^20 sums a side is what a moment allows.
const MOST_FLIPS: usize = 40;

/// Sums closer than this are ties.
const TIE: f64 = 1e-12;

/// The exact sign-flip test (Fisher 1935): of all 2^n ways to flip the signs of the differences, the share with a sum
/// as low or lower. Zeros change nothing. The sums of two halves are matched, so 40 differences take a moment.
///
/// Applies to few cases (20 or so) with scores of any kind. Fails when differences are not symmetric under "no
/// change". `None` without differences, with one that is not finite, and beyond 40 that differ from zero.
pub fn signflip_exact(diffs: &[f64]) -> Option<SignedTest> {
    let moved: Vec<f64> = diffs.iter().copied().filter(|diff| *diff != 0.0).collect();
    if diffs.is_empty() || !all_finite(diffs) || moved.len() > MOST_FLIPS {
        return None;
    }
    let observed: f64 = moved.iter().sum();
    let (left, right) = moved.split_at(moved.len() / 2);
    let (mut left, mut right) = (flipped_sums(left), flipped_sums(right));
    left.sort_unstable_by(f64::total_cmp);
    right.sort_unstable_by(f64::total_cmp);
    let all = left.len() as f64 * right.len() as f64;
    let share = |limit: f64| pairs_at_most(&left, &right, limit) as f64 / all;
    // Flipping every sign maps one tail to the other.
    let extreme = -observed.abs() + TIE;
    let p_two = if extreme >= -TIE { 1.0 } else { (2.0 * share(extreme)).min(1.0) };
    Some(SignedTest { p_worse: share(observed + TIE), p_two })
}

fn flipped_sums(diffs: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for diff in diffs {
        sums = sums.iter().flat_map(|sum| [sum - diff, sum + diff]).collect();
    }
    sums
}

/// Pairs of one number of each sorted list whose sum is at most `limit`.
fn pairs_at_most(left: &[f64], right: &[f64], limit: f64) -> u64 {
    let (mut count, mut fitting) = (0, right.len());
    for low in left {
        while fitting > 0 && low + right[fitting - 1] > limit {
            fitting -= 1;
        }
        count += fitting as u64;
    }
    count
}

/// The sign test (Arbuthnott 1710): of the differences that are not zero, as many or more negative ones by chance.
///
/// Applies when only the direction can be trusted, and to pairwise preferences. Fails to use sizes, so it needs more
/// cases. Without any difference both p are 1. `None` without differences or with one that is NaN.
pub fn sign_test(diffs: &[f64]) -> Option<SignedTest> {
    if diffs.is_empty() || diffs.iter().any(|diff| diff.is_nan()) {
        return None;
    }
    let count = |wanted: fn(&f64) -> bool| diffs.iter().filter(|diff| wanted(diff)).count() as u64;
    let (worse, better) = (count(|diff| *diff < 0.0), count(|diff| *diff > 0.0));
    let coin = Lattice::fair_coin(worse + better);
    let p_two = if worse == better { 1.0 } else { (2.0 * coin.at_most(worse.min(better))).min(1.0) };
    Some(SignedTest { p_worse: coin.at_least(worse), p_two })
}

/// A mean difference with its one-sided bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedT {
    /// The mean difference.
    pub mean: f64,
    /// Its standard error.
    pub se: f64,
    /// The one-sided bounds; `None` when all differences are equal.
    pub bounds: Option<Interval>,
    /// One-sided: this much worse or more by chance; `None` when all differences are equal.
    pub p_worse: Option<f64>,
}

/// The paired t test over case differences (Student 1908), with one-sided bounds at `conf` each.
///
/// Applies to "which is better on cases like these", 30 cases or more. Fails as a gate: five broken cases inflate the
/// spread and hide themselves. `None` for fewer than two differences, one that is not finite, or conf outside (0, 1).
pub fn paired_t(diffs: &[f64], conf: f64) -> Option<PairedT> {
    let mean = mean(diffs).filter(|_| diffs.len() > 1 && all_finite(diffs))?;
    let (se, df) = (standard_error(diffs), diffs.len() as f64 - 1.0);
    let quantile = student_t_quantile(conf, df)?;
    if diffs.iter().all(|diff| *diff == diffs[0]) {
        return Some(PairedT { mean, se: 0.0, bounds: None, p_worse: None });
    }
    let reach = quantile * se;
    let bounds = Some(Interval { low: mean - reach, high: mean + reach });
    Some(PairedT { mean, se, bounds, p_worse: student_t_cdf(mean / se, df) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_difference_is_no_evidence() {
        let none = SignedTest { p_worse: 1.0, p_two: 1.0 };
        assert_eq!(signflip_exact(&[0.0, 0.0]), Some(none));
        assert_eq!(sign_test(&[0.0]), Some(none));
    }

    #[test]
    fn what_cannot_be_tested_is_undefined() {
        assert_eq!(signflip_exact(&[]), None);
        assert_eq!(signflip_exact(&[1.0; 41]), None);
        assert_eq!(sign_test(&[f64::NAN]), None);
        assert_eq!(paired_t(&[0.1], 0.95), None);
        assert_eq!(paired_t(&[0.1; 3], 0.95).map(|test| (test.bounds, test.p_worse)), Some((None, None)));
    }

    #[test]
    fn forty_equal_losses_are_one_flip_in_two_to_the_forty() {
        let test = signflip_exact(&[-1.0; 40]).expect("few enough");
        assert_eq!(test.p_worse, 0.5_f64.powi(40));
        assert_eq!(test.p_two, 0.5_f64.powi(39));
    }
}
