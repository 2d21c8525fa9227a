//! `answers`: defaults and cases, and clients that do not declare what is answered.

use rehearsal::suite::answers::{Action, Sampling};
use serde_json::json;

use super::*;

const TEXT: &str = r#"version: 1
target: {url: "http://127.0.0.1:9/mcp"}
models: [lexical]
clients:
  - reference
  - {name: plain, wire: {capabilities: {elicitation: {}}}}
  - {name: bare, wire: {capabilities: {}}}
defaults:
  answers: {sampling: {text: Yes.}, roots: []}
cases:
  - {id: usual, prompt: Hello, expect: [{answer_contains: x}]}
  - id: own
    prompt: Hello
    clients: [reference, plain]
    expect: [{answer_contains: x}]
    answers:
      elicitation:
        - {when: {message: {$contains: date}}, content: {date: "2026-12-01"}}
        - cancel
      sampling: refuse
"#;

#[test]
fn a_case_replaces_the_answers_it_gives() {
    let suite = Place::new().with("suites/s.yaml", TEXT).load("suites/s.yaml").suite.unwrap();
    let [usual, own] = &suite.cases[..] else { panic!("two cases") };
    assert_eq!(usual.answers.elicitation, None);
    assert_eq!(usual.answers.sampling.as_ref().unwrap().value, Sampling::Text("Yes.".into()));
    assert_eq!(own.answers.sampling.as_ref().unwrap().value, Sampling::Refuse);
    assert_eq!(own.answers.roots, usual.answers.roots);
    let replies = &own.answers.elicitation.as_ref().unwrap().value;
    assert_eq!(replies[0].when, Some(json!({"message": {"$contains": "date"}})));
    assert_eq!((replies[0].action, &replies[0].content["date"]), (Action::Accept, &json!("2026-12-01")));
    assert_eq!((replies[1].action, replies.len()), (Action::Cancel, 2));
}

#[test]
fn a_client_that_never_lets_a_server_ask_is_named() {
    let loaded = Place::new().with("suites/s.yaml", TEXT).load("suites/s.yaml");
    assert!(loaded.suite.is_some(), "it is a warning");
    insta::assert_snapshot!(shown(&loaded));
}
