//! How an answer ends, in every dialect against aimock: with its tokens counted, refused, or broken off in the middle of
//! its stream.

use rehearsal::transcript::Side;

use super::models::{Api, KEY, answered, asked, request};
use super::native::spec;
use super::surroundings::Installed;

/// Each dialect with a model that aimock takes for one of that API's, and its word for an answer that was refused. Of the
/// Responses API aimock makes a failed answer without a reason, which no real one gives.
const DIALECTS: [(&str, &str, Option<&str>); 4] = [
    ("openai", "m", Some("content_filter")),
    ("openai_responses", "m", None),
    ("anthropic", "claude-opus-4-5", Some("refusal")),
    ("gemini", "gemini-2.5-pro", Some("SAFETY")),
];

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_those_that_the_api_counts() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    for (dialect, model, _) in DIALECTS {
        for stream in [false, true] {
            let spec = spec(&api, dialect, model, stream);
            let reply = answered(&spec, KEY, &request(asked("Count this."))).await.unwrap();
            let usage = reply.usage;
            assert_eq!((usage.input, usage.output, usage.reported), (21, 5, true), "{dialect} {stream}");
        }
    }
    api.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_answer() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    for (dialect, model, stop) in DIALECTS {
        let Some(stop) = stop else { continue };
        for stream in [false, true] {
            let spec = spec(&api, dialect, model, stream);
            let words = if dialect == "anthropic" { "Decline this." } else { "Filter this." };
            let reply = answered(&spec, KEY, &request(asked(words))).await.unwrap();
            assert_eq!((reply.stop.as_str(), reply.refused), (stop, true), "{dialect} {stream}");
            let reply = answered(&spec, KEY, &request(asked("Count this."))).await.unwrap();
            assert!(!reply.refused, "{dialect} {stream}");
        }
    }
    api.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_is_no_answer() {
    let Some(installed) = Installed::find() else { return };
    let api = Api::aimock(&installed).await;
    for (dialect, model, _) in DIALECTS {
        let broken = request(asked("Break off."));
        let fault = answered(&spec(&api, dialect, model, true), KEY, &broken).await.unwrap_err();
        assert_eq!(
            (fault.code.as_str(), fault.side),
            ("model.unavailable", Side::Model),
            "{dialect}: {fault:?}"
        );
        // The same answer, whole.
        let reply = answered(&spec(&api, dialect, model, false), KEY, &broken).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("A long answer that never comes to its end."), "{dialect}");
    }
    api.end().await;
}
