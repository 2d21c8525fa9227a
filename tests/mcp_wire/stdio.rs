//! Child processes that speak over their standard streams.

use rehearsal::mcp::Isolation;
use serde_json::json;

use crate::stage::{log, odd, open, server, shell, stderr, text_of, wire};

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
