//! Runs whose suites want another issuer than the usual one.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn project(suite: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("suites")).unwrap();
    fs::write(folder.path().join("suites/a.yaml"), suite).unwrap();
    folder
}

fn run(folder: &Path, args: &[&str]) -> (Output, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rehearsal")).args(args).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn a_target_is_told_the_authority_and_it_goes_with_the_run() {
    let folder = project(
        r#"
version: 1
target:
  command: [sh, -c, 'cp "$CA" ca.pem; echo "$CA $ISSUER $JWKS" > told.txt; exit 1']
  transport: http
  env: {CA: "${issuer.ca}", ISSUER: "${issuer.url}", JWKS: "${issuer.jwks}"}
auth: {issuer: {tls: true}}
personas: [{name: reader, identity: {minted: {scopes: [a]}}}]
models: [lexical]
access: {reader: {sees: [a]}}
"#,
    );
    let (output, said) = run(folder.path(), &["access", "a"]);
    assert!(!output.status.success());
    let told = fs::read_to_string(folder.path().join("told.txt")).unwrap_or_else(|_| panic!("{said}"));
    let told: Vec<&str> = told.split_whitespace().collect();
    assert!(told[1].starts_with("https://127.0.0.1:"), "{told:?}");
    assert_eq!(told[2], format!("{}/jwks", told[1]));
    let ca = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE"));
    assert!(!Path::new(told[0]).exists(), "the file goes with the run");
}

#[test]
fn a_stable_key_is_warned_about_on_stderr_and_in_the_report() {
    let folder = project(
        r#"
version: 1
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  env: {BOOKSHOP_ISSUER: "${issuer.url}", BOOKSHOP_AUDIENCE: "${target.url}"}
auth: {issuer: {key: test.key}}
personas: [customer]
models: [lexical]
access: {customer: {sees: [get_order]}}
"#,
    );
    assert!(run(folder.path(), &["issuer", "--export-key", "test.key"]).0.status.success());
    let (output, said) = run(folder.path(), &["access", "a", "--format", "json"]);
    assert!(said.contains("warning[suite.stable-key]"), "{said}");
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let target = summary["target"].as_str().unwrap_or_else(|| panic!("{summary}"));
    assert!(target.contains("WARNING: tokens are signed with a stable test key"), "{target}");
    // The shop has taken tokens of that key.
    let graded = summary["cases"][0]["trials"][0]["findings"][0]["grade"].clone();
    assert_eq!(graded, "pass", "{said}");
}
