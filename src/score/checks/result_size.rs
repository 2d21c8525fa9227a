//! `result_size`: tool results stay below a size.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::ids::ToolName;
use crate::transcript::view::Fate;

/// No result that the model got is larger than `max` bytes, as received and before any client profile cuts it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultSize {
    /// Only results of this tool; all tools when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// Most bytes of one result.
    pub max: u64,
}

impl Short for ResultSize {
    const EXPECTS: &'static str = "a number of bytes, or a map with `max` and `tool`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["integer"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Number(number) => Some(Self { tool: None, max: number.as_u64()? }),
            _ => None,
        }
    }
}

impl Examine for ResultSize {
    fn examine(&self, view: &View<'_>) -> Seen {
        let sizes = view
            .model_calls()
            .filter(|call| self.tool.as_ref().is_none_or(|tool| call.name == tool))
            .filter_map(|call| match call.fate {
                Fate::Returned { seq, bytes, .. } => Some((bytes, seq, call.name)),
                _ => None,
            });
        match sizes.max_by_key(|(bytes, seq, _)| (*bytes, std::cmp::Reverse(*seq))) {
            None => Seen::pass("there was no result to measure", []),
            Some((bytes, seq, name)) => {
                let name = crate::display::excerpt(name.as_str(), 60);
                let why =
                    format!("expected results of at most {} bytes, the largest is {bytes} bytes of `{name}`", self.max);
                Seen::when(bytes <= self.max, why, [seq])
            }
        }
    }
}
