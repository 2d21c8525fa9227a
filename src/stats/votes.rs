//! Several verdicts about one thing: what they are worth together, and why that is less than their number.

use std::collections::BTreeMap;

/// What a judge's token probabilities say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probabilities {
    /// Of yes.
    pub yes: f64,
    /// Of no.
    pub no: f64,
    /// Of unsure.
    pub unsure: f64,
    /// How much of all probability was on these words; below [`COVERED`] the rest means nothing.
    pub covered: f64,
}

/// The share of all probability that must lie on the words that a judge may say, or the rest means nothing.
pub const COVERED: f64 = 0.9;

/// Probabilities of the verdict words from the log probabilities of their tokens, scaled to sum to one.
///
/// A word that the provider did not report counts as absent. Use them to decide whom to ask next, not as the score:
/// they are sharper than the judge is right. `None` when no word was reported.
pub fn verdict_from_logprobs(logprobs: &BTreeMap<String, f64>) -> Option<Probabilities> {
    let mass = |word: &str| logprobs.get(word).map_or(0.0, |logprob| logprob.exp());
    let [yes, no, unsure] = ["yes", "no", "unsure"].map(mass);
    let covered = yes + no + unsure;
    (covered > 0.0 && covered.is_finite()).then(|| Probabilities {
        yes: yes / covered,
        no: no / covered,
        unsure: unsure / covered,
        covered,
    })
}

/// What voting until one side has the majority of `m` gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStop {
    /// The probability that the majority is right.
    pub correct: f64,
    /// The votes asked on average.
    pub votes: f64,
}

/// Majority of up to `m` votes, each right with probability `p`, stopped when decided (negative binomial sums).
///
/// Applies to independent votes only, which those of one model or of several trained alike are not: nine judges carried
/// about two votes (Kohli 2026, arXiv 2605.29800). `None` unless m is odd and 0 <= p <= 1.
pub fn early_stop_majority(p: f64, m: u32) -> Option<EarlyStop> {
    if m.is_multiple_of(2) || m > 1_001 || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let need = m.div_ceil(2);
    let (mut correct, mut votes) = (0.0, 0.0);
    // The deciding vote comes after `lost` votes for the other side: C(need - 1 + lost, lost) ways.
    let mut ways = 1.0;
    for lost in 0..need {
        let (need, lost) = (f64::from(need), f64::from(lost));
        let right = ways * p.powf(need) * (1.0 - p).powf(lost);
        let wrong = ways * (1.0 - p).powf(need) * p.powf(lost);
        correct += right;
        votes += (right + wrong) * (need + lost);
        ways *= (need + lost) / (lost + 1.0);
    }
    Some(EarlyStop { correct, votes })
}

/// The mean correlation (phi) between the errors of each pair of judges on the same trials; `true` is an error.
///
/// Pairs in which one judge never or always errs have no correlation and are left out. `None` when no pair is left.
pub fn panel_error_correlation(errors: &[Vec<bool>]) -> Option<f64> {
    let pairs: Vec<f64> = errors
        .iter()
        .enumerate()
        .flat_map(|(index, one)| errors[index + 1..].iter().filter_map(|other| phi(one, other)))
        .collect();
    (!pairs.is_empty()).then(|| pairs.iter().sum::<f64>() / pairs.len() as f64)
}

fn phi(one: &[bool], other: &[bool]) -> Option<f64> {
    let n = one.len().min(other.len()) as f64;
    let count =
        |keep: fn(bool, bool) -> bool| one.iter().zip(other).filter(|(a, b)| keep(**a, **b)).count() as f64;
    let (both, a, b) = (count(|a, b| a && b) / n, count(|a, _| a) / n, count(|_, b| b) / n);
    let phi = (both - a * b) / (a * (1.0 - a) * b * (1.0 - b)).sqrt();
    phi.is_finite().then_some(phi)
}

/// How many independent votes a panel of judges is worth: J / (1 + (J - 1) rho), rho the mean correlation of their
/// errors (Kish's effective sample size).
///
/// `None` for no judge, or a correlation outside [-1, 1] or so negative that the formula has no meaning.
pub fn panel_effective_votes(judges: u32, mean_pairwise_error_corr: f64) -> Option<f64> {
    let judges = f64::from(judges);
    let design = 1.0 + (judges - 1.0) * mean_pairwise_error_corr;
    let defined = judges > 0.0 && (-1.0..=1.0).contains(&mean_pairwise_error_corr) && design > 0.0;
    defined.then(|| judges / design)
}

/// The correlation of two lists of numbers (Pearson); `None` when they are of unlike or too small length, or one of
/// them never varies.
pub fn pearson(xs: &[f64], ys: &[f64]) -> Option<f64> {
    if xs.len() != ys.len() || xs.len() < 3 {
        return None;
    }
    let n = xs.len() as f64;
    let (mx, my) = (xs.iter().sum::<f64>() / n, ys.iter().sum::<f64>() / n);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in xs.iter().zip(ys) {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
        yy += (y - my).powi(2);
    }
    let r = xy / (xx * yy).sqrt();
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_none() {
        assert_eq!(verdict_from_logprobs(&BTreeMap::new()), None);
        assert_eq!(early_stop_majority(0.9, 2), None);
        assert_eq!(early_stop_majority(1.1, 3), None);
        assert_eq!(panel_error_correlation(&[vec![true, false]]), None);
        assert_eq!(panel_error_correlation(&[vec![false, false], vec![true, false]]), None);
        assert_eq!(panel_effective_votes(0, 0.1), None);
        assert_eq!(panel_effective_votes(9, -0.5), None);
        assert_eq!(pearson(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0; 4], &[1.0, 2.0, 3.0, 4.0]), None);
    }

    #[test]
    fn equal_judges_are_one_vote_and_independent_ones_all() {
        let errors = vec![true, false, false, true];
        assert_eq!(panel_error_correlation(&[errors.clone(), errors]), Some(1.0));
        assert_eq!(panel_effective_votes(5, 1.0), Some(1.0));
        assert_eq!(panel_effective_votes(5, 0.0), Some(5.0));
    }

    #[test]
    fn lines_correlate_fully_and_certain_votes_need_a_majority() {
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), Some(1.0));
        assert_eq!(pearson(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(early_stop_majority(1.0, 5), Some(EarlyStop { correct: 1.0, votes: 3.0 }));
    }
}
