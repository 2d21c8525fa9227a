//! The `openai` dialect on the wire: real sockets, hostile and broken providers, visible retries, no key anywhere.
//!
//! Every request that arrives is checked for what the API demands of a conversation, whatever the test is about.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rehearsal::ids::ToolName;
use rehearsal::llm::{self, ChatReply, ChatRequest, Message, ModelSpec, Outside, ToolOffer};
use rehearsal::transcript::{Clock, Fault, Recorder, Secrets, Side, ToolCall, What};
use rehearsal::units::Period;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const KEY: &str = "sk-test-3f9a8b7c6d5e4f";

/// Answers in order, and keeps what is wrong with the requests.
#[derive(Clone, Default)]
struct Api {
    answers: Arc<Mutex<VecDeque<ResponseTemplate>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Respond for Api {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        self.wrong.lock().unwrap().extend(violations(&body));
        if request.headers.get("authorization").and_then(|v| v.to_str().ok())
            != Some(&format!("Bearer {KEY}"))
        {
            self.wrong.lock().unwrap().push("no key".into());
        }
        self.bodies.lock().unwrap().push(body);
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| ResponseTemplate::new(418))
    }
}

/// What the API would refuse.
fn violations(body: &Value) -> Vec<String> {
    let mut wrong = vec![];
    let mut open = BTreeSet::new();
    for message in body["messages"].as_array().map_or(&[][..], Vec::as_slice) {
        let role = message["role"].as_str().unwrap_or_default();
        match role {
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    wrong.push(format!("a tool message answers `{id}`, which is no open call"));
                }
            }
            _ if !open.is_empty() => wrong.push(format!("{open:?} were not answered before `{role}`")),
            _ => {}
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            if !call["function"]["arguments"].is_string() || call["type"] != "function" {
                wrong.push(format!("a call without arguments as text: {call}"));
            }
            if !open.insert(call["id"].as_str().unwrap_or_default().to_owned()) {
                wrong.push("two calls of one id".into());
            }
        }
        if message["content"].is_null() && message["tool_calls"].is_null() {
            wrong.push(format!("an empty message of `{role}`"));
        }
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
            wrong.push(format!("the tool name `{name}`"));
        }
        if tool["function"]["parameters"]["properties"].is_null() {
            wrong.push(format!("`{name}` has no properties"));
        }
    }
    if body["tools"] == json!([]) || (body["tools"].is_null() && !body["tool_choice"].is_null()) {
        wrong.push("a tool list that is empty or missing".into());
    }
    wrong
}

struct Bench {
    api: Api,
    spec: ModelSpec,
    log: Recorder,
    http: reqwest::Client,
    // Kept alive for the test.
    _server: Option<MockServer>,
}

impl Bench {
    async fn new(answers: Vec<ResponseTemplate>) -> Self {
        let server = MockServer::start().await;
        let api = Api::default();
        api.answers.lock().unwrap().extend(answers);
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .respond_with(api.clone())
            .mount(&server)
            .await;
        let mut bench = Self::at(&format!("{}/v1", server.uri()));
        (bench.api, bench._server) = (api, Some(server));
        bench
    }

    fn at(base: &str) -> Self {
        let mut spec = ModelSpec::new("m", "openai");
        spec.base_url = Some(base.to_owned());
        spec.key = Some("TEST_KEY".into());
        spec.timeout = Period(Duration::from_secs(20));
        let log = Recorder::new(Clock::system(), Secrets::default());
        let http = rehearsal::net::client().unwrap();
        Self { api: Api::default(), spec, log, http, _server: None }
    }

    async fn ask(&self, request: &ChatRequest) -> Result<ChatReply, Fault> {
        let env = |name: &str| (name == "TEST_KEY").then(|| format!("{KEY}\n"));
        let outside = Outside { http: self.http.clone(), env: Arc::new(env) };
        let outcome = llm::build(&self.spec, &outside)?.complete(request, &self.log).await;
        assert_eq!(*self.api.wrong.lock().unwrap(), Vec::<String>::new());
        let seen = format!("{outcome:?} {:?}", self.failed());
        assert!(!seen.contains(KEY), "the key is shown: {seen}");
        outcome
    }

    /// Failed attempts: status, message, whether another followed.
    fn failed(&self) -> Vec<(Option<u16>, String, Option<u64>)> {
        (0..self.log.len() as u32)
            .filter_map(|seq| match self.log.event(seq)?.what {
                What::ModelAttemptFailed { status, message, wait_ms, .. } => Some((status, message, wait_ms)),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn requests(&self) -> usize {
        self.api.bodies.lock().unwrap().len()
    }
}

fn request(messages: Vec<Message>) -> ChatRequest {
    let tools = ["get.order", "echo"].map(|name| ToolOffer {
        name: ToolName::from(name),
        title: None,
        description: "x".into(),
        schema: json!({"type": "object"}),
    });
    ChatRequest { system: Some("s".into()), messages, tools: tools.into(), answer_schema: None, trial: 1 }
}

fn hello() -> ChatRequest {
    request(vec![Message::User("hello".into())])
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn said(text: &str) -> Value {
    json!({"id": "c", "model": "m-2026", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text, "refusal": null}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}})
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
        messages.push(Message::Tool { call, text: "not found".into(), is_error: index == 1 });
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
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    let request = ChatRequest { tools: vec![], answer_schema: Some(schema.clone()), ..hello() };
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
    let mut bench = Bench::new(vec![soon(429), soon(429), soon(429), ok(&said("too late"))]).await;
    bench.spec.retries = 2;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side, fault.retryable), ("model.rate-limited", Side::Model, true));
    insta::assert_snapshot!(fault.message, @"model `m`: the API answered 429 (3 attempts)");
    assert_eq!((bench.requests(), bench.failed().len()), (3, 3));
    assert_eq!(bench.failed()[2].2, None);

    let day = ResponseTemplate::new(429).insert_header("retry-after", "86400");
    let bench = Bench::new(vec![day]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(fault.message, @"model `m`: the API answered 429; it asks for a wait of 86400s, more than 60s");
    assert_eq!(bench.requests(), 1);
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
        assert_eq!((fault.code.as_str(), fault.retryable, bench.requests()), (code, false, 1));
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

/// What a raw server does after it has read a request.
#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    Pause(u64),
    Drip(Vec<u8>),
    Hang,
}

/// A server that plays one list of acts per connection, then closes it.
async fn raw(connections: Vec<Vec<Act>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for acts in connections {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![];
            while !String::from_utf8_lossy(&head).contains("}]") {
                let mut piece = [0; 4096];
                match socket.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&piece[..read]),
                }
            }
            for act in acts {
                let fine = match act {
                    Act::Send(bytes) => socket.write_all(&bytes).await.is_ok(),
                    Act::Pause(ms) => {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        true
                    }
                    Act::Drip(bytes) => loop {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        if socket.write_all(&bytes).await.is_err() {
                            break false;
                        }
                    },
                    Act::Hang => std::future::pending().await,
                };
                if !fine {
                    break;
                }
            }
        }
    });
    format!("http://{address}/v1")
}

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn event(delta: &Value, finish: &Value) -> String {
    let chunk =
        json!({"model": "m-2026", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    format!("data: {chunk}\n\n")
}

fn text_stream() -> String {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 2}}});
    [
        ": welcome\n\n".to_owned(),
        event(&json!({"role": "assistant", "content": ""}), &Value::Null),
        event(&json!({"content": "Grüße — "}), &Value::Null),
        event(&json!({"content": "日本 🎭"}), &Value::Null),
        event(&json!({}), &json!("stop")),
        format!("data: {usage}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

async fn streamed(connections: Vec<Vec<Act>>) -> Bench {
    let mut bench = Bench::at(&raw(connections).await);
    bench.spec.stream = true;
    bench.spec.retries = 0;
    bench
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let whole = text_stream().into_bytes();
    // Every seventh place keeps the test quick and still cuts lines, events and characters in half.
    let cuts: Vec<usize> = (1..whole.len()).step_by(7).collect();
    let acts = cuts.iter().map(|cut| {
        let (early, late) = whole.split_at(*cut);
        vec![Act::Send([STREAM, early].concat()), Act::Pause(1), Act::Send(late.to_vec())]
    });
    let bench = streamed(acts.collect()).await;
    for cut in cuts {
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Grüße — 日本 🎭"), "cut at {cut}");
        assert_eq!((reply.usage.input, reply.usage.output, reply.usage.cached), (5, 4, 2));
        assert_eq!((reply.stop.as_str(), reply.model_id.as_deref()), ("stop", Some("m-2026")));
        assert!(reply.first_token_ms.is_some_and(|first| first <= reply.took_ms));
    }
}

#[tokio::test]
async fn streamed_calls_are_put_together() {
    let call = |calls: Value| event(&json!({"tool_calls": calls}), &Value::Null);
    let stream = [
        call(json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "get_order", "arguments": ""}}])),
        call(json!([{"index": 1, "id": "b", "type": "function", "function": {"name": "echo", "arguments": "{\"t\""}}])),
        call(json!([{"index": 0, "function": {"arguments": "{\"id\":"}}])),
        call(json!([{"index": 1, "function": {"arguments": ":1}"}}, {"index": 0, "function": {"arguments": "2}"}}])),
        event(&json!({}), &json!("tool_calls")),
    ]
    .concat();
    // No `[DONE]`, lines end in CRLF: some servers do both.
    let bench =
        streamed(vec![vec![Act::Send([STREAM, stream.replace('\n', "\r\n").as_bytes()].concat())]]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    let calls: Vec<ToolCall> = reply.calls;
    let shown: Vec<_> = calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect();
    assert_eq!(shown, [r#"a get.order {"id":2}"#, r#"b echo {"t":1}"#]);
    assert!(!reply.usage.reported);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_repeated() {
    let half = text_stream().into_bytes()[..150].to_vec();
    let broken = vec![Act::Send([STREAM, &half].concat())];
    let whole = vec![Act::Send([STREAM, text_stream().as_bytes()].concat())];
    let mut bench = streamed(vec![broken.clone(), whole]).await;
    bench.spec.retries = 1;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("Grüße — 日本 🎭"));
    assert_eq!(bench.failed()[0].1, "the stream ended before the answer did");

    let fault = streamed(vec![broken]).await.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.unavailable", true));
}

#[tokio::test]
async fn a_finished_answer_counts_though_the_connection_stays_open() {
    let stream = text_stream();
    let open = stream.split("data: {\"choices\":[],").next().unwrap();
    let mut bench = streamed(vec![vec![Act::Send([STREAM, open.as_bytes()].concat()), Act::Hang]]).await;
    bench.spec.timeout = Period(Duration::from_millis(160));
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.usage.reported), (Some("Grüße — 日本 🎭"), false));
}

#[tokio::test]
async fn a_chunked_stream_that_is_cut_by_the_transport_is_no_answer() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let piece = event(&json!({"content": "half"}), &json!("stop"));
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    let bench = streamed(vec![vec![Act::Send([&head[..], chunk.as_bytes()].concat())]]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.unavailable", true), "{fault}");
}

#[tokio::test]
async fn silence_ends() {
    let mut bench = Bench::at(&raw(vec![vec![Act::Hang]]).await);
    (bench.spec.retries, bench.spec.timeout) = (0, Period(Duration::from_millis(60)));
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(format!("{} {fault}", fault.code), @"model.timeout model `m`: no complete answer within 60ms");

    // Comments and empty pieces are no content: the clock of silence runs on.
    for noise in [
        ": still here\n\n",
        "data: {\"choices\":[]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n",
    ] {
        let start = event(&json!({"content": "x"}), &Value::Null);
        let acts = vec![Act::Send([STREAM, start.as_bytes()].concat()), Act::Drip(noise.into())];
        let mut bench = streamed(vec![acts]).await;
        bench.spec.timeout = Period(Duration::from_millis(160));
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert_eq!(fault.code, "model.timeout");
        assert!(fault.message.contains("in the middle of the answer for 80ms"), "{fault}");
    }
}

#[tokio::test]
async fn broken_streams_are_faults_and_never_wrong_answers() {
    let fine = event(&json!({"content": "x"}), &Value::Null);
    let json = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let table: [(&[u8], Vec<u8>, &str); 6] = [
        (STREAM, b"data: {\"error\":{\"message\":\"boom\",\"code\":503}}\n\n".to_vec(), "model.unavailable"),
        (STREAM, [fine.as_bytes(), b"data: {oops}\n\n"].concat(), "model.bad-answer"),
        (STREAM, [fine.as_bytes(), b"data: \xff\xfe\n\n"].concat(), "model.unavailable"),
        (STREAM, [b"data: ", &vec![b'x'; 2 * 1024 * 1024][..]].concat(), "model.bad-answer"),
        (STREAM, vec![], "model.unavailable"),
        (json, b"<html>".to_vec(), "model.bad-answer"),
    ];
    for (head, body, code) in table {
        let bench = streamed(vec![vec![Act::Send([head, &body].concat())]]).await;
        let outcome = bench.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
}

#[tokio::test]
async fn dropping_the_call_ends_it() {
    let bench = Bench::at(&raw(vec![vec![Act::Hang]]).await);
    let request = hello();
    let call = tokio::time::timeout(Duration::from_millis(30), bench.ask(&request));
    assert!(call.await.is_err());
    assert!(bench.failed().is_empty());
}
