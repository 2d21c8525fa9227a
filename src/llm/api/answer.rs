//! Answers as they come: statuses that are none become failures with the provider's wait, bodies are read up to a cap.

use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::error::{self, Problem};
use super::loose::FromLoose;
use crate::llm::retry::Failure;
use crate::net::asked::Asked;
use crate::net::{self, BODY_CAP, BodyError};

/// Most bytes of an error body that are read.
const ERROR_CAP: usize = 64 * 1024;

/// Why a request was not answered at all.
pub(in crate::llm) fn unsent(error: &reqwest::Error) -> Failure {
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

/// A whole body.
pub(in crate::llm) async fn whole(response: reqwest::Response) -> Result<Bytes, Failure> {
    net::read_bounded(response, BODY_CAP).await.map_err(|error| unread(&error))
}

/// Whether an answer to a streamed request is a stream. One that does not say is taken for one.
pub(in crate::llm) fn is_event_stream(response: &reqwest::Response) -> bool {
    match response.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default()) {
        Some(kind) => kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"),
        None => true,
    }
}

/// An answer with an error status.
pub(in crate::llm) async fn refused(response: reqwest::Response) -> Failure {
    let status = response.status().as_u16();
    let wait = Asked::read(response.headers());
    let body = net::read_bounded(response, ERROR_CAP).await.unwrap_or_default();
    let text = || Problem::text(String::from_utf8_lossy(&body).into_owned());
    error::read(&body).unwrap_or_else(text).failure(status, wait)
}

/// An answer to a streamed request that is no stream: an error object, or something else altogether.
pub(in crate::llm) async fn no_stream(response: reqwest::Response) -> Failure {
    let body = match net::read_bounded(response, ERROR_CAP).await {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    match error::read(&body) {
        Some(problem) => problem.failure(200, None),
        None => Failure::Bad(format!("the answer is no event stream: {}", String::from_utf8_lossy(&body))),
    }
}

/// Why a JSON text of an answer cannot be read.
pub(in crate::llm) fn unreadable(error: &serde_json::Error, text: &[u8]) -> Failure {
    match error.is_eof() && !text.trim_ascii().is_empty() {
        true => Failure::Broken(format!("the answer broke off after {} bytes", text.len())),
        false => Failure::Bad(format!(
            "the answer is not what the API promises: {}",
            String::from_utf8_lossy(text.trim_ascii())
        )),
    }
}
