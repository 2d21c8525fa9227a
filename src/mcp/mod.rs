//! The embedded MCP client: it sees and keeps every raw message, holds several identities, and owns its deadlines.
//!
//! A [`Target`] is a server that can be spoken to; a [`Session`] is one conversation with it, as one persona, through
//! one client profile. This folder moves messages and pairs answers; it decides nothing about quality.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use credentials::{Anonymous, Asking, Credentials, Identity, Rejection, TokenSource};
pub use host::Host;

use crate::ids::ClientName;
use crate::transcript::{Fault, Recorder, ServerFacts, ToolFact};
use crate::units::Period;

pub mod connect;
pub mod credentials;
pub mod facts;
mod handshake;
mod headers;
pub mod host;
mod http;
mod hub;
pub mod jsonrpc;
pub mod launch;
mod line;
mod listen;
pub mod process;
mod refusal;
pub mod revision;
mod session;
pub mod sse;
mod status;
mod stdio;

/// A server that can be spoken to.
pub trait Target: Send + Sync {
    /// Opens a session: connects, negotiates, and records every message in `log`.
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>>;

    /// The URL of the MCP endpoint, over HTTP.
    fn url(&self) -> Option<&url::Url>;

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
    /// Who answers when the server asks; nobody when absent.
    pub host: Option<&'a Arc<dyn Host>>,
}

impl<'a> Opening<'a> {
    /// A session with nobody behind the client.
    pub fn new(identity: &'a Identity, profile: &'a ClientProfile) -> Self {
        Self { identity, profile, host: None }
    }

    /// The same with a host that answers the server's requests.
    #[must_use]
    pub fn hosted(self, host: &'a Arc<dyn Host>) -> Self {
        Self { host: Some(host), ..self }
    }

    fn host(&self) -> Arc<dyn Host> {
        match self.host {
            Some(host) => Arc::clone(host),
            None => Arc::new(host::Nobody { capabilities: self.profile.capabilities.clone() }),
        }
    }
}

/// One conversation with the target. Requests may run side by side.
pub trait Session: Send + Sync {
    /// What the server said of itself.
    fn facts(&self) -> &ServerFacts;

    /// All pages of `tools/list`. Also recorded as [`crate::transcript::What::ToolsListed`].
    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>>;

    /// One `tools/call`. A refusal is a result, not a fault; a fault means the session or the server broke.
    /// The event pair (`ToolCalled`, `ToolReturned` or `ToolRefused`) is recorded by the caller, the wire by the session.
    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>>;

    /// Any other request: its result, or the JSON-RPC error.
    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>>;

    /// Ends the session politely and, over stdio, its process with the whole process group.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
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

/// Which MCP client is emulated, as a file in `evals/clients` describes it. `reference` has no limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientProfile {
    /// The name suites use. Defaults to the file stem.
    #[serde(default = "unnamed")]
    pub name: ClientName,
    /// What it emulates and where its numbers come from.
    #[serde(default)]
    pub description: String,
    /// `clientInfo` sent at initialisation.
    pub info: ClientInfo,
    /// The protocol revision offered first.
    #[serde(default = "newest_revision")]
    pub protocol: String,
    /// Client capabilities sent at initialisation.
    #[serde(default)]
    pub capabilities: Map<String, Value>,
    /// The system prompt the host puts before the conversation; none when absent.
    #[serde(default)]
    pub system: Option<String>,
    /// Whether the host passes the server's instructions to the model.
    #[serde(default = "yes")]
    pub instructions: bool,
    /// Most tools offered to the model; the rest is dropped.
    #[serde(default)]
    pub max_tools: Option<usize>,
    /// Most bytes of a tool result that the model sees; the rest is cut.
    #[serde(default)]
    pub max_result_bytes: Option<usize>,
    /// Deadline of one `tools/call`. Default 60s.
    #[serde(default = "call_deadline")]
    pub call_timeout: Period,
    /// Deadline of opening a session. Default 30s.
    #[serde(default = "open_deadline")]
    pub open_timeout: Period,
}

/// `clientInfo` of the handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientInfo {
    /// The client's name.
    pub name: String,
    /// The client's version.
    pub version: String,
}

impl ClientProfile {
    /// The profile without limits, under the program's own name.
    pub fn reference() -> Self {
        Self {
            name: ClientName::from("reference"),
            description: "rehearsal's own client, without limits".to_owned(),
            info: ClientInfo { name: "rehearsal".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            protocol: newest_revision(),
            capabilities: Map::new(),
            system: None,
            instructions: true,
            max_tools: None,
            max_result_bytes: None,
            call_timeout: call_deadline(),
            open_timeout: open_deadline(),
        }
    }
}

fn unnamed() -> ClientName {
    ClientName::from("")
}

fn newest_revision() -> String {
    "2025-11-25".to_owned()
}

fn yes() -> bool {
    true
}

fn call_deadline() -> Period {
    Period::secs(60)
}

fn open_deadline() -> Period {
    Period::secs(30)
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
