//! Where messages from the server arrive: they are recorded, matched with the requests that wait, or answered.
//!
//! One hub per connection. Several sessions may sit on one connection (a shared stdio process); each message is
//! recorded in the transcript of the session it belongs to. Nothing here waits or touches a socket.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};

use super::facts;
use super::host::Host;
use super::jsonrpc::{self, Message, RpcError};
use super::labels::{Id, Labels};
use super::repeats::Repeats;
use crate::display;
use crate::transcript::{Body, Fault, Frame, Recorder, Side, What, WireMessage};

mod belonging;

/// Unasked-for messages recorded per connection; more are counted, not kept.
const KEPT_UNASKED: u32 = 2_000;
/// Bytes of unasked-for messages recorded per connection.
const KEPT_UNASKED_BYTES: usize = 8 * 1024 * 1024;
/// Requests of the server answered per connection.
const ANSWERED: u32 = 1_000;
/// Oddities recorded per connection.
const KEPT_ODD: u32 = 200;
/// The notification after which the list of tools is another one.
const TOOLS_CHANGED: &str = "notifications/tools/list_changed";

/// A message as it came in.
pub(super) struct Arrived {
    /// `stdio`, `json`, `sse` or `empty`.
    pub via: &'static str,
    /// HTTP status, on the first message of a response.
    pub status: Option<u16>,
    /// HTTP headers, masked, on the first message of a response.
    pub headers: Vec<(String, String)>,
    /// How it stood in an event stream.
    pub frame: Option<Frame>,
    /// What came. Bytes that are no UTF-8 are kept as they are, and read with replacement characters.
    pub body: Body,
    /// The request on whose exchange it came, over HTTP.
    pub owner: Option<u64>,
}

/// An answer to one of our requests.
#[derive(Debug)]
pub(super) struct Reply {
    pub outcome: Result<Arc<Value>, RpcError>,
    /// Size of the result in bytes, as received.
    pub bytes: u64,
    /// HTTP status of the exchange.
    pub status: Option<u16>,
    /// What the server wants back byte for byte ([`jsonrpc::OPAQUE`]).
    pub opaque: Option<Box<RawValue>>,
}

/// A request of the server, still to be answered by the host of a session.
pub(super) struct Asked {
    id: Value,
    method: String,
    params: Value,
    host: Arc<dyn Host>,
    logs: Vec<Recorder>,
}

impl Asked {
    /// Asks the host, records question and answer, and returns the message to send with the transcript it belongs to.
    /// `None` when the host keeps silent.
    pub(super) async fn answered(self) -> Option<(String, Recorder)> {
        let answer = self.host.answer(&self.method, &self.params).await;
        let text = answer.as_ref().map(|answer| jsonrpc::reply(&self.id, answer));
        let answered = answer.map_or(Value::Null, |answer| answer.unwrap_or_else(|error| error));
        note(&self.logs, &What::ServerAsked { method: self.method, params: self.params, answered });
        text.zip(self.logs.into_iter().next())
    }
}

/// See the module.
pub(super) struct Hub {
    next_request: AtomicU64,
    next_seat: AtomicU64,
    state: Mutex<State>,
    /// What the server said before, to whomever.
    pub(super) repeats: Arc<Repeats>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Waiting>,
    seats: Vec<Seat>,
    dead: Option<Fault>,
    /// The first line on a server's stdout that was no JSON: often the very reason why no answer comes.
    stray: Option<String>,
    unasked: u32,
    unasked_bytes: usize,
    asked: u32,
    odd: u32,
    /// Whether the revision spoken has no requests of the server (2026-07-28).
    stateless: bool,
    labels: Labels,
}

/// A session on the connection.
struct Seat {
    number: u64,
    log: Recorder,
    host: Arc<dyn Host>,
    /// Whether the server has said that its tools changed, since the session last looked.
    changed: bool,
}

struct Waiting {
    seat: u64,
    log: Recorder,
    done: oneshot::Sender<Result<Reply, Fault>>,
    progress: Arc<Notify>,
    /// For a subscription that has not been acknowledged.
    acknowledged: Option<oneshot::Sender<Value>>,
}

/// A request that waits for its answer. Dropping it forgets the request.
pub(super) struct Ticket {
    /// What the request is known by.
    pub id: u64,
    /// What stands for that on the wire, where it is a text.
    pub label: Option<String>,
    /// The answer, or the fault that ended the connection.
    pub done: oneshot::Receiver<Result<Reply, Fault>>,
    /// Fires with every progress notification.
    pub progress: Arc<Notify>,
    hub: Arc<Hub>,
}

impl Ticket {
    /// Whether the answer is still owed.
    pub(super) fn is_owed(&self) -> bool {
        self.hub.is_waiting(self.id)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.hub.state().waiting.remove(&self.id);
    }
}

impl Hub {
    /// A hub without sessions.
    pub(super) fn new() -> Arc<Self> {
        Self::knowing(Arc::default())
    }

    /// The same for a server that may have answered other connections the same.
    pub(super) fn knowing(repeats: Arc<Repeats>) -> Arc<Self> {
        Arc::new(Self {
            repeats,
            next_request: AtomicU64::new(1),
            next_seat: AtomicU64::new(1),
            state: Mutex::default(),
        })
    }

    /// The id of the first request; the next ones count up.
    pub(super) fn first(&self, id: u64) {
        self.next_request.store(id, Ordering::Relaxed);
    }

    /// Seats a session, so that messages which belong to no request reach its transcript and its host.
    pub(super) fn join(&self, log: Recorder, host: Arc<dyn Host>) -> u64 {
        let number = self.next_seat.fetch_add(1, Ordering::Relaxed);
        self.state().seats.push(Seat { number, log, host, changed: false });
        number
    }

    /// Whether the server has said that its tools changed, since this was last asked.
    pub(super) fn take_changed(&self, seat: u64) -> bool {
        let mut state = self.state();
        let seat = state.seats.iter_mut().find(|known| known.number == seat);
        seat.is_some_and(|seat| std::mem::take(&mut seat.changed))
    }

    /// Says for a session that its tools changed, which it heard elsewhere.
    pub(super) fn mark_changed(&self, seat: u64) {
        let mut state = self.state();
        state.seats.iter_mut().filter(|known| known.number == seat).for_each(|seat| seat.changed = true);
    }

    /// Ends a session's seat.
    pub(super) fn leave(&self, seat: u64) {
        self.state().seats.retain(|known| known.number != seat);
    }

    /// Opens a request of a seated session. Fails when the connection is dead.
    pub(super) fn expect(self: &Arc<Self>, seat: u64, log: &Recorder) -> Result<Ticket, Fault> {
        let id = self.next_request.fetch_add(1, Ordering::Relaxed);
        self.expect_as(id.into(), seat, log)
    }

    /// The same for a request whose id is a text, or one like it where it has been used.
    pub(super) fn expect_labelled(
        self: &Arc<Self>,
        label: &str,
        seat: u64,
        log: &Recorder,
    ) -> Result<Ticket, Fault> {
        let id = self.state().labels.take(label);
        self.expect_as(id, seat, log)
    }

    fn expect_as(self: &Arc<Self>, id: Id, seat: u64, log: &Recorder) -> Result<Ticket, Fault> {
        let Id { number: id, label } = id;
        let (sender, done) = oneshot::channel();
        let progress = Arc::new(Notify::new());
        let mut state = self.state();
        if let Some(fault) = &state.dead {
            return Err(fault.clone());
        }
        let waiting = Waiting {
            seat,
            log: log.clone(),
            done: sender,
            progress: Arc::clone(&progress),
            acknowledged: None,
        };
        state.waiting.insert(id, waiting);
        drop(state);
        Ok(Ticket { id, label, done, progress, hub: Arc::clone(self) })
    }

    /// The server speaks a revision without requests of its own.
    pub(super) fn stateless(&self) {
        self.state().stateless = true;
    }

    /// Yields the parameters of `notifications/subscriptions/acknowledged` for the subscription that a request opens.
    pub(super) fn acknowledged(&self, id: u64) -> oneshot::Receiver<Value> {
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = self.state().waiting.get_mut(&id) {
            waiting.acknowledged = Some(sender);
        }
        receiver
    }

    /// Whether the server speaks such a revision.
    pub(super) fn is_stateless(&self) -> bool {
        self.state().stateless
    }

    /// The connection is no longer dead.
    pub(super) fn revive(&self) {
        self.state().dead = None;
    }

    /// Whether a request still waits.
    pub(super) fn is_waiting(&self, id: u64) -> bool {
        self.state().waiting.contains_key(&id)
    }

    /// Ends the connection: every waiting request and every later one fails with `fault`.
    pub(super) fn fail(&self, fault: &Fault) {
        let mut state = self.state();
        state.dead.get_or_insert_with(|| fault.clone());
        for (_, waiting) in state.waiting.drain() {
            let _ = waiting.done.send(Err(fault.clone()));
        }
    }

    /// Fails what waits now, but not what comes later.
    pub(super) fn fail_waiting(&self, fault: &Fault) {
        for (_, waiting) in self.state().waiting.drain() {
            let _ = waiting.done.send(Err(fault.clone()));
        }
    }

    /// Why the connection is dead, if it is.
    pub(super) fn dead(&self) -> Option<Fault> {
        self.state().dead.clone()
    }

    /// Remembers the first line on a server's stdout that was no JSON.
    pub(super) fn stray(&self, text: &str) {
        self.state().stray.get_or_insert_with(|| display::whole_words(text, 120));
    }

    /// What to add to the fault of a server whose stdout held such a line; empty for the others.
    pub(super) fn stray_words(&self) -> String {
        self.state().stray.as_ref().map_or_else(String::new, |stray| {
            format!("; standard output held `{stray}`, which is no JSON-RPC message: logs belong on stderr")
        })
    }

    /// Records a breach of the protocol that does not end anything.
    pub(super) fn odd(&self, owner: Option<u64>, message: String) {
        let mut state = self.state();
        let logs = state.logs(owner);
        state.note_odd(&logs, message);
    }

    /// Records something that is not read as a message, and why.
    pub(super) fn set_aside(&self, arrived: Arrived, why: String) {
        let mut state = self.state();
        let logs = state.logs(arrived.owner);
        if state.take_unasked(&logs, arrived.body.len()) {
            record(&logs, arrived.recorded());
            state.note_odd(&logs, why);
        }
    }

    /// Takes a message in. What it returns must be answered.
    pub(super) fn deliver(&self, arrived: Arrived) -> Vec<Asked> {
        let text = arrived.body.to_text();
        let (status, owner) = (arrived.status, arrived.owner);
        let mut read = jsonrpc::read_by(&text, |result| self.repeats.read(result));
        let mut state = self.state();
        if let Ok(messages) = &mut read {
            state.labels.resolve(messages);
        }
        let target = match &read {
            Ok(messages) => about(messages, arrived.owner, &state),
            // An answer that cannot be read is an answer.
            Err(_) => jsonrpc::answer_id(&text).filter(|id| state.waiting.contains_key(id)),
        };
        let logs = state.logs(target.or(owner));
        let is_answer = target.is_some_and(|id| state.waiting.contains_key(&id));
        let keep = is_answer || state.take_unasked(&logs, text.len());
        let excerpt = match &read {
            Err(_) => display::whole_words(&text, 200),
            Ok(_) => String::new(),
        };
        drop(text);
        let is_text = matches!(arrived.body, Body::Text(_));
        if keep {
            record(&logs, arrived.recorded());
        }
        if !is_text {
            state.note_odd(&logs, "a message of the server is not valid UTF-8".to_owned());
        }
        let mut asked = Vec::new();
        let messages = match read {
            Ok(messages) => messages,
            Err(why) => {
                state.note_odd(&logs, format!("not a JSON-RPC message ({why}): `{excerpt}`"));
                if let Some(waiting) = target.and_then(|id| state.waiting.remove(&id)) {
                    let message = format!("the server's answer cannot be read ({why}): `{excerpt}`");
                    let fault = Fault::new(Side::Server, "target.protocol", message);
                    let _ = waiting.done.send(Err(fault));
                }
                return asked;
            }
        };
        for message in messages {
            match message {
                Message::Answer(answer) => state.settle(answer, owner, status, &logs),
                Message::Notification { method, params } => {
                    if method == "notifications/progress"
                        && let Some(waiting) =
                            facts::progress_token(&params).and_then(|id| state.waiting.get(&id))
                    {
                        waiting.progress.notify_one();
                    }
                    if method == TOOLS_CHANGED {
                        state.seats.iter_mut().for_each(|seat| seat.changed = true);
                    }
                    if let Some(id) = state.labels.subscription(&params) {
                        state.subscribed(id, &method, &params, &logs);
                    }
                    if keep {
                        note(&logs, &What::ServerNoted { method, params });
                    }
                }
                Message::Request { id, method, params } => {
                    if state.stateless {
                        let method = display::excerpt(&method, 80);
                        state.note_odd(
                            &logs,
                            format!("the server sent the request `{method}`; since 2026-07-28 it must not"),
                        );
                        continue;
                    }
                    state.asked += 1;
                    if state.asked > ANSWERED {
                        continue;
                    }
                    if let Some(host) = state.host(target.or(owner)) {
                        asked.push(Asked { id, method, params, host, logs: logs.clone() });
                    }
                }
            }
        }
        asked
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request that messages are about, if it waits.
fn about(messages: &[Message], owner: Option<u64>, state: &State) -> Option<u64> {
    messages.iter().find_map(|message| match message {
        Message::Answer(answer) => facts::adopted(answer, owner).filter(|id| state.waiting.contains_key(id)),
        Message::Notification { method, params } if method == "notifications/progress" => {
            // Progress counts as unasked for flood control, but belongs to its request's transcript.
            facts::progress_token(params).filter(|id| state.waiting.contains_key(id))
        }
        Message::Notification { params, .. } => {
            state.labels.subscription(params).filter(|id| state.waiting.contains_key(id))
        }
        Message::Request { .. } => None,
    })
}

impl Arrived {
    /// A line of a server's standard output.
    pub(super) fn line(body: Body) -> Self {
        Self { via: "stdio", status: None, headers: vec![], frame: None, body, owner: None }
    }

    fn recorded(self) -> What {
        let Self { via, status, headers, frame, body, owner } = self;
        let of = owner.filter(|_| frame.is_some());
        What::Wire(WireMessage::Received { via: via.to_owned(), status, headers, frame, of, body })
    }
}

fn record(logs: &[Recorder], what: What) {
    let Some((last, others)) = logs.split_last() else { return };
    note(others, &what);
    last.note(what);
}

fn note(logs: &[Recorder], what: &What) {
    for log in logs {
        log.note(what.clone());
    }
}
