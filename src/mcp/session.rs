//! A session after its opening: requests with everything the revision asks of them, farewell.
//!
//! Lists are in `lists`, questions that come back in `rounds`, long work in `tasks`, subscriptions in `watch`.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

use super::hub::Reply;
use super::line::{Heard, Line, Patience, Stop};
use super::mirror::Mirrored;
use super::refusal::from_error;
use super::request::{Request, name_of};
use super::revision::Era;
use super::shape::{self, Kind};
use super::terms::Terms;
use super::watch::Watches;
use super::{Refusal, Session, ToolOutcome, facts};
use crate::transcript::{Fault, ServerFacts, Side, ToolFact, What};

/// With progress, a call may last this many times its deadline.
pub(super) const PROGRESS_FACTOR: u32 = 5;

/// Whether the end of a session ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holding {
    /// It does.
    Own,
    /// Others may sit on it.
    Shared,
}

/// A session after its opening.
pub(super) struct Conversation {
    pub(super) line: Arc<Line>,
    pub(super) facts: ServerFacts,
    pub(super) terms: Terms,
    pub(super) patience: Patience,
    pub(super) watches: Watches,
    holding: Holding,
    /// How many calls were made.
    pub(super) calls: AtomicU64,
    /// What the last `tools/list` said of each tool.
    pub(super) tools: Mutex<HashMap<String, Known>>,
    /// The list of tools that was asked for among the first messages, until somebody wants it.
    first_list: Mutex<Option<Result<Vec<ToolFact>, Fault>>>,
    /// Oddities that were recorded and would only repeat themselves.
    noticed: Mutex<HashSet<String>>,
    /// How many oddities there were.
    remarks: AtomicU32,
}

/// Oddities of answers recorded per session.
const REMARKS: u32 = 150;

/// What a call needs to know of a tool.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Arguments that are repeated in headers.
    pub mirrored: Arc<[Mirrored]>,
    /// It says that calling it twice changes nothing.
    pub repeatable: bool,
    /// It can only be called as a task (2025-11-25).
    pub needs_task: bool,
}

/// An answer, or an HTTP refusal; a JSON-RPC error is in the reply.
pub(super) type Got = Result<Reply, Refusal>;

impl Conversation {
    pub(super) fn new(line: Line, facts: ServerFacts, terms: Terms, holding: Holding) -> Self {
        line.log.note(What::ServerOpened(facts.clone()));
        let quiet = terms.call;
        Self {
            line: Arc::new(line),
            facts,
            terms,
            patience: Patience { quiet, whole: quiet * PROGRESS_FACTOR },
            watches: Watches::default(),
            holding,
            calls: AtomicU64::new(1),
            tools: Mutex::default(),
            first_list: Mutex::default(),
            noticed: Mutex::default(),
            remarks: AtomicU32::new(0),
        }
    }

    /// A session that has sent the first messages of its client.
    pub(super) async fn begin(
        line: Line,
        facts: ServerFacts,
        terms: Terms,
        holding: Holding,
    ) -> Box<dyn Session> {
        Box::new(Self::greeted(line, facts, terms, holding).await)
    }

    /// The same as it is.
    pub(super) async fn greeted(line: Line, facts: ServerFacts, terms: Terms, holding: Holding) -> Self {
        let conversation = Self::new(line, facts, terms, holding);
        conversation.first_messages().await;
        conversation
    }

    /// How the revision spoken begins.
    pub(super) fn era(&self) -> Era {
        if self.line.voice().is_some() { Era::Modern } else { Era::Legacy }
    }

    /// Sends a request. Where its answer breaks off and a second try can do no harm, it is sent again with a new id
    /// (2026-07-28, basic/transports/stdio and streamable-http: streams cannot be resumed).
    pub(super) async fn ask<P: Serialize>(
        &self,
        request: &Request<'_, P>,
        patience: Patience,
        repeatable: bool,
    ) -> Result<Got, Fault> {
        let mut heard = self.line.hear(request, patience).await;
        if repeatable && self.era() == Era::Modern && matches!(heard, Heard::Stopped(Stop::Lost(_))) {
            self.odd_once(format!("the answer to `{}` broke off; it was asked again", request.method));
            heard = self.line.hear(request, patience).await;
        }
        match heard {
            Heard::Answered(reply) => {
                self.look_at(request.method, &reply);
                Ok(Ok(reply))
            }
            Heard::Stopped(Stop::Refused(refusal)) => Ok(Err(refusal)),
            heard => Err(self.line.fault(heard, request.method, patience).await),
        }
    }

    /// Records what is odd about the envelope of a modern answer.
    fn look_at(&self, method: &str, reply: &Reply) {
        if self.era() == Era::Legacy {
            return;
        }
        match &reply.outcome {
            Err(error) => {
                if let Some(message) = shape::retired(error.code) {
                    self.odd_once(message);
                }
            }
            Ok(result) => {
                let kind = shape::kind(result);
                if kind == (Kind::Complete { said: false }) {
                    self.odd_once(format!("`{method}` was answered without `resultType`"));
                }
                if matches!(kind, Kind::Complete { .. }) {
                    let odd = shape::cache_oddities(method, result);
                    odd.into_iter().for_each(|message| self.odd_once(message));
                }
            }
        }
    }

    /// The complete result in an answer with its size, or the refusal. A modern result that is something else here is
    /// invalid.
    pub(super) fn complete(&self, method: &str, got: Got) -> Result<Result<(Value, u64), Refusal>, Fault> {
        Ok(self.shared(method, got)?.map(|(result, bytes)| (Arc::unwrap_or_clone(result), bytes)))
    }

    /// The same for a result that others may have got, too.
    pub(super) fn shared(&self, method: &str, got: Got) -> Result<Result<(Arc<Value>, u64), Refusal>, Fault> {
        let reply = match got {
            Ok(reply) => reply,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let result = match reply.outcome {
            Ok(result) => result,
            Err(error) => return Ok(Err(from_error(error, reply.status))),
        };
        let kind = match self.era() {
            Era::Legacy => Kind::Complete { said: false },
            Era::Modern => shape::kind(&result),
        };
        match kind {
            Kind::Complete { .. } => Ok(Ok((result, reply.bytes))),
            other => Err(self.invalid(method, &other)),
        }
    }

    /// The fault of a result that this method cannot have.
    pub(super) fn invalid(&self, method: &str, kind: &Kind) -> Fault {
        let what = match kind {
            Kind::InputRequired => "input_required".to_owned(),
            Kind::Task => "task".to_owned(),
            Kind::Unknown(what) => what.clone(),
            Kind::Complete { .. } => "complete".to_owned(),
        };
        self.broken(format!("`{method}` was answered with `resultType` `{what}`, which it cannot have here"))
    }

    /// The fault of a server that breaks the protocol.
    pub(super) fn broken(&self, message: String) -> Fault {
        self.line.broke(Fault::new(Side::Server, "target.protocol", message))
    }

    /// Records an oddity, if there have not been too many.
    pub(super) fn odd(&self, mut message: String) {
        let before = self.remarks.fetch_add(1, Ordering::Relaxed);
        if before == REMARKS {
            message.push_str("; no more oddities of answers are recorded");
        }
        if before <= REMARKS {
            self.line.log.note(What::ServerOdd { message });
        }
    }

    /// Records an oddity unless it has been recorded in this session.
    pub(super) fn odd_once(&self, message: String) {
        /// More different ones than a server has methods are a flood.
        const MOST: usize = 100;
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        if noticed.len() < MOST && noticed.insert(message.clone()) {
            drop(noticed);
            self.odd(message);
        }
    }

    pub(super) fn tools(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn first_list(&self) -> MutexGuard<'_, Option<Result<Vec<ToolFact>, Fault>>> {
        self.first_list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lists the tools and records them.
    pub(super) async fn noted_tools(&self) -> Result<Vec<ToolFact>, Fault> {
        let tools = self.listed_tools().await?;
        self.line.log.note(What::ToolsListed { tools: tools.clone() });
        Ok(tools)
    }

    /// A plain request of the protocol, whose answer is complete.
    pub(super) async fn simple<P: Serialize + Sync>(
        &self,
        request: &Request<'_, P>,
    ) -> Result<Result<Value, Refusal>, Fault> {
        let got = self.ask(request, self.patience, true).await?;
        Ok(self.complete(request.method, got)?.map(|(result, _)| result))
    }
}

/// The code of an error, whichever way it came.
pub(super) fn code_of(got: &Got) -> Option<i64> {
    match got {
        Ok(Reply { outcome: Err(error), .. }) => error.code,
        Ok(_) => None,
        Err(refusal) => refusal.code,
    }
}

/// Methods that only look.
fn only_looks(method: &str) -> bool {
    matches!(
        method,
        "server/discover" | "completion/complete" | "prompts/get" | "resources/read" | "tasks/get"
    ) || method.ends_with("/list")
}

impl Session for Conversation {
    fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    fn list_tools(&self) -> BoxFuture<'_, Result<Vec<ToolFact>, Fault>> {
        Box::pin(async {
            let first = self.first_list().take();
            match first {
                Some(listed) => listed,
                None => self.noted_tools().await,
            }
        })
    }

    fn changed_tools(&self) -> BoxFuture<'_, Result<Option<Vec<ToolFact>>, Fault>> {
        Box::pin(Self::changed_tools(self))
    }

    fn list(&self, list: facts::List) -> BoxFuture<'_, Result<Vec<Value>, Fault>> {
        Box::pin(self.pages(list))
    }

    fn call_tool<'a>(&'a self, name: &'a str, args: &'a Value) -> BoxFuture<'a, Result<ToolOutcome, Fault>> {
        Box::pin(self.call(name, args))
    }

    fn read_resource<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        Box::pin(self.read(uri))
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        args: &'a Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        Box::pin(self.prompt(name, args))
    }

    fn set_log_level<'a>(&'a self, level: &'a str) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>> {
        Box::pin(self.log_level(level))
    }

    fn watch<'a>(&'a self, wanted: &'a super::Watch) -> BoxFuture<'a, Result<Result<(), Refusal>, Fault>> {
        Box::pin(self.start_watch(wanted))
    }

    fn unwatch<'a>(&'a self, wanted: &'a super::Watch) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.end_watch(wanted))
    }

    fn notify<'a>(&'a self, method: &'a str, params: Value) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let params = Some(params).filter(|params| !params.is_null());
            let text = super::jsonrpc::notification(method, params);
            let sending = self.line.carrier.tell(text, &self.line.log);
            match tokio::time::timeout(self.patience.quiet, sending).await {
                Ok(sent) => sent.map_err(|fault| self.line.broke(fault)),
                Err(_) => Err(self.line.broke(super::line::late(method, self.patience.quiet))),
            }
        })
    }

    fn request<'a>(
        &'a self,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Result<Value, Refusal>, Fault>> {
        Box::pin(async move {
            let mut params = params;
            let meta = params.as_object_mut().and_then(|params| params.shift_remove("_meta"));
            let request = Request {
                bare: !params.is_object() && !params.is_null(),
                meta: meta.as_ref().and_then(Value::as_object),
                ..Request::new(method, Some(&params).filter(|params| !params.is_null()))
            };
            let request = request.named(name_of(method, &params));
            Ok(match self.ask(&request, self.patience, only_looks(method)).await? {
                Ok(Reply { outcome: Ok(result), .. }) => Ok(Arc::unwrap_or_clone(result)),
                Ok(Reply { outcome: Err(error), status, .. }) => Err(from_error(error, status)),
                Err(refusal) => Err(refusal),
            })
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.watches.end().await;
            // A client that does not part leaves its session to the server; its connection ends all the same.
            let parts = self.terms.parts || !self.line.carrier.exchanges();
            if self.holding == Holding::Own && parts {
                self.line.carrier.close(&self.line.log).await;
            }
            self.line.note_stderr();
        })
    }
}
