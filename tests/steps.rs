//! Steps of the harness beside tool calls, and checks that are programs, as the binary runs them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

use std::fs;
use std::process::{Command, Output};

#[path = "support/shell.rs"]
mod shell;

/// A server with one resource and one prompt.
const SERVER: &str = r#"
    *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{},"prompts":{}},"serverInfo":{"name":"shop","version":"1"}}' ;;
    *tools/list*) answer '{"tools":[{"name":"look","inputSchema":{"type":"object"}}]}' ;;
    *'"shop://orders"'*) answer '{"contents":[{"uri":"shop://orders","text":"{\"orders\":[{\"id\":7}]}"}]}' ;;
    *resources/read*) refuse '{"code":-32002,"message":"no such resource"}' ;;
    *prompts/get*'"Ann"'*) answer '{"messages":[{"role":"user","content":{"type":"text","text":"Hello Ann"}}]}' ;;
    *prompts/get*) refuse '{"code":-32602,"message":"no such prompt"}' ;;
"#;

fn eval(steps: &str) -> (i32, String) {
    eval_with(steps, &[])
}

fn eval_with(steps: &str, flags: &[&str]) -> (i32, String) {
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
    fs::write(dir.path().join("server.sh"), shell::serving(SERVER)).unwrap();
    let run = |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        command.args(args).current_dir(dir.path()).env("NO_COLOR", "1").output().unwrap()
    };
    let ran = run(&[&["eval", "steps"], flags].concat());
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

/// Answers one request after the other with what the path says; gives back what it was asked.
fn http_server(answers: usize) -> (u16, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let mut asked = vec![];
        for _ in 0..answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (status, text) = match head.split(' ').nth(1).unwrap() {
                "/orders" => (200, r#"{"orders": [{"id": 7}]}"#),
                "/reset" => (204, ""),
                _ => (500, "out of order"),
            };
            asked.push(format!("{head}{}", String::from_utf8(body).unwrap()));
            let length = text.len();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            )
            .unwrap();
        }
        asked
    });
    (port, serving)
}

#[test]
fn http_steps_reset_and_look() {
    let (port, serving) = http_server(2);
    let steps = format!(
        r#"    setup:
      - http: {{url: "http://127.0.0.1:{port}/reset", method: POST, body: '{{"to": 1}}', headers: {{x-key: "k"}}, status: 204}}
    verify:
      - {{http: "http://127.0.0.1:{port}/orders", path: "$.orders[0].id", equals: 7}}
"#
    );
    let (code, text) = eval(&steps);
    assert_eq!(code, 0, "{text}");
    let asked = serving.join().unwrap();
    assert!(asked[0].starts_with("POST /reset") && asked[0].ends_with("{\"to\": 1}"), "{asked:?}");
    assert!(
        asked[0].contains("x-key: k") && asked[0].contains("content-type: application/json"),
        "{asked:?}"
    );

    let (port, _serving) = http_server(2);
    let verify = format!("    verify: [{{http: \"http://127.0.0.1:{port}/nowhere\", equals: 7}}]\n");
    let (code, text) = eval(&verify);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("HTTP 500: out of order"), "{text}");
    let setup = "    setup: [{http: \"http://127.0.0.1:1/reset\"}]\n    expect: [answer_contains: Done]\n";
    let (code, text) = eval(setup);
    assert!(code != 0 && code != 1 && text.contains("gave no answer"), "{code} {text}");
}

#[test]
fn command_steps_run_only_with_leave() {
    let steps = r#"    setup:
      - command: {run: [sh, -c, 'read line; echo "$line $GREETING" > made'], stdin: "hello\n", env: {GREETING: world}}
    verify:
      - {command: [cat, made], equals: {$contains: hello world}}
      - {command: [echo, '{"n": 3}'], path: $.n, equals: 3}
    cleanup:
      - command: [rm, made]
"#;
    let (code, text) = eval(steps);
    assert!(
        code == 2 && text.contains("run.not-allowed") && text.contains("setup of case `reads` runs"),
        "{code} {text}"
    );
    let (code, text) = eval_with(steps, &["--allow-exec"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("cleanup rm#0: worked"), "{text}");
    let broken = "    verify: [{command: [sh, -c, 'echo oh >&2; exit 4'], equals: x}]\n";
    let (code, text) = eval_with(broken, &["--allow-exec"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("it ended with exit code 4; its last words were: oh"), "{text}");
    let slow =
        "    setup: [{command: {run: [sleep, '60'], timeout: 50ms}}]\n    expect: [answer_contains: Done]\n";
    let (code, text) = eval_with(slow, &["--allow-exec"]);
    assert!(code != 0 && code != 1 && text.contains("did not end in time"), "{code} {text}");
}

#[test]
fn a_program_decides_from_the_trial() {
    let check = |script: &str| format!("    expect:\n      - command: [sh, -c, '{script}']\n");
    let pass = check(
        r#"grep -q "\"text\":\"Done.\"" && echo "{\"grade\": \"pass\", \"why\": \"it is done\", \"evidence\": [0]}""#,
    );
    let (code, text) = eval_with(&pass, &["--allow-exec"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("`sh`: it is done"), "{text}");
    let fail = check(r#"cat > /dev/null; echo "{\"grade\": \"fail\", \"why\": \"not so\"}""#);
    let (code, text) = eval_with(&fail, &["--allow-exec"]);
    assert!(code == 1 && text.contains("`sh`: not so"), "{code} {text}");
    let broken = check("exit 1");
    let (code, text) = eval_with(&broken, &["--allow-exec"]);
    assert!(
        code != 0 && code != 1 && text.contains("gave no finding: it ended with exit code 1"),
        "{code} {text}"
    );
    let (code, text) = eval(&pass);
    assert!(code == 2 && text.contains("a check of case `reads` runs"), "{code} {text}");
}
