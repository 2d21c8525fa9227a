//! Requests of 2026-07-28 as a server sees them, and what the client makes of modern answers.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rehearsal::mcp::{Isolation, Session, facts};
use rehearsal::transcript::Recorder;
use serde_json::{Value, json};

use crate::era::{discovered, shell_speaking, speaking};
use crate::stage::{
    Scripted, Seen, anonymous, answer, empty, event, eventually, free, log, odd, open_as, progress, result,
    result_event, stream, text_of, wire,
};

/// What a well-behaved modern server says to everything but tools.
pub(crate) fn modern(request: &Seen) -> Response<Body> {
    match (request.method.as_str(), request.rpc()) {
        ("POST", "server/discover") => {
            let mut response = result(request, &discovered(&["2026-07-28"]));
            response.headers_mut().insert("mcp-session-id", "to-be-ignored".parse().unwrap());
            response
        }
        ("POST", _) => {
            let error = json!({"code": -32601, "message": "no such method"});
            let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": error});
            answer(404, "application/json", body.to_string())
        }
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

pub(crate) fn text(text: &str) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
}

pub(crate) fn list(tools: &Value) -> Value {
    json!({"resultType": "complete", "tools": tools, "ttlMs": 1000, "cacheScope": "public"})
}

pub(crate) async fn opened(server: &Scripted, log: &Recorder) -> Box<dyn Session> {
    open_as(&speaking(server, "auto"), &anonymous(), &free(2_000), log).await.unwrap()
}

fn meta<'a>(seen: &'a Seen, key: &str) -> &'a Value {
    &seen.body["params"]["_meta"][format!("io.modelcontextprotocol/{key}").as_str()]
}

#[tokio::test]
async fn every_request_says_who_asks_and_headers_repeat_it() {
    let schema = json!({"type": "object", "properties": {
        "city": {"type": "string", "x-mcp-header": "City"},
        "days": {"type": "integer", "x-mcp-header": "Days"},
    }});
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => result(request, &list(&json!([{"name": "wetter", "inputSchema": schema}]))),
        "tools/call" => result(request, &text("rain")),
        "resources/read" => result(
            request,
            &json!({"resultType": "complete", "contents": [], "ttlMs": 0, "cacheScope": "private"}),
        ),
        "prompts/get" => result(request, &json!({"resultType": "complete", "messages": []})),
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    session.list_tools().await.unwrap();
    let args = json!({"city": "zürich", "days": 3});
    assert_eq!(text_of(session.call_tool("wetter", &args).await.unwrap()), "rain");
    session.call_tool("wetter", &json!({"city": null})).await.unwrap();
    session.read_resource("file:///ä").await.unwrap().unwrap();
    session.get_prompt("p q", &json!({"a": "b"})).await.unwrap().unwrap();
    session.close().await;
    assert_eq!(odd(&log), Vec::<String>::new());

    let seen = server.seen();
    let lines: Vec<String> = seen
        .iter()
        .map(|seen| {
            let header = |name| seen.header(name).to_owned();
            assert_eq!(header("mcp-protocol-version"), "2026-07-28");
            assert_eq!(meta(seen, "protocolVersion"), "2026-07-28");
            assert_eq!(meta(seen, "clientInfo")["name"], "rehearsal");
            assert!(meta(seen, "clientCapabilities").is_object());
            assert_eq!(meta(seen, "logLevel"), &Value::Null);
            assert_eq!(header("mcp-method"), seen.rpc());
            assert_eq!(header("mcp-session-id"), "");
            let extra = ["mcp-name", "mcp-param-city", "mcp-param-days"].map(header).join(" ");
            format!("{} {} {} {}", seen.method, seen.body["id"], seen.rpc(), extra.trim()).trim().to_owned()
        })
        .collect();
    assert_eq!(
        lines,
        [
            "POST 1 server/discover",
            "POST 2 tools/list",
            "POST 3 tools/call wetter =?base64?esO8cmljaA==?= 3",
            "POST 4 tools/call wetter",
            "POST 5 resources/read =?base64?ZmlsZTovLy/DpA==?=",
            "POST 6 prompts/get p q",
        ]
    );
    assert_eq!(seen[2].body["params"]["_meta"]["progressToken"], 3);
}

#[tokio::test]
async fn a_badly_annotated_tool_is_dropped_over_http_and_kept_on_stdio() {
    let bad =
        json!({"name": "bad", "inputSchema": {"properties": {"n": {"type": "number", "x-mcp-header": "N"}}}});
    let tools = json!([{"name": "good", "inputSchema": {}}, bad]);
    let both = tools.clone();
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => result(request, &list(&both)),
        _ => modern(request),
    })
    .await;
    let record = log();
    let names = |tools: Vec<rehearsal::transcript::ToolFact>| -> Vec<String> {
        tools.iter().map(|tool| tool.name.to_string()).collect()
    };
    let session = opened(&server, &record).await;
    assert_eq!(names(session.list_tools().await.unwrap()), ["good"]);
    assert!(odd(&record)[0].contains("`bad` was left out"), "{:?}", odd(&record));

    let discover = discovered(&["2026-07-28"]);
    let script = format!(
        r#"while read -r line; do id=${{line#*\"id\":}}; id=${{id%%,*}}
        case "$line" in
          *server/discover*) r='{discover}' ;;
          *) r='{}' ;;
        esac; printf '{{"jsonrpc":"2.0","id":%s,"result":%s}}\n' "$id" "$r"; done"#,
        list(&tools)
    );
    let record = log();
    let target = shell_speaking(&script, Isolation::Trial, "auto");
    let session = open_as(&target, &anonymous(), &free(2_000), &record).await.unwrap();
    assert_eq!(names(session.list_tools().await.unwrap()), ["good", "bad"]);
    assert_eq!(odd(&record), Vec::<String>::new());
    session.close().await;
}

#[tokio::test]
async fn results_that_are_something_else_are_invalid() {
    for (kind, word) in [("input_required", "input_required"), ("task", "task"), ("later", "later")] {
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/list" => result(request, &json!({"resultType": kind, "tools": []})),
            _ => modern(request),
        })
        .await;
        let session = opened(&server, &log()).await;
        let fault = session.list_tools().await.unwrap_err();
        assert_eq!(fault.code, "target.protocol");
        assert!(fault.message.contains(word), "{}", fault.message);
    }
}

#[tokio::test]
async fn what_a_modern_server_leaves_out_is_recorded_once() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => result(request, &json!({"tools": []})),
        "resources/list" => result(request, &json!({"resultType": "complete", "resources": [], "ttlMs": -5, "cacheScope": "all"})),
        "resources/read" => {
            let error = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": {"code": -32002, "message": "gone"}});
            answer(200, "application/json", error.to_string())
        }
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    for _ in 0..2 {
        assert_eq!(session.list_tools().await.unwrap(), []);
    }
    session.list(facts::RESOURCES).await.unwrap();
    assert_eq!(session.read_resource("a:b").await.unwrap().unwrap_err().code, Some(-32002));
    assert_eq!(
        odd(&log),
        [
            "`tools/list` was answered without `resultType`",
            "`tools/list` was answered without `ttlMs`",
            "`tools/list` was answered without `cacheScope`",
            "`ttlMs` of `resources/list` is no whole number from 0: `-5`",
            "`cacheScope` of `resources/list` is neither public nor private: `\"all\"`",
            "error -32002 must not be used since 2026-07-28; a resource that is not there is -32602",
        ]
    );
}

#[tokio::test]
async fn every_list_is_read_to_its_end() {
    let server = Scripted::start(|request| {
        let (key, item) = match request.rpc() {
            "resources/list" => ("resources", json!({"uri": "a:b", "name": "n"})),
            "resources/templates/list" => ("resourceTemplates", json!({"uriTemplate": "a:{x}", "name": "n"})),
            "prompts/list" => ("prompts", json!({"name": "p"})),
            _ => return modern(request),
        };
        let mut page = json!({"resultType": "complete", key: [item], "ttlMs": 0, "cacheScope": "public"});
        match request.body["params"]["cursor"].as_str() {
            None => page["nextCursor"] = json!("2"),
            // A loop.
            Some("2") => page["nextCursor"] = json!("3"),
            Some(_) => page["nextCursor"] = json!("2"),
        }
        if request.body["params"]["cursor"] == "3" {
            page["cacheScope"] = json!("private");
        }
        result(request, &page)
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    for list in [facts::RESOURCES, facts::TEMPLATES, facts::PROMPTS] {
        assert_eq!(session.list(list).await.unwrap().len(), 3, "{}", list.method);
    }
    let odd = odd(&log);
    assert_eq!(odd.iter().filter(|odd| odd.contains("repeats the cursor `2`")).count(), 3, "{odd:?}");
    assert_eq!(odd.iter().filter(|odd| odd.contains("differ in `cacheScope`")).count(), 3, "{odd:?}");
    assert!(session.list(facts::TOOLS).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_broken_answer_is_asked_for_again_only_where_that_is_harmless() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => result(
            request,
            &list(&json!([
                {"name": "look", "inputSchema": {}, "annotations": {"readOnlyHint": true}},
                {"name": "act", "inputSchema": {}},
            ])),
        ),
        // An event id that an older revision would resume at.
        "tools/call" => stream(vec![format!("id: 1\n{}", progress(request))], 0),
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    session.list_tools().await.unwrap();
    for (tool, times) in [("look", 2), ("act", 1)] {
        let fault = session.call_tool(tool, &json!({})).await.unwrap_err();
        assert!(fault.message.contains("ended before the answer"), "{}", fault.message);
        let calls = server.seen().into_iter().filter(|seen| seen.header("mcp-name") == tool);
        let ids: std::collections::HashSet<String> = calls.map(|seen| seen.body["id"].to_string()).collect();
        assert_eq!(ids.len(), times, "{tool}");
    }
    assert!(!server.seen().iter().any(|seen| seen.method == "GET"), "streams are not resumed");
}

#[tokio::test]
async fn closing_the_stream_is_the_cancellation() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => answer(200, "text/event-stream", Body::from_stream(Watched)),
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &free(100), &log).await.unwrap();
    let fault = session.call_tool("slow", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.timeout");
    eventually("the server sees the end", || CLOSED.load(Ordering::Relaxed) > 0).await;
    session.close().await;
    assert!(
        !wire(&log).iter().any(|line| line.contains("cancelled") || line.contains("DELETE")),
        "{:?}",
        wire(&log)
    );
}

static CLOSED: AtomicU32 = AtomicU32::new(0);

/// A body that never ends and notes that nobody wants it any more.
struct Watched;

impl futures::Stream for Watched {
    type Item = Result<String, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        CLOSED.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_header_mismatch_lists_the_tools_again_and_repeats_the_call() {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string", "x-mcp-header": "City"}}});
    let server = Scripted::start(move |request| match (request.rpc(), request.header("mcp-param-city")) {
        ("tools/list", _) => result(request, &list(&json!([{"name": "t", "inputSchema": schema}]))),
        ("tools/call", "rom") => result(request, &text("sun")),
        ("tools/call", _) => {
            let error = json!({"code": -32020, "message": "Mcp-Param-City is missing"});
            let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": error});
            answer(400, "application/json", body.to_string())
        }
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    // Nothing was listed yet, so nothing is known of headers.
    assert_eq!(text_of(session.call_tool("t", &json!({"city": "rom"})).await.unwrap()), "sun");
    assert!(odd(&log)[0].contains("listed again"), "{:?}", odd(&log));
}

#[tokio::test]
async fn requests_of_a_modern_server_are_recorded_and_not_answered() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let ping = event(&json!({"jsonrpc": "2.0", "id": "s", "method": "ping"}));
            stream(vec![ping, result_event(request, &text("done"))], 0)
        }
        _ => modern(request),
    })
    .await;
    let log = log();
    let session = opened(&server, &log).await;
    assert_eq!(text_of(session.call_tool("t", &json!({})).await.unwrap()), "done");
    assert_eq!(odd(&log), ["the server sent the request `ping`; since 2026-07-28 it must not"]);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn log_messages_are_asked_for_with_every_request_that_follows() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => result(request, &text("done")),
        _ => modern(request),
    })
    .await;
    let session = opened(&server, &log()).await;
    session.set_log_level("warning").await.unwrap().unwrap();
    session.call_tool("t", &json!({})).await.unwrap();
    let seen = server.seen();
    assert_eq!((meta(&seen[0], "logLevel"), meta(&seen[1], "logLevel")), (&Value::Null, &json!("warning")));
    assert_eq!(seen.len(), 2);
}
