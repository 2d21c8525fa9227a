//! `tokens`: the trial used at most so many tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};

/// All model calls of the trial together read and wrote at most `max` tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Most tokens, in and out together.
    pub max: u64,
}

impl Short for Tokens {
    const EXPECTS: &'static str = "a number of tokens, or a map with `max`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["integer"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Number(number) => Some(Self { max: number.as_u64()? }),
            _ => None,
        }
    }
}

impl Examine for Tokens {
    fn examine(&self, view: &View<'_>) -> Seen {
        let usage = view.usage();
        let used = usage.input.saturating_add(usage.output);
        let estimated = if usage.reported || view.model_turns() == 0 { "" } else { " (estimated)" };
        let why = format!(
            "expected at most {} tokens, observed {used}{estimated}: {} in, {} out",
            self.max, usage.input, usage.output
        );
        Seen::when(used <= self.max, why, [])
    }
}
