//! The `gemini` dialect on the wire: whole and streamed answers, signatures carried back, blocked prompts, errors, cut
//! streams.

use std::time::Duration;

use rehearsal::llm::{ChatReply, Message};
use rehearsal::units::Period;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::bench::{Act, Bench, KEY, Kind, header, hello, raw, request};
use crate::generate_content::{
    answer, blocked, call_stream, calls, event, piece, text, text_stream, unsafe_answer,
};
use crate::ok;

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

const GEMINI: Kind = Kind {
    dialect: "gemini",
    path: "^/v1/models/m:(generateContent|streamGenerateContent)$",
    refuses: |request, body| {
        let mut wrong = violations(body);
        if header(request, "x-goog-api-key") != Some(KEY) || request.url.as_str().contains(KEY) {
            wrong.push("no key, or one in the address".into());
        }
        wrong
    },
};

/// What the API would refuse: signatures that are missing, results that answer no call, turns without parts.
fn violations(body: &Value) -> Vec<String> {
    let mut wrong = vec![];
    let mut before: Vec<Value> = vec![];
    for content in body["contents"].as_array().map_or(&[][..], Vec::as_slice) {
        let parts = content["parts"].as_array().cloned().unwrap_or_default();
        if parts.is_empty() {
            wrong.push("a turn without parts".into());
        }
        let of = |parts: &[Value], key: &str| -> Vec<(Value, Value)> {
            let found = parts.iter().filter_map(|part| part.get(key));
            found.map(|call| (call["id"].clone(), call["name"].clone())).collect()
        };
        if content["role"] == "user" && of(&before, "functionCall") != of(&parts, "functionResponse") {
            wrong.push(format!("the results do not answer the calls before them: {content}"));
        }
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        if content["role"] == "model" && first.is_some_and(|part| part.get("thoughtSignature").is_none()) {
            wrong.push("Function call is missing a thought_signature".into());
        }
        before = parts;
    }
    for tool in body["tools"][0]["functionDeclarations"].as_array().into_iter().flatten() {
        if tool["parametersJsonSchema"]["type"] != "object" || tool.get("parameters").is_some() {
            wrong.push(format!("parameters in two forms, or in none: {tool}"));
        }
    }
    wrong
}

/// The error of an account whose quota is used up for now, with the details of `google.rpc` that the API adds.
fn quota(delay: &str) -> Value {
    json!({"error": {"code": 429, "message": "You exceeded your current quota.", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}})
}

async fn bench(answers: Vec<ResponseTemplate>) -> Bench {
    Bench::of(GEMINI, answers).await
}

async fn acting(connections: Vec<Vec<Act>>) -> Bench {
    let mut bench = Bench::of_at(GEMINI, &raw(connections).await);
    (bench.spec.stream, bench.spec.retries) = (true, 0);
    bench
}

async fn streamed(body: &str) -> Bench {
    acting(vec![vec![Act::Send([STREAM, body.as_bytes()].concat())]]).await
}

fn shown(reply: &ChatReply) -> Vec<String> {
    reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect()
}

#[tokio::test]
async fn a_plain_answer() {
    let reply = bench(vec![ok(&text("Hello."))]).await.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.stop.as_str(), reply.refused), (Some("Hello."), "STOP", false));
    assert_eq!(
        (reply.model_id.as_deref(), reply.carry, reply.first_token_ms),
        (Some("gemini-3.8-flash"), None, None)
    );
    let usage = reply.usage;
    assert_eq!(
        (usage.input, usage.output, usage.cached, usage.reasoning, usage.reported),
        (100, 50, 60, 30, true)
    );
}

#[tokio::test]
async fn parallel_tools_a_tool_error_and_signatures_go_round() {
    for stream in [false, true] {
        let first = match stream {
            false => ok(&calls()),
            true => ResponseTemplate::new(200).set_body_raw(call_stream(), "text/event-stream"),
        };
        let second = match stream {
            false => ok(&text("Done.")),
            true => ResponseTemplate::new(200).set_body_raw(text_stream(), "text/event-stream"),
        };
        let mut bench = bench(vec![first, second]).await;
        bench.spec.stream = stream;
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(shown(&reply), [r#"fc_1 get.order {"id":1042}"#, "fc_2 echo {}"]);
        let mut messages = vec![
            Message::User("hello".into()),
            Message::Assistant { text: reply.text, calls: reply.calls.clone(), carry: reply.carry },
        ];
        for (index, call) in reply.calls.into_iter().enumerate() {
            messages.push(Message::Tool {
                call,
                text: "not found".into(),
                is_error: index == 1,
                media: vec![],
            });
        }
        assert!(bench.ask(&request(messages)).await.unwrap().text.is_some());
        let sent = bench.api.bodies.lock().unwrap()[1]["contents"].clone();
        assert_eq!(
            sent[1]["parts"][0],
            calls()["candidates"][0]["content"]["parts"][0],
            "the signed part is unchanged"
        );
        let responses: Vec<&Value> = sent[2]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| &part["functionResponse"]["response"])
            .collect();
        assert_eq!(responses, [&json!({"output": "not found"}), &json!({"error": "not found"})]);
    }
}

#[tokio::test]
async fn blocked_prompts_and_cut_answers_are_refusals() {
    let bench =
        bench(vec![ok(&blocked()), ok(&unsafe_answer()), ok(&answer(&json!([]), "MALFORMED_FUNCTION_CALL"))])
            .await;
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.refused, reply.stop.as_str(), reply.text), (true, "PROHIBITED_CONTENT", None));
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!(
        (reply.refused, reply.stop.as_str(), reply.text.as_deref()),
        (true, "SAFETY", Some("The answer was blocked."))
    );
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.refused, reply.stop.as_str(), reply.text), (false, "MALFORMED_FUNCTION_CALL", None));
}

#[tokio::test]
async fn the_wait_in_an_error_is_kept_and_a_wrong_key_is_named() {
    let limited = |delay: &str| ResponseTemplate::new(429).set_body_json(quota(delay));
    let busy = ResponseTemplate::new(503)
        .set_body_json(
            json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
        )
        .insert_header("retry-after", "0.01");
    let mut patient = bench(vec![limited("0.02s"), busy, ok(&text("At last."))]).await;
    patient.spec.retries = 2;
    assert_eq!(patient.ask(&hello()).await.unwrap().text.as_deref(), Some("At last."));
    let waits: Vec<_> =
        patient.failed().iter().map(|(status, _, wait)| (status.unwrap(), wait.unwrap())).collect();
    assert!(matches!(waits[..], [(429, 20..=99), (503, 10..=99)]), "{waits:?}");

    let fault = bench(vec![limited("86400s")]).await.ask(&hello()).await.unwrap_err();
    assert!(fault.message.contains("a wait of 86400s"), "{fault}");

    let invalid = json!({"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
    let fault =
        bench(vec![ResponseTemplate::new(400).set_body_json(invalid)]).await.ask(&hello()).await.unwrap_err();
    assert_eq!(fault.code, "credentials.refused");
    insta::assert_snapshot!(fault.message, @"model `m`: the API answered 400: API key not valid.; is the key right?");
}

#[tokio::test]
async fn whole_answers_that_are_none_are_faults() {
    for (body, code) in [
        (
            json!({"error": {"code": 500, "message": "x", "status": "INTERNAL"}}).to_string(),
            "model.unavailable",
        ),
        (text("x").to_string()[..60].to_owned(), "model.unavailable"),
        (json!({"usageMetadata": {}}).to_string(), "model.bad-answer"),
        (json!({"candidates": [{"content": {"parts": "x"}}]}).to_string(), "model.bad-answer"),
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
    let cuts: Vec<usize> = (1..whole.len()).step_by(41).collect();
    let acts = cuts.iter().map(|cut| {
        let (early, late) = whole.split_at(*cut);
        vec![Act::Send([STREAM, early].concat()), Act::Pause(1), Act::Send(late.to_vec())]
    });
    let bench = acting(acts.collect()).await;
    for cut in cuts {
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Grüße — 日本 🎭"), "cut at {cut}");
        assert_eq!((reply.reasoning.as_deref(), reply.usage.output), (Some("Thinking."), 50));
        assert!(reply.carry.unwrap().to_string().contains("U2lnbmF0dXJlIEI="), "the signature of the text");
    }
}

#[tokio::test]
async fn broken_streams_are_faults_and_never_wrong_answers() {
    let half = piece(&json!([{"text": "half"}]));
    for (body, code) in [
        (half.clone(), "model.unavailable"),
        (String::new(), "model.unavailable"),
        (half.clone() + &event(&quota("1s")), "model.rate-limited"),
        (half.clone() + "data: {oops}\n\n", "model.bad-answer"),
    ] {
        let outcome = streamed(&body).await.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
    // Without `alt=sse` the API streams a list, and its errors come as one.
    let list = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let body = format!("[{}]", quota("1s"));
    let fault = acting(vec![vec![Act::Send([list, body.as_bytes()].concat())]])
        .await
        .ask(&hello())
        .await
        .unwrap_err();
    assert_eq!(fault.code, "model.rate-limited");
}

#[tokio::test]
async fn half_open_streams_end() {
    let mut bench =
        acting(vec![vec![Act::Send([STREAM, text_stream().as_bytes()].concat()), Act::Hang]]).await;
    bench.spec.timeout = Period(Duration::from_millis(160));
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("Grüße — 日本 🎭"));

    let begun = piece(&json!([{"text": "half"}]));
    for noise in [
        ": still here\n\n".to_owned(),
        event(&json!({"usageMetadata": {"promptTokenCount": 1}})),
        piece(&json!([])),
    ] {
        let acts = vec![Act::Send([STREAM, begun.as_bytes()].concat()), Act::Drip(noise.into())];
        let mut bench = acting(vec![acts]).await;
        bench.spec.timeout = Period(Duration::from_millis(160));
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert!(fault.message.contains("in the middle of the answer for 80ms"), "{fault}");
    }
}

#[test]
fn the_double_refuses_what_the_api_refuses() {
    let call = |signed: bool| {
        let mut part = json!({"functionCall": {"name": "x", "args": {}}});
        if signed {
            part["thoughtSignature"] = "x".into();
        }
        json!({"role": "model", "parts": [part]})
    };
    let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "x", "response": {}}}]});
    let words = json!({"role": "user", "parts": [{"text": "x"}]});
    let wrong = |contents: Value| violations(&json!({ "contents": contents })).len();
    assert_eq!(wrong(json!([words, call(true), result])), 0);
    assert_eq!(wrong(json!([words, call(false), result])), 1);
    assert_eq!(wrong(json!([words, call(true), words])), 1);
    assert_eq!(wrong(json!([words, result])), 1);
    assert_eq!(wrong(json!([{"role": "user", "parts": []}])), 1);
}
