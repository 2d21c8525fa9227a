//! Rates that need a guarantee: denials and grants of the access matrix, with the exact interval of Clopper and Pearson.

use serde::Serialize;

use super::{CONFIDENCE, counts};
use crate::gate::cells::Cell;
use crate::score::{Finding, Grade, Weight};
use crate::stats::proportion::{clopper_pearson, rule_of_three};
use crate::transcript::CaseKind;

/// How often something held that must always hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ExactRate {
    /// `denied`: what a persona must not reach was out of reach. `granted`: what it must reach was in reach.
    pub what: &'static str,
    /// How often it was looked at and seen.
    pub of: u64,
    /// How often it held.
    pub held: u64,
    /// Lower end of the exact 95 % interval of the share.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// When it always held: the share of failures that could still be, at 95 %.
    pub failure_rate_below: Option<f64>,
}

/// Denials first. What could not be decided is no part of either.
pub(super) fn of(cells: &[Cell<'_>]) -> Vec<ExactRate> {
    let cells = cells.iter().filter(|cell| cell.name.kind == CaseKind::Access);
    let results = cells.flat_map(|cell| &cell.results).filter(|result| counts(result));
    let findings: Vec<&Finding> =
        results.filter_map(|result| result.verdict.as_ref()).flat_map(|verdict| &verdict.findings).collect();
    let rate = |what, weight| {
        let mine =
            || findings.iter().filter(|finding| finding.weight == weight && !finding.sights.is_empty());
        let held = mine().filter(|finding| finding.grade == Grade::Pass).count() as u64;
        let of = held + mine().filter(|finding| finding.grade == Grade::Fail).count() as u64;
        let interval = clopper_pearson(held, of, CONFIDENCE)?;
        let failure_rate_below =
            rule_of_three(of, CONFIDENCE).filter(|_| held == of).map(|bound| bound.upper);
        Some(ExactRate { what, of, held, low: interval.low, high: interval.high, failure_rate_below })
    };
    [rate("denied", Weight::Security), rate("granted", Weight::Must)].into_iter().flatten().collect()
}

impl ExactRate {
    /// The rate in words: `36 of 36 that must be denied were; the failure rate could still be 8.0 %`.
    pub fn sentence(&self) -> String {
        let percent = crate::report::figures::percent;
        let Self { what, of, held, low, high, failure_rate_below } = self;
        let bound = match failure_rate_below {
            Some(upper) => format!("the failure rate could still be {}", percent(*upper)),
            None => format!("exact 95 % interval {} to {}", percent(*low), percent(*high)),
        };
        format!("{held} of {of} that must be {what} were; {bound}")
    }
}
