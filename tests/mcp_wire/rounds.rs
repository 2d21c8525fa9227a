//! Results that are questions (2026-07-28): asked of the host, answered in a new request, isolated from each other.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use futures::future::BoxFuture;
use rehearsal::mcp::host::Answer;
use rehearsal::mcp::{ClientProfile, Host, Opening, Session, ToolOutcome};
use rehearsal::transcript::{Recorder, What};
use serde_json::{Value, json};

use crate::era::speaking;
use crate::modern::{modern, text};
use crate::stage::{Scripted, Seen, anonymous, answer, events, free, log, odd, text_of};

/// A host that answers with the name it is asked for.
struct Clerk;

impl Host for Clerk {
    fn answer<'a>(&'a self, method: &'a str, params: &'a Value) -> BoxFuture<'a, Option<Answer>> {
        let answer = match method {
            "elicitation/create" => {
                Some(Ok(json!({"action": "accept", "content": {"name": params["message"]}})))
            }
            "roots/list" => Some(Ok(json!({"roots": []}))),
            "sampling/createMessage" if params["silent"] == true => None,
            _ => Some(Err(json!({"code": -1, "message": "not today"}))),
        };
        Box::pin(std::future::ready(answer))
    }
}

fn asking(request: &Seen, rest: &str) -> Response<Body> {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required",{rest}}}}}"#,
        request.body["id"]
    );
    answer(200, "application/json", body)
}

fn elicit(name: &str) -> Value {
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": name, "requestedSchema": {}}})
}

async fn session(server: &Scripted, log: &Recorder, capabilities: Value) -> Box<dyn Session> {
    let mut profile: ClientProfile = free(2_000);
    profile.wire.capabilities = capabilities.as_object().cloned();
    let host: Arc<dyn Host> = Arc::new(Clerk);
    let identity = anonymous();
    let opening = Opening::new(&identity, &profile).hosted(&host);
    speaking(server, "auto").open(opening, log.clone()).await.unwrap()
}

#[tokio::test]
async fn questions_are_answered_under_their_keys_and_the_state_comes_back_byte_for_byte() {
    let server = Scripted::start(|request| {
        let params = &request.body["params"];
        match (request.rpc(), params["inputResponses"].is_object()) {
            ("tools/call", false) => asking(
                request,
                &format!(
                    r#""inputRequests":{{"b":{},"a":{{"method":"roots/list"}}}},"requestState":"\u0041\/ é""#,
                    elicit("Ada")
                ),
            ),
            ("tools/call", true) => {
                assert_eq!(params["requestState"], "A/ é");
                assert_eq!(params["arguments"], json!({"z": 1, "a": 2}));
                assert_eq!(params["inputResponses"]["a"], json!({"roots": []}));
                result_text(request, params["inputResponses"]["b"]["content"]["name"].as_str().unwrap())
            }
            _ => modern(request),
        }
    })
    .await;
    let log = log();
    let session = session(&server, &log, json!({"roots": {}, "elicitation": {}})).await;
    let outcome = session.call_tool("t", &json!({"z": 1, "a": 2})).await.unwrap();
    assert_eq!(text_of(outcome), "Ada");
    let calls: Vec<Seen> = server.seen().into_iter().filter(|seen| seen.rpc() == "tools/call").collect();
    assert_eq!((calls.len(), calls[0].body["id"] == calls[1].body["id"]), (2, false));
    let sent = events(&log).into_iter().filter_map(|what| match what {
        What::Wire(rehearsal::transcript::WireMessage::Sent { body, .. }) => {
            Some(body.to_text().into_owned())
        }
        _ => None,
    });
    assert!(sent.last().unwrap().contains(r#""requestState":"\u0041\/ é""#));
    let asked: Vec<String> = events(&log)
        .into_iter()
        .filter_map(|what| match what {
            What::ServerAsked { method, .. } => Some(method),
            _ => None,
        })
        .collect();
    assert_eq!((asked.len(), odd(&log)), (2, vec![]));
}

fn result_text(request: &Seen, said: &str) -> Response<Body> {
    crate::stage::result(request, &text(said))
}

#[tokio::test]
async fn without_a_state_none_is_sent_and_without_questions_no_answers() {
    let server = Scripted::start(|request| {
        let params = &request.body["params"];
        match request.rpc() {
            "prompts/get" if params["inputResponses"].is_null() => {
                asking(request, &format!(r#""inputRequests":{{"a":{}}}"#, elicit("x")))
            }
            "prompts/get" => {
                assert_eq!(params.get("requestState"), None);
                crate::stage::result(request, &json!({"resultType": "complete", "messages": []}))
            }
            "resources/read" if params["requestState"].is_null() => asking(request, r#""requestState":"s""#),
            "resources/read" => {
                assert_eq!(params.get("inputResponses"), None);
                crate::stage::result(
                    request,
                    &json!({"resultType": "complete", "contents": [], "ttlMs": 0, "cacheScope": "private"}),
                )
            }
            _ => modern(request),
        }
    })
    .await;
    let log = log();
    let session = session(&server, &log, json!({"elicitation": {"form": {}}})).await;
    session.get_prompt("p", &Value::Null).await.unwrap().unwrap();
    session.read_resource("a:b").await.unwrap().unwrap();
    assert_eq!(odd(&log), Vec::<String>::new());
}

#[tokio::test]
async fn parallel_calls_keep_their_questions_apart() {
    let server = Scripted::start(|request| {
        let params = &request.body["params"];
        match request.rpc() {
            "tools/call" => {
                let name = params["name"].as_str().unwrap().to_owned();
                if params["inputResponses"].is_null() {
                    return asking(
                        request,
                        &format!(
                            r#""inputRequests":{{"q":{}}},"requestState":"state-{name}""#,
                            elicit(&name)
                        ),
                    );
                }
                assert_eq!(params["requestState"], format!("state-{name}"));
                assert_eq!(params["inputResponses"]["q"]["content"]["name"], name);
                result_text(request, &name)
            }
            _ => modern(request),
        }
    })
    .await;
    let session = session(&server, &log(), json!({"elicitation": {}})).await;
    let names: Vec<String> = (0..8).map(|n| format!("t{n}")).collect();
    let args = json!({});
    let calls = names.iter().map(|name| session.call_tool(name, &args));
    for (name, outcome) in names.iter().zip(futures::future::join_all(calls).await) {
        assert_eq!(&text_of(outcome.unwrap()), name);
    }
}

#[tokio::test]
async fn what_was_not_declared_is_refused_and_recorded() {
    let url =
        json!({"method": "elicitation/create", "params": {"mode": "url", "url": "https://example.com"}});
    for (capabilities, question, word) in [
        (json!({}), elicit("x"), Some("does not declare `elicitation`")),
        (json!({"elicitation": {}}), url, Some("does not declare `elicitation.url`")),
        (json!({"elicitation": {}}), json!({"method": "roots/list"}), Some("does not declare `roots`")),
        (json!({"roots": {}}), json!({"method": "ping"}), Some("`ping` in `inputRequests`")),
        // Declared, and the host says no, or nothing.
        (json!({"sampling": {}}), json!({"method": "sampling/createMessage", "params": {}}), None),
        (
            json!({"sampling": {}}),
            json!({"method": "sampling/createMessage", "params": {"silent": true}}),
            None,
        ),
    ] {
        let asked = question.clone();
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => asking(request, &format!(r#""inputRequests":{{"q":{asked}}}"#)),
            _ => modern(request),
        })
        .await;
        let log = log();
        let session = session(&server, &log, capabilities).await;
        let outcome = session.call_tool("t", &json!({})).await.unwrap();
        let ToolOutcome::Refused(refusal) = outcome else { panic!("{question}: {outcome:?}") };
        assert!(refusal.message.contains("the client refused"), "{}", refusal.message);
        match word {
            Some(word) => assert!(odd(&log)[0].contains(word), "{question}: {:?}", odd(&log)),
            None => assert_eq!(odd(&log), Vec::<String>::new(), "{question}"),
        }
        assert_eq!(server.seen().len(), 2, "{question}");
    }
}

#[tokio::test]
async fn rounds_are_bounded() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => asking(request, r#""requestState":"again""#),
        _ => modern(request),
    })
    .await;
    let session = session(&server, &log(), json!({})).await;
    let fault = session.call_tool("t", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.protocol");
    assert!(fault.message.contains("more than 10 rounds"), "{}", fault.message);
    assert_eq!(server.seen().len(), 1 + 11);
}

/// Refuses a tool until a page has been visited, `times` times.
async fn behind_a_page(times: usize, pages: Value) -> Scripted {
    let refused = std::sync::atomic::AtomicUsize::new(0);
    Scripted::start(move |request| match request.rpc() {
        "tools/call" if refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < times => {
            let error = json!({"code": -32042, "message": "visit first", "data": {"elicitations": pages}});
            let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": error});
            answer(200, "application/json", body.to_string())
        }
        "tools/call" => crate::stage::result(request, &crate::stage::text_result("in")),
        _ => crate::stage::polite(request),
    })
    .await
}

/// Calls a tool over 2025-11-25 with the clerk, who agrees to everything, behind a client with these capabilities.
async fn call_behind(server: &Scripted, elicitation: Value, log: &Recorder) -> ToolOutcome {
    let mut profile = crate::stage::patient(2_000);
    profile.wire.capabilities = json!({"elicitation": elicitation}).as_object().cloned();
    let host: Arc<dyn Host> = Arc::new(Clerk);
    let identity = anonymous();
    let opening = Opening::new(&identity, &profile).hosted(&host);
    let session = server.target().open(opening, log.clone()).await.unwrap();
    let outcome = session.call_tool("t", &json!({})).await.unwrap();
    session.close().await;
    outcome
}

#[tokio::test]
async fn a_call_behind_a_page_is_made_again_once_the_host_agrees() {
    let page =
        json!([{"mode": "url", "url": "https://example.com/pay", "elicitationId": "1", "message": "Pay"}]);
    let server = behind_a_page(1, page.clone()).await;
    let (both, seen) = (json!({"form": {}, "url": {}}), log());
    assert_eq!(text_of(call_behind(&server, both.clone(), &seen).await), "in");
    let asked = events(&seen).into_iter().filter(|what| matches!(what, What::ServerAsked { .. })).count();
    let ids: Vec<Value> = calls(&server).iter().map(|call| call.body["id"].clone()).collect();
    assert_eq!((asked, ids.len(), ids[0] == ids[1]), (1, 2, false));

    // A client that visits no pages, a server that is never content, and an error that names no page.
    let forms = behind_a_page(1, page.clone()).await;
    let stubborn = behind_a_page(99, page).await;
    let empty = behind_a_page(1, json!([])).await;
    for (server, elicitation, most) in [(forms, json!({}), 1), (stubborn, both.clone(), 4), (empty, both, 1)]
    {
        let log = log();
        let ToolOutcome::Refused(refusal) = call_behind(&server, elicitation, &log).await else { panic!() };
        assert_eq!((refusal.code, calls(&server).len()), (Some(-32042), most));
    }
}

fn calls(server: &Scripted) -> Vec<Seen> {
    server.seen().into_iter().filter(|request| request.rpc() == "tools/call").collect()
}
