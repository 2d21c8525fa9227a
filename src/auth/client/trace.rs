//! What passes between an identity and its authorization servers, in the record of whoever caused it.
//!
//! Many trials share one identity, and one of them renews its token for all. That one's record holds the messages;
//! those that waited say so. Whatever in a message is a credential is registered before the message is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::header::HeaderMap;
use url::Url;

use crate::mcp::masked;
use crate::net;
use crate::transcript::event::AuthMessage;
use crate::transcript::{Body, HttpSide, Recorder, Secrets, What};

/// Members of an answer that are credentials, wherever they stand in it.
const GRANTED: [&str; 5] =
    ["access_token", "refresh_token", "id_token", "client_secret", "registration_access_token"];

/// Fields of a form or a query that are credentials.
const SHOWN: [&str; 9] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "refresh_token",
    "subject_token",
];

/// Where the messages of one step are recorded. Without a record they are only counted.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    log: Option<Recorder>,
    /// How many requests were sent for the identity, over all its steps.
    sent: Arc<AtomicU64>,
}

impl Trace {
    /// The same count, written to another record.
    pub(super) fn to(&self, log: Option<&Recorder>) -> Self {
        Self { log: log.cloned(), sent: Arc::clone(&self.sent) }
    }

    /// How many requests were sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Records something that no message shows.
    pub(super) fn note(&self, message: impl Into<String>) {
        self.write(AuthMessage::Noted { message: message.into() });
    }

    /// Records a request about to leave, and returns what its answer is recorded with.
    pub(super) fn leaves(&self, request: &reqwest::Request) -> Awaited {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let begun = self.log.as_ref().map_or(0, Recorder::elapsed_ms);
        if let Some(log) = &self.log {
            let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
            register(log.secrets(), request.url().query_pairs());
            register(log.secrets(), url::form_urlencoded::parse(body));
            let start = format!("{} {}", request.method(), request.url());
            let request = HttpSide { start, headers: sent_headers(request), body: Body::from_bytes(body) };
            self.write(AuthMessage::Sent { request });
        }
        Awaited { trace: self.clone(), method: request.method().clone(), url: request.url().clone(), begun }
    }

    fn write(&self, message: AuthMessage) {
        if let Some(log) = &self.log {
            log.note(What::Auth(message));
        }
    }
}

/// A request that has left.
pub(super) struct Awaited {
    trace: Trace,
    method: reqwest::Method,
    url: Url,
    begun: u64,
}

impl Awaited {
    /// Records what came: head and body of an answer as far as they got, or nothing, and what ended it before its time.
    pub(super) fn came(self, came: &Came, trouble: Option<&str>) {
        let Some(log) = &self.trace.log else { return };
        let took_ms = log.elapsed_ms().saturating_sub(self.begun);
        let to = format!("{} {}", self.method, net::shown(&self.url));
        let Some((status, headers)) = &came.head else {
            let answer = Err(trouble.unwrap_or("no answer").to_owned());
            return self.trace.write(AuthMessage::Received { to, answer, took_ms });
        };
        register_granted(log.secrets(), &String::from_utf8_lossy(&came.body));
        let back = headers.get("location").and_then(|to| self.url.join(to.to_str().ok()?).ok());
        back.iter().for_each(|to| register(log.secrets(), to.query_pairs()));
        let headers = headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), masked(name.as_str(), &value))
        });
        let (headers, body) = (headers.collect(), Body::from_bytes(&came.body));
        let answer = Ok(HttpSide { start: status.to_string(), headers, body });
        self.trace.write(AuthMessage::Received { to, answer, took_ms });
        if let Some(trouble) = trouble {
            self.trace.note(format!("the answer ends before its time: {trouble}"));
        }
    }
}

/// An answer as far as it came.
#[derive(Default)]
pub(super) struct Came {
    pub(super) head: Option<(u16, HeaderMap)>,
    pub(super) body: bytes::BytesMut,
}

/// The headers of a request, with those that the HTTP library adds by itself; credentials are masked whole.
fn sent_headers(request: &reqwest::Request) -> Vec<(String, String)> {
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let own = request.headers().iter();
    let mut headers: Vec<(String, String)> =
        own.map(|(name, value)| (name.to_string(), masked(name.as_str(), &text(value)))).collect();
    let host = request.url().host_str().unwrap_or_default();
    let host = request.url().port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let length = request.body().and_then(reqwest::Body::as_bytes).map(|body| body.len().to_string());
    headers.push(("user-agent".to_owned(), net::USER_AGENT.to_owned()));
    headers.push(("host".to_owned(), host));
    headers.extend(length.map(|length| ("content-length".to_owned(), length)));
    headers
}

fn register<K: AsRef<str>, V: AsRef<str>>(secrets: &Secrets, pairs: impl Iterator<Item = (K, V)>) {
    for (name, value) in pairs.filter(|(name, _)| SHOWN.contains(&name.as_ref())) {
        secrets.register_jwt(&shown_as(name.as_ref()), value.as_ref());
    }
}

/// Registers the credentials of an answer: those of a document, and what looks like one in a text that is none, because
/// it broke off or is written in another way.
fn register_granted(secrets: &Secrets, text: &str) {
    if let Ok(serde_json::Value::Object(map)) = serde_json::from_str(text) {
        for (name, value) in map.iter().filter(|(name, _)| GRANTED.contains(&name.as_str())) {
            value.as_str().iter().for_each(|value| secrets.register_jwt(&shown_as(name), value));
        }
    }
    for name in GRANTED {
        for (at, _) in text.match_indices(name) {
            let rest = text[at + name.len()..].trim_start_matches(['"', '\'', ' ', '\n', '\r', '\t']);
            let Some(rest) = rest.strip_prefix([':', '=']) else { continue };
            let rest = rest.trim_start_matches(['"', '\'', ' ', '\n', '\r', '\t']);
            let end = rest.find(|c: char| c.is_whitespace() || "\"'&,}<".contains(c)).unwrap_or(rest.len());
            secrets.register_jwt(&shown_as(name), &rest[..end]);
        }
    }
}

/// The name that stands in a record in place of a value.
fn shown_as(field: &str) -> String {
    match field {
        "code" => "authorization-code".to_owned(),
        field => field.replace('_', "-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_in_whole_broken_and_foreign_answers() {
        for text in [
            r#"{"access_token": "secret-of-somebody", "token_type": "Bearer"}"#,
            r#"{"error": "x", "nested": {"refresh_token":"secret-of-somebody"}}"#,
            r#"{"access_token": "secret-of-somebo"#,
            "access_token=secret-of-somebody&scope=a",
            "<p>id_token: secret-of-somebody</p>",
            r#"{"client_secret":"secret\/of-somebody"}"#,
        ] {
            let secrets = Secrets::default();
            register_granted(&secrets, text);
            let clean = secrets.redact(text);
            assert!(clean.contains("[secret:") && !clean.contains("of-somebo"), "{text} -> {clean}");
        }
    }

    #[test]
    fn other_words_stay() {
        let secrets = Secrets::default();
        register_granted(
            &secrets,
            r#"{"error": "invalid_grant", "error_description": "the access_token ended"}"#,
        );
        assert!(secrets.is_empty());
    }
}
