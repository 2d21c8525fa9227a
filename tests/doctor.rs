//! `rehearsal doctor`: each precondition that fails has its line, its hint and the exit code of a run; nothing of a secret
//! is shown; it works without a project and without a network.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use wiremock::matchers::{any, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn told(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// The line about something, or the first of a family.
    fn line(&self, what: &str) -> Value {
        let told = self.told();
        let lines = told["lines"].as_array().unwrap();
        let found = lines
            .iter()
            .find(|line| line["what"] == what)
            .or_else(|| lines.iter().find(|line| line["family"] == what));
        found.unwrap_or_else(|| panic!("nothing about {what}: {lines:#?}")).clone()
    }
}

fn doctor(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.arg("doctor").args(args).current_dir(dir).stdin(Stdio::null());
    for name in [
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
        "CI",
    ] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("LC_ALL", "C.UTF-8").envs(env.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn machine(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut all = args.to_vec();
    all.extend(["--format", "json"]);
    doctor(dir, &all, env)
}

fn project(suite: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    fs::write(dir.path().join("suites/mine.yaml"), suite).unwrap();
    dir
}

/// A suite against a target, with a model at an address.
fn suite(target: &str, more: &str) -> String {
    format!(
        "version: 1\ntarget: {target}\n{more}\ncases:\n  - {{id: a, prompt: Hello, expect: [{{answer_contains: x}}]}}\n"
    )
}

fn model(base: &str) -> String {
    format!(
        "env: [DOCTOR_KEY]\nmodels: [{{name: tested, dialect: openai, base_url: \"{base}/v1\", key: DOCTOR_KEY}}]"
    )
}

const DEMO: &str = "{command: [rehearsal, demo-server]}";

#[test]
fn it_is_fine_without_a_project() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let ran = machine(dir.path(), &["--offline"], &[]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert!(begun.elapsed().as_secs() < 10);
    assert_eq!(ran.line("project")["state"], "warning");
    assert_eq!(ran.line("target")["state"], "fine", "{}", ran.stdout);
    assert!(ran.line("target")["says"].as_str().unwrap().contains("revision 20"), "{}", ran.stdout);
    // Nothing is left behind.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_refused_or_good() {
    let server = MockServer::start().await;
    let good = ResponseTemplate::new(200).set_body_json(json!({"data": []}));
    Mock::given(method("GET"))
        .and(path("/v1/models"))
        .and(wiremock::matchers::header("authorization", "Bearer right-key-1234"))
        .respond_with(good)
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let dir = project(&suite(DEMO, &model(&server.uri())));

    let missing = machine(dir.path(), &[], &[]);
    assert_eq!(missing.code, 5, "{}", missing.stdout);
    assert_eq!(missing.line("tested")["exit"], 5);
    assert!(missing.line("tested")["hint"].as_str().unwrap().contains("export DOCTOR_KEY"));
    assert!(missing.stderr.contains("doctor.credentials"), "{}", missing.stderr);

    let wrong = machine(dir.path(), &[], &[("DOCTOR_KEY", "wrong-key-9876")]);
    assert_eq!(wrong.code, 5, "{}", wrong.stdout);
    assert!(wrong.line("tested")["says"].as_str().unwrap().contains("refuses the key"));

    let right = machine(dir.path(), &[], &[("DOCTOR_KEY", "right-key-1234")]);
    assert_eq!(right.code, 0, "{}", right.stdout);
    assert!(right.line("tested")["says"].as_str().unwrap().contains("set (14 characters)"));
    for ran in [&wrong, &right] {
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("-key-"), "{}", ran.stdout);
    }
    // A provider that cannot be reached is a warning: runs retry.
    let dead = project(&suite(DEMO, &model("http://127.0.0.1:1")));
    let ran = machine(dead.path(), &[], &[("DOCTOR_KEY", "right-key-1234")]);
    assert_eq!(
        (ran.code, ran.line("tested")["state"].as_str().map(str::to_owned)),
        (0, Some("warning".to_owned()))
    );
}

#[test]
fn a_dead_target_would_end_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let ran = machine(dir.path(), &["http://127.0.0.1:1/mcp"], &[]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    assert_eq!(ran.line("http://127.0.0.1:1/mcp")["exit"], 4);
    let auth = ran.told()["lines"].as_array().unwrap().iter().find(|line| line["family"] == "auth").cloned();
    assert!(auth.unwrap()["says"].as_str().unwrap().contains("does not answer"), "{}", ran.stdout);
    let gone = project(&suite("{command: [no-such-program-here]}", "models: [lexical]"));
    let ran = machine(gone.path(), &[], &[]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    let line = ran.told()["lines"]
        .as_array()
        .unwrap()
        .iter()
        .find(|line| line["family"] == "programs")
        .unwrap()
        .clone();
    assert_eq!(line["says"], "is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_wants_a_sign_in_and_whose_clock_is_off() {
    let server = MockServer::start().await;
    let issuer = server.uri();
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let resource = json(json!({"resource": format!("{issuer}/mcp"), "authorization_servers": [issuer]}));
    Mock::given(method("GET"))
        .and(path("/.well-known/oauth-protected-resource/mcp"))
        .respond_with(resource)
        .mount(&server)
        .await;
    let metadata = json(
        json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token"), "code_challenge_methods_supported": ["S256"]}),
    );
    Mock::given(method("GET"))
        .and(path("/.well-known/oauth-authorization-server"))
        .respond_with(metadata)
        .mount(&server)
        .await;
    let refused = ResponseTemplate::new(401)
        .insert_header("www-authenticate", "Bearer")
        .insert_header("date", "Mon, 01 Jan 2024 00:00:00 GMT");
    Mock::given(any()).and(path("/mcp")).respond_with(refused).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{issuer}/mcp");
    let ran = tokio::task::spawn_blocking(move || machine(dir.path(), &[&url], &[])).await.unwrap();
    assert_eq!(ran.code, 5, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.line("target")["exit"], 5);
    assert!(ran.line("clock")["says"].as_str().unwrap().contains("ahead of the target"), "{}", ran.stdout);
    assert_eq!(ran.line("clock")["state"], "warning");
    assert!(ran.line("auth")["says"].as_str().unwrap().ends_with("PKCE S256"), "{}", ran.stdout);
    assert_eq!(ran.line("auth")["state"], "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authorization_server_without_pkce_is_a_warning() {
    let server = MockServer::start().await;
    let issuer = server.uri();
    let json = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let resource = json(json!({"resource": format!("{issuer}/mcp"), "authorization_servers": [issuer]}));
    Mock::given(method("GET"))
        .and(path("/.well-known/oauth-protected-resource"))
        .respond_with(resource)
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/.well-known/oauth-authorization-server"))
        .respond_with(json(json!({"issuer": issuer})))
        .mount(&server)
        .await;
    Mock::given(any()).respond_with(ResponseTemplate::new(404)).mount(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{issuer}/mcp");
    let ran = tokio::task::spawn_blocking(move || machine(dir.path(), &[&url], &[])).await.unwrap();
    assert_eq!(ran.line("auth")["state"], "warning", "{}", ran.stdout);
    assert!(ran.line("auth")["says"].as_str().unwrap().contains("PKCE"));
}

#[test]
fn suites_with_errors_and_variables_that_are_not_set_are_named() {
    let dir = project(
        "version: 1\ntarget: {url: http://127.0.0.1:1/mcp}\nmodels: [lexical]\ncases: [{id: a, prompt: x}]\n",
    );
    let ran = machine(dir.path(), &["--offline"], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.line("suites/mine.yaml")["says"].as_str().unwrap().contains("expects nothing"),
        "{}",
        ran.stdout
    );
    let dir = project(&suite(
        "{command: [rehearsal, demo-server], env: {X: \"${DOCTOR_X}\"}}",
        "env: [DOCTOR_X]\nmodels: [lexical]",
    ));
    let ran = machine(dir.path(), &["mine"], &[]);
    assert_eq!(ran.code, 5, "{}", ran.stdout);
    assert_eq!(ran.line("DOCTOR_X")["state"], "wrong");
    let set = machine(dir.path(), &["mine"], &[("DOCTOR_X", "hunter2-hunter2")]);
    assert_eq!(set.code, 0, "{}", set.stdout);
    assert_eq!(set.line("DOCTOR_X")["says"], "set, 15 characters");
    assert!(!set.stdout.contains("hunter2"));
}

#[test]
fn a_folder_that_cannot_be_written_would_end_a_run() {
    let dir = tempfile::tempdir().unwrap();
    // Whoever may write everywhere cannot be shown a read-only folder, so a file in its place.
    fs::write(dir.path().join("reports"), "in the way").unwrap();
    let ran = machine(dir.path(), &["--offline"], &[]);
    assert_eq!(ran.code, 74, "{}", ran.stdout);
    assert!(ran.line("reports")["says"].as_str().unwrap().contains("a file is in its way"));
    assert_eq!(fs::read_to_string(dir.path().join("reports")).unwrap(), "in the way");
    let ran = machine(dir.path(), &["--offline", "--out", "/proc/rehearsal"], &[]);
    assert_eq!(ran.code, 74, "{}", ran.stdout);
}

#[test]
fn a_baseline_that_cannot_be_read_would_end_a_run() {
    let dir = project(&suite(DEMO, "models: [lexical]"));
    let broken = rehearsal::store::baseline::path(
        &dir.path().join("reports"),
        &rehearsal::ids::SuiteName::from("mine"),
    );
    fs::create_dir_all(broken.parent().unwrap()).unwrap();
    fs::write(&broken, "{").unwrap();
    let ran = machine(dir.path(), &[], &[]);
    assert_eq!(ran.code, 74, "{}", ran.stdout);
}

#[test]
fn fifty_suites_are_looked_at_in_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    for index in 0..50 {
        let target = format!("{{url: http://127.0.0.1:1/mcp{index}}}");
        fs::write(dir.path().join(format!("suites/s{index}.yaml")), suite(&target, "models: [lexical]"))
            .unwrap();
    }
    let begun = Instant::now();
    let ran = machine(dir.path(), &[], &[]);
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    assert!(ran.line("suites")["says"].as_str().unwrap().starts_with("50 files, 50 cases"), "{}", ran.stdout);
    assert!(ran.stdout.contains("44 further targets not asked"), "{}", ran.stdout);
}

#[test]
fn it_reads_well() {
    let dir = project(&suite("{url: http://127.0.0.1:1/mcp}", &model("http://127.0.0.1:1")));
    let ran = doctor(dir.path(), &[], &[("COLUMNS", "80")]);
    assert_eq!(ran.code, 5, "{}", ran.stdout);
    for words in ["DOCTOR_KEY is not set", "-> export DOCTOR_KEY", "exit 5 (credentials)"] {
        assert!(ran.stdout.contains(words), "{words}\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
    let quiet = doctor(dir.path(), &["-q"], &[]);
    assert!(quiet.stdout.lines().count() < ran.stdout.lines().count());
}

#[test]
fn wrong_names_are_usage() {
    let dir = tempfile::tempdir().unwrap();
    let ran = machine(dir.path(), &["bokshop", "--offline"], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.line("bokshop")["hint"].as_str().unwrap().contains("bookshop"), "{}", ran.stdout);
}
