//! Child processes that speak over their standard streams.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::{Asking, Credentials, Endpoint, Identity, Isolation, Program, TokenSource};
use rehearsal::net;
use rehearsal::transcript::Fault;
use rehearsal::units::Period;
use secrecy::SecretString;
use serde_json::json;

use crate::stage::{
    anonymous, events, log, odd, open, open_as, patient, server, shell, stderr, text_of, wire,
};

#[tokio::test]
async fn a_whole_conversation_is_recorded_in_order() {
    let script = server(
        r#"*tools/list*) echo 'listing' >&2; answer '{"tools":[{"name":"echo"}]}' ;;
           *tools/call*) echo 'DEBUG: called'; answer '{"content":[{"type":"text","text":"hi"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(session.list_tools().await.unwrap()[0].name.as_str(), "echo");
    assert_eq!(text_of(session.call_tool("echo", &json!({})).await.unwrap()), "hi");
    session.close().await;
    assert_eq!(
        wire(&log),
        [
            "> stdio initialize",
            "< stdio result 1",
            "> stdio notifications/initialized",
            "> stdio tools/list",
            "< stdio result 2",
            "> stdio tools/call",
            "< stdio DEBUG: called",
            "< stdio result 3",
        ]
    );
    assert_eq!(stderr(&log), "listing\n");
    assert_eq!(odd(&log).len(), 1);
}

#[tokio::test]
async fn a_server_that_dies_mid_call_is_reported_with_its_last_words() {
    let script = server(r#"*tools/call*) echo 'panic: out of paper' >&2; exit 3 ;;"#);
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    let fault = session.call_tool("a", &json!({})).await.unwrap_err();
    assert_eq!(fault.code, "target.died");
    insta::assert_snapshot!(fault.message, @r#"the server `sh` ended with exit code 3; its last words were: panic: out of paper"#);
    assert_eq!(stderr(&log), "panic: out of paper\n");
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.died");
}

#[tokio::test]
async fn programs_that_cannot_start_or_do_not_speak() {
    let missing = Program { command: vec!["no-such-program-here".into()], env: BTreeMap::new(), cwd: None };
    let missing = target(Endpoint::Stdio(missing), Isolation::Trial, Keeper::new(net::client().unwrap()));
    let mut faults = vec![];
    for target in [
        missing,
        shell("echo usage: serve PORT >&2; exit 2", Isolation::Trial),
        shell("true", Isolation::Trial),
    ] {
        let fault = open(&target, &log()).await.err().unwrap();
        faults.push(format!("{}: {}", fault.code, fault.message));
    }
    insta::assert_snapshot!(faults.join("\n"), @r#"
    target.unreachable: cannot start `no-such-program-here`: no such program; install it or write its full path in `target.command`
    target.died: the server `sh` ended with exit code 2; its last words were: usage: serve PORT
    target.died: the server `sh` ended with exit code 0
    "#);
}

#[tokio::test]
async fn silence_is_cut_off_and_cancelled() {
    let script = server(r#"*tools/call*) ;; *cancelled*) echo "$line" >&2 ;;"#);
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open_as(&target, &anonymous(), &patient(100), &log).await.unwrap();
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.timeout");
    session.close().await;
    assert!(stderr(&log).contains(r#""requestId":2"#), "{}", stderr(&log));
}

#[tokio::test]
async fn a_timeout_quotes_what_is_no_message() {
    let script = server(r#"*tools/call*) ;;"#);
    let chatty = format!("echo 'Listening on stdio ...'; echo 'second line'; {script}");
    let mut faults = vec![];
    // A server that never answers anything, one that answers the handshake only, and one that is quiet besides.
    for script in ["echo Usage: serve PORT; cat >/dev/null", &chatty, &script] {
        let (target, log) = (shell(script, Isolation::Trial), log());
        let mut opening = patient(100);
        opening.conduct.connect_timeout = Some(Period(Duration::from_secs(1)));
        let fault = match open_as(&target, &anonymous(), &opening, &log).await {
            Ok(session) => session.call_tool("a", &json!({})).await.unwrap_err(),
            Err(fault) => fault,
        };
        faults.push(format!("{}: {}", fault.code, fault.message));
    }
    insta::assert_snapshot!(faults.join("\n"), @"
    target.timeout: no answer to `initialize` within 1s; standard output held `Usage: serve PORT`, which is no JSON-RPC message: logs belong on stderr
    target.timeout: no answer to `tools/call` within 100ms; standard output held `Listening on stdio ...`, which is no JSON-RPC message: logs belong on stderr
    target.timeout: no answer to `tools/call` within 100ms
    ");
}

#[tokio::test]
async fn a_line_without_end_is_cut_off_and_the_session_goes_on() {
    let script = server(
        r#"*flood*) head -c 64000000 /dev/zero; echo ;;
           *tools/call*) answer '{"content":[{"type":"text","text":"alive"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(session.call_tool("flood", &json!({})).await.unwrap_err().code, "target.too-large");
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "alive");
    let kept: usize = events(&log).iter().map(|what| format!("{what:?}").len()).sum();
    assert!(kept < 100_000, "{kept} bytes kept");
}

#[tokio::test]
async fn stderr_floods_are_drained() {
    let script = server(
        r#"*tools/call*) head -c 3000000 /dev/zero | tr '\0' 'e' >&2; answer '{"content":[{"type":"text","text":"ok"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "ok");
    session.close().await;
    assert_eq!(stderr(&log).len(), 64 * 1024);
}

#[tokio::test]
async fn requests_of_the_server_are_answered_on_its_stdin() {
    let script = server(
        r#"*tools/call*) call=$id; echo '{"jsonrpc":"2.0","id":"q","method":"ping"}' ;;
           *'"id":"q"'*) id=$call; answer "{\"content\":[{\"type\":\"text\",\"text\":\"${#line}\"}]}" ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    let sent = r#"{"jsonrpc":"2.0","id":"q","result":{}}"#;
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), sent.len().to_string());
}

#[tokio::test]
async fn the_child_sees_a_bare_environment() {
    let script = server(r#"*tools/call*) env | cut -d= -f1 | sort >&2; answer '{"content":[]}' ;;"#);
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session =
        open_as(&target, &(Arc::new(Named("alice")) as Identity), &patient(2_000), &log).await.unwrap();
    session.call_tool("a", &json!({})).await.unwrap();
    session.close().await;
    let names = stderr(&log);
    assert!(names.contains("PATH") && names.contains("WHO"), "{names}");
    // Cargo sets this for every test.
    assert!(!names.contains("CARGO"), "{names}");
}

/// Somebody whose name is in the environment.
struct Named(&'static str);

impl TokenSource for Named {
    fn headers<'a>(&'a self, _: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }

    fn env(&self) -> Credentials {
        vec![("WHO".to_owned(), SecretString::from(self.0))]
    }
}

#[tokio::test]
async fn a_shared_process_serves_one_identity_only() {
    let script = server(
        r#"*tools/call*) sleep 0.02; answer "{\"content\":[{\"type\":\"text\",\"text\":\"$WHO $$\"}]}" ;;"#,
    );
    let target = shell(&script, Isolation::Run);
    let alice: Identity = Arc::new(Named("alice"));
    let bob: Identity = Arc::new(Named("bob"));
    let logs = [log(), log(), log()];
    let (profile, arguments) = (patient(2_000), json!({}));
    let first = open_as(&target, &alice, &profile, &logs[0]).await.unwrap();
    let second = open_as(&target, &alice, &profile, &logs[1]).await.unwrap();
    let other = open_as(&target, &bob, &profile, &logs[2]).await.unwrap();
    let (a, b, c) = tokio::join!(
        first.call_tool("a", &arguments),
        second.call_tool("a", &arguments),
        other.call_tool("a", &arguments)
    );
    let [a, b, c] = [a, b, c].map(|outcome| text_of(outcome.unwrap()));
    assert_eq!(a, b);
    assert_ne!(a.split(' ').next_back(), c.split(' ').next_back());
    assert!(a.starts_with("alice") && c.starts_with("bob"), "{a} {c}");
    first.close().await;
    // The process outlives the sessions on it; each transcript holds its own call only.
    assert_eq!(text_of(second.call_tool("a", &arguments).await.unwrap()), a);
    assert_eq!(wire(&logs[0]).iter().filter(|line| line.contains("tools/call")).count(), 1);
    assert_eq!(
        wire(&logs[1]),
        ["> stdio tools/call", "< stdio result 3", "> stdio tools/call", "< stdio result 4"]
    );
    target.close().await;
    assert_eq!(second.call_tool("a", &arguments).await.unwrap_err().code, "target.died");
}

#[tokio::test]
async fn a_shared_process_that_died_is_started_again() {
    let script = server("*tools/call*) exit 1 ;;");
    let target = shell(&script, Isolation::Run);
    for _ in 0..2 {
        let session = open(&target, &log()).await.unwrap();
        assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.died");
        session.close().await;
    }
    target.close().await;
}

#[tokio::test]
async fn answers_pair_by_id_whatever_their_order() {
    // The second call is answered first; then comes an answer nobody waits for, and one with the id as a text.
    let script = server(
        r#"*tools/call*'"first"'*) first=$id ;;
           *tools/call*) answer '{"content":[{"type":"text","text":"second"}]}'; id=99; answer '{"content":[]}';
             id="\"$first\""; answer '{"content":[]}'; id=$first; answer '{"content":[{"type":"text","text":"first"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    let (first, second) = (json!({"n": "first"}), json!({"n": "second"}));
    let (first, second) = tokio::join!(session.call_tool("a", &first), session.call_tool("a", &second));
    assert_eq!(
        (text_of(first.unwrap()), text_of(second.unwrap())),
        ("first".to_owned(), "second".to_owned())
    );
    assert_eq!(odd(&log).len(), 2, "{:?}", odd(&log));
}
