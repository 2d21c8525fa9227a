//! What every conversation does, whatever carries it: the handshake, lists to their end, calls with deadlines.
//!
//! A [`Carrier`] moves texts; the [`Hub`] matches answers; this file decides how long to wait, what a refusal is, and
//! tells the server when an answer is no longer wanted.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::hub::{Hub, Reply, Ticket};
use super::process::Vitals;
use super::revision::{self, REVISIONS, Revision};
use super::{ClientProfile, Refusal, Session, ToolOutcome, facts, jsonrpc};
use crate::display;
use crate::transcript::{Fault, Recorder, ServerFacts, Side, ToolFact, What};

/// Most pages of one list.
pub(super) const PAGES: usize = 1_000;
/// Most bytes of one whole list: 8 MiB.
pub(super) const LIST_CAP: u64 = 8 * 1024 * 1024;
/// With progress, a call may last this many times its deadline.
pub(super) const PROGRESS_FACTOR: u32 = 5;
/// How long a notification may take to leave.
const PARTING: Duration = Duration::from_secs(1);

/// Moves texts to the server. What comes back goes to the hub.
pub(super) trait Carrier: Send + Sync {
    /// Sends a request. Over HTTP the future ends when the answer has been delivered, or cannot come.
    fn ask<'a>(&'a self, id: u64, text: String, log: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>>;

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
    hub: Arc<Hub>,
    carrier: Arc<dyn Carrier>,
    log: Recorder,
    seat: u64,
    /// How much of the server's stderr is already in the record, or came before the session began.
    stderr_mark: AtomicU64,
}

/// Whether the end of a session ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holding {
    /// It does.
    Own,
    /// Others may sit on it.
    Shared,
}

/// How long to wait for an answer.
#[derive(Clone, Copy)]
struct Patience {
    /// Without a sign of progress.
    quiet: Duration,
    /// In all.
    whole: Duration,
}

impl Patience {
    fn strict(limit: Duration) -> Self {
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
    pub(super) fn new(hub: Arc<Hub>, carrier: Arc<dyn Carrier>, log: Recorder) -> Self {
        let seat = hub.join(log.clone());
        let stderr_mark = AtomicU64::new(carrier.vitals().map_or(0, |vitals| vitals.stderr().mark()));
        Self { hub, carrier, log, seat, stderr_mark }
    }

    /// The handshake.
    pub(super) async fn greet(&self, profile: &ClientProfile) -> Result<ServerFacts, Fault> {
        let params = json!({
            "protocolVersion": profile.protocol,
            "capabilities": profile.capabilities,
            "clientInfo": profile.info,
        });
        let limit = profile.open_timeout.0;
        let reply = self.ask("initialize", |_| Some(&params), Patience::strict(limit)).await?;
        let result = match reply.map(|reply| reply.outcome) {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => return Err(self.broke(refused_handshake(&refusal(error, None)))),
            Err(refusal) => return Err(self.broke(refused_handshake(&refusal))),
        };
        let (facts, odd) = facts::server(result);
        odd.into_iter().for_each(|message| self.hub.odd(None, message));
        let Some(revision) = revision::find(&facts.protocol) else {
            return Err(self.broke(unknown_revision(&facts.protocol)));
        };
        self.carrier.settle(revision);
        let initialized = jsonrpc::notification("notifications/initialized", None::<()>);
        timeout(limit, self.carrier.tell(initialized, &self.log))
            .await
            .map_err(|_| self.broke(late("notifications/initialized", limit)))?
            .map_err(|fault| self.broke(fault))?;
        self.carrier.listen();
        Ok(facts)
    }

    /// Sends a request and waits. The inner error is an HTTP refusal; a JSON-RPC error is in the reply.
    async fn ask<P: Serialize>(
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
        let mut carrying = self.carrier.ask(ticket.id, text, &self.log);
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
    fn broke(&self, mut fault: Fault) -> Fault {
        self.note_stderr();
        fault.message = self.log.secrets().redact(&fault.message).into_owned();
        fault
    }

    fn note_stderr(&self) {
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

fn late(method: &str, limit: Duration) -> Fault {
    let limit = crate::units::Period(limit);
    Fault::new(Side::Server, "target.timeout", format!("no answer to `{method}` within {limit}"))
}

fn refused_handshake(refusal: &Refusal) -> Fault {
    let message = words(refusal);
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        Some(status @ (404 | 405)) if refusal.code.is_none() => Fault::new(
            Side::Server,
            "target.protocol",
            format!(
                "no MCP endpoint there (HTTP {status}); check the path in `target.url`, many servers answer at `/mcp`"
            ),
        ),
        _ => {
            Fault::new(Side::Server, "target.protocol", format!("the server refused `initialize`: {message}"))
        }
    }
}

/// A refusal in a few words: `-32601 no such method`.
fn words(refusal: &Refusal) -> String {
    let message = display::excerpt(&refusal.message, 300);
    match refusal.code {
        Some(code) if message.is_empty() => format!("error {code}"),
        Some(code) => format!("error {code}: {message}"),
        None => message,
    }
}

fn unauthorized(status: u16, refusal: &Refusal) -> Fault {
    let challenge = match &refusal.challenge {
        Some(challenge) => format!("challenge: {}", display::excerpt(challenge, 300)),
        None => "without a challenge".to_owned(),
    };
    Fault::new(
        Side::Auth,
        "target.unauthorized",
        format!(
            "the server refused this identity with HTTP {status}, {challenge}; check `auth` and the persona's token"
        ),
    )
}

fn unknown_revision(name: &str) -> Fault {
    let known: Vec<&str> = REVISIONS.iter().map(|revision| revision.name).collect();
    let name = display::excerpt(name, 40);
    Fault::new(
        Side::Server,
        "target.protocol",
        format!("the server wants protocol revision `{name}`; this client speaks only {}", known.join(", ")),
    )
}

fn refusal(error: jsonrpc::RpcError, status: Option<u16>) -> Refusal {
    // Over HTTP a plain 200 says nothing about the refusal.
    let status = status.filter(|status| *status != 200);
    Refusal { code: error.code, status, message: error.message, data: error.data, challenge: None }
}

/// A session after its handshake.
pub(super) struct Conversation {
    line: Line,
    facts: ServerFacts,
    patience: Patience,
    holding: Holding,
}

impl Conversation {
    pub(super) fn new(line: Line, facts: ServerFacts, profile: &ClientProfile, holding: Holding) -> Self {
        line.log.note(What::ServerOpened(facts.clone()));
        let quiet = profile.call_timeout.0;
        Self { line, facts, patience: Patience { quiet, whole: quiet * PROGRESS_FACTOR }, holding }
    }

    async fn list(&self) -> Result<Vec<ToolFact>, Fault> {
        let mut tools = Vec::new();
        let mut bytes = 0;
        let mut cursors = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let params = cursor.as_ref().map(|cursor| json!({"cursor": cursor}));
            let patience = Patience::strict(self.patience.quiet);
            let page = match self.line.ask("tools/list", |_| params, patience).await? {
                Err(refusal) => return Err(self.line.broke(refused_list(&refusal))),
                Ok(Reply { outcome: Err(error), .. })
                    if error.code == Some(jsonrpc::METHOD_NOT_FOUND) && cursors.is_empty() =>
                {
                    self.odd(
                        "`tools/list` is not implemented; the server counts as one without tools".to_owned(),
                    );
                    return Ok(tools);
                }
                Ok(Reply { outcome: Err(error), status, .. }) => {
                    return Err(self.line.broke(refused_list(&refusal(error, status))));
                }
                Ok(Reply { outcome: Ok(result), bytes: size, .. }) => {
                    bytes += size;
                    facts::tools(result)
                        .map_err(|why| self.line.broke(Fault::new(Side::Server, "target.protocol", why)))?
                }
            };
            tools.extend(page.tools);
            page.odd.into_iter().for_each(|message| self.odd(message));
            if bytes > LIST_CAP {
                let message = format!("the list of tools is larger than {} MiB", LIST_CAP >> 20);
                return Err(self.line.broke(Fault::new(Side::Server, "target.too-large", message)));
            }
            let Some(next) = page.next else { break };
            if !cursors.insert(next.clone()) {
                let next = display::excerpt(&next, 80);
                self.odd(format!("`tools/list` repeats the cursor `{next}`; the list ends there"));
                break;
            }
            if cursors.len() >= PAGES {
                self.odd(format!("`tools/list` has more than {PAGES} pages; the list ends there"));
                break;
            }
            cursor = Some(next);
        }
        for name in facts::duplicates(&tools) {
            self.odd(format!("`tools/list` names `{}` more than once", display::excerpt(&name, 80)));
        }
        Ok(tools)
    }

    fn odd(&self, message: String) {
        self.line.log.note(What::ServerOdd { message });
    }
}

fn refused_list(refusal: &Refusal) -> Fault {
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        _ => {
            let message = format!("the server refused `tools/list`: {}", words(refusal));
            Fault::new(Side::Server, "target.protocol", message)
        }
    }
}

#[derive(Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a Value,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "progressToken")]
    progress_token: u64,
}

impl Session for Conversation {
    fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>> {
        Box::pin(async {
            let tools = self.list().await?;
            self.line.log.note(What::ToolsListed { tools: tools.clone() });
            Ok(tools)
        })
    }

    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>> {
        Box::pin(async move {
            let params = |id| Some(CallParams { name, arguments: args, meta: Meta { progress_token: id } });
            match self.line.ask("tools/call", params, self.patience).await? {
                Ok(Reply { outcome: Ok(result), bytes, .. }) => facts::outcome(result, bytes)
                    .map_err(|why| self.line.broke(Fault::new(Side::Server, "target.protocol", why))),
                Ok(Reply { outcome: Err(error), status, .. }) => {
                    Ok(ToolOutcome::Refused(refusal(error, status)))
                }
                Err(refusal) => Ok(ToolOutcome::Refused(refusal)),
            }
        })
    }

    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        Box::pin(async move {
            let params = Some(params).filter(|params| !params.is_null());
            Ok(match self.line.ask(method, |_| params, self.patience).await? {
                Ok(Reply { outcome: Ok(result), .. }) => Ok(result),
                Ok(Reply { outcome: Err(error), status, .. }) => Err(refusal(error, status)),
                Err(refusal) => Err(refusal),
            })
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if self.holding == Holding::Own {
                self.line.carrier.close(&self.line.log).await;
            }
            self.line.note_stderr();
        })
    }
}
