//! `call_order`: tools were called in this order; other calls may lie between.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calls::{self, Wanted};
use super::short::{Brief, NoItem, Short, Written};
use super::{Examine, Seen, View};
use crate::ids::ToolName;

/// These calls happened in this order (a subsequence of all calls).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallOrder {
    /// The calls, first to last; at least two.
    pub calls: Vec<Written<Step>>,
}

/// One call of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The tool.
    pub name: ToolName,
    /// Matchers of the arguments; extra arguments are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
}

impl Short for Step {
    const EXPECTS: &'static str = "the name of a tool, or a map with `name` and `args`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(name) => Some(Self { name: ToolName::new(name), args: None }),
            _ => None,
        }
    }
}

impl Short for CallOrder {
    const EXPECTS: &'static str = "a list of tool names, or of maps with `name` and `args`";
    type Item = Written<Step>;
    const SCALARS: &'static [&'static str] = &[];
    const LIST: bool = true;

    fn from_brief(brief: Brief<Written<Step>>) -> Option<Self> {
        match brief {
            Brief::List(calls) => Some(Self { calls }),
            _ => None,
        }
    }
}

impl Examine for CallOrder {
    fn examine(&self, view: &View<'_>) -> Seen {
        let steps = self.calls.iter().map(|Written(step)| Wanted::compile(&step.name, step.args.as_ref()));
        let steps = match steps.collect::<Result<Vec<_>, _>>() {
            Ok(steps) => steps,
            Err(problem) => return Seen::unreadable(&[problem]),
        };
        // Taking the earliest call that fits each step finds a subsequence whenever there is one.
        let mut calls = calls::sent(view);
        let mut found = vec![];
        for (index, step) in steps.iter().enumerate() {
            match calls.find(|call| step.is(call)) {
                Some(call) => found.push(call.seq),
                None => {
                    let after = match index.checked_sub(1).map(|last| steps[last].shown()) {
                        Some(last) => format!(" after {last}"),
                        None => String::new(),
                    };
                    let why = format!(
                        "expected {}{after} (step {} of {}), {}",
                        step.shown(),
                        index + 1,
                        steps.len(),
                        calls::observed(view)
                    );
                    return Seen::fail(why, found);
                }
            }
        }
        let names: Vec<String> = self.calls.iter().map(|Written(step)| format!("`{}`", step.name)).collect();
        Seen::pass(format!("called in order: {}", names.join(", ")), found)
    }

    fn problems(&self) -> Vec<String> {
        if self.calls.len() < 2 {
            return vec!["an order needs at least two calls; use `tool_called` for one".to_owned()];
        }
        self.calls.iter().flat_map(|Written(step)| calls::problems(&step.name, step.args.as_ref())).collect()
    }
}
