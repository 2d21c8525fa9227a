//! `sampling/createMessage` to a request for a model, and a model's reply to its result. Pure.
//!
//! Text and tool use are passed through. What the model's conversation cannot carry (images, audio) is refused, never
//! left out in silence. Hints about which model to take, temperature and further context are the client's to ignore
//! (2025-11-25, client/sampling): the suite says who answers.

use serde_json::{Value, json};

use crate::display::excerpt;
use crate::ids::{CallId, ToolName};
use crate::llm::{ChatReply, ChatRequest, Message, ToolChoice, ToolOffer};
use crate::transcript::ToolCall;

/// Most messages and tools of one request.
const MOST: usize = 1_000;

/// Why a request is not passed on, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server's request breaks the protocol.
    Malformed(String),
    /// The request is in order, and cannot be served here.
    Unserved(String),
}

/// What the server asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The conversation.
    pub request: ChatRequest,
    /// Most tokens of the answer.
    pub max_tokens: Option<u32>,
}

/// Reads a request. `tools` says whether the client declared `sampling.tools`.
pub fn read(params: &Value, tools: bool, trial: u32) -> Result<Wanted, Refused> {
    let malformed = |message: &str| Refused::Malformed(message.to_owned());
    let messages = params.get("messages").and_then(Value::as_array);
    let messages = messages.filter(|messages| !messages.is_empty() && messages.len() <= MOST);
    let messages = messages.ok_or_else(|| malformed("`messages` is no list of 1 to 1000 messages"))?;
    let offered = params.get("tools").filter(|offered| !offered.is_null());
    if offered.is_some() && !tools {
        return Err(malformed("`tools` are offered, and the client does not declare `sampling.tools`"));
    }
    let mut said = vec![];
    for message in messages {
        let role = message.get("role").and_then(Value::as_str);
        let content = message.get("content").ok_or_else(|| malformed("a message has no `content`"))?;
        let blocks = match content {
            Value::Array(blocks) => blocks.as_slice(),
            one => std::slice::from_ref(one),
        };
        match role {
            Some("user") => user(blocks, &mut said)?,
            Some("assistant") => said.push(assistant(blocks)?),
            _ => return Err(malformed("a message has neither the role `user` nor `assistant`")),
        }
    }
    let request = ChatRequest {
        system: params.get("systemPrompt").and_then(Value::as_str).map(str::to_owned),
        messages: said,
        tools: offers(offered, params)?.into(),
        choice: choice(params),
        trial,
        ..ChatRequest::default()
    };
    let max_tokens = params.get("maxTokens").and_then(Value::as_u64);
    if max_tokens == Some(0) {
        return Err(malformed("`maxTokens` is 0"));
    }
    Ok(Wanted { request, max_tokens: max_tokens.map(|most| u32::try_from(most).unwrap_or(u32::MAX)) })
}

fn kind(block: &Value) -> &str {
    block.get("type").and_then(Value::as_str).unwrap_or("unknown")
}

fn text_of(block: &Value) -> &str {
    block.get("text").and_then(Value::as_str).unwrap_or_default()
}

fn unserved(block: &Value) -> Refused {
    Refused::Unserved(format!(
        "content of the type `{}` cannot be passed to the model",
        excerpt(kind(block), 40)
    ))
}

/// Words and tool results of a user's message; results first, as conversations of models have them.
fn user(blocks: &[Value], said: &mut Vec<Message>) -> Result<(), Refused> {
    let mut words = vec![];
    for block in blocks {
        match kind(block) {
            "text" => words.push(text_of(block)),
            "tool_result" => {
                let id = block.get("toolUseId").and_then(Value::as_str).unwrap_or_default();
                let call = called(said, id).ok_or_else(|| {
                    Refused::Malformed(format!(
                        "a tool result is for `{}`, which was not called",
                        excerpt(id, 60)
                    ))
                })?;
                let parts = block.get("content").and_then(Value::as_array).map(Vec::as_slice);
                let parts = parts.unwrap_or_default();
                if let Some(other) = parts.iter().find(|part| kind(part) != "text") {
                    return Err(unserved(other));
                }
                let text = match block.get("structuredContent").filter(|_| parts.is_empty()) {
                    Some(value) => value.to_string(),
                    None => parts.iter().map(text_of).collect::<Vec<_>>().join("\n"),
                };
                let is_error = block.get("isError").and_then(Value::as_bool).unwrap_or(false);
                said.push(Message::Tool { call, text, is_error, media: vec![] });
            }
            _ => return Err(unserved(block)),
        }
    }
    if !words.is_empty() {
        said.push(Message::User(words.join("\n")));
    }
    Ok(())
}

fn called(said: &[Message], id: &str) -> Option<ToolCall> {
    said.iter().rev().find_map(|message| match message {
        Message::Assistant { calls, .. } => calls.iter().find(|call| call.id.as_str() == id).cloned(),
        _ => None,
    })
}

fn assistant(blocks: &[Value]) -> Result<Message, Refused> {
    let (mut words, mut calls) = (vec![], vec![]);
    for block in blocks {
        let field = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match kind(block) {
            "text" => words.push(text_of(block)),
            "tool_use" => calls.push(ToolCall {
                id: CallId::new(field("id")),
                name: ToolName::new(field("name")),
                args: block.get("input").cloned().unwrap_or_else(|| json!({})),
            }),
            _ => return Err(unserved(block)),
        }
    }
    Ok(Message::Assistant { text: (!words.is_empty()).then(|| words.join("\n")), calls, carry: None })
}

fn choice(params: &Value) -> ToolChoice {
    let mode = params.get("toolChoice").and_then(|choice| choice.get("mode")).and_then(Value::as_str);
    if mode == Some("required") { ToolChoice::Required } else { ToolChoice::Auto }
}

fn offers(offered: Option<&Value>, params: &Value) -> Result<Vec<ToolOffer>, Refused> {
    let mode = params.get("toolChoice").and_then(|choice| choice.get("mode")).and_then(Value::as_str);
    let Some(offered) = offered else { return Ok(vec![]) };
    let tools = offered.as_array().filter(|tools| tools.len() <= MOST);
    let tools =
        tools.ok_or_else(|| Refused::Malformed("`tools` is no list of at most 1000 tools".to_owned()))?;
    match mode {
        None | Some("auto" | "required") => {}
        Some("none") => return Ok(vec![]),
        Some(other) => {
            return Err(Refused::Unserved(format!(
                "`toolChoice` `{}` cannot be passed to the model",
                excerpt(other, 40)
            )));
        }
    }
    tools
        .iter()
        .map(|tool| {
            let text = |key: &str| tool.get(key).and_then(Value::as_str);
            let name = text("name").ok_or_else(|| Refused::Malformed("a tool has no `name`".to_owned()))?;
            Ok(ToolOffer {
                name: ToolName::new(name),
                tool: None,
                title: text("title").map(str::to_owned),
                description: text("description").unwrap_or_default().to_owned(),
                schema: tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"})),
            })
        })
        .collect()
}

/// The result for the server. The error says why the reply cannot be written as one.
pub fn result(reply: &ChatReply, model: &str) -> Result<Value, String> {
    let mut blocks = vec![];
    if let Some(text) = reply.text.as_ref().filter(|text| !text.is_empty() || reply.calls.is_empty()) {
        blocks.push(json!({"type": "text", "text": text}));
    }
    for call in &reply.calls {
        if !call.args.is_object() {
            return Err(format!(
                "the model's arguments for `{}` are no JSON object",
                excerpt(call.name.as_str(), 60)
            ));
        }
        blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.args}));
    }
    let stop = match reply.stop.as_str() {
        _ if !reply.calls.is_empty() => "toolUse",
        "length" | "max_tokens" | "MAX_TOKENS" => "maxTokens",
        "stop_sequence" => "stopSequence",
        _ => "endTurn",
    };
    // Before 2025-11-25 the content was one block, and it still may be.
    let content = match <[Value; 1]>::try_from(blocks) {
        Ok([one]) => one,
        Err(blocks) if blocks.is_empty() => json!({"type": "text", "text": ""}),
        Err(blocks) => Value::Array(blocks),
    };
    Ok(json!({"role": "assistant", "content": content, "model": model, "stopReason": stop}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Usage;

    #[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
    fn said(role: &str, content: Value) -> Value {
        json!({"role": role, "content": content})
    }

    fn words(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn a_conversation_is_passed_on_with_its_tools() {
        let used = json!([words("Let me see."), {"type": "tool_use", "id": "u1", "name": "look", "input": {"a": 1}}]);
        let got =
            json!([{"type": "tool_result", "toolUseId": "u1", "content": [words("found")]}, words("And?")]);
        let params = json!({
            "messages": [said("user", words("Look.")), said("assistant", used), said("user", got)],
            "systemPrompt": "Be brief.", "maxTokens": 50, "temperature": 0.1,
            "tools": [{"name": "look", "description": "Looks.", "inputSchema": {"type": "object"}}],
        });
        let Wanted { request, max_tokens } = read(&params, true, 2).unwrap();
        assert_eq!((request.system.as_deref(), max_tokens, request.trial), (Some("Be brief."), Some(50), 2));
        assert_eq!(request.tools[0].name.as_str(), "look");
        let call = ToolCall { id: "u1".into(), name: "look".into(), args: json!({"a": 1}) };
        let expected = [
            Message::User("Look.".into()),
            Message::Assistant { text: Some("Let me see.".into()), calls: vec![call.clone()], carry: None },
            Message::Tool { call, text: "found".into(), is_error: false, media: vec![] },
            Message::User("And?".into()),
        ];
        assert_eq!(request.messages, expected);
        assert!(matches!(read(&params, false, 1), Err(Refused::Malformed(_))));
    }

    #[test]
    fn what_cannot_be_passed_on_is_refused() {
        let asks = |message: Value| read(&json!({"messages": [message], "maxTokens": 5}), true, 1);
        let image = json!({"type": "image", "data": "AA", "mimeType": "image/png"});
        assert!(matches!(asks(said("user", image)), Err(Refused::Unserved(_))));
        let stray = json!({"type": "tool_result", "toolUseId": "x", "content": []});
        for message in [said("system", words("x")), json!({"role": "user"}), said("user", stray)] {
            assert!(matches!(asks(message.clone()), Err(Refused::Malformed(_))), "{message}");
        }
        for params in [json!({}), json!({"messages": []}), Value::Null] {
            assert!(matches!(read(&params, true, 1), Err(Refused::Malformed(_))));
        }
        let forced = |mode: &str| json!({"messages": [said("user", words("x"))], "tools": [], "toolChoice": {"mode": mode}});
        assert_eq!(read(&forced("required"), true, 1).unwrap().request.choice, ToolChoice::Required);
        assert!(matches!(read(&forced("sometimes"), true, 1), Err(Refused::Unserved(_))));
    }

    fn reply(text: Option<&str>, calls: Vec<ToolCall>, stop: &str) -> ChatReply {
        ChatReply {
            text: text.map(str::to_owned),
            reasoning: Some("PRIVATE".into()),
            calls,
            usage: Usage::default(),
            stop: stop.to_owned(),
            took_ms: 1,
            ..ChatReply::default()
        }
    }

    #[test]
    fn replies_become_results_without_private_reasoning() {
        let plain = result(&reply(Some("Hi."), vec![], "stop"), "m").unwrap();
        let expected =
            json!({"role": "assistant", "content": words("Hi."), "model": "m", "stopReason": "endTurn"});
        assert_eq!(plain, expected);
        assert_eq!(result(&reply(Some("Hi"), vec![], "length"), "m").unwrap()["stopReason"], "maxTokens");
        let call = |args: Value| ToolCall { id: "c".into(), name: "t".into(), args };
        let used = result(&reply(Some("So:"), vec![call(json!({}))], "tool_calls"), "m").unwrap();
        assert_eq!((&used["stopReason"], used["content"].as_array().unwrap().len()), (&json!("toolUse"), 2));
        assert!(result(&reply(None, vec![call(json!("{"))], "tool_calls"), "m").is_err());
        assert_eq!(result(&reply(None, vec![], "stop"), "m").unwrap()["content"], words(""));
    }
}
