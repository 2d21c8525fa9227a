//! Tests that look more than once: alpha split over looks, Wald's ratio test, and group-sequential bounds.

use super::special::{bisect, norm_quantile, normal};

/// The alpha of each look: `alpha` in proportion to `weights` (Bonferroni over looks). Exact with any test inside.
///
/// Applies to rounds of a gate. Fails by a little power when looks agree. `None` unless the weights are finite, not
/// negative, and have a positive sum.
pub fn spend_weights(alpha: f64, weights: &[f64]) -> Option<Vec<f64>> {
    let all: f64 = weights.iter().sum();
    let sound =
        alpha.is_finite() && all > 0.0 && all.is_finite() && weights.iter().all(|weight| *weight >= 0.0);
    sound.then(|| weights.iter().map(|weight| alpha * weight / all).collect())
}

/// Wald's sequential probability ratio test as it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Sprt {
    /// At or above this the rate has fallen to `p1`.
    pub upper: f64,
    /// At or below this the rate is still `p0`.
    pub lower: f64,
    /// What a pass adds.
    pub pass_step: f64,
    /// What a failure adds.
    pub fail_step: f64,
    /// The log likelihood ratio after each trial.
    pub path: Vec<f64>,
}

/// What Wald's test is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SprtQuestion {
    /// The healthy pass rate.
    pub p0: f64,
    /// The degraded one.
    pub p1: f64,
    /// The chance of a false alarm.
    pub alpha: f64,
    /// The chance to miss.
    pub beta: f64,
}

/// Wald's sequential probability ratio test (1945) of a pass rate `p0` against `p1`, over trials in order.
///
/// Applies to one case against a target rate: the cheapest test when one of the two rates is true. Fails between and
/// beyond them. `None` unless all four lie within (0, 1), p0 differs from p1 and alpha + beta < 1.
pub fn sprt_bernoulli(question: SprtQuestion, passed: &[bool]) -> Option<Sprt> {
    let SprtQuestion { p0, p1, alpha, beta } = question;
    let inside = [p0, p1, alpha, beta].iter().all(|value| *value > 0.0 && *value < 1.0);
    if !inside || p0 == p1 || alpha + beta >= 1.0 {
        return None;
    }
    let (pass_step, fail_step) = ((p1 / p0).ln(), ((1.0 - p1) / (1.0 - p0)).ln());
    let mut sum = 0.0;
    let path = passed.iter().map(|passed| {
        sum += if *passed { pass_step } else { fail_step };
        sum
    });
    let path = path.collect();
    let (upper, lower) = (((1.0 - beta) / alpha).ln(), (beta / (1.0 - alpha)).ln());
    Some(Sprt { upper, lower, pass_step, fail_step, path })
}

/// How much of `alpha` is spent at the information fraction `t`: 2 - 2 P(Z <= z(1 - alpha/2)/sqrt(t)) (Lan and DeMets
/// 1983, in the manner of O'Brien and Fleming).
///
/// Applies to large suites under normal theory. Spends next to nothing early. `None` unless 0 < t <= 1 and
/// 0 < alpha < 1.
pub fn obf_spending(alpha: f64, t: f64) -> Option<f64> {
    let z = norm_quantile(1.0 - alpha / 2.0).filter(|_| alpha > 0.0 && alpha < 1.0)?;
    (t > 0.0 && t <= 1.0).then(|| 2.0 * normal(-z / t.sqrt()))
}

/// The information fractions of `rounds` looks at a candidate against a fixed baseline of `k_baseline` trials per
/// case: I_r is proportional to 1/(1/r + 1/k_b).
///
/// Applies when the baseline is pooled and does not grow: later rounds then add less. `None` for no baseline or round.
pub fn info_fraction_pooled_baseline(k_baseline: f64, rounds: u32) -> Option<Vec<f64>> {
    if !(k_baseline > 0.0 && k_baseline.is_finite()) || rounds == 0 || rounds > 10_000 {
        return None;
    }
    let information = |round: u32| 1.0 / (1.0 / f64::from(round) + 1.0 / k_baseline);
    Some((1..=rounds).map(|round| information(round) / information(rounds)).collect())
}

/// Places of the grid over which a look's density is carried to the next one; odd, for Simpson's rule.
const NODES: usize = 1201;

/// The one-sided upper bounds for z at looks with the information fractions `info`, spending `alpha` by
/// [`obf_spending`], by the recursion of Armitage, McPherson and Rowe (1969).
///
/// Applies under normal theory with independent increments. Good to 1e-6 or so. `None` unless the fractions rise
/// within (0, 1], and when so little is spent at a look that its bound is out of reach.
pub fn group_sequential_bounds(alpha: f64, info: &[f64]) -> Option<Vec<f64>> {
    let mut bounds = Vec::with_capacity(info.len());
    let mut reached = Reached { at: vec![0.0], weight: vec![1.0] };
    let (mut spent, mut before) = (0.0, 0.0);
    for now in info {
        let step = now - before;
        let to_spend = obf_spending(alpha, *now)? - spent;
        if !(step > 0.0 && to_spend > 1e-300) {
            return None;
        }
        let bound = bisect(-10.0, 38.0, |z| reached.crossing(z * now.sqrt(), step) > to_spend);
        bounds.push(bound);
        reached = reached.carried((-9.0 * now.sqrt(), bound.min(9.0) * now.sqrt()), step);
        spent += to_spend;
        before = *now;
    }
    Some(bounds)
}

/// The sub-density of the score among those who have not crossed: places and masses.
struct Reached {
    at: Vec<f64>,
    weight: Vec<f64>,
}

impl Reached {
    /// The probability to lie above `bound` after a step of variance `step`.
    fn crossing(&self, bound: f64, step: f64) -> f64 {
        let sd = step.sqrt();
        self.at.iter().zip(&self.weight).map(|(at, weight)| weight * normal((at - bound) / sd)).sum()
    }

    fn carried(&self, (low, high): (f64, f64), step: f64) -> Self {
        let width = (high - low) / (NODES - 1) as f64;
        let scale = 1.0 / (2.0 * std::f64::consts::PI * step).sqrt();
        let at: Vec<f64> = (0..NODES).map(|node| low + width * node as f64).collect();
        let simpson = |node: usize| match node {
            0 => 1.0,
            last if last == NODES - 1 => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        let density = |to: f64| {
            let near = |from: f64| (-(to - from).powi(2) / (2.0 * step)).exp();
            scale * self.at.iter().zip(&self.weight).map(|(from, weight)| weight * near(*from)).sum::<f64>()
        };
        let weight =
            at.iter().enumerate().map(|(node, to)| density(*to) * simpson(node) * width / 3.0).collect();
        Self { at, weight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_undefined() {
        assert_eq!(spend_weights(0.05, &[]), None);
        assert_eq!(spend_weights(0.05, &[1.0, -1.0]), None);
        assert_eq!(obf_spending(0.05, 0.0), None);
        assert_eq!(info_fraction_pooled_baseline(0.0, 3), None);
        assert_eq!(group_sequential_bounds(0.025, &[0.5, 0.4]), None);
        let question = SprtQuestion { p0: 0.9, p1: 0.9, alpha: 0.05, beta: 0.1 };
        assert_eq!(sprt_bernoulli(question, &[true]), None);
    }

    #[test]
    fn one_look_is_a_plain_test() {
        let bounds = group_sequential_bounds(0.025, &[1.0]).expect("defined");
        assert!((bounds[0] - 1.959_963_984_540_054).abs() < 1e-9);
    }
}
