//! The shop over standard streams: one session, one caller, whose token is in the environment.

use std::sync::Arc;

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::flaws::Flaw;
use super::roles::{BOOKS_READ, Caller};
use super::shop::{House, Shop};
use super::verify::{Denied, Verifier};
use super::{DemoError, DemoOptions};
use crate::net;

/// The variable that holds the caller's token.
const TOKEN: &str = "REHEARSAL_TOKEN";
/// The audience of tokens when none is configured: a process has no URL.
const AUDIENCE: &str = "bookshop";

/// Serves one session, until standard input ends or `stop` comes.
pub(super) async fn serve(options: DemoOptions, stop: CancellationToken) -> Result<(), DemoError> {
    let caller = caller(&options).await?;
    session(House::new(options.flaw, Some(caller)), rmcp::transport::io::stdio_pipes(), stop).await
}

/// Serves one session over a pair of streams, until the first of them ends.
async fn session<R, W>(
    house: Arc<House>,
    (input, mut output): (R, W),
    stop: CancellationToken,
) -> Result<(), DemoError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    if house.has(Flaw::GarbageOnStdout) {
        let greeting = b"Welcome to the bookshop!\n";
        output.write_all(greeting).await.map_err(|error| DemoError::Stream(error.to_string()))?;
    }
    match Shop::new(house).serve_with_ct((input, output), stop).await {
        Ok(session) => {
            session.waiting().await.map(drop).map_err(|error| DemoError::Stream(error.to_string()))
        }
        // A client that leaves before the handshake, or a signal, is an end like any other.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(DemoError::Stream(error.to_string())),
    }
}

async fn caller(options: &DemoOptions) -> Result<Caller, DemoError> {
    let Some(issuer) = &options.issuer else { return Ok(Caller::walk_in()) };
    let token = token().ok_or(DemoError::NoToken)?;
    let audience = options.audience.as_deref().unwrap_or(AUDIENCE);
    let http = net::client().map_err(DemoError::Stream)?;
    match Verifier::new(http, issuer, audience, options.flaw).caller(&token).await {
        Ok(caller) if caller.has(BOOKS_READ) => Ok(caller),
        Ok(_) | Err(Denied::Invalid) => Err(DemoError::BadToken),
        Err(Denied::IssuerUnreachable) => Err(DemoError::IssuerUnreachable),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a stdio server takes its caller's identity from its environment"
)]
fn token() -> Option<String> {
    std::env::var(TOKEN).ok().filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, split};

    use super::*;

    const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_order","arguments":{"id":1042}}}
"#;

    async fn said(flaw: Option<Flaw>, words: &str) -> String {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let house = House::new(flaw, Some(Caller::walk_in()));
        let serving = tokio::spawn(session(house, split(theirs), CancellationToken::new()));
        let (mut answers, mut questions) = split(ours);
        questions.write_all(words.as_bytes()).await.unwrap();
        let mut said = String::new();
        let mut chunk = [0; 4096];
        while !words.is_empty() && !said.contains(r#""id":2"#) {
            let length = answers.read(&mut chunk).await.unwrap();
            assert!(length > 0, "ended after `{said}`");
            said += std::str::from_utf8(&chunk[..length]).unwrap();
        }
        questions.shutdown().await.unwrap();
        assert_eq!(serving.await.unwrap(), Ok(()));
        said
    }

    #[tokio::test]
    async fn one_line_per_message_and_nothing_else() {
        let said = said(None, HELLO).await;
        assert!(said.lines().all(|line| line.starts_with(r#"{"jsonrpc":"2.0""#)), "{said}");
        assert!(said.contains("28 November 2026"), "{said}");
    }

    #[tokio::test]
    async fn the_greeting_is_the_flaw() {
        let said = said(Some(Flaw::GarbageOnStdout), HELLO).await;
        assert!(said.starts_with("Welcome to the bookshop!\n{"), "{said}");
        assert!(said.contains("28 November 2026"), "{said}");
    }

    #[tokio::test]
    async fn leaving_before_the_handshake_is_no_error() {
        assert_eq!(said(None, "").await, "");
    }
}
