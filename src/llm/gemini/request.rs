//! A [`ChatRequest`] becomes the body of `generateContent`.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::contents;
use crate::llm::api::names::Names;
use crate::llm::api::{Fields, written};
use crate::llm::offers::{Form, Written};
use crate::llm::schema::{self, rules};
use crate::llm::{ChatRequest, ModelSpec, ToolChoice, ToolOffer};
use crate::transcript::Fault;

/// The body as JSON text.
pub(super) fn body(spec: &ModelSpec, request: &ChatRequest, names: &Names) -> Result<Box<RawValue>, Fault> {
    written(&Body { spec, request, names })
}

struct Body<'a> {
    spec: &'a ModelSpec,
    request: &'a ChatRequest,
    names: &'a Names,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct System<'a> {
    parts: [Text<'a>; 1],
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { spec, request, names } = self;
        let mut fields = Fields::new(serializer.serialize_map(None)?, &spec.extra);
        if let Some(text) = request.system.as_deref().filter(|system| !system.is_empty()) {
            fields.put("systemInstruction", &System { parts: [Text { text }] })?;
        }
        fields.put("contents", &contents::of(spec, &request.messages, names))?;
        if !request.tools.is_empty() {
            let form = Form { dialect: "gemini", rules: &rules::GEMINI_JSON };
            let form = Some(form).filter(|_| names.are_plain());
            let tools = [Declarations { tools: &request.tools, names }];
            fields.put("tools", &Written { offers: &request.tools, form, tools })?;
            if let Some(choice) = choice(&request.choice, names) {
                fields.put("toolConfig", &json!({ "functionCallingConfig": choice }))?;
            }
        }
        fields.merge("generationConfig", generation(spec, request))?;
        fields.end(&["generationConfig"])
    }
}

fn generation(spec: &ModelSpec, request: &ChatRequest) -> Map<String, Value> {
    let mut config = Map::new();
    let mut put = |key: &str, value: Value| {
        config.insert(key.to_owned(), value);
    };
    if let Some(temperature) = spec.temperature {
        put("temperature", temperature.into());
    }
    if let Some(most) = spec.max_tokens {
        put("maxOutputTokens", most.into());
    }
    if let Some(seed) = spec.seed {
        put("seed", seed.into());
    }
    if let Some(thinking) = thinking(spec) {
        put("thinkingConfig", thinking);
    }
    if let Some(weigh) = &request.weigh {
        put("responseLogprobs", true.into());
        put("logprobs", weigh.top.into());
    }
    if let Some(schema) = &request.answer_schema {
        put("responseMimeType", "application/json".into());
        put("responseJsonSchema", schema::answer(schema, &rules::GEMINI_JSON).into_owned());
    }
    config
}

/// Newer models take a level, older ones a budget, where 0 turns thinking off.
fn thinking(spec: &ModelSpec) -> Option<Value> {
    let reasoning = spec.reasoning.as_ref()?;
    match (&reasoning.budget, reasoning.effort.as_deref()) {
        (Some(budget), _) => Some(json!({ "thinkingBudget": budget })),
        (None, Some("none")) => Some(json!({ "thinkingBudget": 0 })),
        (None, Some(effort)) => Some(json!({ "thinkingLevel": effort.to_ascii_uppercase() })),
        (None, None) => None,
    }
}

/// What stands in `functionCallingConfig`; left to the API where nothing is asked for.
fn choice(choice: &ToolChoice, names: &Names) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::Never => Some(json!({"mode": "NONE"})),
        ToolChoice::Required => Some(json!({"mode": "ANY"})),
        ToolChoice::Only(name) => Some(json!({"mode": "ANY", "allowedFunctionNames": [names.wire(name)]})),
    }
}

struct Declarations<'a> {
    tools: &'a [ToolOffer],
    names: &'a Names,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    parameters_json_schema: Cow<'a, Value>,
}

impl Serialize for Declarations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct List<'a, 'b>(&'b Declarations<'a>);
        impl Serialize for List<'_, '_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Declarations { tools, names } = self.0;
                let tools = schema::taken(tools, &rules::GEMINI_JSON);
                serializer.collect_seq(tools.iter().map(|tool| Declaration {
                    name: names.wire(&tool.name),
                    description: schema::description(tool, &rules::GEMINI_JSON),
                    parameters_json_schema: schema::input(&tool.schema, &rules::GEMINI_JSON).schema,
                }))
            }
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("functionDeclarations", &List(self))?;
        map.end()
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

    fn conversation() -> ChatRequest {
        let call = |id: &str, args| ToolCall { id: id.into(), name: "get/order".into(), args };
        let (one, two, own) =
            (call("x1", json!({"id": 1042})), call("x2", json!({"id": 7})), call("call_5_0", json!("{id:")));
        let image = Media { mime: "image/png".into(), data: "AAAA".into() };
        ChatRequest {
            system: Some("Be brief.".into()),
            messages: vec![
                Message::User("Where are they?".into()),
                Message::Assistant {
                    text: Some("Let me look.".into()),
                    calls: vec![one.clone(), two.clone()],
                    carry: Some(json!([
                        {"text": "Thinking of it.", "thought": true},
                        {"text": "Let me look."},
                        {"functionCall": {"id": "x1", "name": "get_order", "args": {"id": 1042}}, "thoughtSignature": "EqQB"},
                        {"functionCall": {"id": "x2", "name": "get_order", "args": {"id": 7}}},
                    ])),
                },
                Message::Tool { call: one, text: "late".into(), is_error: false, media: vec![image] },
                Message::Tool { call: two, text: "no such order".into(), is_error: true, media: vec![] },
                Message::Assistant { text: None, calls: vec![own.clone()], carry: None },
                Message::Tool { call: own, text: "no JSON".into(), is_error: true, media: vec![] },
            ],
            tools: vec![ToolOffer {
                name: "get/order".into(),
                tool: None,
                title: Some("An order".into()),
                description: String::new(),
                schema: json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
                    "properties": {"id": {"type": "integer", "exclusiveMinimum": 0}}}),
            }]
            .into(),
            trial: 1,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn a_conversation_is_written_in_the_api_s_form() {
        let mut spec = ModelSpec::new("gemini-3-x", "gemini");
        spec.seed = Some(7);
        insta::assert_snapshot!(shown(&spec, &conversation()));
    }

    #[test]
    fn older_models_get_images_beside_the_results() {
        let spec = ModelSpec::new("gemini-2.5-pro", "gemini");
        let value: Value = serde_json::from_str(&shown(&spec, &conversation())).unwrap();
        let parts = &value["contents"][2]["parts"];
        assert_eq!(parts[0]["functionResponse"]["parts"], Value::Null);
        assert_eq!(parts[2], json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}), "{parts}");
    }

    #[test]
    fn what_stands_in_no_result_follows_them_and_the_rest_is_named() {
        let call = ToolCall { id: "x1".into(), name: "look".into(), args: json!({}) };
        let media = ["image/webp", "audio/mpeg", "image/gif"];
        let media = media.map(|mime| Media { mime: mime.into(), data: "AAAA".into() }).to_vec();
        let request = ChatRequest {
            messages: vec![
                Message::User("Look.".into()),
                Message::Assistant { text: None, calls: vec![call.clone()], carry: None },
                Message::Tool { call, text: "here".into(), is_error: false, media },
            ],
            ..ChatRequest::default()
        };
        let value: Value =
            serde_json::from_str(&shown(&ModelSpec::new("gemini-3-x", "gemini"), &request)).unwrap();
        let parts = &value["contents"][2]["parts"];
        let inside = json!([{"inlineData": {"mimeType": "image/webp", "data": "AAAA"}}]);
        assert_eq!(parts[0]["functionResponse"]["parts"], inside);
        assert_eq!(parts[1], json!({"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}));
        assert_eq!(parts[2], json!({"text": "[image/gif of the result: not shown]"}));
    }

    fn config(spec: &ModelSpec, request: &ChatRequest) -> String {
        serde_json::from_str::<Value>(&shown(spec, request)).unwrap()["generationConfig"].to_string()
    }

    #[test]
    fn the_configuration_follows_the_definition_and_its_extra_fields() {
        let mut spec = ModelSpec::new("m", "gemini");
        let request = ChatRequest::default();
        assert_eq!(config(&spec, &request), "null");
        spec.max_tokens = Some(100);
        spec.temperature = Some(0.0);
        spec.reasoning = Some(Reasoning { effort: Some("low".into()), budget: None });
        spec.extra.insert("generationConfig".into(), json!({"temperature": null, "topK": 5}));
        assert_eq!(
            config(&spec, &request),
            r#"{"maxOutputTokens":100,"thinkingConfig":{"thinkingLevel":"LOW"},"topK":5}"#
        );
        let judge =
            ChatRequest { answer_schema: Some(json!({"type": "object", "properties": {}})), ..request };
        let mut spec = ModelSpec::new("m", "gemini");
        spec.reasoning = Some(Reasoning { effort: None, budget: Some(0) });
        assert_eq!(
            config(&spec, &judge),
            r#"{"thinkingConfig":{"thinkingBudget":0},"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{}}}"#
        );
    }

    #[test]
    fn every_choice_has_its_form() {
        let chosen = |choice: ToolChoice| {
            let request = ChatRequest { choice, ..conversation() };
            let value: Value =
                serde_json::from_str(&shown(&ModelSpec::new("m", "gemini"), &request)).unwrap();
            value["toolConfig"]["functionCallingConfig"].to_string()
        };
        assert_eq!(chosen(ToolChoice::Auto), "null");
        assert_eq!(chosen(ToolChoice::Never), r#"{"mode":"NONE"}"#);
        assert_eq!(chosen(ToolChoice::Required), r#"{"mode":"ANY"}"#);
        assert_eq!(
            chosen(ToolChoice::Only("get/order".into())),
            r#"{"mode":"ANY","allowedFunctionNames":["get_order"]}"#
        );
    }
}
