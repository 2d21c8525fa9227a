//! A trial that gave nothing by nobody's fault is run again within its run, twice at most.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

#[path = "support/ran.rs"]
mod ran;

use ran::{json_of, rehearsal};

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

/// What a provider does with a call.
enum Reply {
    Fails,
    Answers,
    CallsTool,
}

/// A provider that replies to each call, counted from 0, as it is told to. Returns its address and its calls.
fn provider(reply: impl Fn(usize) -> Reply + Send + 'static) -> (String, Arc<AtomicUsize>) {
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
            let said = r#"{"role":"assistant","content":"All is fine."},"finish_reason":"stop""#;
            let called = r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"get_order","arguments":"{\"id\":1042}"}}]},"finish_reason":"tool_calls""#;
            let (status, message) = match reply(counted.fetch_add(1, Ordering::SeqCst)) {
                Reply::Fails => ("500 Internal Server Error", said),
                Reply::Answers => ("200 OK", said),
                Reply::CallsTool => ("200 OK", called),
            };
            let answer = format!(
                r#"{{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{message}}}],"usage":{{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}}}"#
            );
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            let _ = reader.get_mut().write_all(format!("{head}{answer}").as_bytes());
        }
    });
    (url, calls)
}

/// A project with the suite and a model at five dollars a call.
fn project(url: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let model = format!(
        "dialect: openai\nid: m\nbase_url: {url}\nretries: 0\nprice: {{input: 1000000, output: 0}}\n"
    );
    for (path, text) in [("evals/models/shaky.yaml", model.as_str()), ("suites/again.yaml", SUITE)] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Runs the suite before a provider that fails so many calls with a server error: exit code, summary and calls.
fn run(failing: usize) -> (Option<i32>, Value, usize) {
    let (url, calls) = provider(move |n| if n < failing { Reply::Fails } else { Reply::Answers });
    let ran = rehearsal(project(&url).path(), &["eval", "again", "--format", "json"]);
    (ran.code, json_of(&ran), calls.load(Ordering::SeqCst))
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

/// A tool call that is paid for, a fault, and the whole trial again.
fn paid_twice() -> (String, Arc<AtomicUsize>) {
    provider(|n| match n {
        0 => Reply::CallsTool,
        1 => Reply::Fails,
        _ => Reply::Answers,
    })
}

#[test]
fn what_an_attempt_cost_that_was_run_again_is_in_every_total() {
    let (url, calls) = paid_twice();
    let dir = project(&url);
    let ran = rehearsal(dir.path(), &["eval", "again", "--format", "json"]);
    let summary = json_of(&ran);
    assert_eq!((ran.code, calls.load(Ordering::SeqCst)), (Some(0), 3), "{}", ran.stderr);
    let usage = &summary["usage"];
    assert_eq!((&usage["cost"], &usage["replaced_cost"]), (&10.0.into(), &5.0.into()), "{usage}");
    assert_eq!(summary["cases"][0]["trials"][0]["cost"], 5.0, "a trial's cost is that of its last attempt");
    let report = |format: &str| rehearsal(dir.path(), &["report", "latest", "--format", format]).stdout;
    for format in ["human", "markdown", "html"] {
        let text = report(format);
        assert!(text.contains("$10.00, $5.00 of it for attempts that were cut off"), "{format}: {text}");
    }
    assert!(report("junit").contains("$10.00"));
}

#[test]
fn a_budget_over_several_suites_counts_it() {
    // With what the first suite paid for nothing left out, five dollars would be left for the second.
    for (budget, asked) in [("9.9", 3), ("10.1", 4)] {
        let (url, calls) = paid_twice();
        let dir = project(&url);
        fs::write(dir.path().join("suites/later.yaml"), SUITE.replace("name: again", "name: later")).unwrap();
        let ran = rehearsal(dir.path(), &["eval", "again", "later", "--max-cost", budget]);
        assert_eq!(calls.load(Ordering::SeqCst), asked, "{budget}: {}", ran.stderr);
        assert_eq!(ran.code, Some(if asked == 3 { 3 } else { 0 }), "{budget}: {}", ran.stderr);
    }
}
