//! Answers of Gemini's generateContent. Shapes and most values are those of Google's documentation, as of November 2026:
//! "Thought signatures" (<https://ai.google.dev/gemini-api/docs/thought-signatures>: calls side by side, of which the first
//! is signed; a signature in an empty last text) and "Generating content" (<https://ai.google.dev/api/generate-content>:
//! usage, blocked prompts, reasons to stop). Texts that are cut between characters are ours. The official client validates
//! them in `tests/interop/native.rs`.

use serde_json::{Value, json};

/// An answer around parts.
pub(crate) fn answer(parts: &Value, finish: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30, "totalTokenCount": 150},
        "modelVersion": "gemini-3.8-flash", "responseId": "mNXhaLvsHYyJz7IPr7aD4AI"})
}

/// A whole answer that is a text.
pub(crate) fn text(text: &str) -> Value {
    answer(&json!([{ "text": text }]), "STOP")
}

/// A whole answer with two calls; the first part is signed.
pub(crate) fn calls() -> Value {
    answer(
        &json!([
            {"functionCall": {"id": "fc_1", "name": "get.order", "args": {"id": 1042}}, "thoughtSignature": "U2lnbmF0dXJlIEE="},
            {"functionCall": {"id": "fc_2", "name": "echo", "args": {}}},
        ]),
        "STOP",
    )
}

/// A prompt that was blocked.
pub(crate) fn blocked() -> Value {
    json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}, "modelVersion": "gemini-3.8-flash"})
}

/// An answer that a filter cut.
pub(crate) fn unsafe_answer() -> Value {
    json!({"candidates": [{"finishReason": "SAFETY", "index": 0, "finishMessage": "The answer was blocked."}],
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}})
}

/// One event of a stream.
pub(crate) fn event(data: &Value) -> String {
    format!("data: {data}\r\n\r\n")
}

/// A piece of a streamed answer.
pub(crate) fn piece(parts: &Value) -> String {
    event(&json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100}, "modelVersion": "gemini-3.8-flash"}))
}

/// A streamed text.
pub(crate) fn text_stream() -> String {
    [
        piece(&json!([{"text": "Thinking.", "thought": true}])),
        piece(&json!([{"text": "Grüße — "}])),
        piece(&json!([{"text": "日本 🎭"}])),
        event(&answer(&json!([{"text": "", "thoughtSignature": "U2lnbmF0dXJlIEI="}]), "STOP")),
    ]
    .concat()
}

/// Two calls, streamed.
pub(crate) fn call_stream() -> String {
    let parts = calls()["candidates"][0]["content"]["parts"].clone();
    [piece(&json!([parts[0]])), piece(&json!([parts[1]])), event(&answer(&json!([{ "text": "" }]), "STOP"))]
        .concat()
}
