//! The body of a response while it comes in. Whatever ends it, also a deadline, what came is in the record.

use bytes::BytesMut;
use reqwest::Response;

use super::headers::masked_map;
use super::hub::Arrived;
use crate::transcript::{Body, Fault, Frame, Recorder, Side, What, WireMessage};
use crate::{display, net};

/// How much is kept of what is too large to be read: its first 16 KiB.
pub(super) const KEPT: usize = 16 * 1024;

/// A body that is being read. Dropped, it is recorded as far as it came.
pub(super) struct Incoming<'a> {
    log: &'a Recorder,
    status: u16,
    headers: Vec<(String, String)>,
    body: BytesMut,
    noted: bool,
}

impl<'a> Incoming<'a> {
    /// Nothing but the head of a response so far.
    pub(super) fn new(log: &'a Recorder, response: &Response) -> Self {
        let (status, headers) = (response.status().as_u16(), masked_map(response.headers()));
        Self { log, status, headers, body: BytesMut::new(), noted: false }
    }

    /// Reads up to `cap` bytes.
    pub(super) async fn read(&mut self, response: Response, cap: usize) -> Result<(), Fault> {
        let read = net::read_into(response, &mut self.body, cap).await;
        read.map_err(|error| match error {
            net::BodyError::TooLarge(cap) => {
                self.body.truncate(KEPT);
                let message = format!("an answer of the server is larger than {} MiB", cap >> 20);
                Fault::new(Side::Server, "target.too-large", message)
            }
            net::BodyError::Broken(why) => {
                let message = format!("the server's answer broke off: {}", display::safe_line(&why));
                Fault::new(Side::Server, "target.unreachable", message).retryable()
            }
        })
    }

    /// What came, with replacement characters where it is not UTF-8.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What came, to be recorded by the hub, on the exchange of request `owner`.
    pub(super) fn arrived(mut self, owner: u64) -> Arrived {
        self.noted = true;
        let (status, headers) = (Some(self.status), std::mem::take(&mut self.headers));
        let body = Body::of(std::mem::take(&mut self.body).into());
        Arrived { via: "json", status, headers, frame: None, body, owner: Some(owner) }
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.noted {
            let via = if self.body.is_empty() { "empty" } else { "json" };
            let (headers, body) = (std::mem::take(&mut self.headers), std::mem::take(&mut self.body));
            note_received(self.log, via, Some((self.status, headers)), (None, None), Body::of(body.into()));
        }
    }
}

/// Records what came, with status and headers if it is the first of a response, and for what comes in a stream with the
/// fields of its event and the request that the stream answers.
pub(super) fn note_received(
    log: &Recorder,
    via: &str,
    head: Option<(u16, Vec<(String, String)>)>,
    (frame, of): (Option<Frame>, Option<u64>),
    body: Body,
) {
    let (status, headers) = head.map_or((None, vec![]), |(status, headers)| (Some(status), headers));
    log.note(What::Wire(WireMessage::Received { via: via.to_owned(), status, headers, frame, of, body }));
}
