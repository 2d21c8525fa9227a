//! Servers that send too much, too slowly, or what is no text: bounded time, bounded memory, a fault in plain words.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::Body;
use rehearsal::mcp::Isolation;
use rehearsal::transcript::{Body as Kept, Fault, What, WireMessage};
use rehearsal::units::Period;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{
    INITIALIZED, Scripted, anonymous, answer, at, event, events, log, odd, open, open_as, patient, polite,
    result, server, shell, stream, text_of, text_result,
};

/// What a server of raw bytes does with a call, once it has read it.
#[derive(Clone)]
enum Raw {
    /// Sends these bytes and keeps the connection open.
    Send(Vec<u8>),
    /// The same, byte by byte.
    Drip(Vec<u8>, Duration),
    /// Ends its side of the connection after these bytes, and goes on reading.
    HalfClose(Vec<u8>),
}

/// A server that is polite until a call comes.
async fn raw(then: Raw) -> url::Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let then = then.clone();
            tokio::spawn(async move {
                let _ = socket.set_nodelay(true);
                let mut request = vec![0; 16 * 1024];
                while let Ok(count @ 1..) = socket.read(&mut request).await {
                    let text = String::from_utf8_lossy(&request[..count]).into_owned();
                    let sent = if text.contains("tools/call") {
                        misbehave(&mut socket, then.clone()).await
                    } else if text.contains("\"initialize\"") {
                        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{INITIALIZED}}}"#);
                        let head =
                            format!("content-type: application/json\r\ncontent-length: {}", body.len());
                        socket.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await
                    } else {
                        let status = if text.starts_with("POST") { "202 Accepted" } else { "405 No" };
                        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        socket.write_all(head.as_bytes()).await
                    };
                    if sent.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

async fn misbehave(socket: &mut tokio::net::TcpStream, then: Raw) -> std::io::Result<()> {
    match then {
        Raw::Send(bytes) => socket.write_all(&bytes).await,
        Raw::Drip(bytes, pause) => {
            for byte in bytes {
                socket.write_all(&[byte]).await?;
                tokio::time::sleep(pause).await;
            }
            Ok(())
        }
        Raw::HalfClose(bytes) => {
            socket.write_all(&bytes).await?;
            socket.shutdown().await
        }
    }
}

/// The fault of one call, what was kept of its answer, and how long it took.
async fn call(then: Raw, deadline_ms: u64) -> (Fault, Vec<Kept>, u128) {
    let (target, log) = (at(raw(then).await), log());
    let session = open_as(&target, &anonymous(), &patient(deadline_ms), &log).await.unwrap();
    let begun = Instant::now();
    let fault = session.call_tool("a", &json!({})).await.unwrap_err();
    let took = begun.elapsed().as_millis();
    (fault, received(&log), took)
}

fn received(log: &rehearsal::transcript::Recorder) -> Vec<Kept> {
    let bodies = events(log).into_iter().filter_map(|what| match what {
        What::Wire(WireMessage::Received { body, .. }) => Some(body),
        _ => None,
    });
    bodies.collect()
}

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const SSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

#[tokio::test]
async fn slow_answers_end_at_the_deadline_and_are_kept_as_far_as_they_came() {
    let body = br#"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#;
    let (pause, deadline) = (Duration::from_millis(20), 400);
    let head = format!("{JSON}content-length: {}\r\n\r\n", body.len());
    let in_body = [head.as_bytes(), body].concat();
    // The head comes at once, the body a byte at a time: nine bytes of what is kept came before the deadline.
    let slow_body = Raw::Drip(in_body[head.len() - 1..].to_vec(), pause);
    let url = raw(Raw::Drip(in_body.clone(), pause)).await;
    let session = open_as(&at(url), &anonymous(), &patient(deadline), &log()).await.unwrap();
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.timeout");
    // Half an answer, then silence.
    let (fault, kept, took) = call(Raw::Send(in_body[..head.len() + 9].to_vec()), deadline).await;
    assert_eq!(fault.code, "target.timeout");
    assert!(took < u128::from(deadline) + 2_000, "{took} ms");
    assert!(kept.contains(&Kept::Text(r#"{"jsonrpc"#[..9].to_owned())), "{kept:?}");
    // Bytes before any head are no HTTP.
    let (fault, _, _) = call(slow_body, deadline).await;
    assert!(["target.timeout", "target.unreachable"].contains(&fault.code.as_str()), "{}", fault.code);
    let (fault, kept, _) =
        call(Raw::Send(format!("{SSE}id: 4\ndata: {{\"half\":").into_bytes()), deadline).await;
    assert_eq!(fault.code, "target.timeout");
    assert!(kept.contains(&Kept::Text("data: {\"half\":".to_owned())), "{kept:?}");
}

#[tokio::test]
async fn connections_that_break_are_kept_up_to_there() {
    let cases: [(&str, &str, &str, &str); 4] = [
        (JSON, "content-length: 100\r\n\r\n{\"jsonrpc\":\"2.0\",", "{\"jsonrpc\":\"2.0\",", "broke off"),
        (JSON, "transfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\nnonsense", "{\"a\":", "broke off"),
        (SSE, "data: {\"jsonrpc\"", "data: {\"jsonrpc\"", "ended before the answer"),
        ("HTTP/1.1 200 OK\r\ncontent-", "", "", "gave no HTTP answer"),
    ];
    for (head, rest, kept, words) in cases {
        let (fault, all, took) = call(Raw::HalfClose(format!("{head}{rest}").into_bytes()), 5_000).await;
        assert!(fault.message.contains(words), "{}", fault.message);
        assert!(kept.is_empty() || all.contains(&Kept::Text(kept.to_owned())), "{all:?}");
        assert!(took < 3_000, "{took} ms");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_as_they_are() {
    let body = b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"\xff\xfe\"}]}}";
    let json = [format!("{JSON}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    let sse = [SSE.as_bytes(), b"data: ", body, b"\n\n"].concat();
    for bytes in [json, sse] {
        let (target, log) = (at(raw(Raw::Send(bytes)).await), log());
        let session = open(&target, &log).await.unwrap();
        assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "\u{fffd}\u{fffd}");
        assert!(received(&log).contains(&Kept::Bytes(body.to_vec())), "{:?}", received(&log));
        assert_eq!(odd(&log), ["a message of the server is not valid UTF-8"]);
    }
    let script = server(
        r#"*tools/call*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"\377"}]}}\n' "$id" ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "\u{fffd}");
    assert!(received(&log).iter().any(|body| matches!(body, Kept::Bytes(_))));
    assert_eq!(odd(&log), ["a message of the server is not valid UTF-8"]);
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let many: String = (0..50_000).map(|number| format!("x-{number}: y\r\n")).collect();
    let (fault, _, took) = call(Raw::Send(format!("{JSON}{many}\r\n").into_bytes()), 5_000).await;
    assert_eq!(fault.code, "target.unreachable");
    assert!(fault.message.contains("gave no HTTP answer"), "{}", fault.message);
    let endless = format!("{JSON}x: {}", "y".repeat(2 << 20));
    let (fault, _, _) = call(Raw::Send(endless.into_bytes()), 5_000).await;
    assert_eq!(fault.code, "target.unreachable", "{}", fault.message);
    assert!(took < 3_000, "{took} ms");
}

/// A hundred megabytes in pieces of one; each kind of body is cut at its cap, whether its length is announced or not.
#[tokio::test]
async fn bodies_of_a_hundred_megabytes_are_cut_off() {
    const WHOLE: usize = 100;
    for (kind, begin, length) in [
        ("application/json", "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"", true),
        ("application/json", "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"", false),
        ("text/event-stream", "data: \"", true),
        ("text/event-stream", "data: \"", false),
        ("text/plain", "", false),
    ] {
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => {
                let pieces = (0..=WHOLE).map(move |piece| match piece {
                    0 => Ok::<_, Infallible>(begin.to_owned()),
                    _ => Ok("x".repeat(1 << 20)),
                });
                let mut response = answer(200, kind, Body::from_stream(futures::stream::iter(pieces)));
                if length {
                    let bytes = begin.len() + (WHOLE << 20);
                    response.headers_mut().insert("content-length", bytes.into());
                }
                response
            }
            _ => polite(request),
        })
        .await;
        let log = log();
        let session = open(&server.target(), &log).await.unwrap();
        let begun = Instant::now();
        let fault = session.call_tool("a", &json!({})).await.unwrap_err();
        assert_eq!(fault.code, "target.too-large", "{kind}: {}", fault.message);
        assert!(begun.elapsed() < Duration::from_secs(5));
        let kept: usize = received(&log).iter().map(Kept::len).sum();
        assert!(kept < 100_000, "{kept} bytes kept");
    }
}

#[tokio::test]
async fn endless_streams_end_at_the_deadline() {
    for piece in
        [": nothing\n\n", "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n", "id: 1\n\n"]
    {
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => {
                let pieces = futures::stream::repeat_with(move || Ok::<_, Infallible>(piece.repeat(100)));
                answer(200, "text/event-stream", Body::from_stream(pieces))
            }
            _ => polite(request),
        })
        .await;
        let log = log();
        let session = open_as(&server.target(), &anonymous(), &patient(300), &log).await.unwrap();
        let begun = Instant::now();
        assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.timeout");
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        assert!(log.len() < 4_100, "{} events", log.len());
    }
}

#[tokio::test]
async fn answers_nested_too_deep_are_faults_on_every_transport() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for kind in ["application/json", "text/event-stream"] {
        let deep = deep.clone();
        let server = Scripted::start(move |request| match request.rpc() {
            "tools/call" => {
                let body = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{deep}}}"#, request.body["id"]);
                match kind {
                    "application/json" => answer(200, kind, body),
                    _ => stream(vec![format!("data: {body}\n\n")], 0),
                }
            }
            _ => polite(request),
        })
        .await;
        let session = open(&server.target(), &log()).await.unwrap();
        too_deep(&session.call_tool("a", &json!({})).await.unwrap_err());
    }
    let script = server(&format!("*tools/call*) answer '{deep}' ;;"));
    let session = open(&shell(&script, Isolation::Trial), &log()).await.unwrap();
    too_deep(&session.call_tool("a", &json!({})).await.unwrap_err());
}

fn too_deep(fault: &Fault) {
    assert_eq!(fault.code, "target.protocol");
    assert!(
        fault.message.starts_with("the server's answer cannot be read (recursion limit"),
        "{}",
        fault.message
    );
    assert!(fault.message.len() < 500);
}

#[tokio::test]
async fn a_hundred_thousand_tools() {
    const TOOLS: usize = 100_000;
    let tool = |number: usize| json!({"name": format!("tool-{number}")});
    let server = Scripted::start(move |request| {
        let page = request.body["params"]["cursor"].as_str().map_or(0, |page| page.parse().unwrap());
        match (request.rpc(), request.header("x-pages")) {
            ("tools/list", "") if page == 0 && request.header("x-all") == "1" => {
                result(request, &json!({"tools": (0..TOOLS).map(tool).collect::<Vec<_>>()}))
            }
            ("tools/list", _) => {
                let tools: Vec<_> = (page * 1_000..(page + 1) * 1_000).map(tool).collect();
                let next = (page < 99).then(|| (page + 1).to_string());
                result(request, &json!({"tools": tools, "nextCursor": next}))
            }
            _ => polite(request),
        }
    })
    .await;
    for all in [true, false] {
        let headers = all.then(|| ("x-all".to_owned(), "1".to_owned())).into_iter().collect();
        let endpoint = rehearsal::mcp::Endpoint::Http { url: server.url.clone(), headers };
        let keeper = rehearsal::mcp::connect::Keeper::new(rehearsal::net::client().unwrap());
        let target = rehearsal::mcp::connect::target(endpoint, Isolation::Run, keeper);
        let log = log();
        let session = open_as(&target, &anonymous(), &patient(30_000), &log).await.unwrap();
        let begun = Instant::now();
        assert_eq!(session.list_tools().await.unwrap().len(), TOOLS);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert!(odd(&log).is_empty(), "{:?}", odd(&log));
    }
}

#[tokio::test]
async fn the_same_name_a_hundred_thousand_times_is_said_in_bounds() {
    let server = Scripted::start(|request| match request.rpc() {
        "tools/list" => {
            let tools: Vec<Value> =
                (0..100_000).map(|n| json!({"name": format!("tool-{}", n / 2)})).collect();
            result(request, &json!({"tools": tools}))
        }
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open_as(&server.target(), &anonymous(), &patient(30_000), &log).await.unwrap();
    let begun = Instant::now();
    assert_eq!(session.list_tools().await.unwrap().len(), 100_000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let count = odd(&log).len();
    assert!((1..=200).contains(&count), "{count} remarks");
}

#[tokio::test]
async fn answers_that_come_twice_late_or_for_others_disturb_nobody() {
    let server = Scripted::start(|request| match (request.rpc(), request.body["params"]["name"].as_str()) {
        ("tools/call", Some("twice")) => {
            let own =
                event(&json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("first")}));
            let again =
                event(&json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("second")}));
            stream(vec![format!("{own}{again}")], 0)
        }
        ("tools/call", Some("late")) => {
            let own =
                event(&json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("late")}));
            stream(vec![": wait\n\n".to_owned(), own], 150)
        }
        ("tools/call", _) => result(request, &text_result("fine")),
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open_as(&server.target(), &anonymous(), &patient(100), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("twice", &json!({})).await.unwrap()), "first");
    assert_eq!(odd(&log).len(), 1, "{:?}", odd(&log));
    assert_eq!(session.call_tool("late", &json!({})).await.unwrap_err().code, "target.timeout");
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "fine");
}

#[tokio::test]
async fn answers_to_cancelled_calls_are_named_over_stdio() {
    let script = server(
        r#"*tools/call*'"late"'*) late=$id ;;
           *notifications/cancelled*) now=$id; id=$late; answer '{"content":[]}' ;;
           *tools/call*) answer '{"content":[{"type":"text","text":"fine"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open_as(&target, &anonymous(), &patient(150), &log).await.unwrap();
    assert_eq!(session.call_tool("late", &json!({})).await.unwrap_err().code, "target.timeout");
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "fine");
    assert_eq!(odd(&log), ["an answer to a request that is not waiting, id `2`"]);
}

#[tokio::test]
async fn a_server_that_never_reads_holds_nobody_beyond_the_deadline() {
    // It answers the handshake without having read it, and then only sleeps.
    let script = format!(r#"printf '{{"jsonrpc":"2.0","id":1,"result":{INITIALIZED}}}\n'; exec sleep 60"#);
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let mut profile = patient(100);
    profile.conduct.connect_timeout = Some(Period(Duration::from_secs(3)));
    let session = open_as(&target, &anonymous(), &profile, &log).await.unwrap();
    let large = json!({"text": "x".repeat(1 << 20)});
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(session.call_tool("a", &large).await.unwrap_err().code, "target.timeout");
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    let begun = Instant::now();
    session.close().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_flood_on_stdout_is_read_away_and_bounded_in_the_record() {
    let script = server(
        r#"*tools/call*) yes 'DEBUG: a line of a log that belongs on stderr' | head -n 200000; answer '{"content":[{"type":"text","text":"fine"}]}' ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open_as(&target, &anonymous(), &patient(20_000), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "fine");
    assert!(log.len() < 4_100, "{} events", log.len());
    assert!(odd(&log).len() <= 200);
}

#[tokio::test]
async fn a_last_line_without_its_end_is_still_read() {
    let script = server(
        r#"*tools/call*) printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"last"}]}}' "$id"; exit 0 ;;"#,
    );
    let (target, log) = (shell(&script, Isolation::Trial), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "last");
}
