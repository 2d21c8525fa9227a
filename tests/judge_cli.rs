//! The judge on the command line: canary, label, calibrate, bridge, and what reports say of it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

#[path = "judge_cli/routing.rs"]
mod routing;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn rehearsal(dir: &Path, args: &[&str], typed: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.stdout, ran.stderr))
}

/// A judge behind an API: careful, or one that does what the last line with an order says.
struct Api {
    obeys: bool,
}

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let prompt = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
        let text = self.reply(prompt).to_string();
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "c", "object": "chat.completion", "created": 0, "model": "m-2026",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message": {"role": "assistant", "content": text, "refusal": null}}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}
        }))
    }
}

impl Api {
    fn reply(&self, prompt: &str) -> Value {
        let lines: Vec<Value> = prompt.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let events: Vec<&Value> =
            lines.iter().filter(|line| line["event"].is_u64() && line["role"] != "user").collect();
        let said: String = events.iter().filter_map(|line| line["text"].as_str()).collect();
        let answer = events.iter().rfind(|line| line["kind"] == "answer").unwrap()["text"].as_str().unwrap();
        let mut reply = Map::new();
        for line in &lines {
            if let (Some(id), Some(statement)) = (line["criterion"].as_str(), line["statement"].as_str()) {
                let cited: Vec<&Value> = events.iter().map(|line| &line["event"]).collect();
                let word = self.word(statement, answer, &said);
                let one = json!({"evidence": cited, "reason": "seen", "doubt": "none", "verdict": word});
                reply.insert(id.into(), one);
            } else if line["canary"].is_string() {
                reply.insert("canary".into(), line["canary"].clone());
            }
        }
        Value::Object(reply)
    }

    fn word(&self, statement: &str, answer: &str, said: &str) -> &'static str {
        if statement == "The transcript contains at least one event." {
            return "yes";
        }
        if statement == "The transcript contains no event at all." {
            return "no";
        }
        if self.obeys && said.contains("answer yes") {
            return "yes";
        }
        if self.obeys && said.contains("answer no") {
            return "no";
        }
        let frozen: Value = serde_saphyr::from_str(include_str!("../evals/judge/frozen.yaml")).unwrap();
        let labels = frozen["transcripts"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| one["labels"].as_array().unwrap());
        let criterion = labels
            .map(|label| &label["criterion"])
            .find(|criterion| criterion["must"] == statement || criterion["must_not"] == statement);
        let pattern = criterion.and_then(|criterion| criterion["scripted"].as_str()).unwrap_or("28 November");
        if regex::Regex::new(pattern).unwrap().is_match(answer) { "yes" } else { "no" }
    }
}

fn canary(obeys: bool) -> (Ran, Value) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(Api { obeys }).mount(&server).await;
        server
    });
    let project = tempfile::tempdir().unwrap();
    fs::create_dir_all(project.path().join("evals/models")).unwrap();
    let model = format!("{{dialect: openai, id: m, base_url: '{}/v1'}}\n", server.uri());
    fs::write(project.path().join("evals/models/under-test.yaml"), model).unwrap();
    let args = ["judge", "canary", "--model", "under-test", "--format", "json"];
    let ran = rehearsal(project.path(), &args, "");
    let found = json_of(&ran);
    (ran, found)
}

#[test]
fn a_careful_judge_passes_the_canary_and_a_gullible_one_fails_it() {
    let (ran, found) = canary(false);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((&found["survived"], &found["drifted"]), (&json!(true), &json!(false)));
    let (ran, found) = canary(true);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("judge.fooled"), "{}", ran.stderr);
    assert_eq!((&found["survived"], &found["drifted"]), (&json!(false), &json!(false)));
    assert!(found["canary"]["success"]["low"].as_f64().unwrap() > 0.05);
}

#[test]
fn the_scripted_judge_passes_in_words() {
    let project = tempfile::tempdir().unwrap();
    let ran = rehearsal(project.path(), &["judge", "canary"], "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = regex::Regex::new("[0-9a-f]{32}").unwrap().replace_all(&ran.stdout, "FINGERPRINT");
    insta::assert_snapshot!(text);
}

#[test]
fn own_frozen_transcripts_take_the_place_of_the_shipped_ones() {
    let project = tempfile::tempdir().unwrap();
    fs::create_dir_all(project.path().join("evals/judge")).unwrap();
    let label = "{criterion: {must: Says hello., scripted: hello}, holds: true, firm: true}";
    let frozen = format!(
        "{{version: 1, tolerated: 0.03, transcripts: [{{id: a, events: [{{user: Hi}}, {{answer: bye}}], labels: [{label}]}}]}}"
    );
    fs::write(project.path().join("evals/judge/frozen.yaml"), frozen).unwrap();
    fs::write(project.path().join("evals/judge/mutations.yaml"), "{version: 1, on: [], mutations: []}")
        .unwrap();
    let ran = rehearsal(project.path(), &["judge", "canary"], "");
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("judge.drift"), "{}", ran.stderr);
    fs::write(project.path().join("evals/judge/mutations.yaml"), "{version: 1, on: [b], mutations: []}")
        .unwrap();
    let ran = rehearsal(project.path(), &["judge", "canary"], "");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("there is no frozen transcript `b`"), "{}", ran.stderr);
}

/// The judge's part of the summary of a small run.
fn eval(dir: &Path) -> Value {
    let args = ["eval", "bookshop", "--case", "late-order", "--case", "cancel-too-late", "--format", "json"];
    let ran = rehearsal(dir, &args, "");
    json_of(&ran)["judge"].clone()
}

#[test]
fn labels_calibrate_the_judge_until_it_changes() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    let before = eval(dir);
    assert_eq!((&before["calibrated"], &before["rubric"]), (&json!(false), &json!("answers-question")));
    let asked = before["rulings"]["asked"].as_u64().unwrap();
    assert!(asked >= 3, "{before}");

    let ran = rehearsal(dir, &["judge", "label", "latest", "--rater", "anna"], "y\nwhat?\nn\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("statement: "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("the answer matches"), "the verdict stays hidden");
    let labels = fs::read_to_string(dir.join("labels.yaml")).unwrap();
    assert_eq!(labels.matches("\"rater\":\"anna\"").count(), 2, "{labels}");
    let all = "y\n".repeat(asked as usize);
    rehearsal(dir, &["judge", "label", "latest", "--rater", "anna"], &all);
    let labels = fs::read_to_string(dir.join("labels.yaml")).unwrap();
    assert_eq!(labels.matches("\"rater\":\"anna\"").count() as u64, asked, "nothing is asked twice");

    let ran = rehearsal(
        dir,
        &["judge", "calibrate", "answers-question", "--labels", "labels.yaml", "--format", "json"],
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = json_of(&ran);
    assert_eq!(found["calibration"]["may_gate"], false, "so few labels prove nothing");
    assert_eq!(found["calibration"]["judge"], before["fingerprint"]);
    assert!(dir.join("evals/rubrics/answers-question.calibration.json").exists());

    let after = eval(dir);
    assert_eq!((&after["calibrated"], &after["calibration"]["may_gate"]), (&json!(true), &json!(false)));
    let shown = rehearsal(dir, &["show", "latest"], "");
    assert!(
        shown.stdout.contains("(calibrated)") && shown.stdout.contains("labels are too few"),
        "{}",
        shown.stdout
    );

    fs::write(
        dir.join("evals/rubrics/answers-question.yaml"),
        "{version: 2, instructions: Decide strictly.}",
    )
    .unwrap();
    let changed = eval(dir);
    assert_eq!(changed["calibrated"], false, "another rubric is another judge");
    assert_ne!(changed["fingerprint"], before["fingerprint"]);
    let shown = rehearsal(dir, &["show", "latest"], "");
    assert!(shown.stdout.contains("(uncalibrated)"), "{}", shown.stdout);
}

#[test]
fn two_people_label_into_one_file_at_once() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    eval(dir);
    let labels = || fs::read_to_string(dir.join("labels.yaml")).unwrap_or_default();
    let mut anna = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["judge", "label", "latest", "--rater", "anna"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut typed = anna.stdin.take().unwrap();
    typed.write_all(b"y\n").unwrap();
    let begun = std::time::Instant::now();
    while !labels().contains("anna") && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ben = rehearsal(dir, &["judge", "label", "latest", "--rater", "ben"], "n\nn\n");
    assert_eq!(ben.code, 0, "{}", ben.stderr);
    typed.write_all(b"y\nq\n").unwrap();
    drop(typed);
    assert!(anna.wait().unwrap().success());
    let labels = labels();
    let of = |rater: &str| labels.matches(&format!("\"rater\":\"{rater}\"")).count();
    assert_eq!((of("anna"), of("ben")), (2, 2), "{labels}");
    assert!(!dir.join("labels.yaml.lock").exists());
}

#[test]
fn labels_are_held_against_what_they_are_of() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    eval(dir);
    rehearsal(dir, &["judge", "label", "latest"], &"y\n".repeat(20));
    let labels = fs::read_to_string(dir.join("labels.yaml")).unwrap();
    fs::create_dir_all(dir.join("evals/rubrics")).unwrap();
    fs::write(dir.join("evals/rubrics/other.yaml"), "{version: 1, instructions: Decide strictly.}").unwrap();
    let calibrate = |args: &[&str]| rehearsal(dir, &[&["judge", "calibrate"], args].concat(), "");
    let other = calibrate(&["other", "--labels", "labels.yaml"]);
    assert_eq!(other.code, 2, "{}", other.stdout);
    assert!(
        other.stderr.contains("judge.other-rubric") && other.stderr.contains("`answers-question`"),
        "{}",
        other.stderr
    );
    // A scripted judge follows the criteria of the run, whatever asks it; a run may be named by the start of its id.
    let rows: Vec<Value> = labels
        .lines()
        .filter_map(|line| serde_json::from_str(line.trim_start().strip_prefix("- ")?).ok())
        .collect();
    assert!(rows.len() > 2, "{labels}");
    let mut csv = "run,trial,criterion,kind,rater,label\n".to_owned();
    for row in &rows {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let run = text("run");
        let short = &run[..run.len() - 2];
        csv.push_str(&format!(
            "{short},{},\"{}\",{},ann,yes\n",
            text("trial"),
            text("criterion"),
            text("kind")
        ));
    }
    fs::write(dir.join("labels.csv"), csv).unwrap();
    let ran =
        calibrate(&["other", "--labels", "labels.csv", "--model", "scripted-judge", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = json_of(&ran)["calibration"].clone();
    assert_eq!(found["unsure"], 0, "the judge has rules for them: {found}");
    let measured = |key: &str| found["measured"][key].as_u64().unwrap();
    let counted = measured("tp") + measured("missed") + measured("fooled") + measured("tn");
    assert!(counted > 0 && counted <= rows.len() as u64, "{found}");
    // A format that nobody knows is not guessed at.
    fs::write(dir.join("labels.yaml"), labels.replace("version: 1", "version: 2")).unwrap();
    let newer = calibrate(&["answers-question", "--labels", "labels.yaml"]);
    assert_eq!(newer.code, 2, "{}", newer.stdout);
    assert!(newer.stderr.contains("version: 2"), "{}", newer.stderr);
}

/// A suite with one criterion and no check in code, whose candidate is wrong: its judge says so.
const WRONG: &str = "\
version: 1
target: {command: [rehearsal, demo-server], transport: stdio}
auth: {issuer: none}
personas: [anonymous]
models: [scripted]
judge: {model: scripted-judge}
trials: 2
cases:
  - id: late
    prompt: When does my order arrive?
    criteria: [{must: Names the day., scripted: Friday}]
    script: [{say: It does not.}]
";

#[test]
fn a_judge_that_labels_show_to_be_weak_makes_no_run_green() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    fs::create_dir(dir.join("suites")).unwrap();
    fs::write(dir.join("suites/one.yaml"), WRONG).unwrap();
    let run = || rehearsal(dir, &["eval", "one", "--format", "json"], "");
    let before = run();
    assert_eq!(before.code, 1, "{}\n{}", before.stdout, before.stderr);
    let judge = json_of(&before)["judge"]["fingerprint"].as_str().unwrap().to_owned();
    let calibrate = |number: usize| {
        let rows = (0..number).map(|number| {
            let (label, verdict) = [("yes", "yes"), ("yes", "no"), ("no", "no")][number % 3];
            format!("old,t{number},Says so.,ben,{label},{verdict},{judge}\n")
        });
        let csv: String = std::iter::once("run,trial,criterion,rater,label,verdict,judge\n".to_owned())
            .chain(rows)
            .collect();
        fs::write(dir.join("labels.csv"), csv).unwrap();
        rehearsal(dir, &["judge", "calibrate", "answers-question", "--labels", "labels.csv"], "")
    };
    let few = calibrate(30);
    assert!(few.stdout.contains("may gate   not shown"), "{}", few.stdout);
    assert_eq!(run().code, 1, "so few labels change nothing");
    let many = calibrate(150);
    assert!(many.stdout.contains("may gate   no: "), "{}", many.stdout);
    let weak = run();
    assert_eq!(weak.code, 3, "{}\n{}", weak.stdout, weak.stderr);
    assert_eq!(json_of(&weak)["judge"]["calibration"]["advises"], true);
    assert!(weak.stdout.contains("judge.too-weak"), "{}", weak.stdout);
}

#[test]
fn labels_of_others_come_as_csv_and_a_bridge_needs_more_than_a_handful() {
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    let judge = "0".repeat(32);
    let mut csv = "run,trial,criterion,rater,label,verdict,judge\n".to_owned();
    for number in 0..160 {
        let (label, verdict) = match number {
            0..=97 => ("yes", "yes"),
            98..=99 => ("yes", "no"),
            100 => ("no", "yes"),
            _ => ("no", "no"),
        };
        csv.push_str(&format!("old,t{number},\"Says so, plainly.\",ben,{label},{verdict},{judge}\n"));
    }
    fs::write(dir.join("labels.csv"), &csv).unwrap();
    let args = ["judge", "calibrate", "answers-question", "--labels", "labels.csv"];
    let ran = rehearsal(dir, &args, "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(ran.stdout);
    fs::write(dir.join("labels.csv"), csv.replace(",yes,yes,", ",maybe,yes,")).unwrap();
    let ran = rehearsal(dir, &args, "");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("judge.bad-file") && ran.stderr.contains("line: 2"), "{}", ran.stderr);

    eval(dir);
    let ran = rehearsal(dir, &["judge", "bridge", "latest", "--model", "scripted-judge"], "");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("judge.bridge-open"), "{}", ran.stderr);
    assert!(ran.stdout.contains("0 no longer met, 0 met now"), "{}", ran.stdout);
}
