//! How numbers of the statistics are written for people. Stored in full, shown short; never "0" for a p-value, never
//! "NaN" for what is undefined.

use std::fmt;

/// A p-value as people read it: two significant digits, and `<1e-12` below that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct P(pub f64);

impl fmt::Display for P {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            p if !(0.0..=1.0).contains(&p) => f.write_str("n/a"),
            p if p < 1e-12 => f.write_str("<1e-12"),
            p if p < 0.000_995 => write!(f, "{p:.1e}"),
            p => {
                // Two digits from the first that is not zero.
                let digits = (1.0 - p.log10().floor()).clamp(1.0, 4.0) as usize;
                write!(f, "{p:.digits$}")
            }
        }
    }
}

impl P {
    /// The value with its sign: `p = 0.012`, `p < 1e-12`.
    pub fn words(self) -> String {
        let text = self.to_string();
        match text.strip_prefix('<') {
            Some(bound) => format!("p < {bound}"),
            None => format!("p = {text}"),
        }
    }
}

/// A change of a rate in points with its sign: `-5.0 points`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Points(pub f64);

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_finite() {
            return f.write_str("n/a");
        }
        // Adding 0 after rounding keeps "-0.0" out.
        let tenths = (self.0 * 1000.0).round() / 10.0 + 0.0;
        write!(f, "{tenths:+.1} points")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_have_two_digits_and_are_never_zero() {
        let shown = |p| P(p).to_string();
        assert_eq!(shown(0.0), "<1e-12");
        assert_eq!(shown(1e-300), "<1e-12");
        assert_eq!(shown(0.000_064_6), "6.5e-5");
        assert_eq!(shown(0.001), "0.0010");
        assert_eq!(shown(0.012_3), "0.012");
        assert_eq!(shown(0.456), "0.46");
        assert_eq!(shown(1.0), "1.0");
        assert_eq!(shown(f64::NAN), "n/a");
        assert_eq!((P(0.0).words().as_str(), P(0.0123).words().as_str()), ("p < 1e-12", "p = 0.012"));
    }

    #[test]
    fn changes_have_a_sign_and_no_negative_zero() {
        let shown = |change| Points(change).to_string();
        assert_eq!(shown(-0.05), "-5.0 points");
        assert_eq!(shown(0.0312), "+3.1 points");
        assert_eq!(shown(-0.000_01), "+0.0 points");
        assert_eq!(shown(f64::NAN), "n/a");
    }
}
