//! A user that a model plays, on tape.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::{Ran, program, run, transcripts, write};

const SUITE: &str = "version: 1
name: taped
target: {command: [rehearsal, demo-server, --open, --transport, stdio], transport: stdio}
models: [one, two]
cases:
  - id: talk
    limits: {turns: 5}
    turns: [{simulate: {goal: a book, model: scripted-user, script: [{say: Hello.}, {say: Thanks., sees: Good}]}}]
    script: [{say: Good day.}, {say: Bye., sees: Thanks}]
    expect: [{answer_contains: Bye}]
";

fn ran(dir: &Path, mode: &str, out: &str) -> Ran {
    let args = ["eval", "taped", "--tape=tapes", mode, out];
    run(program(), dir, &args, None)
}

/// The calls of users on the tape.
fn played(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("tapes/taped.models.ndjson")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["role"] == "user").collect()
}

#[test]
fn a_played_user_is_played_again_whatever_the_settings_of_the_model_it_talks_with() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "suites/taped.yaml", SUITE);
    for name in ["one", "two"] {
        write(dir, &format!("evals/models/{name}.yaml"), "dialect: scripted\n");
    }
    let first = ran(dir, "--tape-mode=record", "--out=first");
    assert_eq!(first.code, Some(0), "{}", first.talk);
    let calls = played(dir);
    assert_eq!(calls.len(), 6, "two turns and the end, with two models");
    assert!(calls.iter().all(|call| call["place"] == "talk/anonymous/reference#1"), "{calls:#?}");
    // Both conversations open with the same question, and each has an answer of its own.
    let opening = &calls[0];
    let same: Vec<&Value> = calls.iter().filter(|call| call["loosely"] == opening["loosely"]).collect();
    assert_eq!(same.len(), 2);
    assert_ne!(same[0]["call"], same[1]["call"]);

    let again = ran(dir, "--tape-mode=replay", "--out=second");
    assert_eq!(again.code, Some(0), "{}", again.talk);
    assert_eq!(transcripts(&dir.join("first")), transcripts(&dir.join("second")));

    write(dir, "evals/models/one.yaml", "dialect: scripted\ntemperature: 0.7\n");
    write(dir, "suites/taped.yaml", &SUITE.replace("turns: 5", "turns: 6"));
    let strict = ran(dir, "--tape-mode=replay", "--out=third");
    assert_eq!(strict.code, Some(3), "{}", strict.talk);
    let missed = strict.summary.to_string();
    assert!(missed.contains("a call of the candidate") && !missed.contains("a call of the user"), "{missed}");
    let loose = ran(dir, "--tape-mode=loose", "--out=fourth");
    assert_eq!(loose.code, Some(0), "{} {:#}", loose.talk, loose.summary);
}
