//! Streams that end before their answer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::modern::legacy;
use crate::stage::{Scripted, anonymous, event, log, open_as, polite, result, stream, text_of, text_result};

/// As the suite says it, in milliseconds; the suite itself uses 500.
const RETRY: u64 = 90;

/// `sse-retry`: the stream of a call is closed before its answer; the client waits as long as `retry` says, then comes
/// back by GET with the last event's id.
#[tokio::test]
async fn sse_retry() {
    let came_back: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
    let closed: Arc<Mutex<Option<(Instant, Value)>>> = Arc::default();
    let (gets, closing) = (Arc::clone(&came_back), Arc::clone(&closed));
    let server = Scripted::start(move |request| match (request.method.as_str(), request.rpc()) {
        ("POST", "tools/list") => result(request, &json!({"tools": [{"name": "test_reconnection"}]})),
        ("POST", "tools/call") => {
            *closing.lock().unwrap() = Some((Instant::now(), request.body["id"].clone()));
            stream(vec![format!("id: event-1\nretry: {RETRY}\ndata: \n\n")], 0)
        }
        ("GET", _) if closing.lock().unwrap().is_some() => {
            gets.lock().unwrap().push((Instant::now(), request.header("last-event-id").to_owned()));
            let id = closing.lock().unwrap().as_ref().map(|(_, id)| id.clone());
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": text_result("resumed")});
            stream(vec![format!("id: event-2\nretry: {RETRY}\ndata: \n\n"), event(&answer)], 0)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &legacy(), &log).await.unwrap();
    session.list_tools().await.unwrap();
    let outcome = session.call_tool("test_reconnection", &json!({})).await.unwrap();
    assert_eq!(text_of(outcome), "resumed");

    let (closed, _) = closed.lock().unwrap().clone().unwrap();
    let came_back = came_back.lock().unwrap();
    let [(at, last_event)] = came_back.as_slice() else { panic!("came back {} times", came_back.len()) };
    let waited = at.duration_since(closed);
    assert!(waited >= Duration::from_millis(RETRY), "client-sse-retry-timing: too early, after {waited:?}");
    // The client's own delay, when the server names none, is a second.
    assert!(waited < Duration::from_millis(900), "client-sse-retry-timing: too late, after {waited:?}");
    assert_eq!(last_event, "event-1", "client-sse-last-event-id");
}
