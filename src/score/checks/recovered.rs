//! `recovered`: after a failed call the model went on to a successful one and an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, calls};
use crate::display::excerpt;
use crate::ids::ToolName;
use crate::transcript::view::Fate;

/// After the last failed call a successful one came, and then an answer. When calls were made and none failed there
/// was nothing to recover from, which passes; a model that called nothing fails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// Only failures of this tool, which must itself succeed later; any tool when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// `recovered: false` was written, which expects nothing; loading refuses it.
    #[serde(skip)]
    #[schemars(skip)]
    pub off: bool,
}

impl Short for Recovered {
    const EXPECTS: &'static str = "`true`, or a map with `tool`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["boolean"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Flag(on) => Some(Self { tool: None, off: !on }),
            _ => None,
        }
    }
}

impl Examine for Recovered {
    fn examine(&self, view: &View<'_>) -> Seen {
        let considered: Vec<_> =
            view.model_calls().filter(|call| self.tool.as_ref().is_none_or(|tool| call.name == tool)).collect();
        let of = self.tool.as_ref().map(|tool| format!(" of `{tool}`")).unwrap_or_default();
        if considered.is_empty() {
            return Seen::fail(format!("expected a call{of} that recovers, {}", calls::observed(view)), []);
        }
        let Some(last) = considered.iter().rposition(|call| call.fate.failed()) else {
            return Seen::pass(format!("no call{of} failed, so there was nothing to recover from"), []);
        };
        let failed = considered[last];
        let name = excerpt(failed.name.as_str(), 60);
        let later = considered[last + 1..]
            .iter()
            .find(|call| matches!(call.fate, Fate::Returned { is_error: false, .. }));
        let Some(good) = later else {
            let why = format!("expected a successful call{of} after `{name}` failed, observed none");
            return Seen::fail(why, [failed.seq]);
        };
        match calls::answer(view) {
            Ok((answer, _)) if answer > good.seq => {
                let why = format!("after `{name}` failed, `{}` succeeded and an answer came", excerpt(good.name.as_str(), 60));
                Seen::pass(why, [failed.seq, good.seq, answer])
            }
            _ => {
                let why = format!("a call succeeded after `{name}` failed, but no answer came");
                Seen::fail(why, [failed.seq, good.seq])
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        match self.off {
            true => vec!["`recovered: false` expects nothing; leave the line out".to_owned()],
            false => vec![],
        }
    }
}
