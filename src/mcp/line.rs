//! One session's place on a connection: requests with deadlines, progress and cancellation.
//!
//! A [`Carrier`] moves texts and the [`Hub`] matches answers; this file decides how long to wait, and tells the server
//! when an answer is no longer wanted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep_until, timeout};

use super::host::Host;
use super::hub::{Hub, Reply, Ticket};
use super::labels::Id;
use super::process::Vitals;
use super::profile::{ConnectStep, Quirk};
use super::refusal::words;
use super::request::{Request, Voice};
use super::revision::{Era, Revision};
use super::terms::Terms;
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

    /// The handshake settled on a revision. Not called where there is no handshake.
    fn settle(&self, revision: &'static Revision);

    /// Whether each request has an exchange of its own, whose end the server notices: over HTTP. Elsewhere headers are
    /// not seen, and a request is cancelled by a message.
    fn exchanges(&self) -> bool {
        true
    }

    /// The handshake is over: listens for what the server says unasked, in the background. The future ends when the
    /// server can speak, or has shown that it does not; what it says before that is lost.
    fn listen(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Makes requests besides the messages, where that is possible: over HTTP.
    fn knock<'a>(&'a self, _: ConnectStep, _: &'a Terms) -> BoxFuture<'a, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The server's process, if we started it.
    fn vitals(&self) -> Option<Vitals>;

    /// The URL, as it may be shown; none over standard streams.
    fn place(&self) -> Option<String> {
        None
    }

    /// How long the server asks to be left alone, if it said so with its last refusal. Told once.
    fn asked_to_wait(&self) -> Option<Duration> {
        None
    }

    /// Starts a server that has died again, if nothing died with it; whether it is there.
    fn revive(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

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
    /// Before 2026-07-28 an answer may open a session, and its stream can be resumed.
    pub era: Era,
}

/// Why a request ended without a JSON-RPC answer.
#[derive(Debug)]
pub(super) enum Stop {
    /// The session or the server broke.
    Fault(Fault),
    /// An HTTP status refused it.
    Refused(Refusal),
    /// An HTTP status came without anything that tells what it means: a success that is no answer, or a failure of the
    /// server that is no error object.
    Blank {
        /// The status.
        status: u16,
        /// What that is, if an answer was needed.
        fault: Fault,
        /// What the body looks like, in words.
        looks: String,
    },
    /// The request has left and its exchange broke before the answer.
    Lost(Fault),
}

impl Stop {
    /// A status without an answer.
    pub(super) fn blank(status: u16, fault: Fault, body: &str) -> Self {
        Self::Blank { status, fault, looks: super::status::looks(body) }
    }
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
    pub(super) host: Arc<dyn Host>,
    voice: RwLock<Option<Arc<Voice>>>,
    quirks: OnceLock<BTreeSet<Quirk>>,
    seat: u64,
    /// The server's process, and how much of its stderr is already in the record, or came before the session began.
    stderr: Mutex<Option<(Vitals, u64)>>,
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
    id: Id,
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
                cancelled(&self.id, "no longer wanted"),
            );
            runtime.spawn(async move { timeout(PARTING, carrier.tell(text, &log)).await });
        }
    }
}

impl Line {
    /// Takes a seat on a connection.
    pub(super) fn new(hub: Arc<Hub>, carrier: Arc<dyn Carrier>, log: Recorder, host: Arc<dyn Host>) -> Self {
        let seat = hub.join(log.clone(), Arc::clone(&host));
        let stderr = Mutex::new(carrier.vitals().map(|vitals| {
            let mark = vitals.stderr().mark();
            (vitals, mark)
        }));
        Self { hub, carrier, log, host, voice: RwLock::default(), quirks: OnceLock::new(), seat, stderr }
    }

    /// The process was started for this session: what it said before now belongs here, too.
    #[must_use]
    pub(super) fn since_its_start(mut self) -> Self {
        self.stderr = Mutex::default();
        self
    }

    /// From now on every request says who asks, as 2026-07-28 wants it; `None` for the revisions before.
    pub(super) fn speak(&self, voice: Option<Voice>) {
        *self.voice.write().unwrap_or_else(PoisonError::into_inner) = voice.map(Arc::new);
    }

    /// Shows the oddities of an emulated client. Said once, before the first request.
    pub(super) fn show(&self, quirks: &BTreeSet<Quirk>) {
        let _ = self.quirks.set(quirks.clone());
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.get().is_some_and(|quirks| quirks.contains(&quirk))
    }

    /// How requests introduce themselves; `None` before 2026-07-28.
    pub(super) fn voice(&self) -> Option<Arc<Voice>> {
        self.voice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request and tells what came of it.
    pub(super) async fn hear<P: Serialize>(&self, request: &Request<'_, P>, patience: Patience) -> Heard {
        self.hear_as(None, request, patience).await
    }

    /// The same for a request whose id may be a text.
    pub(super) async fn hear_as<P: Serialize>(
        &self,
        label: Option<&str>,
        request: &Request<'_, P>,
        patience: Patience,
    ) -> Heard {
        match self.reserve(label).await {
            Ok(ticket) => self.hear_with(ticket, request, patience).await,
            Err(fault) => Heard::Stopped(Stop::Fault(fault)),
        }
    }

    /// An id for a request: the next number, or a text. Fails when the connection is dead, and stays so.
    pub(super) async fn reserve(&self, label: Option<&str>) -> Result<Ticket, Fault> {
        let expect = || match label {
            None => self.hub.expect(self.seat, &self.log),
            Some(label) => self.hub.expect_labelled(label, self.seat, &self.log),
        };
        match expect() {
            Err(_) if self.carrier.revive().await => expect(),
            reserved => reserved,
        }
    }

    /// Whether the server has said that its tools changed, since this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.hub.take_changed(self.seat)
    }

    /// The server has said so elsewhere.
    pub(super) fn mark_changed(&self) {
        self.hub.mark_changed(self.seat);
    }

    /// The same as [`Self::hear`] for a request whose id is known beforehand.
    pub(super) async fn hear_with<P: Serialize>(
        &self,
        ticket: Ticket,
        request: &Request<'_, P>,
        patience: Patience,
    ) -> Heard {
        let voice = self.voice();
        let id = Id { number: ticket.id, label: ticket.label.clone() };
        let mut letter = request.letter(&id, voice.as_deref());
        if letter.era == Era::Legacy && self.has(Quirk::MethodHeaderInLegacy) {
            letter.headers.push(("mcp-method".to_owned(), request.method.to_owned()));
        }
        // The opening must not be cancelled (2025-11-25, basic/utilities/cancellation), and where every request has its
        // own exchange, its end says it (2026-07-28, basic/transports/streamable-http).
        let opens = matches!(request.method, "initialize" | "server/discover");
        let by_message = letter.era == Era::Legacy || !self.carrier.exchanges();
        let mut pledge = Pledge { ticket, id: id.clone(), line: self, armed: !opens && by_message };
        let heard = self.wait(&mut pledge.ticket, letter, patience).await;
        let cancel = std::mem::take(&mut pledge.armed) && matches!(heard, Heard::TooLong);
        drop(pledge);
        let odd = !opens && by_message && self.has(Quirk::CancelsAnswered) && heard.is_answer();
        if cancel || odd {
            let reason = if odd { "done" } else { "timed out" };
            // Whether it arrives changes nothing for us.
            let _ = timeout(PARTING, self.carrier.tell(cancelled(&id, reason), &self.log)).await;
        }
        heard
    }

    /// The fault of a request that got no answer.
    pub(super) async fn fault(&self, heard: Heard, method: &str, patience: Patience) -> Fault {
        match heard {
            Heard::Stopped(Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. }) => {
                self.broke(self.explained(fault).await)
            }
            Heard::Stopped(Stop::Refused(refusal)) => self.broke(Fault::new(
                Side::Server,
                "target.protocol",
                format!("the server refused `{method}`: {}", words(&refusal)),
            )),
            Heard::Answered(_) | Heard::TooLong => self.broke(late(method, patience.quiet)),
        }
    }

    async fn wait(&self, ticket: &mut Ticket, letter: Letter, patience: Patience) -> Heard {
        let mut carrying = self.carrier.ask(letter, &self.log);
        let mut carried = false;
        let begun = Instant::now();
        let hard = begun + patience.whole;
        let mut deadline = begun + patience.quiet;
        loop {
            tokio::select! {
                biased;
                reply = &mut ticket.done => return match reply {
                    Ok(Ok(reply)) => Heard::Answered(reply),
                    Ok(Err(fault)) => Heard::Stopped(Stop::Fault(fault)),
                    // The hub drops a sender only together with the ticket.
                    Err(_) => Heard::TooLong,
                },
                end = &mut carrying, if !carried => match end {
                    Ok(()) => carried = true,
                    Err(stop) => return Heard::Stopped(stop),
                },
                () = sleep_until(deadline) => return Heard::TooLong,
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
        let Some(now) = self.carrier.vitals() else { return };
        let mut known = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = now.stderr().mark();
        let text = match &*known {
            Some((vitals, noted)) if vitals.is(&now) => now.stderr().since(*noted),
            // It was started again: the last words of the one, then the first of the other.
            Some((vitals, noted)) => vitals.stderr().since(*noted) + &now.stderr().since(0),
            None => now.stderr().since(0),
        };
        *known = Some((now, mark));
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

/// What came of a request.
#[derive(Debug)]
pub(super) enum Heard {
    /// An answer to it.
    Answered(Reply),
    /// None, and none will come.
    Stopped(Stop),
    /// None in time.
    TooLong,
}

impl Heard {
    fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(_))
    }
}

fn cancelled(id: &Id, reason: &str) -> String {
    jsonrpc::notification("notifications/cancelled", Some(json!({"requestId": id, "reason": reason})))
}

pub(super) fn late(method: &str, limit: Duration) -> Fault {
    let limit = crate::units::Period(limit);
    Fault::new(Side::Server, LATE, format!("no answer to `{method}` within {limit}"))
}
