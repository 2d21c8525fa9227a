//! What profiles say of the wire is what servers see: the first messages in their order, ids, pages, sessions.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rehearsal::mcp::profile::{Pages, Protocol, Quirk, SessionUse, Wire};
use rehearsal::mcp::{ClientProfile, Isolation};
use rehearsal::suite::catalog::Catalog;
use rehearsal::transcript::{Recorder, What, WireMessage};
use serde_json::{Value, json};

use crate::era::speaking;
use crate::modern::modern;
use crate::stage::{
    Scripted, Seen, anonymous, answer, empty, event, events, free, log, open_as, polite, result, server,
    shell, stream, text_of, text_result,
};

fn frames(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/clients/{name}.yaml"));
    #[expect(clippy::disallowed_methods, reason = "a test looks at its fixture")]
    let text = std::fs::read_to_string(path).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

const OFFERS: &str = r#"{"tools": {}, "prompts": {}, "resources": {}, "logging": {}}"#;

/// A server of the older era that offers everything; a question about eras is a bad request.
fn older(request: &Seen) -> Response<Body> {
    match request.rpc() {
        "server/discover" => empty(StatusCode::BAD_REQUEST),
        "initialize" => {
            let offers: Value = serde_json::from_str(OFFERS).unwrap();
            let version = &request.body["params"]["protocolVersion"];
            let info = json!({"name": "s", "version": "1"});
            let opened = json!({"protocolVersion": version, "capabilities": offers, "serverInfo": info});
            let mut response = result(request, &opened);
            response.headers_mut().insert("mcp-session-id", "s-1".parse().unwrap());
            response
        }
        _ => lists(request).unwrap_or_else(|| polite(request)),
    }
}

/// A server of the newest revision that offers everything.
fn newest(request: &Seen) -> Response<Body> {
    if request.rpc() == "server/discover" {
        let mut found = discovered();
        found["capabilities"] = serde_json::from_str(OFFERS).unwrap();
        return result(request, &found);
    }
    if request.rpc() == "subscriptions/listen" {
        return empty(StatusCode::NOT_FOUND);
    }
    lists(request).unwrap_or_else(|| modern(request))
}

fn discovered() -> Value {
    json!({
        "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}},
    })
}

fn lists(request: &Seen) -> Option<Response<Body>> {
    let mut found = match request.rpc() {
        "tools/list" => json!({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}),
        "prompts/list" => json!({"prompts": []}),
        "resources/list" => json!({"resources": []}),
        "logging/setLevel" => json!({}),
        _ => return None,
    };
    if request.header("mcp-protocol-version") == "2026-07-28" {
        found["resultType"] = json!("complete");
        found["ttlMs"] = json!(0);
        found["cacheScope"] = json!("private");
    }
    Some(result(request, &found))
}

/// What was sent, in the words of profiles: methods, `get_stream`, and one word for a run of documents.
fn sent(log: &Recorder) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for what in events(log) {
        let What::Wire(WireMessage::Sent { via, headers, body }) = what else { continue };
        let rpc = body.json().and_then(|json| Some(json["method"].as_str()?.to_owned()));
        let in_session = headers.iter().any(|(name, _)| name == "mcp-session-id");
        let word = match (rpc, via.as_str()) {
            (Some(rpc), _) => rpc,
            (None, "GET") if in_session => "get_stream".to_owned(),
            (None, "GET") => "bare_get".to_owned(),
            (None, via) if via.starts_with("GET /.well-known/oauth-") || via.contains("openid") => {
                "oauth_metadata".to_owned()
            }
            (None, other) => other.to_owned(),
        };
        // What is said of requests that were answered stands between all steps.
        if word == "notifications/cancelled" {
            continue;
        }
        if word != "oauth_metadata" || words.last() != Some(&word) {
            words.push(word);
        }
    }
    words
}

#[tokio::test]
async fn the_first_messages_are_those_recorded_in_their_order() {
    let clients =
        ["claude-code", "cline-cli", "codex-cli", "gemini-cli", "mcp-inspector", "mcp-remote", "opencode"];
    let mut seen = 0;
    for name in clients {
        let profile = Catalog::embedded().client(name).unwrap();
        let expected = frames(name);
        for (key, script) in
            [("connect_legacy", older as fn(&Seen) -> Response<Body>), ("connect_modern", newest)]
        {
            let Some(steps) = expected.get(key).and_then(Value::as_array) else { continue };
            let mut profile = profile.clone();
            if key == "connect_modern" {
                profile.wire.protocol = Some(Protocol::Auto);
            }
            let server = Scripted::start(script).await;
            let (target, log) = (speaking(&server, "auto"), log());
            let session = open_as(&target, &anonymous(), &profile, &log).await.unwrap();
            let mut steps: Vec<&str> = steps.iter().map(|step| step.as_str().unwrap()).collect();
            // What the frames end with is followed by what every handshake has.
            if name == "mcp-remote" {
                steps.extend(["notifications/initialized", "get_stream"]);
            }
            assert_eq!(sent(&log), steps, "{name} {key}");
            // The list that is wanted is the one that was asked for already.
            let before = sent(&log).len();
            assert_eq!(session.list_tools().await.unwrap().len(), 1, "{name} {key}");
            let asked = usize::from(!steps.contains(&"tools/list"));
            assert_eq!(sent(&log).len(), before + asked, "{name} {key}");
            session.close().await;
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}

#[tokio::test]
async fn documents_are_fetched_without_having_been_asked_for() {
    let server = Scripted::start(older).await;
    let bridge = Catalog::embedded().client("mcp-remote").unwrap();
    let session = open_as(&server.target(), &anonymous(), &bridge, &log()).await.unwrap();
    session.close().await;
    let line = |seen: &Seen| format!("{} {}", seen.method, seen.path.split('?').next().unwrap());
    let first: Vec<String> = server.seen().iter().take(8).map(line).collect();
    assert_eq!(
        first,
        [
            "GET /mcp",
            "GET /.well-known/oauth-protected-resource/mcp",
            "GET /.well-known/oauth-protected-resource",
            "GET /.well-known/oauth-authorization-server/mcp",
            "GET /.well-known/oauth-authorization-server",
            "GET /.well-known/openid-configuration/mcp",
            "GET /.well-known/openid-configuration",
            "POST /mcp",
        ]
    );
    let seen = server.seen();
    assert_eq!(
        (seen[0].header("accept"), seen[1].header("accept")),
        ("text/event-stream", "application/json")
    );
    assert!(seen.iter().take(7).all(|seen| seen.header("mcp-protocol-version").is_empty()));
}

#[tokio::test]
async fn documents_name_an_older_revision_under_the_quirk() {
    let recorded = frames("claude-code")["discovery_version"].clone();
    let quirk = Catalog::embedded().client("claude-code").unwrap().wire.quirks.unwrap();
    assert_eq!(quirk, BTreeSet::from([Quirk::LegacyVersionOnDiscovery]));
    for (quirks, said) in [(BTreeSet::new(), ""), (quirk, recorded.as_str().unwrap())] {
        let server = Scripted::start(newest).await;
        let wire = Wire {
            connect_modern: Some(
                serde_json::from_value(json!(["resource_metadata", "server/discover"])).unwrap(),
            ),
            quirks: Some(quirks),
            ..Wire::default()
        };
        let profile = ClientProfile { wire, ..free(2_000) };
        let session = open_as(&speaking(&server, "auto"), &anonymous(), &profile, &log()).await.unwrap();
        session.close().await;
        let seen = server.seen();
        assert_eq!(
            (seen[0].header("mcp-protocol-version"), seen[1].header("mcp-protocol-version")),
            (said, said)
        );
        assert_eq!(
            (seen[2].rpc(), seen[2].header("mcp-protocol-version")),
            ("server/discover", "2026-07-28")
        );
    }
}

#[tokio::test]
async fn an_editor_asks_for_a_log_level_inside_the_handshake() {
    let server = Scripted::start(older).await;
    let editor = Catalog::embedded().client("vscode-copilot").unwrap();
    let session = open_as(&server.target(), &anonymous(), &editor, &log()).await.unwrap();
    session.close().await;
    let seen = server.seen();
    let rpcs: Vec<&str> = seen.iter().map(Seen::rpc).take(3).collect();
    assert_eq!(rpcs, ["initialize", "logging/setLevel", "notifications/initialized"]);
    assert_eq!(seen[1].body["params"]["level"], "info");
}

#[tokio::test]
async fn ids_may_be_texts() {
    let server = Scripted::start(|request: &Seen| match request.rpc() {
        "subscriptions/listen" => {
            let id = &request.body["id"];
            let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
            let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
            let method = "notifications/subscriptions/acknowledged";
            let acknowledged = json!({"jsonrpc": "2.0", "method": method, "params": params});
            let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed",
                "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": id}}});
            stream(vec![event(&acknowledged), event(&changed)], 5)
        }
        _ => newest(request),
    })
    .await;
    let profile = Catalog::embedded().client("claude-code").unwrap();
    let log = log();
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &profile, &log).await.unwrap();
    let ids = |rpc: &str| -> Vec<Value> {
        let seen = server.seen();
        seen.iter().filter(|seen| seen.rpc() == rpc).map(|seen| seen.body["id"].clone()).collect()
    };
    let recorded = frames("claude-code")["ids"].clone();
    assert_eq!(ids("server/discover"), [recorded["probe"].clone()]);
    crate::stage::eventually("the subscription breaks off and is asked for again", || {
        ids("subscriptions/listen").len() > 1
    })
    .await;
    assert_eq!(ids("subscriptions/listen")[..2], [recorded["listen"].clone(), json!("listen:1")]);
    // Numbers are not used up by texts.
    assert_eq!((ids("prompts/list"), ids("tools/list")), (vec![json!(1)], vec![json!(3)]));
    let before = events(&log).len();
    assert!(
        before > 0 && session.changed_tools().await.unwrap().is_some(),
        "what changed is heard on its subscription"
    );
    session.close().await;
}

#[tokio::test]
async fn a_subscription_with_a_text_is_cancelled_by_it() {
    let script = r#"
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"server/discover"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}}\n' "$id" ;;
  esac
done"#;
    let target = shell(script, Isolation::Trial);
    let wire = Wire {
        listen_id: Some("listen:0".to_owned()),
        connect_modern: Some(
            serde_json::from_value(json!(["server/discover", "subscriptions/listen"])).unwrap(),
        ),
        ..Wire::default()
    };
    let log = log();
    let profile = ClientProfile { wire, ..free(2_000) };
    open_as(&target, &anonymous(), &profile, &log).await.unwrap().close().await;
    target.close().await;
    let cancelled: Vec<Value> = events(&log)
        .into_iter()
        .filter_map(|what| match what {
            What::Wire(WireMessage::Sent { body, .. }) => body.json(),
            _ => None,
        })
        .filter(|json| json["method"] == "notifications/cancelled")
        .map(|json| json["params"]["requestId"].clone())
        .collect();
    assert_eq!(cancelled, [json!("listen:0")]);
}

fn paged(request: &Seen) -> Response<Body> {
    match (request.rpc(), request.body["params"]["cursor"].as_str()) {
        ("tools/list", None) => {
            result(request, &json!({"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": "2"}))
        }
        ("tools/list", Some(_)) => result(request, &json!({"tools": [{"name": "b", "inputSchema": {}}]})),
        _ => older(request),
    }
}

#[tokio::test]
async fn a_client_that_reads_one_page_asks_for_one() {
    for (pages, tools, asked) in [(Pages::All, 2, 2), (Pages::First, 1, 1)] {
        let server = Scripted::start(paged).await;
        let mut profile = free(2_000);
        profile.wire.protocol = Some(Protocol::V20251125);
        profile.menu.pages = Some(pages);
        let session = open_as(&server.target(), &anonymous(), &profile, &log()).await.unwrap();
        assert_eq!(session.list_tools().await.unwrap().len(), tools);
        session.close().await;
        assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "tools/list").count(), asked);
        let looked = open_as(&server.target(), &anonymous(), &profile.reading_all(), &log()).await.unwrap();
        assert_eq!(looked.list_tools().await.unwrap().len(), 2);
        looked.close().await;
    }
}

/// A server that says with every call that its tools changed.
fn changing(request: &Seen) -> Response<Body> {
    match request.rpc() {
        "tools/call" => {
            let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
            let done = json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("done")});
            answer(200, "text/event-stream", format!("{}{}", event(&changed), event(&done)))
        }
        _ => older(request),
    }
}

#[tokio::test]
async fn changed_lists_are_asked_for_again_once_twice_or_never() {
    let gemini = Catalog::embedded().client("gemini-cli").unwrap();
    assert!(gemini.wire.has(Quirk::ListsTwice));
    let again = usize::try_from(frames("gemini-cli")["relisted"].as_u64().unwrap()).unwrap();
    let quirk = BTreeSet::from([Quirk::ListsTwice]);
    for (quirks, kinds, asked) in
        [(None, None, 2), (Some(quirk), gemini.surface.list_changed, 1 + again), (None, Some(vec![]), 1)]
    {
        let server = Scripted::start(changing).await;
        let mut profile = free(2_000);
        profile.wire.protocol = Some(Protocol::V20251125);
        profile.wire.quirks = quirks;
        profile.surface.list_changed = kinds;
        let session = open_as(&server.target(), &anonymous(), &profile, &log()).await.unwrap();
        session.list_tools().await.unwrap();
        assert!(session.changed_tools().await.unwrap().is_none(), "nothing has changed yet");
        session.call_tool("a", &json!({})).await.unwrap();
        assert_eq!(session.changed_tools().await.unwrap().is_some(), asked > 1);
        assert!(session.changed_tools().await.unwrap().is_none(), "that was told already");
        session.close().await;
        assert_eq!(server.seen().iter().filter(|seen| seen.rpc() == "tools/list").count(), asked);
    }
}

#[tokio::test]
async fn every_call_may_have_a_session_of_its_own() {
    let number = std::sync::atomic::AtomicU32::new(1);
    let server = Scripted::start(move |request: &Seen| match request.rpc() {
        "initialize" => {
            let mut response = older(request);
            let id = format!("s-{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            response.headers_mut().insert("mcp-session-id", id.parse().unwrap());
            response
        }
        "tools/call" => result(request, &text_result(request.header("mcp-session-id"))),
        _ => older(request),
    })
    .await;
    let wire = Wire {
        protocol: Some(Protocol::V20251125),
        session: Some(SessionUse::PerCall),
        get_stream: Some(false),
        ..Wire::default()
    };
    let profile = ClientProfile { wire, ..free(2_000) };
    let session = open_as(&server.target(), &anonymous(), &profile, &log()).await.unwrap();
    session.list_tools().await.unwrap();
    let mut texts = Vec::new();
    for _ in 0..2 {
        texts.push(text_of(session.call_tool("a", &json!({})).await.unwrap()));
    }
    session.close().await;
    assert_eq!(texts, ["s-2", "s-3"]);
    let line = |seen: &Seen| format!("{} {}", seen.header("mcp-session-id"), seen.rpc());
    let seen: Vec<String> = server.seen().iter().map(|seen| line(seen).trim().to_owned()).collect();
    let call = |id: &str| {
        ["initialize".to_owned()].into_iter().chain(
            ["notifications/initialized", "tools/call", ""]
                .map(|rpc| format!("{id} {rpc}").trim().to_owned()),
        )
    };
    let mut expected: Vec<String> =
        ["initialize", "s-1 notifications/initialized", "s-1 tools/list"].map(str::to_owned).into();
    expected.extend(call("s-2").chain(call("s-3")));
    expected.push("s-1".to_owned());
    assert_eq!(seen, expected, "every session is ended with DELETE, the first one last");
}

#[tokio::test]
async fn without_sessions_there_is_nothing_to_open_for_a_call() {
    let server = Scripted::start(|request: &Seen| match request.rpc() {
        "tools/call" => result(request, &json!({"resultType": "complete", "content": []})),
        _ => newest(request),
    })
    .await;
    let wire = Wire { session: Some(SessionUse::PerCall), ..Wire::default() };
    let profile = ClientProfile { wire, ..free(2_000) };
    let session = open_as(&speaking(&server, "auto"), &anonymous(), &profile, &log()).await.unwrap();
    session.call_tool("a", &json!({})).await.unwrap();
    session.close().await;
    let seen = server.seen();
    let rpcs: Vec<&str> = seen.iter().map(Seen::rpc).collect();
    assert_eq!(rpcs, ["server/discover", "tools/call"]);
    let stdio = shell(&server_of_calls(), Isolation::Trial);
    let profile =
        ClientProfile { wire: Wire { protocol: Some(Protocol::V20251125), ..profile.wire }, ..free(2_000) };
    let log = log();
    let session = open_as(&stdio, &anonymous(), &profile, &log).await.unwrap();
    session.call_tool("a", &json!({})).await.unwrap();
    session.close().await;
    assert_eq!(sent(&log).iter().filter(|word| *word == "initialize").count(), 1);
}

fn server_of_calls() -> String {
    server(r#"*'"tools/call"'*) answer '{"content":[{"type":"text","text":"done"}]}' ;;"#)
}
