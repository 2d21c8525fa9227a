//! Answers of the chat completions API as its provider writes them, whole and streamed. The official client validates
//! them in `tests/interop/models.rs`; oddities of other providers are written where they are tested.

use serde_json::{Value, json};

/// A whole answer that is a text.
pub(crate) fn said(text: &str) -> Value {
    let message = json!({"role": "assistant", "content": text, "refusal": null});
    json!({"id": "c", "object": "chat.completion", "created": 1_795_000_000, "model": "m-2026",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null, "message": message}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}})
}

/// One event of a stream.
pub(crate) fn event(delta: &Value, finish: &Value) -> String {
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    format!("data: {}\n\n", chunk(&choices))
}

fn chunk(choices: &Value) -> Value {
    json!({"choices": choices, "id": "c", "object": "chat.completion.chunk", "created": 1_795_000_000,
        "model": "m-2026"})
}

/// A streamed text with its usage.
pub(crate) fn text_stream() -> String {
    let mut last = chunk(&json!([]));
    last["usage"] = json!({"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 2}});
    [
        ": welcome\n\n".to_owned(),
        event(&json!({"role": "assistant", "content": ""}), &Value::Null),
        event(&json!({"content": "Grüße — "}), &Value::Null),
        event(&json!({"content": "日本 🎭"}), &Value::Null),
        event(&json!({}), &json!("stop")),
        format!("data: {last}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

/// Two calls whose pieces are interleaved.
pub(crate) fn call_stream() -> String {
    let call = |calls: Value| event(&json!({"tool_calls": calls}), &Value::Null);
    [
        call(json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "get_order", "arguments": ""}}])),
        call(json!([{"index": 1, "id": "b", "type": "function", "function": {"name": "echo", "arguments": "{\"t\""}}])),
        call(json!([{"index": 0, "function": {"arguments": "{\"id\":"}}])),
        call(json!([{"index": 1, "function": {"arguments": ":1}"}}, {"index": 0, "function": {"arguments": "2}"}}])),
        event(&json!({}), &json!("tool_calls")),
    ]
    .concat()
}
