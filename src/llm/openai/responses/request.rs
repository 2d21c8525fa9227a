//! A [`ChatRequest`] becomes the body of `POST /responses`: instructions, input items, tools.

use std::borrow::Cow;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::media;
use super::super::request::{arguments, longest, result};
use crate::llm::api::names::Names;
use crate::llm::api::{Fields, written};
use crate::llm::offers::{Form, Written};
use crate::llm::schema::{self, rules};
use crate::llm::{ChatRequest, Media, Message, ModelSpec, ToolChoice};
use crate::transcript::{Fault, ToolCall};

/// Where the items of an answer stand among what is carried.
pub(super) const ITEMS: &str = "items";

/// The beginnings of ids of models that think, besides GPT from the fifth on. Others refuse to encrypt what they do not
/// have.
const THINKERS: &[&str] = &["o1", "o3", "o4", "codex", "gpt-oss"];

/// The body as JSON text.
pub(super) fn body(
    spec: &ModelSpec,
    rules: &'static rules::Rules,
    request: &ChatRequest,
    names: &Names,
) -> Result<Box<RawValue>, Fault> {
    written(&Body { spec, rules, request, names })
}

struct Body<'a> {
    spec: &'a ModelSpec,
    rules: &'static rules::Rules,
    request: &'a ChatRequest,
    names: &'a Names,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { spec, rules, request, names } = self;
        let mut fields = Fields::new(serializer.serialize_map(None)?, &spec.extra);
        fields.put("model", spec.api_id())?;
        if let Some(system) = &request.system {
            fields.put("instructions", system)?;
        }
        fields.put("input", &Input { request, names })?;
        if !request.tools.is_empty() {
            let form = names.are_plain().then_some(Form { dialect: "responses", rules });
            let tools = Tools { request, names, rules };
            fields.put("tools", &Written { offers: &request.tools, form, tools })?;
            match &request.choice {
                ToolChoice::Auto => fields.put("tool_choice", "auto")?,
                ToolChoice::Never => fields.put("tool_choice", "none")?,
                ToolChoice::Required => fields.put("tool_choice", "required")?,
                ToolChoice::Only(name) => {
                    fields.put("tool_choice", &json!({"type": "function", "name": names.wire(name)}))?;
                }
            }
            if let Some(parallel) = spec.parallel_tools {
                fields.put("parallel_tool_calls", &parallel)?;
            }
        }
        let mut text = Map::new();
        if let Some(schema) = &request.answer_schema {
            let schema = schema::answer(schema, &rules::OPENAI_STRICT);
            let format = json!({"type": "json_schema", "name": "answer", "strict": true, "schema": schema});
            text.insert("format".to_owned(), format);
        }
        fields.merge("text", text)?;
        let mut reasoning = Map::new();
        if let Some(effort) = spec.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_ref()) {
            reasoning.insert("effort".to_owned(), json!(effort));
        }
        fields.merge("reasoning", reasoning)?;
        if let Some(temperature) = spec.temperature {
            fields.put("temperature", &temperature)?;
        }
        if let Some(limit) = longest(spec) {
            fields.put("max_output_tokens", &limit)?;
        }
        fields.put("store", &false)?;
        let thought = thinks(spec).then_some("reasoning.encrypted_content");
        let logprobs = request.weigh.as_ref().map(|_| "message.output_text.logprobs");
        let include: Vec<&str> = thought.into_iter().chain(logprobs).collect();
        if !include.is_empty() {
            fields.put("include", &include)?;
        }
        if let Some(weigh) = &request.weigh {
            fields.put("top_logprobs", &weigh.top)?;
        }
        if spec.stream {
            fields.put("stream", &true)?;
        }
        fields.end(&["text", "reasoning"])
    }
}

/// Whether there is reasoning to carry from turn to turn.
fn thinks(spec: &ModelSpec) -> bool {
    // Routers put the maker before the id.
    let id = spec.api_id().rsplit('/').next().unwrap_or_default();
    let number = id.strip_prefix("gpt-").map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let generation = number.flatten().and_then(|number| number.parse::<u32>().ok());
    let thinks = generation.is_some_and(|generation| generation >= 5 && !id.contains("-chat"));
    spec.reasoning.is_some() || thinks || THINKERS.iter().any(|known| id.starts_with(known))
}

struct Tools<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
    rules: &'static rules::Rules,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: Cow<'a, Value>,
    // Absent would mean strict, which few schemas of servers are.
    strict: bool,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let taken = schema::taken(&self.request.tools, self.rules);
        serializer.collect_seq(taken.iter().map(|tool| WireTool {
            r#type: "function",
            name: self.names.wire(&tool.name),
            description: schema::description(tool, self.rules),
            parameters: schema::input(&tool.schema, self.rules).schema,
            strict: false,
        }))
    }
}

struct Input<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
}

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for message in &self.request.messages {
            match message {
                Message::User(text) => list.serialize_element(&Said { role: "user", content: text })?,
                Message::Assistant { text, calls, carry } => {
                    let items = carry.as_ref().and_then(|carry| carry.get(ITEMS)).and_then(Value::as_array);
                    match items {
                        Some(items) => self.carried(&mut list, items, calls)?,
                        None => {
                            if let Some(text) = text {
                                list.serialize_element(&Said { role: "assistant", content: text })?;
                            }
                            for call in calls {
                                list.serialize_element(&self.call(call))?;
                            }
                        }
                    }
                }
                Message::Tool { call, text, is_error, media } => {
                    let text = result(text, *is_error);
                    list.serialize_element(&Returned {
                        r#type: "function_call_output",
                        call_id: call.id.as_str(),
                        output: match media.as_slice() {
                            [] => Output::Text(text),
                            media => Output::Parts(parts(&text, media)),
                        },
                    })?;
                }
            }
        }
        list.end()
    }
}

impl Input<'_> {
    /// The items of an answer in their order; calls in the place of their marks.
    fn carried<S: SerializeSeq>(
        &self,
        list: &mut S,
        items: &[Value],
        calls: &[ToolCall],
    ) -> Result<(), S::Error> {
        for item in items {
            match item.get("call").and_then(Value::as_str) {
                None => list.serialize_element(item)?,
                Some(id) => {
                    if let Some(call) = calls.iter().find(|call| call.id.as_str() == id) {
                        list.serialize_element(&self.call(call))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a ToolCall) -> Called<'a> {
        Called {
            r#type: "function_call",
            call_id: call.id.as_str(),
            name: self.names.wire(&call.name),
            arguments: arguments(call),
        }
    }
}

#[derive(Serialize)]
struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Called<'a> {
    r#type: &'static str,
    call_id: &'a str,
    name: &'a str,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
struct Returned<'a> {
    r#type: &'static str,
    call_id: &'a str,
    output: Output<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Value>),
}

/// A result with images; the API has no form for sounds.
fn parts(text: &str, media: &[Media]) -> Vec<Value> {
    let mut parts = vec![json!({"type": "input_text", "text": text})];
    parts.extend(media.iter().map(media::output_part));
    parts
}

#[cfg(test)]
mod tests {
    use super::super::super::NAMES;
    use super::*;
    use crate::llm::schema::rules::OPENAI;
    use crate::llm::{Reasoning, ToolOffer};

    fn shown(spec: &ModelSpec, request: &ChatRequest) -> Value {
        let text = body(spec, &OPENAI, request, &Names::of(request, NAMES)).unwrap();
        serde_json::from_str(text.get()).unwrap()
    }

    fn conversation() -> ChatRequest {
        let call = ToolCall { id: "c1".into(), name: "get.order".into(), args: json!({"id": 1042}) };
        ChatRequest {
            system: Some("Be brief.".into()),
            messages: vec![
                Message::User("Where is it?".into()),
                Message::Assistant {
                    text: Some("Let me look.".into()),
                    calls: vec![call.clone()],
                    carry: Some(json!({"items": [
                        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"},
                        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
                        {"call": "c1"}
                    ]})),
                },
                Message::Tool {
                    call,
                    text: "gone".into(),
                    is_error: true,
                    media: vec![
                        Media { mime: "image/png".into(), data: "QQ==".into() },
                        Media { mime: "audio/wav".into(), data: "QQ==".into() },
                    ],
                },
            ],
            tools: vec![ToolOffer {
                name: "get.order".into(),
                tool: None,
                title: None,
                description: "An order".into(),
                schema: json!({"type": "object"}),
            }]
            .into(),
            trial: 1,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_conversation_with_reasoning_and_tools_is_written_in_the_api_s_form() {
        let mut spec = ModelSpec::new("gpt-5-x", "openai_responses");
        spec.reasoning = Some(Reasoning { effort: Some("low".into()), budget: None });
        (spec.max_tokens, spec.parallel_tools, spec.stream) = (Some(100), Some(false), true);
        spec.extra.insert("reasoning".to_owned(), json!({"summary": "auto"}));
        spec.extra.insert("text".to_owned(), json!({"verbosity": "low"}));
        let body = shown(&spec, &conversation());
        insta::assert_snapshot!(serde_json::to_string_pretty(&body).unwrap());
    }

    #[test]
    fn an_answer_has_its_schema_and_models_that_do_not_think_nothing_to_encrypt() {
        let request = ChatRequest {
            answer_schema: Some(
                json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}),
            ),
            tools: vec![].into(),
            ..conversation()
        };
        let body = shown(&ModelSpec::new("gpt-4.1", "openai_responses"), &request);
        assert_eq!(
            body["text"]["format"],
            json!({"type": "json_schema", "name": "answer", "strict": true, "schema": {
                "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": false}})
        );
        assert!(
            body.get("include").is_none()
                && body.get("tool_choice").is_none()
                && body.get("reasoning").is_none()
        );
        for (id, expected) in [
            ("openai/gpt-5.4", true),
            ("gpt-6.1-terra", true),
            ("o4-mini", true),
            ("gpt-4.1", false),
            ("gpt-5-chat-latest", false),
            ("gpt-", false),
        ] {
            assert_eq!(thinks(&ModelSpec::new(id, "openai_responses")), expected, "{id}");
        }
    }

    #[test]
    fn without_anything_carried_texts_and_calls_stand_for_themselves() {
        let mut request = conversation();
        if let Message::Assistant { carry, .. } = &mut request.messages[1] {
            *carry = None;
        }
        let body = shown(&ModelSpec::new("m", "openai_responses"), &request);
        assert_eq!(body["input"][1], json!({"role": "assistant", "content": "Let me look."}));
        assert_eq!(
            body["input"][2],
            json!({"type": "function_call", "call_id": "c1", "name": "get_order", "arguments": "{\"id\":1042}"})
        );
    }
}
