//! The judge: atomic criteria, a strict answer, the transcript as data.
//!
//! Prompt and reply parsing are pure; only [`Judge::decide`] calls the model. The judge has no tools, never sees the
//! candidate's private reasoning, and an answer that cannot be read means "unsure", never "pass".

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Finding;
use crate::diag::Located;
use crate::llm::{ChatModel, ModelSpec};
use crate::transcript::{Recorder, Transcript, Usage};

/// One atomic question for the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// A statement that must hold. Exactly one of `must`, `must_not` and `info` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<String>,
    /// A statement that must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_not: Option<String>,
    /// A statement that is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// For the scripted judge only: the statement holds when the candidate's answer matches this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripted: Option<String>,
}

/// Whether a criterion must hold, must not hold, or is only reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Must hold.
    Must,
    /// Must not hold.
    MustNot,
    /// Reported only.
    Info,
}

impl Criterion {
    /// The statement and what it is for; `None` when not exactly one of the three keys is given.
    pub fn statement(&self) -> Option<(Kind, &str)> {
        match (&self.must, &self.must_not, &self.info) {
            (Some(text), None, None) => Some((Kind::Must, text)),
            (None, Some(text), None) => Some((Kind::MustNot, text)),
            (None, None, Some(text)) => Some((Kind::Info, text)),
            _ => None,
        }
    }
}

/// How a judge is asked, as a file in `evals/rubrics` describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rubric {
    /// The name suites use. Defaults to the file stem.
    #[serde(default)]
    pub name: String,
    /// Raised when a change makes old verdicts incomparable.
    pub version: u32,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What the judge is told before and after the data.
    pub instructions: String,
}

/// A judge ready to decide.
#[derive(Clone)]
pub struct Judge {
    /// The model.
    pub model: Arc<dyn ChatModel>,
    /// Its definition, for prices and the record.
    pub spec: ModelSpec,
    /// How it is asked.
    pub rubric: Rubric,
}

/// What judging a trial gave and cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// One finding per criterion, in order.
    pub findings: Vec<Finding>,
    /// Calls made.
    pub calls: u32,
    /// Tokens.
    pub usage: Usage,
    /// US dollars; `None` when the judge has no price.
    pub cost: Option<f64>,
}

impl Judge {
    /// Decides every criterion of a trial. Failed attempts are noted in `log`, which is not the trial's own record.
    pub async fn decide(
        &self,
        _transcript: &Transcript,
        _criteria: &[Located<Criterion>],
        _log: &Recorder,
    ) -> Judged {
        Judged::default()
    }
}
