//! Calls that need several rounds (2026-07-28).

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use rehearsal::mcp::host::accepting::Accepting;
use rehearsal::mcp::{Host, Opening};
use serde_json::{Value, json};

use crate::modern::{complete, discovered, modern};
use crate::stage::{Scripted, anonymous, log, result, text_of, text_result};

/// Not the order in which anybody else would write it: a state that is read and written again is another one.
const STATE: &str = r#"{"z":1, "a" : 2.50,"e":"\u00e9"}"#;

fn input_required(state: Option<&str>) -> Value {
    let schema = json!({"type": "object", "properties": {"confirmed": {"type": "boolean", "default": true}}});
    let params = json!({"message": "Please confirm", "requestedSchema": schema});
    let mut asked = json!({
        "resultType": "input_required",
        "inputRequests": {"confirm": {"method": "elicitation/create", "params": params}},
    });
    if let Some(state) = state {
        asked["requestState"] = Value::from(state);
    }
    asked
}

/// `sep-2322-client-request-state`: a call that needs input is repeated with the answers under their keys, with a new id
/// and with the state as it came, or with none; calls beside it carry nothing of it; a result without `resultType` is
/// complete.
#[tokio::test]
async fn sep_2322_client_request_state() {
    let calls: Arc<Mutex<Vec<Value>>> = Arc::default();
    let kept = Arc::clone(&calls);
    let server = Scripted::start(move |request| {
        if request.rpc() != "tools/call" {
            return discovered(request);
        }
        kept.lock().unwrap().push(request.body.clone());
        let params = &request.body["params"];
        let first = params.get("inputResponses").is_none();
        match params["name"].as_str().unwrap() {
            "test_mrtr_echo_state" if first => result(request, &input_required(Some(STATE))),
            "test_mrtr_no_state" if first => result(request, &input_required(None)),
            "test_mrtr_no_result_type" => result(request, &text_result("test_mrtr_no_result_type")),
            name => complete(request, &text_result(name)),
        }
    })
    .await;
    let (target, log) = (server.target(), log());
    let profile = modern();
    let host: Arc<dyn Host> = Arc::new(Accepting { capabilities: profile.wire.capabilities() });
    let identity = anonymous();
    let session = target.open(Opening::new(&identity, &profile).hosted(&host), log).await.unwrap();
    let names =
        ["test_mrtr_echo_state", "test_mrtr_no_state", "test_mrtr_unrelated", "test_mrtr_no_result_type"];
    let arguments = json!({"z": 1, "a": 2});
    let outcomes = join_all(names.map(|name| session.call_tool(name, &arguments))).await;
    for (name, outcome) in names.into_iter().zip(outcomes) {
        assert_eq!(text_of(outcome.unwrap()), name);
    }

    let calls = calls.lock().unwrap();
    let of =
        |name: &str| -> Vec<&Value> { calls.iter().filter(|call| call["params"]["name"] == name).collect() };
    for (name, state) in [("test_mrtr_echo_state", Some(STATE)), ("test_mrtr_no_state", None)] {
        let [first, again] = of(name)[..] else { panic!("{name}: {:?}", of(name)) };
        assert_ne!(first["id"], again["id"], "sep-2322-client-jsonrpc-id-different");
        let params = &again["params"];
        assert_eq!(
            params.get("requestState").and_then(Value::as_str),
            state,
            "sep-2322-client-request-state-echoed"
        );
        let answer = json!({"confirm": {"action": "accept", "content": {"confirmed": true}}});
        assert_eq!(params["inputResponses"], answer);
        assert_eq!(params["arguments"].to_string(), arguments.to_string());
        assert!(
            first["params"].get("requestState").is_none() && first["params"].get("inputResponses").is_none()
        );
    }
    for name in ["test_mrtr_unrelated", "test_mrtr_no_result_type"] {
        let [only] = of(name)[..] else { panic!("{name}: {:?}", of(name)) };
        let params = &only["params"];
        assert!(
            params.get("inputResponses").is_none() && params.get("requestState").is_none(),
            "sep-2322-client-parallel-isolation: {params}"
        );
    }
}
