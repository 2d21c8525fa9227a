//! `max_calls`: at most so many tool calls were made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{self, Brief, NoItem, Short};
use super::{Examine, Seen, View, calls};
use crate::ids::ToolName;

/// The model made at most so many tool calls; failed ones and attempts count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxCalls {
    /// Most calls.
    pub max: u32,
    /// Only calls of this tool; all tools together when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
}

impl Short for MaxCalls {
    const EXPECTS: &'static str = "a number of calls, or a map with `max` and `tool`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["integer"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Number(number) => Some(Self { max: short::count(&number)?, tool: None }),
            _ => None,
        }
    }
}

impl Examine for MaxCalls {
    fn examine(&self, view: &View<'_>) -> Seen {
        let counted: Vec<_> =
            view.model_calls().filter(|call| self.tool.as_ref().is_none_or(|tool| call.name == tool)).collect();
        let of = self.tool.as_ref().map(|tool| format!(" of `{tool}`")).unwrap_or_default();
        let count = counted.len();
        let why = format!("expected at most {} {}{of}, observed {count}", self.max, if self.max == 1 { "call" } else { "calls" });
        Seen::when(count <= self.max as usize, why, calls::seqs(counted))
    }
}
