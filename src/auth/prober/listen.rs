//! Streams that stay open while other requests are sent, recorded when they are ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::sending::{Written, not_asked};
use super::{Ask, Credentials, KEPT, Prober};
use crate::auth::answer::messages;
use crate::transcript::{Body, HttpSide};

/// An open stream. It is closed when this is dropped; only [`Listening::end`] puts it on record.
pub struct Listening {
    prober: Prober,
    label: String,
    written: Written,
    begun: u64,
    head: Result<HttpSide, String>,
    heard: Arc<Heard>,
    reading: Option<JoinHandle<()>>,
}

/// What has come so far.
#[derive(Default)]
struct Heard {
    bytes: Mutex<Vec<u8>>,
    more: Notify,
}

impl Prober {
    /// Sends a request and leaves its answer open. Returns when the head of the answer is there, or after five seconds.
    pub async fn listen(&self, ask: Ask<'_>, who: &Credentials) -> Listening {
        let label = ask.label.to_owned();
        let written = self.write(ask, who);
        self.pacer.turn().await;
        let begun = self.log.elapsed_ms();
        let heard = Arc::new(Heard::default());
        let answer = match self.may_ask(&written.url) {
            true => self.head_of(&written).await,
            false => Err(not_asked(&written.url)),
        };
        let (head, reading) = match answer {
            Err(why) => (Err(why), None),
            Ok((head, response)) => (Ok(head), Some(tokio::spawn(read(response, Arc::clone(&heard))))),
        };
        Listening { prober: self.clone(), label, written, begun, head, heard, reading }
    }
}

async fn read(mut response: reqwest::Response, heard: Arc<Heard>) {
    while let Ok(Some(chunk)) = response.chunk().await {
        let full = {
            let mut bytes = heard.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let room = KEPT - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            bytes.len() >= KEPT
        };
        heard.more.notify_one();
        if full {
            break;
        }
    }
}

impl Listening {
    /// The answer as far as it has come, or why there is none.
    pub fn so_far(&self) -> Result<HttpSide, String> {
        let bytes = self.heard.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        self.head.clone().map(|head| HttpSide { body: Body::from_bytes(&bytes), ..head })
    }

    /// Waits until the messages so far satisfy `wanted`, the stream ends, or the time is over. Whether they do.
    pub async fn until(&self, wanted: impl Fn(&[Value]) -> bool, limit: Duration) -> bool {
        let holds = || self.so_far().is_ok_and(|side| wanted(&messages(&side)));
        let waiting = async {
            while !holds() && self.reading.as_ref().is_some_and(|reading| !reading.is_finished()) {
                // The end of the stream gives no notice.
                let _ = tokio::time::timeout(Duration::from_millis(50), self.heard.more.notified()).await;
            }
        };
        // Whatever the reason to stop, what has come decides.
        let _ = tokio::time::timeout(limit, waiting).await;
        holds()
    }

    /// Closes the stream and records it with everything that came. The record is redacted; the returned answer is not.
    pub fn end(self) -> Result<HttpSide, String> {
        let response = self.so_far();
        if let Some(reading) = &self.reading {
            reading.abort();
        }
        let took_ms = self.prober.log.elapsed_ms().saturating_sub(self.begun);
        self.prober.noted(&self.label, self.written.side(), response, took_ms)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}
