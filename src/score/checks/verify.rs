//! `verify`: a verify step returned what it should. The outcome in the environment beats what the answer claims.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::Shape;
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};
use crate::display::excerpt;
use crate::transcript::What;

/// What the verify step of this number returned is as it must be. An error of the tool is an answer, and not the
/// expected one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// The number of the step among the verify steps of its case, from 0.
    pub index: usize,
    /// An RFC 9535 JSONPath into the result; the whole result when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What must be found; same matchers as `args` of `tool_called`.
    pub equals: Value,
}

impl Short for Verify {
    const EXPECTS: &'static str = "a map with `index`, `path` and `equals`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &[];

    fn from_brief(_: Brief<NoItem>) -> Option<Self> {
        None
    }
}

impl Verify {
    fn shape(&self) -> Result<Shape, Vec<String>> {
        Shape::compile(self.path.as_deref(), None, Some(&self.equals))
    }
}

impl Examine for Verify {
    fn examine(&self, view: &View<'_>) -> Seen {
        let shape = match self.shape() {
            Ok(shape) => shape,
            Err(problems) => return Seen::unreadable(&problems),
        };
        let Some(event) = view.steps("verify").nth(self.index) else {
            let why = format!("verify step {} did not run", self.index + 1);
            return Seen::unscored("check.step-missing", why, []);
        };
        let What::StepRan { about, result, ok, .. } = &event.what else {
            return Seen::unscored("check.step-missing", "the event is not a step", []);
        };
        // The driver adds the number of the step for itself.
        let about = excerpt(about.rsplit_once('#').map_or(about.as_str(), |(name, _)| name), 60);
        let parsed = result.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let result = parsed.as_ref().unwrap_or(result);
        if !ok {
            let why = format!("verifying with `{about}` gave an error: `{}`", excerpt(&result.to_string(), 120));
            return Seen::fail(why, [event.seq]);
        }
        match shape.check(result) {
            Ok(()) => Seen::pass(format!("`{about}` confirms the expected state"), [event.seq]),
            Err(why) => Seen::fail(format!("`{about}` shows another state: {why}"), [event.seq]),
        }
    }

    fn problems(&self) -> Vec<String> {
        self.shape().err().unwrap_or_default()
    }
}
