//! Tapes: what was recorded is played without a model, a target, a key or a network, and leaves the same transcripts;
//! what was not recorded is said to be missing.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;

mod corners;
mod double;
mod project;
mod resumed;
mod users;

use double::Listening;
use project::{KEY, Ran, Shop, program, project, run, suite, transcripts, write};

const RECORD: [&str; 8] = [
    "eval",
    "taped",
    "--tape",
    "tapes",
    "--tape-mode=record",
    "--server-tape=tapes/server.ndjson",
    "--server-tape-mode=record",
    "--out=first",
];
const REPLAY: [&str; 5] = ["eval", "taped", "--tape", "tapes", "--server-tape=tapes/server.ndjson"];

/// A network without so much as a loopback address, where the system lets us have one.
fn cut_off() -> Option<Command> {
    let cut = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net"]);
        command
    };
    let works = cut().arg("true").output().is_ok_and(|output| output.status.success());
    works.then(|| {
        let mut command = cut();
        command.arg(env!("CARGO_BIN_EXE_rehearsal"));
        command
    })
}

/// Records with everything up, replays with everything down, and compares.
fn plays_the_same(target: &str, shop: Option<Shop>, same: fn(&str) -> String) {
    let model = double::model();
    let dir = project(&suite(target), model.port);
    let first = run(program(), dir.path(), &RECORD, Some(KEY));
    assert_eq!(first.code, Some(0), "{}", first.talk);
    let recorded = transcripts(&dir.path().join("first"));
    assert_eq!(recorded.len(), 4);
    assert!(model.seen() >= 8, "two calls in each trial");

    // Somebody listens where the model and the target were, to see whether anybody comes.
    let ports = [Some(model.port), shop.as_ref().map(|shop| shop.port)];
    drop((model, shop));
    let census: Vec<Listening> = ports.into_iter().flatten().map(Listening::census).collect();
    let mut commands = vec![("second", program())];
    commands.extend(cut_off().map(|command| ("third", command)));
    for (out, command) in commands {
        let flag = format!("--out={out}");
        let again = run(command, dir.path(), &[&REPLAY[..], &[flag.as_str()]].concat(), None);
        assert_eq!(again.code, Some(0), "{out}: {}", again.talk);
        for ((name, then), (_, now)) in recorded.iter().zip(transcripts(&dir.path().join(out))) {
            let (then, now) = (same(then), same(&now));
            assert!(then == now, "{out}: {name}: {}", difference(&then, &now));
        }
        assert_eq!(usage(&first), usage(&again), "{out}");
    }
    assert_eq!(census.iter().map(Listening::seen).sum::<usize>(), 0);

    // No trial got the words of another one.
    let said = |text: &str| {
        let words = text.lines().filter(|line| line.contains("\"text\": \"Answer "));
        words.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    for (name, text) in &recorded {
        assert!(!said(text).is_empty(), "{name}");
        let others = recorded.iter().filter(|(other, _)| other != name);
        assert!(others.into_iter().all(|(_, other)| said(other).is_disjoint(&said(text))), "{name}");
    }
    for tape in fs::read_dir(dir.path().join("tapes")).unwrap() {
        let path = tape.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(KEY), "{} holds the key", path.display());
        assert!(text.starts_with("{\"tape\":"), "{}", path.display());
    }
}

/// What was used, but for the time.
fn usage(ran: &Ran) -> Value {
    let mut usage = ran.summary["usage"].clone();
    usage["seconds"] = Value::Null;
    usage
}

/// Where two texts part.
fn difference(then: &str, now: &str) -> String {
    let lines = then.lines().zip(now.lines()).enumerate();
    let parts: Vec<String> = lines
        .filter(|(_, (then, now))| then != now)
        .take(3)
        .map(|(number, (then, now))| format!("line {number}: recorded {then:.300}, now {now:.300}"))
        .collect();
    format!("{} and {} lines; {}", then.lines().count(), now.lines().count(), parts.join("; "))
}

#[test]
fn a_server_with_sessions_is_played() {
    let shop = Shop::open();
    let target = format!("{{url: \"http://127.0.0.1:{}/mcp\", protocol: 2025-11-25}}", shop.port);
    plays_the_same(&target, Some(shop), str::to_owned);
}

#[test]
fn a_server_without_sessions_is_played() {
    let shop = Shop::open();
    let target = format!("{{url: \"http://127.0.0.1:{}/mcp\", protocol: 2026-07-28}}", shop.port);
    plays_the_same(&target, Some(shop), str::to_owned);
}

#[test]
fn a_server_over_standard_streams_is_played() {
    let target = "{command: [rehearsal, demo-server, --transport, stdio], transport: stdio}";
    plays_the_same(target, None, str::to_owned);
}

#[test]
fn a_server_that_trials_share_is_played() {
    let target = "{command: [rehearsal, demo-server, --transport, stdio], transport: stdio, isolation: run}";
    // The ids of requests count over all trials that share a process.
    plays_the_same(target, None, |text| {
        let ids = regex::Regex::new(r#"(\\"(?:id|progressToken)\\":)\d+"#).unwrap();
        ids.replace_all(text, "${1}0").into_owned()
    });
}

/// A project whose recording is there, over standard streams.
fn recorded() -> tempfile::TempDir {
    let model = double::model();
    let target = "{command: [rehearsal, demo-server, --transport, stdio], transport: stdio}";
    let dir = project(&suite(target), model.port);
    let first = run(program(), dir.path(), &RECORD, Some(KEY));
    assert_eq!(first.code, Some(0), "{}", first.talk);
    dir
}

/// The words of the findings that could not be graded.
fn unscored(ran: &Ran) -> Vec<String> {
    let cases = ran.summary["cases"].as_array().unwrap_or_else(|| panic!("{}", ran.talk));
    let trials = cases.iter().flat_map(|case| case["trials"].as_array().unwrap());
    let findings = trials.flat_map(|trial| trial["findings"].as_array().unwrap());
    let unscored = findings.filter(|finding| finding["grade"] == "unscored");
    unscored.map(|finding| finding["why"].as_str().unwrap().to_owned()).collect()
}

fn all_invalid(ran: &Ran) {
    assert_eq!(ran.code, Some(3), "{}", ran.talk);
    let totals = &ran.summary["totals"];
    assert_eq!((&totals["failed"], &totals["passed"]), (&Value::from(0), &Value::from(0)), "{totals}");
}

#[test]
fn what_is_not_on_a_tape_of_models_is_missing() {
    let dir = recorded();
    let suite = fs::read_to_string(dir.path().join("suites/taped.yaml")).unwrap();
    write(dir.path(), "suites/taped.yaml", &suite.replace("by Le Guin", "by Mary Shelley"));
    let ran = run(program(), dir.path(), &REPLAY, None);
    all_invalid(&ran);
    let why = unscored(&ran).join("\n");
    assert!(why.contains("has no answer to a call of the candidate `double` at author/"), "{why}");
    assert!(why.contains("they differ in message 1") && why.contains("Mary Shelley"), "{why}");

    // A trial more than was recorded gets nobody else's answer.
    write(dir.path(), "suites/taped.yaml", &suite);
    let ran = run(program(), dir.path(), &[&REPLAY[..], &["--trials", "3"]].concat(), None);
    assert_eq!(ran.summary["totals"]["invalid"], 2, "{}", ran.summary["totals"]);
    assert_eq!(ran.summary["totals"]["passed"], 4, "{}", ran.summary["totals"]);
}

#[test]
fn other_parameters_are_another_call_unless_that_is_wanted() {
    let dir = recorded();
    let path = dir.path().join("evals/models/double.yaml");
    let model = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{model}temperature: 0.7\n")).unwrap();
    let only = ["--model", "double"];
    let strict = run(program(), dir.path(), &[&REPLAY[..], &only].concat(), None);
    all_invalid(&strict);
    let why = unscored(&strict).join("\n");
    assert!(why.contains("the model's definition.temperature: recorded nothing, now `0.7`"), "{why}");
    let loose = run(program(), dir.path(), &[&REPLAY[..], &only, &["--tape-mode=loose"]].concat(), None);
    assert_eq!(loose.code, Some(0), "{}", loose.talk);
    assert!(loose.talk.contains("of another model or with other parameters"), "{}", loose.talk);
}

#[test]
fn a_tape_is_extended_by_what_it_lacks() {
    let model = double::model();
    let target = "{command: [rehearsal, demo-server, --transport, stdio], transport: stdio}";
    let dir = project(&suite(target), model.port);
    let extend = ["eval", "taped", "--tape", "tapes", "--tape-mode=extend"];
    let one = run(program(), dir.path(), &[&extend[..], &["--trials", "1"]].concat(), Some(KEY));
    assert_eq!((one.code, model.seen()), (Some(0), 4), "{}", one.talk);
    let two = run(program(), dir.path(), &extend, Some(KEY));
    assert_eq!((two.code, model.seen()), (Some(0), 8), "{}", two.talk);
    assert!(two.talk.contains("4 played, 4 recorded"), "{}", two.talk);
    // A judge may be asked while the models are played.
    let judged = ["eval", "taped", "--tape", "tapes", "--judge-tape-mode=off"];
    let three = run(program(), dir.path(), &judged, None);
    assert_eq!((three.code, model.seen()), (Some(0), 8), "{}", three.talk);
    // Without its key a model cannot be asked.
    assert_eq!(run(program(), dir.path(), &extend, None).code, Some(5));
}

#[test]
fn what_a_target_was_never_asked_has_no_answer() {
    let dir = recorded();
    write(
        dir.path(),
        "evals/models/other.yaml",
        "dialect: scripted\nscript:\n  - call: {name: search_books, args: {query: Frankenstein}}\n  - say: Answer of three books\n",
    );
    let args = ["eval", "taped", "--server-tape=tapes/server.ndjson", "--model", "other"];
    let ran = run(program(), dir.path(), &args, None);
    all_invalid(&ran);
    let why = unscored(&ran).join("\n");
    assert!(why.contains("has no answer to `tools/call` of `search_books`"), "{why}");
    assert!(why.contains("recorded with other arguments") && why.contains("Le Guin"), "{why}");
    // What it was asked, another model gets as well; and asking once more changes nothing for a tool that only reads.
    let script = "dialect: scripted\nscript:\n  - call: {name: search_books, args: {query: Le Guin}}\n  \
                  - call: {name: search_books, args: {query: Le Guin}}\n  - say: Answer of three books\n";
    write(dir.path(), "evals/models/other.yaml", script);
    let ran = run(program(), dir.path(), &args, None);
    assert_eq!(ran.code, Some(0), "{}", ran.talk);
}

#[test]
fn a_torn_tape_loses_its_last_line_and_a_changed_one_is_refused() {
    let dir = recorded();
    for tape in ["tapes/taped.models.ndjson", "tapes/server.ndjson"] {
        let path = dir.path().join(tape);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();
        let ran = run(program(), dir.path(), &REPLAY, None);
        assert!(ran.talk.contains("was broken off"), "{tape}: {}", ran.talk);
        assert_ne!(ran.code, Some(2), "{tape}: {}", ran.talk);
        // Le Guin by any other name.
        fs::write(&path, text.replacen("Le Guin", "le guin", 1)).unwrap();
        let ran = run(program(), dir.path(), &REPLAY, None);
        assert_eq!(ran.code, Some(2), "{tape}: {}", ran.talk);
        assert!(ran.talk.contains("tape.broken") && ran.talk.contains("broken at line"), "{}", ran.talk);
        fs::write(&path, &text).unwrap();
        fs::rename(&path, path.with_extension("gone")).unwrap();
        let ran = run(program(), dir.path(), &REPLAY, None);
        assert!(ran.code == Some(2) && ran.talk.contains("tape.missing"), "{tape}: {}", ran.talk);
        fs::rename(path.with_extension("gone"), &path).unwrap();
    }
    assert_eq!(run(program(), dir.path(), &REPLAY, None).code, Some(0));
}

#[test]
fn a_tape_is_made_of_any_run() {
    let dir = recorded();
    let output = program()
        .args(["runs", "tape", "latest", "--out", "first"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, fs::read_to_string(dir.path().join("tapes/server.ndjson")).unwrap());
    let calls = printed.lines().filter(|line| line.contains(r#""method":"tools/call""#));
    let call: Value = serde_json::from_str(calls.into_iter().next().unwrap()).unwrap();
    assert_eq!(call["direction"], "to the target");
    assert!(call["params"].is_string() && call["revision"].is_string(), "{call}");
    let args = ["auth", "taped", "--server-tape=tapes/server.ndjson"];
    assert_eq!(run(program(), dir.path(), &args, None).code, Some(2), "a tape cannot be probed");
}

#[test]
fn every_line_of_a_tape_fits_its_schema() {
    let dir = recorded();
    let schema: Value = serde_json::from_str(include_str!("../../docs/tape.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut lines = 0;
    for tape in fs::read_dir(dir.path().join("tapes")).unwrap() {
        for line in fs::read_to_string(tape.unwrap().path()).unwrap().lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            assert!(schema.is_valid(&value), "{line}");
            let mut other = value;
            other["surprise"] = Value::Null;
            assert!(!schema.is_valid(&other), "{line}");
            lines += 1;
        }
    }
    assert!(lines > 50, "{lines}");
}
