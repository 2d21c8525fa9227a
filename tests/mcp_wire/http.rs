//! Streamable HTTP as a well-behaved server speaks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use futures::future::{BoxFuture, join_all};
use rehearsal::mcp::revision::{Era, REVISIONS};
use rehearsal::mcp::{Asking, Credentials, Identity, TokenSource, ToolOutcome};
use rehearsal::transcript::{Fault, Side, What, WireMessage};
use secrecy::SecretString;
use serde_json::json;

use crate::stage::{
    Scripted, anonymous, answer, event, events, eventually, log, odd, open, open_as, patient, polite,
    progress, result, result_event, stream, text_of, text_result, wire,
};

#[tokio::test]
async fn json_answers_sessions_and_farewell() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => result(request, &json!({"tools": [{"name": "a", "zeta": 1, "alpha": 2}]})),
        "tools/call" => result(request, &text_result("hello")),
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(session.facts().name, "shell");
    let tools = session.list_tools().await.unwrap();
    assert_eq!(tools[0].raw.to_string(), r#"{"name":"a","zeta":1,"alpha":2}"#);
    let outcome = session.call_tool("a", &json!({"z": 1, "b": 2})).await.unwrap();
    assert_eq!(text_of(outcome), "hello");
    session.close().await;
    target.close().await;

    let seen = server.seen();
    let posts: Vec<_> = seen.iter().filter(|request| request.method == "POST").collect();
    assert_eq!(posts[0].header("mcp-session-id"), "");
    assert_eq!(posts[0].header("mcp-protocol-version"), "");
    assert_eq!(posts[0].header("accept"), "application/json, text/event-stream");
    for later in &posts[1..] {
        assert_eq!(later.header("mcp-session-id"), "session-1");
        assert_eq!(later.header("mcp-protocol-version"), "2025-11-25");
    }
    assert_eq!(posts[3].body["params"]["arguments"].to_string(), r#"{"z":1,"b":2}"#);
    assert_eq!(posts[3].body["params"]["_meta"]["progressToken"], posts[3].body["id"]);
    let delete = seen.iter().find(|request| request.method == "DELETE").expect("the session was not ended");
    assert_eq!(delete.header("mcp-session-id"), "session-1");

    let wire: Vec<_> =
        wire(&log).into_iter().filter(|line| !line.contains("GET") && !line.contains("405")).collect();
    assert_eq!(
        wire,
        [
            "> POST initialize",
            "< json 200 result 1",
            "> POST notifications/initialized",
            "< empty 202",
            "> POST tools/list",
            "< json 200 result 2",
            "> POST tools/call",
            "< json 200 result 3",
            "> DELETE",
            "< empty 204",
        ]
    );
    let events = events(&log);
    assert!(events.iter().any(|what| matches!(what, What::ServerOpened(facts) if facts.version == "1")));
    assert!(events.iter().any(|what| matches!(what, What::ToolsListed { tools } if tools.len() == 1)));
    assert!(odd(&log).is_empty(), "{:?}", odd(&log));
}

/// How often the server was asked for the listening stream while three sessions came and went.
async fn asked_to_listen(status: u16) -> usize {
    let server = Scripted::start(move |request| match (request.method.as_str(), request.rpc()) {
        ("GET", _) => answer(status, "text/plain", ""),
        (_, "tools/list") => result(request, &json!({"tools": []})),
        _ => polite(request),
    })
    .await;
    let target = server.target();
    let gets = || server.seen().iter().filter(|request| request.method == "GET").count();
    for number in 1..=3 {
        let log = log();
        let session = open(&target, &log).await.unwrap();
        session.list_tools().await.unwrap();
        // The answer is in the record before the session ends, so the next one can know it.
        if number == 1 || status != 405 {
            let answered = format!("< empty {status}");
            eventually("the answer to the GET", || wire(&log).contains(&answered)).await;
        }
        session.close().await;
    }
    target.close().await;
    gets()
}

#[tokio::test]
async fn a_server_that_never_speaks_unasked_is_asked_once() {
    assert_eq!(asked_to_listen(405).await, 1);
    // Any other refusal may be a matter of this one session.
    assert_eq!(asked_to_listen(404).await, 3);
}

#[tokio::test]
async fn event_streams_carry_progress_requests_and_the_answer() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let ping = event(&json!({"jsonrpc": "2.0", "id": "p1", "method": "ping"}));
            let ask = event(&json!({"jsonrpc": "2.0", "id": 9, "method": "sampling/createMessage"}));
            let first = format!("id: 1\ndata:\n\n{}{ping}{ask}", progress(request));
            stream(vec![first, result_event(request, &text_result("done"))], 5)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "done");
    let replies = || server.seen().into_iter().filter(|seen| seen.rpc().is_empty() && seen.method == "POST");
    eventually("both answers arrive", || replies().count() == 2).await;
    let replies: Vec<_> = replies().map(|seen| seen.body).collect();
    assert!(replies.contains(&json!({"jsonrpc": "2.0", "id": "p1", "result": {}})), "{replies:?}");
    assert!(replies.iter().any(|reply| reply["id"] == 9 && reply["error"]["code"] == -32601), "{replies:?}");
    let events = events(&log);
    let asked: Vec<_> = events
        .iter()
        .filter_map(|what| match what {
            What::ServerAsked { method, .. } => Some(method.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["ping", "sampling/createMessage"]);
    assert!(
        events.iter().any(
            |what| matches!(what, What::ServerNoted { method, .. } if method == "notifications/progress")
        )
    );
    session.close().await;
}

#[tokio::test]
async fn progress_extends_a_call_but_not_for_ever() {
    let server = Scripted::start(|request| match (request.rpc(), &request.body["params"]["name"]) {
        ("tools/call", name) if name == "slow" => {
            let mut chunks = vec![progress(request); 6];
            chunks.push(result_event(request, &text_result("slow but sure")));
            stream(chunks, 60)
        }
        ("tools/call", _) => stream(vec![progress(request); 1000], 20),
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &patient(300), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("slow", &json!({})).await.unwrap()), "slow but sure");
    let before = log.elapsed_ms();
    let fault = session.call_tool("endless", &json!({})).await.unwrap_err();
    let took = log.elapsed_ms() - before;
    assert_eq!(fault.code, "target.timeout");
    assert!((1_400..5_000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn broken_streams_are_resumed_after_the_last_event() {
    let server = Scripted::start(|request| match (request.method.as_str(), request.rpc()) {
        ("POST", "tools/call") => stream(vec!["id: e7\nretry: 10\ndata:\n\n".to_owned()], 0),
        ("GET", _) if request.header("last-event-id") == "e7" => {
            let result = json!({"jsonrpc": "2.0", "id": 2, "result": text_result("resumed")});
            stream(vec![event(&result)], 0)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "resumed");
}

#[tokio::test]
async fn the_listening_stream_is_read_in_the_background() {
    let server = Scripted::start(|request| match request.method.as_str() {
        "GET" => {
            let changed = event(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
            let ask =
                event(&json!({"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {}}));
            stream(vec![changed, ask], 5)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    eventually("the refusal of sampling arrives", || {
        server.seen().iter().any(|seen| seen.body["id"] == 5 && seen.body["error"]["code"] == -32601)
    })
    .await;
    let get = server.seen().into_iter().find(|seen| seen.method == "GET").unwrap();
    assert_eq!((get.header("mcp-session-id"), get.header("accept")), ("session-1", "text/event-stream"));
    let noted =
        |what: &What| matches!(what, What::ServerNoted { method, .. } if method.ends_with("list_changed"));
    assert!(events(&log).iter().any(noted));
    session.close().await;
}

#[tokio::test]
async fn lists_are_read_to_their_end_and_loops_are_cut() {
    let pages = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pages);
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => {
            let page = counter.fetch_add(1, Ordering::Relaxed);
            let next = ["p1", "p2", "p1"].get(page).copied();
            let name = format!("tool-{page}");
            result(request, &json!({"tools": [{"name": name}], "nextCursor": next}))
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let names: Vec<_> =
        session.list_tools().await.unwrap().into_iter().map(|tool| tool.name.to_string()).collect();
    assert_eq!(names, ["tool-0", "tool-1", "tool-2"]);
    assert!(odd(&log)[0].contains("repeats the cursor `p1`"), "{:?}", odd(&log));
    let cursors: Vec<_> = server
        .seen()
        .into_iter()
        .filter(|seen| seen.rpc() == "tools/list")
        .map(|seen| seen.body["params"]["cursor"].clone())
        .collect();
    assert_eq!(cursors, [json!(null), json!("p1"), json!("p2")]);
}

#[tokio::test]
async fn requests_run_side_by_side() {
    const CALLS: usize = 20;
    let arrived = Arc::new(AtomicUsize::new(0));
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/call" => {
            arrived.fetch_add(1, Ordering::SeqCst);
            // Nobody is answered before everybody has asked.
            let everybody = Arc::clone(&arrived);
            let text =
                result_event(request, &text_result(&request.body["params"]["arguments"]["n"].to_string()));
            let answers = futures::stream::once(async move {
                while everybody.load(Ordering::SeqCst) < CALLS {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Ok::<_, std::convert::Infallible>(text)
            });
            answer(200, "text/event-stream", Body::from_stream(answers))
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let calls = (0..CALLS).map(|n| {
        let session = &session;
        async move { (n, session.call_tool("a", &json!({"n": n})).await.unwrap()) }
    });
    for (n, outcome) in join_all(calls).await {
        assert_eq!(text_of(outcome), n.to_string());
    }
}

/// Gives one token first, another one when challenged.
struct Refreshing;

impl TokenSource for Refreshing {
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        let refused = asking.refused.map_or("", |refused| &refused.challenge);
        let token = if refused.contains("invalid_token") { "fresh-1" } else { "stale-1" };
        let header = ("Authorization".to_owned(), SecretString::from(format!("Bearer {token}")));
        Box::pin(std::future::ready(Ok(vec![header])))
    }

    fn env(&self) -> Credentials {
        vec![]
    }
}

#[tokio::test]
async fn a_challenge_is_answered_once_with_other_credentials() {
    let server = Scripted::start(|request| match request.header("authorization") {
        "Bearer fresh-1" if request.rpc() == "tools/call" => result(request, &text_result("in")),
        "Bearer fresh-1" => polite(request),
        _ => challenged(),
    })
    .await;
    let (target, log) = (server.target(), log());
    let identity: Identity = Arc::new(Refreshing);
    let session = open_as(&target, &identity, &patient(2_000), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "in");
    session.close().await;
    let record = format!("{:?}", events(&log));
    assert!(record.contains("Bearer [redacted]"), "{record}");
    assert!(!record.contains("fresh-1") && !record.contains("stale-1"), "{record}");
}

fn challenged() -> axum::http::Response<Body> {
    let mut response = answer(401, "application/json", r#"{"error":"invalid_token"}"#);
    let challenge = r#"Bearer error="invalid_token", resource_metadata="http://127.0.0.1/meta""#;
    response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
    response
}

#[tokio::test]
async fn an_identity_without_other_credentials_is_refused_with_the_challenge() {
    let server = Scripted::start(|_| challenged()).await;
    let (target, log) = (server.target(), log());
    let fault = open(&target, &log).await.err().unwrap();
    assert_eq!((fault.side, fault.code.as_str()), (Side::Auth, "target.unauthorized"));
    insta::assert_snapshot!(fault.message, @r#"the server refused this identity with HTTP 401, challenge: Bearer error="invalid_token", resource_metadata="http://127.0.0.1/meta"; check `auth` and the persona's token"#);
    assert_eq!(server.seen().len(), 1, "asked again with the same credentials");
}

#[tokio::test]
async fn refused_calls_are_refusals_not_faults() {
    let server = Scripted::start(|request| match (request.rpc(), request.body["params"]["name"].as_str()) {
        ("tools/call", Some("scope")) => {
            let mut response = answer(403, "text/plain", "no");
            response.headers_mut().insert("www-authenticate", "Bearer error=\"insufficient_scope\"".parse().unwrap());
            response
        }
        ("tools/call", Some("rpc")) => {
            let error = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": {"code": -32602, "message": "unknown tool", "data": {"a": 1}}});
            answer(200, "application/json", error.to_string())
        }
        ("tools/call", _) => {
            answer(400, "application/json", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"bad"}}"#)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let mut refusals = vec![];
    for name in ["scope", "rpc", "other"] {
        let ToolOutcome::Refused(refusal) = session.call_tool(name, &json!({})).await.unwrap() else {
            panic!()
        };
        refusals.push(refusal);
    }
    assert_eq!((refusals[0].status, refusals[0].code), (Some(403), None));
    assert_eq!(refusals[0].challenge.as_deref(), Some("Bearer error=\"insufficient_scope\""));
    assert_eq!((refusals[1].status, refusals[1].code), (None, Some(-32602)));
    assert_eq!(refusals[1].data, Some(json!({"a": 1})));
    assert_eq!(
        (refusals[2].status, refusals[2].code, refusals[2].message.as_str()),
        (Some(400), Some(-32600), "bad")
    );
}

#[tokio::test]
async fn response_headers_are_kept_without_cookies() {
    let server = Scripted::start(|request| {
        let mut response = polite(request);
        response.headers_mut().insert("set-cookie", "sid=super-secret".parse().unwrap());
        response.headers_mut().insert("x-served-by", "a-7".parse().unwrap());
        response
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    session.close().await;
    let record = format!("{:?}", events(&log));
    assert!(!record.contains("super-secret"));
    assert!(record.contains("a-7"));
    let deleted = |what: &What| matches!(what, What::Wire(WireMessage::Sent { via, .. }) if via == "DELETE");
    assert!(events(&log).iter().any(deleted));
}

#[tokio::test]
async fn older_revisions_are_spoken_and_announced_where_they_must_be() {
    for revision in REVISIONS.iter().filter(|revision| revision.era == Era::Legacy) {
        let server = Scripted::start(|request| match request.rpc() {
            "initialize" => result(
                request,
                &json!({"protocolVersion": revision.name, "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}),
            ),
            // 2025-03-26 allowed batches.
            "tools/list" => {
                let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {}});
                let list = json!({"jsonrpc": "2.0", "id": request.body["id"], "result": {"tools": [{"name": "a"}]}});
                answer(200, "application/json", json!([note, list]).to_string())
            }
            _ => polite(request),
        })
        .await;
        let session = open(&server.target(), &log()).await.unwrap();
        assert_eq!(session.facts().protocol, revision.name);
        assert_eq!(session.list_tools().await.unwrap().len(), 1);
        let list = server.seen().into_iter().find(|seen| seen.rpc() == "tools/list").unwrap();
        let announced = if revision.version_header { revision.name } else { "" };
        assert_eq!(list.header("mcp-protocol-version"), announced);
        // A server without session ids has no session to end.
        session.close().await;
        assert!(!server.seen().iter().any(|seen| seen.method == "DELETE"));
    }
}

#[tokio::test]
async fn what_follows_the_answer_on_its_stream_is_still_recorded() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let late = event(
                &json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "late"}}),
            );
            stream(vec![result_event(request, &text_result("first")), late], 30)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "first");
    let noted = |what: &What| matches!(what, What::ServerNoted { params, .. } if params["data"] == "late");
    eventually("the late message is recorded", || events(&log).iter().any(noted)).await;
}

#[tokio::test]
async fn the_record_holds_every_header_that_the_server_saw() {
    let server = Scripted::start(|request| match (request.method.as_str(), request.rpc()) {
        ("POST", "tools/list") => result(request, &json!({"tools": []})),
        ("POST", _) => polite(request),
        _ => crate::stage::empty(axum::http::StatusCode::METHOD_NOT_ALLOWED),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    session.list_tools().await.unwrap();
    session.close().await;
    target.close().await;
    let sent: Vec<(String, Vec<(String, String)>)> = events(&log)
        .into_iter()
        .filter_map(|what| match what {
            What::Wire(WireMessage::Sent { via, headers, .. }) => Some((via, headers)),
            _ => None,
        })
        .collect();
    let seen = server.seen();
    assert_eq!(sent.len(), seen.len());
    for request in seen {
        let saw: std::collections::BTreeMap<String, String> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let recorded = |(via, headers): &(String, Vec<(String, String)>)| {
            *via == request.method.as_str()
                && headers.iter().cloned().collect::<std::collections::BTreeMap<_, _>>() == saw
        };
        assert!(sent.iter().any(recorded), "{} with {saw:?} is not among {sent:#?}", request.method);
    }
}
