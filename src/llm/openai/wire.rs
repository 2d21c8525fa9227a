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
use secrecy::SecretString;

use crate::llm::api::{Api, answer};
use crate::llm::retry::Failure;
use crate::net::asked::Asked;
use crate::net::{self, BODY_CAP, BodyError};

/// Longest line of a stream, in bytes: room for long arguments in one piece.
const LINE_CAP: usize = 1024 * 1024;

/// What async-openai asks a configuration for.
#[derive(Clone)]
pub(super) struct Settings {
    api: Api,
    // async-openai wants to be able to show the key; ours lives in the header alone.
    no_key: SecretString,
}

impl Settings {
    /// The settings of an API.
    pub(super) fn new(api: Api) -> Self {
        Self { api, no_key: SecretString::from("") }
    }
}

impl Config for Settings {
    fn headers(&self) -> HeaderMap {
        self.api.headers().clone()
    }
    fn url(&self, path: &str) -> String {
        self.api.url(path)
    }
    fn query(&self) -> Vec<(&str, &str)> {
        vec![]
    }
    fn api_base(&self) -> &str {
        self.api.base()
    }
    fn api_key(&self) -> &SecretString {
        &self.no_key
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
            let response = http.execute(request).await.map_err(|error| answer::unsent(&error))?;
            if !response.status().is_success() {
                return Err(answer::refused(response).await);
            }
            if let Some(asked) = Asked::announced(response.headers()) {
                // One attempt, one answer.
                let _ = seen.announced.set(asked);
            }
            match mode {
                Mode::Whole => Ok(http::Response::new(answer::whole(response).await?).into()),
                Mode::Streamed if !answer::is_event_stream(&response) => {
                    Err(answer::no_stream(response).await)
                }
                Mode::Streamed => Ok(watched(response, seen)),
            }
        })
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
