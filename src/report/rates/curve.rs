//! The reliability curve: pass^k for k = 1, 2, ..., with its band, and projected a little beyond the trials that ran.

use serde::Serialize;

use super::CONFIDENCE;
use crate::stats::Tally;
use crate::stats::mean::t_interval;
use crate::stats::reliability::{pass_hat_k, posterior_pass_hat_k, suite_pass_hat_k};

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// How many trials in a row.
    pub k: u64,
    /// The chance that all of them pass, the mean over cases.
    pub pass_hat: f64,
    /// Lower end of the 95 % band over cases; `None` for one case, for cases that are all alike, and when projected.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// How many cases it rests on.
    pub cases: u64,
    /// Whether k is beyond the trials that ran, so that the number leans on a prior.
    pub projected: bool,
}

/// The ks of interest beyond the trials that ran.
const BEYOND: [u64; 2] = [5, 10];
/// The prior of a projection, that of Jeffreys.
const PRIOR: [f64; 2] = [0.5, 0.5];

/// The curve up to the most judged trials of any case, then projected at most as far again.
pub(super) fn of(cases: &[Tally], longest: u64) -> Vec<Point> {
    let measured = (1..=longest).filter_map(|k| {
        let streak = suite_pass_hat_k(cases, k)?;
        let values: Vec<f64> = cases.iter().filter_map(|case| pass_hat_k(*case, k)).collect();
        // A t interval knows no edges; a chance does.
        let band = t_interval(&values, CONFIDENCE);
        Some(Point {
            k,
            pass_hat: streak.mean,
            low: band.map(|band| band.low.max(0.0)),
            high: band.map(|band| band.high.min(1.0)),
            cases: streak.cases,
            projected: false,
        })
    });
    let beyond = BEYOND.into_iter().filter(|k| (longest + 1..=2 * longest).contains(k));
    let projected = beyond.filter_map(|k| {
        let tried = cases.iter().filter(|case| case.trials > 0);
        let values: Vec<f64> = tried.filter_map(|case| posterior_pass_hat_k(*case, k, PRIOR)).collect();
        let cases = values.len() as u64;
        let pass_hat = values.iter().sum::<f64>() / cases as f64;
        (cases > 0).then_some(Point { k, pass_hat, low: None, high: None, cases, projected: true })
    });
    measured.chain(projected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_say_what_they_rest_on() {
        let cases = [
            Tally { trials: 3, passed: 3 },
            Tally { trials: 3, passed: 2 },
            Tally { trials: 2, passed: 0 },
            Tally { trials: 0, passed: 0 },
        ];
        let curve = of(&cases, 3);
        let told: Vec<(u64, u64, bool)> =
            curve.iter().map(|point| (point.k, point.cases, point.projected)).collect();
        assert_eq!(told, [(1, 3, false), (2, 3, false), (3, 2, false), (5, 3, true)]);
        assert_eq!(curve[2].pass_hat, 0.5);
        assert_eq!((curve[2].low, curve[2].high), (Some(0.0), Some(1.0)), "two cases say very little");
        assert_eq!((curve[3].low, curve[3].high), (None, None));
        assert!(curve[3].pass_hat < curve[1].pass_hat);
    }

    #[test]
    fn nothing_varies_and_nothing_ran() {
        let alike = of(&[Tally { trials: 2, passed: 2 }; 5], 2);
        assert!(alike.iter().all(|point| point.pass_hat == 1.0 && point.low.is_none()));
        assert_eq!(of(&[], 0), []);
    }
}
