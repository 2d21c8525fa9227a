//! `answer_json`: the answer holds JSON with a shape or value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::{self, Shape};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, calls};
use crate::display::excerpt;

/// The answer to the last turn holds JSON (the whole of it, else a fenced block, else inside the text) that is as it
/// must be. Of several pieces at the same level one must be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerJson {
    /// An RFC 9535 JSONPath; the whole JSON when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A JSON Schema that what is found must follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What must be found; same matchers as `args` of `tool_called`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<Value>,
}

impl Short for AnswerJson {
    const EXPECTS: &'static str = "`true` for any JSON, or a map with `path`, `schema` and `equals`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["boolean"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        matches!(brief, Brief::Flag(true)).then(Self::default)
    }
}

impl AnswerJson {
    fn shape(&self) -> Result<Shape, Vec<String>> {
        Shape::compile(self.path.as_deref(), self.schema.as_ref(), self.equals.as_ref())
    }
}

impl Examine for AnswerJson {
    fn examine(&self, view: &View<'_>) -> Seen {
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(problems) => return Seen::unreadable(&problems),
        };
        let (seq, answer) = match calls::answer(view) {
            Ok(answer) => answer,
            Err(none) => return none,
        };
        let mut first = None;
        for value in json::in_text(answer) {
            match shape.check(&value) {
                Ok(()) => {
                    let why = format!("the answer holds the expected JSON: `{}`", excerpt(&value.to_string(), 100));
                    return Seen::pass(why, [seq]);
                }
                Err(why) => {
                    first.get_or_insert(why);
                }
            }
        }
        let why = match first {
            Some(why) => format!("the JSON in the answer is not as expected: {why}"),
            None => format!("expected JSON in the answer, observed `{}`", excerpt(answer, 160)),
        };
        Seen::fail(why, [seq])
    }

    fn problems(&self) -> Vec<String> {
        self.shape().err().unwrap_or_default()
    }
}
