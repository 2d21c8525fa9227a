//! A small MCP server that follows the text, with one switch per auth check that breaks exactly that.
//!
//! It speaks 2025-11-25 with sessions and 2026-07-28 without, is its own resource server, and trusts the embedded issuer
//! through its published keys or its introspection. It is written from the texts and shares no code with the checks:
//! signatures are verified with another library than the one that makes them.
//!
//! The name of a switch is the id of the check that it breaks; [`switches`] lists them all. New methods, tools and
//! resources are rows of tables ([`dispatch::TABLE`], [`tools::TABLE`], [`basics::RESOURCES`]).

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test at once")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use rehearsal::auth::Issuer;
use secrecy::ExposeSecret;

pub(crate) mod basics;
mod challenge;
pub(crate) mod dispatch;
mod envelope;
mod facade;
mod http;
mod introspection;
mod keys;
mod metadata;
mod place;
mod session;
pub(crate) mod state;
mod strict;
pub(crate) mod switches;
mod tls;
pub(crate) mod tools;
mod user;
mod verify;

pub(crate) use dispatch::{Answering, Call, Era, Reply, Row, RpcError};
pub(crate) use user::User;

/// Stands for an address of the machine that others may reach; tests listen on loopback only.
pub(crate) const ELSEWHERE: std::net::Ipv4Addr = std::net::Ipv4Addr::new(127, 0, 0, 2);

/// A running server. It stops when it is dropped.
pub(crate) struct Flawed {
    /// The MCP endpoint.
    pub(crate) url: String,
    /// The authority of its certificate, as PEM text, if it speaks https.
    pub(crate) authority: Option<String>,
    /// What it keeps.
    pub(crate) server: Arc<Server>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// The authorization server that a server trusts.
pub(crate) struct Trust {
    url: String,
    /// Who the server is at the introspection endpoint, and its secret.
    client: (String, String),
}

impl From<&str> for Trust {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), client: Default::default() }
    }
}

impl From<&Issuer> for Trust {
    fn from(issuer: &Issuer) -> Self {
        let (name, secret) = issuer.introspection_client();
        let client = (name.to_owned(), secret.expose_secret().to_owned());
        Self { url: issuer.url().to_owned(), client }
    }
}

/// What the handlers share.
pub(crate) struct Server {
    on: BTreeSet<String>,
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    /// The same with its scheme.
    pub(crate) origin: String,
    /// The authorization server that it trusts.
    pub(crate) issuer: String,
    client: (String, String),
    /// Asks the issuer, and whoever else a flaw makes it ask.
    pub(crate) http: reqwest::Client,
    keys: keys::KeySet,
    sessions: Mutex<session::Sessions>,
    strikes: Mutex<u32>,
    /// What the stateful tools and methods keep.
    pub(crate) state: state::State,
}

impl Drop for Flawed {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Flawed {
    /// Starts on loopback, trusting this issuer, with these switches on. By its URL alone it can be trusted for its
    /// keys; introspection needs the issuer itself.
    pub(crate) async fn start(issuer: impl Into<Trust>, on: &[&str]) -> Self {
        let trust = issuer.into();
        for name in on {
            assert!(switches::known(name), "there is no switch `{name}`");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let scheme = if on.contains(&"mode.tls") { "https" } else { "http" };
        let origin = format!("{scheme}://{host}");
        // The issuer is not https, and reading the certificates of the system takes long in a test.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(keys::PATIENCE);
        let server = Arc::new(Server {
            on: on.iter().map(|name| (*name).to_owned()).collect(),
            host,
            origin,
            issuer: trust.url,
            client: trust.client,
            http: http.build().unwrap(),
            keys: keys::KeySet::default(),
            sessions: Mutex::default(),
            strikes: Mutex::default(),
            state: state::State::default(),
        });
        let url = server.resource();
        let app = Router::new().fallback(http::handle).with_state(Arc::clone(&server));
        if server.broken("mode.tls") {
            let (door, authority) = tls::Door::new(listener, server.broken("B09"));
            let tasks = vec![tokio::spawn(async move { axum::serve(door, app).await.unwrap() })];
            return Self { url, authority: Some(authority), server, tasks };
        }
        let mut listeners = vec![listener];
        if server.broken("H09") {
            let port = server.host.rsplit(':').next().unwrap().parse().unwrap();
            listeners.push(tokio::net::TcpListener::bind((ELSEWHERE, port)).await.unwrap());
        }
        let serve = |listener| {
            let app = app.clone();
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() })
        };
        let tasks = listeners.into_iter().map(serve).collect();
        Self { url, authority: None, server, tasks }
    }
}

impl Server {
    /// Whether the duty that this check looks at is broken here.
    pub(crate) fn broken(&self, id: &str) -> bool {
        debug_assert!(switches::known(id), "there is no switch `{id}`");
        self.on.contains(id)
    }

    /// The canonical resource identifier: `aud` of every good token.
    pub(crate) fn resource(&self) -> String {
        format!("{}/mcp", self.origin)
    }
}

/// A lock that a panicking handler cannot poison for the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
