//! `tool_called`: the model called a tool, with matching arguments, so many times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::calls::{self, Wanted};
use super::short::{self, Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::ids::ToolName;

/// The model called this tool, with arguments that match. Calls that never left the harness do not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCalled {
    /// The tool.
    pub name: ToolName,
    /// Matchers of the arguments; extra arguments are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// How many such calls; at least one when absent.
    #[serde(default, deserialize_with = "short::read_some", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<short::Written<Times>>")]
    pub times: Option<Times>,
}

/// How often something happens: a number, or bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl Times {
    pub(super) fn allow(self, count: u32) -> bool {
        self.min.is_none_or(|min| count >= min) && self.max.is_none_or(|max| count <= max)
    }

    pub(super) fn shown(self) -> String {
        match (self.min, self.max) {
            (_, Some(0)) => "never".to_owned(),
            (Some(min), Some(max)) if min == max => format!("exactly {}", calls::times(min)),
            (Some(min), Some(max)) => format!("{min} to {max} times"),
            (Some(min), None) => format!("at least {}", calls::times(min)),
            (None, Some(max)) => format!("at most {}", calls::times(max)),
            (None, None) => "any number of times".to_owned(),
        }
    }
}

impl Times {
    /// What is wrong with the bounds, one sentence each.
    pub(super) fn problems(times: Option<Self>) -> Vec<String> {
        match times {
            Some(Self { min: None, max: None }) => vec!["`times` says neither `min` nor `max`".to_owned()],
            Some(Self { min: Some(min), max: Some(max) }) if min > max => {
                vec![format!("`times` can never hold: `min` {min} is above `max` {max}")]
            }
            _ => vec![],
        }
    }
}

impl Short for Times {
    const EXPECTS: &'static str = "a number of calls, or a map with `min` and `max`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["integer"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        let exactly = |number: &Number| short::count(number).map(|n| Self { min: Some(n), max: Some(n) });
        match brief {
            Brief::Number(number) => exactly(&number),
            _ => None,
        }
    }
}

impl Short for ToolCalled {
    const EXPECTS: &'static str = "the name of a tool, or a map with `name`, `args` and `times`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(name) => Some(Self { name: ToolName::new(name), args: None, times: None }),
            _ => None,
        }
    }
}

impl Examine for ToolCalled {
    fn examine(&self, view: &View<'_>) -> Seen {
        let wanted = match Wanted::compile(&self.name, self.args.as_ref()) {
            Ok(wanted) => wanted,
            Err(problem) => return Seen::unreadable(&[problem]),
        };
        let fitting: Vec<_> = calls::sent(view).filter(|call| wanted.is(call)).collect();
        let count = fitting.len() as u32;
        let evidence = calls::seqs(fitting);
        let shown = wanted.shown();
        if let Some(times) = self.times {
            let why = format!("expected {shown} {}, observed {count}", times.shown());
            return Seen::when(times.allow(count), why, evidence);
        }
        if count > 0 {
            return Seen::pass(format!("{shown} was called {}", calls::times(count)), evidence);
        }
        let near: Vec<_> = calls::sent(view).filter(|call| wanted.is_named(call)).collect();
        match near.last().and_then(|call| wanted.fits(call).err()) {
            Some(why) => {
                let many = calls::times(near.len() as u32);
                let last = if near.len() == 1 { "" } else { ", the last" };
                let why = format!("expected {shown}; it was called {many}{last} with other arguments: {why}");
                Seen::fail(why, calls::seqs(near))
            }
            None => {
                let why = format!("expected a call of {shown}, {}", calls::observed(view));
                Seen::fail(why, calls::seqs(view.model_calls()))
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = calls::problems(&self.name, self.args.as_ref());
        problems.extend(Times::problems(self.times));
        problems
    }
}
