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
pub use host::Host;

use crate::transcript::{Fault, Recorder, ServerFacts, ToolFact};

pub mod connect;
pub mod credentials;
pub mod example;
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
pub mod profile;
mod refusal;
pub mod revision;
mod session;
pub mod sse;
mod status;
mod stdio;

pub use profile::ClientProfile;

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
            None => Arc::new(host::Nobody { capabilities: self.profile.wire.capabilities() }),
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
