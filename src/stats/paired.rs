//! Two sides with one trial per case each: only the cases that changed carry information.

use super::Interval;
use super::lattice::Lattice;
use super::proportion::{upper, wilson};
use super::special::{bisect, norm_quantile, normal};

/// Cases that changed between two sides of one trial each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discordant {
    /// Passed before, fail now.
    pub worse: u64,
    /// Failed before, pass now.
    pub better: u64,
}

impl Discordant {
    /// Cases that changed at all.
    pub fn changed(self) -> u64 {
        self.worse.saturating_add(self.better)
    }
}

/// McNemar's test in its forms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct McNemar {
    /// Exact, two-sided.
    pub exact_two: f64,
    /// Two-sided, with half the probability of what was seen (mid-p): the recommended form.
    pub midp_two: f64,
    /// Exact, one-sided: as many or more got worse by chance.
    pub exact_worse: f64,
    /// The mid-p form of `exact_worse`.
    pub midp_worse: f64,
    /// The large-sample statistic (b - c)^2/(b + c).
    pub chi2: f64,
    /// The same with a continuity correction.
    pub chi2_corrected: f64,
}

/// More changed cases than this are refused.
const MOST_CHANGED: u64 = 10_000_000;

/// McNemar's test (1947) on changed cases: P(X >= worse) for X ~ Binomial(worse + better, 1/2), and mid-p forms
/// (Fagerland, Lydersen and Laake 2013).
///
/// Applies to one trial per case and side. Fails to see more than direction: two changed cases can conclude nothing,
/// whatever the suite. Without any change every p is 1. `None` beyond ten million changed cases.
pub fn mcnemar(Discordant { worse, better }: Discordant) -> Option<McNemar> {
    let n = worse.checked_add(better).filter(|n| *n <= MOST_CHANGED)?;
    if n == 0 {
        let ones = McNemar {
            exact_two: 1.0,
            midp_two: 1.0,
            exact_worse: 1.0,
            midp_worse: 1.0,
            chi2: 0.0,
            chi2_corrected: 0.0,
        };
        return Some(ones);
    }
    let coin = Lattice::fair_coin(n);
    let (least, gap) = (worse.min(better), worse.abs_diff(better) as f64);
    let exact_worse = coin.at_least(worse);
    let tail = coin.at_most(least);
    let even = worse == better;
    Some(McNemar {
        exact_two: if even { 1.0 } else { (2.0 * tail).min(1.0) },
        midp_two: if even { 1.0 } else { (2.0 * tail - coin.at(least)).min(1.0) },
        exact_worse,
        midp_worse: exact_worse - 0.5 * coin.at(worse),
        chi2: gap * gap / n as f64,
        chi2_corrected: (gap - 1.0).powi(2) / n as f64,
    })
}

/// A table of cases by what they gave before and now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FourFold {
    /// Passed before and now.
    pub both: u64,
    /// What changed.
    pub changed: Discordant,
    /// Failed before and now.
    pub neither: u64,
}

/// A change in a rate with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedChange {
    /// Candidate minus baseline.
    pub diff: f64,
    /// Its interval.
    pub interval: Interval,
    /// The correlation of the two sides, corrected for continuity.
    pub phi: f64,
}

/// Newcombe's interval for a paired difference, his method 10 (1998): Wilson's ends of the two rates, squared and added
/// with their correlation.
///
/// Applies to one trial per case and side, at any n. Fails by being a little wide when nothing changed. `None` without
/// cases.
pub fn newcombe_paired(table: FourFold, conf: f64) -> Option<PairedChange> {
    let FourFold { both, changed: Discordant { worse, better }, neither } = table;
    let (before, now) = (both.checked_add(worse)?, both.checked_add(better)?);
    let n = before.checked_add(better)?.checked_add(neither).filter(|n| *n > 0)?;
    let (base, cand) = (wilson(before, n, conf)?, wilson(now, n, conf)?);
    let rate = |passed: u64| passed as f64 / n as f64;
    let (p, q) = (rate(before), rate(now));
    let margins = [before, n - before, now, n - now].iter().map(|margin| *margin as f64).product::<f64>();
    let cross = both as f64 * neither as f64 - worse as f64 * better as f64;
    let corrected = if cross > 0.0 { (cross - n as f64 / 2.0).max(0.0) } else { cross };
    let phi = if margins > 0.0 { corrected / margins.sqrt() } else { 0.0 };
    let reach =
        |now: f64, before: f64| (now * now - 2.0 * phi * now * before + before * before).max(0.0).sqrt();
    let diff = q - p;
    let interval = Interval {
        low: diff - reach(q - cand.low, base.high - p),
        high: diff + reach(cand.high - q, p - base.low),
    };
    Some(PairedChange { diff, interval, phi })
}

/// Tango's score statistic (1998) for the hypothesis that the change is `diff`: how many standard deviations the
/// observed change lies above it. `None` where the hypothesis leaves no spread.
fn tango_z(changed: Discordant, n: u64, diff: f64) -> Option<f64> {
    let (worse, better, n) = (changed.worse as f64, changed.better as f64, n as f64);
    let linear = (2.0 * n - better + worse) * diff - worse - better;
    let constant = -worse * diff * (1.0 - diff);
    // The likeliest share that got worse, given the change.
    let share = ((linear * linear - 8.0 * n * constant).max(0.0).sqrt() - linear) / (4.0 * n);
    let variance = n * (2.0 * share + diff * (1.0 - diff));
    (variance > 0.0).then(|| (better - worse - n * diff) / variance.sqrt())
}

/// Tango's score interval (1998) for the change in a rate over `n` cases, by bisection on its statistic.
///
/// Applies to one trial per case and side; close to its level in small samples too. `None` without cases or with more
/// changed cases than cases.
pub fn tango_ci(changed: Discordant, n: u64, conf: f64) -> Option<Interval> {
    let z = norm_quantile(upper(conf)?)?;
    if n == 0 || changed.changed() > n {
        return None;
    }
    let diff = (changed.better as f64 - changed.worse as f64) / n as f64;
    // At the ends of [-1, 1] the statistic has no spread; the observed change is then on one side of it for sure.
    let low = if diff <= -1.0 {
        -1.0
    } else {
        bisect(-1.0, diff, |at| tango_z(changed, n, at).is_none_or(|s| s > z))
    };
    let high = if diff >= 1.0 {
        1.0
    } else {
        bisect(diff, 1.0, |at| tango_z(changed, n, at).is_none_or(|s| s > -z))
    };
    Some(Interval { low, high })
}

/// A test that a change is not worse than a margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonInferiority {
    /// Standard deviations above the margin.
    pub z: f64,
    /// The p-value of "worse than the margin": small means not worse.
    pub p: f64,
}

/// Tango's test (1998) of the hypothesis "candidate - baseline <= `margin`" with a negative margin.
///
/// Applies to one trial per case and side. `None` unless -1 < margin < 1, with cases, and where the statistic has no
/// spread.
pub fn tango_ni(changed: Discordant, n: u64, margin: f64) -> Option<NonInferiority> {
    if n == 0 || changed.changed() > n || !(margin > -1.0 && margin < 1.0) {
        return None;
    }
    let z = tango_z(changed, n, margin)?;
    Some(NonInferiority { z, p: normal(-z) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Discordant = Discordant { worse: 0, better: 0 };

    #[test]
    fn impossible_tables_are_undefined() {
        assert_eq!(tango_ci(Discordant { worse: 2, better: 2 }, 3, 0.95), None);
        assert_eq!(tango_ci(NONE, 0, 0.95), None);
        assert_eq!(tango_ni(NONE, 10, 1.0), None);
        assert_eq!(newcombe_paired(FourFold { both: 0, changed: NONE, neither: 0 }, 0.95), None);
        assert_eq!(mcnemar(Discordant { worse: u64::MAX, better: 1 }), None);
    }

    #[test]
    fn one_changed_case_of_twenty_concludes_nothing() {
        let one = Discordant { worse: 1, better: 0 };
        assert_eq!(mcnemar(one).map(|test| test.exact_worse), Some(0.5));
        let interval = tango_ci(one, 20, 0.95).expect("defined");
        assert!(interval.low < -0.1 && interval.high > 0.0, "{interval:?}");
    }

    #[test]
    fn a_total_break_reaches_the_edge() {
        let interval = tango_ci(Discordant { worse: 20, better: 0 }, 20, 0.95).expect("defined");
        assert_eq!(interval.low, -1.0);
        assert!(interval.high < -0.6, "{interval:?}");
    }
}
