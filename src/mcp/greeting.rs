//! A handshake that can be done again when the server has lost the session: after a restart, or when it forgot.
//!
//! A connection does this once. A server that loses its sessions again and again is not worth the calls.

use tokio::sync::oneshot;

use super::hub::{Hub, Reply, Ticket};
use super::jsonrpc;
use super::line::{Letter, Stop};
use super::revision::{Era, Revision};
use crate::transcript::{Fault, Recorder, Side};

/// No seat has this number, so the answer belongs to the connection alone.
const NO_SEAT: u64 = 0;

/// The last request before the handshake was settled, which is `initialize`.
#[derive(Default)]
pub(super) struct Greeting {
    text: Option<String>,
}

/// A handshake under way for the second time.
pub(super) struct Anew {
    /// `initialize`, as it was, under a fresh id.
    pub letter: Letter,
    ticket: Ticket,
}

impl Greeting {
    /// Keeps a request that may turn out to be the handshake.
    pub(super) fn keep(&mut self, text: &str) {
        self.text = Some(text.to_owned());
    }

    /// The handshake to send again; `None` when it was sent again before, or never was.
    pub(super) fn anew(&mut self, hub: &std::sync::Arc<Hub>, log: &Recorder) -> Option<Anew> {
        let text = self.text.take()?;
        let ticket = hub.expect(NO_SEAT, log).ok()?;
        let text = jsonrpc::with_id(&text, ticket.id)?;
        let letter = Letter { id: ticket.id, text, headers: vec![], era: Era::Legacy };
        Some(Anew { letter, ticket })
    }
}

impl Anew {
    /// Waits for the answer, which must settle on the same revision, and gives the notification that ends the handshake.
    pub(super) async fn settled(
        mut self,
        before: Option<&'static Revision>,
        hub: &Hub,
        reason: &str,
    ) -> Result<String, Stop> {
        let reply: Result<Result<Reply, Fault>, oneshot::error::RecvError> = (&mut self.ticket.done).await;
        let revision = match reply {
            Ok(Ok(Reply { outcome: Ok(result), .. })) => {
                result.get("protocolVersion").and_then(serde_json::Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        if revision.as_deref() != before.map(|before| before.name) {
            let message = format!("{reason}, and would not begin one like it");
            return Err(Fault::new(Side::Server, "target.session-lost", message).into());
        }
        hub.odd(None, format!("{reason}; a new one was begun"));
        Ok(jsonrpc::notification("notifications/initialized", None::<()>))
    }
}
