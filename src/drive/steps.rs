//! Setup, verify and cleanup: tool calls of the harness around a conversation.

use std::sync::Arc;

use serde_json::Value;

use super::{World, agent};
use crate::ids::CallId;
use crate::mcp::profile::Results;
use crate::mcp::{Host, Session};
use crate::plan::{Case, UseWork};
use crate::suite::{Step, ToolStep};
use crate::transcript::event::Caller;
use crate::transcript::{End, Fault, Recorder, Side, ToolCall, What};

/// Runs the setup steps. A step that fails ends the trial as missing data: nothing was measured.
pub async fn setup(work: &UseWork, around: Around<'_>) -> Result<(), End> {
    for (index, step) in work.setup.iter().enumerate() {
        let Step::Tool(tool) = &step.value;
        let place = Place { phase: "setup", index };
        let (result, ok) = run(tool, place, around).await.map_err(End::Faulted)?;
        if !ok {
            let message =
                format!("setup step `{}` failed: {}", tool.name, crate::display::excerpt(&result, 200));
            return Err(End::Faulted(Fault::new(Side::Harness, "case.setup-failed", message)));
        }
    }
    Ok(())
}

/// Runs the verify steps; what they return is checked later, from the record.
pub async fn verify(work: &UseWork, around: Around<'_>) -> Result<(), End> {
    for (index, step) in work.verify.iter().enumerate() {
        let place = Place { phase: "verify", index };
        run(&step.value.tool, place, around).await.map_err(End::Faulted)?;
    }
    Ok(())
}

/// Runs the cleanup steps, whatever happened before; their failures are recorded and change nothing.
pub async fn cleanup(work: &UseWork, around: Around<'_>) {
    for (index, step) in work.cleanup.iter().enumerate() {
        let Step::Tool(tool) = &step.value;
        let place = Place { phase: "cleanup", index };
        let _ = run(tool, place, around).await;
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
async fn run(step: &ToolStep, place: Place, around: Around<'_>) -> Result<(String, bool), Fault> {
    let Around { case, world, log, session, host } = around;
    let args = if step.args.is_null() { Value::Object(serde_json::Map::new()) } else { step.args.clone() };
    let call = ToolCall {
        id: CallId::new(format!("{}-{}", place.phase, place.index)),
        name: step.name.clone(),
        args: args.clone(),
    };
    log.note(What::ToolCalled { call: call.id.clone(), name: call.name.clone(), args, by: Caller::Harness });
    let before = log.len();
    // What a step of the harness reads is not cut by the client that is emulated.
    let rules = &Results::default();
    let shown = match &step.persona {
        None => agent::perform(session, &call, log, rules).await?,
        Some(persona) => {
            let other = world.open(persona, case, log, Some(host)).await?;
            let outcome = agent::perform(other.as_ref(), &call, log, rules).await;
            other.close().await;
            outcome?
        }
    };
    let (text, is_error) = (shown.text, shown.is_error);
    let result = returned(log, before).unwrap_or_else(|| Value::String(text.clone()));
    let about = format!("{}#{}", step.name, place.index);
    log.note(What::StepRan { phase: place.phase.to_owned(), about, result, ok: !is_error });
    Ok((text, !is_error))
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
