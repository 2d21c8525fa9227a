//! Streamable HTTP as a well-behaved server speaks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use rehearsal::mcp::ToolOutcome;
use rehearsal::transcript::{What, WireMessage};
use serde_json::json;

use crate::stage::{Scripted, answer, events, log, odd, open, polite, result, text_of, text_result, wire};

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
