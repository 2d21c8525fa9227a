//! The wire layer: what a server can see of the client before and around the calls.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::units::Period;

/// What a server sees. Everything absent is as in the reference client, which each accessor or field names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wire {
    /// How servers are reached. A server that offers none of them is one the client cannot use, which reports say; trials
    /// go to it all the same. Reference: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transports: Option<Vec<TransportKind>>,
    /// The revision spoken: `auto` tries the newest first and falls back, a date is pinned without fallback. Reference:
    /// `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// With `auto`: the revision that `initialize` offers after the fallback. Reference: 2025-11-25.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy_protocol: Option<Protocol>,
    /// How the newest revision is tried out with `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// `clientInfo`. Reference: the program's own name and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_info: Option<ClientInfo>,
    /// Client capabilities with their extensions, as JSON. Reference: roots,
    /// elicitation and the tasks extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Map<String, Value>>,
    /// `User-Agent`, with `<version>` for the version in `client_info`. Reference: the program's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `Accept` of POST requests, word by word. Reference: `application/json, text/event-stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// Further headers of every request. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// What `MCP-Protocol-Version` says after the handshake. Reference: what the revision asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_header: Option<VersionHeader>,
    /// Whether a GET stream is opened after a handshake of the old kind. Reference: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub get_stream: Option<bool>,
    /// Whether the session is ended with DELETE. Reference: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_session: Option<bool>,
    /// How long a session lives: over HTTP before 2026-07-28, where sessions are something. Reference: as long as the
    /// conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionUse>,
    /// The first messages with a revision up to 2025-11-25, in order. Reference: initialize,
    /// notifications/initialized, get_stream, tools/list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_legacy: Option<Vec<ConnectStep>>,
    /// The first messages with 2026-07-28, in order. Reference: server/discover, tools/list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_modern: Option<Vec<ConnectStep>>,
    /// The id of `subscriptions/listen`, a text; the number at its end counts up when it is needed again. Reference: the
    /// next number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen_id: Option<String>,
    /// The level asked for by `logging/setLevel`, or in `_meta` of every request with 2026-07-28. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<String>,
    /// Keys in `_meta` of `tools/call`, with invented values of the usual shape. Reference: progressToken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_meta: Option<Vec<String>>,
    /// The id of the first request; the next ones count up. Reference: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_request_id: Option<u64>,
    /// Whether arguments are repeated in headers where a tool asks for it with `x-mcp-header` (2026-07-28). Reference:
    /// mirrored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param_headers: Option<ParamHeaders>,
    /// What differs over standard streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdio: Option<StdioWire>,
    /// Named oddities. Reference: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quirks: Option<BTreeSet<Quirk>>,
}

impl Wire {
    /// The revision spoken.
    pub fn protocol(&self) -> Protocol {
        self.protocol.unwrap_or(Protocol::Auto)
    }

    /// The revision that `initialize` offers: the pinned one if it has a handshake, else `legacy_protocol`.
    pub fn offered(&self) -> Protocol {
        match self.protocol() {
            Protocol::Auto | Protocol::V20260728 => self.legacy_protocol.unwrap_or(Protocol::V20251125),
            pinned => pinned,
        }
    }

    /// `clientInfo` as it is sent.
    pub fn client_info(&self) -> ClientInfo {
        self.client_info.clone().unwrap_or_else(ClientInfo::own)
    }

    /// The capabilities as they are sent.
    ///
    /// The reference declares what it can answer honestly with nobody behind it: roots (there are none), elicitation
    /// (declined, as the measured clients do when nobody is there to ask), and tasks, which it polls. It does not declare
    /// sampling, which it could only refuse every time, nor apps, which it does not render. A server that behaves
    /// otherwise towards a client without these is seen through another profile.
    pub fn capabilities(&self) -> Map<String, Value> {
        self.capabilities.clone().unwrap_or_else(|| {
            Map::from_iter([
                ("roots".to_owned(), json!({})),
                ("elicitation".to_owned(), json!({"form": {}, "url": {}})),
                ("extensions".to_owned(), json!({"io.modelcontextprotocol/tasks": {}})),
            ])
        })
    }

    /// The capabilities that are served when the server asks: those sent, and roots where they are served undeclared.
    pub fn served(&self) -> Map<String, Value> {
        let mut served = self.capabilities();
        if self.has(Quirk::UndeclaredRoots) {
            served.entry("roots").or_insert_with(|| json!({}));
        }
        served
    }

    /// Whether an oddity is shown.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.as_ref().is_some_and(|quirks| quirks.contains(&quirk))
    }

    /// The same over standard streams: what `stdio` says stands in place of the rest.
    #[must_use]
    pub fn over_stdio(&self) -> Self {
        let mut wire = self.clone();
        let Some(stdio) = wire.stdio.take() else { return wire };
        wire.protocol = stdio.protocol.or(wire.protocol);
        wire.capabilities = stdio.capabilities.or(wire.capabilities);
        wire.first_request_id = stdio.first_request_id.or(wire.first_request_id);
        wire
    }
}

/// `clientInfo`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientInfo {
    /// The client's name.
    pub name: String,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The client's version.
    pub version: String,
    /// What the client is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its site.
    #[serde(default, rename = "websiteUrl", skip_serializing_if = "Option::is_none")]
    pub website_url: Option<String>,
}

impl ClientInfo {
    /// The program itself.
    pub fn own() -> Self {
        Self {
            name: "rehearsal".to_owned(),
            title: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: None,
            website_url: None,
        }
    }
}

/// A protocol revision, or the choice of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// The newest first, then the best that both sides speak.
    #[serde(rename = "auto")]
    Auto,
    /// 2026-07-28: without a handshake.
    #[serde(rename = "2026-07-28")]
    V20260728,
    /// 2025-11-25.
    #[serde(rename = "2025-11-25")]
    V20251125,
    /// 2025-06-18.
    #[serde(rename = "2025-06-18")]
    V20250618,
    /// 2025-03-26.
    #[serde(rename = "2025-03-26")]
    V20250326,
    /// 2024-11-05.
    #[serde(rename = "2024-11-05")]
    V20241105,
}

impl Protocol {
    /// The date on the wire, or `auto`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V20260728 => "2026-07-28",
            Self::V20251125 => "2025-11-25",
            Self::V20250618 => "2025-06-18",
            Self::V20250326 => "2025-03-26",
            Self::V20241105 => "2024-11-05",
        }
    }
}

/// How 2026-07-28 is tried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probe {
    /// The id of `server/discover`, a text; the number at its end counts up when it is needed again. Reference: the next
    /// number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How long a stdio server may stay silent before the fallback. Reference: 3s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// Whether a stdio server that exits is started again for the fallback. Reference: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respawn: Option<bool>,
}

/// A way to reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportKind {
    /// Standard streams of a child process.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP with an event stream (2024-11-05).
    Sse,
}

/// What `MCP-Protocol-Version` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionHeader {
    /// The revision in use, where the revision asks for the header.
    Sent,
    /// Nothing: the header is never sent.
    Missing,
    /// `legacy_protocol`, also over a body of 2026-07-28. Strict servers answer -32020.
    Stale,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionUse {
    /// One for the conversation.
    PerConversation,
    /// A fresh one for every call, which is ended after it.
    PerCall,
}

/// A first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectStep {
    /// `initialize`.
    #[serde(rename = "initialize")]
    Initialize,
    /// `notifications/initialized`.
    #[serde(rename = "notifications/initialized")]
    Initialized,
    /// `server/discover`.
    #[serde(rename = "server/discover")]
    Discover,
    /// `subscriptions/listen` for changes of the list of tools.
    #[serde(rename = "subscriptions/listen")]
    Listen,
    /// `logging/setLevel` with [`Wire::log_level`].
    #[serde(rename = "logging/setLevel")]
    SetLevel,
    /// `tools/list`.
    #[serde(rename = "tools/list")]
    ListTools,
    /// `prompts/list`.
    #[serde(rename = "prompts/list")]
    ListPrompts,
    /// `resources/list`.
    #[serde(rename = "resources/list")]
    ListResources,
    /// `resources/subscribe`, to each resource listed.
    #[serde(rename = "resources/subscribe")]
    SubscribeResources,
    /// The GET stream of Streamable HTTP.
    #[serde(rename = "get_stream")]
    GetStream,
    /// A GET without session or revision.
    #[serde(rename = "bare_get")]
    BareGet,
    /// Protected-resource metadata (RFC 9728), by path and at the root, without having been asked for authorization.
    #[serde(rename = "resource_metadata")]
    ResourceMetadata,
    /// Every well-known document of OAuth, without having been asked for authorization.
    #[serde(rename = "oauth_metadata")]
    OauthMetadata,
}

/// What becomes of `x-mcp-header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamHeaders {
    /// Arguments are repeated as the specification says; over HTTP, tools with a wrong annotation are dropped.
    Mirrored,
    /// Nothing.
    Ignored,
}

/// What differs over standard streams.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StdioWire {
    /// In place of [`Wire::protocol`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// In place of [`Wire::capabilities`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Map<String, Value>>,
    /// In place of [`Wire::first_request_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_request_id: Option<u64>,
}

/// A named oddity that servers meet in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// GET requests of OAuth discovery carry `legacy_protocol` in `MCP-Protocol-Version`, also when 2026-07-28 is spoken.
    LegacyVersionOnDiscovery,
    /// `Mcp-Method` is sent with revisions that do not have it.
    MethodHeaderInLegacy,
    /// `notifications/cancelled` is sent for requests that have been answered.
    CancelsAnswered,
    /// `tools/list` is asked twice after a change notification.
    ListsTwice,
    /// Lists are asked with an empty `params` object.
    EmptyListParams,
    /// Lists are asked with a progress token.
    ProgressTokenOnLists,
    /// `roots/list` is answered though roots were not declared.
    UndeclaredRoots,
    /// No tool is shown when the server answers `initialize` with an older revision than was offered.
    HidesToolsOfOlderServers,
}
