//! A provider in a storm: it refuses, fails, cuts and hangs at random but always alike, and counts what came above the
//! rate that it announces.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

/// What came.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Requests.
    pub(crate) requests: u64,
    /// Requests above the announced rate.
    pub(crate) above: u64,
    /// Answered, by prompt.
    pub(crate) answered: HashMap<String, u64>,
    /// Refused with 429, failed with 5xx, cut, hung.
    pub(crate) faults: [u64; 4],
    first: Option<Instant>,
    last: Option<Instant>,
    level: f64,
}

impl Seen {
    /// From the first request to the last.
    pub(crate) fn took(&self) -> Duration {
        self.first.zip(self.last).map(|(first, last)| last - first).unwrap_or_default()
    }
}

#[derive(Clone)]
struct Storm {
    per_minute: f64,
    seen: Arc<Mutex<Seen>>,
}

/// Serves on loopback and announces `per_minute` requests, a twentieth of them at once.
pub(crate) async fn serve(per_minute: u32) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let storm = Storm { per_minute: f64::from(per_minute), seen: Arc::clone(&seen) };
    let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(storm);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, seen)
}

async fn answer(State(storm): State<Storm>, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let prompt = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    let mut seen = storm.seen.lock().unwrap();
    let dice = dice(&prompt, seen.requests);
    seen.requests += 1;
    let now = Instant::now();
    seen.first.get_or_insert(now);
    let (burst, per_second) = (storm.per_minute * 0.05, storm.per_minute / 60.0);
    let passed = seen.last.map_or(f64::MAX, |last| (now - last).as_secs_f64());
    seen.level = (seen.level + passed * per_second).min(burst) - 1.0;
    seen.last = Some(now);
    // One request may have been late on its way and meet the next.
    if seen.level < -2.0 {
        seen.above += 1;
    }
    let fault = match dice {
        0..300 => Some(0),
        300..350 => Some(1),
        350..370 => Some(2),
        370..380 => Some(3),
        _ => None,
    };
    if let Some(fault) = fault {
        seen.faults[fault] += 1;
    } else {
        *seen.answered.entry(prompt.clone()).or_default() += 1;
    }
    drop(seen);
    let text = format!("Heard: {prompt}");
    match fault {
        Some(0) => (StatusCode::TOO_MANY_REQUESTS, [("retry-after-ms", "40")], "slow down").into_response(),
        Some(1) => (StatusCode::BAD_GATEWAY, "no").into_response(),
        Some(2) => events(vec![piece(&text[..text.len() / 2])]),
        Some(_) => Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()).into_response(),
        None => events(vec![piece(&text), end(), "data: [DONE]\n\n".to_owned()]),
    }
}

fn events(pieces: Vec<String>) -> Response {
    let body = Body::from_stream(stream::iter(pieces).map(Ok::<_, Infallible>));
    ([("content-type", "text/event-stream")], body).into_response()
}

fn piece(text: &str) -> String {
    let choices = json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]);
    format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices})
    )
}

fn end() -> String {
    let choices = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110});
    let last = json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices, "usage": usage});
    format!("data: {last}\n\n")
}

/// A number below 1,000 that depends on its arguments alone.
fn dice(prompt: &str, number: u64) -> u64 {
    let bytes = prompt.bytes().chain(number.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) % 1_000
}

/// A project whose suite asks `cases` prompts of a model at this address.
pub(crate) fn project(address: SocketAddr, per_minute: u32, cases: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "evals/models/stormy.yaml",
        format!(
            "dialect: openai\nbase_url: http://{address}/v1\nstream: true\ntimeout: 2s\n\
             price: {{input: 1, output: 1}}\nlimits: {{requests_per_minute: {per_minute}, concurrency: 200}}\n"
        ),
    );
    let cases: String = (0..cases)
        .map(|n| {
            format!("  - {{id: c{n}, prompt: Say number {n}., expect: [answer_contains: 'number {n}.']}}\n")
        })
        .collect();
    write(
        "suites/storm.yaml",
        format!(
            "version: 1\ntarget: {{command: [rehearsal, demo-server, --open, --transport, http], transport: http}}\n\
             personas: [anonymous]\ndefaults: {{persona: anonymous, limits: {{time: 5s}}}}\nmodels: [stormy]\n\
             cases:\n{cases}"
        ),
    );
    dir
}
