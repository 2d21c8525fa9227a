//! Event streams over HTTP: the one that answers a request, and the one on which the server speaks unasked.
//!
//! A stream that breaks after an event id is resumed with `Last-Event-ID`, after the delay the server asked for; how
//! often is bounded, and the caller's deadline bounds all of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode};
use tokio::sync::oneshot;

use super::exchange::{Exchange, Sending};
use super::headers::{Kind, kind};
use super::incoming::Incoming;
use super::line::Stop;
use super::revision::Era;
use super::stream::{LONGEST_ID, Next, Reading};
use crate::display;
use crate::net::sse::SseEvent;
use crate::transcript::{Fault, Side};

/// Reconnections without a new event before a stream is given up.
const RECONNECTIONS: u32 = 10;
/// Reconnections in all: a server that closes every stream after one event, without a delay, is not followed for ever.
const RECONNECTIONS_IN_ALL: u32 = 200;
/// Delay before a reconnection when the server names none.
const DELAY_MS: u64 = 1_000;
/// Longest delay that is honoured.
const LONGEST_DELAY_MS: u64 = 30_000;
/// How long a stream may stay open after its answer, so that its connection can be used again.
const TAIL: Duration = Duration::from_secs(1);

/// Where a stream stands.
struct Place {
    last_event: Option<HeaderValue>,
    delay_ms: u64,
    fruitless: u32,
    in_all: u32,
}

/// How reading a stream ended.
enum Ended {
    /// The answer that was waited for has been delivered.
    Answered,
    /// The server closed it, or the connection broke: `why`.
    Closed { why: Option<String> },
}

impl Exchange {
    /// Reads the stream that answers request `id`. Where it breaks it is resumed, if the era knows that.
    pub(super) async fn follow(
        self: &Arc<Self>,
        (id, era): (u64, Era),
        response: Response,
    ) -> Result<(), Stop> {
        let mut place = Place::new();
        let mut reading = Reading::new(response, Some(id), &self.log);
        loop {
            let why = match self.pump(&mut reading, Some(id), &mut place).await? {
                Ended::Answered => {
                    self.let_end(reading, place);
                    return Ok(());
                }
                Ended::Closed { why } => why,
            };
            // What came of an unfinished event is on record before anything else happens.
            drop(reading);
            reading = loop {
                if era == Era::Modern || !place.is_worth_another_try() {
                    return Err(Stop::Lost(ended_early("the answer", why.as_deref())));
                }
                self.pause(&place).await;
                match self.get(place.last_event.as_ref()).await {
                    Ok(response) if !response.status().is_success() => {
                        return Err(not_resumed(self.refused(response).await));
                    }
                    Ok(response) if kind(response.headers()) == Kind::Stream => {
                        break Reading::new(response, Some(id), &self.log);
                    }
                    Ok(response) => drop(Incoming::new(&self.log, &response)),
                    // Another try after the pause.
                    Err(_) => {}
                }
            };
        }
    }

    /// Listens to what the server says unasked, for as long as the session lives. A server need not offer it. `open` is
    /// dropped when the server has answered for the first time.
    pub(super) async fn listen(self: Arc<Self>, open: oneshot::Sender<()>) {
        let mut place = Place::new();
        let mut open = Some(open);
        loop {
            let response = self.get(place.last_event.as_ref()).await;
            drop(open.take());
            let Ok(response) = response else { return };
            if !response.status().is_success() || kind(response.headers()) != Kind::Stream {
                drop(Incoming::new(&self.log, &response));
                if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    // The answer of servers without this stream (2025-11-25, basic/transports); it is the same for all.
                    self.site.mute.store(true, Ordering::Relaxed);
                }
                return;
            }
            let ended = self.pump(&mut Reading::new(response, None, &self.log), None, &mut place).await;
            if ended.is_err() || !place.is_worth_another_try() {
                if place.in_all > RECONNECTIONS_IN_ALL {
                    let message = "the server's own stream ended again and again; it is not opened any more";
                    self.hub.odd(None, message.to_owned());
                }
                return;
            }
            self.pause(&place).await;
        }
    }

    /// Waits as the server has asked. A tape need not be waited for.
    async fn pause(&self, place: &Place) {
        if self.site.hand.is_none() {
            tokio::time::sleep(place.delay()).await;
        }
    }

    async fn get(&self, last_event: Option<&HeaderValue>) -> Result<Response, Fault> {
        self.send_fresh(Sending { last_event, ..Sending::bare(Method::GET, &self.site.url) }).await
    }

    async fn pump(
        self: &Arc<Self>,
        reading: &mut Reading,
        id: Option<u64>,
        place: &mut Place,
    ) -> Result<Ended, Fault> {
        loop {
            let events = match reading.next().await? {
                Next::Events(events) => events,
                Next::Closed { why } => return Ok(Ended::Closed { why }),
            };
            for event in events {
                if !place.reach(&event) {
                    self.hub.odd(id, "an event id that cannot be sent back in a header".to_owned());
                }
                let kind = event.kind.clone();
                if let Some(arrived) = reading.message(event) {
                    match kind.as_str() {
                        "" | "message" => self.receive(&self.site.url, arrived),
                        _ => self.hub.set_aside(arrived, foreign(&kind)),
                    }
                }
            }
            if id.is_some_and(|id| !self.hub.is_waiting(id)) {
                return Ok(Ended::Answered);
            }
        }
    }

    /// Reads an answered stream to its end, in the background, so that its connection can be used again.
    fn let_end(self: &Arc<Self>, mut reading: Reading, mut place: Place) {
        // The end usually came with the answer.
        if self.pump(&mut reading, None, &mut place).now_or_never().is_some() {
            return;
        }
        let exchange = Arc::clone(self);
        tokio::spawn(async move {
            let ending = tokio::time::timeout(TAIL, exchange.pump(&mut reading, None, &mut place));
            let _ = exchange.stop.run_until_cancelled(ending).await;
        });
    }
}

impl Place {
    fn new() -> Self {
        Self { last_event: None, delay_ms: DELAY_MS, fruitless: 0, in_all: 0 }
    }

    /// Moves on. `false` for an id that no header can hold, after which the stream cannot be resumed.
    fn reach(&mut self, event: &SseEvent) -> bool {
        self.fruitless = 0;
        self.delay_ms = event.retry_ms.unwrap_or(self.delay_ms);
        let Some(id) = &event.id else { return true };
        // An empty id takes the last one back (HTML standard, server-sent events).
        let usable = Some(id).filter(|id| !id.is_empty() && id.len() <= LONGEST_ID);
        self.last_event = usable.and_then(|id| HeaderValue::from_str(id).ok());
        id.is_empty() || self.last_event.is_some()
    }

    fn is_worth_another_try(&mut self) -> bool {
        self.fruitless += 1;
        self.in_all += 1;
        self.last_event.is_some() && self.fruitless <= RECONNECTIONS && self.in_all <= RECONNECTIONS_IN_ALL
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.min(LONGEST_DELAY_MS))
    }
}

/// Official clients read events of the type `message` only.
pub(super) fn foreign(kind: &str) -> String {
    format!("an event of type `{}`, which clients do not read as a message", display::excerpt(kind, 40))
}

/// A stream that ended before what was waited for.
pub(super) fn ended_early(before: &str, why: Option<&str>) -> Fault {
    let message = format!("the event stream ended before {before}");
    match why {
        Some(why) => {
            let message = format!("{message}: {}", display::safe_line(why));
            Fault::new(Side::Server, "target.unreachable", message).retryable()
        }
        None => Fault::new(Side::Server, "target.protocol", message),
    }
}

/// A stream that broke and may not be resumed; a refused identity stays one.
fn not_resumed(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(refusal) if !matches!(refusal.status, Some(401 | 403)) => {
            let status = refusal.status.unwrap_or_default();
            let message = format!(
                "the event stream ended before the answer, and resuming it was refused with HTTP {status}"
            );
            Fault::new(Side::Server, "target.protocol", message).into()
        }
        other => other,
    }
}
