//! `triage` on real runs of small suites: each cause from a fault that was put there on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

#[path = "support/ran.rs"]
mod ran;

use ran::{json_of, rehearsal};

/// A suite over standard streams with one model, one trial a case.
fn suite(model: &str, rest: &str) -> String {
    format!(
        "version: 1\nname: shop\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\nauth: {{issuer: none}}\n\
         personas: [anonymous]\nmodels: [{model}]\ntrials: 1\n{rest}"
    )
}

fn project(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("suites")).unwrap();
    fs::create_dir_all(dir.path().join("evals/models")).unwrap();
    fs::write(dir.path().join("suites/shop.yaml"), text).unwrap();
    dir
}

/// Runs the suite and then the triage of it; the triage as JSON.
fn triaged(dir: &Path, eval: &[&str], more: &[&str]) -> Value {
    let ran = rehearsal(dir, &[&["eval", "shop", "--quiet"], eval].concat());
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let ran = rehearsal(dir, &[&["triage", "--format", "json"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    json_of(&ran)
}

const ORDER: &str = "cases:\n  - id: late-order\n    prompt: My order 1042 has not come. When will it arrive?\n    expect:\n      \
     - tool_called: {name: get_order, args: {id: 1042}}\n      - result_json: {tool: get_order, path: $.arrives, equals: {$date: 2026-11-28}}\n";

#[test]
fn a_server_that_answers_wrong_is_found_without_a_model() {
    let dir = project(&suite("lexical", ORDER));
    for flaw in ["wrong-date", "renamed-argument"] {
        let found = triaged(dir.path(), &["--flaw", flaw], &[]);
        let case = &found["cases"][0];
        assert_eq!(case["cause"], "server", "{flaw}: {case:#}");
        assert_eq!(case["evidence"]["direct"]["failed"], 3, "{case:#}");
    }
}

#[test]
fn vague_descriptions_collide_or_say_nothing_while_the_server_is_sound() {
    let cases = format!(
        "{ORDER}  - id: buy-copies\n    prompt: I want to buy 2 copies of B108.\n    expect:\n      \
         - tool_called: {{name: place_order, args: {{book_id: B108, quantity: 2}}}}\n"
    );
    let dir = project(&suite("lexical", &cases));
    let found = triaged(dir.path(), &["--flaw", "vague-descriptions"], &[]);
    for case in found["cases"].as_array().unwrap() {
        assert_eq!(case["evidence"]["direct"]["passed"], 3, "{case:#}");
        let cause = &case["cause"];
        assert!(cause == "description" || cause["collision"]["with"].is_string(), "{case:#}");
    }
    // What was found is kept among the reports of the run, and its trials can be read.
    let runs = dir.path().join("reports/runs/shop");
    let folder =
        fs::read_dir(runs).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    let kept: Value = serde_json::from_str(&fs::read_to_string(folder.join("triage.json")).unwrap()).unwrap();
    assert_eq!(kept, found);
    let trials = folder.join(found["trials"].as_str().unwrap());
    let shown = rehearsal(dir.path(), &["show", trials.to_str().unwrap(), "buy-copies/direct"]);
    assert!(shown.stdout.contains("place_order"), "{}{}", shown.stdout, shown.stderr);
    let listed = rehearsal(dir.path(), &["runs", "list"]);
    assert_eq!(listed.stdout.lines().count(), 1, "{}", listed.stdout);
}

#[test]
fn nothing_failed_and_nothing_of_that_name() {
    let dir = project(&suite("lexical", ORDER));
    assert_eq!(rehearsal(dir.path(), &["eval", "shop", "--quiet"]).code, Some(0));
    let ran = rehearsal(dir.path(), &["triage"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let ran = rehearsal(dir.path(), &["triage", "latest", "late-ordr"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("late-order"), "{}", ran.stderr);
}

/// A model behind an API that calls a tool, if that is offered, and otherwise the first that is.
struct Model {
    /// The tool it wants.
    wants: &'static str,
    /// Its arguments.
    args: Value,
    /// What it says in the end.
    says: &'static str,
}

impl Respond for Model {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let called = body["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool");
        let names: Vec<&str> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        let name = if names.contains(&self.wants) { self.wants } else { names[0] };
        let message = match called {
            true => json!({"role": "assistant", "content": self.says, "refusal": null}),
            false => json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": self.args.to_string()}}
            ]}),
        };
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "c", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        }))
    }
}

/// Names the models of a project after what they do.
async fn models(dir: &Path, models: Vec<(&str, Model)>) -> Vec<MockServer> {
    let mut servers = vec![];
    for (name, model) in models {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(model).mount(&server).await;
        let text =
            format!("dialect: openai\nbase_url: {}/v1\nprice: {{input: 1, output: 1}}\n", server.uri());
        fs::write(dir.join(format!("evals/models/{name}.yaml")), text).unwrap();
        servers.push(server);
    }
    servers
}

fn model(wants: &'static str, says: &'static str) -> Model {
    Model { wants, args: json!({"id": 1042}), says }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_draws_the_call_to_itself_is_named() {
    let dir = project(&suite("drawn", ORDER));
    let _servers = models(dir.path(), vec![("drawn", model("list_orders", "Soon."))]).await;
    let found = triaged(dir.path(), &[], &[]);
    let case = &found["cases"][0];
    assert_eq!(case["cause"], json!({"collision": {"with": "list_orders"}}), "{case:#}");
    assert_eq!(case["evidence"]["alone"]["passed"], 3, "{case:#}");
    assert!(found["cost"].as_f64().unwrap() > 0.0, "{found:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_model_tells_the_model_from_what_it_reads() {
    let cases =
        ORDER.replace("      - result_json", "      - answer_contains: 28 November\n      - result_json");
    let dir = project(&suite("mute", &cases));
    let both =
        vec![("mute", model("get_order", "I do not know.")), ("able", model("get_order", "28 November"))];
    let _servers = models(dir.path(), both).await;
    let found = triaged(dir.path(), &[], &["--second-model", "able"]);
    let case = &found["cases"][0];
    assert_eq!(case["cause"], "model", "{case:#}");
    assert_eq!(case["evidence"]["second_model"]["passed"], 3, "{case:#}");
    assert_eq!(case["evidence"]["again"]["ways"]["right"], 3, "{case:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_stops_the_look_and_dry_runs_spend_nothing() {
    let dir = project(&suite("drawn", ORDER));
    let servers = models(dir.path(), vec![("drawn", model("list_orders", "Soon."))]).await;
    assert_eq!(rehearsal(dir.path(), &["eval", "shop", "--quiet"]).code, Some(1));
    let before = servers[0].received_requests().await.unwrap().len();
    let dry = rehearsal(dir.path(), &["triage", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(dry.stderr.contains("at most 9 trials, about 12 model calls"), "{}", dry.stderr);
    assert_eq!(servers[0].received_requests().await.unwrap().len(), before);
    let poor = rehearsal(dir.path(), &["triage", "--max-cost", "0.0001", "-j", "1", "--format", "json"]);
    assert_eq!(poor.code, Some(3), "{}", poor.stderr);
    assert!(poor.stderr.contains("run.budget"), "{}", poor.stderr);
    assert!(servers[0].received_requests().await.unwrap().len() < before + 12);
}

/// A judge behind an API that lets nothing pass.
struct Stern;

impl Respond for Stern {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = request.body_json().unwrap();
        let prompt = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
        let lines: Vec<Value> = prompt.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let events: Vec<&Value> =
            lines.iter().map(|line| &line["event"]).filter(|event| event.is_u64()).collect();
        let mut reply = serde_json::Map::new();
        for line in &lines {
            if let (Some(id), Some(statement)) = (line["criterion"].as_str(), line["statement"].as_str()) {
                let word = if statement.contains("at least one event") { "yes" } else { "no" };
                let one = json!({"evidence": events, "reason": "seen", "doubt": "none", "verdict": word});
                reply.insert(id.into(), one);
            } else if line["canary"].is_string() {
                reply.insert("canary".into(), line["canary"].clone());
            }
        }
        let message =
            json!({"role": "assistant", "content": Value::Object(reply).to_string(), "refusal": null});
        ResponseTemplate::new(200).set_body_json(json!({
            "id": "c", "object": "chat.completion", "created": 0, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        }))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_judge_overrules_the_first() {
    let cases = "judge: {model: stern, rubric: answers-question}\ncases:\n  - id: late-order\n    prompt: My order 1042 has not come. When will it arrive?\n    \
         expect:\n      - tool_called: get_order\n    criteria:\n      - {must: Says when it arrives., scripted: 28 November}\n";
    let dir = project(&suite("lexical", cases));
    let server = MockServer::start().await;
    Mock::given(method("POST")).respond_with(Stern).mount(&server).await;
    let text = format!("dialect: openai\nbase_url: {}/v1\nprice: {{input: 1, output: 1}}\n", server.uri());
    fs::write(dir.path().join("evals/models/stern.yaml"), text).unwrap();
    let found = triaged(dir.path(), &[], &["--second-judge", "scripted-judge"]);
    let case = &found["cases"][0];
    assert_eq!(case["cause"], "judge", "{case:#}");
    assert_eq!(found["trials"], Value::Null, "no trial is needed: {found:#}");
    // The same judge once more agrees with itself.
    let ran = rehearsal(dir.path(), &["triage", "--second-judge", "stern", "--format", "json"]);
    let found = json_of(&ran);
    assert_eq!(found["cases"][0]["evidence"]["second_judge"]["failed"], 1, "{found:#}");
}
