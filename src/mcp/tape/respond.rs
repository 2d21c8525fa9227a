//! Recorded HTTP responses, played to the client's own HTTP transports.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use reqwest::{Body, Response};

use super::frame::{self, Standing};
use super::hand::{Hand, Turned};
use super::message::{Kind, Said};
use crate::transcript::{Body as Text, Fault, Recorder, Side, What, WireMessage};

impl Hand {
    /// The response to a request that would go this way, with these headers; recorded as if it had left.
    pub(in crate::mcp) async fn respond(
        self: &Arc<Self>,
        via: String,
        headers: Vec<(String, String)>,
        text: Option<&str>,
        log: &Recorder,
    ) -> Result<Response, Fault> {
        let body = text.unwrap_or_default();
        let said = Said::of(&via, body).with(&headers);
        let sent = |headers| {
            let body = Text::Text(body.to_owned());
            log.note(What::Wire(WireMessage::Sent { via: via.clone(), headers, body }));
        };
        let turned = match self.claim(&said, body) {
            Ok(Some(turned)) => turned,
            // Nobody waits for more than a receipt.
            Ok(None) => {
                sent(headers);
                return response(202, &[], Body::default());
            }
            Err(fault) => {
                if !matches!(said.kind, Kind::Bare) {
                    sent(headers);
                }
                return Err(fault);
            }
        };
        self.due_to_resume(turned).await;
        self.settled_before(turned).await;
        self.tell_beside(turned, log);
        sent(self.track_of(turned).headers(self.turn(turned)));
        self.has_left(turned);
        self.come(turned).await
    }

    /// What came of a turn, as a response.
    async fn come(self: &Arc<Self>, turned: Turned) -> Result<Response, Fault> {
        let turn = self.turn(turned);
        let first = turn.received.first().copied();
        let Some((first, head)) =
            first.and_then(|first| Some((first, self.track_of(turned).received(first)?)))
        else {
            if self.cut_off(turned) {
                let message = "resuming a stream was not answered when this was recorded";
                return Err(Fault::new(Side::Server, "target.unreachable", message).retryable());
            }
            if turn.is_open_end() {
                // It was never answered, and nobody gave it up.
                return std::future::pending().await;
            }
            let fault = self.unanswered(turned);
            if turn.resumes.is_some() {
                self.break_off(fault.clone());
            }
            return Err(fault);
        };
        let status = head.status.unwrap_or(200);
        if head.via != "sse" {
            let given_up = GivenUp { hand: Arc::clone(self), turned };
            // Where answers come on the server's own stream, the response is a receipt. Each waits for its turn.
            self.post(turned, turn.received.get(1..).unwrap_or_default());
            self.ready(turned, first).await;
            if let Some(fault) = self.broken() {
                return Err(fault);
            }
            self.done(turned, first);
            std::mem::forget(given_up);
            self.cut_off(turned);
            return response(status, head.headers, Body::from(self.text(turned, first)));
        }
        let stream = if turn.said.method == "GET" && turn.is_open_end() {
            self.post(turned, &turn.received);
            Body::wrap_stream(own(Arc::clone(self), turned))
        } else {
            Body::wrap_stream(answering(Arc::clone(self), turned))
        };
        response(status, head.headers, stream)
    }

    /// What stands at a place of a stream, as an event.
    fn event(&self, turned: Turned, place: usize) -> Bytes {
        let (track, turn) = (self.track_of(turned), self.turn(turned));
        let Some(received) = track.received(place) else { return Bytes::new() };
        let is_last = turn.received.last() == Some(&place);
        let next = turn.goes_on.and_then(|next| track.turns.get(next)).filter(|_| is_last);
        let after = next.and_then(|next| next.said.about.as_deref());
        let after = after.filter(|after| turn.reached.as_deref() != Some(after));
        // Where the response was a receipt, the answer comes on the stream on which the server speaks unasked.
        let is_open_end = turn.is_open_end() || !turn.streams;
        let is_last = is_last && (!is_open_end || next.is_some());
        let standing = Standing { is_last, is_open_end, after };
        frame::event(&received, &self.text(turned, place), standing)
    }
}

/// What is not played any more holds nothing up.
struct GivenUp {
    hand: Arc<Hand>,
    turned: Turned,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.hand.give_up(self.turned);
    }
}

/// The stream that answers a request.
fn answering(hand: Arc<Hand>, turned: Turned) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let given_up = GivenUp { hand, turned };
    stream::unfold((given_up, 0, None::<usize>), move |(given_up, next, last)| async move {
        let hand = &given_up.hand;
        // What was handed out last has been taken in by now.
        if let Some(last) = last {
            hand.done(turned, last);
        }
        let turn = hand.turn(turned);
        let Some(&place) = turn.received.get(next) else {
            if hand.cut_off(turned) {
                return None;
            }
            if turn.is_open_end() {
                std::future::pending::<()>().await;
            }
            if !hand.is_answered(turned) {
                let fault = hand.unanswered(turned);
                hand.break_off(fault);
            }
            return None;
        };
        hand.ready(turned, place).await;
        if hand.broken().is_some() {
            return Some((Err(io::Error::other("the tape ends here")), (given_up, usize::MAX, None)));
        }
        let event = hand.event(turned, place);
        Some((Ok(event), (given_up, next + 1, Some(place))))
    })
}

/// The stream on which the server speaks unasked, and where HTTP+SSE has its answers.
fn own(hand: Arc<Hand>, opened: Turned) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold((hand, None::<(Turned, usize)>), move |(hand, last)| async move {
        if let Some((turned, place)) = last {
            hand.done(turned, place);
            let ends = turned == opened && hand.turn(opened).received.last() == Some(&place);
            if ends && hand.cut_off(opened) {
                return None;
            }
        }
        let (turned, place) = hand.next_mail().await;
        let event = hand.event(turned, place);
        Some((Ok(event), (hand, Some((turned, place)))))
    })
}

fn response(status: u16, headers: &[(String, String)], body: Body) -> Result<Response, Fault> {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(body).map_err(|error| {
        Fault::new(Side::Harness, "tape.broken", format!("a recorded response cannot be played: {error}"))
    })?;
    Ok(Response::from(built))
}
