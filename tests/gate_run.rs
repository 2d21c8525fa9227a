//! Runs against their baseline: what each kind of breakage is called, what passes, and that the run file alone gives the
//! verdict again.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rehearsal::ids::Digest;
use rehearsal::stats::Tally;
use rehearsal::store::baseline::{self, Baseline, Night};
use rehearsal::store::{Reader, Store, history};
use serde_json::Value;

/// A case of a suite: its name, its tag, the trials in which its model fails, and what the accepted run gave: passes of
/// trials.
struct Case {
    id: String,
    tag: &'static str,
    fails: Vec<u32>,
    before: [u64; 2],
    /// More of the case.
    more: &'static str,
}

fn case(at: usize) -> Case {
    Case { id: format!("c{at:02}"), tag: "shop", fails: vec![], before: [15, 15], more: "" }
}

fn cases(n: usize) -> Vec<Case> {
    (1..=n).map(case).collect()
}

/// Every trial of the gate: rounds and fresh ones.
fn always() -> Vec<u32> {
    (1..=10).collect()
}

fn suite(gate: &str, cases: &[Case]) -> String {
    let mut text = format!(
        "version: 1
name: night
target: {{command: [rehearsal, demo-server, --transport, stdio], transport: stdio}}
personas: [customer]
auth: {{issuer: embedded}}
models: [priced]
trials: 3
gate: {gate}
cases:
"
    );
    for Case { id, tag, fails, more, .. } in cases {
        let wrong =
            if fails.is_empty() { String::new() } else { format!("{{say: no, trials: {fails:?}}}, ") };
        text.push_str(&format!(
            "  - id: {id}\n    prompt: Say that {id} is fine.\n    tags: [{tag}]\n    expect: [{{answer_contains: fine}}]\n    script: [{wrong}{{say: \"{id} is fine\"}}]\n{more}"
        ));
    }
    text
}

/// A project with a suite and a baseline.
struct Project(tempfile::TempDir);

struct Ran {
    code: Option<i32>,
    summary: Value,
    talk: String,
}

impl Ran {
    fn has(&self, code: &str) -> bool {
        self.reasons(code).next().is_some()
    }

    fn reasons<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Value> {
        self.summary["reasons"].as_array().unwrap().iter().filter(move |reason| reason["code"] == code)
    }

    fn gate(&self) -> &Value {
        &self.summary["gate"]["models"][0]
    }

    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{:#}", self.talk, self.summary["reasons"]);
        self
    }
}

impl Project {
    /// The suite, and a baseline with one night in which every case gave what it says.
    fn new(gate: &str, cases: &[Case]) -> Self {
        let project = Self::bare(gate, cases);
        project.run(&["eval", "night", "-k", "1", "--no-baseline"]);
        project.accept(cases);
        project
    }

    fn bare(gate: &str, cases: &[Case]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            (
                "evals/models/priced.yaml",
                "dialect: scripted\nprice: {input: 1000, output: 1000}\n".to_owned(),
            ),
            ("suites/night.yaml", suite(gate, cases)),
        ];
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self) -> PathBuf {
        baseline::path(&self.path().join("reports"), &"night".into())
    }

    /// Makes the newest run the baseline, with the counts of the cases in the place of its own, and forgets it.
    fn accept(&self, cases: &[Case]) {
        let reports = self.path().join("reports");
        let newest = history::resolve(&reports, "latest").unwrap();
        let mut outcomes = Reader::open(&newest).unwrap().outcomes().unwrap();
        for lane in &mut outcomes.lanes {
            let case = cases.iter().find(|case| case.id == lane.key.case.as_str()).unwrap();
            let [passed, trials] = case.before;
            lane.tally = Tally { trials, passed };
        }
        let mut known = Baseline::new("night".into());
        let manifest = &outcomes.manifest;
        let night = Night {
            run: manifest.run.clone(),
            started: manifest.started.clone(),
            forced: None,
            prints: outcomes.prints.clone(),
        };
        known.accept(night, &outcomes.lanes);
        known.write(&self.file()).unwrap();
        fs::remove_file(newest).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(&[args, &["-j", "4", "--format", "json"]].concat());
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        let summary = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ran { code: output.status.code(), summary, talk }
    }

    fn command(&self, args: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(args)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .output()
            .unwrap()
    }

    fn eval(&self) -> Ran {
        self.run(&["eval", "night"])
    }

    /// `gate` on the newest run: exit code and what it says.
    fn gate(&self, more: &[&str]) -> (Option<i32>, String) {
        let output = self.command(&[&["gate", "latest"], more].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    }

    fn newest(&self) -> PathBuf {
        history::resolve(&self.path().join("reports"), "latest").unwrap()
    }
}

#[test]
fn an_unchanged_suite_passes_and_its_file_alone_says_so_again() {
    let project = Project::new("{mode: nightly, margin: 30pt, max_rounds: 3}", &cases(8));
    let ran = project.eval().exits(0);
    assert_eq!(ran.gate()["verdict"], "not worse", "{:#}", ran.summary["gate"]);
    assert_eq!(ran.summary["gate"]["course"], "rounds");
    assert!(ran.gate()["sentence"].as_str().unwrap().starts_with("not worse by more than 30 points; change"));
    assert!(ran.talk.contains("round 1 of at most 3: 8 cases against 1 accepted run"), "{}", ran.talk);
    fs::remove_file(project.file()).unwrap();
    fs::remove_file(project.path().join("suites/night.yaml")).unwrap();
    let (code, said) = project.gate(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("not worse by more than 30 points"), "{said}");
    let (code, said) = project.gate(&["--no-baseline"]);
    assert!(code == Some(0) && !said.contains("not worse"), "{said}");
    // A file that says another verdict than its own trials give is a fault of ours, and said.
    let file = project.newest();
    let mut record = Reader::open(&file).unwrap().record().unwrap().gate.unwrap();
    record["gates"]["priced"]["looks"][0]["p_suite"] = Value::from(0.5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&file).unwrap();
        store.gate(&record).await.unwrap();
        store.close().await.unwrap();
    });
    let (code, said) = project.gate(&[]);
    assert!(code == Some(70) && said.contains("bug.gate"), "{said}");
}

#[test]
fn a_broken_case_is_named_by_fresh_trials_that_no_rate_counts() {
    let mut all = cases(8);
    all[2].fails = always();
    all[5].fails = vec![1];
    let project = Project::new("{mode: release}", &all);
    let ran = project.eval().exits(1);
    let named: Vec<_> = ran.reasons("gate.regressed-case").map(|reason| reason["case"].as_str()).collect();
    assert_eq!(named, [Some("c03")], "{:#}", ran.summary["reasons"]);
    assert_eq!(ran.gate()["worse_cases"][0], "c03");
    // One round of eight, and five fresh trials for each of two suspects.
    assert_eq!(
        (ran.gate()["trials"].as_u64(), ran.summary["rates"][0]["trials"].as_u64()),
        (Some(18), Some(8))
    );
    let cleared = &ran.gate()["suspects"][1];
    assert_eq!((cleared["case"].as_str(), cleared["passed"].as_u64()), (Some("c06"), Some(5)));
    assert!(ran.talk.contains("2 suspects get 5 fresh trials each"), "{}", ran.talk);
    let state = |at: usize| ran.summary["cases"][at]["state"].as_str().unwrap();
    assert_eq!((state(2), state(5), state(0)), ("fail", "flaky", "pass"));
}

#[test]
fn a_broken_group_is_named_where_the_suite_as_a_whole_is_better() {
    let mut all = cases(12);
    for case in &mut all[..8] {
        case.before = [5, 15];
    }
    for case in &mut all[8..] {
        case.tag = "orders";
        case.fails = always();
    }
    let ran = Project::new("{mode: nightly}", &all).eval().exits(1);
    assert_eq!(ran.gate()["worse_groups"], serde_json::json!(["orders"]), "{:#}", ran.summary["reasons"]);
    let said = ran.reasons("gate.regressed-group").next().unwrap()["message"].as_str().unwrap();
    assert!(said.contains("0 of 4 passed, 60 of 60 in the baseline"), "{said}");
}

#[test]
fn a_worse_suite_fails_in_its_first_round_in_every_mode() {
    let mut all = cases(6);
    all.iter_mut().take(4).for_each(|case| case.fails = always());
    for mode in ["pr", "nightly"] {
        let ran = Project::new(&format!("{{mode: {mode}}}"), &all).eval().exits(1);
        assert!(ran.has("gate.regressed-suite"), "{:#}", ran.summary["reasons"]);
        let most = if mode == "pr" { 1 } else { 5 };
        assert_eq!(
            (ran.gate()["rounds"].as_u64(), ran.gate()["rounds_at_most"].as_u64()),
            (Some(1), Some(most))
        );
    }
}

#[test]
fn what_is_not_shown_warns_two_nights_and_blocks_a_release() {
    let project = Project::new("{mode: nightly, max_rounds: 2}", &cases(3));
    for code in [0, 0, 3] {
        let ran = project.eval().exits(code);
        assert_eq!(
            (&ran.summary["verdict"], &ran.gate()["verdict"]),
            (&"inconclusive".into(), &"inconclusive".into())
        );
        assert!(ran.has("gate.not-shown") && ran.has("gate.nightly"), "{:#}", ran.summary["reasons"]);
    }
    let suite = project.path().join("suites/night.yaml");
    let text = fs::read_to_string(&suite).unwrap().replace("mode: nightly", "mode: release");
    fs::write(&suite, text).unwrap();
    let ran = project.eval().exits(3);
    // The suite was edited, and that is said beside the verdict.
    assert!(ran.has("gate.drift") && ran.has("gate.not-shown"), "{:#}", ran.summary["reasons"]);
}

#[test]
fn another_surface_and_edited_cases_are_named_and_never_mixed() {
    let all = cases(4);
    let project = Project::new("{mode: pr, margin: 90pt}", &all);
    let mut known = baseline::read(&project.file()).unwrap().unwrap();
    let surfaces = &mut known.nights[0].prints.surfaces;
    surfaces.values_mut().for_each(|digest| *digest = Some(Digest::of(b"the server as it was")));
    known.write(&project.file()).unwrap();
    let suite = project.path().join("suites/night.yaml");
    let text = fs::read_to_string(&suite).unwrap();
    let text = text.replace("Say that c02 is fine", "Tell me that c02 is fine").replace("id: c04", "id: c05");
    fs::write(&suite, text).unwrap();
    let ran = project.eval().exits(0);
    let said: Vec<_> = ran.reasons("gate.drift").map(|reason| reason["message"].as_str().unwrap()).collect();
    assert!(said.iter().any(|text| text.starts_with("server `customer`")), "{said:?}");
    let left: Vec<_> = ran.summary["gate"]["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    insta::assert_snapshot!(left.join("\n"), @r"
    c02 (another case now: its prompts, setup, persona, client profile or limits changed)
    c05 (new: no accepted night has it)
    c04 (not run any more)
    ");
    assert_eq!(ran.gate()["cases"], 2);
    // What is not compared runs as often as the suite says.
    assert_eq!(ran.summary["cases"][1]["passed"], 3, "{:#}", ran.summary["cases"][1]["trials"]);
}

#[test]
fn a_forbidden_tool_fails_however_good_the_rate_is() {
    let mut all = cases(4);
    all[1].more = "";
    let project = Project::bare("{mode: pr, margin: 90pt}", &all);
    let suite = project.path().join("suites/night.yaml");
    let call = "{call: {name: search_books, args: {query: Lem}}, trials: [1]}, {say: \"c02 is fine\"}";
    let text = fs::read_to_string(&suite).unwrap();
    let text = text.replace("{say: \"c02 is fine\"}", call).replace(
        "prompt: Say that c02 is fine.\n    tags: [shop]\n    expect: [",
        "prompt: Say that c02 is fine.\n    tags: [shop]\n    expect: [{tool_not_called: search_books}, ",
    );
    fs::write(&suite, text).unwrap();
    project.run(&["eval", "night", "-k", "1", "--no-baseline"]);
    project.accept(&all);
    let ran = project.eval().exits(1);
    let named: Vec<_> = ran.reasons("gate.forbidden-tool").map(|reason| reason["case"].as_str()).collect();
    assert_eq!(named, [Some("c02")], "{:#}", ran.summary["reasons"]);
    assert!(!ran.has("gate.regressed-case"));
}

#[test]
fn a_budget_leaves_the_gate_open_and_a_resume_ends_it() {
    let mut all = cases(6);
    all[3].fails = always();
    let project = Project::new("{mode: release}", &all);
    let ran = project.run(&["eval", "night", "--max-cost", "0.000001"]).exits(3);
    assert!(ran.has("run.budget") && ran.has("gate.unfinished"), "{:#}", ran.summary["reasons"]);
    // What the gate rests on is in the file: the baseline may go.
    fs::remove_file(project.file()).unwrap();
    let ran = project.run(&["resume", "latest"]).exits(1);
    let named: Vec<_> = ran.reasons("gate.regressed-case").map(|reason| reason["case"].as_str()).collect();
    assert_eq!(named, [Some("c04")], "{:#}", ran.summary["reasons"]);
    assert_eq!(ran.gate()["trials"], 11);
    let again = project.command(&["resume", "latest"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(1) && said.contains("nothing is missing"), "{said}");
}

#[test]
fn a_fixed_plan_is_compared_and_its_suspects_are_left_open() {
    let mut all = cases(4);
    all[0].fails = vec![1];
    let project = Project::new("{mode: nightly, margin: 90pt}", &all);
    let ran = project.run(&["eval", "night", "-k", "2"]).exits(0);
    assert_eq!(
        (&ran.summary["verdict"], &ran.summary["gate"]["course"]),
        (&"inconclusive".into(), &"fixed".into())
    );
    let open = ran.reasons("gate.unconfirmed").next().unwrap()["message"].as_str().unwrap();
    assert!(open.contains("c01"), "{open}");
    assert_eq!(ran.gate()["rounds_at_most"], 2);

    // A run that was compared with nothing is held against the baseline afterwards, or refused without one.
    project.run(&["eval", "night", "-k", "2", "--no-baseline"]).exits(1);
    let (code, said) = project.gate(&[]);
    assert!(code == Some(0) && said.contains("gate.unconfirmed"), "{said}");
    let kept = project.path().join("kept.json");
    fs::rename(project.file(), &kept).unwrap();
    let (code, said) = project.gate(&[]);
    assert!(code == Some(2) && said.contains("gate.no-baseline"), "{said}");
    let (code, said) = project.gate(&["--baseline", "kept.json"]);
    assert!(code == Some(0) && said.contains("kept.json"), "{said}");
    fs::write(project.file(), "<<<<<<< HEAD\n").unwrap();
    assert_eq!(project.eval().exits(2).summary, Value::Null);
}
