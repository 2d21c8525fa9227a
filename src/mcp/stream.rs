//! An event stream while it is read. Whatever ends it, what came of an unfinished event is in the record.

use reqwest::Response;

use super::headers::masked_map;
use super::hub::Arrived;
use super::incoming::{KEPT, note_received};
use crate::net;
use crate::net::sse::{Decoder, SseEvent};
use crate::transcript::{Body, Fault, Frame, Recorder, Side};

/// Longest event id that is sent back, in bytes.
pub(super) const LONGEST_ID: usize = 1024;
/// Characters of an event's type that are recorded.
const LONGEST_KIND: usize = 100;

/// A stream being read.
pub(super) struct Reading {
    response: Response,
    decoder: Decoder,
    log: Recorder,
    /// The request that the stream answers.
    owner: Option<u64>,
    /// Status and headers, until the first message is recorded with them.
    head: Option<(u16, Vec<(String, String)>)>,
}

/// What came next.
pub(super) enum Next {
    /// Events; none when a chunk completed none.
    Events(Vec<SseEvent>),
    /// The end: the server closed it, or the connection broke: `why`.
    Closed { why: Option<String> },
}

impl Reading {
    /// Begins to read the stream that answers request `owner`, or one of the server's own.
    pub(super) fn new(response: Response, owner: Option<u64>, log: &Recorder) -> Self {
        let head = Some((response.status().as_u16(), masked_map(response.headers())));
        Self { response, decoder: Decoder::default(), log: log.clone(), owner, head }
    }

    /// Waits for the next chunk.
    pub(super) async fn next(&mut self) -> Result<Next, Fault> {
        match self.response.chunk().await {
            Ok(Some(chunk)) => self.decoder.push(&chunk).map(Next::Events).map_err(|_| too_large()),
            Ok(None) => Ok(Next::Closed { why: None }),
            Err(error) => Ok(Next::Closed { why: Some(net::describe(&error)) }),
        }
    }

    /// An event as a message; `None`, and recorded, where it has no data.
    pub(super) fn message(&mut self, event: SseEvent) -> Option<Arrived> {
        let frame = Some(frame(&event));
        if event.data.is_empty() {
            // It only sets the place to resume at.
            if self.head.is_some() {
                self.note(frame, Body::Text(String::new()));
            }
            return None;
        }
        let (status, headers) =
            self.head.take().map_or((None, vec![]), |(status, headers)| (Some(status), headers));
        Some(Arrived { via: "sse", status, headers, frame, body: Body::of(event.data), owner: self.owner })
    }

    /// Records what is for nobody else.
    pub(super) fn note(&mut self, frame: Option<Frame>, body: Body) {
        note_received(&self.log, "sse", self.head.take(), (frame, self.owner), body);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut rest = self.decoder.rest();
        if self.head.is_some() || !rest.is_empty() {
            rest.truncate(KEPT);
            self.note(None, Body::of(rest));
        }
    }
}

/// The fields of an event as they are recorded. Of an id that is longer than any that is sent back, so much is kept that
/// it still is.
pub(super) fn frame(event: &SseEvent) -> Frame {
    let kept = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let id = event.id.as_deref().map(|id| kept(id, LONGEST_ID + 1));
    Frame { kind: kept(&event.kind, LONGEST_KIND), id, retry_ms: event.retry_ms }
}

fn too_large() -> Fault {
    let message =
        format!("an event of the server's stream is larger than {} MiB", crate::net::sse::EVENT_CAP >> 20);
    Fault::new(Side::Server, "target.too-large", message)
}
