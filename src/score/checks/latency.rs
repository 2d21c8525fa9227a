//! `latency`: the trial, every tool call or every first token came in time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::transcript::What;
use crate::units::Period;

/// The slowest of what is measured took at most `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The longest time.
    pub max: Period,
    /// What is measured. Default: the whole trial.
    #[serde(default)]
    pub of: Of,
}

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The trial from its first event to its end.
    #[default]
    Trial,
    /// Each tool call of the model.
    Tool,
    /// Each first token of a streamed answer.
    FirstToken,
}

impl Short for Latency {
    const EXPECTS: &'static str = "a duration such as 5s, or a map with `max` and `of`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(text) => Some(Self { max: text.parse().ok()?, of: Of::Trial }),
            _ => None,
        }
    }
}

impl Examine for Latency {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (what, slowest) = match self.of {
            Of::Trial => ("the trial", Some((view.transcript().took_ms, None))),
            Of::Tool => match slowest_call(view) {
                None => return Seen::pass("there was no tool call to measure", []),
                slowest => ("the slowest tool call", slowest),
            },
            Of::FirstToken => ("the slowest first token", slowest_token(view)),
        };
        let Some((ms, seq)) = slowest else {
            let why = "no first token was measured; set `stream: true` in the model's definition";
            return Seen::unscored("check.unmeasured", why, []);
        };
        let evidence: Vec<u32> = seq.into_iter().collect();
        let why = format!("expected at most {}, {what} took {ms} ms", self.max);
        Seen::when(u128::from(ms) <= self.max.0.as_millis(), why, evidence)
    }
}

type Slowest = Option<(u64, Option<u32>)>;

fn slowest_call(view: &View<'_>) -> Slowest {
    let events = &view.transcript().events;
    let times = view.model_calls().filter_map(|call| {
        let seq = call.fate.seq()?;
        match &events.get(seq as usize)?.what {
            What::ToolReturned { took_ms, .. } | What::ToolRefused { took_ms, .. } => Some((*took_ms, Some(call.seq))),
            _ => None,
        }
    });
    times.max_by_key(|(ms, _)| *ms)
}

fn slowest_token(view: &View<'_>) -> Slowest {
    let times = view.transcript().events.iter().filter_map(|event| match &event.what {
        What::ModelSaid { first_token_ms, .. } => Some(((*first_token_ms)?, Some(event.seq))),
        _ => None,
    });
    times.max_by_key(|(ms, _)| *ms)
}
