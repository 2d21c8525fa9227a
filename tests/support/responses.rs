//! Answers of the Responses API in the shapes of OpenAI's API reference (Responses: "The response object", "Streaming
//! events"), whole and streamed. The official client validates them in `tests/interop/models.rs`.

use serde_json::{Value, json};

/// A response with this output.
pub(crate) fn response(status: &str, output: &Value) -> Value {
    json!({"id": "resp_1", "object": "response", "created_at": 1_795_000_000.0, "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": null, "model": "m-2026",
        "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": "medium", "summary": null}, "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled",
        "usage": {"input_tokens": 36, "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 0},
            "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 8}, "total_tokens": 56},
        "user": null, "metadata": {}})
}

/// A message of the model with one part.
pub(crate) fn message(part: &Value) -> Value {
    json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]})
}

/// A text as a part.
pub(crate) fn text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// A call.
pub(crate) fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments,
        "status": "completed"})
}

/// Encrypted reasoning.
pub(crate) fn reasoning() -> Value {
    json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAAAAB-opaque"})
}

/// Events as they stand on the wire, numbered.
pub(crate) fn stream(events: &[Value]) -> String {
    let mut out = String::new();
    for (number, event) in events.iter().enumerate() {
        let mut event = event.clone();
        event["sequence_number"] = json!(number);
        out.push_str(&format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()));
    }
    out
}

fn begun() -> Value {
    let mut begun = response("in_progress", &json!([]));
    begun["usage"] = Value::Null;
    json!({"type": "response.created", "response": begun})
}

/// A streamed text after some reasoning.
pub(crate) fn text_stream() -> String {
    let whole = message(&text("Grüße — 日本 🎭"));
    let mut empty = whole.clone();
    (empty["content"], empty["status"]) = (json!([]), json!("in_progress"));
    let delta = |delta: &str| {
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0,
            "delta": delta, "logprobs": []})
    };
    let part = |what: &str, said: &str| {
        json!({"type": format!("response.content_part.{what}"), "item_id": "msg_1", "output_index": 1,
            "content_index": 0, "part": text(said)})
    };
    stream(&[
        begun(),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "summary": []}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0,
            "delta": "Hm."}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning()}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": empty}),
        part("added", ""),
        delta("Grüße — "),
        delta("日本 🎭"),
        json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 1, "content_index": 0,
            "text": "Grüße — 日本 🎭", "logprobs": []}),
        part("done", "Grüße — 日本 🎭"),
        json!({"type": "response.output_item.done", "output_index": 1, "item": whole}),
        json!({"type": "response.completed", "response": response("completed", &json!([reasoning(), whole]))}),
    ])
}

/// Two calls whose pieces are interleaved.
pub(crate) fn call_stream() -> String {
    let (first, second) = (call("a", "get_order", "{\"id\":2}"), call("b", "echo", "{\"t\":1}"));
    let added = |index: u64, item: &Value| {
        let mut item = item.clone();
        (item["arguments"], item["status"]) = (json!(""), json!("in_progress"));
        json!({"type": "response.output_item.added", "output_index": index, "item": item})
    };
    let delta = |index: u64, id: &str, delta: &str| json!({"type": "response.function_call_arguments.delta", "item_id": id, "output_index": index, "delta": delta});
    let whole = |index: u64, id: &str, arguments: &str| {
        json!({"type": "response.function_call_arguments.done", "item_id": id, "output_index": index,
            "name": if index == 0 { "get_order" } else { "echo" }, "arguments": arguments})
    };
    let done = |index: u64, item: &Value| json!({"type": "response.output_item.done", "output_index": index, "item": item});
    stream(&[
        begun(),
        added(0, &first),
        added(1, &second),
        delta(0, "fc_a", "{\"id\":"),
        delta(1, "fc_b", "{\"t\":1}"),
        delta(0, "fc_a", "2}"),
        whole(0, "fc_a", "{\"id\":2}"),
        whole(1, "fc_b", "{\"t\":1}"),
        done(0, &first),
        done(1, &second),
        json!({"type": "response.completed", "response": response("completed", &json!([first, second]))}),
    ])
}
