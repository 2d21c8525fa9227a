//! `server_asked`: the server asked the client something, so many times, and was answered so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::server::{REQUESTS, Wanted, Written};
use super::short::{self, Brief, NoItem, Short};
use super::tool_called::Times;
use super::{Examine, Seen, View};

/// The server asked the client this, with parameters that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerAsked {
    /// The method, such as `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// Matchers of the parameters; further ones are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// Matchers of what was answered: a result, or an error object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Value>,
    /// How many times; at least once when absent.
    #[serde(default, deserialize_with = "short::read_some", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<short::Written<Times>>")]
    pub times: Option<Times>,
}

impl ServerAsked {
    fn written(&self) -> Written<'_> {
        Written { method: &self.method, params: self.params.as_ref(), answered: self.answered.as_ref() }
    }
}

impl Short for ServerAsked {
    const EXPECTS: &'static str = "the method of a request, or a map with `method`, `params`, `answered` and `times`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(method) => Some(Self { method, params: None, answered: None, times: None }),
            _ => None,
        }
    }
}

impl Examine for ServerAsked {
    fn examine(&self, view: &View<'_>) -> Seen {
        match Wanted::compile(self.written(), REQUESTS) {
            Ok(wanted) => wanted.happened(&view.asked().collect::<Vec<_>>(), self.times),
            Err(problems) => Seen::unreadable(&problems),
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Wanted::compile(self.written(), REQUESTS).err().unwrap_or_default();
        problems.extend(Times::problems(self.times));
        problems
    }
}
