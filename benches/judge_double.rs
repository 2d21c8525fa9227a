//! A judge for measurements: answers every judge request as a careful judge would who finds every statement true.
//!
//! It is no benchmark. `cargo bench --bench judge_double -- --port 8123` serves until it is killed; without `--port` it
//! ends at once, so that `cargo bench` runs through. A stand-in that only fills in the reply's schema is of no use here:
//! the judge's reply must echo a token and get two control questions right, or the trial is invalid.
#![allow(missing_docs, reason = "a program")]

use axum::Json;
use axum::Router;
use axum::routing::post;
use serde_json::{Map, Value, json};

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip_while(|arg| arg != "--port").skip(1);
    let Some(port) = args.next().and_then(|port| port.parse::<u16>().ok()) else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let app = Router::new()
            .route("/v1/chat/completions", post(|Json(body): Json<Value>| async move { answer(&body) }));
        axum::serve(listener, app).await
    })
}

/// A completion whose text is the verdict.
fn answer(body: &Value) -> Json<Value> {
    let prompt = body["messages"]
        .as_array()
        .and_then(|all| all.last())
        .map_or("", |last| last["content"].as_str().unwrap_or_default());
    let text = verdict(prompt).to_string();
    Json(json!({
        "id": "judge-1", "object": "chat.completion", "created": 0, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960},
    }))
}

/// Yes to every criterion but the control question whose answer is no; each rests on the last event shown.
fn verdict(prompt: &str) -> Value {
    let lines = prompt.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut canary, mut ids, mut last) = (Value::Null, vec![], 0);
    for line in lines {
        if line["canary"].is_string() {
            canary = line["canary"].clone();
        } else if let Some(id) = line["criterion"].as_str() {
            ids.push((id.to_owned(), line["statement"].clone()));
        } else if let Some(event) = line["event"].as_u64() {
            last = event;
        }
    }
    let mut reply = Map::new();
    reply.insert("canary".into(), canary);
    for (id, statement) in ids {
        let verdict = if statement == "The transcript contains no event at all." { "no" } else { "yes" };
        let one =
            json!({"evidence": [last], "reason": "The event shows it.", "doubt": "none", "verdict": verdict});
        reply.insert(id, one);
    }
    Value::Object(reply)
}
