//! The dialects `anthropic` and `gemini` against imitations of their APIs that nobody here wrote: aimock, which refuses
//! turns whose thoughts were not carried back, and LiteLLM's proxy. And the other way round: the official clients read
//! what our own tests play.

use rehearsal::llm::{ChatReply, ChatRequest, Message, ModelSpec, Reasoning};
use rehearsal::transcript::Side;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cli::project;
use super::models::{Api, KEY, answered, asked, request};
use super::surroundings::Installed;
use super::{generate_content, messages};

/// A model behind an imitation, in one of the dialects.
pub(crate) fn spec(api: &Api, dialect: &str, model: &str, stream: bool) -> ModelSpec {
    let mut spec = ModelSpec::new(model, dialect);
    let version = if dialect == "gemini" { "v1beta" } else { "v1" };
    spec.base_url = Some(api.base.replace("/v1", &format!("/{version}")));
    spec.key = Some("KEY".to_owned());
    spec.stream = stream;
    spec.retries = 0;
    spec
}

fn shown(reply: &ChatReply) -> Vec<String> {
    reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect()
}

/// The conversation with what the model said and what its calls gave.
fn told(mut messages: Vec<Message>, reply: ChatReply) -> ChatRequest {
    messages.push(Message::Assistant { text: reply.text, calls: reply.calls.clone(), carry: reply.carry });
    for (index, call) in reply.calls.into_iter().enumerate() {
        messages.push(Message::Tool { call, text: "21:00".to_owned(), is_error: index == 1, media: vec![] });
    }
    request(messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn aimock_answers_whole_and_streamed() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    for (dialect, model, stop) in
        [("anthropic", "claude-opus-4-5", "end_turn"), ("gemini", "gemini-2.5-pro", "STOP")]
    {
        for stream in [false, true] {
            let spec = spec(&api, dialect, model, stream);
            let reply = answered(&spec, KEY, &request(asked("The capital of Portugal?"))).await.unwrap();
            assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon, on the Tagus."));
            assert_eq!((reply.stop.as_str(), reply.first_token_ms.is_some()), (stop, stream), "{dialect}");

            let messages = asked("Noon is when in Tokyo?");
            let reply = answered(&spec, KEY, &request(messages.clone())).await.unwrap();
            let calls = shown(&reply);
            assert_eq!(
                (calls.len(), calls[0].as_str()),
                (2, r#"get_current_time {"timezone":"Asia/Tokyo"}"#)
            );
            assert!(calls[1].starts_with(r#"convert_time {"source_timezone":"UTC""#), "{calls:?}");
            let reply = answered(&spec, KEY, &told(messages, reply)).await.unwrap();
            assert_eq!(reply.text.as_deref(), Some("Noon in UTC is 21:00 in Tokyo."), "{dialect} {stream}");
        }
        let hello = request(asked("The capital of Portugal?"));
        let fault = answered(&spec(&api, dialect, model, false), "sk-wrong", &hello).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.side), ("credentials.refused", Side::Model), "{fault:?}");
    }
    api.end().await;
}

/// With thinking on, aimock answers 400 to a turn that does not begin with the signed thought it gave.
#[tokio::test(flavor = "multi_thread")]
async fn aimock_gets_its_thoughts_back() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    for stream in [false, true] {
        let mut spec = spec(&api, "anthropic", "claude-opus-4-5", stream);
        spec.reasoning = Some(Reasoning { effort: None, budget: Some(1024) });
        let messages = asked("Think about noon in Kyoto.");
        let reply = answered(&spec, KEY, &request(messages.clone())).await.unwrap();
        assert_eq!(reply.reasoning.as_deref(), Some("Kyoto has the time of Tokyo."));
        let request = told(messages, reply);
        assert_eq!(answered(&spec, KEY, &request).await.unwrap().text.as_deref(), Some("21:00 in Kyoto."));

        let forgetful = request.messages.iter().cloned().map(|message| match message {
            Message::Assistant { text, calls, .. } => Message::Assistant { text, calls, carry: None },
            other => other,
        });
        let forgetful = ChatRequest { messages: forgetful.collect(), ..request.clone() };
        let fault = answered(&spec, KEY, &forgetful).await.unwrap_err();
        assert_eq!(fault.code, "model.refused-request", "{fault}");
        assert!(fault.message.contains("must begin with a `thinking` block"), "{fault}");
    }
    api.end().await;
}

/// LiteLLM's imitations call no tools here, stream no messages and count nothing of a stream.
#[tokio::test(flavor = "multi_thread")]
async fn litellm_answers_whole_and_streamed() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::litellm(&installed).await;
    let question = request(asked("The capital of Portugal?"));
    for (dialect, stream, reported) in
        [("anthropic", false, true), ("gemini", false, true), ("gemini", true, false)]
    {
        let reply = answered(&spec(&api, dialect, "plain", stream), KEY, &question).await;
        let reply = reply.unwrap_or_else(|fault| panic!("{dialect} {stream}: {fault}"));
        assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon."), "{dialect} {stream}");
        assert_eq!((reply.refused, reply.usage.reported), (false, reported), "{reply:?}");
        assert!(reply.usage.input > 0 && reply.usage.output > 0, "{reply:?}");
    }
    let fault = answered(&spec(&api, "anthropic", "plain", true), KEY, &question).await.unwrap_err();
    assert_eq!(fault.code, "model.bad-answer");
    assert!(fault.message.contains("no event stream"), "{fault}");
    api.end().await;
}

async fn play(double: &MockServer, model: &str, answers: [ResponseTemplate; 2]) {
    let [claude, gemini] = answers;
    let messages = Mock::given(method("POST")).and(path("/v1/messages"));
    messages.and(body_partial_json(json!({ "model": model }))).respond_with(claude).mount(double).await;
    let place = format!("/models/{model}:(generateContent|streamGenerateContent)$");
    Mock::given(method("POST")).and(path_regex(place)).respond_with(gemini).mount(double).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_clients_read_our_doubles() {
    let Some(installed) = Installed::find() else { return };
    let double = MockServer::start().await;
    let whole = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    let stream = |text: String| ResponseTemplate::new(200).set_body_raw(text, "text/event-stream");
    let none = || ResponseTemplate::new(404);
    play(&double, "text", [whole(messages::text("Hello.")), whole(generate_content::text("Hello."))]).await;
    play(&double, "calls", [whole(messages::calls()), whole(generate_content::calls())]).await;
    play(&double, "refusal", [whole(messages::refusal()), none()]).await;
    play(&double, "blocked", [none(), whole(generate_content::blocked())]).await;
    play(&double, "unsafe", [none(), whole(generate_content::unsafe_answer())]).await;
    play(&double, "text-stream", [stream(messages::text_stream()), stream(generate_content::text_stream())])
        .await;
    play(&double, "call-stream", [stream(messages::call_stream()), stream(generate_content::call_stream())])
        .await;

    let script = project().join("models/official_native.py");
    let command = installed.models("python", &[script.to_str().unwrap(), &double.uri(), KEY]);
    let output = tokio::process::Command::new(&command[0]).args(&command[1..]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let order = json!(["get_order", {"id": 1042}]);
    let echo = json!(["echo", {}]);
    assert_eq!(
        read,
        json!({
            "anthropic text": ["end_turn", ["Hello."]],
            "anthropic calls": ["tool_use", ["I need both.", "EmwKAhgBEgy3va3pzix", "Let me look.", order, echo]],
            "anthropic refusal": ["refusal", []],
            "anthropic text-stream": ["end_turn", 89, ["Grüße — 日本 🎭"]],
            "anthropic call-stream": ["tool_use", 89, ["I need both.", "Okay.", order, echo]],
            "gemini text": ["STOP", ["Hello."]],
            "gemini calls": ["STOP", [["get.order", {"id": 1042}], echo]],
            "gemini blocked": ["PROHIBITED_CONTENT", []],
            "gemini unsafe": ["SAFETY", []],
            "gemini text-stream": ["STOP", ["Thinking.", "Grüße — ", "日本 🎭", ""]],
            "gemini call-stream": ["STOP", [["get.order", {"id": 1042}], echo, ""]],
        })
    );
}
