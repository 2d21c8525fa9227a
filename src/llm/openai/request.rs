//! A [`ChatRequest`] becomes the body of `POST /chat/completions`, written once and borrowed, never copied.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

use crate::llm::api::names::Names;
use crate::llm::api::{Fields, written};
use crate::llm::{ChatRequest, Message, ModelSpec, ToolChoice, ToolOffer};
use crate::transcript::{Fault, ToolCall};

/// The address where the newer name of the token limit is known; compatible providers know the older one.
pub(super) const OPENAI_BASE: &str = "https://api.openai.com/v1";

/// The body as JSON text.
pub(super) fn body(spec: &ModelSpec, request: &ChatRequest, names: &Names) -> Result<Box<RawValue>, Fault> {
    written(&Body { spec, request, names })
}

struct Body<'a> {
    spec: &'a ModelSpec,
    request: &'a ChatRequest,
    names: &'a Names,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { spec, request, names } = self;
        let mut fields = Fields::new(serializer.serialize_map(None)?, &spec.extra);
        fields.put("model", spec.api_id())?;
        fields.put("messages", &Messages { request, names })?;
        if !request.tools.is_empty() {
            fields.put("tools", &Tools { request, names })?;
            match &request.choice {
                ToolChoice::Auto => fields.put("tool_choice", "auto")?,
                ToolChoice::Never => fields.put("tool_choice", "none")?,
                ToolChoice::Required => fields.put("tool_choice", "required")?,
                ToolChoice::Only(name) => fields.put(
                    "tool_choice",
                    &json!({"type": "function", "function": {"name": names.wire(name)}}),
                )?,
            }
        }
        if let Some(schema) = &request.answer_schema {
            fields.put("response_format", &AnswerFormat::new(schema))?;
        }
        if let Some(temperature) = spec.temperature {
            fields.put("temperature", &temperature)?;
        }
        if let Some(limit) = spec.max_tokens {
            let openai = spec.base_url.as_deref().is_none_or(|base| base == OPENAI_BASE);
            fields.put(if openai { "max_completion_tokens" } else { "max_tokens" }, &limit)?;
        }
        if let Some(seed) = spec.seed {
            fields.put("seed", &seed)?;
        }
        if spec.stream {
            fields.put("stream", &true)?;
            fields.put("stream_options", &json!({"include_usage": true}))?;
        }
        fields.end(&[])
    }
}

#[derive(Serialize)]
struct AnswerFormat<'a> {
    r#type: &'static str,
    json_schema: AnswerSchema<'a>,
}

#[derive(Serialize)]
struct AnswerSchema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a Value,
}

impl<'a> AnswerFormat<'a> {
    fn new(schema: &'a Value) -> Self {
        Self { r#type: "json_schema", json_schema: AnswerSchema { name: "answer", strict: true, schema } }
    }
}

struct Tools<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: Cow<'a, Value>,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.request.tools.iter().map(|tool| WireTool {
            r#type: "function",
            function: WireFunction {
                name: self.names.wire(&tool.name),
                description: description(tool),
                parameters: parameters(&tool.schema),
            },
        }))
    }
}

/// The API has no field for titles; a title stands in only where there is no description.
fn description(tool: &ToolOffer) -> &str {
    match (tool.description.as_str(), &tool.title) {
        ("", Some(title)) => title,
        (description, _) => description,
    }
}

/// The API refuses object schemas without `properties`, which MCP allows.
fn parameters(schema: &Value) -> Cow<'_, Value> {
    match schema {
        Value::Object(map) if map.contains_key("properties") || map.contains_key("$ref") => {
            Cow::Borrowed(schema)
        }
        Value::Object(map) => {
            let mut map = map.clone();
            map.entry("type").or_insert_with(|| json!("object"));
            map.insert("properties".to_owned(), json!({}));
            Cow::Owned(Value::Object(map))
        }
        _ => Cow::Owned(json!({"type": "object", "properties": {}})),
    }
}

struct Messages<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
}

#[derive(Default, Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<&'a Value>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WireArguments<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a Value>,
}

#[derive(Serialize)]
struct WireArguments<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        if let Some(system) = &self.request.system {
            list.serialize_element(&said("system", system.into()))?;
        }
        for message in &self.request.messages {
            list.serialize_element(&wire_message(message, self.names))?;
        }
        list.end()
    }
}

fn said<'a>(role: &'static str, text: Cow<'a, str>) -> WireMessage<'a> {
    WireMessage { role, content: Some(text), ..WireMessage::default() }
}

fn wire_message<'a>(message: &'a Message, names: &'a Names) -> WireMessage<'a> {
    match message {
        Message::User(text) => said("user", text.into()),
        Message::Assistant { text, calls, carry } => {
            let carried = |key: &str| carry.as_ref().and_then(|carry| carry.get(key));
            let extra = carried("extra_content");
            let content = match text {
                Some(text) => Some(Cow::from(text)),
                None if calls.is_empty() => Some(Cow::from("")),
                None => None,
            };
            WireMessage {
                role: "assistant",
                content,
                tool_calls: calls.iter().map(|call| wire_call(call, names, extra)).collect(),
                tool_call_id: None,
                reasoning_content: carried("reasoning_content"),
                reasoning_details: carried("reasoning_details"),
            }
        }
        Message::Tool { call, text, is_error, media: _ } => {
            WireMessage { tool_call_id: Some(call.id.as_str()), ..said("tool", result(text, *is_error)) }
        }
    }
}

/// The API has no flag for failed calls, so the text says it, unless it does already.
fn result(text: &str, is_error: bool) -> Cow<'_, str> {
    let says_so = text.trim_start().get(..5).is_some_and(|head| head.eq_ignore_ascii_case("error"));
    if is_error && !says_so { Cow::from(format!("Error: {text}")) } else { Cow::from(text) }
}

fn wire_call<'a>(call: &'a ToolCall, names: &'a Names, extra: Option<&'a Value>) -> WireCall<'a> {
    let arguments = match &call.args {
        // Text of the model that was no JSON goes back as the model wrote it.
        Value::String(text) => Cow::from(text),
        args => Cow::from(args.to_string()),
    };
    WireCall {
        id: call.id.as_str(),
        r#type: "function",
        function: WireArguments { name: names.wire(&call.name), arguments },
        extra_content: extra.and_then(|extra| extra.get(call.id.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::NAMES;
    use super::*;

    fn shown(spec: &ModelSpec, request: &ChatRequest) -> String {
        let text = body(spec, request, &Names::of(request, NAMES)).unwrap();
        let value: Value = serde_json::from_str(text.get()).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    }

    #[test]
    fn a_conversation_with_tools_is_written_in_the_api_s_form() {
        let call = ToolCall { id: "c1".into(), name: "get.order".into(), args: json!({"id": 1042}) };
        let broken = ToolCall { id: "c2".into(), name: "get.order".into(), args: json!("{id:") };
        let request = ChatRequest {
            system: Some("Be brief.".into()),
            messages: vec![
                Message::User("Where is it?".into()),
                Message::Assistant {
                    text: None,
                    calls: vec![call.clone(), broken.clone()],
                    carry: Some(json!({"extra_content": {"c1": {"sig": "x"}}, "reasoning_details": []})),
                },
                Message::Tool { call, text: "late".into(), is_error: false, media: vec![] },
                Message::Tool { call: broken, text: "no JSON".into(), is_error: true, media: vec![] },
            ],
            tools: vec![ToolOffer {
                name: "get.order".into(),
                tool: None,
                title: Some("An order".into()),
                description: String::new(),
                schema: json!({"type": "object"}),
            }],
            trial: 1,
            ..ChatRequest::default()
        };
        let mut spec = ModelSpec::new("gpt-x", "openai");
        spec.max_tokens = Some(100);
        spec.temperature = Some(0.0);
        insta::assert_snapshot!(shown(&spec, &request));
    }

    #[test]
    fn extra_parameters_override_and_remove() {
        let request = ChatRequest {
            system: None,
            messages: vec![Message::User("x".into())],
            tools: vec![],
            answer_schema: Some(json!({"type": "object"})),
            trial: 1,
            ..ChatRequest::default()
        };
        let mut spec = ModelSpec::new("m", "openai");
        spec.base_url = Some("http://127.0.0.1:1/v1".into());
        spec.max_tokens = Some(5);
        spec.stream = true;
        spec.extra = BTreeMap::from([
            ("stream_options".to_owned(), Value::Null),
            ("response_format".to_owned(), json!({"type": "json_object"})),
            ("reasoning_effort".to_owned(), json!("low")),
        ]);
        insta::assert_snapshot!(shown(&spec, &request), @r#"
        {
          "model": "m",
          "messages": [
            {
              "role": "user",
              "content": "x"
            }
          ],
          "max_tokens": 5,
          "stream": true,
          "reasoning_effort": "low",
          "response_format": {
            "type": "json_object"
          }
        }
        "#);
    }
}
