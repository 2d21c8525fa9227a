//! `tools/call` to its end: with its headers, its rounds, and the long work that a server may put behind a handle.
//!
//! Two forms of tasks: in the core of 2025-11-25 the client asks for one, where a tool needs it; in the extension
//! `io.modelcontextprotocol/tasks` of 2026-07-28 the server decides. Both are polled within the call's deadline, which
//! progress moves as it does for any call; a task that outlasts it is cancelled.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::hub::Reply;
use super::line::late;
use super::refusal::from_error;
use super::request::Request;
use super::revision::Era;
use super::rounds::Answers;
use super::session::{Conversation, Got, Known, code_of};
use super::shape::{self, Kind};
use super::{Refusal, ToolOutcome, era, facts, habits, jsonrpc, mirror, terms};
use crate::display;
use crate::transcript::Fault;

/// Pause between looks at a task whose server names none.
const POLL: Duration = Duration::from_secs(1);
/// The pauses that are honoured.
const POLLS: (u64, u64) = (10, 30_000);
/// How long a cancelled task's server may take to say so.
const PARTING: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct CallParams<'a> {
    name: &'a str,
    arguments: &'a Value,
    /// Asks for a task (2025-11-25).
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Value>,
}

/// What a task came to: a result with its size, or a refusal.
type Done = Result<(Value, u64), Refusal>;

impl Conversation {
    /// `tools/call`.
    pub(super) async fn call(&self, name: &str, args: &Value) -> Result<ToolOutcome, Fault> {
        let known = self.tools().get(name).cloned().unwrap_or_default();
        let mut got = self.call_as(name, args, &known).await?;
        if self.era() == Era::Modern && code_of(&got) == Some(era::HEADER_MISMATCH) {
            // The schema may have changed since it was listed (2026-07-28, Streamable HTTP, "Client Behavior").
            self.odd_once(format!(
                "`tools/call` got error {}; the tools were listed again and the call repeated",
                era::HEADER_MISMATCH
            ));
            self.listed_tools().await?;
            let known = self.tools().get(name).cloned().unwrap_or_default();
            got = self.call_as(name, args, &known).await?;
        }
        let done = match self.task_in(&got)? {
            Some(task) => self.follow(task).await?,
            None => self.complete("tools/call", got)?,
        };
        match done {
            Ok((result, bytes)) => facts::outcome(result, bytes).map_err(|why| self.broken(why)),
            Err(refusal) => Ok(ToolOutcome::Refused(refusal)),
        }
    }

    async fn call_as(&self, name: &str, args: &Value, known: &Known) -> Result<Got, Fault> {
        let declared = self.facts.capabilities.pointer("/tasks/requests/tools/call").is_some();
        let as_task = self.era() == Era::Legacy && known.needs_task && declared;
        let params = CallParams { name, arguments: args, task: as_task.then(|| json!({})) };
        let mirrored = mirror::headers(&known.mirrored, args);
        let keys = self.terms.call_meta.as_deref();
        let extras = keys.map(|keys| habits::extras(keys, self.calls.fetch_add(1, Ordering::Relaxed)));
        let request = Request {
            progress: keys.is_none_or(|keys| keys.iter().any(|key| key == "progressToken")),
            meta: extras.as_ref(),
            mirrored: &mirrored,
            ..Request::new("tools/call", Some(&params)).named(Some(name))
        };
        self.whole(&request, known.repeatable).await
    }

    /// The task that stands in place of a result, if one does.
    fn task_in(&self, got: &Got) -> Result<Option<Value>, Fault> {
        let Ok(Reply { outcome: Ok(result), .. }) = got else { return Ok(None) };
        match self.era() {
            Era::Legacy => Ok(result.get("task").filter(|task| task.is_object()).cloned()),
            Era::Modern if shape::kind(result) == Kind::Task => {
                if self.terms.extends(terms::TASKS) {
                    return Ok(Some(Value::clone(result)));
                }
                Err(self.broken("the server began a task though the client does not declare them".to_owned()))
            }
            Era::Modern => Ok(None),
        }
    }

    /// Polls a task to its end.
    async fn follow(&self, mut task: Value) -> Result<Done, Fault> {
        let Some(id) = task.get("taskId").and_then(Value::as_str).map(str::to_owned) else {
            return Err(self.broken("a task came without `taskId`".to_owned()));
        };
        let begun = Instant::now();
        let hard = begun + self.patience.whole;
        let mut deadline = begun + self.patience.quiet;
        let mut answered = HashSet::new();
        let mut fresh = false;
        loop {
            let status = task.get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
            match (self.era(), status.as_str()) {
                (_, "working") => {}
                (Era::Legacy, "completed" | "failed" | "cancelled" | "input_required") => {
                    return self.about("tasks/result", &id, Map::new()).await;
                }
                // The handle itself need not hold what the state implies.
                (Era::Modern, "completed" | "failed" | "input_required") if !fresh => {}
                (Era::Modern, "completed") => {
                    let result = task.get_mut("result").map(Value::take).unwrap_or_default();
                    let bytes = result.to_string().len() as u64;
                    return Ok(Ok((result, bytes)));
                }
                (Era::Modern, "failed") => {
                    let error = jsonrpc::rpc_error(task.get("error").unwrap_or(&Value::Null));
                    return Ok(Err(from_error(error, None)));
                }
                (Era::Modern, "cancelled") => return Ok(Err(gone("the server cancelled the task"))),
                (Era::Modern, "input_required") => {
                    if let Some(refusal) = self.answer_task(&id, &mut task, &mut answered).await? {
                        self.cancel(&id).await;
                        return Ok(Err(refusal));
                    }
                }
                (_, other) => {
                    let other = display::excerpt(other, 40);
                    return Err(self.broken(format!("a task has the unknown status `{other}`")));
                }
            }
            let pause = if status == "working" || fresh { pause(&task) } else { Duration::ZERO };
            if Instant::now() + pause > deadline {
                sleep(deadline.saturating_duration_since(Instant::now())).await;
                self.cancel(&id).await;
                return Err(self.line.broke(late("tools/call", self.patience.quiet)));
            }
            sleep(pause).await;
            let next = match self.about("tasks/get", &id, Map::new()).await? {
                Ok((next, _)) => next,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if ["status", "statusMessage", "lastUpdatedAt"].iter().any(|key| next.get(key) != task.get(key)) {
                deadline = (Instant::now() + self.patience.quiet).min(hard);
            }
            (task, fresh) = (next, true);
        }
    }

    /// Answers the questions of a task that have not been answered.
    async fn answer_task(
        &self,
        id: &str,
        task: &mut Value,
        answered: &mut HashSet<String>,
    ) -> Result<Option<Refusal>, Fault> {
        let Some(Value::Object(questions)) = task.get_mut("inputRequests").map(Value::take) else {
            return Err(self.broken("a task needs input and does not say which".to_owned()));
        };
        let open: Map<String, Value> =
            questions.into_iter().filter(|(key, _)| !answered.contains(key)).collect();
        if open.is_empty() {
            return Ok(None);
        }
        answered.extend(open.keys().cloned());
        let responses = match self.answers(open).await? {
            Answers::All(responses) => responses,
            Answers::Refused(refusal) => return Ok(Some(refusal)),
        };
        let more = Map::from_iter([("inputResponses".to_owned(), Value::Object(responses))]);
        Ok(self.about("tasks/update", id, more).await?.err())
    }

    /// A request about a task.
    async fn about(&self, method: &str, id: &str, mut params: Map<String, Value>) -> Result<Done, Fault> {
        params.insert("taskId".to_owned(), id.into());
        let request = Request::new(method, Some(&params)).named(Some(id));
        let got = self.ask(&request, self.patience, true).await?;
        self.complete(method, got)
    }

    /// Ends a task that nobody waits for any more.
    async fn cancel(&self, id: &str) {
        // Whether it arrives changes nothing for us.
        let _ = timeout(PARTING, self.about("tasks/cancel", id, Map::new())).await;
    }
}

fn pause(task: &Value) -> Duration {
    let named = task.get("pollIntervalMs").or_else(|| task.get("pollInterval")).and_then(Value::as_u64);
    named.map_or(POLL, |ms| Duration::from_millis(ms.clamp(POLLS.0, POLLS.1)))
}

fn gone(message: &str) -> Refusal {
    Refusal { code: None, status: None, message: message.to_owned(), data: None, challenge: None }
}
