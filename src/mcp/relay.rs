//! The recording proxy between a program that brings its own MCP client and the target.
//!
//! Everything passes as it came, in both directions and both eras; the persona's credentials are added on the way, so the
//! program never sees them. What passes is in the record of the trial: every message, and what it means ([`ear`]).
//!
//! It listens on loopback for one trial. Over HTTP its URL holds a secret, and `Host` and `Origin` are looked at, so that no
//! page in a browser and no other program gets through; over standard streams a small program of ours ([`shim`]) stands
//! where the server would, and says the secret first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::credentials::Identity;
use super::exchange::Site;
use super::stdio::Starter;
use crate::ids::Digest;
use crate::transcript::{Fault, Recorder, Side};

pub mod ear;
mod http;
mod open;
pub mod shim;
mod stdio;

use ear::Ear;

/// How long the relay waits at its end for what it has begun.
const FAREWELL: Duration = Duration::from_secs(3);

/// Whom a relay serves.
pub struct Relaying {
    /// As whom the target is spoken to.
    pub identity: Identity,
    /// The record of the trial.
    pub log: Recorder,
    /// What a client has to know: at least 16 characters of letters, digits, `-` and `_` that nobody can guess.
    pub secret: String,
    /// Most tool calls that get through. The call after them does not, and [`Ear::is_exhausted`] holds from then on.
    pub calls: u32,
}

/// A running relay. Dropping it ends it, with every connection and process behind it.
pub struct Relay {
    /// What a client is told.
    pub way: Way,
    /// What passes.
    pub ear: Arc<Ear>,
    stop: CancellationToken,
    connections: tokio_util::task::TaskTracker,
    _stop: DropGuard,
}

/// How a client reaches a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Streamable HTTP at this URL, which holds the secret.
    Http(String),
    /// Standard streams: a program is started that connects to this address and says the secret ([`shim`]).
    Stdio {
        /// The address.
        address: SocketAddr,
        /// The secret.
        secret: String,
    },
}

impl Relay {
    /// Ends every connection, and over standard streams every process behind one.
    pub async fn close(self) {
        self.stop.cancel();
        self.connections.close();
        let _ = tokio::time::timeout(FAREWELL, self.connections.wait()).await;
    }
}

/// A relay to a Streamable HTTP endpoint.
pub(super) async fn to_site(site: Site, relaying: Relaying) -> Result<Relay, Fault> {
    let (listener, address) = listen().await?;
    let way = Way::Http(format!("http://{address}/{}/mcp", relaying.secret));
    let relay = begin(way, &relaying);
    let door = http::Door::new(site, relaying, address, (Arc::clone(&relay.ear), relay.stop.clone()));
    relay.connections.spawn(http::serve(listener, door, relay.stop.clone()));
    Ok(relay)
}

/// A relay to a program that is started for every connection.
pub(super) async fn to_program(starter: Starter, relaying: Relaying) -> Result<Relay, Fault> {
    let (listener, address) = listen().await?;
    let way = Way::Stdio { address, secret: relaying.secret.clone() };
    let relay = begin(way, &relaying);
    let door = stdio::Door::new(starter, relaying, Arc::clone(&relay.ear));
    let place = (relay.stop.clone(), relay.connections.clone());
    relay.connections.spawn(stdio::serve(listener, door, place));
    Ok(relay)
}

fn begin(way: Way, relaying: &Relaying) -> Relay {
    relaying.log.secrets().register("relay", &relaying.secret);
    let ear = Arc::new(Ear::new(relaying.log.clone(), relaying.calls));
    let stop = CancellationToken::new();
    Relay {
        way,
        ear,
        _stop: stop.clone().drop_guard(),
        stop,
        connections: tokio_util::task::TaskTracker::new(),
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr), Fault> {
    let bound = async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    };
    bound.await.map_err(|error| {
        let message = format!("the relay for an agent cannot listen on 127.0.0.1: {error}");
        Fault::new(Side::Harness, "agent.no-relay", message)
    })
}

/// Whether two secrets are one, without telling by the time it takes how much of them is.
fn same(known: &str, given: &str) -> bool {
    Digest::of_json(&known) == Digest::of_json(&given)
}
