//! Real runs of small suites against the demo server over standard streams: several suites at once, shards, budgets,
//! output that cannot be written.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn suite(name: &str, model: &str, prompt: &str) -> String {
    format!(
        "version: 1\nname: {name}\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\n\
         auth: {{issuer: none}}\npersonas: [anonymous]\nmodels: [{model}]\ntrials: 4\n\
         cases:\n  - id: hello-{name}\n    tags: [{name}]\n    prompt: {prompt}\n    expect:\n      - no_tool_errors: true\n"
    )
}

fn project(suites: &[(&str, String)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    for (name, text) in suites {
        fs::write(dir.path().join(format!("suites/{name}.yaml")), text).unwrap();
    }
    dir
}

fn two() -> tempfile::TempDir {
    let text = |name| suite(name, "lexical", "Do you have books by Le Guin?");
    project(&[("one", text("one")), ("two", text("two"))])
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(args).current_dir(dir).env("NO_COLOR", "1");
    command.stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(dir, args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

#[test]
fn without_a_name_every_suite_runs_and_json_is_one_document() {
    let dir = two();
    let (code, printed, talk) = run(dir.path(), &["eval", "--format", "json"]);
    assert_eq!(code, Some(0), "{talk}");
    let all: Value = serde_json::from_str(&printed).unwrap();
    let names: Vec<&str> =
        all["suites"].as_array().unwrap().iter().map(|one| one["suite"].as_str().unwrap()).collect();
    assert_eq!((names, &all["exit_code"]), (vec!["one", "two"], &json!(0)));
    let (code, _, talk) = run(dir.path(), &["eval", "--format", "junit"]);
    assert_eq!(code, Some(2), "{talk}");
}

#[test]
fn nothing_runs_while_one_suite_is_wrong() {
    let dir = two();
    fs::write(dir.path().join("suites/three.yaml"), "version: 1\nnme: three\n").unwrap();
    let (code, printed, talk) = run(dir.path(), &["eval"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{talk}");
    assert!(talk.contains("suites/three.yaml:2:1"), "{talk}");
    assert!(!dir.path().join("reports").exists());
}

#[test]
fn a_suite_in_which_nothing_is_selected_is_left_out_and_named() {
    let dir = two();
    let (code, printed, talk) = run(dir.path(), &["eval", "--tag", "two"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("skipping one") && printed.contains("hello-two"), "{talk}{printed}");
    let (code, _, talk) = run(dir.path(), &["eval", "--tag", "three"]);
    assert_eq!(code, Some(2), "{talk}");
}

#[test]
fn the_gravest_code_of_several_suites_wins_and_the_others_still_run() {
    let dir = two();
    let broken = suite("broken", "lexical", "Hello").replace("[rehearsal, demo-server]", "[sh, -c, exit 9]");
    fs::write(dir.path().join("suites/broken.yaml"), broken).unwrap();
    let (code, printed, talk) = run(dir.path(), &["eval", "--format", "json"]);
    assert_eq!(code, Some(4), "{talk}");
    let all: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(all["suites"].as_array().unwrap().len(), 2);
    assert_eq!(all["errors"][0]["code"], "target.died");
    let last: Value = serde_json::from_str(talk.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["exit"], 4);
}

#[test]
fn a_failed_verdict_ends_machine_modes_with_its_reason() {
    let text = suite("one", "lexical", "Hello").replace("no_tool_errors: true", "answer_contains: zebra");
    let dir = project(&[("one", text)]);
    let (code, printed, talk) = run(dir.path(), &["eval", "one", "--format", "json"]);
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &summary["verdict"]), (Some(1), &json!("fail")));
    let last: Value = serde_json::from_str(talk.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "gate.case-failed");
    assert_eq!(last["error"]["where"]["file"], "suites/one.yaml");
    let (code, printed, _) = run(dir.path(), &["eval", "one", "--quiet"]);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("zebra") && printed.contains("FAILED") && !printed.contains("run file"),
        "{printed}"
    );
}

#[test]
fn known_failures_are_counted_apart() {
    let text = suite("one", "lexical", "Hello").replace("no_tool_errors: true", "answer_contains: zebra")
        + "    expected_failure: {reason: the shop sells no zebras}\n  - id: fine\n    prompt: Show me book B101.\n    expect:\n      - tool_called: get_book\n";
    let dir = project(&[("one", text)]);
    let (code, printed, talk) = run(dir.path(), &["eval", "one"]);
    assert_eq!(code, Some(0), "{printed}{talk}");
    assert!(printed.contains("4 failed (4 expected)"), "{printed}");
    assert!(printed.contains("1 case (1 known to fail left out)"), "{printed}");
}

#[test]
fn an_empty_shard_is_refused_before_anything_is_written() {
    let dir = project(&[("one", suite("one", "lexical", "Hello"))]);
    let codes: Vec<_> =
        (1..=40).map(|part| run(dir.path(), &["plan", "one", "--shard", &format!("{part}/40")])).collect();
    let empty = codes.iter().find(|(code, ..)| *code == Some(2)).unwrap();
    assert!(empty.2.contains("holds no trial") && empty.2.contains("fewer"), "{}", empty.2);
}

#[test]
fn a_finished_run_is_not_run_again() {
    let dir = project(&[("one", suite("one", "lexical", "Hello"))]);
    let (code, ..) = run(dir.path(), &["eval", "one"]);
    assert_eq!(code, Some(0));
    // The server is gone; the run needs it no longer.
    let text = suite("one", "lexical", "Hello").replace("[rehearsal, demo-server]", "[sh, -c, exit 9]");
    fs::write(dir.path().join("suites/one.yaml"), text).unwrap();
    let (code, printed, talk) = run(dir.path(), &["resume"]);
    assert_eq!(code, Some(0), "{talk}");
    assert!(talk.contains("nothing is missing") && printed.contains("PASSED"), "{talk}{printed}");
    let (_, listed, _) = run(dir.path(), &["runs", "list"]);
    assert!(listed.contains("  exit 0 ") && listed.contains("4 of 4 trials"), "{listed}");
    let moment = regex::Regex::new(r"  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  ").unwrap();
    assert!(moment.is_match(&listed), "{listed}");
    let file = fs::read_dir(dir.path().join("reports/runs/one")).unwrap().flatten();
    let file = file.map(|entry| entry.path()).find(|path| path.extension().is_some()).unwrap();
    let sessions = rusqlite::Connection::open(file)
        .and_then(|db| db.query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0)));
    assert_eq!(sessions, Ok(1), "a finished run is not opened again");
}

#[test]
fn a_check_that_does_not_apply_is_counted_apart() {
    let text = suite("one", "lexical", "Hello").replace(
        "[rehearsal, demo-server], transport: stdio",
        "[rehearsal, demo-server, --transport, http, --open], transport: http",
    ) + "auth_checks: {pack: standard}\n";
    let dir = project(&[("one", text)]);
    let (code, printed, talk) = run(dir.path(), &["auth", "one", "--format", "json"]);
    assert_eq!(code, Some(6), "the server lets everybody in: {talk}");
    let summary: Value = serde_json::from_str(&printed).unwrap();
    let count = |word: &str| summary["totals"][word].as_u64().unwrap();
    assert!(count("skipped") > 20 && count("failed") > 0, "{}", summary["totals"]);
    assert_eq!(count("passed") + count("failed") + count("invalid") + count("skipped"), count("trials"));
    let expired = summary["cases"].as_array().unwrap().iter().find(|case| case["id"] == "auth/D03").unwrap();
    assert_eq!((&expired["state"], &expired["trials"][0]["outcome"]), (&json!("skipped"), &Value::Null));
    let (_, printed, _) = run(
        dir.path(),
        &["report", "latest", "--format", "human", "--format", "junit", "--format", "markdown"],
    );
    assert!(printed.contains("auth checks hold") && printed.contains("  skipped  auth/"), "{printed}");
    assert!(
        printed.contains("<skipped message=\"an expired token is refused: does not apply, needs "),
        "{printed}"
    );
    assert!(printed.contains("checks skipped</summary>"), "{printed}");
    let (_, listed, _) = run(dir.path(), &["runs", "list"]);
    assert!(listed.contains(&format!("{} skipped", count("skipped"))), "{listed}");
    // Nothing but what does not apply is no pass.
    let (code, printed, _) = run(dir.path(), &["auth", "one", "--case", "auth/D03", "--format", "json"]);
    let summary: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, &summary["reasons"][0]["code"]), (Some(3), &json!("gate.nothing-applies")));
}

#[test]
fn a_secret_that_is_too_short_is_named_once_and_not_shown() {
    let text = |name| suite(name, "lexical", "Hello") + "env: [DOOR_PIN, DOOR_KEY]\n";
    let dir = project(&[("one", text("one")), ("two", text("two"))]);
    let output = command(dir.path(), &["eval"])
        .env("DOOR_PIN", "73519")
        .env("DOOR_KEY", "long-enough")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(talk.matches("`DOOR_PIN`").count(), 1, "{talk}");
    assert!(talk.contains("warning") && !talk.contains("73519") && !talk.contains("DOOR_KEY"), "{talk}");
}

#[test]
fn a_plan_tells_tokens_once_a_run_has_shown_them() {
    let dir = project(&[("one", suite("one", "lexical", "Hello"))]);
    let plan = || {
        let (code, printed, talk) = run(dir.path(), &["plan", "one", "--format", "json"]);
        assert_eq!(code, Some(0), "{talk}");
        serde_json::from_str::<Value>(&printed).unwrap()["suites"][0]["expected"].clone()
    };
    assert_eq!(plan(), Value::Null);
    assert!(run(dir.path(), &["plan", "one"]).1.contains("known after a first run"));
    let (_, printed, _) = run(dir.path(), &["eval", "one", "--trials", "1", "--format", "json"]);
    let ran: Value = serde_json::from_str(&printed).unwrap();
    let four = |word: &str| 4 * ran["usage"][word].as_u64().unwrap();
    let expected = plan();
    assert_eq!(
        (expected["tokens_in"].as_u64(), expected["tokens_out"].as_u64()),
        (Some(four("tokens_in")), Some(four("tokens_out")))
    );
    assert_eq!((&expected["unknown_trials"], &expected["run"]), (&json!(0), &ran["run"]));
    assert!(run(dir.path(), &["plan", "one"]).1.contains("tokens in"));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_and_a_reader_that_left_is_not() {
    let dir = project(&[("one", suite("one", "lexical", "Hello"))]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(dir.path(), &["eval", "one"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));

    let mut child = command(dir.path(), &["show", "latest"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command(dir.path(), &["eval", "nope"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_stops_the_run_cleanly_and_a_larger_one_goes_on() {
    let api = MockServer::start().await;
    let answer = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&api)
        .await;
    let dir = project(&[("one", suite("one", "priced", "Hello").replace("trials: 4", "trials: 12"))]);
    fs::create_dir_all(dir.path().join("evals/models")).unwrap();
    // One answer costs 100 x 0.001 + 10 x 0.01 = 0.20 dollars.
    let model = format!(
        "description: a double\ndialect: openai\nid: m\nbase_url: {}/v1\nprice: {{input: 1000, output: 10000}}\n",
        api.uri()
    );
    fs::write(dir.path().join("evals/models/priced.yaml"), model).unwrap();
    let path = dir.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let args = ["eval", "one", "-j", "1", "--max-cost", "0.50", "--format", "json"];
        let (code, printed, talk) = run(&path, &args);
        assert_eq!(code, Some(3), "{printed}{talk}");
        let summary: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(summary["verdict"], "inconclusive");
        assert_eq!(summary["reasons"][0]["code"], "run.budget");
        let cost = summary["usage"]["cost"].as_f64().unwrap();
        // At most the trials in flight come on top.
        assert!((0.5..1.0).contains(&cost), "{cost}");
        let finished = summary["totals"]["trials"].as_u64().unwrap();

        let (code, printed, talk) = run(&path, &["resume", "--max-cost", "0.50", "--format", "json"]);
        let again: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((code, again["totals"]["trials"].as_u64()), (Some(3), Some(finished)), "{talk}");

        let (code, printed, talk) = run(&path, &["resume", "--max-cost", "100", "--format", "json"]);
        assert_eq!(code, Some(0), "{printed}{talk}");
        let whole: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!((&whole["totals"]["trials"], &whole["totals"]["passed"]), (&json!(12), &json!(12)));
    })
    .await
    .unwrap();
    assert_eq!(api.received_requests().await.unwrap().len(), 12, "nothing is paid for twice");
}
