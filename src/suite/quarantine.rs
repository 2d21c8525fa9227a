//! Cases that raise no alarm of their own for a while: who answers for them, until when, and why. A quarantine ends; it is
//! no place to put what nobody wants to mend.

use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{GatePolicy, Suite};
use crate::diag::{Diagnostic, Origin};
use crate::ids::CaseName;

/// Days that a quarantine may last at most, from the day on which a run starts.
pub const LONGEST: i64 = 14;

/// A use case under quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The case.
    pub case: CaseName,
    /// Who answers for it.
    pub owner: String,
    /// The last day.
    pub until: Date,
    /// The first day, if somebody wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Why.
    pub why: String,
    /// Where the entry stands.
    pub origin: Origin,
}

/// The day of a moment in RFC 3339; `None` when it is no moment.
pub fn day(moment: &str) -> Option<Date> {
    Some(moment.parse::<jiff::Timestamp>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).date())
}

impl Quarantined {
    /// Whether it holds on this day.
    pub fn holds(&self, day: Date) -> bool {
        self.until >= day
    }
}

impl GatePolicy {
    /// The entry under which a case stands for a run that started at this moment (RFC 3339), if it still holds.
    pub fn quarantine_of(&self, case: &str, started: &str) -> Option<&Quarantined> {
        let day = day(started)?;
        self.quarantine.iter().find(|entry| entry.case.as_str() == case && entry.holds(day))
    }
}

/// What is wrong with the quarantine of a suite on the day a run starts: entries that reach too far are errors, entries
/// that are over are warnings and hold no more.
pub fn check(suite: &Suite, today: Date) -> Vec<Diagnostic> {
    let mut found = vec![];
    let furthest = today.checked_add(Span::new().days(LONGEST)).unwrap_or(today);
    for entry in &suite.gate.quarantine {
        let case = &entry.case;
        if !entry.holds(today) {
            let message =
                format!("the quarantine of case `{case}` ended on {} and holds no more", entry.until);
            found.push(
                Diagnostic::error("suite.quarantine-over", entry.origin.clone(), message)
                    .as_warning()
                    .hint("mend the case and remove the entry; or give it a new end, with the reason why it needs one"),
            );
        } else if entry.until > furthest {
            let message = format!(
                "the quarantine of case `{case}` lasts until {}, more than {LONGEST} days ahead",
                entry.until
            );
            found.push(
                Diagnostic::error("suite.quarantine", entry.origin.clone(), message)
                    .hint(format!("write {furthest} or earlier")),
            );
        }
        if entry.since.is_some_and(|since| since > today) {
            let message = format!("the quarantine of case `{case}` begins in the future");
            found.push(
                Diagnostic::error("suite.quarantine", entry.origin.clone(), message)
                    .hint("`since` is the day on which the case was first put there"),
            );
        }
    }
    found
}
