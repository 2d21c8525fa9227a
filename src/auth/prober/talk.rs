//! Conversations with the target: a handshake, a list, a call, in the era that is spoken.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Ask, Credentials, Prober};
use crate::auth::answer::{Answer, messages};
use crate::mcp::revision::{self, Era};
use crate::transcript::HttpSide;

/// The protocol revision that probes open a session with.
pub const REVISION: &str = "2025-11-25";

/// The revision without sessions.
pub const MODERN: &str = "2026-07-28";

/// A session that the target opened.
#[derive(Clone, Debug)]
pub struct Opened {
    id: Option<String>,
    version: String,
}

/// What came of a conversation.
#[derive(Debug)]
pub struct Talk {
    /// The session, if one was opened.
    pub session: Option<Opened>,
    /// The last answer: that to `tools/list`, or to `initialize` where it was not accepted.
    pub last: Result<HttpSide, String>,
}

impl Opened {
    /// The session's id, if it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The revision that is spoken in it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same session under another id.
    #[must_use]
    pub fn under(&self, id: Option<String>) -> Self {
        Self { id, version: self.version.clone() }
    }

    /// Whether it is of the era without sessions.
    pub fn is_modern(&self) -> bool {
        self.version == MODERN
    }
}

impl Prober {
    /// No session: what requests belong to in the era without them, and what they pretend to in the other.
    pub fn sessionless(&self) -> Opened {
        let version = if self.era == Some(Era::Modern) { MODERN } else { REVISION };
        Opened { id: None, version: version.to_owned() }
    }

    /// Which eras the target speaks with somebody; empty when that person is let in by neither. The one without sessions
    /// counts where `server/discover` lists its revision: a server of the other may answer anything to headers it does not
    /// know.
    pub async fn spoken(&self, who: &Credentials) -> Vec<Era> {
        let mut eras = vec![];
        let talk = self.speaking(Era::Legacy, false).open("era", who).await;
        if talk.session.is_some() {
            eras.push(Era::Legacy);
        }
        self.close(talk.session, who).await;
        let prober = self.speaking(Era::Modern, false);
        let found = prober.rpc("era", &prober.sessionless(), ("server/discover", json!({})), who).await;
        if let Answer::Accepted(Some(result)) = Answer::of(&found)
            && revision::listed(result.get("supportedVersions"))
                .is_some_and(|all| all.iter().any(|one| one == MODERN))
        {
            eras.push(Era::Modern);
        }
        eras
    }

    /// The handshake of the era that is spoken; `last` is its answer. Without sessions there is none, and nothing is
    /// sent. Where the era is not settled, a server that refuses the handshake as unknown is spoken to without.
    pub async fn open(&self, label: &str, who: &Credentials) -> Talk {
        if self.era == Some(Era::Modern) {
            return Talk { session: Some(self.sessionless()), last: Err("not asked".to_owned()) };
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": REVISION, "capabilities": {},
            "clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")},
        }});
        let last = self.post(&format!("{label}: initialize"), body, None, who).await;
        if self.era.is_none() && last.as_ref().is_ok_and(wants_modern) {
            return Talk { session: Some(Opened { id: None, version: MODERN.to_owned() }), last };
        }
        let Answer::Accepted(result) = Answer::of(&last) else { return Talk { session: None, last } };
        let version = result.and_then(|result| Some(result.get("protocolVersion")?.as_str()?.to_owned()));
        let id = last.as_ref().ok().and_then(|side| side.header("mcp-session-id").map(str::to_owned));
        let opened = Opened { id, version: version.unwrap_or_else(|| REVISION.to_owned()) };
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let _ = self.post(&format!("{label}: initialized"), note, Some(&opened), who).await;
        Talk { session: Some(opened), last }
    }

    /// The cheapest complete exchange: the handshake where there is one, `tools/list`, and the harmless call that the
    /// suite names. It stops where it is denied. Exchanges are labelled `LABEL: METHOD`.
    pub async fn converse(&self, label: &str, who: &Credentials) -> Talk {
        let Talk { session, last } = self.open(label, who).await;
        let Some(session) = session else { return Talk { session, last } };
        let last = self.ask(label, &session, who).await;
        Talk { session: Some(session), last }
    }

    /// `tools/list`, and the harmless call that the suite names, in a session. Each is asked whatever came of the other:
    /// some servers guard only one of them. The answer is that to the call, where the list was accepted.
    pub async fn ask(&self, label: &str, session: &Opened, who: &Credentials) -> Result<HttpSide, String> {
        let listed = self.list(label, session, who).await;
        let Some(harmless) = &self.facts().harmless else { return listed };
        let called = self.rpc(label, session, ("tools/call", harmless.params()), who).await;
        match Answer::of(&listed) {
            // A call has no list of tools in its result, which is what the others want to know.
            Answer::Accepted(_) if matches!(Answer::of(&called), Answer::Accepted(_)) => listed,
            Answer::Accepted(_) => called,
            _ => listed,
        }
    }

    /// `tools/list` in a session.
    pub async fn list(&self, label: &str, session: &Opened, who: &Credentials) -> Result<HttpSide, String> {
        self.rpc(label, session, ("tools/list", json!({})), who).await
    }

    /// `tools/call` in a session.
    pub async fn call(&self, label: &str, session: &Opened, who: &Credentials, params: Value) -> Answer {
        Answer::of(&self.rpc(label, session, ("tools/call", params), who).await)
    }

    /// Any request in a session, labelled `LABEL: METHOD`.
    pub async fn rpc(
        &self,
        label: &str,
        session: &Opened,
        (method, params): (&str, Value),
        who: &Credentials,
    ) -> Result<HttpSide, String> {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        self.post(&format!("{label}: {method}"), body, Some(session), who).await
    }

    /// The headers and the body of a request in a session, to be changed before they are sent.
    pub fn written(
        &self,
        session: &Opened,
        (method, params): (&str, Value),
    ) -> (Vec<(String, String)>, Value) {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params});
        dressed(body, Some(session))
    }

    /// Ends a session, so that probes leave nothing open.
    pub async fn close(&self, session: Option<Opened>, who: &Credentials) {
        let Some(Opened { id: Some(id), version }) = session else { return };
        let headers = vec![("mcp-session-id".to_owned(), id), ("mcp-protocol-version".to_owned(), version)];
        let ask =
            Ask { label: "close", method: Method::DELETE, url: self.target().clone(), headers, body: None };
        let _ = self.send(ask, who).await;
    }

    async fn post(
        &self,
        label: &str,
        body: Value,
        session: Option<&Opened>,
        who: &Credentials,
    ) -> Result<HttpSide, String> {
        let (headers, body) = dressed(body, session);
        let url = self.target().clone();
        self.send(Ask { label, method: Method::POST, url, headers, body: Some(body.to_string()) }, who).await
    }
}

/// Gives a request the headers and the metadata that its session asks for.
fn dressed(mut body: Value, session: Option<&Opened>) -> (Vec<(String, String)>, Value) {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
    ];
    if let Some(session) = session {
        headers.push(("mcp-protocol-version".to_owned(), session.version.clone()));
        headers.extend(session.id.clone().map(|id| ("mcp-session-id".to_owned(), id)));
        if session.is_modern() {
            headers.extend(make_modern(&mut body));
        }
    }
    (headers, body)
}

/// Whether a server says that it knows no sessions: `initialize` is an unknown method or names an unknown revision.
fn wants_modern(side: &HttpSide) -> bool {
    let refusals = [-32022, -32601];
    messages(side).iter().any(|message| {
        message.pointer("/error/code").and_then(Value::as_i64).is_some_and(|code| refusals.contains(&code))
    })
}

/// Gives a request the `_meta` of the modern revision, unless it says otherwise itself, and returns the headers that must
/// agree with its body.
fn make_modern(body: &mut Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if let Some(method) = body["method"].as_str() {
        headers.push(("mcp-method".to_owned(), method.to_owned()));
    }
    let named = match body["method"].as_str() {
        Some("resources/read") => "/params/uri",
        Some("tasks/get" | "tasks/update" | "tasks/cancel") => "/params/taskId",
        _ => "/params/name",
    };
    if let Some(name) = body.pointer(named).and_then(Value::as_str) {
        headers.push(("mcp-name".to_owned(), name.to_owned()));
    }
    let given = body["params"]["_meta"].take();
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")},
    });
    if let (Value::Object(given), Some(meta)) = (given, body["params"]["_meta"].as_object_mut()) {
        meta.extend(given);
    }
    headers
}
