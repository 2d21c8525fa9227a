//! The auth battery against a server that is already running, behind a gateway, with a token from the environment: the
//! probes go through the same gateway, and that token is the positive control.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

const TOKEN: &str = "given-token-0123456789";

/// An MCP server that checks the token at the handshake and never again, behind a gateway that wants its own header.
struct Behind;

impl Respond for Behind {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        if header("x-gateway") != Some("open") {
            return ResponseTemplate::new(401);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let known = header("authorization") == Some(&format!("Bearer {TOKEN}"));
        if !known && header("mcp-session-id").is_none() {
            return ResponseTemplate::new(401).insert_header("www-authenticate", "Bearer");
        }
        let result = match body["method"].as_str() {
            Some("initialize") => json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "behind", "version": "1"}}),
            Some("tools/list") => json!({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}),
            _ => return ResponseTemplate::new(202),
        };
        ResponseTemplate::new(200)
            .insert_header("mcp-session-id", "s-1")
            .set_body_json(json!({"jsonrpc": "2.0", "id": body["id"], "result": result}))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_pass_the_gateway_and_use_the_given_token() {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(Behind).mount(&server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    let suite = format!(
        "version: 1
name: behind
env: [GIVEN_TOKEN]
target: {{url: \"{}/mcp\", transport: http, headers: {{x-gateway: open}}}}
personas: [{{name: given, identity: {{bearer: {{env: GIVEN_TOKEN}}}}}}]
models: [lexical]
auth_checks: {{pack: standard}}
",
        server.uri()
    );
    fs::write(dir.path().join("suites/behind.yaml"), suite).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["auth", "behind", "--format", "json"])
        .current_dir(dir.path())
        .env("GIVEN_TOKEN", TOKEN)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&ran.stderr).into_owned();
    let summary: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{talk}"));
    let why = |id: &str| {
        let name = format!("auth/{id}");
        let cases = summary["cases"].as_array().unwrap();
        let case =
            cases.iter().find(|case| case["id"] == name.as_str()).unwrap_or_else(|| panic!("{name}: {talk}"));
        case["trials"][0]["findings"][0].clone()
    };
    // The 401 is the server's, not the gateway's: it carries a challenge.
    assert_eq!(why("A04")["grade"], "pass", "{}", why("A04"));
    // A session stands in for a token: only a session that the given token opened can show it.
    assert_eq!(why("D01")["grade"], "fail", "{}", why("D01"));
    assert_eq!(ran.status.code(), Some(6), "{talk}");
}
