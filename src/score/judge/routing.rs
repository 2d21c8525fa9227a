//! Where a second judge is asked: the threshold that labels show. Pure.

use serde::{Deserialize, Serialize};

use crate::stats::escalation::escalation_threshold;

/// How surely the promise of a threshold holds.
const SURELY: f64 = 0.95;

/// The share of kept verdicts on which people may differ, unless somebody says otherwise: as many as on which two people
/// may.
pub const TOLERATED: f64 = super::calibration::DISAGREEMENT;

/// The threshold above which the word of the first judge is enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// Verdicts with a probability above this are kept; others go to the second judge.
    pub above: f64,
    /// The share of kept verdicts on which people may differ.
    pub tolerated: f64,
    /// Labelled verdicts that are kept.
    pub kept: u64,
    /// Those on which people differ.
    pub differ: u64,
    /// The share on which people differ is no larger than this, with 95 % confidence.
    pub upper: f64,
    /// Labelled verdicts whose probability is known, kept or not.
    pub of: u64,
}

/// A verdict of the first judge by itself, beside what people say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Own {
    /// Whether people find the criterion met.
    pub people: bool,
    /// Whether the judge does.
    pub judge: bool,
    /// How likely it found that.
    pub probability: f64,
}

/// The lowest threshold above which people surely differ on no more than they may; `None` where labels show none.
pub fn routing(own: &[Own], tolerated: f64) -> Option<Routing> {
    let judged: Vec<(f64, bool)> = own.iter().map(|one| (one.probability, one.people != one.judge)).collect();
    let found = escalation_threshold(&judged, tolerated, SURELY)?;
    Some(Routing {
        above: found.above,
        tolerated,
        kept: found.kept,
        differ: found.wrong,
        upper: (found.upper * 1e4).round() / 1e4,
        of: own.len() as u64,
    })
}

impl Routing {
    /// In words: `verdicts with a probability above 0.86 are kept (120 of 144 labelled; people differ on 3, ...)`.
    pub fn sentence(&self) -> String {
        let Self { above, kept, differ, upper, of, .. } = self;
        format!(
            "verdicts with a probability above {above:.2} are kept ({kept} of {of} labelled; people differ on {differ}, surely \
             on no more than {:.1} %), others go to a second judge",
            upper * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(judge: bool, probability: f64, people: bool, times: usize) -> Vec<Own> {
        vec![Own { people, judge, probability }; times]
    }

    #[test]
    fn what_people_differ_on_is_kept_out() {
        let all = [
            own(true, 0.999, true, 40),
            own(false, 0.95, false, 40),
            own(false, 0.95, true, 2),
            own(true, 0.7, false, 12),
            own(true, 0.7, true, 12),
        ]
        .concat();
        let found = routing(&all, TOLERATED).unwrap();
        assert_eq!((found.above, found.kept, found.differ, found.of), (0.7, 82, 2, 106));
        insta::assert_snapshot!(found.sentence());
        assert_eq!(routing(&all[..20], TOLERATED), None, "too few");
        let wrong: Vec<Own> = all.iter().map(|one| Own { people: !one.people, ..*one }).collect();
        assert_eq!(routing(&wrong, TOLERATED), None);
    }
}
