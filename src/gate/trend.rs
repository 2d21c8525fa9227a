//! The slow slide: every night passes, and the rate goes down all the same. Nightly rates are charted against a pinned
//! baseline, which does not move with them.

use crate::stats::drift::{
    Chart, CusumSettings, Ewma, EwmaSettings, changepoint_bernoulli, ewma, tabular_cusum_low,
};
use crate::stats::nights::{NightVariance, night_variance};

/// One night's rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Night {
    /// The mean of case means.
    pub rate: f64,
    /// The variance of that mean by trial noise, the square of the fixed-suite standard error.
    pub noise: f64,
    /// Valid trials that failed.
    pub failed: u64,
    /// Valid trials.
    pub trials: u64,
}

/// What the nights show.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// How much nights differ beyond trial noise.
    pub variance: NightVariance,
    /// The standard deviation that the charts use: trial noise and the variance between nights.
    pub sigma: f64,
    /// The CUSUM towards "lower": sums up small losses.
    pub cusum: Chart,
    /// The weighted average with its limits.
    pub ewma: Ewma,
    /// The night, from 0, with which the shift most likely began; only when a chart raises the alarm.
    pub began: Option<usize>,
}

impl Trend {
    /// Whether a chart raises the alarm towards "lower".
    pub fn alarms(&self) -> bool {
        let average = self.ewma.alarm.and_then(|at| Some(self.ewma.path.get(at)? < self.ewma.lower.get(at)?));
        self.cusum.alarm.is_some() || average == Some(true)
    }
}

/// Charts `nights`, oldest first, against the rate of a pinned baseline: CUSUM with k = 0.5, h = 5 and EWMA with
/// lambda = 0.2, L = 2.7. With `quiet` first nights, the variance is taken from these only, so that a slide does not
/// widen its own limits.
///
/// Applies to nights with one fingerprint. Fails with fewer than five quiet nights, where the variance is a guess.
/// `None` for fewer than two quiet nights, or when nothing ever varied.
pub fn trend(nights: &[Night], quiet: usize, pinned: f64) -> Option<Trend> {
    let known: Vec<(f64, f64)> = nights.iter().take(quiet).map(|night| (night.rate, night.noise)).collect();
    let variance = night_variance(&known)?;
    let noise = known.iter().map(|(_, noise)| noise).sum::<f64>() / known.len() as f64;
    let sigma = (noise + variance.extra).sqrt();
    let rates: Vec<f64> = nights.iter().map(|night| night.rate).collect();
    let cusum = tabular_cusum_low(&rates, pinned, sigma, CusumSettings { slack: 0.5, height: 5.0 })?;
    let ewma = ewma(&rates, pinned, sigma, EwmaSettings { weight: 0.2, limit: 2.7 })?;
    let mut found = Trend { variance, sigma, cusum, ewma, began: None };
    if found.alarms() {
        let counts: Vec<(u64, u64)> = nights.iter().map(|night| (night.failed, night.trials)).collect();
        found.began = changepoint_bernoulli(&counts).map(|shift| shift.from);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night(failed: u64) -> Night {
        Night { rate: 1.0 - failed as f64 / 100.0, noise: 0.0004, failed, trials: 100 }
    }

    #[test]
    fn quiet_nights_raise_no_alarm() {
        let nights: Vec<Night> = [9, 10, 11, 10, 9, 10, 11, 10].map(night).to_vec();
        let found = trend(&nights, 5, 0.9).expect("nights");
        assert!(!found.alarms());
        assert_eq!(found.began, None);
    }

    #[test]
    fn a_slide_is_seen_and_its_start_is_found() {
        let nights: Vec<Night> = [9, 10, 11, 10, 10, 14, 14, 15, 14, 14, 15, 14].map(night).to_vec();
        let found = trend(&nights, 5, 0.9).expect("nights");
        assert!(found.alarms());
        assert_eq!(found.began, Some(5));
    }

    #[test]
    fn a_rise_is_no_alarm() {
        let nights: Vec<Night> = [9, 10, 11, 10, 10, 2, 1, 2].map(night).to_vec();
        assert!(!trend(&nights, 5, 0.9).expect("nights").alarms());
    }

    #[test]
    fn nights_that_never_varied_cannot_be_charted() {
        let perfect = Night { rate: 1.0, noise: 0.0, failed: 0, trials: 100 };
        assert_eq!(trend(&[perfect; 6], 5, 1.0), None);
        assert_eq!(trend(&[night(10)], 5, 0.9), None);
    }
}
