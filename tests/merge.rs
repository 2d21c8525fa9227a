//! Shards of a plan joined again are the whole run.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn rehearsal(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn passed(summary: &Value) -> (i64, i64, i64) {
    let number = |name: &str| summary["totals"][name].as_i64().unwrap();
    (number("trials"), number("passed"), number("failed"))
}

const WHAT: [&str; 7] = ["eval", "bookshop", "--trials", "1", "--tag", "orders", "--format"];

/// Rates without the time that trials took.
fn timeless(rates: &Value) -> Value {
    let mut rates = rates.clone();
    for rate in rates.as_array_mut().unwrap() {
        let effort = rate["effort"].as_array_mut().unwrap();
        let all = effort.len();
        effort.retain(|effort| effort["what"] != "seconds");
        assert_eq!(effort.len() + 1, all);
    }
    rates
}

#[test]
fn shards_joined_are_the_whole_run() {
    let dir = tempfile::tempdir().unwrap();
    let whole = summary(&rehearsal(dir.path(), &[&WHAT[..], &["json"]].concat()));
    let mut shards = Vec::new();
    for shard in ["1/2", "2/2"] {
        let part = summary(&rehearsal(dir.path(), &[&WHAT[..], &["json", "--shard", shard]].concat()));
        shards.push(part["run"].as_str().unwrap().to_owned());
    }
    let merged = rehearsal(dir.path(), &["merge", &shards[0], &shards[1], "--format", "json"]);
    assert_eq!(merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&merged.stderr));
    let merged = summary(&merged);
    assert_eq!(passed(&merged), passed(&whole));
    assert_eq!(timeless(&merged["rates"]), timeless(&whole["rates"]));

    let twice = rehearsal(dir.path(), &["merge", &shards[0], &shards[0]]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("merge.overlap"));
    let other =
        summary(&rehearsal(dir.path(), &[&WHAT[..], &["json", "--seed", "7", "--shard", "2/2"]].concat()));
    let unlike = rehearsal(dir.path(), &["merge", &shards[0], other["run"].as_str().unwrap()]);
    assert_eq!(unlike.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unlike.stderr).contains("merge.unlike"));
}
