//! The embedded MCP client: it sees and keeps every raw message, holds several identities, and owns its deadlines.
//!
//! A [`Target`] is a server that can be spoken to; a [`Session`] is one conversation with it, as one persona, through
//! one client profile. This folder moves messages and pairs answers; it decides nothing about quality.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use credentials::{Anonymous, Asking, Credentials, Identity, Rejection, TokenSource};
pub(crate) use headers::masked;
pub use host::Host;
pub use terms::Pace;

use crate::ids::PersonaName;
use crate::transcript::{CaseHeader, Fault, Recorder, ServerFacts, Side, ToolFact};

pub mod connect;
mod busy;
mod consent;
pub mod credentials;
pub mod era;
pub mod example;
mod exchange;
pub mod facts;
mod greeting;
mod habits;
mod handshake;
mod headers;
pub mod host;
mod http;
mod http_sse;
mod hub;
mod incoming;
pub mod jsonrpc;
mod knock;
mod labels;
pub mod launch;
mod line;
mod listen;
mod lists;
pub mod mirror;
mod opener;
mod per_call;
pub mod process;
pub mod profile;
mod refusal;
pub mod relay;
mod remote;
mod repeats;
mod request;
pub mod revision;
mod rounds;
mod session;
pub mod shape;
mod steps;
mod status;
mod stdio;
mod stream;
pub mod subschemas;
pub mod tape;
mod tasks;
mod terms;
mod watch;

pub use profile::ClientProfile;
use terms::Over;

/// A server that can be spoken to.
pub trait Target: Send + Sync {
    /// Opens a session: connects, negotiates, and records every message in `log`.
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>>;

    /// The URL of the MCP endpoint, over HTTP.
    fn url(&self) -> Option<&url::Url>;

    /// A recording proxy before the target, for one trial of a program that brings its own MCP client. Over standard
    /// streams every connection gets a process of its own.
    ///
    /// # Errors
    /// Targets that cannot be passed on to: HTTP+SSE has two addresses, and the second is the server's word.
    fn relay(&self, _relaying: relay::Relaying) -> BoxFuture<'_, Result<relay::Relay, Fault>> {
        let message =
            "agents cannot be put before this target: it is spoken to over neither Streamable HTTP nor stdio";
        Box::pin(std::future::ready(Err(Fault::new(Side::Harness, "agent.no-relay", message))))
    }

    /// Ends everything the target holds (shared processes). Called once, at the end of a run.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// How a session is opened.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The identity. Shared, because the session asks it again with every request.
    pub identity: &'a Identity,
    /// The emulated client.
    pub profile: &'a ClientProfile,
    /// Who answers when the server asks; when absent, the client by itself, as its profile says.
    pub host: Option<&'a Arc<dyn Host>>,
    /// Where in a run this happens, by which a tape finds what was said there.
    pub scene: Option<Scene<'a>>,
}

/// A place in a run at which a session is opened.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// As whom.
    pub persona: &'a PersonaName,
    /// In which trial; none before the first one.
    pub case: Option<&'a CaseHeader>,
}

impl<'a> Opening<'a> {
    /// A session with nobody behind the client.
    pub fn new(identity: &'a Identity, profile: &'a ClientProfile) -> Self {
        Self { identity, profile, host: None, scene: None }
    }

    /// The same at a place in a run.
    #[must_use]
    pub fn in_scene(self, scene: Scene<'a>) -> Self {
        Self { scene: Some(scene), ..self }
    }

    /// The same with a host that answers the server's requests.
    #[must_use]
    pub fn hosted(self, host: &'a Arc<dyn Host>) -> Self {
        Self { host: Some(host), ..self }
    }

    fn host(&self, over: Over) -> Arc<dyn Host> {
        match self.host {
            Some(host) => Arc::clone(host),
            None => {
                let served = over.wire(self.profile).served();
                Arc::new(host::conducted::Conducted::new(self.profile, served))
            }
        }
    }
}

/// One conversation with the target. Requests may run side by side.
pub trait Session: Send + Sync {
    /// What the server said of itself.
    fn facts(&self) -> &ServerFacts;

    /// The tools: all pages of `tools/list`, or the first where the client profile reads no more. Also recorded as
    /// [`crate::transcript::What::ToolsListed`].
    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>>;

    /// The tools once more, if the server has said since the last look that they changed and the client profile listens
    /// to that; recorded the same way.
    fn changed_tools(&self) -> BoxFuture<'_, Result<Option<Vec<ToolFact>>, Fault>>;

    /// The items of another list, as many pages of it ([`facts::RESOURCES`], [`facts::TEMPLATES`], [`facts::PROMPTS`]), as received. A server
    /// that does not know the method has none.
    fn list(&self, list: facts::List) -> BoxFuture<'_, Result<Vec<Value>, Fault>>;

    /// One `tools/call` to its end: questions of the server go to the host, tasks are polled. A refusal is a result, not a
    /// fault; a fault means the session or the server broke.
    /// The event pair (`ToolCalled`, `ToolReturned` or `ToolRefused`) is recorded by the caller, the wire by the session.
    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>>;

    /// `resources/read`, with the host's answers where the server asks first.
    fn read_resource<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>>;

    /// `prompts/get`, the same way; `args` is an object of texts, or null for none.
    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        args: &'a Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>>;

    /// Asks for log messages from a level on (`debug` to `emergency`): by `logging/setLevel`, or in `_meta` of every
    /// request that follows.
    fn set_log_level<'a>(&'a self, level: &'a str) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>>;

    /// Asks to be told of changes. Before 2026-07-28 only resources need asking.
    fn watch<'a>(&'a self, wanted: &'a Watch) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>>;

    /// Ends what was begun with the same wishes.
    fn unwatch<'a>(&'a self, wanted: &'a Watch) -> BoxFuture<'a, Result<(), Fault>>;

    /// Sends a notification, such as `notifications/roots/list_changed` before 2026-07-28.
    fn notify<'a>(&'a self, method: &'a str, params: Value) -> BoxFuture<'a, Result<(), Fault>>;

    /// Any other request, such as `ping`, `completion/complete` or `tasks/list`: its result as received, or the JSON-RPC
    /// error. A result that is a question or a task is given back as it is.
    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>>;

    /// Ends the session politely and, over stdio, its process with the whole process group.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// Which changes a session wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Of the list of tools.
    pub tools: bool,
    /// Of the list of prompts.
    pub prompts: bool,
    /// Of the list of resources.
    pub resources: bool,
    /// Of these resources.
    pub uris: Vec<String>,
    /// Of these tasks; only where the client declares the tasks extension, and not before 2026-07-28.
    pub tasks: Vec<String>,
}

/// What became of a `tools/call`.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolOutcome {
    /// A result.
    Returned {
        /// Content blocks, as received.
        content: Vec<Value>,
        /// Structured content, as received.
        structured: Option<Value>,
        /// Flagged as an error by the server.
        is_error: bool,
        /// Size of the result in bytes.
        bytes: u64,
    },
    /// Refused with a JSON-RPC error or an HTTP status.
    Refused(Refusal),
}

/// A JSON-RPC error, or an HTTP status in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// JSON-RPC code, if the body held one.
    pub code: Option<i64>,
    /// The HTTP status that refused it. Absent over stdio, and where a JSON-RPC error came with status 200.
    pub status: Option<u16>,
    /// The message.
    pub message: String,
    /// `error.data`, if any.
    pub data: Option<Value>,
    /// The `WWW-Authenticate` header, if any.
    pub challenge: Option<String>,
}

/// How the target is reached, after variables have been filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    /// A child process that speaks over its standard streams.
    Stdio(Program),
    /// A Streamable HTTP endpoint, with headers to send besides the identity's.
    Http {
        /// The MCP endpoint.
        url: url::Url,
        /// Fixed headers.
        headers: BTreeMap<String, String>,
    },
    /// The event stream of an HTTP+SSE server (2024-11-05), with headers as above.
    HttpSse {
        /// The event stream.
        url: url::Url,
        /// Fixed headers.
        headers: BTreeMap<String, String>,
    },
}

/// A program to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The program and its arguments; at least one item.
    pub command: Vec<String>,
    /// Variables set for it besides an allow-listed few (`PATH`, `HOME`, ...) of ours.
    pub env: BTreeMap<String, String>,
    /// The folder it starts in.
    pub cwd: Option<std::path::PathBuf>,
}

/// How many processes a stdio target gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A fresh process per session.
    Trial,
    /// One process for the whole run.
    Run,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::profile::{Quirk, StdioWire};
    use super::*;

    async fn serves_roots(profile: &ClientProfile, over: Over) -> bool {
        let identity: Identity = Arc::new(Anonymous);
        let host = Opening::new(&identity, profile).host(over);
        host.answer("roots/list", &Value::Null).await.is_some_and(|answer| answer.is_ok())
    }

    #[tokio::test]
    async fn a_client_by_itself_serves_what_it_declares_over_this_transport() {
        let mut profile = ClientProfile::reference();
        assert!(serves_roots(&profile, Over::Http).await && serves_roots(&profile, Over::Stdio).await);
        let none = json!({}).as_object().cloned();
        profile.wire.stdio = Some(StdioWire { capabilities: none.clone(), ..StdioWire::default() });
        assert!(serves_roots(&profile, Over::Http).await && !serves_roots(&profile, Over::Stdio).await);
        profile.wire.capabilities = none;
        assert!(!serves_roots(&profile, Over::Http).await);
        profile.wire.quirks = Some([Quirk::UndeclaredRoots].into());
        assert!(serves_roots(&profile, Over::Http).await && serves_roots(&profile, Over::Stdio).await);
    }
}
