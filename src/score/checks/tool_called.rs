//! `tool_called`: the model called a tool, with matching arguments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Examine, Grade, Seen, View};
use crate::ids::ToolName;

/// The model called this tool at least once, with arguments that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCalled {
    /// The tool.
    pub name: ToolName,
    /// Matchers of the arguments; extra arguments are tolerated.
    #[serde(default)]
    pub args: Option<Value>,
}

impl Examine for ToolCalled {
    fn examine(&self, view: &View<'_>) -> Seen {
        match view.model_calls().find(|call| *call.name == self.name) {
            Some(call) => Seen { grade: Grade::Pass, why: format!("`{}` was called", self.name), evidence: vec![call.seq] },
            None => Seen { grade: Grade::Fail, why: format!("`{}` was not called", self.name), evidence: vec![] },
        }
    }
}
