//! One HTTP exchange with a server: a request with the identity's headers, an answer read up to a cap, both recorded.
//!
//! The two HTTP transports share this. Headers are recorded with every exchange; those that carry an identity are masked
//! whole. Redirects are not followed. What a status means is decided in `status`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use super::credentials::{Asking, Credentials, Identity, Rejection};
use super::headers::{challenge, header, masked, scheme_only};
use super::hub::{Asked, Hub};
use super::incoming::Incoming;
use super::line::Stop;
use super::process::Vitals;
use super::revision::Revision;
use super::status::Denial;
use super::tape::Hand;
use crate::transcript::{Body, Fault, Recorder, Side, What, WireMessage};
use crate::{display, net};

/// Largest body read from a refusal: 64 KiB.
pub(super) const REFUSAL_CAP: usize = 64 * 1024;
/// Most times one request is sent again with other credentials.
const REFUSALS: u32 = 4;
/// How long the body of an answer to a notification is waited for, and the answer to a DELETE.
pub(super) const ASIDE: Duration = Duration::from_secs(2);

/// What an endpoint is reached with; the same for all its sessions.
#[derive(Clone)]
pub(super) struct Site {
    pub client: reqwest::Client,
    pub url: Url,
    /// Headers of the suite, sent with every request.
    pub fixed: Vec<(String, String)>,
    /// The server's process, if the harness started it.
    pub vitals: Option<Vitals>,
    /// Farewells that may outlive their sessions.
    pub tracker: TaskTracker,
    /// Set when the server has said with a 405 that it never speaks unasked; sessions after that do not listen.
    pub mute: Arc<AtomicBool>,
    /// Set when the server answered that request late, as some do who answer with their first word; sessions after that
    /// do not wait for it.
    pub slow: Arc<AtomicBool>,
    /// What answers in place of the server.
    pub hand: Option<Arc<Hand>>,
}

/// What a session shares with its background streams.
pub(super) struct Exchange {
    pub(super) site: Site,
    pub(super) hub: Arc<Hub>,
    pub(super) log: Recorder,
    pub(super) stop: CancellationToken,
    pub(super) revision: OnceLock<&'static Revision>,
    /// Set when the session is in an announced URL (HTTP+SSE).
    pub(super) linked: AtomicBool,
    identity: Identity,
    session: Mutex<Option<HeaderValue>>,
    /// How long the server asked to be left alone with its last refusal.
    asked: Mutex<Option<Duration>>,
}

/// A request about to leave.
#[derive(Clone)]
pub(super) struct Sending<'a> {
    pub method: Method,
    pub url: &'a Url,
    pub body: Option<&'a str>,
    /// Resumes a stream after this event.
    pub last_event: Option<&'a HeaderValue>,
    /// Headers that mirror the message.
    pub mirrored: &'a [(String, String)],
    /// Whether it belongs to the session; a handshake does not.
    pub in_session: bool,
}

impl<'a> Sending<'a> {
    /// A request without a body.
    pub(super) fn bare(method: Method, url: &'a Url) -> Self {
        Self { method, url, body: None, last_event: None, mirrored: &[], in_session: true }
    }

    /// A message.
    pub(super) fn message(url: &'a Url, text: &'a str) -> Self {
        Self { body: Some(text), ..Self::bare(Method::POST, url) }
    }
}

impl Exchange {
    /// Exchanges of `identity` with `site`, recorded in `log`.
    pub(super) fn new(site: Site, identity: Identity, hub: Arc<Hub>, log: Recorder) -> Arc<Self> {
        let (stop, revision, session) = (CancellationToken::new(), OnceLock::new(), Mutex::default());
        let linked = AtomicBool::new(false);
        let asked = Mutex::default();
        Arc::new(Self { site, hub, log, stop, revision, linked, identity, session, asked })
    }

    /// The session's id, if the server gave one.
    pub(super) fn session(&self) -> Option<HeaderValue> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the last refusal asked for, told once.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes the id that an answer to `initialize` gives. What the specification does not allow in one is reported and
    /// sent back all the same, as the server wrote it.
    pub(super) fn enter_session(&self, response: &Response) {
        let Some(id) = response.headers().get("mcp-session-id") else { return };
        if id.is_empty() || !id.as_bytes().iter().all(u8::is_ascii_graphic) {
            let message =
                "`Mcp-Session-Id` holds something other than visible ASCII characters (basic/transports)";
            self.hub.odd(None, message.to_owned());
        }
        if !id.is_empty() {
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(id.clone());
        }
    }

    /// Sends a request; on a 401 or 403 asks the identity for other credentials, until it has none or enough is enough.
    pub(super) async fn insist(&self, sending: Sending<'_>) -> Result<Response, Stop> {
        let mut headers = self.credentials(&sending, None).await?;
        let mut attempt = 0;
        loop {
            let response = self.send(&sending, &headers).await?;
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
            let fresh = self.credentials(&sending, Some(&rejection)).await?;
            let gives_up = match (&self.site.hand, sending.body) {
                (Some(hand), Some(text)) => !hand.repeats(text),
                _ => same(&headers, &fresh),
            };
            if gives_up {
                return Err(refused);
            }
            headers = fresh;
        }
    }

    async fn credentials(
        &self,
        sending: &Sending<'_>,
        refused: Option<&Rejection>,
    ) -> Result<Credentials, Fault> {
        let (method, url, log) = (sending.method.as_str(), sending.url, Some(&self.log));
        self.identity.headers(Asking { method, url, refused, log }).await
    }

    /// Sends one request with fresh credentials.
    pub(super) async fn send_fresh(&self, sending: Sending<'_>) -> Result<Response, Fault> {
        let headers = self.credentials(&sending, None).await?;
        self.send(&sending, &headers).await
    }

    /// Sends one request without credentials and without what the suite adds for the endpoint.
    pub(super) async fn send_unknown(&self, sending: Sending<'_>) -> Result<Response, Fault> {
        self.send(&sending, &Credentials::new()).await
    }

    async fn send(&self, sending: &Sending<'_>, identity: &Credentials) -> Result<Response, Fault> {
        let mut request = self.site.client.request(sending.method.clone(), sending.url.clone());
        let mut shown: Vec<(String, String)> = Vec::with_capacity(8);
        // An identity's header replaces another one of the same name.
        let replaced = |name: &str| identity.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        for (name, value) in self.plain(sending).into_iter().filter(|(name, _)| !replaced(name)) {
            request = request.header(name, value);
            shown.push((name.to_owned(), masked(name, value)));
        }
        let session = self.session().filter(|_| sending.in_session);
        let echoed =
            [("mcp-session-id", session.as_ref()), ("last-event-id", sending.last_event)].into_iter();
        for (name, value) in echoed.filter_map(|(name, value)| Some((name, value?))) {
            request = request.header(name, value);
            shown.push((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        for (name, value) in identity {
            request = request.header(name.as_str(), value.expose_secret());
            shown.push((name.clone(), scheme_only(value.expose_secret())));
        }
        added(sending, &mut shown);
        let body = Body::Text(sending.body.unwrap_or_default().to_owned());
        // A request to another place than the endpoint says which.
        let via = match sending.body.is_some() || sending.url.path() == self.site.url.path() {
            true => sending.method.to_string(),
            false => format!("{} {}", sending.method, sending.url.path()),
        };
        if let Some(hand) = &self.site.hand {
            return hand.respond(via, shown, sending.body, &self.log).await;
        }
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

    /// Headers that carry no identity, in order.
    fn plain<'s>(&'s self, sending: &'s Sending<'_>) -> Vec<(&'s str, &'s str)> {
        let mut plain: Vec<(&str, &str)> = match sending.method {
            Method::POST => {
                vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")]
            }
            Method::GET if sending.mirrored.is_empty() => vec![("accept", "text/event-stream")],
            _ => vec![],
        };
        let revision = self.revision.get().filter(|revision| revision.version_header && sending.in_session);
        plain.extend(revision.map(|revision| ("mcp-protocol-version", revision.name)));
        plain.extend(sending.mirrored.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        // The client's own word is about messages; the other methods know what they take.
        let is_accept = |name: &str| name.eq_ignore_ascii_case("accept");
        let fixed =
            self.site.fixed.iter().filter(|(name, _)| sending.method == Method::POST || !is_accept(name));
        let fixed: Vec<(&str, &str)> = fixed.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if fixed.iter().any(|(name, _)| is_accept(name)) {
            plain.retain(|(name, _)| *name != "accept");
        }
        plain.extend(fixed);
        plain
    }

    fn unreachable(&self, error: &reqwest::Error) -> Fault {
        let (url, why) = (net::shown(&self.site.url), display::safe_line(&net::describe(error)));
        let message = match () {
            () if ["UnknownIssuer", "BadSignature"].iter().any(|name| why.contains(name)) => format!(
                "cannot reach `{url}`: {why}; name the certificate of the server's authority in `target.tls.ca`"
            ),
            () if why.contains("CertificateRequired") => format!(
                "cannot reach `{url}`: {why}; the server wants a client certificate: name it in `target.tls.cert` and `target.tls.key`"
            ),
            () if error.is_builder() => {
                format!("cannot reach `{url}`: {why}; check `target.headers` and the identity's headers")
            }
            () if error.is_connect() || error.is_timeout() => format!(
                "cannot reach `{url}`: {why}; check that the server runs and that `target.url` is right"
            ),
            () => format!("`{url}` gave no HTTP answer: {why}"),
        };
        Fault::new(Side::Server, "target.unreachable", message).retryable()
    }

    /// Reads and records a response that is no success, and says what it means.
    pub(super) async fn refused(&self, response: Response) -> Stop {
        let status = response.status().as_u16();
        let (challenge, location) = (challenge(response.headers()), header(response.headers(), "location"));
        let asked = net::asked::Asked::read(response.headers()).filter(|_| matches!(status, 429 | 503));
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) =
            asked.map(|asked| asked.wait(self.log.clock().wall()));
        let in_session = self.session().is_some() || self.linked.load(Ordering::Relaxed);
        let mut incoming = Incoming::new(&self.log, &response);
        // The status alone decides; what came of the body is kept.
        let _ = tokio::time::timeout(ASIDE, incoming.read(response, REFUSAL_CAP)).await;
        let denial = Denial {
            status,
            body: &incoming.text(),
            challenge,
            location: location.as_deref(),
            in_session,
            url: &self.site.url,
        };
        denial.meaning()
    }

    /// What ended a request; the word of a tape, if there is one, comes first.
    pub(super) fn ended(&self, stop: Stop) -> Stop {
        self.site.hand.as_ref().and_then(|hand| hand.broken()).map_or(stop, Stop::Fault)
    }

    /// Sends what the server asked for to `url`, each on a POST of its own, without holding anybody up.
    pub(super) fn answer_all(self: &Arc<Self>, url: &Url, all: Vec<Asked>) {
        for asked in all {
            let (exchange, url) = (Arc::clone(self), url.clone());
            tokio::spawn(async move {
                let stop = exchange.stop.clone();
                let answering = async {
                    let Some((text, _)) = asked.answered().await else { return };
                    let _ = tokio::time::timeout(ASIDE, exchange.tell(&url, &text)).await;
                };
                stop.run_until_cancelled(answering).await;
            });
        }
    }

    /// Sends a notification or an answer to `url`.
    pub(super) async fn tell(&self, url: &Url, text: &str) -> Result<(), Fault> {
        let response = match self.insist(Sending::message(url, text)).await {
            Ok(response) => response,
            Err(Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. }) => return Err(fault),
            // Refused after further tries with other credentials: recorded on the way.
            Err(Stop::Refused(_)) => return Ok(()),
        };
        let status = response.status();
        let mut incoming = Incoming::new(&self.log, &response);
        // A receipt has nothing to say; one without an end must not hold us up.
        let is_receipt = status == StatusCode::ACCEPTED && response.content_length().is_none();
        if !is_receipt && response.content_length() != Some(0) {
            let _ = tokio::time::timeout(ASIDE, incoming.read(response, REFUSAL_CAP)).await;
        }
        drop(incoming);
        if !status.is_success() {
            let status = status.as_u16();
            self.hub.odd(None, format!("a notification or answer of ours was refused with HTTP {status}"));
        }
        Ok(())
    }
}

fn same(old: &Credentials, new: &Credentials) -> bool {
    old.len() == new.len()
        && old.iter().zip(new).all(|(a, b)| a.0 == b.0 && a.1.expose_secret() == b.1.expose_secret())
}

/// Completes the record with the headers that the HTTP library adds by itself.
fn added(sending: &Sending<'_>, shown: &mut Vec<(String, String)>) {
    let host = sending.url.host_str().unwrap_or_default();
    let host = sending.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let length = sending.body.map(|body| body.len().to_string());
    let own = [
        ("accept", Some("*/*".to_owned())),
        ("user-agent", Some(net::USER_AGENT.to_owned())),
        ("host", Some(host)),
        ("content-length", length),
    ];
    for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        if !shown.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            shown.push((name.to_owned(), value));
        }
    }
}
