//! What the messages between a foreign client and the target mean: calls with their results, lists, questions.
//!
//! It only listens. Requests are paired with their answers per conversation; what a stranger sends beyond what can be
//! paired is on the wire record all the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::super::jsonrpc::{self, Answer, Message, RpcError};
use super::super::shape::{self, Kind};
use super::super::{ToolOutcome, facts};
use super::open::{Call, Open, Parked, Until, id_of, new_calls, take_task, task_of};
use crate::display;
use crate::ids::{CallId, ToolName};
use crate::transcript::event::Caller;
use crate::transcript::{Recorder, ToolFact, What};

/// Most requests of one side that are remembered until they are answered.
const OPEN: usize = 10_000;
/// Most pages of a list that are put together.
const PAGES: usize = 1000;

/// Listens to one trial.
pub struct Ear {
    log: Recorder,
    most: u32,
    heard: Mutex<Heard>,
    exhausted: CancellationToken,
}

/// A conversation of the client: its MCP session, or its connection.
pub type Line = String;

#[derive(Default)]
struct Heard {
    /// Requests of the client that were not answered, by conversation and id.
    open: HashMap<(Line, String), Open>,
    /// Requests of the server that were not answered.
    asked: HashMap<(Line, String), (String, Value)>,
    /// Requests that were answered with questions (2026-07-28, basic/patterns/mrtr), or with a task.
    parked: Vec<Parked>,
    tools: HashMap<Line, Vec<ToolFact>>,
    calls: u32,
    spoken: bool,
}

impl Ear {
    /// Listens for a trial of which at most so many tool calls may reach the target.
    pub fn new(log: Recorder, most: u32) -> Self {
        Self { log, most, heard: Mutex::default(), exhausted: CancellationToken::new() }
    }

    /// Whether the client has said anything to the server.
    pub fn has_heard(&self) -> bool {
        self.heard().spoken
    }

    /// Whether the client has called a tool.
    pub fn has_called(&self) -> bool {
        self.heard().calls > 0
    }

    /// Whether the client has asked for more tool calls than it may make.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.is_cancelled()
    }

    /// Waits until it has.
    pub async fn exhausted(&self) {
        self.exhausted.cancelled().await;
    }

    /// Whether the client waits for the server.
    pub fn is_waiting(&self) -> bool {
        self.heard().open.values().any(|open| open.call.is_some())
    }

    /// Hears a text of the client. `false`: it must not get through, because it is one call too many.
    pub fn client(&self, line: &str, text: &str) -> bool {
        let Ok(messages) = jsonrpc::read(text) else { return true };
        let mut heard = self.heard();
        heard.spoken = true;
        let wanted = new_calls(&messages, &heard.parked);
        if wanted > 0 && heard.calls.saturating_add(wanted) > self.most {
            self.exhausted.cancel();
            return false;
        }
        for message in messages {
            match message {
                Message::Request { id, method, params } => {
                    self.request(&mut heard, (line.to_owned(), id.to_string()), method, &params);
                }
                Message::Answer(answer) => self.answered(&mut heard, line, answer),
                Message::Notification { .. } => {}
            }
        }
        true
    }

    /// Hears a text of the server.
    pub fn server(&self, line: &str, text: &str) {
        let messages = match jsonrpc::read(text) {
            Ok(messages) => messages,
            Err(why) => {
                let why = display::whole_words(&why, 200);
                self.log.note(What::ServerOdd { message: format!("a message that is no JSON-RPC: {why}") });
                return;
            }
        };
        let mut heard = self.heard();
        for message in messages {
            match message {
                Message::Request { id, method, params } if heard.asked.len() < OPEN => {
                    heard.asked.insert((line.to_owned(), id.to_string()), (method, params));
                }
                Message::Request { .. } => {}
                Message::Notification { method, params } => {
                    if method == "notifications/tasks" || method == "notifications/tasks/status" {
                        self.task(&mut heard, &params);
                    }
                    self.log.note(What::ServerNoted { method, params });
                }
                Message::Answer(answer) => {
                    if let Some(open) = heard.open.remove(&(line.to_owned(), id_of(&answer))) {
                        self.result(&mut heard, line, open, answer);
                    }
                }
            }
        }
    }

    /// The server has refused everything in a text of the client with an HTTP status.
    pub fn refused(&self, line: &str, text: &str, (status, challenge, body): (u16, Option<&str>, &str)) {
        let Ok(messages) = jsonrpc::read(text) else { return };
        // A JSON-RPC error in the body says more than the status.
        let error = match jsonrpc::read(body).ok().and_then(|mut all| all.pop()) {
            Some(Message::Answer(Answer { outcome: Err(error), .. })) => Some(error),
            _ => None,
        };
        let mut heard = self.heard();
        for message in messages {
            let Message::Request { id, .. } = message else { continue };
            let Some(open) = heard.open.remove(&(line.to_owned(), id.to_string())) else { continue };
            let Some(call) = open.call else { continue };
            let error = error.clone().unwrap_or_else(|| RpcError {
                message: display::whole_words(body, 400),
                ..RpcError::default()
            });
            self.log.note(What::ToolRefused {
                took_ms: self.log.elapsed_ms().saturating_sub(call.begun),
                call: call.id,
                code: error.code,
                status: Some(status),
                message: error.message,
                challenge: challenge.map(str::to_owned),
            });
        }
    }

    fn request(&self, heard: &mut Heard, key: (Line, String), method: String, params: &Value) {
        if let Some(open) = self.resumed(heard, &method, params) {
            heard.open.insert(key, open);
            return;
        }
        let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut call = None;
        let about = match method.as_str() {
            "tools/call" => {
                heard.calls += 1;
                let id = CallId::new(format!("agent-{}", heard.calls));
                let name = ToolName::new(text("name").unwrap_or_default());
                let args = params.get("arguments").cloned().unwrap_or_else(|| serde_json::json!({}));
                call = Some(Call { id: id.clone(), begun: self.log.elapsed_ms() });
                self.log.note(What::ToolCalled { call: id, name, args, by: Caller::Model });
                text("name")
            }
            "tools/list" => text("cursor"),
            "tasks/result" | "tasks/get" => text("taskId"),
            "server/discover" => {
                let version = params.pointer("/_meta/io.modelcontextprotocol~1protocolVersion");
                version.and_then(Value::as_str).map(str::to_owned)
            }
            _ => None,
        };
        if heard.open.len() < OPEN {
            heard.open.insert(key, Open { method, about, call });
        }
    }

    /// A request that was answered with questions comes again with answers.
    fn resumed(&self, heard: &mut Heard, method: &str, params: &Value) -> Option<Open> {
        let place = heard.parked.iter().position(|parked| parked.goes_on_with(method, params))?;
        let answers = params.get("inputResponses");
        let Parked { open, until } = heard.parked.swap_remove(place);
        let Until::Answered { questions: Value::Object(questions), .. } = until else { return Some(open) };
        for (key, mut question) in questions {
            let method = question.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
            let params = question.get_mut("params").map(Value::take).unwrap_or_default();
            let answered = answers.and_then(|answers| answers.get(&key)).cloned().unwrap_or_default();
            self.log.note(What::ServerAsked { method, params, answered });
        }
        Some(open)
    }

    fn answered(&self, heard: &mut Heard, line: &str, answer: Answer) {
        let Some((method, params)) = heard.asked.remove(&(line.to_owned(), id_of(&answer))) else { return };
        let answered = match answer.outcome {
            Ok(result) => Arc::unwrap_or_clone(result),
            Err(RpcError { code, message, .. }) => serde_json::json!({"code": code, "message": message}),
        };
        self.log.note(What::ServerAsked { method, params, answered });
    }

    fn result(&self, heard: &mut Heard, line: &str, open: Open, answer: Answer) {
        let Answer { outcome, bytes, .. } = answer;
        let result = match outcome {
            Ok(result) => Arc::unwrap_or_clone(result),
            Err(error) => {
                if let Some(call) = open.call {
                    self.failed(&call, error);
                }
                return;
            }
        };
        if shape::kind(&result) == Kind::InputRequired && heard.parked.len() < OPEN {
            let of = |name: &str| result.get(name).cloned().unwrap_or_default();
            let until = Until::Answered { questions: of("inputRequests"), state: of("requestState") };
            heard.parked.push(Parked { open, until });
            return;
        }
        match open.method.as_str() {
            "initialize" => {
                self.log.note(What::ServerOpened(facts::server(result).0));
            }
            "server/discover" => {
                let revision = open.about.unwrap_or_default();
                self.log.note(What::ServerOpened(facts::discovered(result, &revision).0));
            }
            "tools/list" => self.page(heard, line, open.about.is_some(), result),
            "tools/call" => match task_of(&result) {
                Some(task) => heard.parked.push(Parked { open, until: Until::Task(task) }),
                None => self.returned(open.call, result, bytes),
            },
            "tasks/result" => {
                if let Some(open) = take_task(&mut heard.parked, open.about.as_deref()) {
                    self.returned(open.call, result, bytes);
                }
            }
            "tasks/get" => self.task(heard, &result),
            _ => {}
        }
    }

    /// A task in a state that is its end (extension `io.modelcontextprotocol/tasks`); in 2025-11-25 the result is asked for.
    fn task(&self, heard: &mut Heard, task: &Value) {
        let id = task.get("taskId").and_then(Value::as_str);
        match task.get("status").and_then(Value::as_str) {
            Some("completed") if task.get("result").is_some() => {
                if let (Some(open), Some(result)) = (take_task(&mut heard.parked, id), task.get("result")) {
                    self.returned(open.call, result.clone(), result.to_string().len() as u64);
                }
            }
            Some("failed") if task.get("error").is_some() => {
                let call = take_task(&mut heard.parked, id).and_then(|open| open.call);
                if let (Some(call), Some(error)) = (call, task.get("error")) {
                    self.failed(&call, jsonrpc::rpc_error(error));
                }
            }
            _ => {}
        }
    }

    fn page(&self, heard: &mut Heard, line: &str, further: bool, result: Value) {
        let Ok(page) = facts::page(facts::TOOLS, result) else { return };
        let tools = heard.tools.entry(line.to_owned()).or_default();
        if !further {
            tools.clear();
        }
        tools.extend(facts::tools(page.items));
        if page.next.is_none() || tools.len() > PAGES * 100 {
            let tools = heard.tools.remove(line).unwrap_or_default();
            self.log.note(What::ToolsListed { tools });
        }
    }

    fn returned(&self, call: Option<Call>, result: Value, bytes: u64) {
        let Some(Call { id: call, begun }) = call else { return };
        let took_ms = self.log.elapsed_ms().saturating_sub(begun);
        match facts::outcome(result, bytes) {
            Ok(ToolOutcome::Returned { content, structured, is_error, bytes }) => {
                let cut_by_client = None;
                self.log.note(What::ToolReturned {
                    call,
                    content,
                    structured,
                    is_error,
                    bytes,
                    cut_by_client,
                    took_ms,
                });
            }
            Ok(ToolOutcome::Refused(_)) => {}
            Err(message) => {
                self.log.note(What::ServerOdd { message: message.clone() });
                let (code, status, challenge) = (None, None, None);
                self.log.note(What::ToolRefused { call, code, status, message, challenge, took_ms });
            }
        }
    }

    fn failed(&self, call: &Call, error: RpcError) {
        let took_ms = self.log.elapsed_ms().saturating_sub(call.begun);
        let (call, status, challenge) = (call.id.clone(), None, None);
        let RpcError { code, message, .. } = error;
        self.log.note(What::ToolRefused { call, code, status, message, challenge, took_ms });
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::transcript::{Clock, Secrets};

    fn ear(most: u32) -> Ear {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO);
        Ear::new(Recorder::new(clock, Secrets::default()), most)
    }

    fn call(id: impl Into<Value>, more: Value) -> String {
        let mut params = json!({"name": "get", "arguments": {"id": 1}});
        if let (Some(params), Value::Object(more)) = (params.as_object_mut(), more) {
            params.extend(more);
        }
        json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params}).to_string()
    }

    #[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
    fn answer(id: impl Into<Value>, result: Value) -> String {
        json!({"jsonrpc": "2.0", "id": id.into(), "result": result}).to_string()
    }

    /// What was noted, in short words.
    fn noted(ear: &Ear) -> Vec<String> {
        let events = (0..ear.log.len() as u32).filter_map(|seq| ear.log.event(seq));
        let words = events.map(|event| match event.what {
            What::ToolCalled { call, name, .. } => format!("{call} calls {name}"),
            What::ToolReturned { call, is_error, .. } => format!("{call} returned, error {is_error}"),
            What::ToolRefused { call, code, status, .. } => format!("{call} refused {code:?} {status:?}"),
            What::ServerAsked { method, answered, .. } => format!("asked {method}: {answered}"),
            What::ServerNoted { method, .. } => format!("noted {method}"),
            What::ToolsListed { tools } => format!("{} tools", tools.len()),
            What::ServerOpened(facts) => format!("opened {} {}", facts.name, facts.protocol),
            What::ServerOdd { .. } => "odd".to_owned(),
            other => format!("{other:?}"),
        });
        words.collect()
    }

    #[test]
    fn calls_side_by_side_are_paired_in_any_order_and_per_conversation() {
        let ear = ear(9);
        assert!(ear.client("a", &call(1, json!({}))) && ear.client("b", &call(1, json!({}))));
        assert!(ear.client("a", &call("x", json!({}))) && ear.is_waiting());
        ear.server("a", &answer("x", json!({"content": []})));
        ear.server("b", &answer(1, json!({"content": [], "isError": true})));
        let refused = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}});
        ear.server("a", &refused.to_string());
        ear.server("a", &answer(1, json!({"content": []})));
        let expected = [
            "agent-1 calls get",
            "agent-2 calls get",
            "agent-3 calls get",
            "agent-3 returned, error false",
            "agent-2 returned, error true",
            "agent-1 refused Some(-32602) None",
        ];
        assert_eq!(noted(&ear), expected);
        assert!(!ear.is_waiting() && ear.has_heard());
    }

    #[test]
    fn one_call_too_many_does_not_get_through() {
        let ear = ear(1);
        assert!(ear.client("", &call(1, json!({}))) && !ear.is_exhausted());
        assert!(!ear.client("", &call(2, json!({}))) && ear.is_exhausted());
        assert_eq!(noted(&ear), ["agent-1 calls get"]);
    }

    #[test]
    fn a_call_that_is_sent_again_with_answers_is_the_same_call() {
        let ear = ear(1);
        let required = |state: &str| {
            json!({"resultType": "input_required", "requestState": state,
                "inputRequests": {"k": {"method": "roots/list", "params": {}}}})
        };
        let again = |id: u32, state: &str| {
            call(id, json!({"requestState": state, "inputResponses": {"k": {"roots": []}}}))
        };
        assert!(ear.client("", &call(1, json!({}))));
        ear.server("", &answer(1, required("s")));
        assert!(ear.client("", &again(2, "s")) && !ear.is_exhausted(), "the first round of questions");
        ear.server("", &answer(2, required("t")));
        assert!(ear.client("", &again(3, "t")) && !ear.is_exhausted(), "and the second");
        ear.server("", &answer(3, json!({"content": []})));
        // Nothing waits for an answer any more: whatever it carries, this is a second call.
        assert!(!ear.client("", &again(4, "t")) && ear.is_exhausted());
        let calls = noted(&ear).into_iter().filter(|words| words.contains("calls")).count();
        assert_eq!(calls, 1, "{:?}", noted(&ear));
    }

    #[test]
    fn one_answer_does_not_let_several_calls_through() {
        let ear = ear(1);
        ear.client("", &call(1, json!({})));
        ear.server("", &answer(1, json!({"resultType": "input_required", "requestState": "s"})));
        let again = call(2, json!({"requestState": "s"}));
        assert!(!ear.client("", &format!("[{again},{again}]")) && ear.is_exhausted());
    }

    #[test]
    fn questions_of_either_era_are_paired_with_their_answers() {
        let ear = ear(9);
        let ask = json!({"jsonrpc": "2.0", "id": 0, "method": "elicitation/create", "params": {}});
        ear.server("", &ask.to_string());
        ear.client("", &answer(0, json!({"action": "accept"})));
        ear.client("", &call(1, json!({})));
        let required = json!({"resultType": "input_required", "requestState": "s",
            "inputRequests": {"k": {"method": "roots/list", "params": {}}}});
        ear.server("", &answer(1, required));
        ear.client("", &call(2, json!({"requestState": "s", "inputResponses": {"k": {"roots": []}}})));
        ear.server("", &answer(2, json!({"content": []})));
        let expected = [
            r#"asked elicitation/create: {"action":"accept"}"#,
            "agent-1 calls get",
            r#"asked roots/list: {"roots":[]}"#,
            "agent-1 returned, error false",
        ];
        assert_eq!(noted(&ear), expected);
    }

    #[test]
    fn tasks_end_a_call_in_either_form() {
        let ear = ear(9);
        ear.client("", &call(1, json!({"task": {}})));
        ear.server("", &answer(1, json!({"task": {"taskId": "t", "status": "working"}})));
        ear.client("", r#"{"jsonrpc":"2.0","id":2,"method":"tasks/result","params":{"taskId":"t"}}"#);
        ear.server("", &answer(2, json!({"content": []})));
        ear.client("", &call(3, json!({})));
        ear.server("", &answer(3, json!({"resultType": "task", "taskId": "u", "status": "working"})));
        ear.client("", r#"{"jsonrpc":"2.0","id":4,"method":"tasks/get","params":{"taskId":"u"}}"#);
        let done = json!({"taskId": "u", "status": "completed", "result": {"content": []}});
        ear.server("", &answer(4, done));
        let ends = noted(&ear).into_iter().filter(|words| words.contains("returned")).count();
        assert_eq!(ends, 2, "{:?}", noted(&ear));
    }

    #[test]
    fn lists_come_in_pages_and_openings_and_notes_are_kept() {
        let ear = ear(9);
        let list = |id: u32, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params});
        ear.client("", &list(1, json!({})).to_string());
        ear.server("", &answer(1, json!({"tools": [{"name": "a"}], "nextCursor": "p"})));
        ear.client("", &list(2, json!({"cursor": "p"})).to_string());
        ear.server("", &answer(2, json!({"tools": [{"name": "b"}]})));
        ear.client("", r#"{"jsonrpc":"2.0","id":3,"method":"initialize","params":{}}"#);
        let opened = json!({"protocolVersion": "2025-11-25", "serverInfo": {"name": "n", "version": "1"}});
        ear.server("", &answer(3, opened));
        ear.server("", r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#);
        ear.server("", "garbage");
        assert_eq!(noted(&ear), ["2 tools", "opened n 2025-11-25", "noted notifications/progress", "odd"]);
    }

    #[test]
    fn a_status_refuses_what_was_sent_with_it() {
        let ear = ear(9);
        ear.client("", &call(1, json!({})));
        ear.refused("", &call(1, json!({})), (403, None, "forbidden"));
        assert_eq!(noted(&ear), ["agent-1 calls get", "agent-1 refused None Some(403)"]);
    }
}
