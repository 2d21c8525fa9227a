//! Access cases: list as the persona, then try calls; no model.

use serde_json::{Value, json};

use super::{World, agent, surface};
use crate::ids::{CallId, ToolName};
use crate::mcp::profile::Results;
use crate::mcp::{Session, example};
use crate::plan::{AccessCall, Case};
use crate::transcript::event::Caller;
use crate::transcript::{End, Fault, Recorder, ToolCall, What};

/// The start of the name of a tool that no server has. A call to it shows how the target answers unknown tools; a
/// forbidden tool that is answered in the same shape counts as denied.
pub const NONEXISTENT: &str = "rehearsal_nonexistent_";

/// Lists the tools, calls a nonexistent one as the reference, then every tool of the row. A target that lets the
/// persona in nowhere has shown and allowed nothing, which is an observation and not a fault.
pub async fn run(case: &Case, calls: &[AccessCall], world: &World, log: &Recorder) -> End {
    let session = match world.open(&case.persona.name, case, log, None).await {
        Ok(session) => session,
        Err(fault) if fault.code == "target.unauthorized" => return shut_out(calls, &fault, log),
        Err(fault) => return End::Faulted(fault),
    };
    let end = match probe(case, calls, world, (log, session.as_ref())).await {
        Ok(()) => End::Done,
        Err(fault) => End::Faulted(fault),
    };
    session.close().await;
    end
}

async fn probe(
    case: &Case,
    calls: &[AccessCall],
    world: &World,
    (log, session): (&Recorder, &dyn Session),
) -> Result<(), Fault> {
    session.list_tools().await?;
    // The suffix is the same for every trial of a question, so equal runs leave equal records.
    let unknown = ToolName::new(format!("{NONEXISTENT}{}", &case.header.key.question.to_string()[..8]));
    let reference = AccessCall { tool: unknown, args: json!({}) };
    for (index, call) in std::iter::once(&reference).chain(calls).enumerate() {
        let args = match &call.args {
            Value::Object(map) if map.is_empty() => {
                let known = surface::find(&world.surfaces, &call.tool);
                known.map_or_else(|| json!({}), |fact| example::arguments(&fact.input_schema()))
            }
            given => given.clone(),
        };
        let call = ToolCall { id: CallId::new(format!("probe-{index}")), name: call.tool.clone(), args };
        let (id, name, args) = (call.id.clone(), call.name.clone(), call.args.clone());
        log.note(What::ToolCalled { call: id, name, args, by: Caller::Harness });
        agent::perform(session, &call, log, &Results::default()).await?;
    }
    Ok(())
}

/// The record of a persona that was refused at the door: no tool listed, every call refused.
fn shut_out(calls: &[AccessCall], fault: &Fault, log: &Recorder) -> End {
    log.note(What::ToolsListed { tools: vec![] });
    for (index, call) in calls.iter().enumerate() {
        let id = CallId::new(format!("probe-{index}"));
        let (name, args) = (call.tool.clone(), call.args.clone());
        log.note(What::ToolCalled { call: id.clone(), name, args, by: Caller::Harness });
        let message = fault.message.clone();
        log.note(What::ToolRefused { call: id, code: None, status: Some(401), message, took_ms: 0 });
    }
    End::Done
}
