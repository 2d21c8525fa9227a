//! The exact test of "worse" over cases, each compared with its own history.

use super::lattice::Lattice;
use super::special::chi2_sf;
use super::{Pair, Tally};

/// The exact stratified test and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratified {
    /// Passes of the candidate.
    pub observed: u64,
    /// As few passes or fewer by chance, if no case changed.
    pub p_worse: f64,
    /// As many passes or more by chance.
    pub p_better: f64,
    /// `p_worse` less half the probability of what was seen.
    pub midp_worse: f64,
    /// Two-sided: the probability of all totals no likelier than what was seen.
    pub p_two: f64,
    /// Passes expected if no case changed.
    pub null_mean: f64,
    /// Their variance.
    pub null_variance: f64,
    /// The distance in standard deviations; `None` when nothing could vary.
    pub z: Option<f64>,
}

/// The exact stratified test: given what each case passed in both arms together, the candidate's share is
/// hypergeometric if the case did not change; the distributions of all cases are convolved. It is the exact
/// Cochran-Mantel-Haenszel test, and with one trial each it is exact McNemar.
///
/// Applies to a fixed suite with any numbers of trials. Cases that always pass or always fail carry no information and
/// drop out, as do cases without trials in one arm. Fails to speak of the mean alone: its null is "no case changed",
/// so gains and losses that cancel can reject it; list gainers and losers beside it. `None` without cases, or when a
/// case passed more often than it ran.
pub fn stratified_exact(pairs: &[Pair]) -> Option<Stratified> {
    if pairs.is_empty() || pairs.iter().any(|pair| !counts_add_up(*pair)) {
        return None;
    }
    let mut null = Lattice::point(0);
    let (mut observed, mut certain, mut null_mean, mut null_variance) = (0, 0, 0.0, 0.0);
    for Pair { baseline, candidate } in pairs {
        let all = baseline.plus(*candidate);
        observed += candidate.passed;
        if let Some(spread) = spread(all, candidate.trials) {
            null_mean += spread.mean;
            null_variance += spread.variance;
            null = null.plus(&Lattice::hypergeometric(all.trials, all.passed, candidate.trials));
        } else {
            // Every trial went the same way, or one arm has none: the candidate's share is certain.
            certain += candidate.passed;
            null_mean += candidate.passed as f64;
        }
    }
    let seen = observed - certain;
    let p_worse = null.at_most(seen);
    let sd = null_variance.sqrt();
    Some(Stratified {
        observed,
        p_worse,
        p_better: null.at_least(seen),
        midp_worse: p_worse - 0.5 * null.at(seen),
        p_two: null.no_likelier_than(seen),
        null_mean,
        null_variance,
        z: (sd > 0.0).then(|| (observed as f64 - null_mean) / sd),
    })
}

struct Spread {
    mean: f64,
    variance: f64,
}

/// Mean and variance of a hypergeometric share; `None` when it cannot vary.
fn spread(all: Tally, draws: u64) -> Option<Spread> {
    let varies = all.passed > 0 && all.passed < all.trials && draws > 0 && draws < all.trials;
    let (m, k, share) = (all.trials as f64, draws as f64, all.rate()?);
    varies.then(|| Spread { mean: k * share, variance: k * share * (1.0 - share) * (m - k) / (m - 1.0) })
}

fn counts_add_up(pair: Pair) -> bool {
    [pair.baseline, pair.candidate]
        .iter()
        .all(|tally| tally.passed <= tally.trials && tally.trials <= MOST_TRIALS)
}

/// More trials of one case than this are refused.
const MOST_TRIALS: u64 = 10_000_000;

/// Fisher's exact test (1934), one-sided towards "worse", of a single case: as few passes or fewer now, given the
/// passes of both arms. Without trials in one arm it is 1: no evidence.
///
/// Applies to confirming one suspect. Fails at small counts by never being small: 5 fresh failures after 15 passes
/// give 0.00006, 2 give 0.007. `None` when a side passed more often than it ran.
pub fn fisher_worse(pair: Pair) -> Option<f64> {
    null_of(pair).map(|null| null.at_most(pair.candidate.passed))
}

/// Fisher's exact test towards "better", the mirror of [`fisher_worse`].
pub fn fisher_better(pair: Pair) -> Option<f64> {
    null_of(pair).map(|null| null.at_least(pair.candidate.passed))
}

fn null_of(pair: Pair) -> Option<Lattice> {
    let all = pair.baseline.plus(pair.candidate);
    counts_add_up(pair).then(|| Lattice::hypergeometric(all.trials, all.passed, pair.candidate.trials))
}

/// A statistic with its tail probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// The statistic, with one degree of freedom.
    pub statistic: f64,
    /// Its upper tail.
    pub p: f64,
}

/// The Cochran-Mantel-Haenszel test (Mantel and Haenszel 1959) without continuity correction: the large-sample form of
/// [`stratified_exact`], two-sided.
///
/// Applies as a check on large suites. Fails in small ones, where the exact test costs nothing. `None` when no case
/// could vary.
pub fn cmh_chi2(pairs: &[Pair]) -> Option<ChiSquare> {
    let test = stratified_exact(pairs)?;
    let statistic = test.z?.powi(2);
    Some(ChiSquare { statistic, p: chi2_sf(statistic, 1.0)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(baseline: [u64; 2], candidate: [u64; 2]) -> Pair {
        let tally = |[passed, trials]: [u64; 2]| Tally { trials, passed };
        Pair { baseline: tally(baseline), candidate: tally(candidate) }
    }

    #[test]
    fn nothing_that_could_vary_is_no_evidence() {
        let certain = stratified_exact(&[pair([3, 3], [2, 2]), pair([0, 3], [0, 2])]).expect("cases");
        assert_eq!((certain.p_worse, certain.p_better, certain.z), (1.0, 1.0, None));
        assert_eq!(certain.midp_worse, 0.5);
        assert_eq!(cmh_chi2(&[pair([3, 3], [2, 2])]), None);
        assert_eq!(fisher_worse(pair([3, 5], [0, 0])), Some(1.0));
        assert_eq!(fisher_worse(pair([0, 0], [2, 3])), Some(1.0));
    }

    #[test]
    fn impossible_counts_are_undefined() {
        assert_eq!(stratified_exact(&[]), None);
        assert_eq!(stratified_exact(&[pair([4, 3], [0, 1])]), None);
        assert_eq!(fisher_worse(pair([1, 1], [2, 1])), None);
    }

    #[test]
    fn one_case_is_fishers_test() {
        let case = pair([15, 15], [1, 5]);
        let both = stratified_exact(&[case]).map(|test| test.p_worse);
        assert_eq!(both, fisher_worse(case));
    }

    #[test]
    fn worse_and_better_mirror_each_other() {
        let (worse, better) = (pair([9, 10], [1, 5]), pair([1, 10], [4, 5]));
        let (a, b) = (fisher_worse(worse).expect("counts"), fisher_better(better).expect("counts"));
        assert!((a - b).abs() < 1e-15);
    }
}
