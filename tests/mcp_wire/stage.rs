//! What every test here needs: targets, a record to look into, and servers that say exactly what a test tells them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use axum::serve::ListenerExt;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::profile::Protocol;
use rehearsal::mcp::{
    Anonymous, ClientProfile, Endpoint, Identity, Isolation, Opening, Program, Session, Target, ToolOutcome,
};
use rehearsal::net;
use rehearsal::transcript::{Clock, Fault, Recorder, Secrets, What, WireMessage};
use rehearsal::units::Period;
use serde_json::{Value, json};

use crate::shell;

/// A request as the scripted HTTP server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn rpc(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

type Script = Arc<dyn Fn(&Seen) -> Response<Body> + Send + Sync>;

/// A server that answers as a function says, and keeps what it saw.
pub(crate) struct Scripted {
    pub(crate) url: url::Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    pub(crate) async fn start(script: impl Fn(&Seen) -> Response<Body> + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let state = (Arc::new(script) as Script, Arc::clone(&seen));
        let app = Router::new().fallback(serve).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp?key=not-for-messages", listener.local_addr().unwrap());
        // Without it small chunks wait for acknowledgements.
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: url.parse().unwrap(), seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn target(&self) -> Arc<dyn Target> {
        at(self.url.clone())
    }
}

async fn serve(
    State((script, seen)): State<(Script, Arc<Mutex<Vec<Seen>>>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let request = Seen { method, path: uri.to_string(), headers, body };
    seen.lock().unwrap().push(request.clone());
    script(&request)
}

/// The target at a URL.
pub(crate) fn at(url: url::Url) -> Arc<dyn Target> {
    let endpoint = Endpoint::Http { url, headers: BTreeMap::new() };
    target(endpoint, Isolation::Trial, Keeper::new(net::client().unwrap()))
}

/// The target that a shell script is.
pub(crate) fn shell(script: &str, isolation: Isolation) -> Arc<dyn Target> {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let program = Program { command, env: BTreeMap::new(), cwd: None };
    target(Endpoint::Stdio(program), isolation, Keeper::new(net::client().unwrap()))
}

/// A shell server: answers the handshake, then does as `cases` (arms of a `case` over `$line`, with `$id`) says.
pub(crate) fn server(cases: &str) -> String {
    let handshake =
        format!("*'\"initialize\"'*) answer '{INITIALIZED}' ;;\n*'\"notifications/initialized\"'*) ;;");
    shell::serving(&format!("{handshake}\n{cases}"))
}

pub(crate) const INITIALIZED: &str = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"shell","version":"1"}}"#;

pub(crate) fn log() -> Recorder {
    Recorder::new(Clock::system(), Secrets::default())
}

pub(crate) fn anonymous() -> Identity {
    Arc::new(Anonymous)
}

/// A profile of the older era whose calls must be answered within `ms` milliseconds.
pub(crate) fn patient(ms: u64) -> ClientProfile {
    let mut profile = free(ms);
    profile.wire.protocol = Some(Protocol::V20251125);
    profile
}

/// The same with a free choice of the revision.
pub(crate) fn free(ms: u64) -> ClientProfile {
    let mut profile = ClientProfile::reference();
    profile.conduct.call_timeout = Some(Period(Duration::from_millis(ms)));
    profile
}

pub(crate) async fn open(target: &Arc<dyn Target>, log: &Recorder) -> Result<Box<dyn Session>, Fault> {
    open_as(target, &anonymous(), &patient(5_000), log).await
}

pub(crate) async fn open_as(
    target: &Arc<dyn Target>,
    identity: &Identity,
    profile: &ClientProfile,
    log: &Recorder,
) -> Result<Box<dyn Session>, Fault> {
    target.open(Opening::new(identity, profile), log.clone()).await
}

pub(crate) fn events(log: &Recorder) -> Vec<What> {
    (0..log.len()).filter_map(|seq| log.event(seq as u32)).map(|event| event.what).collect()
}

/// The wire in short lines: `> initialize`, `< result 1`, `> notifications/initialized`, ...
pub(crate) fn wire(log: &Recorder) -> Vec<String> {
    let short = |text: &str| {
        let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
        match (&value["method"], &value["id"]) {
            (Value::String(method), _) => method.clone(),
            (_, Value::Null) => format!("{:.40}", text.trim()),
            (_, id) => format!("{} {id}", if value["error"].is_null() { "result" } else { "error" }),
        }
    };
    events(log)
        .into_iter()
        .filter_map(|what| match what {
            What::Wire(WireMessage::Sent { via, body, .. }) => {
                Some(format!("> {via} {}", short(&body.to_text())).trim_end().to_owned())
            }
            What::Wire(WireMessage::Received { via, status, body, .. }) => {
                let status = status.map_or(String::new(), |status| format!(" {status}"));
                Some(format!("< {via}{status} {}", short(&body.to_text())).trim_end().to_owned())
            }
            _ => None,
        })
        .collect()
}

pub(crate) fn odd(log: &Recorder) -> Vec<String> {
    events(log)
        .into_iter()
        .filter_map(|what| match what {
            What::ServerOdd { message } => Some(message),
            _ => None,
        })
        .collect()
}

pub(crate) fn stderr(log: &Recorder) -> String {
    events(log)
        .into_iter()
        .filter_map(|what| match what {
            What::ServerStderr { text } => Some(text),
            _ => None,
        })
        .collect()
}

pub(crate) fn text_of(outcome: ToolOutcome) -> String {
    match outcome {
        ToolOutcome::Returned { content, .. } => content[0]["text"].as_str().unwrap_or_default().to_owned(),
        ToolOutcome::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

pub(crate) fn text_result(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}]})
}

pub(crate) fn result(request: &Seen, result: &Value) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "result": result});
    answer(200, "application/json", body.to_string())
}

pub(crate) fn answer(status: u16, kind: &str, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// What a well-behaved server says to everything but tools.
pub(crate) fn polite(request: &Seen) -> Response<Body> {
    match (request.method.as_str(), request.rpc()) {
        ("POST", "initialize") => {
            let mut response = result(request, &serde_json::from_str(INITIALIZED).unwrap());
            response.headers_mut().insert("mcp-session-id", "session-1".parse().unwrap());
            response
        }
        ("POST", _) => empty(StatusCode::ACCEPTED),
        ("DELETE", _) => empty(StatusCode::NO_CONTENT),
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// An event stream made of whole chunks, each after a short pause.
pub(crate) fn stream(chunks: Vec<String>, pause_ms: u64) -> Response<Body> {
    let chunks = futures::stream::unfold(chunks.into_iter(), move |mut chunks| async move {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        Some((Ok::<_, std::convert::Infallible>(chunks.next()?), chunks))
    });
    answer(200, "text/event-stream", Body::from_stream(chunks))
}

/// One event of a stream.
pub(crate) fn event(message: &Value) -> String {
    format!("data: {message}\n\n")
}

pub(crate) fn progress(request: &Seen) -> String {
    let params = json!({"progressToken": request.body["params"]["_meta"]["progressToken"], "progress": 1});
    event(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

pub(crate) fn result_event(request: &Seen, result: &Value) -> String {
    event(&json!({"jsonrpc": "2.0", "id": request.body["id"], "result": result}))
}

/// Waits until something holds, for at most two seconds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

/// A session that is lost under two calls is begun anew for both, once, and that is recorded; lost again, it stays lost,
/// with the fault returned.
pub(crate) async fn begins_anew_once(target: &Arc<dyn Target>) -> Fault {
    let log = log();
    let session = open(target, &log).await.unwrap();
    let arguments = json!({});
    let (one, two) = tokio::join!(session.call_tool("a", &arguments), session.call_tool("b", &arguments));
    assert_eq!((text_of(one.unwrap()), text_of(two.unwrap())), ("alive".into(), "alive".into()));
    assert_eq!(odd(&log), ["the server no longer knew the session (HTTP 404); a new one was begun"]);
    let fault = session.call_tool("a", &arguments).await.unwrap_err();
    assert_eq!(fault.code, "target.session-lost");
    session.close().await;
    fault
}
