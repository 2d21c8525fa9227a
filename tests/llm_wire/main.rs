//! The dialects of remote models on the wire: real sockets, hostile and broken providers, visible retries, no key anywhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use rehearsal::llm::{ChatRequest, Message};
use rehearsal::transcript::Side;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use self::bench::{Act, Bench, KEY, hello, raw, request};
use self::completions::said;

mod anthropic;
mod bench;
#[path = "../support/completions.rs"]
mod completions;
mod gemini;
#[path = "../support/generate_content.rs"]
mod generate_content;
mod odds;
#[path = "../support/messages.rs"]
mod messages;
#[path = "../support/responses.rs"]
mod responses;
#[path = "responses.rs"]
mod responses_wire;
mod streams;

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn soon(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("retry-after", "0.01")
}

#[tokio::test]
async fn a_plain_answer() {
    let bench = Bench::new(vec![ok(&said("Hello."))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("Hello."), "stop"));
    assert_eq!(reply.model_id.as_deref(), Some("m-2026"));
    assert_eq!((reply.usage.input, reply.usage.output, reply.usage.reported), (9, 3, true));
    assert_eq!(reply.first_token_ms, None);
    assert!(bench.failed().is_empty());
}

#[tokio::test]
async fn parallel_tools_and_a_tool_error_go_round() {
    let calls = json!({"choices": [{"finish_reason": "tool_calls", "message": {"content": null, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "get_order", "arguments": "{\"id\": 1042}"}},
        {"id": "b", "type": "function", "function": {"name": "echo", "arguments": "{not json"}},
        {"id": "c", "type": "function", "function": {"name": "made_up", "arguments": ""}}]}}]});
    let bench = Bench::new(vec![ok(&calls), ok(&said("Done."))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    let shown: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect();
    assert_eq!(shown, [r#"get.order {"id":1042}"#, r#"echo "{not json""#, "made_up {}"]);
    assert!(!reply.usage.reported && reply.usage.input > 0 && reply.usage.output > 0);

    let mut messages = vec![
        Message::User("hello".into()),
        Message::Assistant { text: reply.text, calls: reply.calls.clone(), carry: reply.carry },
    ];
    for (index, call) in reply.calls.into_iter().enumerate() {
        messages.push(Message::Tool { call, text: "not found".into(), is_error: index == 1, media: vec![] });
    }
    assert_eq!(bench.ask(&request(messages)).await.unwrap().text.as_deref(), Some("Done."));
    let bodies = bench.api.bodies.lock().unwrap();
    let texts: Vec<_> =
        bodies[1]["messages"].as_array().unwrap().iter().map(|m| m["content"].clone()).collect();
    assert_eq!(
        texts,
        [
            json!("s"),
            json!("hello"),
            json!(null),
            json!("not found"),
            json!("Error: not found"),
            json!("not found")
        ]
    );
}

#[tokio::test]
async fn answers_of_compatible_providers_are_read() {
    let refusal = json!({"choices": [{"message": {"refusal": "I will not."}, "finish_reason": "stop"}]});
    let odd = json!({"choices": [{"message": {"content": "ok"}, "finish_reason": ""}], "usage": null, "created": "x"});
    let bench = Bench::new(vec![ok(&refusal), ok(&odd)]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("I will not."), "refusal"));
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("ok"), "unspecified"));
    assert!(!reply.usage.reported);
}

#[tokio::test]
async fn an_answer_schema_is_strict() {
    let bench = Bench::new(vec![ok(&said("{}"))]).await;
    let schema = json!({"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}},
        "required": ["b", "a"], "additionalProperties": false});
    let request = ChatRequest { tools: vec![].into(), answer_schema: Some(schema.clone()), ..hello() };
    bench.ask(&request).await.unwrap();
    let format = bench.api.bodies.lock().unwrap()[0]["response_format"].clone();
    assert_eq!(format["json_schema"]["strict"], true);
    assert_eq!(format["json_schema"]["schema"].to_string(), schema.to_string(), "the order of keys is kept");
}

#[tokio::test]
async fn limits_and_outages_are_repeated_visibly() {
    let past = ResponseTemplate::new(429).insert_header("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT");
    let bench = Bench::new(vec![soon(429), past, soon(500), soon(503), ok(&said("At last."))]).await;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("At last."));
    let statuses: Vec<_> =
        bench.failed().iter().map(|(status, _, wait)| (status.unwrap(), wait.is_some())).collect();
    assert_eq!(statuses, [(429, true), (429, true), (500, true), (503, true)]);
    let waits: Vec<_> = bench.failed().iter().filter_map(|(_, _, wait)| *wait).collect();
    assert!(waits[0] >= 10 && waits[1] == 0 && waits.iter().all(|wait| *wait < 100), "{waits:?}");
}

#[tokio::test]
async fn repetitions_end() {
    let mut bench = Bench::new(vec![soon(500), soon(500), soon(500), ok(&said("too late"))]).await;
    bench.spec.retries = 2;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side, fault.retryable), ("model.unavailable", Side::Model, true));
    insta::assert_snapshot!(fault.message, @"model `m`: the API answered 500 (3 attempts)");
    assert_eq!((bench.requests(), bench.failed().len()), (3, 3));
    assert_eq!(bench.failed()[2].2, None);

    let day = ResponseTemplate::new(429).insert_header("retry-after", "86400");
    let bench = Bench::new(vec![day]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(fault.message, @"model `m`: the API answered 429; it asks for a wait of 86400s, more than 300s");
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn a_busy_provider_uses_up_no_repetitions_unless_none_are_wanted() {
    let busy = || [429, 529, 429].map(soon).into_iter();
    let mut bench = Bench::new(busy().chain([soon(500), ok(&said("At last."))]).collect()).await;
    bench.spec.retries = 1;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("At last."));
    assert_eq!((bench.requests(), bench.failed().len()), (5, 4));

    let mut bench = Bench::new(busy().collect()).await;
    bench.spec.retries = 0;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable, bench.requests()), ("model.rate-limited", true, 1));
}

#[tokio::test]
async fn what_cannot_be_mended_is_not_repeated() {
    let error = |kind: &str, text: &str| json!({"error": {"message": text, "type": kind, "code": kind}});
    let table = [
        (401, error("invalid_api_key", &format!("Incorrect API key provided: {KEY}")), "credentials.refused"),
        (403, json!("no"), "credentials.refused"),
        (429, error("insufficient_quota", "You exceeded your quota."), "credentials.refused"),
        (400, error("invalid_request_error", "\u{1b}[2Jbad"), "model.refused-request"),
        (404, json!({"error": "model 'x' not found"}), "model.refused-request"),
        (422, json!({"detail": []}), "model.refused-request"),
        (302, json!({}), "model.refused-request"),
    ];
    let mut lines = vec![];
    for (status, body, code) in table {
        let bench = Bench::new(vec![ResponseTemplate::new(status).set_body_json(body)]).await;
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.retryable, bench.requests()),
            (code, false, 1),
            "{status}: {:?}",
            bench.failed()
        );
        lines.push(fault.message);
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    model `m`: the API answered 401: Incorrect API key provided: [secret:TEST_KEY]; is the key right, and may it use this model?
    model `m`: the API answered 403: "no"; is the key right, and may it use this model?
    model `m`: the account has no quota left: the API answered 429: You exceeded your quota.
    model `m`: the API answered 400: ␛[2Jbad
    model `m`: the API answered 404: model 'x' not found; are `id` and `base_url` right?
    model `m`: the API answered 422: {"detail":[]}
    model `m`: the API answered 302: {}; are `id` and `base_url` right?
    "#);
}

#[tokio::test]
async fn errors_and_pages_under_status_200_are_no_answers() {
    let html =
        ResponseTemplate::new(200).set_body_raw(format!("<html>{}</html>", "x".repeat(5000)), "text/html");
    let bench = Bench::new(vec![html]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.bad-answer", false));
    assert!(fault.message.chars().count() < 230 && fault.message.contains("<html>"), "{fault}");

    let overloaded = json!({"error": {"message": "overloaded", "code": 502}});
    let mut bench = Bench::new(vec![ok(&overloaded)]).await;
    bench.spec.retries = 0;
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(format!("{} {fault}", fault.code), @"model.unavailable model `m`: the API answered 502: overloaded");

    let bench = Bench::new(vec![ok(&json!({"choices": []}))]).await;
    assert_eq!(bench.ask(&hello()).await.unwrap_err().code, "model.bad-answer");
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_refused() {
    let huge = ResponseTemplate::new(200).set_body_raw(vec![b' '; 16 * 1024 * 1024 + 1], "application/json");
    let bench = Bench::new(vec![huge]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(format!("{} {fault}", fault.code), @"model.bad-answer model `m`: the body is larger than 16777216 bytes");
}

#[tokio::test]
async fn a_missing_or_impossible_key_is_named() {
    let mut bench = Bench::at("http://127.0.0.1:1/v1");
    bench.spec.key = Some("ABSENT_KEY".into());
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!(fault.code, "credentials.missing-key");
    insta::assert_snapshot!(fault.message, @"model `m` needs the environment variable `ABSENT_KEY`, which is not set");
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let mut bench = Bench::at("http://127.0.0.1:1/v1");
    bench.spec.retries = 0;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.unavailable", true));
    assert!(fault.message.starts_with("model `m`: cannot connect"), "{fault}");
}

#[tokio::test]
async fn dropping_the_call_ends_it() {
    let bench = Bench::at(&raw(vec![vec![Act::Hang]]).await);
    let request = hello();
    let call = tokio::time::timeout(Duration::from_millis(30), bench.ask(&request));
    assert!(call.await.is_err());
    assert!(bench.failed().is_empty());
}
