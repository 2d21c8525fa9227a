//! What a server sees of an emulated client: identity, headers, ids, first messages, oddities.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use rehearsal::mcp::ClientProfile;
use rehearsal::mcp::profile::{ConnectStep, Protocol, Quirk, VersionHeader, Wire};
use serde_json::{Value, json};

use crate::era::speaking;
use crate::modern::{list, modern, text};
use crate::stage::{
    Scripted, Seen, anonymous, empty, eventually, free, log, open_as, polite, result, text_result,
};

fn profile(wire: Wire) -> ClientProfile {
    ClientProfile { wire, ..free(2_000) }
}

fn lines(server: &Scripted) -> Vec<String> {
    let line = |seen: &Seen| format!("{} {} {}", seen.method, seen.body["id"], seen.rpc());
    server.seen().iter().map(|seen| line(seen).trim_end().replace(" null", "")).collect()
}

#[tokio::test]
async fn an_older_client_shows_its_habits() {
    let server = Scripted::start(|request| match request.rpc() {
        "initialize" => {
            let capabilities = json!({"tools": {}, "prompts": {}, "logging": {}});
            let info = json!({"name": "s", "version": "1"});
            let result =
                json!({"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info});
            let mut response = crate::stage::result(request, &result);
            response.headers_mut().insert("mcp-session-id", "s-1".parse().unwrap());
            response
        }
        "prompts/list" => result(request, &json!({"prompts": []})),
        "tools/list" => result(request, &json!({"tools": [{"name": "a", "inputSchema": {}}]})),
        "tools/call" => result(request, &text_result("done")),
        "logging/setLevel" => result(request, &json!({})),
        _ => polite(request),
    })
    .await;
    let wire = Wire {
        protocol: Some(Protocol::V20250618),
        user_agent: Some("tester/<version> (x)".to_owned()),
        accept: Some("text/event-stream, application/json".to_owned()),
        headers: Some(BTreeMap::from([("x-client".to_owned(), "1".to_owned())])),
        version_header: Some(VersionHeader::Missing),
        get_stream: Some(false),
        delete_session: Some(false),
        first_request_id: Some(0),
        log_level: Some("debug".to_owned()),
        call_meta: Some(vec!["claudecode/toolUseId".to_owned()]),
        connect_legacy: Some(vec![
            ConnectStep::Initialize,
            ConnectStep::SetLevel,
            ConnectStep::ListPrompts,
            ConnectStep::ListResources,
        ]),
        quirks: Some(BTreeSet::from([
            Quirk::EmptyListParams,
            Quirk::ProgressTokenOnLists,
            Quirk::MethodHeaderInLegacy,
            Quirk::CancelsAnswered,
        ])),
        ..Wire::default()
    };
    let session = open_as(&server.target(), &anonymous(), &profile(wire), &log()).await.unwrap();
    session.list_tools().await.unwrap();
    session.call_tool("a", &json!({})).await.unwrap();
    session.close().await;
    assert_eq!(
        lines(&server),
        [
            "POST 0 initialize",
            "POST notifications/initialized",
            "POST 1 logging/setLevel",
            "POST notifications/cancelled",
            // What the server does not offer is not asked for.
            "POST 2 prompts/list",
            "POST notifications/cancelled",
            "POST 3 tools/list",
            "POST notifications/cancelled",
            "POST 4 tools/call",
            "POST notifications/cancelled",
        ]
    );
    let seen = server.seen();
    for request in &seen {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(request.header("user-agent"), format!("tester/{version} (x)"));
        assert_eq!(request.headers.get_all("accept").iter().count(), 1);
        assert_eq!(request.header("accept"), "text/event-stream, application/json");
        assert_eq!((request.header("x-client"), request.header("mcp-protocol-version")), ("1", ""));
    }
    let find = |rpc: &str| seen.iter().find(|seen| seen.rpc() == rpc).unwrap();
    let listed = find("tools/list");
    assert_eq!(listed.body["params"], json!({"_meta": {"progressToken": 3}}));
    assert_eq!(listed.header("mcp-method"), "tools/list");
    let meta = json!({"claudecode/toolUseId": "toolu_000000000000000000000001"});
    assert_eq!(find("tools/call").body["params"]["_meta"], meta);
}

#[tokio::test]
async fn a_modern_client_shows_its_habits() {
    let server = Scripted::start(|request| match request.rpc() {
        "subscriptions/listen" => empty(StatusCode::NOT_FOUND),
        "tools/list" => result(request, &list(&json!([]))),
        "tools/call" => result(request, &text("done")),
        _ => modern(request),
    })
    .await;
    let wire = Wire {
        version_header: Some(VersionHeader::Stale),
        log_level: Some("debug".to_owned()),
        call_meta: Some(vec!["progressToken".to_owned()]),
        connect_modern: Some(vec![ConnectStep::Discover, ConnectStep::Listen, ConnectStep::ListPrompts]),
        ..Wire::default()
    };
    let log = log();
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &profile(wire), &log).await.unwrap();
    session.call_tool("a", &json!({})).await.unwrap();
    eventually("the subscription is asked for", || lines(&server).len() == 3).await;
    let listened = server.seen().into_iter().find(|seen| seen.rpc() == "subscriptions/listen").unwrap();
    assert_eq!(listened.body["params"]["notifications"], json!({"toolsListChanged": true}));
    for request in server.seen() {
        let meta = &request.body["params"]["_meta"];
        assert_eq!(request.header("mcp-protocol-version"), "2025-11-25");
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert_eq!(meta["io.modelcontextprotocol/logLevel"], "debug");
    }
    session.close().await;
}

#[tokio::test]
async fn a_client_that_hides_tools_of_older_servers_shows_none() {
    let server = Scripted::start(|request| match request.rpc() {
        "initialize" => {
            let info = json!({"name": "s", "version": "1"});
            result(request, &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": info}))
        }
        "tools/list" => result(request, &json!({"tools": [{"name": "a", "inputSchema": {}}]})),
        _ => polite(request),
    })
    .await;
    for (protocol, shown) in [(Protocol::V20251125, 0), (Protocol::V20250618, 1)] {
        let wire = Wire {
            protocol: Some(protocol),
            quirks: Some(BTreeSet::from([Quirk::HidesToolsOfOlderServers])),
            ..Wire::default()
        };
        let session = open_as(&server.target(), &anonymous(), &profile(wire), &log()).await.unwrap();
        assert_eq!(session.list_tools().await.unwrap().len(), shown);
        session.close().await;
    }
    assert_eq!(lines(&server).iter().filter(|line| line.contains("initialize")).count(), 4);
}

#[tokio::test]
async fn the_reference_declares_what_it_can_answer() {
    let server = Scripted::start(modern).await;
    let reference = ClientProfile::reference();
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &reference, &log()).await.unwrap();
    session.close().await;
    let declared: &Value =
        &server.seen()[0].body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"].clone();
    assert_eq!(
        declared,
        &json!({
            "roots": {}, "elicitation": {"form": {}, "url": {}},
            "extensions": {"io.modelcontextprotocol/tasks": {}},
        })
    );
}
