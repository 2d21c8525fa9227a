//! 2026-07-28 over HTTP: what every request says of itself.

use rehearsal::mcp::ClientProfile;
use rehearsal::mcp::profile::Protocol;
use serde_json::{Map, Value, json};

use crate::stage::{
    Scripted, Seen, anonymous, answer, log, odd, open_as, patient, polite, result, text_result,
};

const VERSION: &str = "2026-07-28";

/// A client that speaks 2026-07-28 and nothing else.
pub(crate) fn modern() -> ClientProfile {
    let mut profile = patient(5_000);
    profile.wire.protocol = Some(Protocol::V20260728);
    profile.wire.capabilities = Some(Map::from_iter([("elicitation".to_owned(), json!({"form": {}}))]));
    profile
}

/// The same at 2025-11-25.
pub(crate) fn legacy() -> ClientProfile {
    let mut profile = modern();
    profile.wire.protocol = Some(Protocol::V20251125);
    profile
}

/// A complete result with the hints that lists need.
pub(crate) fn complete(request: &Seen, body: &Value) -> axum::http::Response<axum::body::Body> {
    let mut whole = json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private"});
    whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    result(request, &whole)
}

/// What the suite's servers say to everything but their own subject.
pub(crate) fn discovered(request: &Seen) -> axum::http::Response<axum::body::Body> {
    match request.rpc() {
        "server/discover" => complete(
            request,
            &json!({
                "supportedVersions": [VERSION],
                "capabilities": {"tools": {}, "resources": {}, "prompts": {}},
                "serverInfo": {"name": "conformance", "version": "1.0.0"},
            }),
        ),
        "tools/list" => complete(request, &json!({"tools": []})),
        "tools/call" => complete(request, &text_result("called")),
        _ => complete(request, &json!({})),
    }
}

/// The same, and the handshake of the older era.
pub(crate) fn either(request: &Seen) -> axum::http::Response<axum::body::Body> {
    if meta(request, "protocolVersion").is_null() { polite(request) } else { discovered(request) }
}

fn meta<'a>(seen: &'a Seen, key: &str) -> &'a Value {
    &seen.body["params"]["_meta"][format!("io.modelcontextprotocol/{key}")]
}

/// `request-metadata`: every request carries the version twice, the client's name and its capabilities; a refusal of
/// the version that lists versions is answered with one of them.
#[tokio::test]
async fn request_metadata() {
    let refused_once = std::sync::atomic::AtomicBool::new(false);
    let server = Scripted::start(move |request| {
        if !refused_once.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let data = json!({"supported": [VERSION], "requested": request.header("mcp-protocol-version")});
            let error = json!({"code": -32022, "message": "Unsupported protocol version", "data": data});
            let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": error});
            return answer(400, "application/json", body.to_string());
        }
        discovered(request)
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &modern(), &log).await.unwrap();
    session.list_tools().await.unwrap();
    session.call_tool("any", &json!({})).await.unwrap();
    session.close().await;

    let seen = server.seen();
    assert!(seen.len() >= 4, "sep-2575-client-retry-supported-version");
    for seen in &seen {
        assert_eq!(seen.method, "POST", "there is nothing to GET or DELETE");
        assert_eq!(seen.header("mcp-protocol-version"), VERSION, "sep-2575-http-client-sends-version-header");
        assert_eq!(meta(seen, "protocolVersion"), VERSION, "sep-2575-http-version-header-matches-meta");
        assert_eq!(meta(seen, "clientInfo")["name"], "rehearsal", "sep-2575-client-sends-client-info");
        let capabilities = meta(seen, "clientCapabilities");
        assert_eq!(capabilities["elicitation"], json!({"form": {}}), "sep-2575-client-populates-meta");
        assert_eq!(seen.header("mcp-session-id"), "");
    }
    let ids: std::collections::HashSet<String> =
        seen.iter().map(|seen| seen.body["id"].to_string()).collect();
    assert_eq!(ids.len(), seen.len(), "an id was used twice");
}

/// `http-standard-headers`: `Mcp-Method` on every request, `Mcp-Name` on those with a name or an address.
#[tokio::test]
async fn http_standard_headers() {
    const URI: &str = "file:///path/to/file%20name.txt";
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => complete(request, &json!({"tools": [{"name": "my-hyphenated-tool"}]})),
        _ => discovered(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &modern(), &log).await.unwrap();
    session.list_tools().await.unwrap();
    session.call_tool("my-hyphenated-tool", &json!({})).await.unwrap();
    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/read", json!({"uri": URI})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "Grüße"})),
    ] {
        session.request(method, params).await.unwrap().unwrap();
    }

    for seen in server.seen() {
        let name = match seen.rpc() {
            "tools/call" => "my-hyphenated-tool",
            "resources/read" => URI,
            "prompts/get" => "=?base64?R3LDvMOfZQ==?=",
            _ => "",
        };
        assert_eq!((seen.header("mcp-method"), seen.header("mcp-name")), (seen.rpc(), name));
    }
}

/// A tool whose arguments are repeated in headers.
fn annotated(name: &str, properties: &[(&str, &str, &str)]) -> Value {
    let properties: Map<String, Value> = properties
        .iter()
        .map(|(key, kind, header)| ((*key).to_owned(), json!({"type": kind, "x-mcp-header": header})))
        .collect();
    json!({"name": name, "inputSchema": {"type": "object", "properties": properties}})
}

/// `http-custom-headers`: arguments marked with `x-mcp-header` are repeated in `Mcp-Param-*`, encoded where they must
/// be; those that are null, absent or unmarked are not.
#[tokio::test]
async fn http_custom_headers() {
    let rows: &[(&str, Value, &str)] = &[
        ("Region", json!("us-west1"), "us-west1"),
        ("Priority", json!(42), "42"),
        ("Verbose", json!(false), "false"),
        ("Debug", json!(true), "true"),
        ("Method", json!("test-method"), "test-method"),
        ("NonAscii", json!("Hello, 世界"), "=?base64?SGVsbG8sIOS4lueVjA==?="),
        ("Whitespace", json!(" padded "), "=?base64?IHBhZGRlZCA=?="),
        ("LeadingSpace", json!(" us-west1"), "=?base64?IHVzLXdlc3Qx?="),
        ("TrailingSpace", json!("us-west1 "), "=?base64?dXMtd2VzdDEg?="),
        ("InternalSpace", json!("us west 1"), "us west 1"),
        ("ControlChar", json!("line1\nline2"), "=?base64?bGluZTEKbGluZTI=?="),
        ("CrLf", json!("line1\r\nline2"), "=?base64?bGluZTENCmxpbmUy?="),
        ("Tab", json!("\tindented"), "=?base64?CWluZGVudGVk?="),
        ("Sentinel", json!("=?base64?eA==?="), "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
    ];
    let kind = |value: &Value| match value {
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        _ => "string",
    };
    let mut properties: Vec<(&str, &str, &str)> =
        rows.iter().map(|(header, value, _)| (*header, kind(value), *header)).collect();
    properties.extend([
        ("none", "boolean", "None"),
        ("absent", "string", "Absent"),
        ("empty", "string", "Empty"),
    ]);
    let tools = json!({"tools": [annotated("test_custom_headers", &properties)]});
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => complete(request, &tools),
        _ => discovered(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &modern(), &log).await.unwrap();
    session.list_tools().await.unwrap();
    let mut arguments: Map<String, Value> =
        rows.iter().map(|(header, value, _)| ((*header).to_owned(), value.clone())).collect();
    arguments.extend([
        ("none".to_owned(), Value::Null),
        ("empty".to_owned(), json!("")),
        ("query".to_owned(), json!("SELECT 1")),
    ]);
    session.call_tool("test_custom_headers", &Value::Object(arguments)).await.unwrap();

    let seen = server.seen();
    let call = seen.iter().find(|seen| seen.rpc() == "tools/call").expect("no call");
    for (header, _, expected) in rows {
        assert_eq!(call.header(&format!("mcp-param-{}", header.to_lowercase())), *expected, "{header}");
    }
    assert_eq!(call.headers.get("mcp-param-empty").expect("empty is not absent"), "");
    for header in ["none", "absent", "query"] {
        assert!(
            call.headers.get(format!("mcp-param-{header}")).is_none(),
            "sep-2243-client-omit-null: {header}"
        );
    }
    assert_eq!(call.header("mcp-method"), "tools/call");
}

/// `http-invalid-tool-headers`: a tool that breaks a rule of `x-mcp-header` is not offered, the others are.
#[tokio::test]
async fn http_invalid_tool_headers() {
    let flawed = [
        annotated("invalid_empty_header", &[("value", "string", "")]),
        annotated("invalid_object_header", &[("data", "object", "Data")]),
        annotated("invalid_array_header", &[("items", "array", "Items")]),
        annotated("invalid_null_header", &[("nil", "null", "Nil")]),
        annotated("invalid_number_header", &[("share", "number", "Share")]),
        annotated("invalid_duplicate_same_case", &[("a", "string", "Region"), ("b", "string", "Region")]),
        annotated("invalid_duplicate_diff_case", &[("a", "string", "MyField"), ("b", "string", "myfield")]),
        annotated("invalid_space_in_name", &[("value", "string", "My Region")]),
        annotated("invalid_colon_in_name", &[("value", "string", "Region:Primary")]),
        annotated("invalid_non_ascii_name", &[("value", "string", "Région")]),
        annotated("invalid_control_char_name", &[("value", "string", "Region\t1")]),
    ];
    let names: Vec<String> =
        flawed.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()).collect();
    let mut tools = vec![annotated("valid_tool", &[("region", "string", "Region")])];
    tools.extend(flawed);
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/list" => complete(request, &json!({"tools": tools})),
        _ => discovered(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &modern(), &log).await.unwrap();
    let kept: Vec<String> =
        session.list_tools().await.unwrap().into_iter().map(|tool| tool.name.to_string()).collect();
    assert_eq!(kept, ["valid_tool"], "sep-2243-client-reject-invalid-tool");
    for name in names {
        assert!(
            odd(&log).iter().any(|odd| odd.contains(&name)),
            "nothing says why {name} is gone: {:?}",
            odd(&log)
        );
    }
}
