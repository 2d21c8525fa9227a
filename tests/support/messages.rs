//! Answers of the Messages API. Shapes and most values are those of Anthropic's documentation, as of November 2026:
//! "Streaming messages" (<https://platform.claude.com/docs/en/build-with-claude/streaming>: the streamed call and thought),
//! "Stop reasons" (`.../handling-stop-reasons`: the whole answer, the refusal) and "Prompt caching" (`.../prompt-caching`:
//! usage). The second call and the texts are ours. The official client validates them in `tests/interop/native.rs`.

use serde_json::{Value, json};

/// A message around blocks.
pub(crate) fn message(content: &Value, stop: &str) -> Value {
    json!({"id": "msg_01234", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": content,
        "stop_reason": stop, "stop_sequence": null, "stop_details": null,
        "usage": {"input_tokens": 50, "cache_creation_input_tokens": 248, "cache_read_input_tokens": 1800,
            "output_tokens": 503, "output_tokens_details": {"thinking_tokens": 400}}})
}

/// A whole answer that is a text.
pub(crate) fn text(text: &str) -> Value {
    message(&json!([{"type": "text", "text": text}]), "end_turn")
}

/// A whole answer with thought, a text and two calls.
pub(crate) fn calls() -> Value {
    let call = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    let content = json!([
        {"type": "thinking", "thinking": "I need both.", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"},
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"},
        {"type": "text", "text": "Let me look."},
        call("toolu_01A", "get_order", json!({"id": 1042})),
        call("toolu_01B", "echo", json!({})),
    ]);
    message(&content, "tool_use")
}

/// A refusal with its reason.
pub(crate) fn refusal() -> Value {
    let mut refusal = message(&json!([]), "refusal");
    refusal["stop_details"] =
        json!({"type": "refusal", "category": "cyber", "explanation": "This request was declined."});
    refusal
}

/// One event of a stream.
pub(crate) fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}

fn start() -> String {
    event(
        &json!({"type": "message_start", "message": {"id": "msg_014p7gG3wDgGV9EUtLvnow3U", "type": "message",
        "role": "assistant", "model": "claude-opus-5-5", "stop_sequence": null, "content": [], "stop_reason": null,
        "usage": {"input_tokens": 472, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 100, "output_tokens": 2}}}),
    )
}

fn begin(index: u64, block: &Value) -> String {
    event(&json!({"type": "content_block_start", "index": index, "content_block": block}))
}

/// A piece of a block.
pub(crate) fn delta(index: u64, delta: &Value) -> String {
    event(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
}

fn end(index: u64) -> String {
    event(&json!({"type": "content_block_stop", "index": index}))
}

fn stop(reason: &str) -> String {
    event(&json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
        "usage": {"output_tokens": 89}}))
}

/// The beginning of a streamed text, up to its first words.
pub(crate) fn begun() -> String {
    [
        start(),
        begin(0, &json!({"type": "text", "text": ""})),
        event(&json!({"type": "ping"})),
        delta(0, &json!({"type": "text_delta", "text": "Grüße — "})),
    ]
    .concat()
}

/// A streamed text up to its reason to stop.
pub(crate) fn unclosed_stream() -> String {
    [begun(), delta(0, &json!({"type": "text_delta", "text": "日本 🎭"})), end(0), stop("end_turn")].concat()
}

/// A streamed text.
pub(crate) fn text_stream() -> String {
    [unclosed_stream(), event(&json!({"type": "message_stop"}))].concat()
}

/// A streamed thought and two calls, one without arguments.
pub(crate) fn call_stream() -> String {
    let json = |piece: &str| json!({"type": "input_json_delta", "partial_json": piece});
    let call = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    [
        start(),
        begin(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, &json!({"type": "thinking_delta", "thinking": "I need "})),
        delta(0, &json!({"type": "thinking_delta", "thinking": "both."})),
        delta(0, &json!({"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"})),
        end(0),
        begin(1, &json!({"type": "text", "text": ""})),
        delta(1, &json!({"type": "text_delta", "text": "Okay."})),
        end(1),
        begin(2, &call("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_order")),
        delta(2, &json("")),
        delta(2, &json("{\"id\":")),
        delta(2, &json(" 1042}")),
        end(2),
        begin(3, &call("toolu_02", "echo")),
        end(3),
        stop("tool_use"),
        event(&json!({"type": "message_stop"})),
    ]
    .concat()
}
