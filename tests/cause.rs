//! The old server beside the new one, the nights of a suite, and the judge's canary, on real runs of a small suite.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

#[path = "support/ran.rs"]
mod ran;

use ran::{json_of, rehearsal};

/// Two cases over standard streams that a sound shop always passes; `gate` is a line of the suite.
fn project(gate: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("suites")).unwrap();
    let text = format!(
        "version: 1\nname: shop\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\nauth: {{issuer: none}}\n\
         personas: [anonymous]\nmodels: [lexical]\ntrials: 3\n{gate}cases:\n  - id: late-order\n    tags: [orders]\n    \
         prompt: My order 1042 has not come. When will it arrive?\n    expect:\n      \
         - result_json: {{tool: get_order, path: $.arrives, equals: {{$date: 2026-11-28}}}}\n  - id: search\n    \
         tags: [catalogue]\n    prompt: Do you have any books by Le Guin?\n    expect:\n      - tool_called: search_books\n"
    );
    fs::write(dir.path().join("suites/shop.yaml"), text).unwrap();
    dir
}

fn newest_folder(dir: &Path) -> PathBuf {
    let runs = fs::read_dir(dir.join("reports/runs/shop")).unwrap().flatten().map(|entry| entry.path());
    runs.filter(|path| path.is_dir()).max().unwrap()
}

#[test]
fn the_old_server_beside_the_new_one_tells_the_server_from_the_night() {
    let dir = project("");
    let dir = dir.path();
    // Three good nights are the history.
    for _ in 0..3 {
        assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet"]).code, Some(0));
    }
    let bad = rehearsal(dir, &["eval", "shop", "--quiet", "--flaw", "wrong-date"]);
    assert_eq!(bad.code, Some(1), "{}{}", bad.stdout, bad.stderr);
    let beside = |old: &str| json_of(&rehearsal(dir, &["control", "--old", old, "--format", "json"]));
    let found = beside("rehearsal demo-server");
    let control = &found["models"]["lexical"];
    assert_eq!(control["cause"], "server", "{found:#}");
    assert_eq!(control["cases"].as_array().unwrap().len(), 1, "only what failed: {found:#}");
    assert_eq!(control["cases"][0]["history"], json!({"trials": 9, "passed": 9}), "{found:#}");
    assert_eq!(control["cases"][0]["old"], json!({"trials": 4, "passed": 4}), "{found:#}");
    assert_eq!(control["cases"][0]["new"], json!({"trials": 4, "passed": 0}), "{found:#}");
    // An old server that is as bad accuses the night.
    let found = beside("rehearsal demo-server --flaw wrong-date");
    assert_eq!(found["models"]["lexical"]["cause"], "drift", "{found:#}");
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(newest_folder(dir).join("control.json")).unwrap()).unwrap();
    assert_eq!(kept, found);
    let told = rehearsal(dir, &["control", "--old", "rehearsal demo-server"]);
    assert!(
        told.stdout.contains("the server got worse") && told.stdout.contains("old 4 of 4, new 0 of 4"),
        "{}",
        told.stdout
    );
}

#[test]
fn a_control_without_a_server_or_a_history_says_what_is_missing() {
    let dir = project("");
    let dir = dir.path();
    assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet"]).code, Some(0));
    let nothing = rehearsal(dir, &["control", "--old", "rehearsal demo-server"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(0), ""), "{}", nothing.stderr);
    fs::remove_dir_all(dir.join("reports")).unwrap();
    assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet", "--flaw", "wrong-date"]).code, Some(1));
    let nobody = rehearsal(dir, &["control"]);
    assert_eq!(nobody.code, Some(2), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("gate.no-control"), "{}", nobody.stderr);
    let unknown = rehearsal(dir, &["control", "--old", "rehearsal demo-server"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("gate.no-history"), "{}", unknown.stderr);
}

#[test]
fn nights_are_charted_and_a_broken_case_is_named() {
    let dir = project("gate: {mode: nightly, min_pass: 0%}\n");
    let dir = dir.path();
    for _ in 0..5 {
        assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet"]).code, Some(0));
    }
    let trend =
        || json_of(&rehearsal(dir, &["runs", "trend", "shop", "--format", "json"]))["models"][0].clone();
    let quiet = trend();
    assert_eq!(
        (&quiet["slides"], quiet["nights"].as_array().unwrap().len()),
        (&json!(false), 5),
        "{quiet:#}"
    );
    // The suite lets everything pass, and so the nights pass while the rate slides.
    let mut said = vec![];
    for _ in 0..2 {
        let night = rehearsal(dir, &["eval", "shop", "--quiet", "--flaw", "wrong-date"]);
        assert_eq!(night.code, Some(0), "{}{}", night.stdout, night.stderr);
        said.push(night.stdout.contains("gate.trend"));
    }
    assert!(said[1], "{said:?}");
    let report = fs::read_to_string(newest_folder(dir).join("report.md")).unwrap();
    assert!(report.contains("#### Nights"), "{report}");
    let sound = rehearsal(dir, &["gate", "latest", "--no-baseline"]);
    assert!(sound.stdout.contains("gate.trend"), "{}", sound.stdout);
    let slid = trend();
    assert_eq!(slid["slides"], true, "{slid:#}");
    assert_eq!(slid["began"], slid["nights"][5]["run"], "{slid:#}");
    assert_eq!(slid["streaks"][0], json!({"case": "late-order", "nights": 2, "alarm": true}), "{slid:#}");
    let told = rehearsal(dir, &["runs", "trend", "shop"]);
    assert!(told.stdout.contains("late-order: fails for 2 nights in a row"), "{}", told.stdout);
    let unknown = rehearsal(dir, &["runs", "trend", "shp"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("shop"), "{}", unknown.stderr);
}

#[test]
fn an_alarm_of_the_gate_asks_the_old_server_by_itself() {
    let dir = project("gate: {mode: pr, control: {command: [rehearsal, demo-server]}}\n");
    let dir = dir.path();
    for _ in 0..4 {
        assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet", "--no-baseline", "-k", "5"]).code, Some(0));
        let accepted = rehearsal(dir, &["baseline", "accept", "latest"]);
        assert_eq!(accepted.code, Some(0), "{}", accepted.stderr);
    }
    let bad = rehearsal(dir, &["eval", "shop", "--flaw", "wrong-date"]);
    assert_eq!(bad.code, Some(1), "{}{}", bad.stdout, bad.stderr);
    assert!(bad.stdout.contains("the server got worse"), "{}{}", bad.stdout, bad.stderr);
    let again = rehearsal(dir, &["gate", "latest"]);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stdout.contains("the server got worse"), "{}", again.stdout);
    // The same alarm with an old server that is as bad is none.
    let cleared = rehearsal(
        dir,
        &["eval", "shop", "--flaw", "wrong-date", "--control", "rehearsal demo-server --flaw wrong-date"],
    );
    assert_eq!(cleared.code, Some(3), "{}{}", cleared.stdout, cleared.stderr);
    assert!(cleared.stdout.contains("the old server shifted too"), "{}{}", cleared.stdout, cleared.stderr);
}

#[test]
fn what_runs_beside_a_suite_is_paid_from_its_budget() {
    let dir = project("gate: {mode: pr, control: {command: [rehearsal, demo-server]}}\n");
    let dir = dir.path();
    fs::create_dir_all(dir.join("evals/models")).unwrap();
    let priced = "dialect: lexical\nprice: {input: 1000, output: 1000}\n";
    fs::write(dir.join("evals/models/priced.yaml"), priced).unwrap();
    let suite = fs::read_to_string(dir.join("suites/shop.yaml")).unwrap().replace("[lexical]", "[priced]");
    fs::write(dir.join("suites/shop.yaml"), &suite).unwrap();
    let free_of_gate = suite.lines().filter(|line| !line.starts_with("gate:")).collect::<Vec<_>>().join("\n");
    fs::write(dir.join("suites/zoo.yaml"), free_of_gate.replace("name: shop", "name: zoo")).unwrap();
    for _ in 0..4 {
        assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet", "--no-baseline", "-k", "5"]).code, Some(0));
        assert_eq!(rehearsal(dir, &["baseline", "accept", "latest"]).code, Some(0));
    }
    let alarm = ["eval", "shop", "--flaw", "wrong-date", "--format", "json"];
    let bad = json_of(&rehearsal(dir, &alarm));
    let run = bad["usage"]["cost"].as_f64().unwrap();
    let found = newest_folder(dir).join("control.json");
    let found: Value = serde_json::from_str(&fs::read_to_string(found).unwrap()).unwrap();
    let beside = found["cost"].as_f64().unwrap();
    assert!(run > 0.0 && beside > 0.0, "{run} {beside}");
    // More than the suite takes by itself, and all of it gone with what ran beside it.
    let budget = (run + beside * 0.9).to_string();
    let both = ["eval", "shop", "zoo", "--flaw", "wrong-date", "--max-cost", &budget];
    let ran = rehearsal(dir, &both);
    assert!(ran.stdout.contains("the server got worse"), "{}{}", ran.stdout, ran.stderr);
    let zoo = json_of(&rehearsal(dir, &["report", "zoo/latest", "--format", "json"]));
    assert!(zoo["reasons"].as_array().unwrap().iter().any(|one| one["code"] == "run.budget"), "{zoo:#}");
    assert_eq!(zoo["totals"]["trials"], 0, "{zoo:#}");
}

#[test]
fn a_judge_that_failed_its_newest_canary_lets_no_run_pass() {
    let dir = project("judge: {model: scripted-judge, rubric: answers-question}\n");
    let dir = dir.path();
    let suite = fs::read_to_string(dir.join("suites/shop.yaml")).unwrap();
    let criterion = "    criteria:\n      - {must: Names a book by her., scripted: Earthsea}\n";
    fs::write(dir.join("suites/shop.yaml"), suite + criterion).unwrap();
    let sound = rehearsal(dir, &["eval", "shop", "--quiet"]);
    assert_eq!(sound.code, Some(0), "{}{}", sound.stdout, sound.stderr);
    let canary = rehearsal(dir, &["judge", "canary"]);
    assert_eq!(canary.code, Some(0), "{}{}", canary.stdout, canary.stderr);
    let files: Vec<PathBuf> =
        fs::read_dir(dir.join("reports/judge")).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    // The same file, as a canary that failed leaves it.
    let mut seen: Value = serde_json::from_str(&fs::read_to_string(&files[0]).unwrap()).unwrap();
    assert_eq!(seen["failed"], Value::Null, "{seen}");
    seen["failed"] = json!("the judge does not decide as agreed: 3 labels missed");
    fs::write(&files[0], seen.to_string()).unwrap();
    let drifted = rehearsal(dir, &["eval", "shop"]);
    assert_eq!(drifted.code, Some(3), "{}{}", drifted.stdout, drifted.stderr);
    assert!(
        drifted.stdout.contains("gate.judge-drift") && drifted.stdout.contains("3 labels missed"),
        "{}",
        drifted.stdout
    );
    assert_eq!(rehearsal(dir, &["judge", "canary", "--quiet"]).code, Some(0));
    assert_eq!(rehearsal(dir, &["eval", "shop", "--quiet"]).code, Some(0));
}
