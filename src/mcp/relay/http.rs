//! Streamable HTTP through the relay: a request in, the same request with the persona's credentials out, the answer back
//! as it comes. Bodies are capped, redirects are not followed, and nothing but MCP passes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body as Outgoing, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream;
use reqwest::Method;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::super::credentials::{Asking, Credentials, Rejection};
use super::super::exchange::Site;
use super::super::headers::{self, Kind, kind, masked_map, scheme_only};
use super::super::http::RESULT_CAP;
use super::super::incoming::{KEPT, note_received};
use super::super::masked;
use super::super::stream::frame;
use super::ear::Ear;
use super::{Relaying, same};
use crate::display;
use crate::net;
use crate::net::sse::Decoder;
use crate::transcript::{Body, Fault, What, WireMessage};

/// Largest request of a client in bytes: 16 MiB.
const REQUEST_CAP: usize = 16 * 1024 * 1024;
/// Most times one request is sent again with other credentials.
const REFUSALS: u32 = 4;

/// Headers of the client that are about its connection to us, its own credentials, or an encoding that the record could
/// not show.
const KEPT_BACK: &[&str] = &[
    "host",
    "content-length",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "accept-encoding",
    "authorization",
    "proxy-authorization",
    "cookie",
    "origin",
    "referer",
    "forwarded",
];
/// Headers of the server that reach the client; a challenge would send it to an authorization server, which is the
/// persona's affair.
const PASSED_BACK: &[&str] = &["content-type", "cache-control", "retry-after", "allow"];

/// What stands between one client and the endpoint.
pub(super) struct Door {
    site: Site,
    relaying: Relaying,
    path: String,
    host: String,
    ear: Arc<Ear>,
    stop: CancellationToken,
}

impl Door {
    pub(super) fn new(
        site: Site,
        relaying: Relaying,
        address: SocketAddr,
        (ear, stop): (Arc<Ear>, CancellationToken),
    ) -> Arc<Self> {
        let path = format!("/{}/mcp", relaying.secret);
        Arc::new(Self { site, relaying, path, host: address.to_string(), ear, stop })
    }

    /// Why a request does not come from the client that was told the address, if so.
    fn stranger(&self, request: &Request) -> Option<StatusCode> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if !same(&self.path, request.uri().path()) {
            return Some(StatusCode::NOT_FOUND);
        }
        // A page in a browser: by its own name for us, or by its origin.
        let named = header("host").is_some_and(|host| host == self.host);
        let foreign = header("origin").is_some_and(|origin| origin != format!("http://{}", self.host));
        (!named || foreign).then_some(StatusCode::FORBIDDEN)
    }

    async fn pass(self: &Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let Ok(body) = to_bytes(body, REQUEST_CAP).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        let line = session(&head.headers);
        if head.method == Method::POST && !self.ear.client(&line, &text) {
            let message = "the limit of tool calls of this case is reached";
            return (StatusCode::TOO_MANY_REQUESTS, message).into_response();
        }
        let sending = Sending { method: head.method, headers: forwarded(&head.headers), body };
        match self.insist(&sending).await {
            Ok(response) => self.back(response, line, &text).await,
            Err(fault) => {
                let message = display::whole_words(&fault.message, 300);
                self.relaying.log.note(What::ServerOdd { message: message.clone() });
                (StatusCode::BAD_GATEWAY, message).into_response()
            }
        }
    }

    /// Sends a request; on a 401 or 403 asks the identity for other credentials, until it has none or enough is enough.
    async fn insist(&self, sending: &Sending) -> Result<reqwest::Response, Fault> {
        let mut credentials = self.credentials(sending, None).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let response = self.send(sending, &credentials).await?;
            let refused = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if !refused || attempt > REFUSALS {
                return Ok(response);
            }
            let rejection = Rejection {
                status: response.status().as_u16(),
                challenge: headers::challenge(response.headers()).unwrap_or_default(),
                nonce: headers::header(response.headers(), "dpop-nonce"),
                attempt,
                sent: credentials.clone(),
            };
            let fresh = self.credentials(sending, Some(&rejection)).await?;
            let unchanged = fresh.len() == credentials.len()
                && fresh
                    .iter()
                    .zip(&credentials)
                    .all(|(a, b)| a.0 == b.0 && a.1.expose_secret() == b.1.expose_secret());
            if unchanged {
                return Ok(response);
            }
            let head = (response.status().as_u16(), masked_map(response.headers()));
            note_received(&self.relaying.log, "empty", Some(head), (None, None), Body::Text(String::new()));
            credentials = fresh;
        }
    }

    async fn credentials(
        &self,
        sending: &Sending,
        refused: Option<&Rejection>,
    ) -> Result<Credentials, Fault> {
        let (method, url, log) = (sending.method.as_str(), &self.site.url, Some(&self.relaying.log));
        self.relaying.identity.headers(Asking { method, url, refused, log }).await
    }

    async fn send(&self, sending: &Sending, identity: &Credentials) -> Result<reqwest::Response, Fault> {
        let mut request = self.site.client.request(sending.method.clone(), self.site.url.clone());
        let mut shown: Vec<(String, String)> = vec![];
        let set = |name: &str| {
            let fixed = self.site.fixed.iter().map(|(name, _)| name);
            fixed.chain(identity.iter().map(|(name, _)| name)).any(|own| own.eq_ignore_ascii_case(name))
        };
        for (name, value) in sending.headers.iter().filter(|(name, _)| !set(name.as_str())) {
            request = request.header(name, value);
            shown.push((name.to_string(), masked(name.as_str(), &String::from_utf8_lossy(value.as_bytes()))));
        }
        for (name, value) in &self.site.fixed {
            request = request.header(name, value);
            shown.push((name.clone(), masked(name, value)));
        }
        for (name, value) in identity {
            request = request.header(name.as_str(), value.expose_secret());
            shown.push((name.clone(), scheme_only(value.expose_secret())));
        }
        let (via, body) = (sending.method.to_string(), Body::from_bytes(&sending.body));
        self.relaying.log.note(What::Wire(WireMessage::Sent { via, headers: shown, body }));
        let response = request.body(sending.body.clone()).send().await.map_err(|error| {
            let why = display::safe_line(&net::describe(&error));
            let message = format!("`{}` gave no answer: {why}", net::shown(&self.site.url));
            Fault::new(crate::transcript::Side::Server, "target.unreachable", message)
        })?;
        if let Some(nonce) = headers::header(response.headers(), "dpop-nonce") {
            self.relaying.identity.nonce(&nonce);
        }
        Ok(response)
    }

    /// Gives an answer back: an event stream event by event, anything else whole.
    async fn back(self: &Arc<Self>, response: reqwest::Response, line: String, asked: &str) -> Response {
        let (status, headers) = (response.status(), returned(response.headers()));
        let is_stream = kind(response.headers()) == Kind::Stream && status.is_success();
        let body = if is_stream {
            let begun =
                (Arc::clone(self), response, Listening { line, head: None, decoder: Decoder::default() });
            Outgoing::from_stream(stream::unfold(Some(begun), onward))
        } else {
            Outgoing::from(self.whole(response, &line, asked).await)
        };
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        answer
    }

    async fn whole(&self, response: reqwest::Response, line: &str, asked: &str) -> Vec<u8> {
        let head = (response.status().as_u16(), masked_map(response.headers()));
        let challenge = headers::challenge(response.headers());
        let (success, status) = (response.status().is_success(), head.0);
        let read = net::read_bounded(response, RESULT_CAP).await;
        let body = read.unwrap_or_else(|error| {
            self.relaying.log.note(What::ServerOdd { message: display::safe_line(&error.to_string()) });
            bytes::Bytes::new()
        });
        let via = if body.is_empty() { "empty" } else { "json" };
        note_received(&self.relaying.log, via, Some(head), (None, None), Body::from_bytes(&body));
        let text = String::from_utf8_lossy(&body);
        match success {
            true if text.trim().is_empty() => {}
            true => self.ear.server(line, &text),
            false => self.ear.refused(line, asked, (status, challenge.as_deref(), &text)),
        }
        body.to_vec()
    }
}

/// A request of the client as it goes on.
struct Sending {
    method: Method,
    headers: HeaderMap,
    body: bytes::Bytes,
}

/// An event stream that passes.
struct Listening {
    line: String,
    /// Status and headers go with the first event.
    head: Option<()>,
    decoder: Decoder,
}

type Passing = (Arc<Door>, reqwest::Response, Listening);

/// The next chunk of a stream, heard on its way. It ends with the relay, or with an event that is too large.
async fn onward(passing: Option<Passing>) -> Option<(Result<bytes::Bytes, std::io::Error>, Option<Passing>)> {
    let (door, mut response, mut listening) = passing?;
    let chunk = door.stop.run_until_cancelled(response.chunk()).await?;
    match chunk {
        Ok(None) => None,
        Ok(Some(chunk)) => {
            let Ok(events) = listening.decoder.push(&chunk) else {
                let begin = Body::from_bytes(&chunk[..chunk.len().min(KEPT)]);
                note_received(&door.relaying.log, "sse", None, (None, None), begin);
                let message = "an event of the server is too large".to_owned();
                door.relaying.log.note(What::ServerOdd { message: message.clone() });
                return Some((Err(std::io::Error::other(message)), None));
            };
            for event in events.into_iter().filter(|event| !event.data.is_empty()) {
                let first = listening.head.replace(()).is_none();
                let head = first.then(|| (response.status().as_u16(), masked_map(response.headers())));
                let text = String::from_utf8_lossy(&event.data).into_owned();
                let (frame, body) = (Some(frame(&event)), Body::from_bytes(&event.data));
                note_received(&door.relaying.log, "sse", head, (frame, None), body);
                door.ear.server(&listening.line, &text);
            }
            Some((Ok(chunk), Some((door, response, listening))))
        }
        Err(error) => {
            let why = display::safe_line(&net::describe(&error));
            door.relaying.log.note(What::ServerOdd { message: format!("an event stream broke off: {why}") });
            Some((Err(std::io::Error::other("the server's stream broke off")), None))
        }
    }
}

/// The MCP session that headers name; an empty text for none.
fn session(headers: &HeaderMap) -> String {
    headers::header(headers, "mcp-session-id").unwrap_or_default()
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let kept =
        |name: &HeaderName| KEPT_BACK.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded");
    let pairs = headers.iter().filter(|(name, _)| !kept(name));
    pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn returned(headers: &HeaderMap) -> HeaderMap {
    let passes =
        |name: &HeaderName| PASSED_BACK.contains(&name.as_str()) || name.as_str().starts_with("mcp-");
    let pairs = headers.iter().filter(|(name, _)| passes(name));
    let pairs = pairs.map(|(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone()));
    pairs.collect()
}

/// Serves until `stop`.
pub(super) async fn serve(listener: TcpListener, door: Arc<Door>, stop: CancellationToken) {
    async fn answer(State(door): State<Arc<Door>>, request: Request) -> Response {
        match door.stranger(&request) {
            Some(status) => status.into_response(),
            None => door.pass(request).await,
        }
    }
    let router = axum::Router::new().fallback(answer).with_state(door);
    let serving = axum::serve(listener, router);
    // Whatever is open then is cut: nobody is left to read it.
    let _ = stop.run_until_cancelled(serving.into_future()).await;
}
