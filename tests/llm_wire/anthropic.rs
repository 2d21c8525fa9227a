//! The `anthropic` dialect on the wire: whole and streamed answers, thought carried back, refusals, errors, cut streams.

use std::collections::BTreeSet;
use std::time::Duration;

use rehearsal::llm::{ChatReply, Message, Reasoning};
use rehearsal::units::Period;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::bench::{Act, Bench, KEY, Kind, header, hello, raw, request};
use crate::messages::{self, begun, call_stream, calls, delta, refusal, text, text_stream, unclosed_stream};
use crate::{ok, soon};

const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";

const ANTHROPIC: Kind = Kind {
    dialect: "anthropic",
    path: "^/v1/messages$",
    refuses: |request, body| {
        let mut wrong = violations(body);
        if header(request, "x-api-key") != Some(KEY)
            || header(request, "anthropic-version") != Some("2023-06-01")
        {
            wrong.push("no key or no version".into());
        }
        if header(request, "authorization").is_some() {
            wrong.push("the key is in two headers".into());
        }
        wrong
    },
};

/// What the API would refuse.
fn violations(body: &Value) -> Vec<String> {
    let mut wrong = vec![];
    let mut open: BTreeSet<&str> = BTreeSet::new();
    let mut before = "assistant";
    for message in body["messages"].as_array().map_or(&[][..], Vec::as_slice) {
        let role = message["role"].as_str().unwrap_or_default();
        if role == before {
            wrong.push(format!("two turns of `{role}` after each other"));
        }
        before = role;
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        if blocks.is_empty() {
            wrong.push(format!("an empty turn of `{role}`"));
        }
        for block in blocks {
            match block["type"].as_str().unwrap_or_default() {
                "tool_use" if !block["input"].is_object() => {
                    wrong.push(format!("input is no object: {block}"));
                }
                "tool_use" => drop(open.insert(block["id"].as_str().unwrap_or_default())),
                "tool_result" if !open.remove(block["tool_use_id"].as_str().unwrap_or_default()) => {
                    wrong.push(format!("a result of no open call: {block}"));
                }
                "text" if block["text"].as_str().unwrap_or_default().trim().is_empty() => {
                    wrong.push("an empty text".into());
                }
                "thinking" if block["signature"].as_str().unwrap_or_default().is_empty() => {
                    wrong.push("thought without a signature".into());
                }
                _ => {}
            }
        }
        if role == "user" && !open.is_empty() {
            wrong.push(format!("{open:?} were not answered in the next turn"));
        }
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let name = tool["name"].as_str().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            wrong.push(format!("the tool name `{name}`"));
        }
        if tool["input_schema"]["type"] != "object" {
            wrong.push(format!("`{name}` takes no object"));
        }
    }
    if !body["max_tokens"].is_u64() || body["tools"] == json!([]) {
        wrong.push("no limit, or an empty list of tools".into());
    }
    if body.to_string().matches("cache_control").count() > 4 {
        wrong.push("more than four marks".into());
    }
    wrong
}

/// The error event of the documentation ("Streaming messages", "Error events").
fn overloaded() -> String {
    messages::event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}))
}

async fn bench(answers: Vec<ResponseTemplate>) -> Bench {
    Bench::of(ANTHROPIC, answers).await
}

async fn streamed(body: Vec<u8>) -> Bench {
    acting(vec![vec![Act::Send([STREAM, &body].concat())]]).await
}

async fn acting(connections: Vec<Vec<Act>>) -> Bench {
    let mut bench = Bench::of_at(ANTHROPIC, &raw(connections).await);
    (bench.spec.stream, bench.spec.retries) = (true, 0);
    bench
}

fn shown(reply: &ChatReply) -> Vec<String> {
    reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect()
}

#[tokio::test]
async fn a_plain_answer() {
    let bench = bench(vec![ok(&text("Hello."))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!(
        (reply.text.as_deref(), reply.stop.as_str(), reply.refused),
        (Some("Hello."), "end_turn", false)
    );
    assert_eq!(
        (reply.model_id.as_deref(), reply.carry, reply.first_token_ms),
        (Some("claude-opus-5-5"), None, None)
    );
    let usage = reply.usage;
    assert_eq!((usage.input, usage.cached, usage.cache_written), (2098, 1800, 248));
    assert_eq!((usage.output, usage.reasoning, usage.reported), (503, 400, true));
}

#[tokio::test]
async fn parallel_tools_a_tool_error_and_thought_go_round() {
    let bench = bench(vec![ok(&calls()), ok(&text("Done."))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!(shown(&reply), [r#"toolu_01A get.order {"id":1042}"#, "toolu_01B echo {}"]);
    assert_eq!((reply.reasoning.as_deref(), reply.stop.as_str()), (Some("I need both."), "tool_use"));
    let mut messages = vec![
        Message::User("hello".into()),
        Message::Assistant { text: reply.text, calls: reply.calls.clone(), carry: reply.carry },
    ];
    for (index, call) in reply.calls.into_iter().enumerate() {
        messages.push(Message::Tool { call, text: "not found".into(), is_error: index == 1, media: vec![] });
    }
    assert_eq!(bench.ask(&request(messages)).await.unwrap().text.as_deref(), Some("Done."));
    let sent = bench.api.bodies.lock().unwrap()[1]["messages"].clone();
    assert_eq!(sent[1]["content"], calls()["content"], "every block goes back as it came");
    let results = sent[2]["content"].as_array().unwrap();
    assert_eq!(
        (results.len(), results[0]["is_error"].clone(), results[1]["is_error"].clone()),
        (2, Value::Null, json!(true))
    );
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let reply = bench(vec![ok(&refusal())]).await.ask(&hello()).await.unwrap();
    assert_eq!((reply.refused, reply.stop.as_str()), (true, "refusal"));
    assert_eq!(reply.text.as_deref(), Some("This request was declined."));
}

#[tokio::test]
async fn an_answer_that_pauses_is_continued() {
    let search =
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
    let paused = messages::message(&json!([search, {"type": "text", "text": "So far. "}]), "pause_turn");
    let bench = bench(vec![ok(&paused), ok(&text("Done."))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("So far. Done."), "end_turn"));
    assert_eq!(reply.usage.input, 2 * 2098);
    assert_eq!(bench.api.bodies.lock().unwrap()[1]["messages"][1]["content"][0], search);

    let forever = Bench::of(ANTHROPIC, (0..20).map(|_| ok(&paused)).collect()).await;
    assert_eq!(forever.ask(&hello()).await.unwrap().stop, "pause_turn");
    assert_eq!(forever.requests(), 9);
}

#[tokio::test]
async fn overload_and_limits_are_repeated() {
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_011"});
    let bench = bench(vec![
        soon(429).set_body_json(error("rate_limit_error")),
        soon(529).set_body_json(error("overloaded_error")),
        ok(&text("At last.")),
    ])
    .await;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("At last."));
    let statuses: Vec<_> = bench.failed().iter().map(|(status, _, _)| status.unwrap()).collect();
    assert_eq!(statuses, [429, 529]);
    for (status, kind, code) in [
        (400, "invalid_request_error", "model.refused-request"),
        (401, "authentication_error", "credentials.refused"),
        (402, "billing_error", "credentials.refused"),
        (404, "not_found_error", "model.refused-request"),
        (413, "request_too_large", "model.refused-request"),
    ] {
        let bench =
            Bench::of(ANTHROPIC, vec![ResponseTemplate::new(status).set_body_json(error(kind))]).await;
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert_eq!((fault.code.as_str(), bench.requests()), (code, 1), "{fault}");
    }
}

#[tokio::test]
async fn whole_answers_that_are_none_are_faults() {
    for (body, code) in [
        (
            json!({"type": "error", "error": {"type": "api_error", "message": "x"}}).to_string(),
            "model.unavailable",
        ),
        (text("x").to_string()[..60].to_owned(), "model.unavailable"),
        (json!({"type": "message"}).to_string(), "model.bad-answer"),
        (json!({"content": "text"}).to_string(), "model.bad-answer"),
        ("<html>".to_owned(), "model.bad-answer"),
    ] {
        let mut bench = bench(vec![ResponseTemplate::new(200).set_body_raw(body, "application/json")]).await;
        bench.spec.retries = 0;
        let outcome = bench.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let whole = text_stream().into_bytes();
    let cuts: Vec<usize> = (1..whole.len()).step_by(61).collect();
    let acts = cuts.iter().map(|cut| {
        let (early, late) = whole.split_at(*cut);
        vec![Act::Send([STREAM, early].concat()), Act::Pause(1), Act::Send(late.to_vec())]
    });
    let bench = acting(acts.collect()).await;
    for cut in cuts {
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Grüße — 日本 🎭"), "cut at {cut}");
        assert_eq!((reply.usage.input, reply.usage.cached, reply.usage.output), (572, 100, 89));
        assert!(reply.first_token_ms.is_some_and(|first| first <= reply.took_ms));
    }
}

#[tokio::test]
async fn streamed_calls_and_thoughts_are_put_together() {
    let mut bench = streamed(call_stream().into_bytes()).await;
    bench.spec.reasoning = Some(Reasoning { effort: Some("low".into()), budget: None });
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!(
        shown(&reply),
        [r#"toolu_01T1x1fJ34qAmk2tNTrN7Up6 get.order {"id":1042}"#, "toolu_02 echo {}"]
    );
    assert_eq!((reply.text.as_deref(), reply.reasoning.as_deref()), (Some("Okay."), Some("I need both.")));
    assert_eq!(
        reply.carry.unwrap()[0],
        json!({"type": "thinking", "thinking": "I need both.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"})
    );
}

#[tokio::test]
async fn broken_streams_are_faults_and_never_wrong_answers() {
    let cut = |text: String| text.into_bytes();
    for (body, code) in [
        (cut(begun()), "model.unavailable"),
        (vec![], "model.unavailable"),
        (cut(begun() + &overloaded()), "model.unavailable"),
        (cut(begun() + "event: content_block_delta\ndata: {oops}\n\n"), "model.bad-answer"),
        (cut(call_stream()[..900].to_owned()), "model.unavailable"),
    ] {
        let outcome = streamed(body).await.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
    let mut bench = acting(vec![
        vec![Act::Send([STREAM, (begun() + &overloaded()).as_bytes()].concat())],
        vec![Act::Send([STREAM, text_stream().as_bytes()].concat())],
    ])
    .await;
    bench.spec.retries = 1;
    assert!(bench.ask(&hello()).await.is_ok());
    assert_eq!(bench.failed()[0].0, Some(529));
}

#[tokio::test]
async fn half_open_streams_end() {
    // A server that has said why it stopped and keeps the connection open has answered.
    let open = vec![Act::Send([STREAM, unclosed_stream().as_bytes()].concat()), Act::Hang];
    let mut bench = acting(vec![open]).await;
    bench.spec.timeout = Period(Duration::from_millis(160));
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("Grüße — 日本 🎭"));

    // Pings and empty pieces are no content: the clock of silence runs on.
    for noise in [
        messages::event(&json!({"type": "ping"})),
        delta(0, &json!({"type": "text_delta", "text": ""})),
        messages::event(&json!({"type": "something_new"})),
    ] {
        let acts = vec![Act::Send([STREAM, begun().as_bytes()].concat()), Act::Drip(noise.into())];
        let mut bench = acting(vec![acts]).await;
        bench.spec.timeout = Period(Duration::from_millis(160));
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert!(fault.message.contains("in the middle of the answer for 80ms"), "{fault}");
    }
}

#[test]
fn the_double_refuses_what_the_api_refuses() {
    let wrong = |messages: Value| violations(&json!({"max_tokens": 1, "messages": messages})).len();
    let user = |content: Value| json!({"role": "user", "content": content});
    let call =
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "x", "input": {}}]});
    let words = json!([{"type": "text", "text": "x"}]);
    assert_eq!(wrong(json!([user(words.clone())])), 0);
    assert_eq!(wrong(json!([user(words.clone()), user(words.clone())])), 1);
    assert_eq!(wrong(json!([user(words.clone()), call, user(words.clone())])), 1);
    assert_eq!(wrong(json!([user(json!([{"type": "tool_result", "tool_use_id": "b"}]))])), 1);
    assert_eq!(
        violations(&json!({"max_tokens": 1, "tools": [{"name": "a.b", "input_schema": {}}]})).len(),
        2
    );
}
