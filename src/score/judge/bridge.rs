//! Two judges on the same stored transcripts: whether verdicts of one may be compared with verdicts of the other. Pure.

use serde::Serialize;

use crate::stats::agreement::{Counts, cohen_kappa, gwet_ac1};
use crate::stats::special::{beta_cdf, norm_quantile};

/// Verdicts that a bridge needs.
pub const ENOUGH: u64 = 100;
/// The shift that does not matter, either way.
pub const SHIFT: f64 = 0.02;
/// The least agreement beyond chance (AC1).
pub const AGREEMENT: f64 = 0.8;

/// What two judges say about the same criteria of the same transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bridge {
    /// Criteria that both decided.
    pub pairs: u64,
    /// Met for the old judge, not for the new.
    pub lost: u64,
    /// Not met for the old judge, met for the new.
    pub gained: u64,
    /// The share that is met for the new judge minus that of the old one, with its 95 % interval: [shift, low, high].
    pub shift: Option<[f64; 3]>,
    /// McNemar's exact test, two-sided: how likely so uneven a change is by chance.
    pub p: f64,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// Criteria that one of them left open.
    pub open: u64,
}

/// What a bridge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Verdicts of both may be compared.
    Holds,
    /// They may not; judge the baseline again with the new judge.
    Breaks,
    /// Too few verdicts, or too wide an interval, to say either.
    Open,
}

impl Bridge {
    /// Compares pairs of (old, new): whether the criterion is met, `None` where the judge left it open.
    pub fn of(pairs: &[(Option<bool>, Option<bool>)]) -> Self {
        let mut counts = Counts::default();
        let mut open = 0;
        for pair in pairs {
            match pair {
                (Some(old), Some(new)) => counts.add(*old, *new),
                _ => open += 1,
            }
        }
        let Counts { tp: _, fn_: lost, fp: gained, tn: _ } = counts;
        Self {
            pairs: counts.total(),
            lost,
            gained,
            shift: shift(&counts),
            p: mcnemar(lost, gained),
            ac1: gwet_ac1(&counts.table()).map(|found| found.coefficient),
            kappa: cohen_kappa(&counts.table()).map(|found| found.coefficient),
            open,
        }
    }

    /// Whether verdicts may be compared.
    pub fn span(&self) -> Span {
        let Some([shift, low, high]) = self.shift.filter(|_| self.pairs >= ENOUGH) else { return Span::Open };
        let agree = self.ac1.is_some_and(|ac1| ac1 >= AGREEMENT);
        if low >= -SHIFT && high <= SHIFT && agree {
            Span::Holds
        } else if !agree || shift.abs() > SHIFT || low > 0.0 || high < 0.0 {
            Span::Breaks
        } else {
            Span::Open
        }
    }
}

/// The exact two-sided test of McNemar (1947): of the verdicts that changed, each direction is as likely.
fn mcnemar(lost: u64, gained: u64) -> f64 {
    let (few, all) = (lost.min(gained) as f64, (lost + gained) as f64);
    // P(X <= few) of a fair binomial.
    let tail = beta_cdf(0.5, all - few, few + 1.0).unwrap_or(1.0);
    (2.0 * tail).min(1.0)
}

/// The change of a share over pairs with the adjusted Wald interval of Agresti and Min (2005): half a pair is added to
/// each cell, which keeps it honest when hardly anything changed. `None` without pairs.
fn shift(counts: &Counts) -> Option<[f64; 3]> {
    let z = norm_quantile(0.975)?;
    let n = counts.total() as f64;
    if n == 0.0 {
        return None;
    }
    let (lost, gained) = (counts.fn_ as f64, counts.fp as f64);
    let (n_, lost_, gained_) = (n + 2.0, lost + 0.5, gained + 0.5);
    let middle = (gained_ - lost_) / n_;
    let half = z * (((gained_ + lost_) - (gained_ - lost_).powi(2) / n_).sqrt()) / n_;
    Some([(gained - lost) / n, (middle - half).max(-1.0), (middle + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge(both: usize, lost: usize, gained: usize, neither: usize) -> Bridge {
        let pairs = [(true, true, both), (true, false, lost), (false, true, gained), (false, false, neither)];
        let pairs: Vec<_> =
            pairs.into_iter().flat_map(|(old, new, times)| vec![(Some(old), Some(new)); times]).collect();
        Bridge::of(&pairs)
    }

    #[test]
    fn equal_judges_hold_a_bridge() {
        let same = bridge(250, 1, 1, 50);
        assert_eq!((same.span(), same.pairs, same.p), (Span::Holds, 302, 1.0));
        assert_eq!(
            same.shift.map(|[shift, low, high]| (shift, low < 0.0, high > 0.0)),
            Some((0.0, true, true))
        );
    }

    #[test]
    fn a_stricter_judge_breaks_it() {
        let strict = bridge(200, 30, 0, 70);
        assert_eq!(strict.span(), Span::Breaks);
        assert!(strict.p < 1e-8, "{}", strict.p);
        assert_eq!(strict.shift.map(|[shift, _, _]| shift), Some(-0.1));
        assert_eq!(bridge(60, 40, 40, 60).span(), Span::Breaks, "no shift and no agreement either");
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(bridge(40, 0, 0, 40).span(), Span::Open);
        assert_eq!(bridge(100, 1, 1, 10).span(), Span::Open, "the interval is wider than what may shift");
        let silent = Bridge::of(&[(None, Some(true)), (Some(true), None)]);
        assert_eq!((silent.span(), silent.open, silent.shift), (Span::Open, 2, None));
    }

    #[test]
    fn the_exact_test_is_exact() {
        // 2 * P(X <= 1 | 10, 1/2) = 2 * 11 / 1024
        assert!((mcnemar(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - 2.0 / 32.0).abs() < 1e-12);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(4, 4), 1.0);
    }
}
