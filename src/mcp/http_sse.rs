//! HTTP+SSE of 2024-11-05 as a connection: one event stream for all the server says, and a URL announced on it to which
//! every message of ours is posted.
//!
//! A stream that ends cannot be resumed; another one is another session. It is begun once, and no request that may have
//! reached the server is sent again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::{Method, Response, StatusCode};
use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::credentials::Identity;
use super::exchange::{ASIDE, Exchange, REFUSAL_CAP, Sending, Site};
use super::greeting::Greeting;
use super::headers::{Kind, kind};
use super::hub::Hub;
use super::incoming::Incoming;
use super::jsonrpc::{self, Message};
use super::line::{Carrier, Letter, Stop};
use super::listen::{ended_early, foreign};
use super::process::Vitals;
use super::revision::Revision;
use super::stream::{Next, Reading, frame};
use crate::net::sse::SseEvent;
use crate::transcript::{Fault, Recorder, Side};
use crate::{display, net};

/// One session over HTTP+SSE. Dropping it ends its stream.
pub(super) struct HttpSse {
    session: Arc<Session>,
    _stop: DropGuard,
}

struct Session {
    exchange: Arc<Exchange>,
    /// Locked while a new session is begun, so that all requests see the same one.
    place: Mutex<(Arc<Link>, Greeting)>,
}

/// A stream and the URL announced on it.
struct Link {
    endpoint: Url,
    /// Why the stream is over, once it is.
    over: OnceLock<Fault>,
    /// Ends the reader.
    left: CancellationToken,
}

impl HttpSse {
    /// Opens the stream at `site` and waits for the announcement, at most `limit`.
    pub(super) async fn connect(
        site: Site,
        identity: Identity,
        (hub, log): (Arc<Hub>, Recorder),
        limit: Duration,
    ) -> Result<Self, Stop> {
        let exchange = Exchange::new(site, identity, hub, log);
        let stop = exchange.stop.clone().drop_guard();
        let link = tokio::time::timeout(limit, attach(&exchange)).await.map_err(|_| {
            let (shown, limit) = (net::shown(&exchange.site.url), crate::units::Period(limit));
            let message = format!(
                "`{shown}` announced no `endpoint` within {limit}; check that it is the event stream of an HTTP+SSE server"
            );
            Fault::new(Side::Server, "target.timeout", message)
        })??;
        let place = Mutex::new((link, Greeting::default()));
        Ok(Self { session: Arc::new(Session { exchange, place }), _stop: stop })
    }
}

impl Session {
    async fn deliver(&self, letter: &Letter) -> Result<(), Stop> {
        let mut link = {
            let mut place = self.place.lock().await;
            if self.exchange.revision.get().is_none() {
                place.1.keep(&letter.text);
            }
            Arc::clone(&place.0)
        };
        if let Some(fault) = link.over.get() {
            link = self.renew(&link, fault.clone().into(), "the event stream had ended").await?;
        }
        let mut response = self.exchange.insist(Sending::message(&link.endpoint, &letter.text)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            let lost = self.exchange.refused(response).await;
            link = self.renew(&link, lost, "the server no longer knew the session (HTTP 404)").await?;
            // What a server refused for its session it has not carried out, so it may be sent again.
            response = self.exchange.insist(Sending::message(&link.endpoint, &letter.text)).await?;
        }
        self.accepted(letter.id, response).await
    }

    /// Takes the receipt of request `id`. The answer comes on the stream.
    async fn accepted(&self, id: u64, response: Response) -> Result<(), Stop> {
        if !response.status().is_success() {
            return Err(self.exchange.refused(response).await);
        }
        let mut incoming = Incoming::new(&self.exchange.log, &response);
        let _ = tokio::time::timeout(ASIDE, incoming.read(response, REFUSAL_CAP)).await;
        let is_answer = |messages: Vec<Message>| messages.iter().any(|one| matches!(one, Message::Answer(_)));
        let answered = jsonrpc::read(&incoming.text()).is_ok_and(is_answer);
        drop(incoming);
        if answered {
            let message = "an answer came in the response to a POST, where clients of HTTP+SSE do not look";
            self.exchange.hub.odd(Some(id), message.to_owned());
        }
        Ok(())
    }

    /// Begins a new session in place of `known`, once per connection.
    async fn renew(&self, known: &Arc<Link>, lost: Stop, reason: &str) -> Result<Arc<Link>, Stop> {
        let mut place = self.place.lock().await;
        if !Arc::ptr_eq(&place.0, known) {
            // Another request has seen to it.
            return Ok(Arc::clone(&place.0));
        }
        let exchange = &self.exchange;
        let Some(anew) = place.1.anew(&exchange.hub, &exchange.log) else { return Err(lost) };
        known.left.cancel();
        let link = attach(exchange).await?;
        let response = exchange.insist(Sending::message(&link.endpoint, &anew.letter.text)).await?;
        self.accepted(anew.letter.id, response).await?;
        let initialized = anew.settled(exchange.revision.get().copied(), &exchange.hub, reason).await?;
        exchange.tell(&link.endpoint, &initialized).await?;
        place.0 = Arc::clone(&link);
        Ok(link)
    }
}

impl Carrier for HttpSse {
    fn ask<'a>(&'a self, letter: Letter, _: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>> {
        let session = Arc::clone(&self.session);
        // The answer may come before the receipt, which is read all the same: for the record, and for the connection.
        let posting = tokio::spawn(async move {
            let stop = session.exchange.stop.clone();
            stop.run_until_cancelled(session.deliver(&letter)).await.unwrap_or(Ok(()))
        });
        Box::pin(async move { posting.await.unwrap_or(Ok(())) })
    }

    fn tell<'a>(&'a self, text: String, _: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let link = Arc::clone(&self.session.place.lock().await.0);
            self.session.exchange.tell(&link.endpoint, &text).await
        })
    }

    fn settle(&self, revision: &'static Revision) {
        // Settled once: a connection has one handshake.
        let _ = self.session.exchange.revision.set(revision);
    }

    /// Answers come on the one stream, so a request is cancelled by a message.
    fn exchanges(&self) -> bool {
        false
    }

    fn vitals(&self) -> Option<Vitals> {
        self.session.exchange.site.vitals.clone()
    }

    fn close<'a>(&'a self, _: &'a Recorder) -> BoxFuture<'a, ()> {
        // The session ends with its stream.
        self.session.exchange.stop.cancel();
        Box::pin(std::future::ready(()))
    }
}

/// Opens a stream, waits for the announcement and leaves a reader behind.
async fn attach(exchange: &Arc<Exchange>) -> Result<Arc<Link>, Stop> {
    let site = &exchange.site;
    let response =
        exchange.insist(Sending { in_session: false, ..Sending::bare(Method::GET, &site.url) }).await?;
    if !response.status().is_success() {
        return Err(exchange.refused(response).await);
    }
    if kind(response.headers()) != Kind::Stream {
        let mut incoming = Incoming::new(&exchange.log, &response);
        let _ = tokio::time::timeout(ASIDE, incoming.read(response, REFUSAL_CAP)).await;
        let message = format!(
            "`{}` is no event stream; HTTP+SSE servers often have theirs at `/sse`",
            net::shown(&site.url)
        );
        return Err(Fault::new(Side::Server, "target.protocol", message).into());
    }
    let mut reading = Reading::new(response, None, &exchange.log);
    loop {
        let mut events = match reading.next().await? {
            Next::Events(events) => events.into_iter(),
            Next::Closed { why } => {
                let before = "it announced a place for messages";
                return Err(ended_early(before, why.as_deref()).into());
            }
        };
        while let Some(event) = events.next() {
            if event.kind != "endpoint" {
                pass_on(exchange, &mut reading, event, &site.url);
                continue;
            }
            let endpoint = announced(&site.url, &event)?;
            reading.note(Some(frame(&event)), crate::transcript::Body::of(event.data));
            exchange.linked.store(true, Ordering::Relaxed);
            let left = exchange.stop.child_token();
            let link = Arc::new(Link { endpoint, over: OnceLock::new(), left: left.clone() });
            let reader = read(Arc::clone(exchange), Arc::clone(&link), reading, events.collect());
            tokio::spawn(async move { left.run_until_cancelled(reader).await });
            return Ok(link);
        }
    }
}

/// The URL of an announcement. Another origin is refused, because credentials would go there (2024-11-05 is silent; the
/// official SDKs refuse it too).
fn announced(stream: &Url, event: &SseEvent) -> Result<Url, Fault> {
    let text = String::from_utf8_lossy(&event.data);
    let shown = display::excerpt(text.trim(), 120);
    let fault = |message| Fault::new(Side::Server, "target.protocol", message);
    let url = stream.join(text.trim()).map_err(|error| {
        fault(format!("the server announced `{shown}` as the place for messages, which is no URL: {error}"))
    })?;
    if url.origin() != stream.origin() {
        let origin = net::shown(&url);
        let origin = display::excerpt(&origin, 120);
        return Err(fault(format!(
            "the server announced `{origin}` as the place for messages, which is not at the origin of `{}`; nothing is sent there",
            net::shown(stream)
        )));
    }
    Ok(url)
}

async fn read(exchange: Arc<Exchange>, link: Arc<Link>, mut reading: Reading, first: Vec<SseEvent>) {
    let mut next = Ok(Next::Events(first));
    let fault = loop {
        let events = match next {
            Ok(Next::Events(events)) => events,
            Ok(Next::Closed { why }) => break ended_early("the answer", why.as_deref()),
            Err(fault) => break fault,
        };
        for event in events {
            pass_on(&exchange, &mut reading, event, &link.endpoint);
        }
        next = reading.next().await;
    };
    drop(reading);
    // Set before the waiting are told, so that whoever begins to wait after that knows.
    let _ = link.over.set(fault.clone());
    exchange.hub.fail_waiting(&fault);
}

fn pass_on(exchange: &Arc<Exchange>, reading: &mut Reading, event: SseEvent, endpoint: &Url) {
    let kind = event.kind.clone();
    let Some(arrived) = reading.message(event) else { return };
    match kind.as_str() {
        "" | "message" => exchange.receive(endpoint, arrived),
        "endpoint" => {
            let message = "the server announced a second place for messages; the first one is kept";
            exchange.hub.set_aside(arrived, message.to_owned());
        }
        kind => exchange.hub.set_aside(arrived, foreign(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_streams_own_origin_is_believed() {
        let stream = Url::parse("http://user@127.0.0.1:80/sse?key=hidden").expect("a URL");
        let announced = |data: &str| {
            announced(&stream, &SseEvent { data: data.into(), ..SseEvent::default() })
                .map(|url| url.to_string())
                .map_err(|fault| fault.message)
        };
        assert_eq!(announced("/messages?s=1"), Ok("http://user@127.0.0.1/messages?s=1".to_owned()));
        assert_eq!(announced(" messages \n"), Ok("http://user@127.0.0.1/messages".to_owned()));
        assert_eq!(announced("http://127.0.0.1/m"), Ok("http://127.0.0.1/m".to_owned()));
        for foreign in [
            "http://127.0.0.1:81/m",
            "https://127.0.0.1/m",
            "//evil.example/m",
            "http://localhost/m",
            "file:///m",
            "http://[",
        ] {
            let message = announced(foreign).unwrap_err();
            assert!(message.contains("place for messages") && !message.contains("hidden"), "{message}");
        }
    }
}
