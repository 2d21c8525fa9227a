//! Tasks: of the core in 2025-11-25, of the extension since.

use serde_json::{Value, json};

use super::{Call, Era, RpcError, now, said};
use crate::flawed::Answering;

/// One task.
pub(crate) struct Task {
    owner: String,
    status: &'static str,
}

/// `report`: a task for clients that can wait, at once for others.
pub(crate) fn start<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let owner = call.user.subject.clone();
    let wanted = match call.era {
        Era::Modern => call.declares("/extensions/io.modelcontextprotocol~1tasks"),
        Era::Legacy => call.params["task"].is_object(),
    };
    if !wanted {
        return now(Ok(said(&format!("the report for {owner}"))));
    }
    let id = format!("task-{}", super::random());
    let mut task = shown(&id, "working", call.era);
    call.state().kept().tasks.insert(id, Task { owner, status: "working" });
    now(Ok(match call.era {
        Era::Modern => {
            task["resultType"] = json!("task");
            task
        }
        Era::Legacy => json!({"task": task}),
    }))
}

/// `tasks/list`: one's own.
pub(crate) fn list<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let kept = call.state().kept();
    let own = kept.tasks.iter().filter(|(_, task)| call.mine(&task.owner, "G12"));
    let tasks: Vec<Value> = own.map(|(id, task)| shown(id, task.status, call.era)).collect();
    now(Ok(json!({"tasks": tasks})))
}

/// Everything about one task.
pub(crate) fn about<'a>(call: &'a Call<'a>) -> Answering<'a> {
    now(done(call))
}

fn done(call: &Call<'_>) -> Result<Value, RpcError> {
    let id = call.text("taskId");
    let mut kept = call.state().kept();
    let unknown = || RpcError::invalid(&format!("there is no task {id}"));
    let task = kept.tasks.get_mut(id).ok_or_else(unknown)?;
    if !call.mine(&task.owner, "G12") {
        return Err(match call.server.broken("G12.oracle") {
            true => RpcError::new(403, -32600, &format!("the task {id} is not yours")),
            false => unknown(),
        });
    }
    Ok(match (call.method, call.era) {
        ("tasks/result", _) => said(&format!("the report for {}", task.owner)),
        ("tasks/update", _) => json!({}),
        ("tasks/cancel", era) => {
            task.status = "cancelled";
            if era == Era::Modern { json!({}) } else { shown(id, task.status, era) }
        }
        (_, era) => shown(id, task.status, era),
    })
}

fn shown(id: &str, status: &str, era: Era) -> Value {
    let when = "2026-01-01T00:00:00Z";
    let mut task = json!({"taskId": id, "status": status, "createdAt": when, "lastUpdatedAt": when});
    let suffix = if era == Era::Modern { "Ms" } else { "" };
    task[format!("ttl{suffix}")] = json!(60_000);
    task[format!("pollInterval{suffix}")] = json!(1_000);
    task
}
