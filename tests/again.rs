//! A trial that gave nothing by nobody's fault is run again within its run, twice at most.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

const SUITE: &str = "version: 1
name: again
target: {command: [rehearsal, demo-server, --transport, stdio], transport: stdio}
personas: [customer]
auth: {issuer: embedded}
models: [shaky]
trials: 1
cases:
  - id: greeting
    prompt: Say that all is fine.
    expect: [{answer_contains: fine}]
";

/// A provider that fails so many calls with a server error before it answers. Returns its address and its calls.
fn provider(failing: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if length == 0 || reader.read_exact(&mut body).is_err() {
                continue;
            }
            let status = match counted.fetch_add(1, Ordering::SeqCst) < failing {
                true => "500 Internal Server Error",
                false => "200 OK",
            };
            let answer = r#"{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"All is fine."},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}"#;
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            let _ = reader.get_mut().write_all(format!("{head}{answer}").as_bytes());
        }
    });
    (url, calls)
}

/// Runs the suite before such a provider: exit code, summary and calls.
fn run(failing: usize) -> (Option<i32>, Value, usize) {
    let (url, calls) = provider(failing);
    let dir = tempfile::tempdir().unwrap();
    let model = format!(
        "dialect: openai\nid: m\nbase_url: {url}\nretries: 0\nprice: {{input: 1000000, output: 0}}\n"
    );
    for (path, text) in [("evals/models/shaky.yaml", model.as_str()), ("suites/again.yaml", SUITE)] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["eval", "again", "--format", "json"])
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let summary = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), summary, calls.load(Ordering::SeqCst))
}

#[test]
fn a_fault_that_passes_leaves_no_trace_in_the_verdict() {
    let (code, summary, calls) = run(2);
    assert_eq!((code, calls), (Some(0), 3), "{:#}", summary["reasons"]);
    let totals = &summary["totals"];
    assert_eq!((totals["trials"].as_u64(), totals["invalid"].as_u64()), (Some(1), Some(0)));
}

#[test]
fn a_fault_that_stays_is_invalid_after_three_attempts() {
    let (code, summary, calls) = run(usize::MAX);
    assert_eq!((code, calls), (Some(3), 3), "{:#}", summary["reasons"]);
    assert_eq!(summary["totals"]["invalid"], 1);
}
