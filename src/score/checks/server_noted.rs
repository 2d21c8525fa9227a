//! `server_noted`: the server told the client something, so many times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::server::{NOTES, Wanted, Written};
use super::short::{self, Brief, NoItem, Short};
use super::tool_called::Times;
use super::{Examine, Seen, View};

/// The server sent this notification, with parameters that match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerNoted {
    /// The method, such as `notifications/progress`, `notifications/message` or `notifications/tools/list_changed`.
    pub method: String,
    /// Matchers of the parameters; further ones are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// How many times; at least once when absent.
    #[serde(default, deserialize_with = "short::read_some", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<short::Written<Times>>")]
    pub times: Option<Times>,
}

impl ServerNoted {
    fn written(&self) -> Written<'_> {
        Written { method: &self.method, params: self.params.as_ref(), answered: None }
    }
}

impl Short for ServerNoted {
    const EXPECTS: &'static str = "the method of a notification, or a map with `method`, `params` and `times`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(method) => Some(Self { method, params: None, times: None }),
            _ => None,
        }
    }
}

impl Examine for ServerNoted {
    fn examine(&self, view: &View<'_>) -> Seen {
        match Wanted::compile(self.written(), NOTES) {
            Ok(wanted) => wanted.happened(&view.noted().collect::<Vec<_>>(), self.times),
            Err(problems) => Seen::unreadable(&problems),
        }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Wanted::compile(self.written(), NOTES).err().unwrap_or_default();
        problems.extend(Times::problems(self.times));
        problems
    }
}
