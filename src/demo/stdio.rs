//! The shop over standard streams: one session, one caller, whose token is in the environment.

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use tokio::io::AsyncWriteExt;
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
    let house = House::new(options.flaw, Some(caller));
    let (input, mut output) = rmcp::transport::io::stdio_pipes();
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
