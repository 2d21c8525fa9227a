//! Money and nights: a budget stops a run before more is spent, a resumed run remembers what was spent, and a nightly
//! gate loses its patience on the third night.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The built-in baseline at a price, so that money is spent without a network.
const PRICED: &str = "dialect: lexical\nprice: {input: 1000, output: 1000}\n";

/// A suite over the bookshop whose gate is that of a nightly job.
const NIGHTLY: &str = "version: 1
name: night
target: {command: [rehearsal, demo-server, --transport, stdio], transport: stdio}
personas: [customer]
auth: {issuer: embedded}
models: [priced]
trials: 3
gate: {mode: nightly}
cases:
  - id: author
    prompt: Do you have any books by Le Guin?
    expect: [tool_called: search_books]
";

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [("evals/models/priced.yaml", PRICED), ("suites/night.yaml", NIGHTLY)] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

struct Ran {
    code: Option<i32>,
    summary: Value,
    talk: String,
}

impl Ran {
    fn trials(&self) -> u64 {
        self.summary["totals"]["trials"].as_u64().unwrap()
    }

    fn stopped_by_budget(&self) -> bool {
        self.summary["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == "run.budget")
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .args(["-j", "1", "--format", "json"])
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{talk}"));
    Ran { code: output.status.code(), summary, talk }
}

#[test]
fn a_budget_stops_the_run_and_a_resume_remembers_what_was_spent() {
    let dir = project();
    let first = run(dir.path(), &["eval", "bookshop", "--model", "priced", "--max-cost", "0.001"]);
    assert_eq!(first.code, Some(3), "{}", first.talk);
    assert!(first.stopped_by_budget() && (1..=4).contains(&first.trials()), "{}", first.summary["totals"]);

    let again = run(dir.path(), &["eval", "bookshop", "--resume", "--max-cost", "0.001"]);
    assert_eq!(again.code, Some(3), "{}", again.talk);
    assert!(again.stopped_by_budget());
    assert_eq!(again.trials(), first.trials(), "nothing was left to spend");
    assert_eq!(again.summary["usage"]["cost"], first.summary["usage"]["cost"]);
}

#[test]
fn a_budget_that_stops_nothing_is_no_reason() {
    let dir = project();
    let one = ["--case", "late-order", "--trials", "1"];
    for args in
        [["--model", "priced", "--max-cost", "0.001"], ["--model", "lexical", "--max-cost", "0.000001"]]
    {
        let ran = run(dir.path(), &[&["eval", "bookshop"], &one[..], &args[..]].concat());
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.summary["reasons"]);
        assert!(!ran.stopped_by_budget(), "{args:?}");
    }
    let two = run(
        dir.path(),
        &["eval", "bookshop", "--case", "late-order", "--model", "lexical", "--max-cost", "0.000001"],
    );
    assert_eq!((two.code, two.trials()), (Some(0), 3), "what is free is never over budget");
}

#[test]
fn the_third_inconclusive_night_is_no_longer_a_warning() {
    let dir = project();
    let codes: Vec<Option<i32>> =
        (0..3).map(|_| run(dir.path(), &["eval", "night", "--max-cost", "0.001"]).code).collect();
    assert_eq!(codes, [Some(0), Some(0), Some(3)]);
    // A good night ends the row.
    assert_eq!(run(dir.path(), &["eval", "night"]).code, Some(0));
    assert_eq!(run(dir.path(), &["eval", "night", "--max-cost", "0.001"]).code, Some(0));
}

#[test]
fn a_resumed_run_meets_the_same_flaw() {
    let whole = project();
    let args = ["eval", "bookshop", "--model", "priced", "--flaw", "vague-descriptions"];
    let undisturbed = run(whole.path(), &args);
    assert_eq!(undisturbed.code, Some(1), "{}", undisturbed.talk);

    let dir = project();
    let stopped = run(dir.path(), &[&args[..], &["--max-cost", "0.001"]].concat());
    assert!(stopped.trials() < undisturbed.trials(), "{}", stopped.talk);
    let resumed = run(dir.path(), &["resume", "latest"]);
    assert_eq!(resumed.code, Some(1), "{}", resumed.talk);
    assert_eq!(resumed.summary["totals"], undisturbed.summary["totals"]);
}
