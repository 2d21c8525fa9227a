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

    /// Trials that cost something.
    fn paid(&self) -> usize {
        let cases = self.summary["cases"].as_array().unwrap();
        let trials = cases.iter().flat_map(|case| case["trials"].as_array().unwrap());
        trials.filter(|trial| trial["cost"].as_f64().unwrap() > 0.0).count()
    }

    fn stopped_by_budget(&self) -> bool {
        self.summary["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == "run.budget")
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .args(if args[0] == "plan" { &["--format", "json"][..] } else { &["-j", "1", "--format", "json"] })
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
    assert!(first.stopped_by_budget());
    // Any use trial is over this budget. The order is that of the seed: three auth checks, which are free, then the first
    // use trial; one more trial may be under way when it is counted.
    assert_eq!(first.paid(), 1, "{}", first.summary["totals"]);
    assert!((4..=5).contains(&first.trials()), "{}", first.summary["totals"]);

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

/// The suite with more trials and other expectations, and the run that a small budget has stopped.
fn stopped(dir: &Path, budget: f64) -> Ran {
    let text = NIGHTLY.replace("trials: 3", "trials: 30");
    fs::write(dir.join("suites/night.yaml"), text).unwrap();
    run(dir, &["eval", "night", "--max-cost", &budget.to_string()])
}

fn cost(ran: &Ran) -> f64 {
    ran.summary["usage"]["cost"].as_f64().unwrap()
}

#[test]
fn trials_that_are_scored_again_are_not_paid_for_again() {
    let dir = project();
    let each = cost(&run(dir.path(), &["eval", "night", "--trials", "1"]));
    let first = stopped(dir.path(), 6.0 * each);
    assert!(first.stopped_by_budget(), "{}", first.talk);
    assert!((cost(&first) - each * first.trials() as f64).abs() < 1e-6);

    let text = fs::read_to_string(dir.path().join("suites/night.yaml")).unwrap();
    let text = text.replace("expect: [tool_called: search_books]", "expect: [no_tool_errors: true]");
    fs::write(dir.path().join("suites/night.yaml"), text).unwrap();
    // Counted twice, what is spent would leave no room for a single trial more.
    let wanted = first.trials() + 5;
    let budget = each * wanted as f64 - each / 2.0;
    assert!(budget < 2.0 * cost(&first));
    let again = run(dir.path(), &["resume", "latest", "--max-cost", &budget.to_string()]);
    assert!(again.talk.contains(&format!("{} to score again", first.trials())), "{}", again.talk);
    assert!(again.stopped_by_budget() && again.trials() >= wanted, "{}", again.summary["totals"]);
    let checks = again.summary["cases"][0]["trials"].as_array().unwrap();
    assert!(checks.iter().all(|trial| trial["findings"][0]["check"] == "no_tool_errors"));

    let third = run(dir.path(), &["resume", "latest", "--max-cost", &budget.to_string()]);
    assert_eq!(third.trials(), again.trials(), "the budget is used up");
}

#[test]
fn a_target_that_shows_other_tools_is_not_mixed_into_a_run_unasked() {
    let dir = project();
    let first = stopped(dir.path(), 0.001);
    assert!(first.stopped_by_budget(), "{}", first.talk);
    let suite = dir.path().join("suites/night.yaml");
    let text = fs::read_to_string(&suite).unwrap();
    let changed = text.replace("stdio], transport", "stdio, --flaw, vague-descriptions], transport");
    assert_ne!(text, changed);
    fs::write(&suite, changed).unwrap();

    let refused = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["resume", "latest", "--format", "json"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{talk}");
    let last: Value = serde_json::from_str(talk.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "run.drift");
    assert!(last["error"]["message"].as_str().unwrap().contains("`customer`"), "{talk}");
    assert!(last["error"]["hint"].as_str().unwrap().contains("resume --accept-drift`"), "{talk}");

    // Refused, nothing was spent; accepted, it goes on; and what was shown at first is no drift.
    let accepted = run(dir.path(), &["resume", "latest", "--accept-drift", "--max-cost", "0.001"]);
    assert_eq!(accepted.trials(), first.trials(), "{}", accepted.talk);
    let accepted = run(dir.path(), &["resume", "latest", "--accept-drift"]);
    assert_eq!((accepted.trials(), accepted.stopped_by_budget()), (30, false), "{}", accepted.talk);
    let other = project();
    stopped(other.path(), 0.001);
    assert_eq!(run(other.path(), &["resume", "latest"]).trials(), 30);
}

#[test]
fn a_suite_has_a_budget_of_its_own_and_the_command_line_another() {
    let dir = project();
    let suite = NIGHTLY.replace("trials: 3", "trials: 30\nmax_cost: 0.001").replace("nightly", "pr");
    fs::write(dir.path().join("suites/night.yaml"), &suite).unwrap();
    let ran = run(dir.path(), &["eval", "night"]);
    assert_eq!(ran.code, Some(3), "{}", ran.talk);
    assert!(ran.stopped_by_budget() && ran.trials() < 30, "{}", ran.summary["totals"]);
    // What is finished is kept, and more money goes on with it.
    let more = run(dir.path(), &["resume", "latest", "--max-cost", "1000"]);
    assert_eq!((more.code, more.trials()), (Some(0), 30), "{}", more.talk);

    let wrong = suite.replace("max_cost: 0.001", "max_cost: 0");
    fs::write(dir.path().join("suites/night.yaml"), wrong).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["check", "night"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && talk.contains("a budget is an amount"), "{talk}");
}

#[test]
fn a_played_user_who_alone_costs_is_expected_next_time() {
    let dir = project();
    let turns = "turns:\n      - simulate:\n          goal: to be heard\n          model: {name: paid, dialect: scripted_user, price: {input: 1000, output: 1000}}\n          script: [{say: Do you have any books by Le Guin?}]";
    let suite =
        NIGHTLY.replace("[priced]", "[lexical]").replace("prompt: Do you have any books by Le Guin?", turns);
    fs::write(dir.path().join("suites/night.yaml"), suite).unwrap();
    let first = run(dir.path(), &["eval", "night"]);
    assert!(first.talk.contains("expected cost: known after a first run"), "{}", first.talk);
    assert!(cost(&first) > 0.0, "{}", first.summary["usage"]);
    let plan = run(dir.path(), &["plan", "night"]);
    let expected = &plan.summary["suites"][0]["expected"];
    assert!((expected["cost"].as_f64().unwrap() - cost(&first)).abs() < 1e-6, "{expected}");
    assert_eq!(expected["user_cost"], expected["cost"]);
    let second = run(dir.path(), &["eval", "night"]);
    assert!(second.talk.contains("of it for played users, going by run"), "{}", second.talk);
}

#[test]
fn who_spent_what_is_told_and_expected_next_time() {
    let dir = project();
    let unpriced = PRICED.replace("price: {input: 1000, output: 1000}\n", "");
    fs::write(dir.path().join("evals/models/unpriced.yaml"), unpriced).unwrap();
    let suite = NIGHTLY.replace("models: [priced]", "models: [priced, unpriced]");
    fs::write(dir.path().join("suites/night.yaml"), suite).unwrap();
    let first = run(dir.path(), &["eval", "night"]);
    assert!(first.talk.contains("expected cost: known after a first run"), "{}", first.talk);
    let models = first.summary["spending"]["models"].as_array().unwrap();
    let [priced, unpriced] = &models[..] else { panic!("{models:?}") };
    let spent = priced["cost"].as_f64().unwrap();
    assert!(spent > 0.0 && (spent - cost(&first)).abs() < 1e-6, "{priced}");
    assert_eq!((&priced["cases"], &priced["passing_cases"]), (&Value::from(1), &Value::from(1)));
    assert_eq!(priced["cost_per_case"], priced["cost"]);
    assert_eq!(priced["cost_per_passing_case"], priced["cost"]);
    // Never nothing.
    for key in ["cost", "cost_per_case", "cost_per_passing_case"] {
        assert_eq!(unpriced[key], Value::Null, "{key}");
    }
    assert_eq!(unpriced["unpriced_trials"], 3);
    assert_eq!(first.summary["spending"]["judge"], Value::Null);

    let plan = run(dir.path(), &["plan", "night", "--model", "priced"]);
    let expected = &plan.summary["suites"][0]["expected"];
    assert!((expected["cost"].as_f64().unwrap() - spent).abs() < 1e-6, "{expected}");
    let second = run(dir.path(), &["eval", "night"]);
    assert!(second.talk.contains("expected: about "), "{}", second.talk);
    assert!(second.talk.contains("(3 trials unpriced), going by run"), "{}", second.talk);

    let report = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(["report", "latest", "--format", format])
            .current_dir(dir.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for format in ["human", "markdown"] {
        let text = report(format);
        assert!(text.contains("per passing case"), "{format}: {text}");
        assert!(text.contains("unpriced"), "{format}: {text}");
    }
}
