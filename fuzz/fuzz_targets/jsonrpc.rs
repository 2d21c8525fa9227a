//! JSON-RPC: what is read can be written and read again, and another id changes nothing else.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/mcp/jsonrpc.rs"]
mod jsonrpc;

use jsonrpc::Message;

fuzz_target!(|text: &str| {
    let _ = jsonrpc::answer_id(text);
    let Ok(messages) = jsonrpc::read(text) else { return };
    for message in &messages {
        let written = match message {
            Message::Request { id, method, params } => {
                serde_json::json!({"id": id, "method": method, "params": params}).to_string()
            }
            Message::Notification { method, params } => {
                jsonrpc::notification(method, Some(params))
            }
            Message::Answer(answer) => {
                assert_eq!(answer.id, answer.raw_id.parse().ok());
                match &answer.outcome {
                    Ok(result) => format!(r#"{{"id":{},"result":{result}}}"#, answer.raw_id),
                    Err(_) => continue,
                }
            }
        };
        let again = jsonrpc::read(&written).expect("what we write can be read");
        match (message, &again[0]) {
            (Message::Answer(one), Message::Answer(two)) => {
                assert_eq!((one.id, &one.raw_id, &one.outcome), (two.id, &two.raw_id, &two.outcome));
            }
            (one, two) => assert_eq!(one, two),
        }
    }
    if let Some(other) = jsonrpc::with_id(text, 7) {
        assert!(jsonrpc::read(&other).is_ok() || messages.len() != 1);
    }
});
