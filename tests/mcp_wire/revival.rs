//! Servers over standard streams that die in the middle of things.

use rehearsal::mcp::Isolation;
use serde_json::json;

use crate::era::shell_speaking;
use crate::stage::{anonymous, free, log, odd, open_as, server, shell, stderr, text_of, wire};

const DISCOVERED: &str = r#"*server/discover*) answer '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}' ;;"#;

fn modern(cases: &str) -> String {
    format!("echo born >&2\n{}", server(&format!("{DISCOVERED}\n{cases}")))
}

const CALLS: &str = r#"*'"die"'*) echo bye >&2; exit 3 ;;
    *tools/call*) answer '{"resultType":"complete","content":[{"type":"text","text":"alive"}]}' ;;"#;

#[tokio::test]
async fn a_server_without_sessions_is_started_again_for_the_next_request() {
    for isolation in [Isolation::Trial, Isolation::Run] {
        let (target, log) = (shell_speaking(&modern(CALLS), isolation, "auto"), log());
        let session = open_as(&target, &anonymous(), &free(5_000), &log).await.unwrap();
        assert_eq!(session.call_tool("die", &json!({})).await.unwrap_err().code, "target.died");
        assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "alive");
        assert_eq!(text_of(session.call_tool("b", &json!({})).await.unwrap()), "alive");
        session.close().await;
        target.close().await;
        let asked = wire(&log).iter().filter(|line| line.starts_with('>')).cloned().collect::<Vec<_>>();
        assert_eq!(
            asked,
            ["> stdio server/discover", "> stdio tools/call", "> stdio tools/call", "> stdio tools/call",],
            "nothing is asked twice"
        );
        let again: Vec<_> = odd(&log).into_iter().filter(|odd| odd.contains("started again")).collect();
        assert_eq!(again.len(), 1, "{:?}", odd(&log));
        assert!(again[0].contains("exit code 3"), "{again:?}");
        assert_eq!(stderr(&log), "born\nbye\nborn\n");
    }
}

#[tokio::test]
async fn one_that_always_dies_is_started_again_a_few_times() {
    let (target, log) = (shell_speaking(&modern(CALLS), Isolation::Trial, "auto"), log());
    let session = open_as(&target, &anonymous(), &free(5_000), &log).await.unwrap();
    for _ in 0..20 {
        assert_eq!(session.call_tool("die", &json!({})).await.unwrap_err().code, "target.died");
    }
    let again = odd(&log).iter().filter(|odd| odd.contains("started again")).count();
    assert_eq!(again, 5);
    session.close().await;
}

#[tokio::test]
async fn a_session_dies_with_its_server() {
    let script = server(CALLS);
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open_as(&target, &anonymous(), &crate::stage::patient(5_000), &log).await.unwrap();
    for _ in 0..2 {
        assert_eq!(session.call_tool("die", &json!({})).await.unwrap_err().code, "target.died");
    }
    assert!(odd(&log).iter().all(|odd| !odd.contains("started again")), "{:?}", odd(&log));
}

#[tokio::test]
async fn nothing_is_started_after_the_end() {
    let (target, log) = (shell_speaking(&modern(CALLS), Isolation::Run, "auto"), log());
    let session = open_as(&target, &anonymous(), &free(5_000), &log).await.unwrap();
    target.close().await;
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.died");
    assert_eq!(stderr(&log), "born\n");
}
