//! A thousand sessions at the same time with one server, each with an open listening stream, a list of twenty tools and
//! a call: the memory of the whole process that holds them. The server runs in a process of its own.
//!
//! It measures once and prints what it saw; above the bar of 200 MB it fails. `cargo bench --bench sessions`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark takes the time and prints")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::http::{Method, Response, StatusCode};
use axum::response::IntoResponse;
use axum::{Json, Router};
use futures::StreamExt;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::profile::Protocol;
use rehearsal::mcp::{Anonymous, ClientProfile, Endpoint, Identity, Isolation, Opening};
use rehearsal::net;
use rehearsal::transcript::{Clock, Recorder, Secrets};
use serde_json::{Value, json};

const SESSIONS: usize = 1_000;
/// Handshakes under way at the same time; the sessions stay open.
const WIDTH: usize = 64;
const BAR_MB: u64 = 200;

static GIVEN: AtomicUsize = AtomicUsize::new(0);

async fn serve(method: Method, body: String) -> Response<Body> {
    if method == Method::GET {
        // Open for as long as the client wants it.
        let silence = futures::stream::once(async { Ok::<_, Infallible>(": here\n\n") });
        let stream = Body::from_stream(silence.chain(futures::stream::pending()));
        return Response::builder().header("content-type", "text/event-stream").body(stream).unwrap();
    }
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let result = match request["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "many", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": (0..20).map(tool).collect::<Vec<_>>()}),
        Some("tools/call") => json!({"content": [{"type": "text", "text": "x".repeat(1_000)}]}),
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    let session = format!("s{}", GIVEN.fetch_add(1, Ordering::Relaxed));
    let answer = Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result}));
    ([("mcp-session-id", session)], answer).into_response()
}

fn tool(number: usize) -> Value {
    let schema = json!({"type": "object", "properties": {"query": {"type": "string", "description": "What to look for."}}});
    json!({"name": format!("tool-{number}"), "description": "Looks for something and says what it found.", "inputSchema": schema})
}

#[tokio::main]
async fn main() {
    if std::env::args().any(|arg| arg == "--serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("http://{}/mcp", listener.local_addr().unwrap());
        return axum::serve(listener, Router::new().fallback(serve)).await.unwrap();
    }
    let mut server =
        Command::new(std::env::current_exe().unwrap()).arg("--serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let seen = measure(line.trim().parse().unwrap()).await;
    let _ = server.kill();
    let _ = server.wait();
    assert!(seen < BAR_MB, "{seen} MB resident, the bar is {BAR_MB} MB");
}

async fn measure(url: url::Url) -> u64 {
    let before = resident_mb();
    let endpoint = Endpoint::Http { url, headers: BTreeMap::new() };
    let target = target(endpoint, Isolation::Run, Keeper::new(net::client().unwrap()));
    let identity: Identity = Arc::new(Anonymous);
    let mut profile = ClientProfile::reference();
    profile.wire.protocol = Some(Protocol::V20251125);
    let begun = Instant::now();
    let opening = (0..SESSIONS).map(|_| async {
        let log = Recorder::new(Clock::system(), Secrets::default());
        let session = target.open(Opening::new(&identity, &profile), log.clone()).await.unwrap();
        assert_eq!(session.list_tools().await.unwrap().len(), 20);
        session.call_tool("tool-1", &json!({"query": "x"})).await.unwrap();
        (session, log)
    });
    let open: Vec<_> = futures::stream::iter(opening).buffer_unordered(WIDTH).collect().await;
    let (took, seen) = (begun.elapsed(), resident_mb());
    println!(
        "{SESSIONS} sessions open after {:.1} s: {seen} MB resident, {before} MB before the first; {} KB each",
        took.as_secs_f64(),
        seen.saturating_sub(before) * 1_000 / SESSIONS as u64
    );
    for (session, _) in open {
        session.close().await;
    }
    target.close().await;
    seen
}

/// Resident memory of this process in megabytes, from the kernel.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default();
    kib * 1_024 / 1_000_000
}
