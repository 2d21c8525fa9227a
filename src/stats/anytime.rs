//! Evidence that holds whenever one looks: e-values and confidence sequences. For monitoring, not for the nightly
//! gate, where the round-based exact test sees more with the same trials.

use super::Interval;
use super::mean::all_finite;
use super::paired::Discordant;
use super::special::{bisect, ln_gamma, lower_beta};

/// How a hedged bet is placed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hedge {
    /// The level of the confidence sequence.
    pub alpha: f64,
    /// The share of the capital that bets on "above"; the rest bets on "below".
    pub theta: f64,
    /// No bet risks more than this share of the capital.
    pub cap: f64,
}

impl Hedge {
    fn is_sound(self) -> bool {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        inside(self.alpha) && inside(self.theta) && self.cap > 0.0 && self.cap <= 1.0
    }
}

/// What a hedged bet against a mean has earned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capital {
    /// The bet that the mean is above, per unit staked.
    pub plus: f64,
    /// The bet that it is below.
    pub minus: f64,
    /// The hedged capital at the end: the larger of the two, each times its share.
    pub last: f64,
    /// The largest hedged capital on the way.
    pub most: f64,
}

/// The hedged capital against the hypothesis that the mean of `values` in [0, 1] is `mean` (Waudby-Smith and Ramdas
/// 2024): bets sqrt(2 ln(1/(alpha theta)) / (variance so far x t ln(1 + t))), cut at cap/mean and cap/(1 - mean).
///
/// Applies to bounded scores and open-ended watching: reject when the capital reaches 1/alpha, at any time. Fails by
/// needing about twice the data of a fixed test. `None` without values, with one outside [0, 1], and unless
/// 0 <= mean <= 1 and the hedge is sound.
pub fn hedged_capital(values: &[f64], mean: f64, hedge: Hedge) -> Option<Capital> {
    let defined = !values.is_empty() && values.iter().all(|value| (0.0..=1.0).contains(value));
    if !defined || !(0.0..=1.0).contains(&mean) || !hedge.is_sound() {
        return None;
    }
    let Hedge { alpha, theta, cap } = hedge;
    let stakes = [(1.0 / (alpha * theta)).ln(), (1.0 / (alpha * (1.0 - theta))).ln()];
    // One imagined observation of 1/2 with variance 1/4 stands before the first.
    let (mut sum, mut squares, mut variance) = (0.5, 0.25, 0.25);
    let (mut plus, mut minus, mut last, mut most) = (1.0_f64, 1.0_f64, 0.0_f64, 0.0_f64);
    for (seen, value) in values.iter().enumerate() {
        let t = (seen + 1) as f64;
        let bets = stakes.map(|stake| (2.0 * stake / (variance * t * t.ln_1p())).sqrt());
        plus *= 1.0 + bets[0].min(cap / mean) * (value - mean);
        minus *= 1.0 - bets[1].min(cap / (1.0 - mean)) * (value - mean);
        last = (theta * plus).max((1.0 - theta) * minus);
        most = most.max(last);
        sum += value;
        squares += (value - sum / (t + 1.0)).powi(2);
        variance = squares / (t + 1.0);
    }
    [plus, minus, last].iter().all(|value| value.is_finite()).then_some(Capital { plus, minus, last, most })
}

/// The confidence sequence of [`hedged_capital`]: all means against which the capital is below 1/alpha now.
///
/// Holds at every time at once. `None` as for the capital, and when no mean is left.
pub fn hedged_cs(values: &[f64], hedge: Hedge) -> Option<Interval> {
    let center = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let rejected = |mean: f64| match hedged_capital(values, mean, hedge) {
        Some(capital) => capital.last >= 1.0 / hedge.alpha,
        // Capital beyond all numbers rejects.
        None => true,
    };
    hedged_capital(values, center, hedge)?;
    // The mean of the data need not be the mean the bets like best.
    let inside =
        (0..=200).map(|step| f64::from(step) / 200.0).chain([center]).find(|mean| !rejected(*mean))?;
    let low = if rejected(0.0) { bisect(0.0, inside, rejected) } else { 0.0 };
    let high = if rejected(1.0) { bisect(inside.max(center), 1.0, |mean| !rejected(mean)) } else { 1.0 };
    Some(Interval { low, high })
}

/// The time-uniform interval for a pass rate by a Beta(a, b) mixture (Robbins 1970): all p against which the mixture
/// martingale is below 1/alpha.
///
/// Applies to a progress bar that people stop when they like. Wider than Clopper-Pearson by design. `None` for
/// passes > trials, a prior that is not positive, or alpha outside (0, 1).
pub fn beta_binomial_cs(passed: u64, trials: u64, alpha: f64, [a, b]: [f64; 2]) -> Option<Interval> {
    let failed = trials.checked_sub(passed)? as f64;
    let passed = passed as f64;
    if !(alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let mixture = ln_beta(a + passed, b + failed)? - ln_beta(a, b)?;
    let power = |x: f64, count: f64| if count > 0.0 { count * x.ln() } else { 0.0 };
    let rejected = |p: f64| mixture - power(p, passed) - power(1.0 - p, failed) >= -alpha.ln();
    let rate =
        if trials == 0 { return Some(Interval { low: 0.0, high: 1.0 }) } else { passed / trials as f64 };
    let low = if passed == 0.0 { 0.0 } else { bisect(0.0, rate, rejected) };
    let high = if failed == 0.0 { 1.0 } else { bisect(rate, 1.0, |p| !rejected(p)) };
    Some(Interval { low, high })
}

fn ln_beta(a: f64, b: f64) -> Option<f64> {
    Some(ln_gamma(a)? + ln_gamma(b)? - ln_gamma(a + b)?)
}

/// E-values of changed cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairEvidence {
    /// Against "no direction".
    pub two_sided: f64,
    /// Against "not worse".
    pub worse: f64,
}

/// The e-value of changed cases under a Beta(1/2, 1/2) mixture; the one-sided form truncates the prior to "more get
/// worse than better".
///
/// Applies whenever one looks: reject when it reaches 1/alpha. Fails by pairing each trial with one stored baseline
/// trial only. `None` when it is beyond all numbers.
pub fn mcnemar_e_value(changed: Discordant) -> Option<PairEvidence> {
    let (worse, better) = (changed.worse as f64 + 0.5, changed.better as f64 + 0.5);
    let ratio = ln_beta(worse, better)? - ln_beta(0.5, 0.5)?;
    let two_sided = (ratio + (worse + better - 1.0) * std::f64::consts::LN_2).exp();
    // P(share worse > 1/2) = P(share better < 1/2).
    let worse = 2.0 * two_sided * lower_beta(0.5, 0.5, better, worse);
    (two_sided.is_finite() && worse.is_finite()).then_some(PairEvidence { two_sided, worse })
}

/// The e-value against "not worse" after each paired difference in [-1, 1], betting
/// clip(sum(-d)/(1 + sum d^2), 0, cap) from the past only.
///
/// Applies to differences of scores as they arrive. Reject when it reaches 1/alpha. `None` with a difference outside
/// [-1, 1] or a cap outside (0, 1].
pub fn paired_betting_e(diffs: &[f64], cap: f64) -> Option<Vec<f64>> {
    let defined = all_finite(diffs) && diffs.iter().all(|diff| diff.abs() <= 1.0) && cap > 0.0 && cap <= 1.0;
    if !defined {
        return None;
    }
    let (mut loss, mut squares, mut evidence) = (0.0, 0.0, 1.0);
    let path = diffs.iter().map(|diff| {
        let bet: f64 = loss / (1.0 + squares);
        evidence *= 1.0 - bet.clamp(0.0, cap) * diff;
        loss -= diff;
        squares += diff * diff;
        evidence
    });
    Some(path.collect::<Vec<f64>>()).filter(|path| all_finite(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEDGE: Hedge = Hedge { alpha: 0.05, theta: 0.5, cap: 0.5 };

    #[test]
    fn nonsense_is_undefined() {
        assert_eq!(hedged_capital(&[], 0.5, HEDGE), None);
        assert_eq!(hedged_capital(&[2.0], 0.5, HEDGE), None);
        assert_eq!(hedged_cs(&[1.0], Hedge { alpha: 0.0, ..HEDGE }), None);
        assert_eq!(beta_binomial_cs(2, 1, 0.05, [0.5, 0.5]), None);
        assert_eq!(beta_binomial_cs(1, 2, 0.05, [0.0, 0.5]), None);
        assert_eq!(paired_betting_e(&[1.5], 0.5), None);
        assert_eq!(mcnemar_e_value(Discordant { worse: 1_000_000, better: 0 }), None);
    }

    #[test]
    fn no_data_leaves_everything_open() {
        assert_eq!(beta_binomial_cs(0, 0, 0.05, [0.5, 0.5]), Some(Interval { low: 0.0, high: 1.0 }));
    }

    #[test]
    fn passes_only_leave_the_upper_end_open() {
        let interval = hedged_cs(&[1.0; 30], HEDGE).expect("data");
        assert!(interval.low > 0.7 && interval.high == 1.0, "{interval:?}");
    }
}
