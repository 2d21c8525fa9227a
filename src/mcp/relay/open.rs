//! Requests that are not answered yet, and what an answer can be instead of an answer.

use serde_json::Value;

use super::super::jsonrpc::{Answer, Message};
use super::super::shape::{self, Kind};
use crate::ids::CallId;

/// A request on its way.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) method: String,
    /// What it is about: the tool, the page of a list, the id of a task, the revision.
    pub(super) about: Option<String>,
    pub(super) call: Option<Call>,
}

/// A tool call on its way.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) begun: u64,
}

/// A request that goes on later.
pub(super) struct Parked {
    pub(super) open: Open,
    pub(super) until: Until,
}

pub(super) enum Until {
    /// The client sends it again with answers to these questions, and with this state.
    Answered { questions: Value, state: Value },
    /// This task ends.
    Task(String),
}

impl Parked {
    /// Whether this request is the parked one again, with answers to its questions (2026-07-28, basic/patterns/mrtr).
    pub(super) fn goes_on_with(&self, method: &str, params: &Value) -> bool {
        let (answers, state) = (params.get("inputResponses"), params.get("requestState"));
        let Until::Answered { state: known, .. } = &self.until else { return false };
        let name = params.get("name").and_then(Value::as_str);
        let about = method != "tools/call" || self.open.about.as_deref() == name;
        let answered = answers.is_some() || state.is_some();
        answered && self.open.method == method && about && known == state.unwrap_or(&Value::Null)
    }
}

/// How many of these messages are new tool calls. One that comes again with answers to the server's questions is the call
/// that was asked about, once.
pub(super) fn new_calls(messages: &[Message], parked: &[Parked]) -> u32 {
    let mut waiting: Vec<&Parked> = parked.iter().collect();
    let mut wanted = 0;
    for message in messages {
        let Message::Request { method, params, .. } = message else { continue };
        if method != "tools/call" {
            continue;
        }
        match waiting.iter().position(|parked| parked.goes_on_with(method, params)) {
            Some(place) => drop(waiting.swap_remove(place)),
            None => wanted += 1,
        }
    }
    wanted
}

/// The id of an answer, written as that of its request is.
pub(super) fn id_of(answer: &Answer) -> String {
    serde_json::from_str(&answer.raw_id).map_or_else(|_| answer.raw_id.clone(), |id: Value| id.to_string())
}

/// The task that stands in place of a result: the core's of 2025-11-25, or the extension's.
pub(super) fn task_of(result: &Value) -> Option<String> {
    let task = match shape::kind(result) {
        Kind::Task => result,
        _ => result.get("task")?,
    };
    task.get("taskId").and_then(Value::as_str).map(str::to_owned)
}

/// The request that a task has stood for, which goes on.
pub(super) fn take_task(parked: &mut Vec<Parked>, id: Option<&str>) -> Option<Open> {
    let is = |parked: &Parked| matches!(&parked.until, Until::Task(known) if Some(known.as_str()) == id);
    let place = parked.iter().position(is)?;
    Some(parked.swap_remove(place).open)
}
