//! Steps of the harness that read resources and prompts, as the binary runs them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

use std::fs;
use std::process::{Command, Output};

/// A server with one resource and one prompt.
const SERVER: &str = r#"
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
refuse() { printf '{"jsonrpc":"2.0","id":%s,"error":%s}\n' "$id" "$1"; }
while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{}},"serverInfo":{"name":"shop","version":"1"}}' ;;
    *tools/list*) answer '{"tools":[{"name":"look","inputSchema":{"type":"object"}}]}' ;;
    *'"shop://orders"'*) answer '{"contents":[{"uri":"shop://orders","text":"{\"orders\":[{\"id\":7}]}"}]}' ;;
    *resources/read*) refuse '{"code":-32002,"message":"no such resource"}' ;;
    *prompts/get*'"Ann"'*) answer '{"messages":[{"role":"user","content":{"type":"text","text":"Hello Ann"}}]}' ;;
    *prompts/get*) refuse '{"code":-32602,"message":"no such prompt"}' ;;
  esac
done
"#;

fn eval(steps: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    let suite = format!(
        "version: 1
name: steps
target: {{command: [sh, server.sh], transport: stdio, protocol: 2025-11-25}}
models: [scripted]
trials: 1
cases:
  - id: reads
    prompt: Go.
    script: [{{say: Done.}}]
{steps}"
    );
    fs::write(dir.path().join("suites/steps.yaml"), suite).unwrap();
    fs::write(dir.path().join("server.sh"), SERVER).unwrap();
    let run = |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.args(args).current_dir(dir.path()).env("NO_COLOR", "1").output().unwrap()
    };
    let ran = run(&["eval", "steps"]);
    let shown = run(&["show", "latest", "reads"]);
    let text = [ran.stdout, ran.stderr, shown.stdout].concat();
    (ran.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn what_resources_and_prompts_hold_is_verified() {
    let (code, text) = eval(
        r#"    setup:
      - resource: "shop://orders"
      - prompt: {name: greet, arguments: {who: Ann}}
    verify:
      - {resource: "shop://orders", path: "$.orders[0].id", equals: 7}
      - {prompt: {name: greet, arguments: {who: Ann}}, path: "$.messages[0].content.text", equals: Hello Ann}
    cleanup:
      - resource: "shop://gone"
"#,
    );
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("verify shop://orders#0: worked"), "{text}");
    assert!(text.contains("cleanup shop://gone#0: failed"), "{text}");
}

#[test]
fn another_state_fails_and_names_the_step() {
    let verify = r#"    verify:
      - {resource: "shop://orders", path: "$.orders[0].id", equals: 8}
"#;
    let (code, text) = eval(verify);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("`shop://orders` shows another state"), "{text}");
    let (code, text) = eval("    verify: [{prompt: greet, equals: x}]\n");
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("verifying with `greet` gave an error") && text.contains("no such prompt"),
        "{text}"
    );
}

#[test]
fn a_setup_that_cannot_read_measures_nothing() {
    let (code, text) = eval("    setup: [resource: \"shop://gone\"]\n    expect: [answer_contains: Done]\n");
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("setup step `shop://gone` failed: no such resource"), "{text}");
}
