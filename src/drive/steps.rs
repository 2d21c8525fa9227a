//! Setup, verify and cleanup: what the harness calls, reads and gets around a conversation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{World, agent, errands};
use crate::ids::CallId;
use crate::mcp::profile::Results;
use crate::mcp::{Host, Refusal, Session};
use crate::plan::{Case, UseWork};
use crate::suite::{CommandStep, HttpStep, Step};
use crate::transcript::event::Caller;
use crate::transcript::{End, Fault, Recorder, Side, ToolCall, What};

/// Runs the setup steps. A step that fails ends the trial as missing data: nothing was measured.
pub async fn setup(work: &UseWork, around: Around<'_>) -> Result<(), End> {
    for (index, step) in work.setup.iter().enumerate() {
        let place = Place { phase: "setup", index };
        let (result, ok) = run(&step.value, place, around).await.map_err(End::Faulted)?;
        if !ok {
            let (name, result) = (step.value.name(), crate::display::excerpt(&result, 200));
            let message = format!("setup step `{name}` failed: {result}");
            return Err(End::Faulted(Fault::new(Side::Harness, "case.setup-failed", message)));
        }
    }
    Ok(())
}

/// Runs the verify steps; what they return is checked later, from the record.
pub async fn verify(work: &UseWork, around: Around<'_>) -> Result<(), End> {
    for (index, step) in work.verify.iter().enumerate() {
        let place = Place { phase: "verify", index };
        run(&step.value.step, place, around).await.map_err(End::Faulted)?;
    }
    Ok(())
}

/// Runs the cleanup steps, whatever happened before; their failures are recorded and change nothing.
pub async fn cleanup(work: &UseWork, around: Around<'_>) {
    for (index, step) in work.cleanup.iter().enumerate() {
        let place = Place { phase: "cleanup", index };
        let _ = run(&step.value, place, around).await;
    }
}

/// Where a step stands.
#[derive(Clone, Copy)]
struct Place {
    phase: &'static str,
    index: usize,
}

/// What surrounds a conversation, and the steps before and after it.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The trial.
    pub case: &'a Case,
    /// Everything outside.
    pub world: &'a World,
    /// The record.
    pub log: &'a Recorder,
    /// The session of the case's persona.
    pub session: &'a dyn Session,
    /// Who answers when the server asks.
    pub host: &'a Arc<dyn Host>,
}

/// One step: the text of its result, and whether it worked.
async fn run(step: &Step, place: Place, around: Around<'_>) -> Result<(String, bool), Fault> {
    let Around { case, world, log, session, host } = around;
    let wanted = Wanted::of(step, place, log);
    let Done { text, result, ok } = match step.persona() {
        None => match wanted.outside(world).await? {
            Some(done) => done,
            None => wanted.from(session, log).await?,
        },
        Some(persona) => {
            let aside = log.aside(persona);
            let other = world.open(persona, case, &aside, Some(host)).await?;
            let done = wanted.from(other.as_ref(), log).await;
            other.close().await;
            done?
        }
    };
    let about = format!("{}#{}", step.name(), place.index);
    log.note(What::StepRan { phase: place.phase.to_owned(), about, result, ok });
    Ok((text, ok))
}

/// What a step wants of the server.
enum Wanted<'a> {
    Call(ToolCall),
    Resource(&'a str),
    Prompt(&'a str, Value),
    Http(&'a HttpStep),
    Command(&'a CommandStep),
}

/// What came of it.
struct Done {
    text: String,
    /// What paths of verify steps lead into.
    result: Value,
    ok: bool,
}

impl<'a> Wanted<'a> {
    /// A call is in the record before anything is done for it.
    fn of(step: &'a Step, place: Place, log: &Recorder) -> Self {
        match step {
            Step::Tool(tool) => {
                let args = if tool.args.is_null() { json!({}) } else { tool.args.clone() };
                let id = CallId::new(format!("{}-{}", place.phase, place.index));
                let call = ToolCall { id, name: tool.name.clone(), args };
                let (id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
                log.note(What::ToolCalled { call: id, name, args, by: Caller::Harness });
                Self::Call(call)
            }
            Step::Http(step) => Self::Http(step),
            Step::Command(step) => Self::Command(step),
            Step::Resource(step) => Self::Resource(&step.uri),
            Step::Prompt(step) => match step.arguments.is_empty() {
                true => Self::Prompt(&step.name, Value::Null),
                false => Self::Prompt(&step.name, json!(step.arguments)),
            },
        }
    }

    /// What is done without the target.
    async fn outside(&self, world: &World) -> Result<Option<Done>, Fault> {
        let came = match self {
            Self::Http(step) => errands::http(step, world).await?,
            Self::Command(step) => errands::command(step, world).await?,
            Self::Call(_) | Self::Resource(_) | Self::Prompt(..) => return Ok(None),
        };
        Ok(Some(Done::with(came.result, came.ok)))
    }

    async fn from(&self, session: &dyn Session, log: &Recorder) -> Result<Done, Fault> {
        match self {
            Self::Call(call) => {
                let before = log.len();
                // What a step of the harness reads is not cut by the client that is emulated.
                let shown = agent::perform(session, call, log, &Results::default()).await?;
                let result = returned(log, before).unwrap_or_else(|| Value::String(shown.text.clone()));
                Ok(Done { text: shown.text, result, ok: !shown.is_error })
            }
            Self::Resource(uri) => Ok(Done::of(session.read_resource(uri).await?.map(contents))),
            Self::Prompt(name, args) => Ok(Done::of(session.get_prompt(name, args).await?)),
            Self::Http(_) | Self::Command(_) => Ok(Done::with(Value::Null, false)),
        }
    }
}

impl Done {
    fn of(got: Result<Value, Refusal>) -> Self {
        let (result, ok) = match got {
            Ok(result) => (result, true),
            Err(refusal) => (Value::String(refusal.message), false),
        };
        Self::with(result, ok)
    }

    fn with(result: Value, ok: bool) -> Self {
        let text = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
        Self { text, result, ok }
    }
}

/// What a resource holds: of a single text that, as JSON where it is JSON; of anything else the whole result.
fn contents(result: Value) -> Value {
    let only = match result.get("contents").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => only.get("text").and_then(Value::as_str),
        _ => None,
    };
    match only {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        None => result,
    }
}

/// The structured result, or the JSON in its text, of the first call answered since an event.
fn returned(log: &Recorder, since: usize) -> Option<Value> {
    (since..log.len()).find_map(|seq| match log.event(seq as u32)?.what {
        What::ToolReturned { structured: Some(value), .. } => Some(value),
        What::ToolReturned { content, .. } => {
            serde_json::from_str(&crate::transcript::view::text_of(&content)).ok()
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_text_is_what_a_resource_holds() {
        let one = |text: &str| json!({"contents": [{"uri": "a:b", "text": text}]});
        assert_eq!(contents(one("{\"status\": 1}")), json!({"status": 1}));
        assert_eq!(contents(one("plain words")), json!("plain words"));
        let two = json!({"contents": [{"uri": "a:b", "text": "1"}, {"uri": "a:c", "text": "2"}]});
        assert_eq!(contents(two.clone()), two);
        let blob = json!({"contents": [{"uri": "a:b", "blob": "AA=="}]});
        assert_eq!(contents(blob.clone()), blob);
    }
}
