//! A [`ChatRequest`] becomes the body of `POST /messages`.
//!
//! Turns alternate: results of tools stand together in one turn of the user. Marks for the cache are set on the last
//! tool, on the system prompt, and on the last block of a conversation that can go on.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::turns::{self, Mark, Turn};
use crate::llm::api::names::Names;
use crate::llm::api::{Fields, written};
use crate::llm::offers::{Form, Written};
use crate::llm::schema::{self, rules};
use crate::llm::{ChatRequest, ModelSpec, ToolChoice, ToolOffer};
use crate::transcript::Fault;

/// Most tokens of an answer where neither the definition nor the limits of the model say: every current model writes as
/// many.
const USUAL_OUTPUT: u64 = 16_384;

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
        let mark = spec.cache.then_some(Mark::EPHEMERAL);
        let mut fields = Fields::new(serde::ser::Serializer::serialize_map(serializer, None)?, &spec.extra);
        fields.put("model", spec.api_id())?;
        fields.put("max_tokens", &max_tokens(spec))?;
        if let Some(system) = request.system.as_deref().filter(|system| !system.trim().is_empty()) {
            fields.put("system", &[turns::Block::Text { text: system, cache_control: mark }])?;
        }
        // A request without tools is one question, such as a judge's: what it would leave in the cache nobody reads.
        let last = mark.filter(|_| !request.tools.is_empty());
        fields.put("messages", &turns::of(&request.messages, names, last) as &[Turn<'_>])?;
        if !request.tools.is_empty() {
            // A mark at the last tool is the definition's, not the list's.
            let form = Form { dialect: "messages", rules: &rules::ANTHROPIC };
            let form = Some(form).filter(|_| names.are_plain() && mark.is_none());
            let tools = Tools { tools: &request.tools, names, mark };
            fields.put("tools", &Written { offers: &request.tools, form, tools })?;
            if let Some(choice) = choice(spec, &request.choice, names) {
                fields.put("tool_choice", &choice)?;
            }
        }
        if let Some(temperature) = spec.temperature {
            fields.put("temperature", &temperature)?;
        }
        fields.merge("thinking", thinking(spec))?;
        fields.merge("output_config", output_config(spec, request))?;
        if spec.stream {
            fields.put("stream", &true)?;
        }
        fields.end(&["thinking", "output_config"])
    }
}

/// The API wants a limit. Tokens of thought count, so a budget of thought comes on top where nothing is said.
pub(super) fn max_tokens(spec: &ModelSpec) -> u64 {
    if let Some(most) = spec.max_tokens {
        return most.into();
    }
    let budget = spec.reasoning.as_ref().and_then(|reasoning| reasoning.budget).unwrap_or(0);
    match spec.limits.output {
        Some(most) if most > u64::from(budget) => most,
        _ => USUAL_OUTPUT + u64::from(budget),
    }
}

/// A budget is the older way (`enabled`); effort alone is for models that decide themselves how long they think
/// (`adaptive`), and `none` turns thinking off.
fn thinking(spec: &ModelSpec) -> Map<String, Value> {
    let Some(reasoning) = &spec.reasoning else { return Map::new() };
    let thinking = match (reasoning.budget, reasoning.effort.as_deref()) {
        (Some(0), _) | (None, Some("none")) => json!({"type": "disabled"}),
        (Some(budget), _) => json!({"type": "enabled", "budget_tokens": budget}),
        (None, Some(_)) => json!({"type": "adaptive"}),
        (None, None) => json!({}),
    };
    object(thinking)
}

fn output_config(spec: &ModelSpec, request: &ChatRequest) -> Map<String, Value> {
    let mut config = Map::new();
    let effort = spec.reasoning.as_ref().and_then(|reasoning| reasoning.effort.as_deref());
    if let Some(effort) = effort.filter(|effort| *effort != "none") {
        config.insert("effort".to_owned(), effort.into());
    }
    if let Some(schema) = &request.answer_schema {
        let schema = schema::answer(schema, &rules::ANTHROPIC_STRICT);
        config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
    }
    config
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// What stands in `tool_choice`; left to the API where nothing is asked for.
fn choice(spec: &ModelSpec, choice: &ToolChoice, names: &Names) -> Option<Value> {
    let mut value = match choice {
        ToolChoice::Auto if spec.parallel_tools.is_none() => return None,
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::Never => return Some(json!({"type": "none"})),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Only(name) => json!({"type": "tool", "name": names.wire(name)}),
    };
    if let Some(parallel) = spec.parallel_tools {
        value["disable_parallel_tool_use"] = (!parallel).into();
    }
    Some(value)
}

struct Tools<'a> {
    tools: &'a [ToolOffer],
    names: &'a Names,
    mark: Option<Mark>,
}

#[derive(Serialize)]
struct WireTool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: std::borrow::Cow<'a, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Mark>,
}

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let tools = schema::taken(self.tools, &rules::ANTHROPIC);
        for (position, tool) in tools.iter().enumerate() {
            list.serialize_element(&WireTool {
                name: self.names.wire(&tool.name),
                description: schema::description(tool, &rules::ANTHROPIC),
                input_schema: schema::input(&tool.schema, &rules::ANTHROPIC).schema,
                cache_control: self.mark.filter(|_| position + 1 == tools.len()),
            })?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::NAMES;
    use super::*;
    use crate::llm::{Media, Message, Reasoning};
    use crate::transcript::ToolCall;

    fn shown(spec: &ModelSpec, request: &ChatRequest) -> String {
        let text = body(spec, request, &Names::of(request, NAMES)).unwrap();
        let value: Value = serde_json::from_str(text.get()).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    }

    fn tool(name: &str, schema: Value) -> ToolOffer {
        ToolOffer {
            name: name.into(),
            tool: None,
            title: None,
            description: format!("About {name}."),
            schema,
        }
    }

    fn conversation() -> ChatRequest {
        let call = ToolCall { id: "toolu_1".into(), name: "get.order".into(), args: json!({"id": 1042}) };
        let broken = ToolCall { id: "toolu_2".into(), name: "get.order".into(), args: json!("{id:") };
        let image = |mime: &str| Media { mime: mime.to_owned(), data: "AAAA".into() };
        ChatRequest {
            system: Some("Be brief.".into()),
            messages: vec![
                Message::User("Where is it?".into()),
                Message::Assistant {
                    text: Some("Let me look.".into()),
                    calls: vec![call.clone(), broken.clone()],
                    carry: Some(json!([
                        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                        {"type": "redacted_thinking", "data": "EmwK"},
                        {"type": "text", "text": "Let me look."},
                        {"type": "tool_use", "id": "toolu_1"},
                        {"type": "tool_use", "id": "toolu_2"},
                    ])),
                },
                Message::Tool { call, text: "late".into(), is_error: false, media: vec![image("image/png")] },
                Message::Tool {
                    call: broken,
                    text: "no JSON".into(),
                    is_error: true,
                    media: vec![image("audio/wav")],
                },
            ],
            tools: vec![
                tool("get.order", json!({"type": "object"})),
                tool("find", json!({"type": "object", "properties": {"q": {"type": "string"}}})),
            ]
            .into(),
            trial: 1,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_conversation_is_written_in_the_api_s_form() {
        let mut spec = ModelSpec::new("claude-x", "anthropic");
        spec.parallel_tools = Some(false);
        insta::assert_snapshot!(shown(&spec, &conversation()));
    }

    #[test]
    fn one_question_with_an_answer_s_schema_and_thinking() {
        let request = ChatRequest {
            messages: vec![Message::User("a".into()), Message::User("b".into())],
            answer_schema: Some(json!({"type": "object", "properties": {}, "additionalProperties": false})),
            ..ChatRequest::default()
        };
        let mut spec = ModelSpec::new("claude-x", "anthropic");
        spec.reasoning = Some(Reasoning { effort: Some("low".into()), budget: None });
        spec.stream = true;
        spec.extra.insert("thinking".into(), json!({"display": "summarized"}));
        spec.extra.insert("service_tier".into(), json!("auto"));
        insta::assert_snapshot!(shown(&spec, &request));
    }

    fn field(spec: &ModelSpec, request: &ChatRequest, key: &str) -> Value {
        serde_json::from_str::<Value>(&shown(spec, request)).unwrap()[key].clone()
    }

    #[test]
    fn thinking_and_limits_follow_the_definition() {
        let request = ChatRequest::default();
        let with = |effort: Option<&str>, budget: Option<u32>, output: Option<u64>| {
            let mut spec = ModelSpec::new("m", "anthropic");
            spec.reasoning = Some(Reasoning { effort: effort.map(str::to_owned), budget });
            spec.limits.output = output;
            let all = ["thinking", "output_config", "max_tokens"]
                .map(|key| field(&spec, &request, key).to_string());
            all.join(" ")
        };
        assert_eq!(with(None, None, None), "null null 16384");
        assert_eq!(with(None, None, Some(64_000)), "null null 64000");
        assert_eq!(with(None, Some(2048), None), r#"{"type":"enabled","budget_tokens":2048} null 18432"#);
        assert_eq!(with(Some("none"), None, None), r#"{"type":"disabled"} null 16384"#);
        assert_eq!(with(Some("max"), None, None), r#"{"type":"adaptive"} {"effort":"max"} 16384"#);
    }

    #[test]
    fn every_choice_has_its_form() {
        let chosen = |choice: ToolChoice, parallel: Option<bool>| {
            let mut spec = ModelSpec::new("m", "anthropic");
            spec.parallel_tools = parallel;
            field(&spec, &ChatRequest { choice, ..conversation() }, "tool_choice").to_string()
        };
        assert_eq!(chosen(ToolChoice::Auto, None), "null");
        assert_eq!(
            chosen(ToolChoice::Auto, Some(true)),
            r#"{"type":"auto","disable_parallel_tool_use":false}"#
        );
        assert_eq!(chosen(ToolChoice::Never, Some(false)), r#"{"type":"none"}"#);
        assert_eq!(
            chosen(ToolChoice::Required, Some(false)),
            r#"{"type":"any","disable_parallel_tool_use":true}"#
        );
        assert_eq!(
            chosen(ToolChoice::Only("get.order".into()), None),
            r#"{"type":"tool","name":"get_order"}"#
        );
    }

    #[test]
    fn without_the_cache_nothing_is_marked() {
        let mut spec = ModelSpec::new("m", "anthropic");
        spec.cache = false;
        assert!(!shown(&spec, &conversation()).contains("cache_control"));
        spec.cache = true;
        assert_eq!(shown(&spec, &conversation()).matches("cache_control").count(), 3);
        let question = ChatRequest { tools: vec![].into(), ..conversation() };
        assert_eq!(shown(&spec, &question).matches("cache_control").count(), 1, "the system prompt alone");
    }
}
