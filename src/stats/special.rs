//! Quantiles of the normal, beta and Student t distributions. Inverses are found by bisection, so that they are as good
//! as the distribution functions under them.

use statrs::function::{beta::checked_beta_reg, erf};

/// The normal quantile, z with P(Z <= z) = `p`; `None` outside 0 < p < 1.
pub fn norm_quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let tail = p.min(1.0 - p);
    let upper = |z: f64| 0.5 * erf::erfc(z / std::f64::consts::SQRT_2);
    // erfc underflows beyond 38 standard deviations, far outside every level used here.
    let z = bisect(0.0, 39.0, |z| upper(z) > tail);
    Some(if p < 0.5 { -z } else { z })
}

/// The distribution function of Beta(`a`, `b`) at `x`: the regularised incomplete beta function. `None` unless
/// a, b > 0 and 0 <= x <= 1.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> Option<f64> {
    if a > 0.0 && b > 0.0 { checked_beta_reg(a, b, x).ok() } else { None }
}

/// The quantile of Beta(`a`, `b`) at `p`; `None` unless a, b > 0 and 0 <= p <= 1.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> Option<f64> {
    let defined = (0.0..=1.0).contains(&p) && a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite();
    if !defined {
        return None;
    }
    if p == 0.0 || p == 1.0 {
        return Some(p);
    }
    Some(bisect(0.0, 1.0, |x| beta_cdf(x, a, b).is_some_and(|cdf| cdf < p)))
}

/// The Student t quantile with `df` > 0 degrees of freedom; `None` outside 0 < p < 1.
///
/// By P(T > t) = I(df / (df + t^2); df/2, 1/2) / 2 for t >= 0 (Abramowitz and Stegun 26.7.1).
pub fn student_t_quantile(p: f64, df: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0 && df > 0.0 && df.is_finite()) {
        return None;
    }
    let tail = p.min(1.0 - p);
    let x = beta_quantile(2.0 * tail, df / 2.0, 0.5)?;
    let t = (df * (1.0 - x) / x).sqrt();
    t.is_finite().then_some(if p < 0.5 { -t } else { t })
}

/// The point where `below` turns false, by halving until neighbouring numbers are reached.
fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return high;
        }
        if below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_none() {
        for p in [0.0, 1.0, -0.1, f64::NAN] {
            assert_eq!(norm_quantile(p), None, "{p}");
            assert_eq!(student_t_quantile(p, 3.0), None, "{p}");
        }
        assert_eq!(beta_quantile(0.5, 0.0, 1.0), None);
        assert_eq!(beta_quantile(f64::NAN, 1.0, 1.0), None);
        assert_eq!(beta_cdf(1.5, 1.0, 1.0), None);
        assert_eq!(student_t_quantile(0.5, 0.0), None);
    }
}
