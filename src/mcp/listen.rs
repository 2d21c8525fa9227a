//! Event streams over HTTP: the one that answers a request, and the one on which the server speaks unasked.
//!
//! A stream that breaks after an event id is resumed with `Last-Event-ID`, after the delay the server asked for; how
//! often is bounded, and the caller's deadline bounds all of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use reqwest::{Method, Response, StatusCode};

use super::headers::{Kind, kind, masked_map};
use super::http::{Exchange, Sending, note_received};
use super::hub::Arrived;
use super::line::Stop;
use super::revision::Era;
use super::sse::{Decoder, SseEvent};
use crate::transcript::{Fault, Side};
use crate::{display, net};

/// Reconnections without a new event before a stream is given up.
const RECONNECTIONS: u32 = 10;
/// Delay before a reconnection when the server names none.
const DELAY_MS: u64 = 1_000;
/// Longest delay that is honoured.
const LONGEST_DELAY_MS: u64 = 30_000;
/// How long a stream may stay open after its answer, so that its connection can be used again.
const TAIL: Duration = Duration::from_secs(1);

/// Where a stream stands.
struct Place {
    last_event: Option<String>,
    delay_ms: u64,
    fruitless: u32,
}

/// A stream being read.
struct Reading {
    response: Response,
    decoder: Decoder,
    /// Status and headers, until the first message is recorded with them.
    first: Option<(u16, Vec<(String, String)>)>,
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
        let mut reading = Reading::new(response);
        loop {
            let why = match self.pump(&mut reading, Some(id), &mut place).await? {
                Ended::Answered => {
                    self.let_end(reading, place);
                    return Ok(());
                }
                Ended::Closed { why } => why,
            };
            reading = loop {
                place.fruitless += 1;
                if era == Era::Modern || place.last_event.is_none() || place.fruitless > RECONNECTIONS {
                    return Err(Stop::Lost(ended_early(why.as_deref())));
                }
                place.pause().await;
                match self.get(place.last_event.as_deref()).await {
                    Ok(response) if !response.status().is_success() => {
                        return Err(self.refused(response).await);
                    }
                    Ok(response) if kind(response.headers()) == Kind::Stream => break Reading::new(response),
                    Ok(response) => self.note_empty(&response),
                    // Another try after the pause.
                    Err(_) => {}
                }
            };
        }
    }

    /// Listens to what the server says unasked, for as long as the session lives. A server need not offer it.
    pub(super) async fn listen(self: Arc<Self>) {
        let mut place = Place::new();
        loop {
            let Ok(response) = self.get(place.last_event.as_deref()).await else { return };
            if !response.status().is_success() || kind(response.headers()) != Kind::Stream {
                self.note_empty(&response);
                if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    // The answer of servers without this stream (2025-11-25, basic/transports); it is the same for all.
                    self.site.mute.store(true, Ordering::Relaxed);
                }
                return;
            }
            let ended = self.pump(&mut Reading::new(response), None, &mut place).await;
            place.fruitless += 1;
            if ended.is_err() || place.last_event.is_none() || place.fruitless > RECONNECTIONS {
                return;
            }
            place.pause().await;
        }
    }

    async fn get(&self, last_event: Option<&str>) -> Result<Response, Fault> {
        self.send_fresh(Sending { method: Method::GET, body: None, last_event, mirrored: &[] }).await
    }

    fn note_empty(&self, response: &Response) {
        let status = response.status().as_u16();
        note_received(&self.log, "empty", status, masked_map(response.headers()), String::new());
    }

    async fn pump(
        self: &Arc<Self>,
        reading: &mut Reading,
        id: Option<u64>,
        place: &mut Place,
    ) -> Result<Ended, Fault> {
        let ended = loop {
            let chunk = match reading.response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break Ended::Closed { why: None },
                Err(error) => break Ended::Closed { why: Some(net::describe(&error)) },
            };
            for event in reading.decoder.push(&chunk).map_err(|_| too_large())? {
                place.reach(&event);
                let first = reading.first.take();
                let (status, headers) =
                    first.map_or((None, vec![]), |(status, headers)| (Some(status), headers));
                if !event.data.is_empty() {
                    let arrived = Arrived { via: "sse", status, headers, text: event.data, owner: id };
                    self.answer_all(self.hub.deliver(arrived));
                } else if let Some(status) = status {
                    // It only sets the place to resume at.
                    note_received(&self.log, "sse", status, headers, String::new());
                }
            }
            if id.is_some_and(|id| !self.hub.is_waiting(id)) {
                return Ok(Ended::Answered);
            }
        };
        if let Some((status, headers)) = reading.first.take() {
            note_received(&self.log, "sse", status, headers, String::new());
        }
        Ok(ended)
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

impl Reading {
    fn new(response: Response) -> Self {
        let first = Some((response.status().as_u16(), masked_map(response.headers())));
        Self { response, decoder: Decoder::default(), first }
    }
}

impl Place {
    fn new() -> Self {
        Self { last_event: None, delay_ms: DELAY_MS, fruitless: 0 }
    }

    fn reach(&mut self, event: &SseEvent) {
        self.fruitless = 0;
        self.delay_ms = event.retry_ms.unwrap_or(self.delay_ms);
        if event.id.is_some() {
            self.last_event.clone_from(&event.id);
        }
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(self.delay_ms.min(LONGEST_DELAY_MS))).await;
    }
}

fn ended_early(why: Option<&str>) -> Fault {
    let message = "the event stream ended before the answer";
    match why {
        Some(why) => {
            let message = format!("{message}: {}", display::safe_line(why));
            Fault::new(Side::Server, "target.unreachable", message).retryable()
        }
        None => Fault::new(Side::Server, "target.protocol", message),
    }
}

fn too_large() -> Fault {
    let message =
        format!("an event of the server's stream is larger than {} MiB", super::sse::EVENT_CAP >> 20);
    Fault::new(Side::Server, "target.too-large", message)
}
