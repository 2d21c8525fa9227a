//! Whole answers and events of the Responses API as replies.

use super::*;
use crate::llm::retry::Failure;

fn names() -> Names {
    Names::default()
}

fn reply(assembly: Assembly) -> ChatReply {
    assembly.reply(&ChatRequest { trial: 1, ..ChatRequest::default() }, &names(), 400)
}

fn whole(response: Value) -> Result<ChatReply, Failure> {
    let mut assembly = Assembly::default();
    assembly.take(serde_json::from_value(response).unwrap())?;
    Ok(reply(assembly))
}

fn streamed(events: &[Value]) -> Result<ChatReply, Failure> {
    let mut assembly = Assembly::default();
    for event in events {
        assembly.add(serde_json::from_value(event.clone()).unwrap())?;
    }
    Ok(reply(assembly))
}

#[test]
fn reasoning_calls_and_texts_keep_their_order_in_what_is_carried() {
    let reply = whole(json!({"status": "completed", "model": "gpt-5-x", "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "status": null,
         "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary",
         "content": [{"type": "output_text", "text": "One moment.", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "get_order", "arguments": "{\"id\":1}"},
        {"type": "function_call", "id": "fc_2", "call_id": "call_a", "name": "echo", "arguments": "{oops"},
        {"type": "web_search_call", "id": "ws_1"}
    ], "usage": {"input_tokens": 100, "output_tokens": 30, "total_tokens": 130,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 9}, "output_tokens_details": {"reasoning_tokens": 20}}}))
    .unwrap();
    assert_eq!((reply.text.as_deref(), reply.reasoning.as_deref()), (Some("One moment."), Some("hm")));
    let calls: Vec<_> =
        reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect();
    assert_eq!(calls, [r#"call_a get_order {"id":1}"#, r#"call_0_1 echo "{oops""#]);
    assert_eq!(
        reply.carry.unwrap(),
        json!({"items": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
            {"role": "assistant", "content": "One moment.", "phase": "commentary"},
            {"call": "call_a"},
            {"call": "call_0_1"}
        ]})
    );
    let usage = reply.usage;
    assert_eq!(
        (usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning),
        (100, 30, 60, 9, 20)
    );
    assert!(usage.reported && !reply.refused);
    assert_eq!((reply.stop.as_str(), reply.model_id.as_deref()), ("completed", Some("gpt-5-x")));
}

#[test]
fn refusals_and_cut_answers_say_so() {
    let refusal = whole(json!({"status": "completed", "output": [
        {"type": "message", "content": [{"type": "refusal", "refusal": "I will not."}]}]}))
    .unwrap();
    assert_eq!(
        (refusal.text.as_deref(), refusal.stop.as_str(), refusal.refused),
        (Some("I will not."), "refusal", true)
    );
    for (reason, refused) in [("max_output_tokens", false), ("content_filter", true)] {
        let cut =
            whole(json!({"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}))
                .unwrap();
        assert_eq!((cut.stop.as_str(), cut.refused, cut.text, cut.carry), (reason, refused, None, None));
    }
}

#[test]
fn failed_responses_are_failures() {
    let table = [
        (json!({"status": "failed", "error": {"code": "server_error", "message": "oops"}}), 500),
        (json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}), 429),
        (json!({"status": "failed", "error": {"code": "invalid_prompt", "message": "no"}}), 400),
        (json!({"status": "cancelled"}), 500),
    ];
    for (response, expected) in table {
        let Err(Failure::Status { status, .. }) = whole(response.clone()) else { panic!("{response}") };
        assert_eq!(status, expected, "{response}");
    }
    for event in [
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": null, "sequence_number": 3}),
        json!({"type": "error", "error": {"type": "x", "code": "rate_limit_exceeded", "message": "slow"}}),
        json!({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}}),
    ] {
        let Err(Failure::Status { status, text, .. }) = streamed(std::slice::from_ref(&event)) else {
            panic!("{event}")
        };
        assert_eq!((status, text.as_str()), (429, "slow"), "{event}");
    }
}

#[test]
fn pieces_stand_in_for_items_that_were_never_finished() {
    let item = |index: u64, item: Value| json!({"type": "response.output_item.added", "output_index": index, "item": item});
    let piece =
        |kind: &str, index: u64, delta: &str| json!({"type": kind, "output_index": index, "delta": delta});
    let arguments = "response.function_call_arguments.delta";
    let reply = streamed(&[
        json!({"type": "response.created", "response": {"model": "m-2026", "status": "in_progress"}}),
        piece("response.reasoning_summary_text.delta", 0, "Thin"),
        piece("response.reasoning_summary_text.delta", 0, "king"),
        item(1, json!({"type": "function_call", "call_id": "a", "name": "get_order", "arguments": ""})),
        item(2, json!({"type": "function_call", "call_id": "b", "name": "echo", "arguments": ""})),
        piece(arguments, 1, "{\"id\":"),
        piece(arguments, 2, "{\"t\":1}"),
        piece(arguments, 1, "2}"),
        piece("response.output_text.delta", 3, "Hel"),
        piece("response.output_text.delta", 3, "lo"),
        json!({"type": "response.completed", "response": {"status": "completed", "output": []}}),
    ])
    .unwrap();
    let calls: Vec<_> =
        reply.calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect();
    assert_eq!(calls, [r#"a get_order {"id":2}"#, r#"b echo {"t":1}"#]);
    assert_eq!((reply.text.as_deref(), reply.reasoning.as_deref()), (Some("Hello"), Some("Thinking")));
    assert_eq!((reply.model_id.as_deref(), reply.stop.as_str()), (Some("m-2026"), "completed"));
    assert!(!reply.usage.reported && reply.usage.input == 100);
}
