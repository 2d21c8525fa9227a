//! `rehearsal init` as a stranger would use it: every file that lists servers, secrets, dead servers, what exists.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

#[path = "support/ran.rs"]
#[allow(dead_code, reason = "of what several tests share this one needs a part")]
mod ran;

use ran::Ran;

/// Runs in a folder whose home folder is empty, but for what the test put there.
fn rehearsal(dir: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env("HOME", dir.join("home"))
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("ROOT", dir.path().canonicalize().unwrap().to_str().unwrap())).unwrap();
    }
    dir
}

const DEMO: &str = r#"{"command": "rehearsal", "args": ["demo-server"]}"#;

#[test]
fn a_first_suite_runs_at_once() {
    let dir = place(&[]);
    let ran = rehearsal(dir.path(), &["init", "demo", "--ci", "github"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("6 tools, about") && ran.stderr.contains("list_orders"), "{}", ran.stderr);
    assert!(ran.stderr.contains("eval bookshop-demo"), "{}", ran.stderr);
    let suite = fs::read_to_string(dir.path().join("suites/bookshop-demo.yaml")).unwrap();
    assert!(suite.starts_with("# yaml-language-server: $schema=./suite.schema.json\n"), "{suite}");
    assert!(dir.path().join("suites/suite.schema.json").is_file());
    assert_eq!(fs::read_to_string(dir.path().join(".gitignore")).unwrap(), "/reports/runs/\n");
    let job = fs::read_to_string(dir.path().join(".github/workflows/rehearsal.yml")).unwrap();
    assert!(job.contains("rehearsal eval bookshop-demo --format github"), "{job}");
    let ran = rehearsal(dir.path(), &["eval", "bookshop-demo"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("PASSED"), "{}", ran.stdout);
}

#[test]
fn what_exists_is_left_alone() {
    let dir = place(&[("suites/shop.yaml", "mine"), (".gitignore", "reports/\n")]);
    let suite = || fs::read_to_string(dir.path().join("suites/shop.yaml")).unwrap();
    let ran = rehearsal(dir.path(), &["init", "demo", "--name", "shop"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("usage.exists") && ran.stderr.contains("--force"), "{}", ran.stderr);
    let ran = rehearsal(dir.path(), &["init", "demo", "--name", "shop", "--dry-run"]);
    assert_eq!((ran.code, suite().as_str()), (Some(0), "mine"));
    assert!(ran.stdout.contains("prompt: Show me the order with id 1042."), "{}", ran.stdout);
    let ran = rehearsal(dir.path(), &["init", "demo", "--name", "shop", "--force"]);
    assert_eq!((ran.code, suite() == "mine"), (Some(0), false), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(dir.path().join(".gitignore")).unwrap(), "reports/\n");
}

#[test]
fn every_file_that_lists_servers_is_found() {
    let servers = format!("{{\"mcpServers\": {{\"shop\": {DEMO}}}}}");
    let refers = "server: {file: FILE, name: shop}";
    let spells = "command: [rehearsal, demo-server]";
    let editor = format!("{{\n  // the shop\n  \"servers\": {{\"shop\": {DEMO}, }},\n}}");
    let home = format!("{{\"projects\": {{\"ROOT\": {{\"mcpServers\": {{\"shop\": {DEMO}}}}}}}}}");
    for (file, text, expected) in [
        (".mcp.json", servers.as_str(), refers),
        ("mcp.json", &servers, refers),
        (".vscode/mcp.json", &editor, refers),
        (".cursor/mcp.json", &servers, refers),
        (".gemini/settings.json", &servers, refers),
        ("home/.claude.json", &home, spells),
        ("home/.config/Claude/claude_desktop_config.json", &servers, spells),
    ] {
        let dir = place(&[(file, text)]);
        let ran = rehearsal(dir.path(), &["init", "--dry-run"]);
        assert_eq!(ran.code, Some(0), "{file}: {}", ran.stderr);
        let expected = expected.replace("FILE", file);
        assert!(ran.stdout.contains(&expected), "{file}: {}", ran.stdout);
        assert!(ran.stdout.contains("name: shop\n"), "{}", ran.stdout);
    }
}

#[test]
fn secrets_of_a_file_reach_no_other_file() {
    let text = r#"{"mcpServers": {"shop": {"command": "rehearsal", "args": ["demo-server"],
        "env": {"SHOP_API_KEY": "hunter2-hunter2", "LOG_LEVEL": "debug"}}}}"#;
    let dir = place(&[(".mcp.json", text)]);
    let ran = rehearsal(dir.path(), &["init"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("export SHOP_API_KEY"), "{}", ran.stderr);
    let suite = fs::read_to_string(dir.path().join("suites/shop.yaml")).unwrap();
    assert!(suite.contains("env: [SHOP_API_KEY]") && suite.contains("LOG_LEVEL: debug"), "{suite}");
    for text in [&suite, &ran.stdout, &ran.stderr] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    // Without the variable the suite says what is missing.
    let ran = rehearsal(dir.path(), &["eval", "shop"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert!(ran.stderr.contains("SHOP_API_KEY"), "{}", ran.stderr);
}

#[test]
fn of_several_servers_one_is_named() {
    let text = format!(
        "{{\"mcpServers\": {{\"one\": {DEMO}, \"two\": {{\"url\": \"https://u:p@x.example/mcp\"}}}}}}"
    );
    let dir = place(&[(".mcp.json", &text)]);
    let ran = rehearsal(dir.path(), &["init"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("1  one (rehearsal), .mcp.json") && ran.stderr.contains("2  two"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--server NAME") && !ran.stderr.contains("u:p"), "{}", ran.stderr);
    let ran = rehearsal(dir.path(), &["init", "--server", "ones"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("`one`"), "{}", ran.stderr);
    let ran = rehearsal(dir.path(), &["init", "--server", "one", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn without_a_server_it_says_what_was_looked_for() {
    let dir = place(&[
        (".mcp.json", "{\n  \"mcpServers\": \n"),
        ("package.json", r#"{"main": "build/main.js", "dependencies": {"@modelcontextprotocol/sdk": "1"}}"#),
        (".codex/config.toml", ""),
    ]);
    let ran = rehearsal(dir.path(), &["init"]);
    assert_eq!(ran.code, Some(2));
    for told in [".vscode/mcp.json", "not JSON", "init -- node build/main.js", "config.toml", "init demo"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert!(!dir.path().join("suites").exists());
}

#[test]
fn a_dead_server_leaves_nothing_behind() {
    let dir = place(&[]);
    for args in [&["init", "http://127.0.0.1:9/mcp"][..], &["init", "--", "sh", "-c", "exit 3"]] {
        let ran = rehearsal(dir.path(), args);
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    }
    for (args, code) in [
        (&["init", "ftp://x.example"][..], 2),
        (&["init", "no.json"], 2),
        (&["init", "demo", "--bearer-env", "X"], 2),
        (&["init", "demo", "--name", "../up"], 2),
        (&["init", "http://127.0.0.1:9/mcp", "--bearer-env", "NOT_SET"], 5),
    ] {
        let ran = rehearsal(dir.path(), args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_server_that_refuses_everybody_gets_auth_checks() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(async {
        let server = MockServer::start().await;
        let metadata = serde_json::json!({"resource": format!("{}/mcp", server.uri()), "authorization_servers": [server.uri()],
            "scopes_supported": ["orders:read", "\u{1b}[31mred"]});
        let challenge = format!("Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", server.uri());
        Mock::given(matchers::path_regex("oauth-protected-resource"))
            .respond_with(ResponseTemplate::new(200).set_body_json(metadata))
            .mount(&server)
            .await;
        Mock::given(matchers::path("/mcp"))
            .respond_with(ResponseTemplate::new(401).insert_header("www-authenticate", challenge))
            .mount(&server)
            .await;
        server
    });
    let dir = place(&[]);
    let url = format!("{}/mcp", server.uri());
    let ran = rehearsal(dir.path(), &["init", &url, "--name", "locked"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for told in ["refused at the door", "orders:read", "RFC 8414", "login"] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    let suite = fs::read_to_string(dir.path().join("suites/locked.yaml")).unwrap();
    assert!(suite.contains("auth_checks: {pack: standard}") && !suite.contains("cases:"), "{suite}");
    assert_eq!(rehearsal(dir.path(), &["check", "locked"]).code, Some(0));
}
