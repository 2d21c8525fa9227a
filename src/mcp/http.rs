//! Streamable HTTP as a connection: one POST per message, answered with JSON or with an event stream.
//!
//! Headers are recorded with every exchange; those that carry an identity are masked whole. Redirects are not
//! followed. What a status means is decided in `status`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::credentials::{Asking, Credentials, Identity, Rejection};
use super::headers::{Kind, challenge, header, kind, masked, masked_map, scheme_only};
use super::hub::{Arrived, Asked, Hub};
use super::jsonrpc;
use super::line::{Carrier, Letter, Stop};
use super::process::Vitals;
use super::revision::{Era, Revision};
use super::status::{Denial, no_answer};
use crate::transcript::{Body, Fault, Recorder, Side, What, WireMessage};
use crate::{display, net};

/// Largest JSON answer in bytes: 16 MiB.
pub(super) const RESULT_CAP: usize = 16 * 1024 * 1024;
/// Largest body read from a refusal: 64 KiB.
const REFUSAL_CAP: usize = 64 * 1024;
/// Most times one request is sent again with other credentials.
const REFUSALS: u32 = 4;
/// How long the body of an answer to a notification is waited for, and the answer to a DELETE.
const ASIDE: Duration = Duration::from_secs(2);
/// How long closing a session waits for the answer to its DELETE; the rest happens in the background.
const FAREWELL: Duration = Duration::from_millis(250);

/// What an endpoint is reached with; the same for all its sessions.
#[derive(Clone)]
pub(super) struct Site {
    pub client: reqwest::Client,
    pub url: url::Url,
    /// Headers of the suite, sent with every request.
    pub fixed: Vec<(String, String)>,
    /// The server's process, if the harness started it.
    pub vitals: Option<Vitals>,
    /// Farewells that may outlive their sessions.
    pub tracker: TaskTracker,
    /// Set when the server has said with a 405 that it never speaks unasked; sessions after that do not listen.
    pub mute: Arc<AtomicBool>,
}

/// One session over HTTP. Dropping it ends its background streams.
pub(super) struct Http {
    pub(super) exchange: Arc<Exchange>,
    _stop: DropGuard,
}

/// What the session shares with its background streams.
pub(super) struct Exchange {
    pub(super) site: Site,
    pub(super) hub: Arc<Hub>,
    pub(super) log: Recorder,
    pub(super) stop: CancellationToken,
    identity: Identity,
    session: OnceLock<String>,
    revision: OnceLock<&'static Revision>,
}

/// A request about to leave.
pub(super) struct Sending<'a> {
    pub method: Method,
    pub body: Option<&'a str>,
    pub last_event: Option<&'a str>,
    /// Headers that mirror the message.
    pub mirrored: &'a [(String, String)],
}

impl Http {
    /// A session of `identity` at `site`, recorded in `log`.
    pub(super) fn new(site: Site, identity: Identity, hub: Arc<Hub>, log: Recorder) -> Self {
        let stop = CancellationToken::new();
        let exchange = Arc::new(Exchange {
            site,
            hub,
            log,
            stop: stop.clone(),
            identity,
            session: OnceLock::new(),
            revision: OnceLock::new(),
        });
        Self { exchange, _stop: stop.drop_guard() }
    }
}

impl Carrier for Http {
    fn ask<'a>(&'a self, letter: Letter, _: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { self.exchange.ask(&letter).await })
    }

    fn tell<'a>(&'a self, text: String, _: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.exchange.tell(&text).await })
    }

    fn settle(&self, revision: &'static Revision) {
        // Settled once: a connection has one handshake.
        let _ = self.exchange.revision.set(revision);
    }

    fn listen(&self) {
        if self.exchange.site.mute.load(Ordering::Relaxed) {
            return;
        }
        let exchange = Arc::clone(&self.exchange);
        tokio::spawn(async move {
            let stop = exchange.stop.clone();
            stop.run_until_cancelled(exchange.listen()).await;
        });
    }

    fn vitals(&self) -> Option<&Vitals> {
        self.exchange.site.vitals.as_ref()
    }

    fn close<'a>(&'a self, _: &'a Recorder) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.exchange.stop.cancel();
            if self.exchange.session.get().is_none() {
                return;
            }
            let exchange = Arc::clone(&self.exchange);
            let farewell = self.exchange.site.tracker.spawn(tokio::time::timeout(ASIDE, async move {
                exchange.delete().await;
            }));
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        })
    }
}

impl Exchange {
    async fn ask(self: &Arc<Self>, letter: &Letter) -> Result<(), Stop> {
        let id = letter.id;
        let response = self.post(&letter.text, &letter.headers).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response).await);
        }
        if letter.era == Era::Legacy {
            self.keep_session(response.headers());
        }
        match kind(response.headers()) {
            Kind::Stream => self.follow((id, letter.era), response).await,
            Kind::Json | Kind::Other => self.read_answer(id, response).await,
        }
    }

    async fn read_answer(self: &Arc<Self>, id: u64, response: Response) -> Result<(), Stop> {
        let status = response.status().as_u16();
        let kind = kind(response.headers());
        let headers = masked_map(response.headers());
        let body = read(response, RESULT_CAP).await.map_err(|fault| match fault.retryable {
            true => Stop::Lost(fault),
            false => Stop::Fault(fault),
        })?;
        let excerpt = display::whole_words(&body, 200);
        let is_message = kind == Kind::Json || jsonrpc::read(&body).is_ok();
        if body.is_empty() || !is_message {
            let via = if body.is_empty() { "empty" } else { "json" };
            note_received(&self.log, via, status, headers, body);
            return Err(Stop::blank(status, no_answer(status, &excerpt)));
        }
        if kind == Kind::Other {
            self.hub
                .odd(Some(id), "a JSON-RPC message came without `content-type: application/json`".to_owned());
        }
        let arrived = Arrived { via: "json", status: Some(status), headers, text: body, owner: Some(id) };
        self.answer_all(self.hub.deliver(arrived));
        if self.hub.is_waiting(id) {
            return Err(Stop::blank(status, no_answer(status, &excerpt)));
        }
        Ok(())
    }

    async fn tell(self: &Arc<Self>, text: &str) -> Result<(), Fault> {
        let response = match self.post(text, &[]).await {
            Ok(response) => response,
            Err(Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. }) => return Err(fault),
            // Refused after further tries with other credentials: recorded by `post`.
            Err(Stop::Refused(_)) => return Ok(()),
        };
        let status = response.status();
        let headers = masked_map(response.headers());
        let empty = status == StatusCode::ACCEPTED || response.content_length() == Some(0);
        let body = match empty {
            true => String::new(),
            false => {
                tokio::time::timeout(ASIDE, read(response, REFUSAL_CAP)).await.unwrap_or(Ok(String::new()))?
            }
        };
        let via = if body.is_empty() { "empty" } else { "json" };
        note_received(&self.log, via, status.as_u16(), headers, body);
        if !status.is_success() {
            self.hub.odd(
                None,
                format!("a notification or answer of ours was refused with HTTP {}", status.as_u16()),
            );
        }
        Ok(())
    }

    /// Sends a POST; on a 401 or 403 asks the identity for other credentials, until it has none or enough is enough.
    async fn post(&self, text: &str, mirrored: &[(String, String)]) -> Result<Response, Stop> {
        let sending = || Sending { method: Method::POST, body: Some(text), last_event: None, mirrored };
        let mut headers = self.credentials("POST", None).await?;
        let mut attempt = 0;
        loop {
            let response = self.send(sending(), &headers).await?;
            let status = response.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Ok(response);
            }
            attempt += 1;
            let rejection = Rejection {
                status: status.as_u16(),
                challenge: challenge(response.headers()).unwrap_or_default(),
                nonce: header(response.headers(), "dpop-nonce"),
                attempt,
                sent: headers.clone(),
            };
            let refused = self.refused(response).await;
            if attempt > REFUSALS {
                return Err(refused);
            }
            let fresh = self.credentials("POST", Some(&rejection)).await?;
            if same(&headers, &fresh) {
                return Err(refused);
            }
            headers = fresh;
        }
    }

    async fn credentials(&self, method: &str, refused: Option<&Rejection>) -> Result<Credentials, Fault> {
        self.identity.headers(Asking { method, url: &self.site.url, refused }).await
    }

    /// Sends one request with fresh credentials.
    pub(super) async fn send_fresh(&self, sending: Sending<'_>) -> Result<Response, Fault> {
        let headers = self.credentials(sending.method.as_str(), None).await?;
        self.send(sending, &headers).await
    }

    async fn send(&self, sending: Sending<'_>, identity: &Credentials) -> Result<Response, Fault> {
        let mut plain: Vec<(&str, &str)> = vec![];
        match (&sending.method, sending.body) {
            (&Method::POST, _) => {
                plain.push(("content-type", "application/json"));
                plain.push(("accept", "application/json, text/event-stream"));
            }
            (&Method::GET, _) => plain.push(("accept", "text/event-stream")),
            _ => {}
        }
        if let Some(revision) = self.revision.get().filter(|revision| revision.version_header) {
            plain.push(("mcp-protocol-version", revision.name));
        }
        plain.extend(self.session.get().map(|session| ("mcp-session-id", session.as_str())));
        plain.extend(sending.mirrored.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        plain.extend(sending.last_event.map(|id| ("last-event-id", id)));
        plain.extend(self.site.fixed.iter().map(|(name, value)| (name.as_str(), value.as_str())));

        let mut request = self.site.client.request(sending.method.clone(), self.site.url.clone());
        let mut shown: Vec<(String, String)> = Vec::with_capacity(plain.len() + identity.len());
        for (name, value) in plain {
            // An identity's header replaces a fixed one of the same name.
            if !identity.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                request = request.header(name, value);
                shown.push((name.to_owned(), masked(name, value)));
            }
        }
        for (name, value) in identity {
            request = request.header(name.as_str(), value.expose_secret());
            shown.push((name.clone(), scheme_only(value.expose_secret())));
        }
        let body = Body::Text(sending.body.unwrap_or_default().to_owned());
        let via = sending.method.to_string();
        self.log.note(What::Wire(WireMessage::Sent { via, headers: shown, body }));
        if let Some(text) = sending.body {
            request = request.body(text.to_owned());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if let Some(nonce) = header(response.headers(), "dpop-nonce") {
            self.identity.nonce(&nonce);
        }
        Ok(response)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let (url, why) = (net::shown(&self.site.url), display::safe_line(&net::describe(error)));
        let hint = if error.is_builder() {
            "check `target.headers` and the identity's headers"
        } else {
            "check that the server runs and that `target.url` is right"
        };
        Fault::new(Side::Server, "target.unreachable", format!("cannot reach `{url}`: {why}; {hint}"))
            .retryable()
    }
    /// Reads and records a response that is no success, and says what it means.
    pub(super) async fn refused(&self, response: Response) -> Stop {
        let status = response.status().as_u16();
        let (challenge, location) = (challenge(response.headers()), header(response.headers(), "location"));
        let headers = masked_map(response.headers());
        let body = match tokio::time::timeout(ASIDE, read(response, REFUSAL_CAP)).await {
            Ok(Ok(body)) => body,
            // The status alone decides.
            Ok(Err(_)) | Err(_) => String::new(),
        };
        let denial = Denial {
            status,
            body: &body,
            challenge,
            location: location.as_deref(),
            in_session: self.session.get().is_some(),
            url: &self.site.url,
        };
        let stop = denial.meaning();
        let via = if body.is_empty() { "empty" } else { "json" };
        note_received(&self.log, via, status, headers, body);
        stop
    }
    /// Sends what the server asked for, each on a POST of its own, without holding anybody up.
    pub(super) fn answer_all(self: &Arc<Self>, all: Vec<Asked>) {
        for asked in all {
            let exchange = Arc::clone(self);
            tokio::spawn(async move {
                let stop = exchange.stop.clone();
                let answering = async {
                    let Some((text, _)) = asked.answered().await else { return };
                    let _ = tokio::time::timeout(ASIDE, exchange.tell(&text)).await;
                };
                stop.run_until_cancelled(answering).await;
            });
        }
    }

    fn keep_session(&self, headers: &HeaderMap) {
        if self.revision.get().is_none()
            && let Some(session) = header(headers, "mcp-session-id")
        {
            // Only the handshake gives a session its id.
            let _ = self.session.set(session);
        }
    }

    async fn delete(&self) {
        let sending = Sending { method: Method::DELETE, body: None, last_event: None, mirrored: &[] };
        if let Ok(response) = self.send_fresh(sending).await {
            let (status, headers) = (response.status().as_u16(), masked_map(response.headers()));
            note_received(&self.log, "empty", status, headers, String::new());
        }
    }
}

pub(super) fn note_received(
    log: &Recorder,
    via: &str,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
) {
    let (via, status, body) = (via.to_owned(), Some(status), Body::Text(body));
    log.note(What::Wire(WireMessage::Received { via, status, headers, body }));
}

async fn read(response: Response, cap: usize) -> Result<String, Fault> {
    match net::read_bounded(response, cap).await {
        Ok(bytes) => Ok(String::from_utf8(Vec::from(bytes))
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())),
        Err(net::BodyError::TooLarge(cap)) => Err(Fault::new(
            Side::Server,
            "target.too-large",
            format!("an answer of the server is larger than {} MiB", cap >> 20),
        )),
        Err(net::BodyError::Broken(why)) => {
            let why = display::safe_line(&why);
            Err(Fault::new(
                Side::Server,
                "target.unreachable",
                format!("the server's answer broke off: {why}"),
            )
            .retryable())
        }
    }
}

fn same(old: &Credentials, new: &Credentials) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|(a, b)| a.0 == b.0 && a.1.expose_secret() == b.1.expose_secret())
}
