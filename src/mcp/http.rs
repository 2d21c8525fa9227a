//! Streamable HTTP as a connection: one POST per message, answered with JSON or with an event stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;
use tokio_util::sync::DropGuard;

use super::credentials::Identity;
use super::exchange::{ASIDE, Exchange, Sending, Site};
use super::greeting::Greeting;
use super::headers::{Kind, kind};
use super::hub::{Arrived, Hub};
use super::incoming::Incoming;
use super::jsonrpc;
use super::line::{Carrier, Letter, Stop};
use super::process::Vitals;
use super::profile::ConnectStep;
use super::revision::{Era, Revision};
use super::status::no_answer;
use super::terms::Terms;
use crate::net;
use crate::transcript::{Fault, Recorder};

/// Largest JSON answer in bytes: 16 MiB.
pub(super) const RESULT_CAP: usize = 16 * 1024 * 1024;
/// How long closing a session waits for the answer to its DELETE; the rest happens in the background.
const FAREWELL: Duration = Duration::from_millis(250);
/// How long a session waits until the server can speak unasked.
const OPENING: Duration = Duration::from_secs(1);

/// One session over HTTP. Dropping it ends its background streams.
pub(super) struct Http {
    exchange: Arc<Exchange>,
    greeting: Mutex<Greeting>,
    /// The status that refused the handshake; 0 as long as none did.
    refused: AtomicU16,
    /// Whether the server's own stream was wanted.
    listened: AtomicBool,
    _stop: DropGuard,
}

impl Http {
    /// A session of `identity` at `site`, recorded in `log`.
    pub(super) fn new(site: Site, identity: Identity, hub: Arc<Hub>, log: Recorder) -> Self {
        let exchange = Exchange::new(site, identity, hub, log);
        let stop = exchange.stop.clone().drop_guard();
        Self {
            exchange,
            greeting: Mutex::default(),
            refused: AtomicU16::new(0),
            listened: AtomicBool::new(false),
            _stop: stop,
        }
    }

    /// The status that refused the handshake, if one did.
    pub(super) fn refusal(&self) -> Option<u16> {
        Some(self.refused.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), Stop> {
        let exchange = &self.exchange;
        // Only the handshake gives a session its id (before 2026-07-28, which has none).
        let greets = letter.era == Era::Legacy && exchange.revision.get().is_none();
        if greets {
            self.greeting.lock().await.keep(&letter.text);
        }
        let sending =
            || Sending { mirrored: &letter.headers, ..Sending::message(&exchange.site.url, &letter.text) };
        let session = exchange.session();
        let mut response = exchange.insist(sending()).await?;
        if response.status() == StatusCode::NOT_FOUND && session.is_some() {
            let lost = exchange.refused(response).await;
            self.renew(session, lost).await?;
            // What a server refused for its session it has not carried out, so it may be sent again.
            response = exchange.insist(sending()).await?;
        }
        if greets && response.status().is_success() {
            exchange.enter_session(&response);
        } else if greets {
            self.refused.store(response.status().as_u16(), Ordering::Relaxed);
        }
        exchange.take((letter.id, letter.era), response).await.map_err(|stop| exchange.ended(stop))
    }

    /// Begins a new session in place of one that the server no longer knows (2025-11-25, basic/transports), once per
    /// connection.
    async fn renew(&self, known: Option<HeaderValue>, lost: Stop) -> Result<(), Stop> {
        let mut greeting = self.greeting.lock().await;
        let exchange = &self.exchange;
        if exchange.session() != known {
            // Another request has seen to it.
            return Ok(());
        }
        let Some(anew) = greeting.anew(&exchange.hub, &exchange.log) else { return Err(lost) };
        let sending =
            Sending { in_session: false, ..Sending::message(&exchange.site.url, &anew.letter.text) };
        let response = exchange.insist(sending).await?;
        if response.status().is_success() {
            exchange.enter_session(&response);
        }
        let (id, reason) = (anew.letter.id, "the server no longer knew the session (HTTP 404)");
        exchange.take((id, Era::Legacy), response).await?;
        let initialized = anew.settled(exchange.revision.get().copied(), &exchange.hub, reason).await?;
        exchange.tell(&exchange.site.url, &initialized).await?;
        // A client that did not listen to the old session does not listen to the new one.
        if self.listened.load(Ordering::Relaxed) {
            self.listen().await;
        }
        Ok(())
    }
}

impl Carrier for Http {
    fn ask<'a>(&'a self, letter: Letter, _: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { self.deliver(&letter).await })
    }

    fn tell<'a>(&'a self, text: String, _: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.exchange.tell(&self.exchange.site.url, &text).await })
    }

    fn settle(&self, revision: &'static Revision) {
        // Settled once: a connection has one handshake.
        let _ = self.exchange.revision.set(revision);
    }

    fn listen(&self) -> BoxFuture<'static, ()> {
        self.listened.store(true, Ordering::Relaxed);
        let site = &self.exchange.site;
        if site.mute.load(Ordering::Relaxed) {
            return Box::pin(std::future::ready(()));
        }
        let (open, opened) = oneshot::channel();
        let exchange = Arc::clone(&self.exchange);
        tokio::spawn(async move {
            let stop = exchange.stop.clone();
            stop.run_until_cancelled(exchange.listen(open)).await;
        });
        let (slow, hand) = (Arc::clone(&site.slow), site.hand.clone());
        Box::pin(async move {
            if !slow.load(Ordering::Relaxed) && timeout(OPENING, opened).await.is_err() && hand.is_none() {
                slow.store(true, Ordering::Relaxed);
            }
            if let Some(hand) = hand {
                hand.quiet().await;
            }
        })
    }

    fn knock<'a>(&'a self, step: ConnectStep, terms: &'a Terms) -> BoxFuture<'a, ()> {
        Box::pin(self.exchange.knock(step, terms))
    }

    fn place(&self) -> Option<String> {
        Some(net::shown(&self.exchange.site.url))
    }

    fn asked_to_wait(&self) -> Option<Duration> {
        self.exchange.asked_to_wait()
    }

    fn vitals(&self) -> Option<Vitals> {
        self.exchange.site.vitals.clone()
    }

    fn close<'a>(&'a self, _: &'a Recorder) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(hand) = &self.exchange.site.hand {
                hand.quiet().await;
            }
            self.exchange.stop.cancel();
            if self.exchange.session().is_none() {
                return;
            }
            let exchange = Arc::clone(&self.exchange);
            let farewell = self.exchange.site.tracker.spawn(timeout(ASIDE, async move {
                exchange.delete().await;
            }));
            let _ = timeout(FAREWELL, farewell).await;
        })
    }
}

impl Exchange {
    /// Takes the answer to request `id` from its response.
    async fn take(self: &Arc<Self>, (id, era): (u64, Era), response: Response) -> Result<(), Stop> {
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        match kind(response.headers()) {
            Kind::Stream => self.follow((id, era), response).await,
            kind @ (Kind::Json | Kind::Other) => self.read_answer(id, response, kind).await,
        }
    }

    async fn read_answer(self: &Arc<Self>, id: u64, response: Response, kind: Kind) -> Result<(), Stop> {
        let status = response.status().as_u16();
        let mut incoming = Incoming::new(&self.log, &response);
        incoming.read(response, RESULT_CAP).await.map_err(|fault| match fault.retryable {
            true => Stop::Lost(fault),
            false => Stop::Fault(fault),
        })?;
        let text = incoming.text();
        if text.is_empty() || (kind == Kind::Other && jsonrpc::read(&text).is_err()) {
            return Err(Stop::blank(status, no_answer(status, &text, None), &text));
        }
        if kind == Kind::Other {
            self.hub
                .odd(Some(id), "a JSON-RPC message came without `content-type: application/json`".to_owned());
        }
        self.receive(&self.site.url, incoming.arrived(id));
        if self.hub.is_waiting(id) {
            let why = jsonrpc::read(&text).err();
            return Err(Stop::blank(status, no_answer(status, &text, why.as_deref()), &text));
        }
        Ok(())
    }

    /// Passes on what came, and answers at `url` what the server asks with it.
    pub(super) fn receive(self: &Arc<Self>, url: &url::Url, arrived: Arrived) {
        let is_batch = arrived.body.to_text().trim_start().starts_with('[');
        if is_batch && self.revision.get().is_some_and(|revision| revision.version_header) {
            // Removed with 2025-06-18, which also brought the version header.
            self.hub.odd(arrived.owner, "a batch of messages, which this revision does not have".to_owned());
        }
        self.answer_all(url, self.hub.deliver(arrived));
    }

    async fn delete(&self) {
        let sending = Sending::bare(Method::DELETE, &self.site.url);
        if let Ok(response) = self.send_fresh(sending).await {
            drop(Incoming::new(&self.log, &response));
        }
    }
}
