//! What a comparison of two sides found, as data.

use serde::{Deserialize, Serialize};

use super::{Comparison, Question};
use crate::ids::ModelName;
use crate::store::baseline::{Changed, Drift};

/// The level at which something is called worse with consequences, over everything compared.
pub const CLEAR: f64 = 0.01;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideBySide {
    /// What was asked.
    pub question: Question,
    /// One comparison per model, or one of two models.
    pub parts: Vec<Part>,
    /// Access and auth cases, which are exact.
    pub exact: Exact,
    /// What differs around the cases.
    pub drift: Vec<Drift>,
    /// Models that only one side has.
    pub unshared: [Vec<ModelName>; 2],
}

/// The comparison of one model, or of two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The models of both sides.
    pub models: [ModelName; 2],
    /// Worse, better or neither.
    pub finding: Finding,
    /// The chance of so much worse, adjusted by Holm for the number of parts; `None` when undefined.
    pub p_worse: Option<f64>,
    /// What was measured.
    pub comparison: Comparison,
    /// Why cases under one name are not one case.
    pub changed: Vec<ChangedCase>,
}

/// A case that is another one on the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedCase {
    /// Its name.
    pub case: String,
    /// What differs.
    pub what: Unlike,
}

/// What makes cases under one name unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlike {
    /// Something of the case itself.
    Case(Changed),
    /// The sides differ in persona or client profile, and their suites have different texts: nobody knows whether the
    /// prompts are the same.
    Suite,
}

/// What can be said of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The candidate is worse: 2.5 % or less by chance.
    Worse,
    /// It is better, likewise.
    Better,
    /// It could be either.
    NotToldApart,
    /// No case is on both sides.
    NothingInCommon,
}

/// Access and auth cases on both sides: each is what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exact {
    /// Hold on both sides.
    pub hold: usize,
    /// Fail on both sides.
    pub fail: usize,
    /// Held before and fail now.
    pub lost: Vec<String>,
    /// Failed before and hold now.
    pub won: Vec<String>,
    /// On one side only, without a valid trial, or changed: not compared.
    pub unlike: Vec<String>,
}

impl SideBySide {
    /// What is clearly worse, by name: access and auth cases that hold no more, models, single cases. The levels are
    /// [`CLEAR`] over all parts together, and over all cases and parts.
    pub fn losses(&self) -> Vec<String> {
        let mut losses = self.exact.lost.clone();
        let parts = self.parts.len().max(1) as f64;
        for part in &self.parts {
            if part.p_worse.is_some_and(|p| p <= CLEAR) {
                losses.push(part.name());
            }
            let cases = part.comparison.losers.iter().filter(|loser| loser.holm * parts <= CLEAR);
            losses.extend(cases.map(|loser| format!("{} ({})", loser.case, part.name())));
        }
        losses
    }
}

impl Part {
    /// The model, or both.
    pub fn name(&self) -> String {
        let [before, now] = &self.models;
        if before == now { now.to_string() } else { format!("{now} against {before}") }
    }
}
