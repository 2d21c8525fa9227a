//! The `openai_responses` dialect against imitations of the Responses API that nobody here wrote, and the official client
//! against our own double.

use rehearsal::transcript::Side;
use serde_json::{Value, json};
use wiremock::matchers::{body_partial_json, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::cli::project;
use super::models::{Api, KEY, asked, request, walks_through_aimock};
use super::responses_double::{call_stream, message, response, text, text_stream};
use super::surroundings::Installed;

const DIALECT: &str = "openai_responses";

#[tokio::test(flavor = "multi_thread")]
async fn aimock_answers_whole_and_streamed() {
    // The API says `completed` of an answer with calls, too.
    walks_through_aimock(DIALECT, ["completed", "completed"]).await;
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
    let refusal = json!({"type": "refusal", "refusal": "I will not."});
    let refusal = response("completed", &json!([message(&refusal)]));
    for (model, answer) in [
        ("refusal", ResponseTemplate::new(200).set_body_json(refusal)),
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
            "refusal": ["I will not."],
            "text-stream": ["Grüße — 日本 🎭", ["reasoning", "message"]],
            "call-stream": [["get_order", "{\"id\":2}"], ["echo", "{\"t\":1}"]],
        })
    );
}
