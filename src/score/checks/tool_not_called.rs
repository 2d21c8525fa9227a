//! `tool_not_called`: the model did not call a tool, or not with these arguments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::calls::{self, Wanted};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::ids::ToolName;

/// The model did not call this tool. An attempt that never left the harness counts as a call: it shows what the model
/// would have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolNotCalled {
    /// The tool.
    pub name: ToolName,
    /// Matchers of the arguments; only calls that match are forbidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
}

impl Short for ToolNotCalled {
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

impl Examine for ToolNotCalled {
    fn examine(&self, view: &View<'_>) -> Seen {
        let wanted = match Wanted::compile(&self.name, self.args.as_ref()) {
            Ok(wanted) => wanted,
            Err(problem) => return Seen::unreadable(&[problem]),
        };
        let shown = wanted.shown();
        let forbidden: Vec<_> = view.model_calls().filter(|call| wanted.is(call)).collect();
        match forbidden.len() as u32 {
            0 => Seen::pass(format!("{shown} was not called"), []),
            count => {
                let why = format!("expected no call of {shown}, observed it {}", calls::times(count));
                Seen::fail(why, calls::seqs(forbidden))
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        calls::problems(&self.name, self.args.as_ref())
    }
}
