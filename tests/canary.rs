//! Two credentials go in, and neither comes out: not in the run file, not in a report, not on stdout or stderr, however
//! the target and the model's API repeat them.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use rehearsal::store::Reader;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The persona's bearer token.
const TOKEN: &str = "canary/token+3f9a8b7c6d5e4f30==";
/// A key of the target that the suite declares under `env`.
const KEY: &str = "canary-key~1a2b3c4d5e6f/7081";
/// The key of the model's API.
const MODEL_KEY: &str = "sk-canary-90817263544536271809";

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Every form in which a value may leave, and none of which may.
fn forms(value: &str) -> [String; 3] {
    let base64 = base64::engine::general_purpose::STANDARD.encode(value);
    [value.to_owned(), base64.trim_end_matches('=').to_owned(), percent(value)]
}

fn every_form() -> String {
    let encoded = |value: &str| base64::engine::general_purpose::STANDARD.encode(format!("user:{value}"));
    [TOKEN, KEY, MODEL_KEY]
        .iter()
        .map(|value| {
            format!("{} {} {}", forms(value).join(" "), percent(value).to_lowercase(), encoded(value))
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// A server that says what it was given wherever a server can say anything. `EVERY` stands for every form.
const SERVER: &str = r#"
say() { printf '%s\n' "$1"; }
echo "starting with $REHEARSAL_TOKEN and $SHOP_KEY: EVERY" >&2
say "not JSON: $REHEARSAL_TOKEN $SHOP_KEY"
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9][0-9]*\).*/\1/p')
  echo "read $line with $REHEARSAL_TOKEN EVERY" >&2
  case "$line" in
    *'"method":"initialize"'*)
      say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"$SHOP_KEY\",\"version\":\"1\"},\"instructions\":\"Use $REHEARSAL_TOKEN\"}}" ;;
    *'"method":"tools/list"'*)
      say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"tools\":[{\"name\":\"tell\",\"description\":\"$SHOP_KEY\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"$SHOP_KEY\":{\"type\":\"string\"}}}},{\"name\":\"fail\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"die\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"$SHOP_KEY\",\"inputSchema\":{\"type\":\"object\"}}]}}" ;;
    *'"name":"tell"'*)
      say "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"$REHEARSAL_TOKEN\"}}"
      say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"EVERY $REHEARSAL_TOKEN\"}],\"structuredContent\":{\"$SHOP_KEY\":\"EVERY\"}}}" ;;
    *'"name":"fail"'*)
      say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"error\":{\"code\":-32000,\"message\":\"$SHOP_KEY EVERY\",\"data\":\"$REHEARSAL_TOKEN\"}}" ;;
    *'"name":"die"'*)
      echo "dying of $SHOP_KEY EVERY" >&2
      exit 3 ;;
    *'"id":'*) say "{\"jsonrpc\":\"2.0\",\"id\":$id,\"result\":{}}" ;;
  esac
done
"#;

/// A model's API that repeats its key: in answers, in calls and in the bodies of errors.
struct Gossip;

impl Respond for Gossip {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let said = body["messages"].as_array().unwrap().iter().map(ToString::to_string).collect::<String>();
        let authorization = request.headers["authorization"].to_str().unwrap().to_owned();
        let gossip = format!("{authorization} {}", every_form());
        if said.contains("refuse") || body["model"] == "judge" {
            let error =
                json!({"error": {"message": format!("no: {gossip}"), "type": gossip, "code": MODEL_KEY}});
            return ResponseTemplate::new(400).set_body_json(error);
        }
        let tool = ["tell", "fail", "die"].into_iter().find(|name| said.contains(&format!("please {name}")));
        let message = match tool.filter(|_| !said.contains("\"role\":\"tool\"")) {
            Some(name) => json!({"role": "assistant", "content": gossip, "tool_calls": [{
                "id": MODEL_KEY, "type": "function",
                "function": {"name": name, "arguments": json!({"key": MODEL_KEY}).to_string()}}]}),
            None => json!({"role": "assistant", "content": format!("It said {gossip}")}),
        };
        ResponseTemplate::new(200).set_body_json(json!({
            "id": MODEL_KEY, "model": MODEL_KEY,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }))
    }
}

fn suite(api: &str) -> String {
    format!(
        "version: 1
name: canary
env: [SHOP_KEY, CANARY_TOKEN, MODEL_KEY]
target:
  command: [sh, server.sh, \"--key=${{SHOP_KEY}}\"]
  transport: stdio
  env: {{SHOP_KEY: \"${{SHOP_KEY}}\"}}
personas:
  - {{name: insider, identity: {{bearer: {{env: CANARY_TOKEN}}}}}}
models:
  - {{name: gossip, dialect: openai, base_url: \"{api}\", key: MODEL_KEY, retries: 0}}
judge:
  model: {{name: judge, dialect: openai, id: judge, base_url: \"{api}\", key: MODEL_KEY, retries: 0}}
  rubric: answers-question
trials: 1
defaults: {{persona: insider, limits: {{time: 20s}}}}
cases:
  - id: tells
    prompt: please tell
    expect: [tool_called: tell, answer_contains: nothing like this]
  - id: fails
    prompt: please fail
    expect: [no_tool_errors: true]
  - id: dies
    prompt: please die
    expect: [tool_called: die]
  - id: judged
    prompt: say something
    criteria: [must: Says something.]
  - id: refused
    prompt: refuse this
    expect: [answer_contains: never]
access:
  insider: {{sees: [tell, missing], calls: {{fail: {{x: 1}}}}}}
"
    )
}

fn rehearsal(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .env("SHOP_KEY", KEY)
        .env("CANARY_TOKEN", TOKEN)
        .env("MODEL_KEY", MODEL_KEY)
        .output()
        .unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[track_caller]
fn clean(place: &str, bytes: &[u8]) {
    for value in [TOKEN, KEY, MODEL_KEY] {
        for form in forms(value) {
            let found = bytes.windows(form.len()).position(|window| window == form.as_bytes());
            let around = found.map(|at| {
                String::from_utf8_lossy(&bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())])
                    .into_owned()
            });
            assert_eq!(around, None, "`{form}` is in {place}");
        }
    }
}

fn project(api: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    fs::write(dir.path().join("suites/canary.yaml"), suite(api)).unwrap();
    fs::write(dir.path().join("server.sh"), SERVER.replace("EVERY", &every_form())).unwrap();
    dir
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_reaches_disk_reports_or_terminal() {
    let api = MockServer::start().await;
    Mock::given(method("POST")).and(path("/chat/completions")).respond_with(Gossip).mount(&api).await;
    let dir = project(&api.uri());
    let ran = rehearsal(dir.path(), &["eval", "canary", "--verbose"]);
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(1), "{out}\n{err}");
    assert!(out.contains("[secret:"), "the secrets were there to be found:\n{out}");
    clean("stdout", &ran.stdout);
    clean("stderr", &ran.stderr);

    let left = files(&dir.path().join("reports"));
    let is_run = |path: &&std::path::PathBuf| {
        path.extension().is_some_and(|kind| kind == "sqlite") && !path.ends_with("verdicts.sqlite")
    };
    let run = left.iter().find(is_run).unwrap();
    assert!(left.len() >= 4, "{left:?}");
    for path in &left {
        clean(&path.display().to_string(), &fs::read(path).unwrap());
    }
    // Transcripts are compressed in the file, so they are unpacked and looked at as well.
    let reader = Reader::open(run).unwrap();
    let mut seen = String::new();
    for transcript in reader.transcripts().unwrap() {
        let (planned, transcript) = transcript.unwrap();
        let text = serde_json::to_string(&transcript).unwrap();
        clean(planned.header.case.as_str(), text.as_bytes());
        seen.push_str(&text);
    }
    for name in ["SHOP_KEY", "CANARY_TOKEN", "MODEL_KEY"] {
        assert!(seen.contains(&format!("[secret:{name}]")), "`{name}` was never said");
    }
    for case in ["tells", "fails", "dies", "judged", "refused"] {
        let shown = rehearsal(dir.path(), &["show", "latest", case]);
        clean(&format!("show {case}"), &[shown.stdout, shown.stderr].concat());
    }
}

/// The secret of a machine at an authorization server, and what is granted to it.
const CLIENT_SECRET: &str = "canary-client-secret-5566778899aabb";
const GRANTED: &str = "canary-access-token/0011223344556677";
const RENEWAL: &str = "canary-refresh-token/8899aabbccddeeff";

/// A target and its authorization server, which repeat whatever they are shown and whatever they have granted.
struct Office {
    base: String,
}

impl Respond for Office {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let base = &self.base;
        let header = |name: &str| request.headers.get(name).map_or("", |value| value.to_str().unwrap_or(""));
        let shown = String::from_utf8_lossy(&request.body).into_owned();
        let every = [CLIENT_SECRET, GRANTED, RENEWAL].map(|value| forms(value).join(" ")).join(" ");
        match request.url.path() {
            "/.well-known/oauth-protected-resource/mcp" => ResponseTemplate::new(200)
                .set_body_json(json!({"resource": format!("{base}/mcp"), "authorization_servers": [base]})),
            "/.well-known/oauth-authorization-server" => ResponseTemplate::new(200).set_body_json(json!({
                "issuer": base, "token_endpoint": format!("{base}/token"),
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })),
            "/token" => {
                ResponseTemplate::new(200).insert_header("x-echo", every.as_str()).set_body_json(json!({
                    "access_token": GRANTED, "refresh_token": RENEWAL, "token_type": "Bearer",
                    "echo": format!("{shown} {every}"),
                }))
            }
            "/mcp" if header("authorization").is_empty() => {
                ResponseTemplate::new(401).insert_header("www-authenticate", "Bearer")
            }
            "/mcp" => {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let result = match body["method"].as_str().unwrap_or_default() {
                    "initialize" => json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                        "serverInfo": {"name": every, "version": "1"}}),
                    "tools/list" => json!({"tools": [{"name": "tell", "description": every,
                        "inputSchema": {"type": "object"}}]}),
                    _ => {
                        json!({"content": [{"type": "text", "text": every}], "isError": body["params"]["name"] != "tell"})
                    }
                };
                match body.get("id") {
                    Some(id) => ResponseTemplate::new(200)
                        .set_body_json(json!({"jsonrpc": "2.0", "id": id, "result": result})),
                    None => ResponseTemplate::new(202),
                }
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_identity_shows_and_gets_stays_out_of_its_record() {
    let server = MockServer::start().await;
    let office = Office { base: server.uri() };
    Mock::given(wiremock::matchers::any()).respond_with(office).mount(&server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    let suite = format!(
        "version: 1
name: office
env: [CLIENT_SECRET]
target: {{url: \"{}/mcp\"}}
personas:
  - {{name: clerk, identity: {{client_credentials: {{client_id: clerk, secret: {{env: CLIENT_SECRET}}}}}}}}
trials: 1
access:
  clerk: {{sees: [tell], calls: {{tell: {{}}}}}}
",
        server.uri()
    );
    fs::write(dir.path().join("suites/office.yaml"), suite).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.args(args).current_dir(dir.path()).env("NO_COLOR", "1").env("CLIENT_SECRET", CLIENT_SECRET);
        command.output().unwrap()
    };
    let ran = run(&["eval", "office"]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let clean = |place: &str, bytes: &[u8]| {
        for form in [CLIENT_SECRET, GRANTED, RENEWAL].iter().flat_map(|value| forms(value)) {
            let leaks = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!leaks, "`{form}` is in {place}: {}", String::from_utf8_lossy(bytes));
        }
    };
    clean("stdout", &[ran.stdout, ran.stderr].concat());
    let left = files(&dir.path().join("reports"));
    for path in &left {
        clean(&path.display().to_string(), &fs::read(path).unwrap());
    }
    let file = left.iter().find(|path| path.extension().is_some_and(|kind| kind == "sqlite")).unwrap();
    let reader = Reader::open(file).unwrap();
    let mut seen = String::new();
    for transcript in reader.transcripts().unwrap() {
        seen.push_str(&serde_json::to_string(&transcript.unwrap().1).unwrap());
    }
    clean("the transcripts", seen.as_bytes());
    // The persona was authorized while the target was looked at; its first trial tells.
    assert!(
        seen.contains("grant_type=client_credentials") && seen.contains("before the first trial"),
        "{seen}"
    );
    for name in ["CLIENT_SECRET", "access-token", "refresh-token"] {
        assert!(seen.contains(&format!("[secret:{name}]")), "`{name}` was never said: {seen}");
    }
    let shown = run(&["show", "latest", "access/clerk", "--verbose"]);
    clean("show", &[shown.stdout, shown.stderr].concat());
}

#[test]
fn a_target_that_dies_at_once_takes_no_credential_to_the_terminal() {
    for (script, words) in [
        ("echo \"cannot start with $REHEARSAL_TOKEN $SHOP_KEY: EVERY\" >&2; exit 7\n", "exit code 7"),
        ("echo \"hello $REHEARSAL_TOKEN $SHOP_KEY EVERY\"; exit 8\n", "exit code 8"),
    ] {
        let dir = project("http://127.0.0.1:1");
        fs::write(dir.path().join("server.sh"), script.replace("EVERY", &every_form())).unwrap();
        for format in ["human", "json"] {
            let ran = rehearsal(dir.path(), &["eval", "canary", "--format", format]);
            let err = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert_eq!(ran.status.code(), Some(4), "{err}");
            assert!(err.contains(words) && err.contains("[secret:"), "{err}");
            clean("stdout", &ran.stdout);
            clean("stderr", &ran.stderr);
        }
    }
}

/// Many people write their keys into the file that their editor starts servers from.
#[test]
fn keys_in_a_file_of_servers_stay_there() {
    const OTHER: &str = "key-of-another-server-0a1b2c3d";
    let dir = project("http://127.0.0.1:1");
    let servers = json!({"mcpServers": {
        "shop": {"command": "sh", "args": ["server.sh"],
            "env": {"SHOP_KEY": KEY, "REHEARSAL_TOKEN": TOKEN, "API_TOKEN": MODEL_KEY}},
        "other": {"url": "https://other.example/mcp", "headers": {"Authorization": format!("Bearer {OTHER}")}},
    }});
    fs::write(dir.path().join(".mcp.json"), servers.to_string()).unwrap();
    let suite = "version: 1\ntarget: {server: {file: .mcp.json, name: shop}}\nmodels: [lexical]\n\
                 cases: [{id: tells, prompt: please tell, expect: [answer_contains: nothing like this]}]\n";
    fs::write(dir.path().join("suites/canary.yaml"), suite).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["eval", "canary"])
        .current_dir(dir.path())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{err}");
    clean("stdout", &ran.stdout);
    clean("stderr", &ran.stderr);
    for file in files(&dir.path().join("reports")) {
        let bytes = fs::read(&file).unwrap();
        clean(&file.to_string_lossy(), &bytes);
        assert!(!bytes.windows(OTHER.len()).any(|window| window == OTHER.as_bytes()), "{}", file.display());
    }
    let shown = rehearsal(dir.path(), &["show", "latest", "tells", "--verbose"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("[secret:SHOP_KEY]"));
    clean("show", &shown.stdout);
}

#[test]
fn what_a_suite_calls_public_is_shown_but_for_a_password() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    let suite = r#"
version: 1
env: [{public: BASE_URL}, {public: DATABASE}, QUIET_URL]
target:
  command: [sh, server.sh]
  env: {A: "${BASE_URL}", B: "${DATABASE}", C: "${QUIET_URL}"}
models: [lexical]
cases: [{id: a, prompt: Hello., expect: [{answer_contains: x}]}]
"#;
    fs::write(dir.path().join("suites/s.yaml"), suite).unwrap();
    fs::write(dir.path().join("server.sh"), "echo \"cannot reach $A $B $C\" >&2; exit 7\n").unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(["eval", "s"])
        .current_dir(dir.path())
        .env("BASE_URL", "https://shop.example/api")
        .env("DATABASE", "postgres://shop:swordfish9@db.example/shop")
        .env("QUIET_URL", "https://hooks.example/T0/B1/c2d3")
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&ran.stderr);
    assert!(err.contains("https://shop.example/api"), "{err}");
    assert!(err.contains("[secret:DATABASE]") && !err.contains("swordfish9"), "{err}");
    assert!(err.contains("[secret:QUIET_URL]") && !err.contains("c2d3"), "{err}");
}
