//! Parts become a [`ChatReply`].

use serde_json::{Value, json};

use super::reading::{Reading, WireUsage};
use crate::llm::api::calls::Ids;
use crate::llm::api::names::Names;
use crate::llm::{ChatReply, ChatRequest, estimate, odds};
use crate::transcript::ToolCall;

/// Why an answer stopped when it was the model, or a filter, that would not go on.
const REFUSALS: &[&str] = &[
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "MODEL_ARMOR",
    "ESCALATION",
];

/// The reply. `sent` is the size of the request in bytes, for an estimate where the provider reports nothing.
pub(super) fn of(reading: Reading, request: &ChatRequest, names: &Names, sent: usize) -> ChatReply {
    let Reading { parts, tokens, model, stop, explanation, blocked, usage } = reading;
    let (mut texts, mut thoughts, mut calls) = (String::new(), String::new(), vec![]);
    let mut ids = Ids::of(request);
    let mut signed = false;
    for part in &parts {
        signed |= part.contains_key("thoughtSignature");
        if let Some(call) = part.get("functionCall") {
            let text = |key: &str| call.get(key).and_then(Value::as_str).unwrap_or_default();
            let args = call.get("args").filter(|args| !args.is_null()).cloned().unwrap_or_else(|| json!({}));
            calls.push(ToolCall { id: ids.next(text("id")), name: names.tool(text("name")), args });
        }
        let whole = if part.get("thought") == Some(&Value::Bool(true)) { &mut thoughts } else { &mut texts };
        whole.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    let refused = blocked || stop.as_deref().is_some_and(|stop| REFUSALS.contains(&stop));
    let text = Some(texts).filter(|text| !text.is_empty()).or(explanation.filter(|_| refused));
    let odds = odds::of(request.weigh.as_ref(), text.as_deref(), &tokens);
    let reasoning = Some(thoughts).filter(|text| !text.is_empty());
    let usage = usage
        .as_ref()
        .and_then(WireUsage::read)
        .unwrap_or_else(|| estimate::unreported(sent, text.as_deref(), reasoning.as_deref(), &calls));
    ChatReply {
        text,
        reasoning,
        carry: (signed || !calls.is_empty())
            .then(|| Value::Array(parts.into_iter().map(Value::Object).collect())),
        calls,
        odds,
        usage,
        model_id: model,
        stop: stop.unwrap_or_else(|| "unspecified".to_owned()),
        refused,
        took_ms: 0,
        first_token_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::api::attempt::Reading as _;

    fn streamed(pieces: &[Value]) -> ChatReply {
        let mut reading = Reading::default();
        for piece in pieces {
            reading.event(piece.to_string().as_bytes()).unwrap();
        }
        of(reading, &ChatRequest::default(), &Names::default(), 400)
    }

    fn piece(parts: &Value) -> Value {
        json!({"candidates": [{"content": {"role": "model", "parts": parts}}]})
    }

    #[test]
    fn signed_parts_stay_apart_and_go_back_as_they_came() {
        let reply = streamed(&[
            piece(&json!([{"text": "Thin", "thought": true}])),
            piece(&json!([{"text": "king.", "thought": true}, {"text": "Let me "}])),
            piece(
                &json!([{"text": "look."}, {"functionCall": {"name": "find", "args": {"q": 1}}, "thoughtSignature": "EqQB"}]),
            ),
            piece(&json!([{"functionCall": {"name": "find"}}, {"text": "", "thoughtSignature": "Abc"}])),
            json!({"candidates": [{"finishReason": "STOP"}]}),
        ]);
        assert_eq!(
            (reply.text.as_deref(), reply.reasoning.as_deref()),
            (Some("Let me look."), Some("Thinking."))
        );
        let calls: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.id, call.args)).collect();
        assert_eq!(calls, [r#"call_0_0 {"q":1}"#, "call_0_1 {}"]);
        assert_eq!(
            reply.carry.unwrap(),
            json!([
                {"text": "Thinking.", "thought": true},
                {"text": "Let me look."},
                {"functionCall": {"name": "find", "args": {"q": 1}}, "thoughtSignature": "EqQB"},
                {"functionCall": {"name": "find"}},
                {"text": "", "thoughtSignature": "Abc"},
            ])
        );
        assert!(!reply.usage.reported);
    }

    #[test]
    fn stops_are_refusals_or_not() {
        let stopped = |reason: &str| {
            streamed(&[json!({"candidates": [{"finishReason": reason, "finishMessage": "Why."}]})])
        };
        for reason in ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"] {
            let reply = stopped(reason);
            assert_eq!(
                (reply.refused, reply.text.as_deref(), reply.stop.as_str()),
                (true, Some("Why."), reason)
            );
        }
        for reason in ["STOP", "MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "OTHER"] {
            assert_eq!((stopped(reason).refused, stopped(reason).text), (false, None), "{reason}");
        }
        let blocked = streamed(&[json!({"promptFeedback": {"blockReason": "OTHER"}})]);
        assert_eq!((blocked.refused, blocked.stop.as_str(), blocked.text), (true, "OTHER", None));
    }

    #[test]
    fn thoughts_count_beside_the_answer() {
        let usage = |usage: Value| {
            streamed(&[json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage})]).usage
        };
        let all =
            usage(json!({"promptTokenCount": 100, "cachedContentTokenCount": 60, "candidatesTokenCount": 20,
            "thoughtsTokenCount": 30, "toolUsePromptTokenCount": 5, "totalTokenCount": 155}));
        assert_eq!((all.input, all.output, all.cached, all.reasoning), (105, 50, 60, 30));
        assert!(!usage(json!({"promptTokenCount": 0})).reported);
    }
}
