//! `result_json`: a tool's result has a shape or value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::Shape;
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, calls};
use crate::display::excerpt;
use crate::ids::ToolName;
use crate::transcript::view::Fate;

/// Results of a tool that the model called: with `equals`, one successful result must match; without it, every
/// successful result must follow `schema` and hold something at `path`. The result is the structured content, or the
/// JSON in the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultJson {
    /// The tool.
    pub tool: ToolName,
    /// An RFC 9535 JSONPath; the whole result when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A JSON Schema that what is found must follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What must be found; same matchers as `args` of `tool_called`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

impl Short for ResultJson {
    const EXPECTS: &'static str = "a map with `tool`, `path`, `schema` and `equals`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &[];

    fn from_brief(_: Brief<NoItem>) -> Option<Self> {
        None
    }
}

impl ResultJson {
    fn shape(&self) -> Result<Shape, Vec<String>> {
        Shape::compile(self.path.as_deref(), self.schema.as_ref(), self.equals.as_ref())
    }
}

impl Examine for ResultJson {
    fn examine(&self, view: &View<'_>) -> Seen {
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(problems) => return Seen::unreadable(&problems),
        };
        let mut good = vec![];
        let mut bad: Option<(u32, String)> = None;
        for call in view.model_calls().filter(|call| *call.name == self.tool) {
            let Fate::Returned { seq, is_error: false, .. } = call.fate else { continue };
            let held = match call.fate.json() {
                Some(value) => shape.check(&value),
                None => Err(format!("not JSON: `{}`", excerpt(&call.fate.text(), 80))),
            };
            match held {
                Ok(()) => good.push(seq),
                Err(why) => {
                    bad.get_or_insert((seq, why));
                }
            }
        }
        let tool = &self.tool;
        match (bad, self.equals.is_some()) {
            (None, _) if good.is_empty() => {
                let why = format!("expected a successful result of `{tool}`, {}", calls::observed(view));
                Seen::fail(why, [])
            }
            (Some((seq, why)), needs_one) if good.is_empty() || !needs_one => {
                Seen::fail(format!("a result of `{tool}` is not as expected: {why}"), [seq])
            }
            _ => Seen::pass(format!("`{tool}` returned what it should {}", calls::times(good.len() as u32)), good),
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = self.shape().err().unwrap_or_default();
        if self.path.is_none() && self.schema.is_none() && self.equals.is_none() {
            problems.push("nothing is expected; give `path`, `schema` or `equals`".to_owned());
        }
        problems
    }
}
