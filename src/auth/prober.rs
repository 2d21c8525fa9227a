//! Sends single HTTP requests to the target and records each with its answer. It judges nothing.
//!
//! It talks to the hosts of the target and of the embedded issuer and to no other, follows no redirect, waits five
//! seconds at most, and keeps 64 KiB of an answer. Minted tokens go only to loopback and private addresses: a spoofed
//! identity has no business elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use super::answer::{Answer, messages, stream_messages};
use super::{Flaw, IdentitySpec, Issuer, Minted, Persona};
use crate::mcp::{Asking, Identity};
use crate::net;
use crate::transcript::{Body, Fault, HttpSide, Recorder, Side, What};

/// The protocol revision that probes open a session with.
pub const REVISION: &str = "2025-11-25";

/// The revision without sessions, for servers that refuse [`REVISION`].
pub const MODERN: &str = "2026-07-28";

/// How much of an answer is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What probes need to know; the same for every check of a run.
#[derive(Clone)]
pub struct ProbeSetup {
    /// The MCP endpoint, exactly as the suite names it.
    pub target: Url,
    /// Fixed headers of the target.
    pub headers: BTreeMap<String, String>,
    /// The embedded issuer, if the target is set up to trust it.
    pub issuer: Option<Arc<Issuer>>,
    /// A persona that the target is expected to let in.
    pub persona: Option<Persona>,
    /// That persona's credentials.
    pub identity: Identity,
    /// `aud` of a good token; the URL of the target, byte for byte as the target knows it.
    pub audience: String,
}

/// Sends and records.
#[derive(Clone)]
pub struct Prober {
    setup: ProbeSetup,
    http: reqwest::Client,
    log: Recorder,
}

/// What proves who asks: headers, and a query parameter for the probe that must not work.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Headers.
    pub headers: Vec<(String, SecretString)>,
    /// A query parameter.
    pub query: Option<(String, SecretString)>,
}

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

/// One request.
pub struct Ask<'a> {
    /// What it is for; examinations find it by this.
    pub label: &'a str,
    /// The HTTP method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers that are no secret.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

impl Credentials {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// A value of the `Authorization` header.
    pub fn authorization(value: &str) -> Self {
        Self { headers: vec![("authorization".to_owned(), SecretString::from(value))], query: None }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), SecretString::from(value)));
        self
    }
}

impl Prober {
    /// A prober that writes to `log`.
    pub fn new(setup: ProbeSetup, log: Recorder) -> Result<Self, Fault> {
        let http = net::client().map_err(|error| Fault::new(Side::Harness, "auth.client", error))?;
        let mut setup = setup;
        if !is_near(&setup.target) {
            setup.issuer = None;
        }
        Ok(Self { setup, http, log })
    }

    /// The same prober with another HTTP client: for servers that want certificates or a proxy.
    #[must_use]
    pub fn through(self, http: reqwest::Client) -> Self {
        Self { http, ..self }
    }

    /// The same prober with another record, sharing connections.
    #[must_use]
    pub fn recording(&self, log: Recorder) -> Self {
        Self { log, ..self.clone() }
    }

    /// The MCP endpoint.
    pub fn target(&self) -> &Url {
        &self.setup.target
    }

    /// Whether there is a persona with credentials that the target should accept.
    pub fn has_persona(&self) -> bool {
        match self.setup.persona.as_ref().map(|persona| &persona.identity) {
            None | Some(IdentitySpec::Anonymous) => false,
            Some(IdentitySpec::Minted(_)) => self.minted().is_some(),
            Some(given) => given.is_given(),
        }
    }

    /// The claims of the good persona, if they are ours to sign.
    pub fn minted(&self) -> Option<(&Arc<Issuer>, &Minted)> {
        match (&self.setup.issuer, &self.setup.persona.as_ref()?.identity) {
            (Some(issuer), IdentitySpec::Minted(minted)) => Some((issuer, minted)),
            _ => None,
        }
    }

    fn asking<'a>(&'a self, method: &'a str) -> Asking<'a> {
        Asking { method, url: &self.setup.target, refused: None }
    }

    /// The good persona's credentials.
    pub async fn good(&self) -> Result<Credentials, Fault> {
        Ok(Credentials { headers: self.setup.identity.headers(self.asking("POST")).await?, query: None })
    }

    /// A token like the good persona's, changed by `change`.
    pub async fn token(&self, change: impl FnOnce(&mut Minted)) -> Result<SecretString, Fault> {
        let Some((issuer, minted)) = self.minted() else {
            let text = "this probe needs a persona with a minted token and a target that trusts the issuer";
            return Err(Fault::new(Side::Harness, "auth.no-issuer", text));
        };
        let mut minted = minted.clone();
        change(&mut minted);
        let issuer = Arc::clone(issuer);
        let subject = self.setup.persona.as_ref().map(|persona| persona.name.to_string()).unwrap_or_default();
        let audience = self.setup.audience.clone();
        tokio::task::spawn_blocking(move || issuer.mint(&minted, &subject, &audience))
            .await
            .map_err(|error| Fault::new(Side::Harness, "issuer.crypto", error.to_string()))?
    }

    /// The good persona's token with one flaw, as a bearer token.
    pub async fn flawed(&self, flaw: Flaw) -> Result<Credentials, Fault> {
        let token = self.token(|minted| minted.flaw = Some(flaw)).await?;
        Ok(Credentials::authorization(&format!("Bearer {}", token.expose_secret())))
    }

    /// The cheapest complete exchange: `initialize`, the notification, `tools/list`. It stops where it is denied.
    /// Exchanges are labelled `LABEL: METHOD`.
    pub async fn converse(&self, label: &str, who: &Credentials) -> Talk {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": REVISION, "capabilities": {},
            "clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")},
        }});
        let last = self.post(&format!("{label}: initialize"), body, None, who).await;
        if last.as_ref().is_ok_and(wants_modern) {
            let opened = Opened { id: None, version: MODERN.to_owned() };
            let last = self.list(label, &opened, who).await;
            return Talk { session: Some(opened), last };
        }
        let Answer::Accepted(result) = Answer::of(&last) else { return Talk { session: None, last } };
        let version = result.and_then(|result| Some(result.get("protocolVersion")?.as_str()?.to_owned()));
        let id = last.ok().and_then(|side| side.header("mcp-session-id").map(str::to_owned));
        let opened = Opened { id, version: version.unwrap_or_else(|| REVISION.to_owned()) };
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let _ = self.post(&format!("{label}: initialized"), note, Some(&opened), who).await;
        let last = self.list(label, &opened, who).await;
        Talk { session: Some(opened), last }
    }

    /// `tools/list` in a session.
    pub async fn list(&self, label: &str, session: &Opened, who: &Credentials) -> Result<HttpSide, String> {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}});
        self.post(&format!("{label}: tools/list"), body, Some(session), who).await
    }

    /// `tools/call` in a session.
    pub async fn call(&self, label: &str, session: &Opened, who: &Credentials, params: Value) -> Answer {
        let body = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params});
        Answer::of(&self.post(&format!("{label}: tools/call"), body, Some(session), who).await)
    }

    /// Ends a session, so that probes leave nothing open.
    pub async fn close(&self, session: Option<Opened>, who: &Credentials) {
        let Some(Opened { id: Some(id), version }) = session else { return };
        let headers = vec![("mcp-session-id".to_owned(), id), ("mcp-protocol-version".to_owned(), version)];
        let ask = Ask {
            label: "close",
            method: Method::DELETE,
            url: self.setup.target.clone(),
            headers,
            body: None,
        };
        let _ = self.send(ask, who).await;
    }

    /// A metadata document, without credentials.
    pub async fn document(&self, label: &str, url: Url) -> Result<HttpSide, String> {
        let headers = vec![("accept".to_owned(), "application/json".to_owned())];
        self.send(Ask { label, method: Method::GET, url, headers, body: None }, &Credentials::none()).await
    }

    async fn post(
        &self,
        label: &str,
        mut body: Value,
        session: Option<&Opened>,
        who: &Credentials,
    ) -> Result<HttpSide, String> {
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        if let Some(session) = session {
            headers.push(("mcp-protocol-version".to_owned(), session.version.clone()));
            headers.extend(session.id.clone().map(|id| ("mcp-session-id".to_owned(), id)));
            if session.version == MODERN {
                headers.extend(make_modern(&mut body));
            }
        }
        let url = self.setup.target.clone();
        self.send(Ask { label, method: Method::POST, url, headers, body: Some(body) }, who).await
    }

    /// Sends one request and records it with its answer. The record is redacted; the returned answer is not.
    pub async fn send(&self, ask: Ask<'_>, who: &Credentials) -> Result<HttpSide, String> {
        let mut url = ask.url;
        if let Some((name, value)) = &who.query {
            url.query_pairs_mut().append_pair(name, value.expose_secret());
        }
        let mut headers = ask.headers;
        if self.is_target(&url) {
            headers.extend(self.setup.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        headers
            .extend(who.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
        let body = ask.body.map(|body| body.to_string()).unwrap_or_default();
        let begun = self.log.elapsed_ms();
        let response = match self.may_ask(&url) {
            true => {
                let sent = self.exchange(ask.method.clone(), url.clone(), &headers, body.clone());
                sent.await
            }
            false => Err(format!("not sent: {} is neither the target nor the issuer", net::shown(&url))),
        };
        self.log.note(What::Exchanged {
            label: ask.label.to_owned(),
            request: HttpSide { start: format!("{} {url}", ask.method), headers, body: Body::Text(body) },
            response: response.clone(),
            took_ms: self.log.elapsed_ms().saturating_sub(begun),
        });
        response
    }

    async fn exchange(
        &self,
        method: Method,
        url: Url,
        headers: &[(String, String)],
        body: String,
    ) -> Result<HttpSide, String> {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let mut response = tokio::time::timeout(DEADLINE, request.send())
            .await
            .map_err(|_| "no answer within 5s".to_owned())?
            .map_err(|error| net::describe(&error))?;
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let stream = headers
            .iter()
            .any(|(name, value)| name == "content-type" && value.starts_with("text/event-stream"));
        let start = response.status().as_u16().to_string();
        let mut kept = Vec::new();
        // A body that breaks off or never ends is kept as far as it came.
        let _ = tokio::time::timeout(DEADLINE, async {
            while let Ok(Some(chunk)) = response.chunk().await {
                kept.extend_from_slice(&chunk[..chunk.len().min(KEPT - kept.len())]);
                if kept.len() >= KEPT || (stream && has_answer(&kept)) {
                    break;
                }
            }
        })
        .await;
        Ok(HttpSide { start, headers, body: Body::from_bytes(&kept) })
    }

    fn is_target(&self, url: &Url) -> bool {
        url.origin() == self.setup.target.origin()
    }

    /// Only the hosts of the target and of the issuer.
    fn may_ask(&self, url: &Url) -> bool {
        let issuer = self.setup.issuer.as_ref().and_then(|issuer| Url::parse(issuer.url()).ok());
        matches!(url.scheme(), "http" | "https")
            && (url.host() == self.setup.target.host()
                || issuer.is_some_and(|issuer| issuer.host() == url.host()))
    }
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prober({})", net::shown(&self.setup.target))
    }
}

/// Whether a server says that it knows no sessions: `initialize` is an unknown method or names an unknown revision.
fn wants_modern(side: &HttpSide) -> bool {
    let refusals = [-32022, -32601];
    messages(side).iter().any(|message| {
        message.pointer("/error/code").and_then(Value::as_i64).is_some_and(|code| refusals.contains(&code))
    })
}

/// Gives a request the `_meta` of the modern revision and returns the headers that must agree with its body.
fn make_modern(body: &mut Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    if let Some(method) = body["method"].as_str() {
        headers.push(("mcp-method".to_owned(), method.to_owned()));
    }
    if let Some(name) = body.pointer("/params/name").and_then(Value::as_str) {
        headers.push(("mcp-name".to_owned(), name.to_owned()));
    }
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")},
    });
    headers
}

/// Whether a stream has brought the answer; it may stay open afterwards.
fn has_answer(kept: &[u8]) -> bool {
    stream_messages(&String::from_utf8_lossy(kept))
        .iter()
        .any(|message| message.get("result").is_some() || message.get("error").is_some())
}

/// Whether an address is this machine or a private network.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_addresses_get_minted_tokens() {
        for near in ["http://127.0.0.1:1/mcp", "http://localhost/", "http://10.1.2.3/", "http://[::1]:8/"] {
            assert!(is_near(&Url::parse(near).unwrap()), "{near}");
        }
        for far in ["https://example.com/mcp", "http://8.8.8.8/", "http://localhost.evil.example/"] {
            assert!(!is_near(&Url::parse(far).unwrap()), "{far}");
        }
    }
}
