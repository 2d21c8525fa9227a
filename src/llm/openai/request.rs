//! A [`ChatRequest`] becomes the body of `POST /chat/completions`, written once and borrowed, never copied.

use std::borrow::Cow;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::media;
use crate::llm::api::names::Names;
use crate::llm::api::{Fields, written};
use crate::llm::offers::{Form, Written};
use crate::llm::providers::Quirks;
use crate::llm::schema::{self, rules};
use crate::llm::{ChatRequest, Media, Message, ModelSpec, ToolChoice};
use crate::transcript::{Fault, ToolCall};

/// The body as JSON text.
pub(super) fn body(
    spec: &ModelSpec,
    quirks: &Quirks,
    request: &ChatRequest,
    names: &Names,
) -> Result<Box<RawValue>, Fault> {
    written(&Body { spec, quirks, request, names })
}

struct Body<'a> {
    spec: &'a ModelSpec,
    quirks: &'a Quirks,
    request: &'a ChatRequest,
    names: &'a Names,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { spec, quirks, request, names } = self;
        let mut fields = Fields::new(serializer.serialize_map(None)?, &spec.extra);
        fields.put("model", spec.api_id())?;
        fields.put("messages", &Messages { request, names })?;
        if !request.tools.is_empty() {
            let rules = quirks.schema;
            let form = names.are_plain().then_some(Form { dialect: "chat", rules });
            let tools = Tools { request, names, rules };
            fields.put("tools", &Written { offers: &request.tools, form, tools })?;
            match &request.choice {
                ToolChoice::Auto => fields.put("tool_choice", "auto")?,
                ToolChoice::Never => fields.put("tool_choice", "none")?,
                ToolChoice::Required => fields.put("tool_choice", "required")?,
                ToolChoice::Only(name) => fields.put(
                    "tool_choice",
                    &json!({"type": "function", "function": {"name": names.wire(name)}}),
                )?,
            }
            if let Some(parallel) = spec.parallel_tools {
                fields.put("parallel_tool_calls", &parallel)?;
            }
        }
        if let Some(schema) = &request.answer_schema {
            fields.put("response_format", &AnswerFormat::new(schema))?;
        }
        if let Some(weigh) = &request.weigh {
            fields.put("logprobs", &true)?;
            fields.put("top_logprobs", &weigh.top)?;
        }
        if let Some(temperature) = spec.temperature {
            fields.put("temperature", &temperature)?;
        }
        if let Some(limit) = longest(spec) {
            fields.put(quirks.limit, &limit)?;
        }
        if let Some(seed) = spec.seed {
            fields.put(quirks.seed, &seed)?;
        }
        match &spec.reasoning {
            Some(reasoning) if quirks.reasoning_object => {
                let told = [("effort", json!(reasoning.effort)), ("max_tokens", json!(reasoning.budget))];
                let told = told.into_iter().filter(|(_, value)| !value.is_null());
                fields.put("reasoning", &told.collect::<std::collections::BTreeMap<_, _>>())?;
            }
            Some(reasoning) => {
                if let Some(effort) = &reasoning.effort {
                    fields.put("reasoning_effort", effort)?;
                }
            }
            None => {}
        }
        if spec.stream {
            fields.put("stream", &true)?;
            if quirks.stream_options {
                fields.put("stream_options", &json!({"include_usage": true}))?;
            }
        }
        fields.end(&[])
    }
}

/// The most tokens that are asked for: what the definition wants, within what the model can.
pub(super) fn longest(spec: &ModelSpec) -> Option<u64> {
    let wanted = u64::from(spec.max_tokens?);
    Some(spec.limits.output.map_or(wanted, |most| wanted.min(most)))
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
    schema: Cow<'a, Value>,
}

impl<'a> AnswerFormat<'a> {
    fn new(schema: &'a Value) -> Self {
        let schema = schema::answer(schema, &rules::OPENAI_STRICT);
        Self { r#type: "json_schema", json_schema: AnswerSchema { name: "answer", strict: true, schema } }
    }
}

struct Tools<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
    rules: &'static rules::Rules,
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
        let taken = schema::taken(&self.request.tools, self.rules);
        serializer.collect_seq(taken.iter().map(|tool| WireTool {
            r#type: "function",
            function: WireFunction {
                name: self.names.wire(&tool.name),
                description: schema::description(tool, self.rules),
                parameters: schema::input(&tool.schema, self.rules).schema,
            },
        }))
    }
}

struct Messages<'a> {
    request: &'a ChatRequest,
    names: &'a Names,
}

#[derive(Default, Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<&'a Value>,
}

/// A text, or parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Value>),
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
        // Tool messages take texts only, and stand together: their media follow in a message of the user.
        let mut shown: Vec<Value> = vec![];
        for message in &self.request.messages {
            if !matches!(message, Message::Tool { .. }) {
                pass_on(&mut list, &mut shown)?;
            }
            list.serialize_element(&wire_message(message, self.names))?;
            if let Message::Tool { call, media, .. } = message {
                show(&mut shown, call, media);
            }
        }
        pass_on(&mut list, &mut shown)?;
        list.end()
    }
}

/// Adds the media of a result, with a word on whose they are.
fn show(shown: &mut Vec<Value>, call: &ToolCall, media: &[Media]) {
    if media.is_empty() {
        return;
    }
    let id = call.id.as_str();
    shown.push(json!({"type": "text", "text": format!("What the tool call {id} returned beside its text:")}));
    shown.extend(media.iter().map(media::chat_part));
}

fn pass_on<S: SerializeSeq>(list: &mut S, shown: &mut Vec<Value>) -> Result<(), S::Error> {
    if shown.is_empty() {
        return Ok(());
    }
    let content = Some(Content::Parts(std::mem::take(shown)));
    list.serialize_element(&WireMessage { role: "user", content, ..WireMessage::default() })
}

fn said<'a>(role: &'static str, text: Cow<'a, str>) -> WireMessage<'a> {
    WireMessage { role, content: Some(Content::Text(text)), ..WireMessage::default() }
}

fn wire_message<'a>(message: &'a Message, names: &'a Names) -> WireMessage<'a> {
    match message {
        Message::User(text) => said("user", text.into()),
        Message::Assistant { text, calls, carry } => {
            let carried = |key: &str| carry.as_ref().and_then(|carry| carry.get(key));
            let extra = carried("extra_content");
            let content = match text {
                Some(text) => Some(Content::Text(text.into())),
                None if calls.is_empty() => Some(Content::Text("".into())),
                None => None,
            };
            WireMessage {
                role: "assistant",
                content,
                tool_calls: calls.iter().map(|call| wire_call(call, names, extra)).collect(),
                tool_call_id: None,
                reasoning_content: carried("reasoning_content"),
                reasoning: carried("reasoning"),
                reasoning_details: carried("reasoning_details"),
            }
        }
        Message::Tool { call, text, is_error, media: _ } => {
            WireMessage { tool_call_id: Some(call.id.as_str()), ..said("tool", result(text, *is_error)) }
        }
    }
}

/// The API has no flag for failed calls, so the text says it, unless it does already.
pub(super) fn result(text: &str, is_error: bool) -> Cow<'_, str> {
    let says_so = text.trim_start().get(..5).is_some_and(|head| head.eq_ignore_ascii_case("error"));
    if is_error && !says_so { Cow::from(format!("Error: {text}")) } else { Cow::from(text) }
}

/// Arguments as text. Text of the model that was no JSON goes back as the model wrote it.
pub(super) fn arguments(call: &ToolCall) -> Cow<'_, str> {
    match &call.args {
        Value::String(text) => Cow::from(text),
        args => Cow::from(args.to_string()),
    }
}

fn wire_call<'a>(call: &'a ToolCall, names: &'a Names, extra: Option<&'a Value>) -> WireCall<'a> {
    WireCall {
        id: call.id.as_str(),
        r#type: "function",
        function: WireArguments { name: names.wire(&call.name), arguments: arguments(call) },
        extra_content: extra.and_then(|extra| extra.get(call.id.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::NAMES;
    use super::*;
    use crate::llm::{Reasoning, ToolOffer, providers};

    fn shown(spec: &ModelSpec, request: &ChatRequest) -> String {
        let quirks = providers::quirks(spec.base_url.as_deref().unwrap_or(providers::OPENAI_BASE));
        let text = body(spec, &quirks, request, &Names::of(request, NAMES)).unwrap();
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
            }]
            .into(),
            trial: 1,
            ..ChatRequest::default()
        };
        let mut spec = ModelSpec::new("gpt-x", "openai");
        spec.max_tokens = Some(100);
        spec.temperature = Some(0.0);
        insta::assert_snapshot!(shown(&spec, &request));
    }

    #[test]
    fn reasoning_goes_back_under_the_name_it_came_with() {
        for name in ["reasoning", "reasoning_content", "reasoning_details"] {
            let call = ToolCall { id: "c1".into(), name: "t".into(), args: json!({}) };
            let carry = Some(json!({name: "hm"}));
            let messages = vec![Message::Assistant { text: None, calls: vec![call], carry }];
            let request = ChatRequest { messages, ..ChatRequest::default() };
            let body: Value = serde_json::from_str(&shown(&ModelSpec::new("m", "openai"), &request)).unwrap();
            let said = body["messages"][0].as_object().unwrap();
            let named: Vec<&str> =
                said.keys().map(String::as_str).filter(|key| key.starts_with("reasoning")).collect();
            assert_eq!((named, &said[name]), (vec![name], &json!("hm")));
        }
    }

    #[test]
    fn extra_parameters_override_and_remove() {
        let request = ChatRequest {
            system: None,
            messages: vec![Message::User("x".into())],
            tools: vec![].into(),
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

    #[test]
    fn media_follow_the_results_in_a_message_of_the_user() {
        let call = |id: &str| ToolCall { id: id.into(), name: "look".into(), args: json!({}) };
        let tool = |id: &str, mime: &str| Message::Tool {
            call: call(id),
            text: "here".into(),
            is_error: false,
            media: vec![Media { mime: mime.into(), data: "QQ==".into() }],
        };
        let request = ChatRequest {
            messages: vec![
                Message::Assistant { text: None, calls: vec![call("a"), call("b")], carry: None },
                tool("a", "image/png"),
                tool("b", "audio/ogg"),
                Message::User("Well?".into()),
            ],
            trial: 1,
            ..ChatRequest::default()
        };
        let body: Value = serde_json::from_str(&shown(&ModelSpec::new("m", "openai"), &request)).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["assistant", "tool", "tool", "user", "user"]);
        assert_eq!(
            messages[3]["content"],
            json!([
                {"type": "text", "text": "What the tool call a returned beside its text:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
                {"type": "text", "text": "What the tool call b returned beside its text:"},
                {"type": "text", "text": "[audio/ogg of the result: not shown]"},
            ])
        );
    }

    #[test]
    fn reasoning_limits_and_seeds_are_named_as_the_provider_names_them() {
        let tool = ToolOffer {
            name: "t".into(),
            tool: None,
            title: None,
            description: String::new(),
            schema: json!({"type": "object", "properties": {}}),
        };
        let request = ChatRequest {
            tools: vec![tool].into(),
            choice: ToolChoice::Required,
            trial: 1,
            ..ChatRequest::default()
        };
        let mut spec = ModelSpec::new("m", "openai");
        spec.reasoning = Some(Reasoning { effort: Some("low".into()), budget: None });
        (spec.max_tokens, spec.limits.output) = (Some(9000), Some(4000));
        (spec.seed, spec.parallel_tools, spec.stream) = (Some(7), Some(false), true);
        let mut lines = vec![];
        for base in ["https://api.openai.com/v1", "https://api.mistral.ai/v1", "https://openrouter.ai/api/v1"]
        {
            spec.base_url = Some(base.to_owned());
            let body: Value = serde_json::from_str(&shown(&spec, &request)).unwrap();
            let mut body = body.as_object().unwrap().clone();
            body.retain(|key, _| !matches!(key.as_str(), "model" | "messages" | "tools"));
            lines.push(Value::Object(body).to_string());
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
