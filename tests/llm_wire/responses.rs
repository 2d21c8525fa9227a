//! The `openai_responses` dialect on the wire: whole and streamed, tools, refusals, failures in their places.

use std::time::Duration;

use rehearsal::llm::{Media, Message};
use rehearsal::units::Period;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::bench::{Act, Bench, hello, raw, request};
use crate::responses::{call, call_stream, message, reasoning, response, stream, text, text_stream};

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

async fn whole(answers: Vec<ResponseTemplate>) -> Bench {
    let mut bench = Bench::new(answers).await;
    bench.spec.dialect = "openai_responses".to_owned();
    bench.spec.id = Some("gpt-5-x".to_owned());
    bench
}

async fn streamed(connections: Vec<Vec<Act>>) -> Bench {
    let mut bench = Bench::at(&raw(connections).await);
    bench.spec.dialect = "openai_responses".to_owned();
    (bench.spec.stream, bench.spec.retries) = (true, 0);
    bench
}

fn sent(body: &str) -> Vec<Act> {
    vec![Act::Send([STREAM, body.as_bytes()].concat())]
}

#[tokio::test]
async fn a_plain_answer() {
    let bench = whole(vec![ok(&response("completed", &json!([message(&text("Hello."))])))]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str()), (Some("Hello."), "completed"));
    assert_eq!((reply.model_id.as_deref(), reply.carry), (Some("m-2026"), None));
    let usage = reply.usage;
    assert_eq!(
        (usage.input, usage.output, usage.cached, usage.reasoning, usage.reported),
        (36, 20, 12, 8, true)
    );
    let body = bench.api.bodies.lock().unwrap()[0].clone();
    assert_eq!((&body["store"], &body["include"]), (&json!(false), &json!(["reasoning.encrypted_content"])));
    assert_eq!((&body["instructions"], &body["tools"][0]["strict"]), (&json!("s"), &json!(false)));
}

#[tokio::test]
async fn parallel_tools_an_error_an_image_and_reasoning_go_round() {
    let output =
        json!([reasoning(), call("a", "get_order", "{\"id\": 1042}"), call("b", "echo", "{not json")]);
    let answers = vec![
        ok(&response("completed", &output)),
        ok(&response("completed", &json!([message(&text("Done."))]))),
    ];
    let bench = whole(answers).await;
    let reply = bench.ask(&hello()).await.unwrap();
    let shown: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect();
    assert_eq!(shown, [r#"get.order {"id":1042}"#, r#"echo "{not json""#]);
    assert_eq!(reply.reasoning.as_deref(), Some("Hm."));

    let mut messages = vec![
        Message::User("hello".into()),
        Message::Assistant { text: reply.text, calls: reply.calls.clone(), carry: reply.carry },
    ];
    for (index, call) in reply.calls.into_iter().enumerate() {
        let picture = Media { mime: "image/png".into(), data: "QQ==".into() };
        let media = if index == 0 { vec![picture] } else { vec![] };
        messages.push(Message::Tool { call, text: "not found".into(), is_error: index == 1, media });
    }
    assert_eq!(bench.ask(&request(messages)).await.unwrap().text.as_deref(), Some("Done."));
    let input = bench.api.bodies.lock().unwrap()[1]["input"].clone();
    assert_eq!(
        input,
        json!([
            {"role": "user", "content": "hello"},
            reasoning(),
            {"type": "function_call", "call_id": "a", "name": "get_order", "arguments": "{\"id\":1042}"},
            {"type": "function_call", "call_id": "b", "name": "echo", "arguments": "{not json"},
            {"type": "function_call_output", "call_id": "a", "output": [
                {"type": "input_text", "text": "not found"},
                {"type": "input_image", "image_url": "data:image/png;base64,QQ=="}]},
            {"type": "function_call_output", "call_id": "b", "output": "Error: not found"}
        ])
    );
}

#[tokio::test]
async fn refusals_and_answers_cut_short_are_told_apart() {
    let refusal =
        response("completed", &json!([message(&json!({"type": "refusal", "refusal": "I will not."}))]));
    let mut cut = response("incomplete", &json!([message(&text("Half an"))]));
    cut["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let mut filtered = cut.clone();
    filtered["incomplete_details"] = json!({"reason": "content_filter"});
    let bench = whole(vec![ok(&refusal), ok(&cut), ok(&filtered)]).await;
    let mut told = vec![];
    for _ in 0..3 {
        let reply = bench.ask(&hello()).await.unwrap();
        told.push((reply.text.unwrap(), reply.stop, reply.refused));
    }
    let expected = [
        ("I will not.", "refusal", true),
        ("Half an", "max_output_tokens", false),
        ("Half an", "content_filter", true),
    ];
    assert_eq!(told, expected.map(|(text, stop, refused)| (text.to_owned(), stop.to_owned(), refused)));
}

#[tokio::test]
async fn a_failed_response_is_a_fault_and_a_busy_one_is_asked_again() {
    let failed = |code: &str| {
        let mut failed = response("failed", &json!([]));
        failed["error"] = json!({"code": code, "message": "what happened"});
        ok(&failed)
    };
    let fine = ok(&response("completed", &json!([message(&text("At last."))])));
    let bench = whole(vec![failed("server_error"), fine]).await;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("At last."));
    assert_eq!(bench.failed()[0].0, Some(500));
    let bench = whole(vec![failed("invalid_prompt")]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.refused-request", false));
    let bench = whole(vec![ok(&json!({"object": "response"}))]).await;
    assert_eq!(bench.ask(&hello()).await.unwrap_err().code, "model.bad-answer");
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let whole = text_stream().into_bytes();
    let cuts: Vec<usize> = (1..whole.len()).step_by(211).collect();
    let acts = cuts.iter().map(|cut| {
        let (early, late) = whole.split_at(*cut);
        vec![Act::Send([STREAM, early].concat()), Act::Pause(1), Act::Send(late.to_vec())]
    });
    let bench = streamed(acts.collect()).await;
    for cut in cuts {
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Grüße — 日本 🎭"), "cut at {cut}");
        assert_eq!(
            (reply.usage.input, reply.usage.reasoning, reply.reasoning.as_deref()),
            (36, 8, Some("Hm."))
        );
        assert!(reply.carry.is_some() && reply.first_token_ms.is_some_and(|first| first <= reply.took_ms));
    }
}

#[tokio::test]
async fn streamed_calls_are_put_together() {
    let bench = streamed(vec![sent(&call_stream())]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    let shown: Vec<_> =
        reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect();
    assert_eq!(shown, [r#"a get.order {"id":2}"#, r#"b echo {"t":1}"#]);
}

#[tokio::test]
async fn a_finished_answer_counts_though_the_connection_stays_open() {
    let mut acts = sent(&text_stream());
    acts.push(Act::Hang);
    let mut bench = streamed(vec![acts]).await;
    bench.spec.timeout = Period(Duration::from_secs(5));
    let reply = bench.ask(&hello()).await.unwrap();
    assert!(reply.took_ms < 4000 && reply.usage.reported, "{}", reply.took_ms);
}

#[tokio::test]
async fn broken_streams_are_faults_and_never_wrong_answers() {
    let whole = text_stream();
    let unfinished = whole.split("event: response.completed").next().unwrap().to_owned();
    let error = stream(&[json!({"type": "error", "code": "server_error", "message": "boom", "param": null})]);
    let mut failed = response("failed", &json!([]));
    failed["error"] = json!({"code": "rate_limit_exceeded", "message": "slow down"});
    let failed = stream(&[json!({"type": "response.failed", "response": failed})]);
    let table = [
        (unfinished.clone(), "model.unavailable"),
        (format!("{unfinished}{error}"), "model.unavailable"),
        (failed, "model.rate-limited"),
        (format!("{unfinished}data: {{oops}}\n\n"), "model.bad-answer"),
        (String::new(), "model.unavailable"),
    ];
    for (body, code) in table {
        let bench = streamed(vec![sent(&body)]).await;
        let outcome = bench.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
}

#[tokio::test]
async fn silence_in_the_middle_ends() {
    let start = text_stream().split("event: response.output_item.done").next().unwrap().to_owned();
    let mut acts = sent(&start);
    acts.push(Act::Drip(b": still here\n\n".to_vec()));
    let mut bench = streamed(vec![acts]).await;
    bench.spec.timeout = Period(Duration::from_millis(160));
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert!(fault.message.contains("in the middle of the answer for 80ms"), "{fault}");
}
