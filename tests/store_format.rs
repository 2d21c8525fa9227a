//! The stored format: any transcript survives it, and files of earlier versions stay readable.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

#[path = "support/runs.rs"]
mod runs;

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use rehearsal::score::Outcome;
use rehearsal::store::record::{CaseResult, Ending, JudgeSpend};
use rehearsal::store::{Reader, Store, check};
use rehearsal::transcript::event::{Body, Caller, Frame, HttpSide, WireMessage};
use rehearsal::transcript::{
    End, Event, Fault, Secrets, ServerFacts, Side, ToolCall, ToolFact, Transcript, Usage, What,
};
use runs::{key, manifest, planned, transcript, verdict};
use serde_json::{Value, json};

/// Texts with everything that breaks encoders: quotes, zero bytes, astral characters, line separators.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,12}", "\\PC{0,8}", any::<String>().prop_map(|text| text.chars().take(10).collect())]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinity", |number| number.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn usage() -> impl Strategy<Value = Usage> {
    (any::<u32>(), any::<u32>(), any::<bool>()).prop_map(|(input, output, reported)| Usage {
        input: input.into(),
        output: output.into(),
        cached: u64::from(input / 2),
        reasoning: 0,
        reported,
        cache_written: u64::from(input / 4),
    })
}

fn body() -> impl Strategy<Value = Body> {
    prop::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| Body::from_bytes(&bytes))
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((text(), text()), 0..3)
}

fn frame() -> impl Strategy<Value = Frame> {
    let parts = (text(), proptest::option::of(text()), proptest::option::of(any::<u64>()));
    parts.prop_map(|(kind, id, retry_ms)| Frame { kind, id, retry_ms })
}

fn said() -> impl Strategy<Value = What> {
    let calls = prop::collection::vec((text(), text(), json()), 0..3);
    let cost = proptest::option::of(0.0..10.0);
    (proptest::option::of(text()), calls, usage(), cost, text()).prop_map(
        |(text, calls, usage, cost, stop)| {
            let call = |(id, name, args): (String, String, Value)| ToolCall {
                id: id.as_str().into(),
                name: name.as_str().into(),
                args,
            };
            What::ModelSaid {
                text,
                reasoning: None,
                calls: calls.into_iter().map(call).collect(),
                usage,
                cost,
                model_id: None,
                stop,
                refused: false,
                took_ms: 5,
                first_token_ms: Some(1),
            }
        },
    )
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        text().prop_map(|text| What::UserSaid { text, simulated: false }),
        said(),
        (text(), usage(), proptest::option::of(0.0..10.0)).prop_map(|(stop, usage, cost)| {
            let (model, text) = ("helper".into(), Some(stop.clone()));
            What::SamplingAnswered {
                model,
                text,
                calls: vec![],
                usage,
                cost,
                model_id: None,
                stop,
                took_ms: 1,
            }
        }),
        (text(), text()).prop_map(|(method, message)| What::AnswerOdd { method, message }),
        (text(), json()).prop_map(|(name, raw)| What::ToolsListed {
            tools: vec![ToolFact { name: name.as_str().into(), raw: raw.into() }]
        }),
        (text(), json()).prop_map(|(name, capabilities)| {
            What::ServerOpened(ServerFacts { name, capabilities, ..ServerFacts::default() })
        }),
        (text(), json()).prop_map(|(call, args)| What::ToolCalled {
            call: call.as_str().into(),
            name: "get_order".into(),
            args,
            by: Caller::Model,
        }),
        (text(), json(), proptest::option::of(json().prop_filter("an absent value", |json| !json.is_null())))
            .prop_map(|(call, content, structured)| What::ToolReturned {
                call: call.as_str().into(),
                content: vec![content],
                structured,
                is_error: true,
                bytes: u64::MAX,
                cut_by_client: None,
                took_ms: 0,
            }),
        (headers(), body(), proptest::option::of(frame())).prop_map(|(headers, body, frame)| {
            What::Wire(WireMessage::Received {
                via: "sse".to_owned(),
                status: Some(200),
                headers,
                frame,
                of: None,
                body,
            })
        }),
        (headers(), body(), proptest::result::maybe_ok(headers(), text())).prop_map(
            |(headers, body, answer)| {
                let request = HttpSide { start: "GET x".to_owned(), headers, body: body.clone() };
                let answer = answer.map(|headers| HttpSide { start: "401".to_owned(), headers, body });
                What::Exchanged { label: "no token".to_owned(), request, response: answer, took_ms: 1 }
            }
        ),
    ]
}

fn end() -> impl Strategy<Value = End> {
    let fault = |message| End::Faulted(Fault::new(Side::Server, "target.died", message));
    prop_oneof![Just(End::Done), text().prop_map(fault)]
}

fn whole() -> impl Strategy<Value = Transcript> {
    (prop::collection::vec(what(), 0..12), end()).prop_map(|(what, end)| {
        let events = (0..)
            .zip(what)
            .map(|(seq, what)| Event { seq, at_ms: u64::from(seq), what, aside: None })
            .collect();
        Transcript { events, end, ..transcript(0, End::Done) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_transcript_survives(transcript in whole()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run-1.sqlite");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = Store::create(&path, &manifest("run-1"), &planned(1)).unwrap();
            store.finished(Arc::new(transcript.clone())).await.unwrap();
        });
        let reader = Reader::open(&path).unwrap();
        prop_assert_eq!(reader.transcript(key(0)).unwrap(), Some(transcript.clone()));
        let expected = CaseResult::of(&transcript, planned(1).remove(0));
        prop_assert_eq!(&reader.record().unwrap().results, &[expected]);
        prop_assert_eq!(check::check(&path, &Secrets::default()).unwrap(), []);
    }
}

const FIRST: &str = "tests/fixtures/runs/v1.sqlite";
const NEWEST: &str = "tests/fixtures/runs/v2.sqlite";

/// The content of the committed fixture. `WRITE_FIXTURE=tests/fixtures/runs/vN.sqlite` writes it, once for each format.
#[tokio::test]
async fn the_fixture_of_the_current_format_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("WRITE_FIXTURE").map_or_else(|| folder.path().join("run.sqlite"), Into::into);
    write_fixture(&path).await;
    let (new, old) =
        (Reader::open(&path).unwrap().record().unwrap(), Reader::open(Path::new(NEWEST)).unwrap());
    assert_eq!(new, old.record().unwrap());
    assert_eq!(new.gate, Some(json!({"version": 1})));
}

async fn write_fixture(path: &Path) {
    let store = Store::create(path, &manifest("0197aaaa"), &planned(3)).unwrap();
    for (number, outcome) in [(0, Outcome::Pass), (1, Outcome::Fail)] {
        store.finished(Arc::new(transcript(number, End::Done))).await.unwrap();
        store.scored(key(number), &verdict(outcome), JudgeSpend::default()).await.unwrap();
    }
    store.gate(&json!({"version": 0})).await.unwrap();
    store.gate(&json!({"version": 1})).await.unwrap();
    store.ended(&Ending { at: "2026-01-01T00:01:00Z".to_owned(), exit: 1 }).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn files_of_the_first_format_stay_readable() {
    let reader = Reader::open(Path::new(FIRST)).unwrap();
    let record = reader.record().unwrap();
    assert_eq!(record.manifest.run.as_str(), "0197aaaa");
    assert_eq!(record.manifest.inputs["suites/bookshop.yaml"], "version: 1\n");
    let outcomes: Vec<_> = record.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Pass), Some(Outcome::Fail)]);
    assert_eq!((record.missing.len(), record.stops.len(), &record.gate), (1, 0, &None));
    assert_eq!(record.results[0].tool_calls, ["get_order", "no_such_tool"]);
    let first = reader.transcripts().unwrap().next().unwrap().unwrap().1;
    assert_eq!((first.events.len(), first.end), (6, End::Done));
    assert_eq!(check::check(Path::new(FIRST), &Secrets::default()).unwrap(), []);
    // An old run can be gone on with; the fixture itself stays as it is.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy.sqlite");
    std::fs::copy(FIRST, &copy).unwrap();
    let store = Store::open(&copy).unwrap();
    store.finished(Arc::new(transcript(2, End::Done))).await.unwrap();
    store.gate(&json!({"version": 1})).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(Reader::open(&copy).unwrap().record().unwrap().gate, Some(json!({"version": 1})));
    assert_eq!(Reader::open(&copy).unwrap().record().unwrap().missing, []);
}
