//! Nights differ: how much, what that does to a p-value, and which of two things that changed is to blame.

use super::mean::{all_finite, mean, variance};
use super::proportion::standard_error;
use super::special::{norm_quantile, student_t_cdf};

/// How much nights differ beyond trial noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NightVariance {
    /// The variance of the nightly means.
    pub observed: f64,
    /// What trial noise does not explain of it; never below 0.
    pub extra: f64,
    /// Cochran's Q, for display; `None` when a night has no noise.
    pub cochran_q: Option<f64>,
}

/// The variance between nights by moments: max(0, S^2(means) - mean variance within) over nights (mean, variance of
/// that mean).
///
/// Applies to five nights or more with one fingerprint. Fails with few nights, by being 0 too often. `None` for fewer
/// than two nights or a negative variance.
pub fn night_variance(nights: &[(f64, f64)]) -> Option<NightVariance> {
    let (means, within): (Vec<f64>, Vec<f64>) = nights.iter().copied().unzip();
    if !all_finite(&means) || !all_finite(&within) || within.iter().any(|noise| *noise < 0.0) {
        return None;
    }
    let observed = variance(&means)?;
    let weights: f64 = within.iter().map(|noise| 1.0 / noise).sum();
    let pooled = nights.iter().map(|(mean, noise)| mean / noise).sum::<f64>() / weights;
    let q: f64 = nights.iter().map(|(mean, noise)| (mean - pooled).powi(2) / noise).sum();
    let extra = (observed - mean(&within)?).max(0.0);
    Some(NightVariance { observed, extra, cochran_q: q.is_finite().then_some(q) })
}

/// A p-value that knows nights differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NightAdjusted {
    /// The standardised change after the adjustment.
    pub z: f64,
    /// Its p-value, one-sided towards "worse".
    pub p: f64,
}

/// The raw one-sided p-value of a night against a history of `nights`, adjusted for the variance between nights:
/// z sqrt(V / (V + s^2(1 + 1/m))), read on t with m - 1 degrees of freedom. Without such variance it stays as it is.
///
/// Applies when no control can be run beside. Fails to keep power: about half is lost at a night SD of 1.2 points.
/// `None` unless 0 < p < 1, V > 0, s^2 >= 0 and two nights.
pub fn night_adjusted_p(p: f64, within: f64, extra: f64, nights: u64) -> Option<NightAdjusted> {
    let z = norm_quantile(p)?;
    if !(within > 0.0 && extra >= 0.0 && all_finite(&[within, extra])) || nights < 2 {
        return None;
    }
    if extra == 0.0 {
        return Some(NightAdjusted { z, p });
    }
    let m = nights as f64;
    let z = z * (within / (within + extra * (1.0 + 1.0 / m))).sqrt();
    Some(NightAdjusted { z, p: student_t_cdf(z, m - 1.0)? })
}

/// One case in the four arms of a two-by-two comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FourArms {
    /// Old model, old server.
    pub old_old: f64,
    /// New model, old server.
    pub new_model: f64,
    /// Old model, new server.
    pub new_server: f64,
    /// New model, new server.
    pub new_new: f64,
}

/// An estimate over cases with its paired standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Positive is better.
    pub estimate: f64,
    /// The standard error over cases; `None` for a single case.
    pub se: Option<f64>,
}

/// What changed a rate: the model, the server, or the two together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoFactor {
    /// The model's part, the average of both orders of changing.
    pub model: Effect,
    /// The server's part.
    pub server: Effect,
    /// How much the new model suffers more from the new server than the old one did.
    pub interaction: Effect,
    /// All of the change: model plus server.
    pub total: Effect,
}

/// The paired contrasts of a two-by-two comparison over the same cases; the two main effects are Shapley averages and
/// add up to the total.
///
/// Applies when a new model and a new server came the same night. Fails without all four arms on the same cases.
/// `None` without cases or with a value that is not finite.
pub fn two_factor(cases: &[FourArms]) -> Option<TwoFactor> {
    let effect = |contrast: fn(&FourArms) -> f64| {
        let values: Vec<f64> = cases.iter().map(contrast).collect();
        let estimate = mean(&values).filter(|_| all_finite(&values))?;
        Some(Effect { estimate, se: (values.len() > 1).then(|| standard_error(&values)) })
    };
    Some(TwoFactor {
        model: effect(|c| ((c.new_model - c.old_old) + (c.new_new - c.new_server)) / 2.0)?,
        server: effect(|c| ((c.new_server - c.old_old) + (c.new_new - c.new_model)) / 2.0)?,
        interaction: effect(|c| (c.new_new - c.new_server) - (c.new_model - c.old_old))?,
        total: effect(|c| c.new_new - c.old_old)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_is_undefined() {
        assert_eq!(night_variance(&[(0.9, 0.001)]), None);
        assert_eq!(night_variance(&[(0.9, -0.001), (0.8, 0.001)]), None);
        assert_eq!(night_adjusted_p(0.01, 0.001, 0.001, 1), None);
        assert_eq!(night_adjusted_p(0.0, 0.001, 0.001, 5), None);
        assert_eq!(two_factor(&[]), None);
    }

    #[test]
    fn nights_without_noise_have_no_q() {
        let found = night_variance(&[(1.0, 0.0), (1.0, 0.0)]).expect("two nights");
        assert_eq!((found.extra, found.cochran_q), (0.0, None));
    }

    #[test]
    fn quiet_nights_leave_the_p_value_alone() {
        assert_eq!(night_adjusted_p(0.01, 0.001, 0.0, 5).map(|found| found.p), Some(0.01));
    }
}
