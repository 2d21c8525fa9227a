//! The bookshop: a demonstration MCP server with roles and switchable flaws, built with the official SDK.
//!
//! It is what a good MCP server looks like from outside, so that every finding about it comes from the one flaw it was
//! started with. Read `catalogue`, `orders` and `roles` for the subject, `tools` and `shop` for MCP, `access`, `verify`
//! and `challenge` for authorization. It imports nothing of the harness but the HTTP layer, and never prints.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

mod access;
mod answers;
mod catalogue;
mod challenge;
mod delivery;
mod flaws;
mod http;
mod orders;
mod roles;
mod shop;
mod stdio;
mod surface;
mod tools;
mod verify;

pub use flaws::Flaw;

/// How the shop is started.
#[derive(Clone, Debug, Default)]
pub struct DemoOptions {
    /// How it is spoken to.
    pub transport: Transport,
    /// The port on 127.0.0.1; any free one when absent. HTTP only.
    pub port: Option<u16>,
    /// The issuer whose tokens count, as its metadata spells it. Over stdio none means the customer `customer-7`.
    pub issuer: Option<String>,
    /// The audience tokens must be meant for. Default: the URL of the endpoint; over stdio `bookshop`.
    pub audience: Option<String>,
    /// The one thing that is wrong with the shop.
    pub flaw: Option<Flaw>,
    /// Serve HTTP without an issuer: everybody is the customer `customer-7`.
    pub open: bool,
}

/// How the shop is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Standard streams.
    #[default]
    Stdio,
    /// Streamable HTTP on 127.0.0.1.
    Http,
}

/// Why the shop does not open, or closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DemoError {
    /// HTTP without an issuer.
    #[error("the shop has no issuer, so it could not tell its callers apart")]
    NoIssuer,
    /// Somebody else listens there.
    #[error("port {0} is taken")]
    PortTaken(u16),
    /// Listening failed.
    #[error("the shop cannot listen on 127.0.0.1: {0}")]
    Listen(String),
    /// Standard streams failed.
    #[error("the session over standard streams broke: {0}")]
    Stream(String),
    /// Stdio with an issuer and without a token.
    #[error("`REHEARSAL_TOKEN` is not set, and `BOOKSHOP_ISSUER` asks for a token")]
    NoToken,
    /// Stdio with a token that does not count.
    #[error("the token in `REHEARSAL_TOKEN` is not valid here")]
    BadToken,
    /// The issuer's keys cannot be read.
    #[error("the keys of `BOOKSHOP_ISSUER` cannot be read")]
    IssuerUnreachable,
    /// A flaw that would not show.
    #[error("the flaw `{0}` does not show over this transport")]
    WrongTransport(&'static str),
    /// The flaw `dies-on-start`.
    #[error("the shop died on start, as `dies-on-start` asks for")]
    Died,
}

impl DemoError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoIssuer => "demo.no-issuer",
            Self::PortTaken(_) => "demo.port-taken",
            Self::Listen(_) => "demo.listen",
            Self::Stream(_) => "demo.stream",
            Self::NoToken => "demo.no-token",
            Self::BadToken => "demo.bad-token",
            Self::IssuerUnreachable => "demo.issuer-unreachable",
            Self::WrongTransport(_) => "demo.wrong-transport",
            Self::Died => "demo.died",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoIssuer => {
                Some("set `BOOKSHOP_ISSUER`, or pass `--open` to serve everybody as one customer")
            }
            Self::PortTaken(_) => Some("pass another `--port`, or leave it out for a free one"),
            Self::NoToken => {
                Some("set `REHEARSAL_TOKEN`, or unset `BOOKSHOP_ISSUER` to be the customer `customer-7`")
            }
            Self::BadToken => {
                Some("the token must be signed by the issuer, in date, and meant for `BOOKSHOP_AUDIENCE`")
            }
            Self::IssuerUnreachable => Some("start the issuer first, and spell it as its metadata does"),
            Self::WrongTransport(_) => Some("pass the other `--transport`"),
            Self::Listen(_) | Self::Stream(_) | Self::Died => None,
        }
    }
}

/// How late the shop opens under `slow-start`.
const LATE: Duration = Duration::from_secs(30);

/// Runs the shop until standard input ends (stdio), or until SIGINT or SIGTERM. `ready` is told the address once
/// connections are accepted (HTTP).
pub async fn serve(options: DemoOptions, ready: impl FnOnce(SocketAddr)) -> Result<(), DemoError> {
    if let Some(flaw) = options.flaw
        && flaw.only_on().is_some_and(|only| only != options.transport)
    {
        return Err(DemoError::WrongTransport(flaw.name()));
    }
    let stop = CancellationToken::new();
    let _stopped_at_the_end = stop.clone().drop_guard();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = told.cancelled() => {}
            () = interrupted() => told.cancel(),
        }
    });
    if options.flaw == Some(Flaw::DiesOnStart) {
        return Err(DemoError::Died);
    }
    if options.flaw == Some(Flaw::SlowStart)
        && stop.run_until_cancelled(tokio::time::sleep(LATE)).await.is_none()
    {
        return Ok(());
    }
    match options.transport {
        Transport::Http => http::serve(options, ready, stop).await,
        Transport::Stdio => stdio::serve(options, stop).await,
    }
}

/// Ends when the process is asked to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
