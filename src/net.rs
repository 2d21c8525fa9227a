//! The one HTTP layer: deadlines, size caps, errors without secrets.
//!
//! Every outgoing request of the program goes through a client made here. Redirects are never followed, bodies are
//! read up to a cap, and error texts carry neither query strings nor credentials.

use std::error::Error;

use bytes::{Bytes, BytesMut};

pub use route::{Route, Tls, client_by};

pub mod asked;
pub mod bare;
pub mod fence;
pub mod pem;
pub mod route;
pub mod sse;

/// Largest body read from a model API, a target or an authorization server, in bytes: 16 MiB.
pub const BODY_CAP: usize = 16 * 1024 * 1024;

/// `User-Agent` of every request that says nothing else.
pub const USER_AGENT: &str = concat!("rehearsal/", env!("CARGO_PKG_VERSION"));

/// Bodies up to this size get their room at once.
const USUAL: u64 = 64 * 1024;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than the cap.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
}

/// A client as [`client_by`] makes it, with nothing but the proxies of the environment, which loopback addresses never
/// go through.
pub fn client() -> Result<reqwest::Client, String> {
    client_by(&Route::default())
}

/// Reads a body up to `cap` bytes; more is an error, and nothing beyond the cap is kept in memory.
pub async fn read_bounded(response: reqwest::Response, cap: usize) -> Result<Bytes, BodyError> {
    let mut body = BytesMut::new();
    read_into(response, &mut body, cap).await?;
    Ok(body.freeze())
}

/// The same, leaving what came before an error, or before the future was dropped, in `body`.
pub async fn read_into(
    mut response: reqwest::Response,
    body: &mut BytesMut,
    cap: usize,
) -> Result<(), BodyError> {
    let announced = response.content_length();
    if announced.is_some_and(|length| length > cap as u64) {
        return Err(BodyError::TooLarge(cap));
    }
    // No more than is common: a length is only a claim.
    body.reserve(announced.unwrap_or_default().min(USUAL) as usize);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > cap => return Err(BodyError::TooLarge(cap)),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(()),
            Err(error) => return Err(BodyError::Broken(describe(&error))),
        }
    }
}

/// What went wrong, innermost cause last, without the URL: reqwest's own text repeats query strings.
pub fn describe(error: &reqwest::Error) -> String {
    let mut parts = vec![
        match () {
            () if error.is_timeout() => "timed out",
            () if error.is_connect() => "cannot connect",
            () if error.is_body() || error.is_decode() => "the answer broke off",
            () if error.is_builder() => "the request cannot be built",
            () => "the request failed",
        }
        .to_owned(),
    ];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Inner layers repeat the outer text; a URL in an inner text would bring the secrets back.
        if !text.contains("://") && !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    parts.join(": ")
}

/// A URL as it may be shown: scheme, host, port and path; no user, query or fragment.
pub fn shown(url: &url::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Both fail only for URLs that cannot hold credentials.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_urls_hold_no_secrets() {
        let url = url::Url::parse("https://user:pass@example.com:8443/mcp?api_key=abc#x").unwrap();
        assert_eq!(shown(&url), "https://example.com:8443/mcp");
    }

    #[tokio::test]
    async fn refused_connections_are_described_without_the_query() {
        let error = client().unwrap().get("http://127.0.0.1:1/x?token=hunter2").send().await.unwrap_err();
        let text = describe(&error);
        assert!(text.starts_with("cannot connect"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
