//! The `openai_responses` dialect against imitations of the Responses API that nobody here wrote, and the official client
//! against our own double.

use rehearsal::llm::Message;
use rehearsal::transcript::Side;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cli::project;
use super::models::{Api, KEY, asked, request};
use super::responses_double::{call_stream, message, response, text, text_stream};
use super::surroundings::Installed;

const DIALECT: &str = "openai_responses";

#[tokio::test(flavor = "multi_thread")]
async fn aimock_answers_whole_and_streamed() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await.speaking(DIALECT);
    for stream in [false, true] {
        let reply = api.ask("m", stream, KEY, &request(asked("The capital of Portugal?"))).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon, on the Tagus."));
        assert_eq!((reply.stop.as_str(), reply.first_token_ms.is_some()), ("completed", stream));

        let mut messages = asked("Noon is when in Tokyo?");
        let reply = api.ask("m", stream, KEY, &request(messages.clone())).await.unwrap();
        let calls: Vec<_> = reply.calls.iter().map(|call| format!("{} {}", call.name, call.args)).collect();
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert_eq!(calls[0], r#"get_current_time {"timezone":"Asia/Tokyo"}"#);
        messages.push(Message::Assistant {
            text: reply.text,
            calls: reply.calls.clone(),
            carry: reply.carry,
        });
        for call in reply.calls {
            messages.push(Message::Tool { call, text: "21:00".to_owned(), is_error: false, media: vec![] });
        }
        let reply = api.ask("m", stream, KEY, &request(messages)).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Noon in UTC is 21:00 in Tokyo."));
    }
    let fault =
        api.ask("m", false, "sk-wrong", &request(asked("The capital of Portugal?"))).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side), ("credentials.refused", Side::Model), "{fault:?}");
    api.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn litellm_answers_whole() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::litellm(&installed).await.speaking(DIALECT);
    let reply = api.ask("plain", false, KEY, &request(asked("The capital of Portugal?"))).await.unwrap();
    assert_eq!(reply.text.as_deref(), Some("The capital of Portugal is Lisbon."));
    assert_eq!(reply.stop, "completed");
    let fault = api.ask("no-such-model", false, KEY, &request(asked("Hello?"))).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side), ("model.refused-request", Side::Model), "{fault:?}");
    api.end().await;
}

/// The other way round: the official client reads what our own tests play to the dialect, and its types validate it.
#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_reads_our_double() {
    let Some(installed) = Installed::find() else { return };
    let double = MockServer::start().await;
    let stream = |text: String| ResponseTemplate::new(200).set_body_raw(text, "text/event-stream");
    let whole = response("completed", &json!([message(&text("Hello."))]));
    for (model, answer) in [
        ("text", ResponseTemplate::new(200).set_body_json(whole)),
        ("text-stream", stream(text_stream())),
        ("call-stream", stream(call_stream())),
    ] {
        Mock::given(method("POST"))
            .and(path("/v1/responses"))
            .and(body_partial_json(json!({"model": model})))
            .respond_with(answer)
            .mount(&double)
            .await;
    }
    let script = project().join("models/official_responses.py");
    let base = format!("{}/v1", double.uri());
    let command = installed.models("python", &[script.to_str().unwrap(), &base, KEY]);
    let output = tokio::process::Command::new(&command[0]).args(&command[1..]).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        read,
        json!({
            "text": ["Hello.", 56],
            "text-stream": ["Grüße — 日本 🎭", ["reasoning", "message"]],
            "call-stream": [["get_order", "{\"id\":2}"], ["echo", "{\"t\":1}"]],
        })
    );
}
