//! Servers that misbehave over HTTP: every one gets a fault with a code, in bounded time and memory.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::launch::{Launch, pick_port};
use rehearsal::mcp::{Endpoint, Isolation, Program};
use rehearsal::net;
use rehearsal::transcript::Side;
use serde_json::json;

use crate::stage::{
    Scripted, Seen, anonymous, answer, at, empty, event, eventually, log, odd, open, open_as, patient,
    polite, result, stream, text_of, text_result, wire,
};

/// The fault of opening a session with a server that answers everything alike, as `code: message`.
async fn opening(reply: impl Fn(&Seen) -> axum::http::Response<Body> + Send + Sync + 'static) -> String {
    let server = Scripted::start(reply).await;
    let fault = open_as(&server.target(), &anonymous(), &patient(500), &log()).await.err().unwrap();
    assert_eq!(fault.side, Side::Server);
    let port = server.url.port().unwrap().to_string();
    let message = format!("{}: {}", fault.code, fault.message).replace(&port, "PORT");
    assert!(!message.contains("not-for-messages"), "{message}");
    message
}

#[tokio::test]
async fn opening_faults_say_what_to_do() {
    let mut all = vec![
        opening(|_| answer(200, "text/html", "<!doctype html><title>\u{1b}[31mHello</title>")).await,
        opening(|_| answer(404, "text/plain", "nothing here")).await,
        opening(|_| answer(501, "text/html", "<html><h1>Unsupported method</h1></html>")).await,
        opening(|_| answer(200, "application/json", "{\"truncated\": ")).await,
        opening(|_| answer(200, "application/json", "")).await,
        opening(|_| empty(StatusCode::ACCEPTED)).await,
        opening(|_| answer(503, "text/plain", "back soon")).await,
        opening(|request| result(request, &json!({"protocolVersion": "1999-01-01"}))).await,
        opening(|_| answer(200, "application/json", r#"{"jsonrpc":"2.0","id":99,"result":{}}"#)).await,
        opening(|_| {
            answer(
                200,
                "application/json",
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#,
            )
        })
        .await,
        opening(|_| stream(vec![": nothing\n\n".to_owned()], 0)).await,
        opening(|_| {
            let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
            response.headers_mut().insert("location", "https://elsewhere.example/mcp".parse().unwrap());
            response
        })
        .await,
    ];
    let nowhere = open(&at("http://127.0.0.1:1/mcp?key=not-for-messages".parse().unwrap()), &log())
        .await
        .err()
        .unwrap();
    all.push(format!("{}: {}", nowhere.code, nowhere.message));
    insta::assert_snapshot!(all.join("\n"), @r#"
    target.protocol: no MCP endpoint at `http://127.0.0.1:PORT/mcp`: it answered HTTP 200 with the HTML page `<!doctype html><title>␛[31mHello</title>`; check the path in `target.url`, many servers answer at `/mcp`
    target.protocol: no MCP endpoint at `http://127.0.0.1:PORT/mcp`: it answered HTTP 404: `nothing here`; check the path in `target.url`, many servers answer at `/mcp`
    target.protocol: no MCP endpoint at `http://127.0.0.1:PORT/mcp`: it answered HTTP 501 with the HTML page `<html><h1>Unsupported method</h1></html>`; check the path in `target.url`, many servers answer at `/mcp`
    target.protocol: the server answered HTTP 200 with something other than the JSON-RPC answer (the JSON ends too early): `{"truncated": `; check that `target.url` is the MCP endpoint
    target.protocol: the server answered HTTP 200 with an empty body in place of a JSON-RPC answer
    target.protocol: the server answered HTTP 202 with an empty body in place of a JSON-RPC answer
    target.unreachable: `http://127.0.0.1:PORT/mcp` answered HTTP 503: `back soon`
    target.protocol: the server wants protocol revision `1999-01-01`; this client speaks only 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05
    target.protocol: the server answered HTTP 200 with something other than the JSON-RPC answer: `{"jsonrpc":"2.0","id":99,"result":{}}`; check that `target.url` is the MCP endpoint
    target.protocol: the server refused `initialize`: error -32000: no
    target.protocol: the event stream ended before the answer
    target.protocol: HTTP 307: the server redirects to `https://elsewhere.example/mcp`, which is not followed; write the final address in `target.url`
    target.unreachable: cannot reach `http://127.0.0.1:1/mcp`: cannot connect: client error (Connect): tcp connect error: Connection refused (os error 111); check that the server runs and that `target.url` is right
    "#);
}

#[tokio::test]
async fn silence_ends_at_the_deadline_and_the_server_is_told() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => answer(200, "text/event-stream", Body::from_stream(drip())),
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &patient(100), &log).await.unwrap();
    let before = log.elapsed_ms();
    let fault = session.call_tool("a", &json!({})).await.unwrap_err();
    let took = log.elapsed_ms() - before;
    assert_eq!(fault.code, "target.timeout");
    assert_eq!(fault.message, "no answer to `tools/call` within 100ms");
    assert!(took < 3_000, "{took} ms");
    let told = server.seen().into_iter().find(|seen| seen.rpc() == "notifications/cancelled").unwrap();
    assert_eq!(told.body["params"]["requestId"], 2);
    assert!(wire(&log).contains(&"> POST notifications/cancelled".to_owned()), "{:?}", wire(&log));
}

/// Comments, which keep a connection busy and say nothing.
fn drip() -> impl futures::Stream<Item = Result<&'static str, std::convert::Infallible>> {
    futures::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Some((Ok(": still here\n\n"), ()))
    })
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_too() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => answer(200, "text/event-stream", Body::from_stream(drip())),
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let arguments = json!({});
    let call = session.call_tool("a", &arguments);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(50), call).await.unwrap_err();
    eventually("the cancellation arrives", || {
        server.seen().iter().any(|seen| seen.rpc() == "notifications/cancelled")
    })
    .await;
}

#[tokio::test]
async fn a_lost_session_is_named() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => answer(
            404,
            "application/json",
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
        ),
        _ => polite(request),
    })
    .await;
    let session = open(&server.target(), &log()).await.unwrap();
    assert_eq!(session.list_tools().await.unwrap_err().code, "target.session-lost");
}

#[tokio::test]
async fn large_answers_and_lists_are_cut_off() {
    let server = Scripted::start(|request| match (request.rpc(), request.body["params"]["name"].as_str()) {
        ("tools/call", Some("endless")) => {
            let chunk =
                futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>("x".repeat(1 << 20)));
            answer(200, "application/json", Body::from_stream(chunk))
        }
        ("tools/call", _) => {
            let chunk =
                futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>("data: x".repeat(1 << 18)));
            answer(200, "text/event-stream", Body::from_stream(chunk))
        }
        ("tools/list", _) => {
            let page = request.body["id"].to_string();
            let tool = json!({"name": "t", "description": "x".repeat(1 << 20)});
            result(request, &json!({"tools": [tool], "nextCursor": page}))
        }
        _ => polite(request),
    })
    .await;
    let session = open(&server.target(), &log()).await.unwrap();
    for name in ["endless", "endless stream"] {
        assert_eq!(session.call_tool(name, &json!({})).await.unwrap_err().code, "target.too-large", "{name}");
    }
    let fault = session.list_tools().await.unwrap_err();
    assert_eq!(
        (fault.code.as_str(), fault.message.as_str()),
        ("target.too-large", "the answers to `tools/list` are larger than 8 MiB")
    );
}

#[tokio::test]
async fn pages_without_end_stop_at_a_thousand() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => result(request, &json!({"tools": [], "nextCursor": request.body["id"].to_string()})),
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open(&server.target(), &log).await.unwrap();
    assert_eq!(session.list_tools().await.unwrap().len(), 0);
    assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "tools/list").count(), 1000);
    assert!(odd(&log)[0].contains("more than 1000 pages"), "{:?}", odd(&log));
}

#[tokio::test]
async fn foreign_answers_and_floods_do_not_disturb_a_call() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let foreign =
                event(&json!({"jsonrpc": "2.0", "id": 77, "result": text_result("for somebody else")}));
            let textual = event(&json!({"jsonrpc": "2.0", "id": "2", "result": text_result("nearly")}));
            let log_line =
                event(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}));
            let own =
                event(&json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("mine")}));
            stream(vec![foreign, textual, "data: garbage\n\n".to_owned(), log_line.repeat(3_000), own], 0)
        }
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open(&server.target(), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "mine");
    let odd = odd(&log);
    assert_eq!(odd.len(), 4, "{odd:?}");
    assert!(odd[0].contains("id `77`") && odd[1].contains("id `\"2\"`"), "{odd:?}");
    assert!(odd[2].contains("garbage") && odd[3].contains("flood"), "{odd:?}");
    assert!(log.len() < 4_100, "{} events", log.len());
}

#[tokio::test]
async fn a_server_without_tools_has_an_empty_list() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => answer(
            200,
            "application/json",
            r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method not found"}}"#,
        ),
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open(&server.target(), &log).await.unwrap();
    assert!(session.list_tools().await.unwrap().is_empty());
    assert_eq!(odd(&log).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launched_server_that_died_is_reported_with_its_last_words() {
    let port = pick_port().unwrap();
    let url: url::Url = format!("http://127.0.0.1:{port}/mcp").parse().unwrap();
    let command = ["sh", "-c", "echo out of paper >&2; sleep 0.1; exit 4"].map(str::to_owned).to_vec();
    let program = Program { command, env: BTreeMap::new(), cwd: None };
    // The port is opened by the test: what matters here is only that the process is gone.
    let launch = Launch { program, url: url.clone(), ready: Duration::from_secs(5) };
    let opener = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap()
    });
    let launched = launch.start(None).await;
    drop(opener.await.unwrap());
    let fault = match launched {
        // It may have died before the port was seen open.
        Err(fault) => fault,
        Ok(launched) => {
            let keeper = Keeper::new(net::client().unwrap()).launched(launched);
            let target = target(Endpoint::Http { url, headers: BTreeMap::new() }, Isolation::Trial, keeper);
            open(&target, &log()).await.err().unwrap()
        }
    };
    assert_eq!(fault.message, "the server `sh` ended with exit code 4; its last words were: out of paper");
    assert_eq!(fault.code, "target.died");
}
