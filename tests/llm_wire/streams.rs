//! Streamed answers: cut anywhere, broken anywhere, silent in the middle.

use std::time::Duration;

use rehearsal::transcript::ToolCall;
use rehearsal::units::Period;
use serde_json::{Value, json};

use crate::bench::{Act, Bench, hello, raw};
use crate::completions::{call_stream, event, text_stream};

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

async fn streamed(connections: Vec<Vec<Act>>) -> Bench {
    let mut bench = Bench::at(&raw(connections).await);
    bench.spec.stream = true;
    bench.spec.retries = 0;
    bench
}

#[tokio::test]
async fn a_stream_is_read_however_it_is_cut() {
    let whole = text_stream().into_bytes();
    // Every seventh place keeps the test quick and still cuts lines, events and characters in half.
    let cuts: Vec<usize> = (1..whole.len()).step_by(7).collect();
    let acts = cuts.iter().map(|cut| {
        let (early, late) = whole.split_at(*cut);
        vec![Act::Send([STREAM, early].concat()), Act::Pause(1), Act::Send(late.to_vec())]
    });
    let bench = streamed(acts.collect()).await;
    for cut in cuts {
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.text.as_deref(), Some("Grüße — 日本 🎭"), "cut at {cut}");
        assert_eq!((reply.usage.input, reply.usage.output, reply.usage.cached), (5, 4, 2));
        assert_eq!((reply.stop.as_str(), reply.model_id.as_deref()), ("stop", Some("m-2026")));
        assert!(reply.first_token_ms.is_some_and(|first| first <= reply.took_ms));
    }
}

#[tokio::test]
async fn streamed_calls_are_put_together() {
    let stream = call_stream();
    // No `[DONE]`, lines end in CRLF: some servers do both.
    let bench =
        streamed(vec![vec![Act::Send([STREAM, stream.replace('\n', "\r\n").as_bytes()].concat())]]).await;
    let reply = bench.ask(&hello()).await.unwrap();
    let calls: Vec<ToolCall> = reply.calls;
    let shown: Vec<_> = calls.iter().map(|call| format!("{} {} {}", call.id, call.name, call.args)).collect();
    assert_eq!(shown, [r#"a get.order {"id":2}"#, r#"b echo {"t":1}"#]);
    assert!(!reply.usage.reported);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_repeated() {
    let half = text_stream().into_bytes()[..150].to_vec();
    let broken = vec![Act::Send([STREAM, &half].concat())];
    let whole = vec![Act::Send([STREAM, text_stream().as_bytes()].concat())];
    let mut bench = streamed(vec![broken.clone(), whole]).await;
    bench.spec.retries = 1;
    assert_eq!(bench.ask(&hello()).await.unwrap().text.as_deref(), Some("Grüße — 日本 🎭"));
    assert_eq!(bench.failed()[0].1, "the stream ended before the answer did");

    let fault = streamed(vec![broken]).await.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.unavailable", true));
}

#[tokio::test]
async fn a_finished_answer_counts_though_the_connection_stays_open() {
    let stream = text_stream();
    let open = stream.split("data: {\"choices\":[],").next().unwrap();
    let mut bench = streamed(vec![vec![Act::Send([STREAM, open.as_bytes()].concat()), Act::Hang]]).await;
    bench.spec.timeout = Period(Duration::from_millis(160));
    let reply = bench.ask(&hello()).await.unwrap();
    assert_eq!((reply.text.as_deref(), reply.usage.reported), (Some("Grüße — 日本 🎭"), false));
}

#[tokio::test]
async fn a_chunked_stream_that_is_cut_by_the_transport_is_no_answer() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let piece = event(&json!({"content": "half"}), &json!("stop"));
    let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
    let bench = streamed(vec![vec![Act::Send([&head[..], chunk.as_bytes()].concat())]]).await;
    let fault = bench.ask(&hello()).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.retryable), ("model.unavailable", true), "{fault}");
}

#[tokio::test]
async fn silence_ends() {
    let mut bench = Bench::at(&raw(vec![vec![Act::Hang]]).await);
    (bench.spec.retries, bench.spec.timeout) = (0, Period(Duration::from_millis(60)));
    let fault = bench.ask(&hello()).await.unwrap_err();
    insta::assert_snapshot!(format!("{} {fault}", fault.code), @"model.timeout model `m`: no complete answer within 60ms");

    // Comments and empty pieces are no content: the clock of silence runs on.
    for noise in [
        ": still here\n\n",
        "data: {\"choices\":[]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n",
    ] {
        let start = event(&json!({"content": "x"}), &Value::Null);
        let acts = vec![Act::Send([STREAM, start.as_bytes()].concat()), Act::Drip(noise.into())];
        let mut bench = streamed(vec![acts]).await;
        bench.spec.timeout = Period(Duration::from_millis(160));
        let fault = bench.ask(&hello()).await.unwrap_err();
        assert_eq!(fault.code, "model.timeout");
        assert!(fault.message.contains("in the middle of the answer for 80ms"), "{fault}");
    }
}

#[tokio::test]
async fn broken_streams_are_faults_and_never_wrong_answers() {
    let fine = event(&json!({"content": "x"}), &Value::Null);
    let json = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    let table: [(&[u8], Vec<u8>, &str); 6] = [
        (STREAM, b"data: {\"error\":{\"message\":\"boom\",\"code\":503}}\n\n".to_vec(), "model.unavailable"),
        (STREAM, [fine.as_bytes(), b"data: {oops}\n\n"].concat(), "model.bad-answer"),
        (STREAM, [fine.as_bytes(), b"data: \xff\xfe\n\n"].concat(), "model.unavailable"),
        (STREAM, [b"data: ", &vec![b'x'; 2 * 1024 * 1024][..]].concat(), "model.bad-answer"),
        (STREAM, vec![], "model.unavailable"),
        (json, b"<html>".to_vec(), "model.bad-answer"),
    ];
    for (head, body, code) in table {
        let bench = streamed(vec![vec![Act::Send([head, &body].concat())]]).await;
        let outcome = bench.ask(&hello()).await;
        assert_eq!(outcome.as_ref().map_err(|fault| fault.code.as_str()).err(), Some(code), "{outcome:?}");
    }
}
