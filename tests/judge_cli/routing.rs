//! How sure a judge is, from the API to the second judge, the record, the labels and the next run.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::{Ran, json_of, rehearsal};

const SUITE: &str = "version: 1
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  isolation: run
  env: {BOOKSHOP_ISSUER: \"${issuer.url}\", BOOKSHOP_AUDIENCE: \"${target.url}\"}
auth: {issuer: embedded}
personas: [customer]
models: [lexical]
judge: {model: house, second: scripted-judge}
trials: TRIALS
cases:
  - id: late-order
    prompt: My order 1042 has not come. When will it arrive?
    expect: [{tool_called: get_order}]
    criteria:
      - {must: States the date., scripted: 28 November}
      - {must_not: Says sorry., scripted: sorry}
";

/// A judge behind an API with log probabilities, or behind one that refuses to be asked for them.
struct House {
    refuses: bool,
}

impl Respond for House {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        if self.refuses && !body["logprobs"].is_null() {
            let error = json!({"error": {"message": "Unsupported parameter: 'logprobs' is not supported with this model.",
                "type": "invalid_request_error", "param": "logprobs", "code": "unsupported_parameter"}});
            return ResponseTemplate::new(400).set_body_json(error);
        }
        let prompt = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
        let tokens = tokens(prompt);
        let text: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
        let logprobs = (body["logprobs"] == true).then(|| json!({"content": tokens, "refusal": null}));
        let message = json!({"role": "assistant", "content": text, "refusal": null});
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "c", "object": "chat.completion", "created": 0, "model": "m-2026",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": logprobs, "message": message}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}
        }))
    }
}

/// The reply to a prompt, token by token: sure of the date, not of the apology.
fn tokens(prompt: &str) -> Vec<Value> {
    let lines: Vec<Value> = prompt.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let cited: Vec<&Value> =
        lines.iter().filter(|line| line["role"] == "assistant").map(|line| &line["event"]).collect();
    let canary = lines.iter().find_map(|line| line["canary"].as_str()).unwrap();
    let certain = |text: String| json!({"token": text, "logprob": -1e-6, "top_logprobs": []});
    let mut all = vec![certain(format!("{{\"canary\":\"{canary}\""))];
    for line in &lines {
        let (Some(field), Some(statement)) = (line["criterion"].as_str(), line["statement"].as_str()) else {
            continue;
        };
        let (word, other, p) = match statement {
            "States the date." => ("yes", "no", 0.97_f64),
            "Says sorry." => ("no", "yes", 0.65),
            "The transcript contains at least one event." => ("yes", "no", 0.999),
            _ => ("no", "yes", 0.999),
        };
        let cited = json!(cited);
        all.push(certain(format!(
            ",\"{field}\":{{\"evidence\":{cited},\"reason\":\"seen\",\"doubt\":\"none\",\"verdict\":\""
        )));
        let top = json!([{"token": word, "logprob": p.ln()}, {"token": other, "logprob": (1.0 - p).ln()}]);
        all.push(json!({"token": word, "logprob": p.ln(), "top_logprobs": top}));
        all.push(certain("\"}".to_owned()));
    }
    all.push(certain("}".to_owned()));
    all
}

/// A project whose judge is behind this API.
async fn project(house: House, trials: u32) -> (tempfile::TempDir, MockServer) {
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(house).mount(&server).await;
    let project = tempfile::tempdir().unwrap();
    let dir = project.path();
    fs::create_dir_all(dir.join("evals/models")).unwrap();
    fs::create_dir_all(dir.join("suites")).unwrap();
    let model = format!("{{dialect: openai, id: m, base_url: '{}/v1', logprobs: 5}}\n", server.uri());
    fs::write(dir.join("evals/models/house.yaml"), model).unwrap();
    let program = json!(env!("CARGO_BIN_EXE_rehearsal")).to_string();
    let suite = SUITE.replace("TRIALS", &trials.to_string()).replace("[rehearsal,", &format!("[{program},"));
    fs::write(dir.join("suites/late.yaml"), suite).unwrap();
    (project, server)
}

fn judged(dir: &Path, more: &[&str]) -> Value {
    let ran = rehearsal(dir, &[&["eval", "late", "--format", "json"], more].concat(), "");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    json_of(&ran)["judge"].clone()
}

fn calibrate(dir: &Path, more: &[&str]) -> Ran {
    let args = ["judge", "calibrate", "answers-question", "--labels", "labels.yaml"];
    rehearsal(dir, &[&args, more].concat(), "")
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_show_where_the_second_judge_is_not_needed() {
    let (project, _server) = project(House { refuses: false }, 20).await;
    let dir = project.path();
    let before = judged(dir, &[]);
    assert_eq!(before["rulings"], json!({"asked": 40, "met": 40, "undecided": 0, "escalated": 20}));
    let shown = rehearsal(dir, &["show", "latest", "late-order", "--trial", "1"], "").stdout;
    assert!(shown.contains("decided by the judge; its yes had the probability 0.970"), "{shown}");
    assert!(
        shown.contains("decided with a second judge; the first one's no had the probability 0.650"),
        "{shown}"
    );

    // People agree with everything; `label` draws by lot, so the apologies are set right afterwards.
    rehearsal(dir, &["judge", "label", "latest", "--rater", "anna"], &"y\n".repeat(40));
    let labels = fs::read_to_string(dir.join("labels.yaml")).unwrap();
    let right = |line: &str| match line.contains("Says sorry.") {
        true => line.replace("\"label\":\"yes\"", "\"label\":\"no\""),
        false => line.to_owned(),
    };
    let labels: Vec<String> = labels.lines().map(right).collect();
    fs::write(dir.join("labels.yaml"), labels.join("\n") + "\n").unwrap();

    // Forty verdicts cannot show five per cent.
    let strict = calibrate(dir, &["--tolerate", "5%"]);
    assert!(strict.stdout.contains("40 labelled verdicts do not show"), "{}{}", strict.stdout, strict.stderr);
    assert_eq!(judged(dir, &["--out", "strict"])["rulings"]["escalated"], 20, "the usual threshold stays");
    let found = calibrate(dir, &[]);
    assert_eq!(found.code, 0, "{}", found.stderr);
    let line = found.stdout.lines().find(|line| line.starts_with("routing")).unwrap().to_owned();
    insta::assert_snapshot!(line);
    let kept = fs::read_to_string(dir.join("evals/rubrics/answers-question.calibration.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["judges"][0]["routing"]["above"], 0.5);

    let after = judged(dir, &[]);
    assert_eq!((&after["fingerprint"], &after["calibrated"]), (&before["fingerprint"], &json!(true)));
    assert_eq!(after["rulings"], json!({"asked": 40, "met": 40, "undecided": 0, "escalated": 0}));
    assert_eq!(after["calibration"]["routing"]["kept"], 40);
    let again = calibrate(dir, &["--model", "house"]);
    assert!(again.stdout.contains("routing    verdicts with a probability above 0.50"), "{}", again.stdout);
    let wrong = calibrate(dir, &["--tolerate", "5 of 100"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("is not a share"), "{}", wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_plays_how_sure_the_judge_was() {
    let (project, server) = project(House { refuses: false }, 1).await;
    let dir = project.path();
    let recorded = judged(dir, &["--tape", "tapes", "--tape-mode=record", "--out=first"]);
    assert_eq!(recorded["rulings"]["escalated"], 1);
    drop(server);
    let played = judged(dir, &["--tape", "tapes", "--out=second"]);
    assert_eq!(
        (&played["rulings"], &played["fingerprint"]),
        (&recorded["rulings"], &recorded["fingerprint"])
    );
    let shown = rehearsal(dir, &["show", "latest", "late-order", "--out=second"], "").stdout;
    assert!(shown.contains("the first one's no had the probability 0.650"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_tells_nothing_is_said_and_costs_no_verdict() {
    let (project, _server) = project(House { refuses: true }, 1).await;
    let dir = project.path();
    let found = judged(dir, &[]);
    assert_eq!(
        found["rulings"],
        json!({"asked": 2, "met": 2, "undecided": 0, "escalated": 0, "unweighed": 2})
    );
    let shown = rehearsal(dir, &["show", "latest"], "").stdout;
    assert!(shown.contains("how sure it was is not known of 2 of 2"), "{shown}");
    let trial = rehearsal(dir, &["show", "latest", "late-order"], "").stdout;
    assert!(trial.contains("how sure its yes was is not known"), "{trial}");
    fs::write(
        dir.join("suites/late.yaml"),
        fs::read_to_string(dir.join("suites/late.yaml"))
            .unwrap()
            .replace("second: scripted-judge", "second: scripted-judge, confidence: none"),
    )
    .unwrap();
    let plain = judged(dir, &["--out=plain"]);
    assert_ne!(plain["fingerprint"], found["fingerprint"], "another judge");
    assert_eq!(plain["rulings"], json!({"asked": 2, "met": 2, "undecided": 0, "escalated": 0}));
}
