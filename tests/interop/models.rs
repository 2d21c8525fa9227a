//! The `openai` dialect against imitations of the chat completions API that nobody here wrote: aimock and LiteLLM's
//! proxy. A whole answer, a streamed one, tool calls with their results, one of them an error, and usage.

use std::sync::Arc;

use rehearsal::ids::ToolName;
use rehearsal::llm::{self, ChatReply, ChatRequest, Message, ModelSpec, Outside, ToolOffer};
use rehearsal::mcp::launch::Launched;
use rehearsal::transcript::{Fault, Side};
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cli::{eval, project};
use super::completions::{call_stream, said, text_stream};
use super::surroundings::{Installed, listening};

pub(crate) const KEY: &str = "sk-interop-1c9e7d52f0ab4836";

pub(crate) struct Api {
    pub(crate) base: String,
    dialect: &'static str,
    server: Launched,
}

impl Api {
    pub(crate) async fn aimock(installed: &Installed) -> Self {
        let answers = project().join("models/aimock.json");
        let answers = answers.to_str().unwrap();
        let command = installed.node("llmock", &["--port", "{port}", "--fixtures", answers, "--strict"]);
        let (server, base) = listening(command, &[("AIMOCK_API_KEYS", KEY)]).await;
        Self { base, dialect: "openai", server }
    }

    pub(crate) async fn litellm(installed: &Installed) -> Self {
        let answers = project().join("models/litellm.yaml");
        let words = [
            "--config",
            answers.to_str().unwrap(),
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--telemetry",
            "False",
        ];
        let (server, base) =
            listening(installed.models("litellm", &words), &[("LITELLM_MASTER_KEY", KEY)]).await;
        Self { base, dialect: "openai", server }
    }

    /// The same, asked in another dialect.
    pub(crate) fn speaking(self, dialect: &'static str) -> Self {
        Self { dialect, ..self }
    }

    pub(crate) async fn end(self) {
        self.server.stop().await;
        super::gone(self.server.group()).await;
    }

    pub(crate) async fn ask(
        &self,
        model: &str,
        stream: bool,
        key: &'static str,
        request: &ChatRequest,
    ) -> Result<ChatReply, Fault> {
        let mut spec = ModelSpec::new(model, self.dialect);
        spec.base_url = Some(self.base.clone());
        spec.key = Some("KEY".to_owned());
        spec.stream = stream;
        spec.retries = 0;
        answered(&spec, key, request).await
    }
}

/// What a model says to a request, with this key.
pub(crate) async fn answered(
    spec: &ModelSpec,
    key: &'static str,
    request: &ChatRequest,
) -> Result<ChatReply, Fault> {
    let env = move |_: &str| Some(key.to_owned());
    let outside = Outside::new(rehearsal::net::client().unwrap(), Arc::new(env));
    llm::build(spec, &outside)?.complete(request, &super::log()).await
}

pub(crate) fn request(messages: Vec<Message>) -> ChatRequest {
    let offer = |name: &str, properties| ToolOffer {
        name: ToolName::from(name),
        tool: None,
        title: None,
        description: "About time.".to_owned(),
        schema: json!({"type": "object", "properties": properties}),
    };
    let tools = [
        offer("get_current_time", json!({"timezone": {"type": "string"}})),
        offer("convert_time", json!({"time": {"type": "string"}})),
    ];
    ChatRequest {
        system: Some("Be brief.".into()),
        messages,
        tools: tools.into(),
        trial: 1,
        ..ChatRequest::default()
    }
}

pub(crate) fn asked(text: &str) -> Vec<Message> {
    vec![Message::User(text.to_owned())]
}

/// aimock asked in a dialect, whole and streamed: a text, two calls side by side and what their results lead to, a wrong
/// key. `stops` are the words of the dialect for an answer and for one with calls.
pub(crate) async fn walks_through_aimock(dialect: &'static str, stops: [&str; 2]) {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await.speaking(dialect);
    let capital = request(asked("The capital of Portugal?"));
    for stream in [false, true] {
        let reply = api.ask("m", stream, KEY, &capital).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon, on the Tagus."));
        assert_eq!((reply.stop.as_str(), reply.first_token_ms.is_some()), (stops[0], stream));
        // Its Responses API says zero tokens, which is no report: they are estimated.
        assert_eq!(reply.usage.reported, dialect == "openai", "{:?}", reply.usage);
        assert!(reply.usage.input > 0 && reply.usage.output > 0, "{:?}", reply.usage);

        let mut messages = asked("Noon is when in Tokyo?");
        let reply = api.ask("m", stream, KEY, &request(messages.clone())).await.unwrap();
        let calls: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect();
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert_eq!(calls[0], r#"get_current_time {"timezone":"Asia/Tokyo"}"#);
        assert!(calls[1].starts_with(r#"convert_time {"source_timezone":"UTC""#), "{calls:?}");
        assert_eq!(reply.stop, stops[1]);
        let (calls, text, carry) = (reply.calls.clone(), reply.text, reply.carry);
        messages.push(Message::Assistant { text, calls, carry });
        let result = |(index, call)| Message::Tool {
            call,
            text: "21:00".to_owned(),
            is_error: index == 1,
            media: vec![],
        };
        messages.extend(reply.calls.into_iter().enumerate().map(result));
        let reply = api.ask("m", stream, KEY, &request(messages)).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Noon in UTC is 21:00 in Tokyo."));
    }
    let fault = api.ask("m", false, "sk-wrong", &capital).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side), ("credentials.refused", Side::Model), "{fault:?}");
    api.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aimock_answers_whole_and_streamed() {
    walks_through_aimock("openai", ["stop", "tool_calls"]).await;
}

/// LiteLLM's imitation calls tools in whole answers only, and says `stop` and a text beside the call.
#[tokio::test(flavor = "multi_thread")]
async fn litellm_answers_whole_and_streamed() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::litellm(&installed).await;
    for stream in [false, true] {
        let reply = api.ask("plain", stream, KEY, &request(asked("The capital of Portugal?"))).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon."));
        assert_eq!((reply.stop.as_str(), reply.model_id.as_deref()), ("stop", Some("plain")));
        assert_eq!(reply.first_token_ms.is_some(), stream);
        assert!(reply.usage.reported && reply.usage.input > 0 && reply.usage.output > 0, "{:?}", reply.usage);
    }
    let reply = api.ask("caller", false, KEY, &request(asked("What time is it in Tokyo?"))).await.unwrap();
    let calls: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect();
    assert_eq!(calls, [r#"get_current_time {"timezone":"Asia/Tokyo"}"#]);
    assert_eq!(reply.text.as_deref(), Some("Let me look."));

    let hello = request(asked("Hello?"));
    // Without a database it calls a wrong key a bad request: 400, "No connected db."
    for (model, key) in [("plain", "sk-wrong"), ("no-such-model", KEY)] {
        let fault = api.ask(model, false, key, &hello).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.side), ("model.refused-request", Side::Model), "{fault:?}");
    }
    api.end().await;
}

/// The whole program: a model behind aimock works with the tools of a public server.
#[tokio::test(flavor = "multi_thread")]
async fn a_suite_with_a_model_behind_an_api() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    let place = tempfile::tempdir().unwrap();
    let models = place.path().join("evals/models");
    std::fs::create_dir_all(&models).unwrap();
    std::fs::create_dir(place.path().join("suites")).unwrap();
    std::fs::copy(project().join("models/suite.yaml"), place.path().join("suites/models.yaml")).unwrap();
    for (name, stream) in [("aimock", false), ("aimock-streamed", true)] {
        let text = format!(
            "dialect: openai\nid: m\nbase_url: {}\nkey: INTEROP_KEY\nstream: {stream}\nprice: {{input: 1, output: 2}}\n",
            api.base
        );
        std::fs::write(models.join(format!("{name}.yaml")), text).unwrap();
    }
    let run = eval(&installed, place.path(), "models", &[("INTEROP_KEY", KEY)]);
    run.passes(8);
    let usage = &run.summary["usage"];
    assert_eq!(usage["model_calls"], 12, "{usage}");
    assert_eq!(usage["tool_calls"], 8, "{usage}");
    api.end().await;
}

/// The other way round: the official client reads what our own tests play to the dialect, and its types validate it.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_reads_our_double() {
    let Some(installed) = Installed::find() else { return };
    let double = MockServer::start().await;
    let stream = |text: String| ResponseTemplate::new(200).set_body_raw(text, "text/event-stream");
    let mut refused = said("");
    refused["choices"][0]["message"] =
        json!({"role": "assistant", "content": null, "refusal": "I will not."});
    for (model, answer) in [
        ("text", ResponseTemplate::new(200).set_body_json(said("Hello."))),
        ("refusal", ResponseTemplate::new(200).set_body_json(refused)),
        ("text-stream", stream(text_stream())),
        ("call-stream", stream(call_stream())),
    ] {
        Mock::given(method("POST"))
            .and(path("/v1/chat/completions"))
            .and(body_partial_json(json!({"model": model})))
            .respond_with(answer)
            .mount(&double)
            .await;
    }
    let script = project().join("models/official_client.py");
    let base = format!("{}/v1", double.uri());
    let command = installed.models("python", &[script.to_str().unwrap(), &base, KEY]);
    let output = tokio::process::Command::new(&command[0]).args(&command[1..]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        read,
        json!({
            "text": ["Hello.", 12],
            "refusal": "I will not.",
            "text-stream": ["Grüße — 日本 🎭", 9],
            "call-stream": [["get_order", "{\"id\":2}"], ["echo", "{\"t\":1}"]],
        })
    );
}
