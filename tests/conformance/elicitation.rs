//! Questions of the server to the person behind the client.

use std::sync::Arc;

use rehearsal::mcp::host::accepting::Accepting;
use rehearsal::mcp::{Host, Opening};
use serde_json::json;

use crate::modern::legacy;
use crate::stage::{
    Scripted, anonymous, at, event, eventually, log, open_as, polite, result, result_event, stream, text_of,
    text_result,
};

/// `elicitation-sep1034-client-defaults`: a form that is accepted goes back with the defaults of its schema.
#[tokio::test]
async fn elicitation_sep1034_client_defaults() {
    let form = json!({"type": "object", "required": [], "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }});
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/call" => {
            let params = json!({"message": "please accept", "requestedSchema": form});
            let ask = json!({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": params});
            stream(vec![event(&ask), result_event(request, &text_result("thanks"))], 20)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let profile = legacy();
    let host: Arc<dyn Host> = Arc::new(Accepting { capabilities: profile.wire.capabilities() });
    let identity = anonymous();
    let session = target.open(Opening::new(&identity, &profile).hosted(&host), log).await.unwrap();
    assert_eq!(text_of(session.call_tool("ask", &json!({})).await.unwrap()), "thanks");
    let answer = || {
        server.seen().into_iter().find(|seen| seen.body["id"] == "e1").map(|seen| seen.body["result"].clone())
    };
    eventually("the form comes back", || answer().is_some()).await;
    let content = json!({"name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": true});
    assert_eq!(answer().unwrap(), json!({"action": "accept", "content": content}));
}

/// The same without the capability: the question is refused, and nothing is filled in.
#[tokio::test]
async fn undeclared_elicitation_is_refused() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let ask = json!({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {}});
            stream(vec![event(&ask), result_event(request, &text_result("thanks"))], 20)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let mut profile = legacy();
    profile.wire.capabilities = Some(serde_json::Map::new());
    let session = open_as(&target, &anonymous(), &profile, &log).await.unwrap();
    session.call_tool("ask", &json!({})).await.unwrap();
    let answer = || server.seen().into_iter().find(|seen| seen.body["id"] == "e1");
    eventually("the refusal comes back", || answer().is_some()).await;
    assert_eq!(answer().unwrap().body["error"]["code"], -32601);
}

/// The same over the server's own stream, where the suite's server asks: a call may only follow when that stream is
/// open, or the question has no way to the client and the call never ends.
#[tokio::test]
async fn the_server_can_speak_before_it_is_called() {
    let server = Scripted::start(|request| match (request.method.as_str(), request.rpc()) {
        ("GET", _) => stream(vec![": open\n\n".to_owned()], 50),
        ("POST", "tools/list") => result(request, &json!({"tools": []})),
        _ => polite(request),
    })
    .await;
    let target = server.target();
    for _ in 0..3 {
        let session = open_as(&target, &anonymous(), &legacy(), &log()).await.unwrap();
        session.list_tools().await.unwrap();
        session.close().await;
    }
    let order: Vec<String> = server
        .seen()
        .iter()
        .filter(|seen| seen.method != "DELETE")
        .map(|seen| if seen.method == "GET" { "GET".to_owned() } else { seen.rpc().to_owned() })
        .collect();
    let once = ["initialize", "notifications/initialized", "GET", "tools/list"];
    assert_eq!(order, [once; 3].concat());
}

/// A server that answers the request for its stream only with its first word is waited for once, and not for ever.
#[tokio::test]
async fn a_server_without_a_first_word_is_not_waited_for_again() {
    let polite = axum::routing::post(async |body: axum::body::Bytes| {
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}});
        axum::Json(json!({"jsonrpc": "2.0", "id": body["id"], "result": hello}))
    });
    let silent = axum::routing::get(std::future::pending::<()>);
    let app = axum::Router::new().route("/mcp", polite.merge(silent));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let target = at(url.parse().unwrap());
    let mut took = Vec::new();
    for _ in 0..2 {
        let begun = std::time::Instant::now();
        open_as(&target, &anonymous(), &legacy(), &log()).await.unwrap();
        took.push(begun.elapsed().as_millis());
    }
    assert!((1_000..4_000).contains(&took[0]) && took[1] < 900, "{took:?}");
}
