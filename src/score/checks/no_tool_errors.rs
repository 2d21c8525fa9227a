//! `no_tool_errors`: no tool call failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, calls};
use crate::display::excerpt;
use crate::ids::ToolName;

/// No call of the model failed: no flagged result, no refusal, no call of an unknown tool or with unreadable arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoToolErrors {
    /// Tools whose failures are tolerated.
    #[serde(default)]
    pub except: Vec<ToolName>,
    /// `no_tool_errors: false` was written, which expects nothing; loading refuses it.
    #[serde(skip)]
    #[schemars(skip)]
    pub off: bool,
}

impl Short for NoToolErrors {
    const EXPECTS: &'static str = "`true`, or a map with `except`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["boolean"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Flag(on) => Some(Self { except: vec![], off: !on }),
            _ => None,
        }
    }
}

impl Examine for NoToolErrors {
    fn examine(&self, view: &View<'_>) -> Seen {
        let counted = || view.model_calls().filter(|call| !self.except.contains(call.name));
        let failed: Vec<_> = counted().filter(|call| call.fate.failed()).collect();
        match failed.first() {
            None => Seen::pass(format!("of {} tool calls none failed", counted().count()), []),
            Some(first) => {
                let said = excerpt(&first.fate.text(), 120);
                let name = excerpt(first.name.as_str(), 60);
                let why = format!("expected no failed call, observed {}: `{name}` gave `{said}`", failed.len());
                Seen::fail(why, calls::seqs(failed))
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        match self.off {
            true => vec!["`no_tool_errors: false` expects nothing; leave the line out".to_owned()],
            false => vec![],
        }
    }
}
