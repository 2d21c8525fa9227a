//! Blocks become a [`ChatReply`].

use serde_json::{Map, Value, json};

use super::reading::Reading;
use crate::llm::api::calls::Ids;
use crate::llm::api::names::Names;
use crate::llm::{ChatReply, ChatRequest, Odds, estimate};
use crate::transcript::ToolCall;

/// The answer is not finished: the provider wants it back to go on.
pub(super) const PAUSED: &str = "pause_turn";

/// The model, or a filter before it, would not answer.
const REFUSAL: &str = "refusal";

/// The reply. `sent` is the size of the request in bytes, for an estimate where the provider reports nothing.
pub(super) fn of(reading: Reading, request: &ChatRequest, names: &Names, sent: usize) -> ChatReply {
    let Reading { blocks, model, stop, explanation, usage, .. } = reading;
    let mut parts = Parts { ids: Ids::of(request), ..Parts::new() };
    for block in blocks.into_values() {
        parts.add(block.finished(), names);
    }
    let Parts { texts, thoughts, calls, carry, wanted, .. } = parts;
    let stop = stop.unwrap_or_else(|| "unspecified".to_owned());
    let refused = stop == REFUSAL;
    let text = Some(texts.concat()).filter(|text| !text.is_empty()).or(explanation.filter(|_| refused));
    let reasoning = Some(thoughts.join("\n\n")).filter(|text| !text.is_empty());
    let usage = usage
        .read()
        .unwrap_or_else(|| estimate::unreported(sent, text.as_deref(), reasoning.as_deref(), &calls));
    ChatReply {
        text,
        reasoning,
        calls,
        carry: (wanted || stop == PAUSED).then_some(Value::Array(carry)),
        odds: Odds::new(),
        usage,
        model_id: model,
        stop,
        refused,
        took_ms: 0,
        first_token_ms: None,
    }
}

/// An answer that paused and what followed it, as one.
pub(super) fn joined(first: ChatReply, next: ChatReply) -> ChatReply {
    let text = [first.text, next.text].into_iter().flatten().collect::<Vec<_>>().concat();
    let thoughts = [first.reasoning, next.reasoning].into_iter().flatten().collect::<Vec<_>>().join("\n\n");
    let carried = [first.carry, next.carry].into_iter().flatten();
    let carry: Vec<Value> = carried.flat_map(|carry| carry.as_array().cloned().unwrap_or_default()).collect();
    let mut usage = first.usage;
    usage += next.usage;
    ChatReply {
        text: Some(text).filter(|text| !text.is_empty()),
        reasoning: Some(thoughts).filter(|text| !text.is_empty()),
        calls: next.calls,
        carry: (!carry.is_empty()).then_some(Value::Array(carry)),
        usage,
        took_ms: first.took_ms.saturating_add(next.took_ms),
        first_token_ms: first.first_token_ms,
        ..next
    }
}

/// What the blocks hold.
struct Parts {
    ids: Ids,
    texts: Vec<String>,
    thoughts: Vec<String>,
    calls: Vec<ToolCall>,
    carry: Vec<Value>,
    wanted: bool,
}

impl Parts {
    fn new() -> Self {
        Self {
            ids: Ids::of(&ChatRequest::default()),
            texts: vec![],
            thoughts: vec![],
            calls: vec![],
            carry: vec![],
            wanted: false,
        }
    }

    fn add(&mut self, block: Map<String, Value>, names: &Names) {
        let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "text" if text("text").is_empty() => {}
            "text" => {
                self.texts.push(text("text").to_owned());
                self.carry.push(Value::Object(block));
            }
            "tool_use" => {
                let id = self.ids.next(text("id"));
                let args = block.get("input").cloned().unwrap_or_else(|| json!({}));
                // The arguments are with the call; here it keeps its place among the thoughts.
                self.carry.push(json!({"type": "tool_use", "id": id.as_str()}));
                self.calls.push(ToolCall { id, name: names.tool(text("name")), args });
            }
            kind => {
                if kind == "thinking" && !text("thinking").is_empty() {
                    self.thoughts.push(text("thinking").to_owned());
                }
                self.wanted = true;
                self.carry.push(Value::Object(block));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::NAMES;
    use super::*;
    use crate::llm::Message;
    use crate::llm::api::attempt::Reading as _;

    fn whole(body: &Value) -> ChatReply {
        let mut reading = Reading::default();
        reading.whole(body.to_string().as_bytes()).unwrap();
        of(reading, &ChatRequest::default(), &Names::default(), 400)
    }

    #[test]
    fn blocks_of_thought_are_carried_in_their_places() {
        let content = json!([
            {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
            {"type": "redacted_thinking", "data": "EmwK"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "x"}},
            {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "y"}},
            {"type": "text", "text": ""},
        ]);
        let reply = whole(&json!({"content": content, "stop_reason": "tool_use"}));
        assert_eq!(reply.reasoning.as_deref(), Some("hm"));
        assert_eq!(
            reply.carry.unwrap(),
            json!([content[0], content[1], content[2], {"type": "tool_use", "id": "toolu_1"},
                {"type": "tool_use", "id": "call_0_1"}])
        );
        let calls: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.id, call.args)).collect();
        assert_eq!(calls, [r#"toolu_1 {"q":"x"}"#, r#"call_0_1 {"q":"y"}"#]);
        assert!(!reply.usage.reported && reply.usage.input == 100);
    }

    #[test]
    fn nothing_is_carried_where_nothing_was_thought() {
        let content = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]);
        let reply = whole(&json!({"content": content, "stop_reason": "end_turn"}));
        assert_eq!((reply.text.as_deref(), reply.carry), (Some("ab"), None));
        let empty = whole(
            &json!({"content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 2}}),
        );
        assert_eq!((empty.text, empty.refused, empty.usage.reported), (None, false, true));
    }

    #[test]
    fn a_refusal_says_why() {
        let reply = whole(&json!({"content": [], "stop_reason": "refusal",
            "stop_details": {"type": "refusal", "category": "cyber", "explanation": "Not that."}}));
        assert_eq!((reply.text.as_deref(), reply.refused), (Some("Not that."), true));
        let cut = whole(
            &json!({"content": [{"type": "text", "text": "Well"}], "stop_reason": "refusal", "stop_details": null}),
        );
        assert_eq!((cut.text.as_deref(), cut.refused), (Some("Well"), true));
    }

    #[test]
    fn cached_tokens_are_part_of_the_input() {
        let usage =
            |usage: Value| whole(&json!({"content": [], "stop_reason": "end_turn", "usage": usage})).usage;
        let all = usage(
            json!({"input_tokens": 50, "cache_creation_input_tokens": 248, "cache_read_input_tokens": 1800,
            "output_tokens": 503, "output_tokens_details": {"thinking_tokens": 400}}),
        );
        assert_eq!((all.input, all.cached, all.cache_written), (2098, 1800, 248));
        assert_eq!((all.output, all.reasoning, all.reported), (503, 400, true));
        assert!(!usage(json!({"input_tokens": 0, "output_tokens": 0})).reported);
        assert!(!usage(json!({"input_tokens": "x", "output_tokens": 1})).reported);
    }

    #[test]
    fn paused_answers_are_one() {
        let part = |text: &str, stop: &str| {
            whole(
                &json!({"content": [{"type": "server_tool_use", "id": "s"}, {"type": "text", "text": text}],
                "stop_reason": stop, "usage": {"input_tokens": 5, "output_tokens": 2}}),
            )
        };
        let whole = joined(part("One. ", PAUSED), part("Two.", "end_turn"));
        assert_eq!((whole.text.as_deref(), whole.stop.as_str()), (Some("One. Two."), "end_turn"));
        assert_eq!((whole.usage.input, whole.usage.output), (10, 4));
        assert_eq!(whole.carry.unwrap().as_array().unwrap().len(), 4);
        let message = Message::Assistant { text: None, calls: vec![], carry: part("x", PAUSED).carry };
        let request = ChatRequest { messages: vec![message], ..ChatRequest::default() };
        let body = super::super::request::body(
            &crate::llm::ModelSpec::new("m", "anthropic"),
            &request,
            &Names::of(&request, NAMES),
        );
        assert!(body.unwrap().get().contains("server_tool_use"));
    }
}
