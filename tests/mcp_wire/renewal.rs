//! Streamable HTTP when things are lost: sessions the server forgot, streams that break, ids nobody can send back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use crate::stage::{
    Scripted, Seen, anonymous, answer, begins_anew_once, empty, event, log, odd, open, open_as, patient,
    polite, result, result_event, stream, text_of, text_result, wire,
};

/// A handshake whose session id is the number of the handshake.
fn numbered(request: &Seen, handshakes: &AtomicUsize) -> Response<Body> {
    let mut response = polite(request);
    if request.rpc() == "initialize" {
        let number = handshakes.fetch_add(1, Ordering::SeqCst) + 1;
        response.headers_mut().insert("mcp-session-id", HeaderValue::from(number));
    }
    response
}

#[tokio::test]
async fn a_forgotten_session_is_begun_anew_once() {
    let handshakes = AtomicUsize::new(0);
    let calls = AtomicUsize::new(0);
    let server = Scripted::start(move |request| match (request.rpc(), request.header("mcp-session-id")) {
        ("tools/call", "1") => empty(StatusCode::NOT_FOUND),
        ("tools/call", "2") if calls.fetch_add(1, Ordering::SeqCst) < 2 => {
            result(request, &text_result("alive"))
        }
        ("tools/call", _) => answer(404, "text/plain", "again"),
        _ => numbered(request, &handshakes),
    })
    .await;
    let fault = begins_anew_once(&server.target()).await;
    assert!(fault.message.contains("again"), "{}", fault.message);
    let seen = server.seen();
    let handshakes: Vec<_> = seen.iter().filter(|seen| seen.rpc() == "initialize").collect();
    assert_eq!(handshakes.len(), 2);
    // The second handshake is the first under another id, and belongs to no session.
    assert_eq!(handshakes[0].body["params"], handshakes[1].body["params"]);
    assert_ne!(handshakes[0].body["id"], handshakes[1].body["id"]);
    assert_eq!(handshakes[1].header("mcp-session-id"), "");
    assert_eq!(handshakes[1].header("mcp-protocol-version"), "");
    let farewell = seen.iter().find(|seen| seen.method == "DELETE").unwrap();
    assert_eq!(farewell.header("mcp-session-id"), "2");
}

#[tokio::test]
async fn a_new_session_that_differs_is_not_used() {
    let handshakes = AtomicUsize::new(0);
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/call" => empty(StatusCode::NOT_FOUND),
        "initialize" if handshakes.load(Ordering::SeqCst) > 0 => {
            result(request, &json!({"protocolVersion": "2025-03-26", "capabilities": {}, "serverInfo": {}}))
        }
        _ => numbered(request, &handshakes),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let fault = session.call_tool("a", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.session-lost");
    assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "tools/call").count(), 1);
}

#[tokio::test]
async fn a_call_whose_resumption_is_refused_is_not_sent_again() {
    for (status, code) in
        [(405, "target.protocol"), (404, "target.session-lost"), (503, "target.unreachable")]
    {
        let server = Scripted::start(move |request| match (request.method.as_str(), request.rpc()) {
            ("POST", "tools/call") => stream(vec!["id: e7\nretry: 10\ndata:\n\n".to_owned()], 0),
            ("GET", _) if request.header("last-event-id") == "e7" => {
                empty(StatusCode::from_u16(status).unwrap())
            }
            _ => polite(request),
        })
        .await;
        let session = open(&server.target(), &log()).await.unwrap();
        let fault = session.call_tool("a", &json!({})).await.unwrap_err();
        assert_eq!(fault.code, code, "{}", fault.message);
        assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "tools/call").count(), 1);
        assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "initialize").count(), 1);
    }
}

#[tokio::test]
async fn the_delay_that_a_server_asks_for_is_kept() {
    const DELAY: u128 = 300;
    let closed = Arc::new(std::sync::Mutex::new(None));
    let resumed = Arc::clone(&closed);
    let server = Scripted::start(move |request| match (request.method.as_str(), request.rpc()) {
        ("POST", "tools/call") => {
            *resumed.lock().unwrap() = Some((Instant::now(), 0));
            stream(vec![format!("id: e1\nretry: {DELAY}\ndata:\n\n")], 0)
        }
        ("GET", _) if request.header("last-event-id") == "e1" => {
            if let Some((begun, took)) = resumed.lock().unwrap().as_mut() {
                *took = begun.elapsed().as_millis();
            }
            let result = json!({"jsonrpc": "2.0", "id": 2, "result": text_result("resumed")});
            stream(vec![event(&result)], 0)
        }
        _ => polite(request),
    })
    .await;
    let session = open(&server.target(), &log()).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "resumed");
    let (_, took) = closed.lock().unwrap().unwrap();
    assert!((DELAY..DELAY + 1_000).contains(&took), "{took} ms");
}

#[tokio::test]
async fn ids_that_no_header_can_hold_end_resumption() {
    for (id, odds) in [("a\u{1}b".to_owned(), 1), ("x".repeat(2_000), 1), (String::new(), 0)] {
        let events = format!("id: good\nretry: 1\ndata:\n\nid: {id}\ndata:\n\n");
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => stream(vec![events.clone()], 0),
            _ => polite(request),
        })
        .await;
        let log = log();
        let session = open(&server.target(), &log).await.unwrap();
        let fault = session.call_tool("a", &json!({})).await.unwrap_err();
        assert_eq!(fault.message, "the event stream ended before the answer");
        assert_eq!(odd(&log).len(), odds, "{:?}", odd(&log));
        assert!(server.seen().iter().all(|seen| seen.header("last-event-id").is_empty()));
    }
}

#[tokio::test]
async fn streams_that_end_after_each_event_are_not_followed_for_ever() {
    let server = Scripted::start(|request| match (request.method.as_str(), request.rpc()) {
        ("POST", "tools/call") | ("GET", "") => stream(vec!["id: e\nretry: 0\ndata:\n\n".to_owned()], 0),
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open_as(&server.target(), &anonymous(), &patient(20_000), &log).await.unwrap();
    let fault = session.call_tool("a", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.protocol", "{}", fault.message);
    let gets = server.seen().iter().filter(|seen| seen.method == "GET").count();
    // Two streams: that of the call, and the listening one.
    assert!((200..=402).contains(&gets), "{gets}");
}

#[tokio::test]
async fn what_a_revision_does_not_have_is_named() {
    let server = Scripted::start(|request| match request.rpc() {
        "initialize" => {
            let mut response = polite(request);
            response.headers_mut().insert("mcp-session-id", "with space".parse().unwrap());
            response
        }
        "tools/list" => {
            let list = json!({"jsonrpc": "2.0", "id": request.body["id"], "result": {"tools": []}});
            answer(200, "application/json", json!([list]).to_string())
        }
        "tools/call" => {
            let other = format!("event: other\n{}", result_event(request, &text_result("unread")));
            stream(vec![other, result_event(request, &text_result("read"))], 0)
        }
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open(&server.target(), &log).await.unwrap();
    session.list_tools().await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "read");
    insta::assert_snapshot!(odd(&log).join("\n"), @r"
    `Mcp-Session-Id` holds something other than visible ASCII characters (basic/transports)
    a batch of messages, which this revision does not have
    an event of type `other`, which clients do not read as a message
    ");
    let list = server.seen().into_iter().find(|seen| seen.rpc() == "tools/list").unwrap();
    assert_eq!(list.header("mcp-session-id"), "with space");
    assert_eq!(wire(&log).iter().filter(|line| line.ends_with("result 3")).count(), 2);
}

#[tokio::test]
async fn answers_without_a_body_end_a_call_but_not_a_notification() {
    for status in [202, 204] {
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" | "notifications/initialized" => empty(StatusCode::from_u16(status).unwrap()),
            _ => polite(request),
        })
        .await;
        let log = log();
        let session = open(&server.target(), &log).await.unwrap();
        let fault = session.call_tool("a", &json!({})).await.unwrap_err();
        let expected =
            format!("the server answered HTTP {status} with an empty body in place of a JSON-RPC answer");
        assert_eq!((fault.code.as_str(), fault.message), ("target.protocol", expected));
        assert!(odd(&log).is_empty(), "{:?}", odd(&log));
    }
}
