//! The functions under every interval and p-value: ln gamma, and the normal, beta, Student t and chi-square
//! distributions with their quantiles. Tails are computed as tails, never as 1 minus the other side, and inverses are
//! found by bisection, so that they are as good as the distribution functions under them.

use std::f64::consts::{PI, SQRT_2};

/// ln of the gamma function at `x`; `None` unless x > 0 and finite.
///
/// The approximations of FreeBSD's mathematical library, good to the last digit or two, beside the zeros at 1 and 2 too.
pub fn ln_gamma(x: f64) -> Option<f64> {
    (x > 0.0 && x.is_finite()).then(|| libm::lgamma(x)).filter(|value| value.is_finite())
}

/// The normal distribution function P(Z <= z); `None` for NaN. By the complementary error function, so that the deep
/// lower tail keeps its digits.
pub fn norm_cdf(z: f64) -> Option<f64> {
    (!z.is_nan()).then(|| normal(z))
}

/// P(Z <= z) of a number that is one. The upper tail is `normal(-z)`.
pub(super) fn normal(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// The normal quantile, z with P(Z <= z) = `p`; `None` outside 0 < p < 1.
pub fn norm_quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let tail = p.min(1.0 - p);
    // erfc underflows beyond 38 standard deviations, far outside every level used here.
    let z = if tail == 0.5 { 0.0 } else { bisect(0.0, 39.0, |z| normal(-z) > tail) };
    Some(if p < 0.5 { -z } else { z })
}

/// The distribution function of Beta(`a`, `b`) at `x`: the regularised incomplete beta function. `None` unless
/// a, b > 0, both finite, and 0 <= x <= 1.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> Option<f64> {
    let defined = (0.0..=1.0).contains(&x) && a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite();
    defined.then(|| lower_beta(x, 1.0 - x, a, b))
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
    Some(bisect(0.0, 1.0, |x| lower_beta(x, 1.0 - x, a, b) < p))
}

/// The Student t distribution function P(T <= `t`) with `df` degrees of freedom; `None` unless df > 0 and finite.
///
/// By P(T > t) = I(df / (df + t^2); df/2, 1/2) / 2 for t >= 0 (Abramowitz and Stegun 26.7.1).
pub fn student_t_cdf(t: f64, df: f64) -> Option<f64> {
    if t.is_nan() || !(df > 0.0 && df.is_finite()) {
        return None;
    }
    let tail = student_tail(t.abs(), df);
    Some(if t < 0.0 { tail } else { 1.0 - tail })
}

/// P(T > t) for t >= 0.
fn student_tail(t: f64, df: f64) -> f64 {
    let square = t * t;
    if !square.is_finite() {
        return 0.0;
    }
    0.5 * lower_beta(df / (df + square), square / (df + square), df / 2.0, 0.5)
}

/// The Student t quantile with `df` > 0 degrees of freedom; `None` outside 0 < p < 1, and where it is beyond 1e150.
pub fn student_t_quantile(p: f64, df: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0 && df > 0.0 && df.is_finite()) {
        return None;
    }
    let tail = p.min(1.0 - p);
    if tail == 0.5 {
        return Some(0.0);
    }
    let mut high = 1.0;
    while student_tail(high, df) > tail {
        high *= 2.0;
        if high > 1e150 {
            return None;
        }
    }
    let t = bisect(0.0, high, |t| student_tail(t, df) > tail);
    Some(if p < 0.5 { -t } else { t })
}

/// The upper tail P(X > `x`) of the chi-square distribution with `df` degrees of freedom; `None` unless df > 0,
/// finite, and x >= 0.
pub fn chi2_sf(x: f64, df: f64) -> Option<f64> {
    if !(x >= 0.0 && df > 0.0 && df.is_finite()) {
        return None;
    }
    if x == 0.0 {
        return Some(1.0);
    }
    if x.is_infinite() {
        return Some(0.0);
    }
    Some(if df == 1.0 { libm::erfc((x / 2.0).sqrt()) } else { upper_gamma(df / 2.0, x / 2.0) })
}

/// The regularised upper incomplete gamma function Q(a, x): by its series below the mean, by Lentz's continued fraction
/// above.
fn upper_gamma(a: f64, x: f64) -> f64 {
    let away = (x - a) / a;
    // x^a e^-x / gamma(a), in the form that stays exact for large a.
    let front = (0.5 * (a / (2.0 * PI)).ln() - a * (away - away.ln_1p()) - stirling_rest(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-17 {
            k += 1.0;
            term *= x / k;
            sum += term;
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut product = d;
    for step in 1..100_000_u32 {
        let k = f64::from(step);
        let term = -k * (k - a);
        b += 2.0;
        d = 1.0 / away_from_zero(term * d + b);
        c = away_from_zero(b + term / c);
        product *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (front * product).clamp(0.0, 1.0)
}

/// Lentz's method divides by what may vanish on the way.
fn away_from_zero(value: f64) -> f64 {
    if value.abs() < 1e-300 { 1e-300 } else { value }
}

/// The regularised incomplete beta function I(x; a, b), with `y` = 1 - x given apart so that neither end loses digits.
///
/// The continued fraction of Lentz (1976) times a front factor in Loader's saddle-point form (2000), which stays exact
/// for large a and b, where differences of ln gamma do not.
pub(super) fn lower_beta(x: f64, y: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if y <= 0.0 {
        return 1.0;
    }
    let front = front(x, y, a, b);
    if x < (a + 1.0) / (a + b + 2.0) {
        (front / a * fraction(x, a, b)).clamp(0.0, 1.0)
    } else {
        (1.0 - front / b * fraction(y, b, a)).clamp(0.0, 1.0)
    }
}

/// x^a y^b / B(a, b); the density of Beta(a, b) is this over x y.
pub(super) fn front(x: f64, y: f64, a: f64, b: f64) -> f64 {
    let n = a + b;
    // With p = a/n: a ln(p/x) + b ln((1-p)/y), written so that both terms are small near the mean.
    let shift = (a * y - b * x) / n;
    let away = a * (shift / x).ln_1p() + b * (-shift / y).ln_1p();
    (0.5 * (a / n * b / (2.0 * PI)).ln() - away + stirling_rest(n) - stirling_rest(a) - stirling_rest(b))
        .exp()
}

/// ln gamma(x) minus Stirling's formula (x - 1/2) ln x - x + ln(2 pi)/2.
fn stirling_rest(x: f64) -> f64 {
    if x < 12.0 {
        return libm::lgamma(x) - ((x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln());
    }
    let inverse = 1.0 / (x * x);
    let series = [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0];
    series.iter().rev().fold(0.0, |sum, term| sum * inverse + term) / x
}

/// The continued fraction of the incomplete beta function, by Lentz's method. It needs some sqrt(max(a, b)) steps; the
/// cap is far beyond any count of trials.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut product = d;
    for step in 1..100_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a - 1.0 + 2.0 * m) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 1.0 + 2.0 * m));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            product *= change;
        }
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    product
}

/// The point where `below` turns false, by halving until neighbouring numbers are reached.
pub(super) fn bisect(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
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
        assert_eq!(student_t_cdf(f64::NAN, 3.0), None);
        assert_eq!(chi2_sf(-1.0, 1.0), None);
        assert_eq!(ln_gamma(0.0), None);
        assert_eq!(norm_cdf(f64::NAN), None);
    }

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(norm_cdf(f64::NEG_INFINITY), Some(0.0));
        assert_eq!(norm_cdf(f64::INFINITY), Some(1.0));
        assert_eq!(student_t_cdf(f64::INFINITY, 3.0), Some(1.0));
        assert_eq!(student_t_quantile(0.5, 3.0), Some(0.0));
        assert_eq!(chi2_sf(0.0, 4.0), Some(1.0));
        assert_eq!((ln_gamma(1.0), ln_gamma(2.0)), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn large_counts_keep_their_digits() {
        // The median of Beta(a, a) is 1/2 whatever a is.
        let cdf = beta_cdf(0.5, 1e6, 1e6).expect("defined");
        assert!((cdf - 0.5).abs() < 1e-11, "{cdf}");
        // The two tails of one point are complements.
        let (low, high) = (beta_cdf(0.9, 90_000.5, 10_000.5), beta_cdf(0.1, 10_000.5, 90_000.5));
        assert!((low.expect("defined") + high.expect("defined") - 1.0).abs() < 1e-11);
    }
}
