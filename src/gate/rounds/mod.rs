//! The gate that runs in rounds: did these cases get worse than their own history?
//!
//! Every case runs once. If the suite, a group of cases or a single case is clearly worse than its baseline, the gate
//! fails and names it; if the suite is surely not worse by more than the margin, it passes; otherwise another round,
//! up to the budget, and then "inconclusive". [`Gate`] is told what finished, in any order, and says what it needs
//! next. Its [`Record`] holds everything the verdict rests on, and [`Record::recompute`] finds the same verdict again.

mod confirm;
mod look;
mod machine;
mod margin;
mod record;
mod settings;

pub use look::{ChangeLook, GroupLook, Look, SuspectLook};
pub use machine::Gate;
pub use margin::certifiable_margin;
pub use record::{CaseRecord, Record};
pub use settings::{Knobs, Mode, Settings};

use serde::{Deserialize, Serialize};

use crate::stats::Tally;

/// A case as the gate sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateCase {
    /// Its name, unique within the gate.
    pub id: String,
    /// The group it raises alarms with: its first tool tag.
    pub group: Option<String>,
    /// What accepted nights with a matching fingerprint gave. Without trials the case is new: it is listed and not
    /// compared.
    pub baseline: Tally,
    /// A quarantined case stays in the suite's rate and raises no alarm of its own or its group's.
    pub quarantined: bool,
}

/// What a finished trial gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It gave nothing, after its retries.
    Invalid,
}

/// What a trial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The one trial of its case in this round, from 1.
    Round(u32),
    /// A fresh trial that confirms a suspect, from 1. Never part of a rate.
    Confirm(u32),
}

/// A trial that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The case.
    pub case: String,
    /// What it is for.
    pub slot: Slot,
}

/// What the gate needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// These trials of the round, one per case.
    Round(Vec<Wanted>),
    /// These fresh trials of cases that failed and used to be reliable.
    Confirm(Vec<Wanted>),
    /// Nothing: this is the verdict.
    Decided(Ruling),
}

/// The verdict of the rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Why, which tells what.
    pub why: Why,
    /// The round it was reached in.
    pub round: u32,
    /// Trials it took, confirmations and invalid ones included.
    pub trials: u64,
}

/// The reason of a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Fail: the suite as a whole is worse.
    Suite,
    /// Fail: these groups are worse, the clearest first.
    Groups(Vec<String>),
    /// Fail: these cases are worse by fresh trials, the clearest first.
    Cases(Vec<String>),
    /// Pass: the suite is not worse by more than the margin.
    NotWorse,
    /// Inconclusive: the rounds are used up.
    Budget,
    /// Inconclusive: the rounds are used up, with too few valid trials to certify anything.
    Degraded,
}

impl Why {
    /// The verdict this is the reason of.
    pub fn verdict(&self) -> super::GateVerdict {
        match self {
            Self::Suite | Self::Groups(_) | Self::Cases(_) => super::GateVerdict::Fail,
            Self::NotWorse => super::GateVerdict::Pass,
            Self::Budget | Self::Degraded => super::GateVerdict::Inconclusive,
        }
    }
}

/// Why a gate cannot work with what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A knob is out of range.
    #[error("`{knob}` must be {range}")]
    Knob {
        /// The knob.
        knob: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// No case has a history.
    #[error("no case has a baseline with trials; accept a run first")]
    NoBaseline,
    /// A baseline has more passes than trials.
    #[error("the baseline of case `{0}` has more passes than trials")]
    BadBaseline(String),
    /// Two cases have one name.
    #[error("case `{0}` is there twice")]
    Twice(String),
    /// A trial is of a case the gate does not have.
    #[error("no case is called `{0}`")]
    UnknownCase(String),
    /// A trial has no place in the rounds.
    #[error(
        "case `{0}` has no place for this trial: rounds and confirmations count from 1 up to their limits"
    )]
    NoSuchSlot(String),
    /// A trial was reported with two results.
    #[error("case `{0}` was reported twice for one trial, with different results")]
    Contradiction(String),
    /// A record cannot be read.
    #[error("the record of case `{0}` has a letter that means nothing")]
    BadRecord(String),
}
