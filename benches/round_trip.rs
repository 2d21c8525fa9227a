//! One `tools/call` through the embedded client, recorded and with its deadline, against the same request as a bare POST
//! to the same server. The aim is at most 1.3 times the time of the bare one.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]
#![allow(clippy::disallowed_methods, reason = "a benchmark takes the time itself")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use criterion::{Criterion, criterion_group, criterion_main};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::revision::Choice;
use rehearsal::mcp::{Anonymous, ClientProfile, Endpoint, Identity, Isolation, Opening};
use rehearsal::net;
use rehearsal::transcript::{Clock, Recorder, Secrets};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A server that adds two numbers.
async fn serve(method: Method, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let result = match request["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "adder", "version": "1"},
        }),
        Some("server/discover") => json!({
            "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "ttlMs": 0, "cacheScope": "public",
        }),
        Some("tools/call") => json!({
            "resultType": "complete", "content": [{"type": "text", "text": "1014"}], "isError": false,
        }),
        _ if method == Method::POST => return StatusCode::ACCEPTED.into_response(),
        _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    };
    let answer = Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
    ([("mcp-session-id", "s1")], answer).into_response()
}

fn start(runtime: &Runtime) -> url::Url {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(serve);
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    })
}

fn round_trip(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let url = start(&runtime);
    let client = net::client().unwrap();
    let speaking = |revision: &str| {
        let endpoint = Endpoint::Http { url: url.clone(), headers: BTreeMap::new() };
        let choice = Choice::named(revision).unwrap();
        target(endpoint, Isolation::Run, Keeper::new(client.clone()).speaking(choice))
    };
    let (identity, profile): (Identity, _) = (Arc::new(Anonymous), ClientProfile::reference());
    let args = json!({"a": 7, "b": 1007});
    let mut group = criterion.benchmark_group("tools-call");

    group.bench_function("bare POST", |bencher| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "add", "arguments": args, "_meta": {"progressToken": 1}}});
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..times {
                    let request = client
                        .post(url.clone())
                        .header("content-type", "application/json")
                        .header("accept", "application/json, text/event-stream")
                        .header("mcp-protocol-version", "2025-11-25")
                        .header("mcp-session-id", "s1")
                        .body(call.to_string());
                    let bytes = request.send().await.unwrap().bytes().await.unwrap();
                    assert!(serde_json::from_slice::<Value>(&bytes).unwrap()["result"].is_object());
                }
                begun.elapsed()
            })
        });
    });

    for (name, revision) in [("embedded client", "2025-11-25"), ("embedded client, stateless", "2026-07-28")]
    {
        let server = speaking(revision);
        group.bench_function(name, |bencher| {
            // A session and a record of its own for each sample, so that the record does not grow without end.
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let log = Recorder::new(Clock::system(), Secrets::default());
                    let opening = Opening::new(&identity, &profile);
                    let session = server.open(opening, log).await.unwrap();
                    let begun = Instant::now();
                    for _ in 0..times {
                        session.call_tool("add", &args).await.unwrap();
                    }
                    let took = begun.elapsed();
                    session.close().await;
                    took
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
