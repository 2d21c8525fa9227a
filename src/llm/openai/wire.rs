//! The service under async-openai: one request, one answer within bounds, no retries, no environment.
//!
//! It turns statuses into [`Failure`]s with the provider's wait, reads whole bodies up to the cap, and watches streamed
//! ones: total size, length of a line, and whether `[DONE]` came.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;

use super::reply::{Completion, ErrorObject};
use crate::llm::retry::Failure;
use crate::net::asked::Asked;
use crate::net::{self, BODY_CAP, BodyError};

/// Most bytes of an error body that are read.
const ERROR_CAP: usize = 64 * 1024;

/// Longest line of a stream, in bytes: room for long arguments in one piece.
const LINE_CAP: usize = 1024 * 1024;

/// Where the API is and what is sent with every request; nothing comes from the environment.
#[derive(Debug)]
pub(super) struct Endpoint {
    base: String,
    headers: HeaderMap,
    // async-openai wants to be able to show the key; ours lives in the header alone.
    no_key: SecretString,
}

impl Endpoint {
    /// An address without a trailing slash, and a key if one is sent. `None` when no header can carry the key.
    pub(super) fn new(base: &str, key: Option<&str>) -> Option<Self> {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}")).ok()?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Some(Self { base: base.trim_end_matches('/').to_owned(), headers, no_key: SecretString::from("") })
    }
}

/// What async-openai asks a configuration for.
#[derive(Clone, Debug)]
pub(super) struct Settings(pub(super) Arc<Endpoint>);

impl Config for Settings {
    fn headers(&self) -> HeaderMap {
        self.0.headers.clone()
    }
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0.base)
    }
    fn query(&self) -> Vec<(&str, &str)> {
        vec![]
    }
    fn api_base(&self) -> &str {
        &self.0.base
    }
    fn api_key(&self) -> &SecretString {
        &self.0.no_key
    }
}

/// Whether the answer is expected whole or in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// One JSON document.
    Whole,
    /// An event stream.
    Streamed,
}

/// What was seen on the wire during one attempt and is lost in async-openai's own types.
#[derive(Debug, Default)]
pub(super) struct Seen {
    done: AtomicBool,
    failure: Mutex<Option<Failure>>,
    announced: OnceLock<Asked>,
}

impl Seen {
    /// Whether the stream said `[DONE]`.
    pub(super) fn done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// Until when the allowance is used up, if the answer said so.
    pub(super) fn announced(&self) -> Option<Asked> {
        self.announced.get().copied()
    }

    /// Why the body broke off, if it did.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn broke(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

/// Executes the requests of one attempt.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) http: reqwest::Client,
    pub(super) mode: Mode,
    pub(super) seen: Arc<Seen>,
}

impl From<Failure> for OpenAIError {
    fn from(failure: Failure) -> Self {
        Self::Boxed(Box::new(failure))
    }
}

impl tower::Service<HttpRequestFactory> for Wire {
    type Response = reqwest::Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<reqwest::Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        let Self { http, mode, seen } = self.clone();
        Box::pin(async move {
            let request =
                factory.build().await.map_err(|_| Failure::Bad("the request cannot be built".to_owned()))?;
            let response = http.execute(request).await.map_err(|error| unsent(&error))?;
            if !response.status().is_success() {
                return Err(refused(response).await);
            }
            if let Some(asked) = Asked::announced(response.headers()) {
                // One attempt, one answer.
                let _ = seen.announced.set(asked);
            }
            match mode {
                Mode::Whole => {
                    let body = net::read_bounded(response, BODY_CAP).await.map_err(|error| unread(&error))?;
                    Ok(http::Response::new(body).into())
                }
                Mode::Streamed if !is_event_stream(&response) => Err(no_stream(response).await),
                Mode::Streamed => Ok(watched(response, seen)),
            }
        })
    }
}

fn unsent(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        Failure::Bad(net::describe(error))
    } else {
        Failure::Broken(net::describe(error))
    }
}

fn unread(error: &BodyError) -> Failure {
    match error {
        BodyError::TooLarge(_) => Failure::Bad(error.to_string()),
        BodyError::Broken(_) => Failure::Broken(error.to_string()),
    }
}

fn is_event_stream(response: &reqwest::Response) -> bool {
    match response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()) {
        Some(kind) => kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"),
        None => true,
    }
}

async fn refused(response: reqwest::Response) -> Failure {
    let status = response.status().as_u16();
    let wait = Asked::read(response.headers());
    let body = net::read_bounded(response, ERROR_CAP).await.unwrap_or_default();
    match serde_json::from_slice(&body) {
        Ok(Completion { error: Some(error), .. }) => error_object(error, status, wait),
        _ => Failure::Status {
            status,
            wait,
            kind: String::new(),
            text: String::from_utf8_lossy(&body).into_owned(),
        },
    }
}

/// A provider's error object; its own numeric code outranks a status of 200.
pub(super) fn error_object(error: ErrorObject, status: u16, wait: Option<Asked>) -> Failure {
    let own = error.code.parse().ok().filter(|code| (400..600).contains(code));
    let status = if status >= 400 { status } else { own.unwrap_or(500) };
    Failure::Status { status, wait, kind: format!("{} {}", error.code, error.kind), text: error.message }
}

/// An answer to a streamed request that is no stream: an error object, or something else altogether.
async fn no_stream(response: reqwest::Response) -> Failure {
    let body = match net::read_bounded(response, ERROR_CAP).await {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    match serde_json::from_slice(&body) {
        Ok(Completion { error: Some(error), .. }) => error_object(error, 200, None),
        _ => Failure::Bad(format!("the answer is no event stream: {}", String::from_utf8_lossy(&body))),
    }
}

/// The same response with its body watched.
fn watched(response: reqwest::Response, seen: Arc<Seen>) -> reqwest::Response {
    let mut watch = Watch::default();
    let body = response.bytes_stream().filter_map(move |piece| {
        let outcome = match piece {
            Ok(piece) => watch.look(&piece),
            Err(error) => Err(Failure::Broken(net::describe(&error))),
        };
        if watch.done {
            seen.done.store(true, Ordering::Release);
        }
        let passed = outcome.map_err(|failure| {
            let text = failure.to_string();
            seen.broke(failure);
            std::io::Error::other(text)
        });
        std::future::ready(Some(passed).filter(|passed| !passed.as_ref().is_ok_and(Bytes::is_empty)))
    });
    http::Response::new(reqwest::Body::wrap_stream(body)).into()
}

/// Counts the bytes of a stream, looks for its end mark, and passes on whole lines only: the decoder would look at a
/// growing line again with every piece of it.
#[derive(Default)]
struct Watch {
    bytes: usize,
    held: BytesMut,
    done: bool,
}

impl Watch {
    /// Takes a piece and gives what may be decoded.
    fn look(&mut self, piece: &Bytes) -> Result<Bytes, Failure> {
        self.bytes += piece.len();
        if self.bytes > BODY_CAP {
            return Err(Failure::Bad(BodyError::TooLarge(BODY_CAP).to_string()));
        }
        let end = piece.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        let mut whole = piece.slice(..end);
        if end > 0 && !self.held.is_empty() {
            self.held.extend_from_slice(&whole);
            whole = self.held.split().freeze();
        }
        self.held.extend_from_slice(&piece[end..]);
        if self.held.len() > LINE_CAP {
            return Err(Failure::Bad(format!("a line of the stream is longer than {LINE_CAP} bytes")));
        }
        let ends = |line: &[u8]| {
            line.strip_prefix(b"data:").is_some_and(|value| value.trim_ascii_start().starts_with(b"[DONE]"))
        };
        self.done |= whole.split(|byte| matches!(byte, b'\n' | b'\r')).any(ends) || ends(&self.held);
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_mark_is_found_and_lines_stay_whole_however_the_stream_is_cut() {
        let stream = b"data: {\"x\":\"data: [DONE]\"}\r\n\ndata: [DONE]\n\n";
        for cut in 1..stream.len() {
            let mut watch = Watch::default();
            let (early, late) = stream.split_at(cut);
            let mut passed = watch.look(&Bytes::from_static(early)).unwrap().to_vec();
            assert!(passed.is_empty() || matches!(passed.last(), Some(b'\n' | b'\r')));
            if cut < 30 {
                assert!(!watch.done, "{cut}");
            }
            passed.extend(watch.look(&Bytes::from_static(late)).unwrap());
            assert!(watch.done && passed == stream, "{cut}");
        }
    }

    #[test]
    fn endless_lines_and_endless_streams_end() {
        let piece = Bytes::from(vec![b'x'; LINE_CAP]);
        let mut watch = Watch::default();
        assert!(watch.look(&piece).is_ok());
        assert!(watch.look(&piece).is_err());
        let lines = Bytes::from(b"x\n".repeat(LINE_CAP));
        let mut watch = Watch::default();
        assert!((0..10).any(|_| watch.look(&lines).is_err()));
    }
}
