//! `rehearsal auth URL`: any server without a suite, and the proof that a server refuses the test issuer.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

const TOKEN: &str = "given-token-0123456789";

/// Whom a server lets in.
#[derive(Clone, Copy)]
enum Door {
    /// Who has the one token.
    OneToken,
    /// Anybody with anything that looks like a token.
    AnyToken,
    /// Anybody with a token, but nobody without a scope.
    AnyTokenWithScope,
    /// Anybody.
    Open,
}

impl Respond for Door {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let authorization = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let shown =
            authorization.and_then(|value| value.strip_prefix("Bearer ")).filter(|token| token.len() > 3);
        let status = match (self, shown) {
            (Self::Open, _) | (Self::AnyToken, Some(_)) => 200,
            (Self::OneToken, Some(token)) if token == TOKEN => 200,
            (Self::AnyTokenWithScope, Some(_)) => 403,
            _ => 401,
        };
        if status != 200 {
            return ResponseTemplate::new(status).insert_header("www-authenticate", "Bearer");
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let result = match body["method"].as_str() {
            Some("initialize") => json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "door", "version": "1"}}),
            Some("tools/list") => json!({"tools": [{"name": "erase", "inputSchema": {"type": "object"}}]}),
            _ => return ResponseTemplate::new(202),
        };
        ResponseTemplate::new(200)
            .insert_header("mcp-session-id", "s-1")
            .set_body_json(json!({"jsonrpc": "2.0", "id": body["id"], "result": result}))
    }
}

struct Stage {
    server: MockServer,
    dir: TempDir,
}

impl Stage {
    async fn new(door: Door) -> Self {
        let server = MockServer::start().await;
        Mock::given(matchers::any()).respond_with(door).mount(&server).await;
        Self { server, dir: tempfile::tempdir().unwrap() }
    }

    fn url(&self) -> String {
        format!("{}/mcp", self.server.uri())
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(args)
            .current_dir(self.dir.path())
            .env("GIVEN_TOKEN", TOKEN)
            .env("XDG_CONFIG_HOME", self.dir.path())
            .output()
            .unwrap()
    }

    fn auth(&self, more: &[&str]) -> (Option<i32>, Value) {
        let url = self.url();
        let ran = self.run(&[&["auth", &url, "--format", "json"], more].concat());
        let talk = String::from_utf8_lossy(&ran.stderr).into_owned();
        let summary = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{talk}"));
        (ran.status.code(), summary)
    }

    /// Calls of the only tool; probes of names that no server has do no harm.
    async fn tool_calls(&self) -> usize {
        let requests = self.server.received_requests().await.unwrap();
        requests.iter().filter(|one| String::from_utf8_lossy(&one.body).contains("\"erase\"")).count()
    }
}

fn grade(summary: &Value, id: &str) -> String {
    let name = format!("auth/{id}");
    let cases = summary["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["id"] == name.as_str()).unwrap_or_else(|| panic!("{name}"));
    case["trials"][0]["findings"][0]["grade"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_probed_without_a_suite() {
    let stage = Stage::new(Door::OneToken).await;
    let (_, summary) = stage.auth(&[]);
    assert_eq!(grade(&summary, "A01"), "pass");
    assert_eq!(grade(&summary, "D03"), "unscored", "nobody can mint a token that this server trusts");
    assert_eq!(grade(&summary, "D00"), "unscored", "no token was given");
    let (_, summary) = stage.auth(&["--bearer-env", "GIVEN_TOKEN"]);
    assert_eq!(grade(&summary, "D00"), "pass");
    assert_eq!(grade(&summary, "E07"), "pass");
    assert_eq!(stage.tool_calls().await, 0, "no tool was named as harmless");
    // The suite lives in the record alone, so the run can be continued and read.
    let run = summary["run"].as_str().unwrap();
    let again = stage.run(&["resume", run]);
    let talk = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(talk.contains("nothing is missing"), "{talk}");
    assert!(!stage.dir.path().join("suites").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_test_issuer_passes() {
    let stage = Stage::new(Door::OneToken).await;
    let (code, summary) = stage.auth(&["--expect-untrusted"]);
    for id in ["U01", "U02", "U03", "U04"] {
        assert_eq!(grade(&summary, id), "pass", "{id}");
    }
    assert_eq!(code, Some(0));
    assert_eq!(stage.tool_calls().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_trusts_the_test_issuer_fails() {
    for door in [Door::AnyToken, Door::AnyTokenWithScope] {
        let stage = Stage::new(door).await;
        let (code, summary) = stage.auth(&["--expect-untrusted"]);
        assert_eq!(grade(&summary, "U01"), "fail");
        assert_eq!(code, Some(6));
        assert_eq!(stage.tool_calls().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_serves_anybody_proves_nothing() {
    let stage = Stage::new(Door::Open).await;
    let (code, summary) = stage.auth(&["--expect-untrusted"]);
    assert_eq!(grade(&summary, "U01"), "unscored");
    assert_eq!(code, Some(3));
}

#[test]
fn wrong_targets_and_flags_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let told = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {text}");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("exit ")).collect();
        format!("$ {}\n{}", args.join(" "), lines.join("\n"))
    };
    let texts = [
        told(&["auth", "ftp://127.0.0.1/mcp"]),
        told(&["auth", "http://"]),
        told(&["auth", "http://127.0.0.1:1/mcp", "bookshop"]),
        told(&["auth", "bookshop", "--pack", "standard"]),
        told(&["auth", "http://127.0.0.1:1/mcp", "--pack", "standrad"]),
        told(&["auth", "--expect-untrusted", "--", "server"]),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}
