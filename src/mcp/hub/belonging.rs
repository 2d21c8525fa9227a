//! To whom a message belongs, and what is still kept of those that nobody asked for.

use std::sync::Arc;

use serde_json::Value;

use super::{KEPT_ODD, KEPT_UNASKED, KEPT_UNASKED_BYTES, Reply, Seat, State, note};
use crate::display;
use crate::mcp::facts;
use crate::mcp::host::Host;
use crate::mcp::jsonrpc::Answer;
use crate::transcript::{Recorder, What};

impl State {
    /// The transcripts a message belongs to: that of its request; else those of the sessions with a request under way;
    /// else those of all sessions.
    pub(super) fn logs(&self, request: Option<u64>) -> Vec<Recorder> {
        if let Some(waiting) = request.and_then(|id| self.waiting.get(&id)) {
            return vec![waiting.log.clone()];
        }
        let any_busy = self.seats.iter().any(|seat| self.is_busy(seat));
        let seats = self.seats.iter().filter(|seat| !any_busy || self.is_busy(seat));
        seats.map(|seat| seat.log.clone()).collect()
    }

    /// The host that is asked: of the session whose request it came on, else of the first that is busy, else of the
    /// first.
    pub(super) fn host(&self, request: Option<u64>) -> Option<Arc<dyn Host>> {
        let owner = request.and_then(|id| self.waiting.get(&id)).map(|waiting| waiting.seat);
        let owner = owner.and_then(|number| self.seats.iter().find(|seat| seat.number == number));
        let seat = owner.or_else(|| self.seats.iter().find(|seat| self.is_busy(seat)));
        seat.or(self.seats.first()).map(|seat| Arc::clone(&seat.host))
    }

    fn is_busy(&self, seat: &Seat) -> bool {
        self.waiting.values().any(|waiting| waiting.seat == seat.number)
    }

    /// Counts a message nobody asked for; whether it is still kept.
    pub(super) fn take_unasked(&mut self, logs: &[Recorder], bytes: usize) -> bool {
        self.unasked += 1;
        self.unasked_bytes = self.unasked_bytes.saturating_add(bytes);
        if self.unasked <= KEPT_UNASKED && self.unasked_bytes <= KEPT_UNASKED_BYTES {
            return true;
        }
        self.note_odd(logs, "a flood of messages nobody asked for; no more of them are recorded".to_owned());
        // From here on every further message would repeat that remark.
        self.odd = self.odd.max(KEPT_ODD);
        false
    }

    /// Takes note of a message of a subscription.
    pub(super) fn subscribed(&mut self, id: u64, method: &str, params: &Value, logs: &[Recorder]) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        if method == "notifications/subscriptions/acknowledged" {
            if let Some(sender) = waiting.acknowledged.take() {
                // Nobody may be waiting for it any more.
                let _ = sender.send(params.clone());
            }
        } else if waiting.acknowledged.is_some() {
            let method = display::excerpt(method, 80);
            self.note_odd(logs, format!("`{method}` came on a subscription before it was acknowledged"));
        }
    }

    pub(super) fn note_odd(&mut self, logs: &[Recorder], message: String) {
        self.odd += 1;
        if self.odd < KEPT_ODD {
            note(logs, &What::ServerOdd { message });
        } else if self.odd == KEPT_ODD {
            note(logs, &What::ServerOdd { message: format!("{message}; no more oddities are recorded") });
        }
    }

    pub(super) fn settle(
        &mut self,
        answer: Answer,
        owner: Option<u64>,
        status: Option<u16>,
        logs: &[Recorder],
    ) {
        let id = facts::adopted(&answer, owner);
        match id.and_then(|id| self.waiting.remove(&id)) {
            Some(waiting) => {
                // The receiver may be gone when its caller gave up in this very moment.
                let Answer { outcome, bytes, opaque, .. } = answer;
                let _ = waiting.done.send(Ok(Reply { outcome, bytes, status, opaque }));
            }
            None => {
                let id = display::excerpt(&answer.raw_id, 80);
                self.note_odd(logs, format!("an answer to a request that is not waiting, id `{id}`"));
            }
        }
    }
}
