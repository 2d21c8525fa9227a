//! Which verdicts need no second opinion: a threshold on confidence with a guarantee.

use super::proportion::clopper_pearson;

/// A threshold of confidence, and what is above it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Verdicts with more confidence than this are kept.
    pub above: f64,
    /// How many were kept.
    pub kept: u64,
    /// How many of them were wrong.
    pub wrong: u64,
    /// The one-sided upper bound of the share that is wrong.
    pub upper: f64,
}

/// Thresholds that are tried, from the strictest: 0.99, 0.98, ... 0.50. A verdict that its giver finds no likelier than
/// not is never kept.
const GRID: std::ops::RangeInclusive<u32> = 50..=99;

/// The lowest threshold above which verdicts are wrong no more often than `tolerated`, with confidence `conf`; pairs are
/// (confidence, whether it was wrong).
///
/// Fixed-sequence testing as in Jung, Brahman and Choi 2024 (arXiv 2407.18370): from the strictest threshold down, the
/// one-sided bound of Clopper and Pearson is held against `tolerated`, and the first one that fails ends the search, so
/// that trying many costs nothing. It begins at the first threshold with enough verdicts to pass at all, which their
/// number alone decides. Applies to labels of verdicts like those to come; fails where these are harder, or come in
/// groups that are right or wrong together. `None` where no threshold passes: too few labels, or too often wrong.
pub fn escalation_threshold(judged: &[(f64, bool)], tolerated: f64, conf: f64) -> Option<Threshold> {
    if !(tolerated > 0.0 && tolerated < 1.0 && conf > 0.5 && conf < 1.0) {
        return None;
    }
    let at = |percent: u32| {
        let above = f64::from(percent) / 100.0;
        let kept = judged.iter().filter(|(confidence, _)| *confidence > above);
        let (kept, wrong) =
            kept.fold((0, 0), |(kept, wrong), (_, is_wrong)| (kept + 1, wrong + u64::from(*is_wrong)));
        (above, kept, wrong)
    };
    // The upper end of the two-sided interval at 2 conf - 1 is the one-sided bound at conf.
    let bound = |wrong, kept| clopper_pearson(wrong, kept, 2.0 * conf - 1.0).map(|interval| interval.high);
    let able = |kept| bound(0, kept).is_some_and(|upper| upper <= tolerated);
    let tried = GRID.rev().map(at).skip_while(|(_, kept, _)| !able(*kept));
    let passes = |(above, kept, wrong)| {
        let upper = bound(wrong, kept).filter(|upper| *upper <= tolerated)?;
        Some(Threshold { above, kept, wrong, upper })
    };
    tried.map_while(passes).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    fn verdicts(confidence: f64, right: usize, wrong: usize) -> Vec<(f64, bool)> {
        let all = std::iter::repeat_n((confidence, false), right);
        all.chain(std::iter::repeat_n((confidence, true), wrong)).collect()
    }

    #[test]
    fn the_threshold_stands_above_what_is_wrong_too_often() {
        let judged = [verdicts(0.995, 60, 0), verdicts(0.855, 60, 1), verdicts(0.605, 20, 15)].concat();
        let found = escalation_threshold(&judged, 0.1, 0.95).unwrap();
        assert_eq!((found.above, found.kept, found.wrong), (0.61, 121, 1));
        // Clopper and Pearson: the 0.95 quantile of Beta(2, 120).
        assert!((found.upper - 0.038_61).abs() < 1e-4, "{found:?}");
        let strict = escalation_threshold(&judged, 0.05, 0.95).unwrap();
        assert_eq!((strict.above, strict.kept), (0.61, 121));
        assert_eq!(escalation_threshold(&judged, 0.03, 0.95), None, "1 of 121 is too often for 3 %");
        let sure = escalation_threshold(&verdicts(0.6, 200, 0), 0.1, 0.95).unwrap();
        assert_eq!((sure.above, sure.kept), (0.5, 200));
    }

    #[test]
    fn few_labels_and_wrong_ones_show_nothing() {
        // 1 - 0.05^(1/29) is just below 10 %, 1 - 0.05^(1/28) just above.
        assert!(escalation_threshold(&verdicts(0.995, 29, 0), 0.1, 0.95).is_some());
        assert_eq!(escalation_threshold(&verdicts(0.995, 28, 0), 0.1, 0.95), None);
        assert_eq!(escalation_threshold(&verdicts(0.995, 60, 20), 0.1, 0.95), None);
        assert_eq!(escalation_threshold(&[], 0.1, 0.95), None);
        assert_eq!(escalation_threshold(&verdicts(0.5, 99, 0), 0.1, 0.95), None, "no likelier than not");
        assert_eq!(escalation_threshold(&verdicts(f64::NAN, 99, 0), 0.1, 0.95), None);
        for (tolerated, conf) in [(0.0, 0.95), (1.0, 0.95), (f64::NAN, 0.95), (0.1, 0.5), (0.1, 1.0)] {
            assert_eq!(escalation_threshold(&verdicts(0.995, 99, 0), tolerated, conf), None);
        }
        // The surest are wrong too often, though all together are not: the search ends where it began.
        let judged = [verdicts(0.995, 30, 10), verdicts(0.7, 500, 0)].concat();
        assert_eq!(escalation_threshold(&judged, 0.1, 0.95), None);
    }

    /// A judge whose word is right as often as it says, and one that is surer than it is right: the promise is broken
    /// no more often than it allows.
    #[test]
    fn the_promise_holds_in_nineteen_of_twenty_calibrations() {
        let mut random = SplitMix64::new(7);
        for flattery in [1.0, 0.5] {
            let mut broken = 0;
            for _ in 0..300 {
                let mut judged = vec![];
                for _ in 0..150 {
                    let confidence = 0.5 + 0.5 * random.next_f64();
                    let right = 0.5 + (confidence - 0.5) * flattery;
                    judged.push((confidence, random.next_f64() > right));
                }
                let Some(found) = escalation_threshold(&judged, 0.15, 0.95) else { continue };
                // Of confidences spread evenly from `above` to 1, the mean share that is wrong.
                let middle = (found.above + 1.0) / 2.0;
                let wrong = 1.0 - (0.5 + (middle - 0.5) * flattery);
                broken += u32::from(wrong > 0.15);
            }
            assert!(broken <= 25, "{broken} of 300 broken at {flattery}");
        }
    }
}
