//! A run of a thousand trials at once against a model that takes half a second for every answer, whole process, store
//! and reports included: how many answers a second, how much memory, how much processor time for each.
//!
//! `cargo bench --bench throughput -- --cases 10000 --trials 1`, with `--text` for trials that call no tool. Model and
//! server under test are a process of their own on the same machine. It measures once, and fails above the bars of memory
//! and processor time and below that of throughput.
#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement may stop, takes the time and prints"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// What the model takes for an answer.
const LATENCY: Duration = Duration::from_millis(500);
/// Ticks of processor time a second, as Linux tells them to programs.
const TICKS: f64 = 100.0;
/// The bars: a share of the ideal, megabytes, milliseconds for each call.
const BARS: (f64, f64, f64) = (0.95, 300.0, 1.0);

/// What the model saw, in seconds since its process began.
#[derive(Default)]
struct Seen {
    first: Option<f64>,
    ended: Vec<f64>,
    now: usize,
    most: usize,
}

#[derive(Clone)]
struct Model {
    begun: Instant,
    seen: Arc<Mutex<Seen>>,
}

/// Asks for the sum of the numbers in the prompt, and says it when it is there; a prompt without numbers is answered.
async fn complete(State(model): State<Model>, body: Bytes) -> Json<Value> {
    {
        let mut seen = model.seen.lock().unwrap();
        seen.first.get_or_insert_with(|| model.begun.elapsed().as_secs_f64());
        seen.now += 1;
        seen.most = seen.most.max(seen.now);
    }
    tokio::time::sleep(LATENCY).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let last = body["messages"].as_array().and_then(|all| all.last()).unwrap();
    let text = last["content"].as_str().unwrap_or_default();
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let (stop, message) = match (last["role"] == "user", numbers.as_slice()) {
        (true, [a, b]) => {
            let function = json!({"name": "add", "arguments": json!({"a": a, "b": b}).to_string()});
            let call = json!({"id": "call-1", "type": "function", "function": function});
            ("tool_calls", json!({"role": "assistant", "content": null, "tool_calls": [call]}))
        }
        _ => ("stop", json!({"role": "assistant", "content": format!("The answer is {text}.")})),
    };
    let mut seen = model.seen.lock().unwrap();
    seen.now -= 1;
    seen.ended.push(model.begun.elapsed().as_secs_f64());
    Json(json!({
        "id": "c-1", "object": "chat.completion", "created": 0, "model": body["model"],
        "choices": [{"index": 0, "finish_reason": stop, "message": message}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320},
    }))
}

/// A server of revision 2026-07-28 with one tool.
async fn answer(body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = json!({"type": "integer"});
    let add = json!({
        "name": "add", "description": "Adds two numbers.",
        "inputSchema": {"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]},
    });
    let args = &request["params"]["arguments"];
    let mut result = match request["method"].as_str() {
        Some("server/discover") => json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "adder", "version": "1"}, "ttlMs": 0, "cacheScope": "private",
        }),
        Some("tools/list") => json!({"tools": [add], "ttlMs": 0, "cacheScope": "private"}),
        Some("tools/call") => {
            let sum = args["a"].as_u64().zip(args["b"].as_u64()).map(|(a, b)| a + b);
            json!({"content": [{"type": "text", "text": sum.unwrap_or_default().to_string()}]})
        }
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    result["resultType"] = "complete".into();
    Json(json!({"jsonrpc": "2.0", "id": request["id"], "result": result})).into_response()
}

#[tokio::main]
async fn serve() {
    let model = Model { begun: Instant::now(), seen: Arc::default() };
    let told = |State(model): State<Model>| async move {
        let seen = model.seen.lock().unwrap();
        Json(json!({"first": seen.first, "ended": seen.ended, "most": seen.most}))
    };
    let app = Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/seen", get(told))
        .route("/mcp", post(answer))
        .with_state(model);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    axum::serve(listener, app).await.unwrap();
}

/// What is measured.
struct Load {
    cases: usize,
    trials: usize,
    width: usize,
    text: bool,
}

impl Load {
    fn write(&self, dir: &Path, at: &str) {
        fs::create_dir_all(dir.join("evals/models")).unwrap();
        fs::create_dir_all(dir.join("suites")).unwrap();
        let (width, trials) = (self.width, self.trials);
        let model = format!(
            "{{dialect: openai, id: mock-1, base_url: '{at}/v1', price: {{input: 0, output: 0}}, limits: {{concurrency: {width}}}}}\n"
        );
        fs::write(dir.join("evals/models/mock.yaml"), model).unwrap();
        let case = |i: usize| match self.text {
            true => format!(
                "  - {{id: case-{i:06}, prompt: 'Say something of {i}.', expect: [{{answer_contains: answer}}]}}\n"
            ),
            false => format!(
                "  - {{id: case-{i:06}, prompt: 'Add {i} and {} .', expect: [{{tool_called: add}}]}}\n",
                i + 1_000
            ),
        };
        let head = format!(
            "version: 1\ntarget: {{url: '{at}/mcp'}}\npersonas: [anonymous]\nmodels: [mock]\ntrials: {trials}\ncases:\n"
        );
        let suite: String = std::iter::once(head).chain((0..self.cases).map(case)).collect();
        fs::write(dir.join("suites/load.yaml"), suite).unwrap();
    }
}

/// Most resident memory in megabytes and processor time in seconds of a process until it ends, from the kernel.
fn watch(mut child: Child) -> (f64, f64) {
    let (mut most, mut spent) = (0.0, 0.0);
    while child.try_wait().unwrap().is_none() {
        let read =
            |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap_or_default();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib: f64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default();
        most = f64::max(most, kib * 1_024.0 / 1e6);
        // The name of the program may hold anything but is in brackets; user and system time are fields 14 and 15.
        let stat = read("stat");
        let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        spent = f64::max(spent, ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS);
        std::thread::sleep(Duration::from_millis(20));
    }
    (most, spent)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--serve") {
        serve();
        return ExitCode::SUCCESS;
    }
    let number = |flag: &str| {
        args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)?.parse::<usize>().ok())
    };
    // `cargo test --benches` only asks whether it runs.
    let whole = args.iter().any(|arg| arg == "--bench");
    let (cases, width) = if whole { (10_000, 1_000) } else { (20, 10) };
    let (cases, trials) = (number("--cases").unwrap_or(cases), number("--trials").unwrap_or(1));
    let load = Load { cases, trials, width, text: args.iter().any(|arg| arg == "--text") };

    let mut server = Command::new(&args[0]).arg("--serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (at, dir) = (line.trim(), tempfile::tempdir().unwrap());
    load.write(dir.path(), at);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(["eval", "load", "--quiet", "--concurrency", &width.to_string()]).current_dir(dir.path());
    let (megabytes, seconds) = watch(command.stdout(Stdio::null()).spawn().unwrap());
    let seen = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { reqwest::get(format!("{at}/seen")).await.unwrap().json::<Value>().await.unwrap() });
    let _ = server.kill();
    let _ = server.wait();
    told(&load, &seen, (megabytes, seconds), whole)
}

fn told(load: &Load, seen: &Value, (megabytes, seconds): (f64, f64), whole: bool) -> ExitCode {
    let mut ended: Vec<f64> = seen["ended"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    ended.sort_by(f64::total_cmp);
    let calls = ended.len();
    assert_eq!(
        calls,
        load.cases * load.trials * if load.text { 1 } else { 2 },
        "no call is lost or made twice"
    );
    let ideal = load.width as f64 / LATENCY.as_secs_f64();
    let (low, high) = (calls / 5, calls * 4 / 5);
    let steady = (high - low) as f64 / (ended[high - 1] - ended[low - 1]) / ideal;
    let window = ended[calls - 1] - seen["first"].as_f64().unwrap();
    let each = seconds * 1_000.0 / calls as f64;
    println!("{calls} calls of the model, {} at once at most, {ideal:.0} a second at best", seen["most"]);
    println!("throughput: {:.1} % of the ideal in the middle three fifths", steady * 100.0);
    println!(
        "            {:.1} % from the first request to the last answer, in which {window:.2} s the first sessions are opened and \
         the last trials run out",
        calls as f64 / window / ideal * 100.0
    );
    println!("memory:     {megabytes:.0} MB at most, reports included");
    println!("processor:  {each:.2} ms for each call, all included");
    let (share, most, dear) = BARS;
    let holds = steady >= share && megabytes < most && each < dear;
    if holds || !whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
