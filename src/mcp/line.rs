//! One session's place on a connection: requests with deadlines, progress and cancellation.
//!
//! A [`Carrier`] moves texts and the [`Hub`] matches answers; this file decides how long to wait, and tells the server
//! when an answer is no longer wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use super::host::Host;
use super::hub::{Hub, Reply, Ticket};
use super::process::Vitals;
use super::revision::Revision;
use super::{Refusal, jsonrpc};
use crate::transcript::{Fault, Recorder, Side, What};

/// How long a notification may take to leave.
const PARTING: Duration = Duration::from_secs(1);

/// The code of an answer that does not come in time.
const LATE: &str = "target.timeout";

/// Moves texts to the server. What comes back goes to the hub.
pub(super) trait Carrier: Send + Sync {
    /// Sends a request. Over HTTP the future ends when the answer has been delivered, or cannot come.
    fn ask<'a>(&'a self, letter: Letter, log: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>>;

    /// Sends a notification or an answer.
    fn tell<'a>(&'a self, text: String, log: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>>;

    /// The handshake settled on a revision.
    fn settle(&self, revision: &'static Revision);

    /// The handshake is over: listens for what the server says unasked, in the background.
    fn listen(&self);

    /// The server's process, if we started it.
    fn vitals(&self) -> Option<&Vitals>;

    /// Ends the connection politely.
    fn close<'a>(&'a self, log: &'a Recorder) -> BoxFuture<'a, ()>;
}

/// A request as it leaves.
#[derive(Debug)]
pub(super) struct Letter {
    /// Its id.
    pub id: u64,
    /// The message.
    pub text: String,
    /// HTTP headers that mirror the message (2026-07-28); empty before.
    pub headers: Vec<(String, String)>,
}

/// Why a request ended without a JSON-RPC answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// The session or the server broke.
    Fault(Fault),
    /// An HTTP status refused it.
    Refused(Refusal),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A session's place on a connection.
pub(super) struct Line {
    pub(super) hub: Arc<Hub>,
    pub(super) carrier: Arc<dyn Carrier>,
    pub(super) log: Recorder,
    seat: u64,
    /// How much of the server's stderr is already in the record, or came before the session began.
    stderr_mark: AtomicU64,
}

/// How long to wait for an answer.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Without a sign of progress.
    pub(super) quiet: Duration,
    /// In all.
    pub(super) whole: Duration,
}

impl Patience {
    /// A deadline that progress does not move.
    pub(super) fn strict(limit: Duration) -> Self {
        Self { quiet: limit, whole: limit }
    }
}

/// An unanswered request. Dropped while armed, it tells the server that nobody waits any more.
struct Pledge<'a> {
    ticket: Ticket,
    line: &'a Line,
    armed: bool,
}

impl Drop for Pledge<'_> {
    fn drop(&mut self) {
        if !self.armed || !self.ticket.is_owed() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (carrier, log, text) = (
                Arc::clone(&self.line.carrier),
                self.line.log.clone(),
                cancelled(self.ticket.id, "no longer wanted"),
            );
            runtime.spawn(async move { timeout(PARTING, carrier.tell(text, &log)).await });
        }
    }
}

impl Line {
    /// Takes a seat on a connection.
    pub(super) fn new(hub: Arc<Hub>, carrier: Arc<dyn Carrier>, log: Recorder, host: Arc<dyn Host>) -> Self {
        let seat = hub.join(log.clone(), host);
        let stderr_mark = AtomicU64::new(carrier.vitals().map_or(0, |vitals| vitals.stderr().mark()));
        Self { hub, carrier, log, seat, stderr_mark }
    }

    /// Sends a request and waits. The inner error is an HTTP refusal; a JSON-RPC error is in the reply.
    pub(super) async fn ask<P: Serialize>(
        &self,
        method: &str,
        params: impl FnOnce(u64) -> Option<P>,
        patience: Patience,
    ) -> Result<Result<Reply, Refusal>, Fault> {
        let ticket = self.hub.expect(self.seat, &self.log).map_err(|fault| self.broke(fault))?;
        let id = ticket.id;
        let text = jsonrpc::request(id, method, params(id));
        // The handshake must not be cancelled (2025-11-25, basic/utilities/cancellation).
        let mut pledge = Pledge { ticket, line: self, armed: method != "initialize" };
        let waited = self.wait(&mut pledge.ticket, text, patience).await;
        let cancel = std::mem::take(&mut pledge.armed) && matches!(waited, Waited::TooLong);
        drop(pledge);
        match waited {
            Waited::Answered(reply) => Ok(Ok(reply)),
            Waited::Stopped(Stop::Refused(refusal)) => Ok(Err(refusal)),
            Waited::Stopped(Stop::Fault(fault)) => Err(self.broke(self.explained(fault).await)),
            Waited::TooLong => {
                if cancel {
                    // Whether it arrives changes nothing for us.
                    let _ = timeout(PARTING, self.carrier.tell(cancelled(id, "timed out"), &self.log)).await;
                }
                Err(self.broke(late(method, patience.quiet)))
            }
        }
    }

    async fn wait(&self, ticket: &mut Ticket, text: String, patience: Patience) -> Waited {
        let letter = Letter { id: ticket.id, text, headers: vec![] };
        let mut carrying = self.carrier.ask(letter, &self.log);
        let mut carried = false;
        let begun = Instant::now();
        let hard = begun + patience.whole;
        let mut deadline = begun + patience.quiet;
        loop {
            tokio::select! {
                biased;
                reply = &mut ticket.done => return match reply {
                    Ok(Ok(reply)) => Waited::Answered(reply),
                    Ok(Err(fault)) => Waited::Stopped(Stop::Fault(fault)),
                    // The hub drops a sender only together with the ticket.
                    Err(_) => Waited::TooLong,
                },
                end = &mut carrying, if !carried => match end {
                    Ok(()) => carried = true,
                    Err(stop) => return Waited::Stopped(stop),
                },
                () = sleep_until(deadline) => return Waited::TooLong,
                () = ticket.progress.notified() => deadline = (Instant::now() + patience.quiet).min(hard),
            }
        }
    }

    /// A server of ours that cannot be reached has probably died, and its exit status says more.
    async fn explained(&self, fault: Fault) -> Fault {
        let Some(vitals) = self.carrier.vitals().filter(|_| fault.code == "target.unreachable") else {
            return fault;
        };
        vitals.last_breath().await;
        if vitals.exited().is_some() { vitals.death() } else { fault }
    }

    /// Takes the server's last words into the record before a fault is passed on.
    pub(super) fn broke(&self, mut fault: Fault) -> Fault {
        self.note_stderr();
        if fault.code == LATE {
            fault.message.push_str(&self.hub.stray_words());
        }
        fault.message = self.log.secrets().redact(&fault.message).into_owned();
        fault
    }

    /// Records what the server wrote to its stderr since the last time.
    pub(super) fn note_stderr(&self) {
        let Some(stderr) = self.carrier.vitals().map(Vitals::stderr) else { return };
        let mark = self.stderr_mark.swap(stderr.mark(), Ordering::Relaxed);
        let text = stderr.since(mark);
        if !text.is_empty() {
            self.log.note(What::ServerStderr { text });
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.hub.leave(self.seat);
    }
}

enum Waited {
    Answered(Reply),
    Stopped(Stop),
    TooLong,
}

fn cancelled(id: u64, reason: &str) -> String {
    jsonrpc::notification("notifications/cancelled", Some(json!({"requestId": id, "reason": reason})))
}

pub(super) fn late(method: &str, limit: Duration) -> Fault {
    let limit = crate::units::Period(limit);
    Fault::new(Side::Server, LATE, format!("no answer to `{method}` within {limit}"))
}
