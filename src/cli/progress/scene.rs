//! What the live block shows at one moment: plain data.

use std::time::Duration;

use super::keys::Keys;
use crate::display;
use crate::llm::pace::Strain;
use crate::transcript::glance::{Doing, Moment};

/// A moment of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    /// Since the first trial began.
    pub(super) elapsed: Duration,
    /// Trials planned so far.
    pub(super) total: u64,
    /// What they came to.
    pub(super) counts: Counts,
    /// Seconds that are left: at least and at most.
    pub(super) left: Option<[f64; 2]>,
    /// What was spent.
    pub(super) money: Money,
    /// The providers of models.
    pub(super) strains: Vec<Strain>,
    /// Whether no more trials are started.
    pub(super) stopping: bool,
    /// Whether none are started until somebody lets them.
    pub(super) paused: bool,
    /// Compared cases below their baseline so far, and those with a verdict.
    pub(super) below: Option<[u64; 2]>,
    /// Where keys are read: what they have changed.
    pub(super) keys: Option<Keys>,
    /// Trials under way, the oldest first.
    pub(super) running: Vec<Row>,
    /// Trials under way that are not among them.
    pub(super) more: usize,
}

/// Trials by what they came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// All that ended.
    pub(super) done: u64,
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// Cases of which some trials pass and some fail.
    pub(super) mixed: u64,
    /// Trials that fail as they are known to.
    pub(super) expected: u64,
    pub(super) invalid: u64,
    /// The largest share of invalid trials with which the run can pass.
    pub(super) tolerated: Option<f64>,
    pub(super) skipped: u64,
    /// Trials that gave nothing and run again.
    pub(super) again: u64,
}

/// US dollars and tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Money {
    /// So far, the judge's part and earlier sessions of the run included.
    pub(super) spent: f64,
    /// Trials with calls that have no price.
    pub(super) unpriced: u32,
    /// At most.
    pub(super) most: Option<f64>,
    /// In the end: from, to.
    pub(super) end: Option<[f64; 2]>,
    /// The judge's part.
    pub(super) judge: f64,
    /// Tokens that models under test read and wrote.
    pub(super) tokens: [u64; 2],
}

/// A trial under way.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Case, model and persona, as they are: untrusted.
    pub(super) names: [String; 3],
    /// The number of the trial.
    pub(super) trial: u32,
    /// What it is at.
    pub(super) moment: Moment,
    /// How long it has been under way.
    pub(super) since: Duration,
}

impl Row {
    /// What it is at, in words.
    pub(super) fn words(&self) -> String {
        let turn = self.turn();
        let words = match &self.moment.doing {
            Doing::Starting => format!("{turn}starts"),
            Doing::Model => format!("{turn}waits for the model"),
            Doing::Again(Some(429)) => format!("{turn}told to wait (429)"),
            Doing::Again(Some(status)) => format!("{turn}tries again ({status})"),
            Doing::Again(None) => format!("{turn}tries again (broken off)"),
            Doing::Tool(name) => format!("{turn}tool {name}"),
            Doing::Target => format!("{turn}asks the target"),
            Doing::Scoring => "is scored".to_owned(),
        };
        display::excerpt(&format!("#{} {words}", self.trial), 80)
    }

    /// The same in fewer words.
    pub(super) fn short(&self) -> String {
        let words = match &self.moment.doing {
            Doing::Starting => "starts".to_owned(),
            Doing::Model => "model".to_owned(),
            Doing::Again(Some(429)) => "waits (429)".to_owned(),
            Doing::Again(Some(status)) => format!("again ({status})"),
            Doing::Again(None) => "again".to_owned(),
            Doing::Tool(name) => format!("tool {}", display::excerpt(name.as_str(), 12)),
            Doing::Target => "target".to_owned(),
            Doing::Scoring => "scored".to_owned(),
        };
        format!("#{} {}{words}", self.trial, self.turn())
    }

    fn turn(&self) -> String {
        match self.moment.turn {
            0 => String::new(),
            turn => format!("turn {turn}, "),
        }
    }
}
