//! The HTTP+SSE transport of 2024-11-05: announcement, answers on the stream, lost streams, hostile servers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::{Endpoint, Isolation, Target};
use rehearsal::net;
use rehearsal::transcript::Side;
use rehearsal::units::Period;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::stage::{
    Scripted, Seen, anonymous, answer, begins_anew_once, empty, event, eventually, log, odd, open, open_as,
    patient, polite, result_event, stream, text_of, text_result, wire,
};

type Say = UnboundedSender<String>;

/// A server with one stream per session; `post` says what comes on it.
struct TwoWays {
    server: Scripted,
    streams: Arc<Mutex<Vec<Say>>>,
}

impl TwoWays {
    async fn start(post: impl Fn(&Seen, &Say) -> Response<Body> + Send + Sync + 'static) -> Self {
        let streams: Arc<Mutex<Vec<Say>>> = Arc::default();
        let all = Arc::clone(&streams);
        let server = Scripted::start(move |request| match request.method.as_str() {
            "GET" => {
                let (say, hear) = unbounded_channel();
                let mut all = all.lock().unwrap();
                all.push(say.clone());
                say.send(format!("event: endpoint\ndata: /messages?session={}\n\n", all.len())).unwrap();
                let heard = futures::stream::unfold(hear, |mut hear| async move {
                    // An empty text closes the stream.
                    let text = hear.recv().await.filter(|text| !text.is_empty())?;
                    Some((Ok::<_, std::convert::Infallible>(text), hear))
                });
                answer(200, "text/event-stream", Body::from_stream(heard))
            }
            _ => {
                let number = request.path.strip_prefix("/messages?session=").map(str::parse::<usize>);
                let Some(Ok(number)) = number else { return empty(StatusCode::METHOD_NOT_ALLOWED) };
                let say = all.lock().unwrap()[number - 1].clone();
                post(request, &say)
            }
        })
        .await;
        Self { server, streams }
    }

    fn target(&self) -> Arc<dyn Target> {
        over_sse(&self.server)
    }

    fn posts(&self, method: &str) -> usize {
        self.server.seen().iter().filter(|seen| seen.rpc() == method).count()
    }
}

fn over_sse(server: &Scripted) -> Arc<dyn Target> {
    let endpoint = Endpoint::HttpSse { url: server.url.clone(), headers: BTreeMap::new() };
    target(endpoint, Isolation::Run, Keeper::new(net::client().unwrap()))
}

/// What a well-behaved server does with everything but tools.
fn kind(request: &Seen, say: &Say) -> Response<Body> {
    if request.rpc() == "initialize" {
        let result = json!({"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": {"name": "old", "version": "1"}});
        let _ = say.send(result_event(request, &result));
    }
    answer(202, "text/plain", "Accepted")
}

fn says(request: &Seen, say: &Say, text: &str) -> Response<Body> {
    let _ = say.send(result_event(request, &text_result(text)));
    answer(202, "text/plain", "Accepted")
}

#[tokio::test]
async fn a_whole_conversation() {
    let server = TwoWays::start(|request, say| match request.rpc() {
        "tools/list" => {
            let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"});
            let _ = say.send(format!("event: message\n{}", event(&ping)));
            let _ = say.send(result_event(request, &json!({"tools": [{"name": "a"}]})));
            answer(202, "text/plain", "Accepted")
        }
        "tools/call" => says(request, say, "hello"),
        _ => kind(request, say),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!((session.facts().name.as_str(), session.facts().protocol.as_str()), ("old", "2024-11-05"));
    assert_eq!(session.list_tools().await.unwrap().len(), 1);
    eventually("the ping is answered", || {
        server.server.seen().iter().any(|seen| seen.body["id"] == "p" && seen.body["result"] == json!({}))
    })
    .await;
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "hello");
    let stream = server.streams.lock().unwrap()[0].clone();
    assert!(!stream.is_closed());
    session.close().await;
    target.close().await;
    eventually("the stream is closed", || stream.is_closed()).await;
    assert!(odd(&log).is_empty(), "{:?}", odd(&log));
    let seen = server.server.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].header("accept")), ("GET", "text/event-stream"));
    assert!(seen[1..].iter().all(|seen| seen.method == "POST" && seen.path == "/messages?session=1"));
    assert!(seen.iter().all(|seen| seen.header("mcp-protocol-version").is_empty()));
    let accepted = || wire(&log).iter().filter(|line| *line == "< json 202 Accepted").count();
    eventually("every receipt is recorded", || accepted() == 5).await;
    let wire = wire(&log);
    assert_eq!(wire[..3], ["> GET", "< sse 200 /messages?session=1", "> POST initialize"], "{wire:?}");
    for line in ["< sse result 1", "< sse ping", "< sse result 3", "> POST result \"p\""] {
        assert!(wire.iter().any(|known| known == line), "{line}: {wire:?}");
    }
}

/// The fault of opening a session with a server whose stream is like this.
async fn opening(reply: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> String {
    let server = Scripted::start(reply).await;
    let mut impatient = patient(300);
    impatient.conduct.connect_timeout = Some(Period(Duration::from_millis(300)));
    let fault = open_as(&over_sse(&server), &anonymous(), &impatient, &log()).await.err().unwrap();
    assert!(server.seen().iter().all(|seen| seen.method == "GET"), "{:?}", server.seen());
    let port = server.url.port().unwrap().to_string();
    format!("{}: {}", fault.code, fault.message).replace(&port, "PORT")
}

#[tokio::test]
async fn streams_that_are_none_say_what_to_do() {
    let announcing =
        |place: &'static str| move |_: &Seen| stream(vec![format!("event: endpoint\ndata: {place}\n\n")], 0);
    let all = [
        opening(announcing("https://elsewhere.example/steal?s=1")).await,
        opening(announcing("http://[")).await,
        opening(|_| stream(vec![": nothing\n\n".to_owned()], 0)).await,
        opening(|_| answer(200, "text/html", "<!doctype html>")).await,
        opening(|_| empty(StatusCode::NOT_FOUND)).await,
        opening(|_| empty(StatusCode::METHOD_NOT_ALLOWED)).await,
        opening(|_| empty(StatusCode::UNAUTHORIZED)).await,
        opening(|_| answer(502, "text/plain", "back soon")).await,
        opening(|_| {
            let silence = futures::stream::pending::<Result<&str, std::convert::Infallible>>();
            answer(200, "text/event-stream", Body::from_stream(silence))
        })
        .await,
    ];
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_call_whose_stream_breaks_is_not_sent_again() {
    let server = TwoWays::start(|request, say| match request.body["params"]["name"].as_str() {
        Some("breaks") => {
            let _ = say.send("data: {\"jsonrpc\":\"2.0\",\"id\":2,\"res".to_owned());
            let _ = say.send(String::new());
            empty(StatusCode::ACCEPTED)
        }
        Some(_) => says(request, say, "alive"),
        None => kind(request, say),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    let fault = session.call_tool("breaks", &json!({})).await.unwrap_err();
    assert_eq!((fault.code.as_str(), fault.side), ("target.protocol", Side::Server));
    assert_eq!(fault.message, "the event stream ended before the answer");
    assert_eq!(server.posts("tools/call"), 1);
    // What came before the end is kept; what follows has a session of its own.
    assert!(
        wire(&log).iter().any(|line| line.contains(r#"< sse data: {"jsonrpc":"2.0","id":2,"res"#)),
        "{:?}",
        wire(&log)
    );
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "alive");
    assert_eq!((server.posts("initialize"), server.posts("notifications/initialized")), (2, 2));
    assert_eq!(odd(&log), ["the event stream had ended; a new one was begun"]);
    // Once is enough.
    assert_eq!(session.call_tool("breaks", &json!({})).await.unwrap_err().code, "target.protocol");
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().message, fault.message);
    assert_eq!(server.posts("initialize"), 2);
}

#[tokio::test]
async fn a_forgotten_session_is_begun_anew_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let server = TwoWays::start(move |request, say| match request.rpc() {
        "tools/call" if request.path.ends_with("=1") => empty(StatusCode::NOT_FOUND),
        "tools/call" if counter.fetch_add(1, Ordering::SeqCst) < 2 => says(request, say, "alive"),
        "tools/call" => empty(StatusCode::NOT_FOUND),
        _ => kind(request, say),
    })
    .await;
    begins_anew_once(&server.target()).await;
    assert_eq!(server.posts("initialize"), 2);
}

#[tokio::test]
async fn what_clients_do_not_read_is_recorded_and_named() {
    let server = TwoWays::start(|request, say| match request.body["params"]["name"].as_str() {
        Some("posted") => {
            let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "result": text_result("here")});
            answer(200, "application/json", body.to_string())
        }
        Some(_) => {
            let _ = say.send("event: endpoint\ndata: /elsewhere\n\nevent: heartbeat\ndata: 1\n\n".to_owned());
            let _ = say.send("data: \u{fffd}\n\n".to_owned());
            says(request, say, "alive")
        }
        None => kind(request, say),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open_as(&target, &anonymous(), &patient(200), &log).await.unwrap();
    assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "alive");
    assert_eq!(session.call_tool("posted", &json!({})).await.unwrap_err().code, "target.timeout");
    insta::assert_snapshot!(odd(&log).join("\n"), @r"
    the server announced a second place for messages; the first one is kept
    an event of type `heartbeat`, which clients do not read as a message
    not a JSON-RPC message (expected value at line 1 column 1): `�`
    an answer came in the response to a POST, where clients of HTTP+SSE do not look
    ");
    assert!(server.server.seen().iter().all(|seen| seen.path != "/elsewhere"));
    assert_eq!(server.posts("notifications/cancelled"), 1);
}

#[tokio::test]
async fn an_event_without_end_ends_the_stream() {
    let server = TwoWays::start(|request, say| match request.rpc() {
        "tools/call" => {
            let _ = say.send("data: ".to_owned());
            (0..20).for_each(|_| {
                let _ = say.send("x".repeat(1 << 20));
            });
            empty(StatusCode::ACCEPTED)
        }
        _ => kind(request, say),
    })
    .await;
    let (target, log) = (server.target(), log());
    let session = open(&target, &log).await.unwrap();
    assert_eq!(session.call_tool("a", &json!({})).await.unwrap_err().code, "target.too-large");
    let streams = server.streams.lock().unwrap().clone();
    eventually("the stream is closed", || streams[0].is_closed()).await;
}

/// What a POST is answered with by servers that know only HTTP+SSE leads to their stream, once per target.
#[tokio::test]
async fn old_servers_are_found_out() {
    let server = TwoWays::start(|request, say| match request.rpc() {
        "tools/call" => says(request, say, "alive"),
        _ => kind(request, say),
    })
    .await;
    let target = server.server.target();
    for _ in 0..2 {
        let log = log();
        let session = open(&target, &log).await.unwrap();
        assert_eq!(text_of(session.call_tool("a", &json!({})).await.unwrap()), "alive");
        assert!(odd(&log).is_empty(), "{:?}", odd(&log));
        session.close().await;
    }
    let seen = server.server.seen();
    let at = |path: &str, method: &str| {
        seen.iter().filter(|seen| seen.path.starts_with(path) && seen.method == method).count()
    };
    assert_eq!((at("/mcp", "POST"), at("/mcp", "GET")), (1, 2), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_refuses_the_handshake_is_no_old_one() {
    for status in [400, 404, 405] {
        let server = Scripted::start(move |_| answer(status, "text/plain", "not here")).await;
        let fault = open(&server.target(), &log()).await.err().unwrap();
        assert_eq!(fault.code, "target.protocol");
        assert!(fault.message.contains(&format!("HTTP {status}")), "{}", fault.message);
        let methods: Vec<_> = server.seen().iter().map(|seen| seen.method.to_string()).collect();
        assert_eq!(methods, ["POST", "GET"]);
    }
    // Nothing is guessed after a refused identity, nor where the suite names the transport.
    let server = Scripted::start(|_| empty(StatusCode::UNAUTHORIZED)).await;
    assert_eq!(open(&server.target(), &log()).await.err().unwrap().code, "target.unauthorized");
    assert!(server.seen().iter().all(|seen| seen.method == "POST"));
    let streamable = Scripted::start(polite).await;
    let fault = open(&over_sse(&streamable), &log()).await.err().unwrap();
    assert!(fault.message.contains("no event stream there"), "{}", fault.message);
    assert!(streamable.seen().iter().all(|seen| seen.method == "GET"));
}
