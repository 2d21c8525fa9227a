//! `server_not_asked`: the server did not ask the client something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::server::{REQUESTS, Wanted, Written};
use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};

/// The server did not ask the client this, or not with these parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerNotAsked {
    /// The method, such as `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
    /// Matchers of the parameters; further ones are tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
}

impl ServerNotAsked {
    fn written(&self) -> Written<'_> {
        Written { method: &self.method, params: self.params.as_ref(), answered: None }
    }
}

impl Short for ServerNotAsked {
    const EXPECTS: &'static str = "the method of a request, or a map with `method` and `params`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(method) => Some(Self { method, params: None }),
            _ => None,
        }
    }
}

impl Examine for ServerNotAsked {
    fn examine(&self, view: &View<'_>) -> Seen {
        match Wanted::compile(self.written(), REQUESTS) {
            Ok(wanted) => wanted.never(&view.asked().collect::<Vec<_>>()),
            Err(problems) => Seen::unreadable(&problems),
        }
    }

    fn problems(&self) -> Vec<String> {
        Wanted::compile(self.written(), REQUESTS).err().unwrap_or_default()
    }
}
