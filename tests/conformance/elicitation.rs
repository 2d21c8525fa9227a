//! Questions of the server to the person behind the client.

use std::sync::Arc;

use rehearsal::mcp::host::accepting::Accepting;
use rehearsal::mcp::{Host, Opening};
use serde_json::json;

use crate::modern::legacy;
use crate::stage::{
    Scripted, anonymous, event, eventually, log, open_as, polite, result_event, stream, text_of, text_result,
};

/// `elicitation-sep1034-client-defaults`: a form that is accepted goes back with the defaults of its schema.
#[tokio::test]
async fn elicitation_sep1034_client_defaults() {
    let form = json!({"type": "object", "required": [], "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    }});
    let server = Scripted::start(move |request| match request.rpc() {
        "tools/call" => {
            let params = json!({"message": "please accept", "requestedSchema": form});
            let ask = json!({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": params});
            stream(vec![event(&ask), result_event(request, &text_result("thanks"))], 20)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let profile = legacy();
    let host: Arc<dyn Host> = Arc::new(Accepting { capabilities: profile.wire.capabilities() });
    let identity = anonymous();
    let session = target.open(Opening::new(&identity, &profile).hosted(&host), log).await.unwrap();
    assert_eq!(text_of(session.call_tool("ask", &json!({})).await.unwrap()), "thanks");
    let answer = || {
        server.seen().into_iter().find(|seen| seen.body["id"] == "e1").map(|seen| seen.body["result"].clone())
    };
    eventually("the form comes back", || answer().is_some()).await;
    let content = json!({"name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": true});
    assert_eq!(answer().unwrap(), json!({"action": "accept", "content": content}));
}

/// The same without the capability: the question is refused, and nothing is filled in.
#[tokio::test]
async fn undeclared_elicitation_is_refused() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/call" => {
            let ask = json!({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {}});
            stream(vec![event(&ask), result_event(request, &text_result("thanks"))], 20)
        }
        _ => polite(request),
    })
    .await;
    let (target, log) = (server.target(), log());
    let mut profile = legacy();
    profile.wire.capabilities = None;
    let session = open_as(&target, &anonymous(), &profile, &log).await.unwrap();
    session.call_tool("ask", &json!({})).await.unwrap();
    let answer = || server.seen().into_iter().find(|seen| seen.body["id"] == "e1");
    eventually("the refusal comes back", || answer().is_some()).await;
    assert_eq!(answer().unwrap().body["error"]["code"], -32601);
}
