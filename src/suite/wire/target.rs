//! The `target` block as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::mcp::Isolation;
use crate::suite::Transport;
use crate::suite::entries::Entries;
use crate::suite::yaml::At;
use crate::units::Period;

/// The server under test. Exactly one of `command`, `url` and `server` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The program and its arguments; the program name `rehearsal` means this program.
    #[serde(default)]
    pub command: Option<At<Vec<At<String>>>>,
    /// The address of a running server.
    #[serde(default)]
    pub url: Option<At<String>>,
    /// A server from a file with `mcpServers`.
    #[serde(default)]
    pub server: Option<At<ServerRef>>,
    /// How it is spoken to. Default: stdio for a command, http for a url.
    #[serde(default)]
    pub transport: Option<At<Transport>>,
    /// The protocol revision: `auto` or `2025-11-25`. Default auto.
    #[serde(default)]
    pub protocol: Option<At<String>>,
    /// A fresh process per trial (default over stdio), or one for the whole run.
    #[serde(default)]
    pub isolation: Option<At<Isolation>>,
    /// Variables for the started process.
    #[serde(default)]
    pub env: Entries<At<String>>,
    /// Headers for every HTTP request.
    #[serde(default)]
    pub headers: Entries<At<String>>,
    /// Certificates for HTTPS.
    #[serde(default)]
    pub tls: Option<At<TlsFiles>>,
    /// A proxy for every request to the server. Default: the environment's, but never for loopback addresses.
    #[serde(default)]
    pub proxy: Option<At<String>>,
    /// When a started server counts as ready.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// The folder a command starts in, relative to the project.
    #[serde(default)]
    pub cwd: Option<At<String>>,
    /// The path of the MCP endpoint of a command spoken to over HTTP. Default /mcp; over sse /sse, the event stream.
    #[serde(default)]
    pub path: Option<At<String>>,
}

/// When a started server counts as ready.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// How long it may take until it accepts connections. Default 30s.
    pub timeout: Period,
}

/// A server from a file with `mcpServers`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerRef {
    /// The file, e.g. `.mcp.json`.
    pub file: At<String>,
    /// The name of the server in it.
    pub name: At<String>,
}

/// PEM files below the project, relative to the suite's folder or to the project.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Authorities that are trusted besides those of the system.
    #[serde(default)]
    pub ca: Option<At<String>>,
    /// The client's certificate, followed by what leads to its authority.
    #[serde(default)]
    pub cert: Option<At<String>>,
    /// The client's private key, not encrypted.
    #[serde(default)]
    pub key: Option<At<String>>,
}
