//! Statements of belief: how sure we are that a change is above a margin. They explain; they never gate.

use super::paired::Discordant;
use super::special::{bisect, front, lower_beta};

/// The parameters of a beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beta {
    /// Prior plus passes.
    pub a: f64,
    /// Prior plus failures.
    pub b: f64,
}

impl Beta {
    fn is_proper(self) -> bool {
        self.a > 0.0 && self.b > 0.0 && self.a.is_finite() && self.b.is_finite()
    }

    fn at_most(self, x: f64) -> f64 {
        lower_beta(x, 1.0 - x, self.a, self.b)
    }

    fn above(self, x: f64) -> f64 {
        lower_beta(1.0 - x, x, self.b, self.a)
    }

    fn quantile(self, p: f64) -> f64 {
        bisect(0.0, 1.0, |x| self.at_most(x) < p)
    }

    /// E[g(X)], with g smooth between the places in `breaks`.
    fn expectation(self, breaks: &[f64], g: impl Fn(f64) -> f64) -> f64 {
        // Where the mass is, so that a sharp peak is not stepped over.
        let mass = [1e-15, 1e-6, 1e-3, 0.05, 0.5, 0.95, 0.999];
        let mut ends: Vec<f64> = mass.iter().map(|p| self.quantile(*p)).collect();
        ends.extend([1e-6, 1e-15].map(|p| 1.0 - Self { a: self.b, b: self.a }.quantile(p)));
        ends.extend(breaks.iter().copied().filter(|at| *at > 0.0 && *at < 1.0));
        ends.extend([0.0, 1.0]);
        ends.sort_unstable_by(f64::total_cmp);
        ends.dedup();
        let density = |x: f64, y: f64| front(x, y, self.a, self.b) / x / y;
        ends.windows(2).map(|end| panel(end[0], end[1], |x, y| density(x, y) * g(x))).sum()
    }
}

/// The integral of `f(x, 1 - x)` from `low` to `high` by the double-exponential rule (Takahasi and Mori 1974), which
/// bears the poles of densities at 0 and 1.
fn panel(low: f64, high: f64, f: impl Fn(f64, f64) -> f64) -> f64 {
    const STEP: f64 = 1.0 / 16.0;
    let width = high - low;
    let node = |k: i32| {
        let t = f64::from(k) * STEP;
        let s = std::f64::consts::FRAC_PI_2 * t.sinh();
        // Distances from both ends, each computed so that it does not vanish beside the other.
        let (from_low, from_high) = (width / (1.0 + (-2.0 * s).exp()), width / (1.0 + (2.0 * s).exp()));
        let (x, y) = (low + from_low, (1.0 - high) + from_high);
        let slope = width * std::f64::consts::FRAC_PI_4 * t.cosh() / s.cosh().powi(2);
        let value = f(x, y) * slope;
        if x > 0.0 && y > 0.0 && value.is_finite() { value } else { 0.0 }
    };
    (-64..=64).map(node).sum::<f64>() * STEP
}

/// P(candidate rate - baseline rate > `margin`) for independent beta posteriors, by quadrature to 1e-9 or so.
///
/// Applies to "we are 93 % sure the drop is under 5 points" with a margin of -0.05. Fails to use pairing and cases: the
/// true certainty is higher when cases repeat. `None` for parameters that are not positive or a margin that is NaN.
pub fn prob_beta_diff_greater(candidate: Beta, baseline: Beta, margin: f64) -> Option<f64> {
    if !candidate.is_proper() || !baseline.is_proper() || margin.is_nan() {
        return None;
    }
    if margin >= 1.0 {
        return Some(0.0);
    }
    if margin < -1.0 {
        return Some(1.0);
    }
    let above = |x: f64| candidate.above((x + margin).clamp(0.0, 1.0));
    let mut breaks = vec![-margin, 1.0 - margin];
    // Where the candidate's own mass begins and ends, seen from the baseline.
    breaks.extend([1e-12, 0.01, 0.5, 0.99].map(|p| candidate.quantile(p) - margin));
    Some(baseline.expectation(&breaks, above).clamp(0.0, 1.0))
}

/// The weights of the three outcomes before any case was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedPrior {
    /// Passed before, fails now.
    pub worse: f64,
    /// Failed before, passes now.
    pub better: f64,
    /// Unchanged.
    pub same: f64,
}

impl Default for PairedPrior {
    fn default() -> Self {
        Self { worse: 0.5, better: 0.5, same: 1.0 }
    }
}

/// P(share better - share worse > `margin`) under a Dirichlet posterior on (worse, better, same), by quadrature over
/// the share that changed.
///
/// Applies to one trial per case and side. Fails below 30 cases, where the flat prior on "same" matters. `None` for a
/// prior that is not positive or a margin that is NaN.
pub fn prob_dirichlet_paired_greater(
    changed: Discordant,
    concordant: u64,
    margin: f64,
    prior: PairedPrior,
) -> Option<f64> {
    let (worse, better) = (changed.worse as f64 + prior.worse, changed.better as f64 + prior.better);
    let share_better = Beta { a: better, b: worse };
    let moved = Beta { a: worse + better, b: concordant as f64 + prior.same };
    let weights = [prior.worse, prior.better, prior.same];
    if !weights.iter().all(|weight| *weight > 0.0 && weight.is_finite()) || margin.is_nan() {
        return None;
    }
    // With s changed and t of them better, the difference is s(2t - 1).
    let above = |s: f64| {
        let least = 0.5 * (1.0 + margin / s);
        if least <= 0.0 { 1.0 } else { share_better.above(least.min(1.0)) }
    };
    Some(moved.expectation(&[margin.abs()], above).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_posteriors_are_even() {
        for beta in [Beta { a: 0.5, b: 0.5 }, Beta { a: 3.0, b: 40.0 }, Beta { a: 9e4, b: 1e4 }] {
            let even = prob_beta_diff_greater(beta, beta, 0.0).expect("proper");
            assert!((even - 0.5).abs() < 1e-8, "{beta:?}: {even}");
        }
        let none = Discordant { worse: 0, better: 0 };
        let even = prob_dirichlet_paired_greater(none, 50, 0.0, PairedPrior::default()).expect("proper");
        assert!((even - 0.5).abs() < 1e-8, "{even}");
    }

    #[test]
    fn margins_beyond_one_are_certain_and_nonsense_is_undefined() {
        let beta = Beta { a: 1.0, b: 1.0 };
        assert_eq!(prob_beta_diff_greater(beta, beta, 1.0), Some(0.0));
        assert_eq!(prob_beta_diff_greater(beta, beta, -1.5), Some(1.0));
        assert_eq!(prob_beta_diff_greater(beta, beta, f64::NAN), None);
        assert_eq!(prob_beta_diff_greater(Beta { a: 0.0, b: 1.0 }, beta, 0.0), None);
    }
}
