//! The quarantine of a suite on page one: how large it is, how old, and what may leave it. Pure.

use serde::Serialize;

use super::figures::{count, percent};
use crate::display::{excerpt, safe_line};
use crate::gate::case_state::may_be_released;
use crate::gate::cells::Cell;
use crate::stats::Tally;
use crate::store::record::RunRecord;
use crate::suite::quarantine::{Quarantined, day};
use crate::transcript::CaseKind;

/// Most characters of a reason.
const WHY: usize = 200;

/// The cases that raise no alarm of their own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QuarantineStamp {
    /// Cases under quarantine on the day of the run.
    pub cases: usize,
    /// Their share of the use cases; `None` without a use case.
    pub share: Option<f64>,
    /// Days since the first of them was put there, as far as `since` says so.
    pub oldest_days: Option<i64>,
    /// The entries, in the order of the suite.
    pub entries: Vec<Entry>,
}

/// A case under quarantine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The case.
    pub case: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day.
    pub until: String,
    /// Days that are left, the last one included; 0: over, so that it holds no more.
    pub days_left: i64,
    /// Days since it was put there; `None`: nobody wrote it down.
    pub age_days: Option<i64>,
    /// Why.
    pub why: String,
    /// Valid trials of this run, over all of its lanes.
    pub trials: u64,
    /// Those that passed.
    pub passed: u64,
    /// Passes often enough to come back: 20 valid trials or more, and 95 % sure of a rate of 90 %.
    pub releasable: bool,
}

/// The stamp of a run; `None` when its suite has no entry.
pub(super) fn stamp(run: &RunRecord, cells: &[Cell<'_>]) -> Option<QuarantineStamp> {
    let entries = &run.manifest.gate.quarantine;
    let today = day(&run.manifest.started).filter(|_| !entries.is_empty())?;
    let used: Vec<&Cell<'_>> = cells.iter().filter(|cell| cell.name.kind == CaseKind::Use).collect();
    let mut names: Vec<&str> = used.iter().map(|cell| cell.name.case).collect();
    names.sort_unstable();
    names.dedup();
    let entry = |entry: &Quarantined| {
        let mut tally = Tally::default();
        for cell in used.iter().filter(|cell| cell.name.case == entry.case.as_str()) {
            let counts = cell.counts();
            tally = tally.plus(Tally { trials: counts.judged().into(), passed: counts.passed.into() });
        }
        let days = |from: jiff::civil::Date, to: jiff::civil::Date| {
            from.until(to).map_or(0, |span| i64::from(span.get_days()))
        };
        Entry {
            case: safe_line(entry.case.as_str()),
            owner: safe_line(&entry.owner),
            until: entry.until.to_string(),
            days_left: if entry.holds(today) { days(today, entry.until) + 1 } else { 0 },
            age_days: entry.since.map(|since| days(since, today).max(0)),
            why: excerpt(&entry.why, WHY),
            trials: tally.trials,
            passed: tally.passed,
            releasable: may_be_released(tally),
        }
    };
    let entries: Vec<Entry> = entries.iter().map(entry).collect();
    let holding = entries.iter().filter(|entry| entry.days_left > 0);
    let cases = holding.clone().count();
    Some(QuarantineStamp {
        cases,
        share: (!names.is_empty()).then(|| cases as f64 / names.len() as f64),
        oldest_days: holding.filter_map(|entry| entry.age_days).max(),
        entries,
    })
}

impl QuarantineStamp {
    /// `Quarantine: 2 cases (4.0 % of the use cases), the oldest for 9 days`.
    pub(super) fn headline(&self) -> String {
        let share = self.share.map(|share| format!(" ({} of the use cases)", percent(share)));
        let age = match (self.cases, self.oldest_days) {
            (0, _) => String::new(),
            (_, Some(days)) => format!(", the oldest for {}", count(days.unsigned_abs(), "day")),
            (_, None) => ", since when is not written down".to_owned(),
        };
        format!("Quarantine: {}{}{age}", count(self.cases as u64, "case"), share.unwrap_or_default())
    }
}

impl Entry {
    /// `2 of 5 trials passed; Ann until 2026-01-09 (3 days left)`, without the case and the reason.
    pub(super) fn says(&self) -> String {
        let left = match self.days_left {
            0 => "over: it raises alarms again".to_owned(),
            days => format!("{} left", count(days.unsigned_abs(), "day")),
        };
        let release = if self.releasable { "; passes reliably, so remove the entry" } else { "" };
        format!(
            "{} of {} passed; {} until {} ({left}){release}",
            self.passed,
            count(self.trials, "trial"),
            self.owner,
            self.until
        )
    }
}
