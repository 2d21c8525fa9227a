//! After an alarm: the old server again, tonight, beside the new one. It tells a worse server from a worse night.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rounds::{Record, Why};
use crate::ids::ModelName;
use crate::stats::exact::stratified_exact;
use crate::stats::{Pair, Tally};

/// Fresh trials per case and arm.
pub const CONTROL_TRIALS: u32 = 4;

/// At or below this p-value an arm is worse.
pub const CONTROL_LEVEL: f64 = 0.05;

/// A case in the side-by-side run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlCase {
    /// Its name.
    pub id: String,
    /// Its baseline.
    pub history: Tally,
    /// The old server tonight.
    pub old: Tally,
    /// The new server tonight, in the same hour.
    pub new: Tally,
}

/// What an alarm is due to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The new server is worse than the old one tonight, and the old one is as it was.
    Server,
    /// Both servers are alike, and worse than the old one was: model, provider, judge or fixture drifted.
    Drift,
    /// Both of it.
    Both,
    /// Neither: the first alarm was chance.
    Chance,
}

impl Cause {
    /// Whether the server stands accused.
    pub fn blames_server(self) -> bool {
        matches!(self, Self::Server | Self::Both)
    }

    /// What to read from it, as a sentence.
    pub fn as_sentence(self) -> &'static str {
        match self {
            Self::Server => "the server got worse: the old one, run beside it, is as it was",
            Self::Drift => "the old server shifted too: model, provider, judge or fixture drifted",
            Self::Both => "the server got worse, and the old one shifted too",
            Self::Chance => "the alarm was chance: neither server is worse than the other or than before",
        }
    }
}

/// What the control found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The old server tonight against its history, one-sided towards "worse".
    pub p_drift: f64,
    /// The new server against the old one tonight, one-sided towards "worse".
    pub p_server: f64,
    /// What both were measured against.
    pub level: f64,
    /// The change of the old server against its history, the mean over cases.
    pub drift: f64,
    /// The change from the old server to the new one tonight, the mean over cases.
    pub server: f64,
    /// What the alarm is due to.
    pub cause: Cause,
    /// On what that rests: enough to compute it again.
    #[serde(default)]
    pub cases: Vec<ControlCase>,
}

/// The side-by-side runs of a stored run, as they are kept among its reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Controlled {
    /// The number of this format: 1.
    pub schema: u32,
    /// The run.
    pub run: String,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// How the old server was reached.
    pub old: String,
    /// What was found, by model.
    pub models: BTreeMap<ModelName, Control>,
    /// Models of which no case had trials in all three arms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<ModelName>,
    /// US dollars of it; `None` when something has no price.
    pub cost: Option<f64>,
}

/// Reads the side-by-side run of the implicated cases by two exact stratified tests at `level`.
///
/// Applies after an alarm, on cases with trials in all three arms; the others are left out. Fails to tell with few
/// cases and trials: "chance" then means "not confirmed". `None` when no case has all three.
pub fn attribute(cases: &[ControlCase], level: f64) -> Option<Control> {
    let full =
        |case: &&ControlCase| [case.history, case.old, case.new].iter().all(|tally| tally.rate().is_some());
    let cases: Vec<&ControlCase> = cases.iter().filter(full).collect();
    let pairs = |of: fn(&ControlCase) -> Pair| cases.iter().map(|case| of(case)).collect::<Vec<_>>();
    let drifted = pairs(|case| Pair { baseline: case.history, candidate: case.old });
    let changed = pairs(|case| Pair { baseline: case.old, candidate: case.new });
    let (p_drift, p_server) = (stratified_exact(&drifted)?.p_worse, stratified_exact(&changed)?.p_worse);
    let cause = match (p_drift <= level, p_server <= level) {
        (false, true) => Cause::Server,
        (true, false) => Cause::Drift,
        (true, true) => Cause::Both,
        (false, false) => Cause::Chance,
    };
    Some(Control {
        p_drift,
        p_server,
        level,
        drift: mean_change(&drifted),
        server: mean_change(&changed),
        cause,
        cases: cases.into_iter().cloned().collect(),
    })
}

fn mean_change(pairs: &[Pair]) -> f64 {
    let changes = pairs.iter().filter_map(|pair| Some(pair.candidate.rate()? - pair.baseline.rate()?));
    changes.sum::<f64>() / pairs.len().max(1) as f64
}

/// The cases that an alarm is about, to be run side by side: the named ones, those of the named groups, or all. Empty
/// when there is no alarm.
pub fn implicated(record: &Record) -> Vec<&str> {
    let of = |wanted: &dyn Fn(&super::rounds::CaseRecord) -> bool| {
        record.cases.iter().filter(|case| wanted(case)).map(|case| case.id.as_str()).collect()
    };
    match record.ruling.as_ref().map(|ruling| &ruling.why) {
        Some(Why::Suite) => of(&|_| true),
        Some(Why::Groups(groups)) => {
            of(&|case| case.group.as_ref().is_some_and(|group| groups.contains(group)))
        }
        Some(Why::Cases(cases)) => of(&|case| cases.contains(&case.id)),
        Some(Why::NotWorse | Why::Budget | Why::Degraded) | None => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(history: [u64; 2], old: [u64; 2], new: [u64; 2]) -> Cause {
        let tally = |[passed, trials]: [u64; 2]| Tally { trials, passed };
        let case =
            ControlCase { id: "a".to_owned(), history: tally(history), old: tally(old), new: tally(new) };
        attribute(&vec![case; 5], CONTROL_LEVEL).expect("trials").cause
    }

    #[test]
    fn the_four_readings() {
        assert_eq!(cause([15, 15], [4, 4], [1, 4]), Cause::Server);
        assert_eq!(cause([15, 15], [2, 4], [2, 4]), Cause::Drift);
        assert_eq!(cause([15, 15], [2, 4], [0, 4]), Cause::Both);
        assert_eq!(cause([15, 15], [4, 4], [4, 4]), Cause::Chance);
    }

    #[test]
    fn cases_without_all_arms_are_left_out() {
        let tally = |passed, trials| Tally { trials, passed };
        let half =
            ControlCase { id: "a".to_owned(), history: tally(15, 15), old: tally(0, 0), new: tally(0, 4) };
        assert_eq!(attribute(&[half], CONTROL_LEVEL), None);
    }

    #[test]
    fn what_is_kept_computes_to_the_same_again() {
        let tally = |passed, trials| Tally { trials, passed };
        let case =
            ControlCase { id: "a".to_owned(), history: tally(15, 15), old: tally(4, 4), new: tally(1, 4) };
        let found = attribute(&vec![case; 3], CONTROL_LEVEL).expect("trials");
        assert_eq!(attribute(&found.cases, found.level), Some(found));
    }
}
