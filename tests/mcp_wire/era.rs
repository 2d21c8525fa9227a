//! Era detection on the wire: every way a server may take the first modern request, over HTTP and over stdio.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::revision::Choice;
use rehearsal::mcp::{Endpoint, Isolation, Pace, Program, Session, Target};
use rehearsal::net;
use rehearsal::transcript::{Fault, Recorder};
use serde_json::{Value, json};

use crate::shell;
use crate::stage::{
    INITIALIZED, Scripted, Seen, anonymous, answer, empty, event, free, log, odd, open_as, polite, result,
    stream, wire,
};

/// A clock that does not make the tests wait.
pub(crate) const HURRY: Pace = Pace { silence: Duration::from_millis(150), busy: Duration::from_millis(5) };

fn keeper(choice: &str) -> Keeper {
    Keeper::new(net::client().unwrap()).pace(HURRY).speaking(Choice::named(choice).unwrap())
}

/// The target at a scripted server, with a choice of revision.
pub(crate) fn speaking(server: &Scripted, choice: &str) -> std::sync::Arc<dyn Target> {
    let endpoint = Endpoint::Http { url: server.url.clone(), headers: Default::default() };
    target(endpoint, Isolation::Trial, keeper(choice))
}

/// The target that a shell script is, with a choice of revision.
pub(crate) fn shell_speaking(script: &str, isolation: Isolation, choice: &str) -> std::sync::Arc<dyn Target> {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let program = Program { command, env: Default::default(), cwd: None };
    target(Endpoint::Stdio(program), isolation, keeper(choice))
}

async fn open(target: &std::sync::Arc<dyn Target>, log: &Recorder) -> Result<Box<dyn Session>, Fault> {
    let mut profile = free(2_000);
    profile.conduct.connect_timeout = Some(rehearsal::units::Period(Duration::from_millis(400)));
    open_as(target, &anonymous(), &profile, log).await
}

/// The answer of a modern server to `server/discover`.
pub(crate) fn discovered(versions: &[&str]) -> Value {
    json!({
        "resultType": "complete", "supportedVersions": versions, "capabilities": {"tools": {}},
        "ttlMs": 0, "cacheScope": "private",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "modern", "version": "1"}},
    })
}

#[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
fn refusing(status: u16, request: &Seen, error: Value) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": request.body["id"], "error": error});
    answer(status, "application/json", body.to_string())
}

fn error(code: i64) -> Value {
    json!({"code": code, "message": "no"})
}

fn unsupported(versions: &[&str]) -> Value {
    json!({"code": -32022, "message": "no", "data": {"supported": versions, "requested": "2026-07-28"}})
}

pub(crate) type Mode = (&'static str, fn(&Seen) -> Response<Body>, &'static str);

/// What a server does with `server/discover`, and what comes of it: the revision spoken, how often it was asked, and
/// a word of the finding; or a code and a word of the fault.
pub(crate) const MODES: &[Mode] = &[
    ("true modern", |r| result(r, &discovered(&["2026-07-28"])), "2026-07-28 after 1"),
    ("both eras", |r| result(r, &discovered(&["2025-11-25", "2026-07-28"])), "2026-07-28 after 1"),
    ("text 400", |_| answer(400, "text/plain", "Bad Request: no session"), "2025-11-25 after 1"),
    ("empty 400", |_| empty(StatusCode::BAD_REQUEST), "2025-11-25 after 1"),
    ("text 404", |_| answer(404, "text/plain", "not found"), "2025-11-25 after 1"),
    ("405", |_| empty(StatusCode::METHOD_NOT_ALLOWED), "2025-11-25 after 1"),
    ("JSON 406", |r| refusing(406, r, error(-32000)), "2025-11-25 after 1"),
    (
        "error with null id at 400",
        |_| {
            answer(
                400,
                "application/json",
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}"#,
            )
        },
        "2025-11-25 after 1",
    ),
    (
        "error with a text id at 400",
        |_| {
            answer(
                400,
                "application/json",
                r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"no"}}"#,
            )
        },
        "2025-11-25 after 1",
    ),
    ("plain JSON 400", |_| answer(400, "application/json", r#"{"error":"no"}"#), "2025-11-25 after 1"),
    ("-32020", |r| refusing(400, r, error(-32020)), "target.protocol after 2: headers and body"),
    ("-32021", |r| refusing(400, r, error(-32021)), "target.protocol after 1: capability"),
    (
        "-32022 listing only legacy",
        |r| refusing(400, r, unsupported(&["2025-06-18", "2025-11-25"])),
        "2025-11-25 after 1: lists no revision without a handshake",
    ),
    (
        "-32022 listing what was asked for",
        |r| refusing(400, r, unsupported(&["2026-07-28"])),
        "target.protocol after 2: lists it as supported",
    ),
    (
        "-32022 listing nothing known",
        |r| refusing(400, r, unsupported(&["1999-01-01"])),
        "target.protocol after 1: 1999-01-01",
    ),
    ("-32022 without a list", |r| refusing(400, r, error(-32022)), "2025-11-25 after 1: data.supported"),
    ("old -32004", |r| refusing(400, r, error(-32004)), "2025-11-25 after 1: release candidates"),
    ("200 with -32601", |r| refusing(200, r, error(-32601)), "2025-11-25 after 1"),
    ("404 with -32601", |r| refusing(404, r, error(-32601)), "2025-11-25 after 1"),
    (
        "200 with -32601 as a stream",
        |r| stream(vec![event(&json!({"jsonrpc": "2.0", "id": r.body["id"], "error": error(-32601)}))], 0),
        "2025-11-25 after 1",
    ),
    ("429", |_| empty(StatusCode::TOO_MANY_REQUESTS), "2025-11-25 after 3: uncertain"),
    ("text 500", |_| answer(500, "text/plain", "oops"), "2025-11-25 after 3: uncertain"),
    ("JSON 500", |r| refusing(500, r, error(-32603)), "2025-11-25 after 3: uncertain"),
    ("text 502", |_| answer(502, "text/html", "<h1>Bad Gateway</h1>"), "2025-11-25 after 3: uncertain"),
    ("401 without a challenge", |_| empty(StatusCode::UNAUTHORIZED), "target.unauthorized after 1: 401"),
    (
        "401 with a challenge",
        |_| {
            let mut response = empty(StatusCode::UNAUTHORIZED);
            response.headers_mut().insert("www-authenticate", "Bearer scope=\"mcp\"".parse().unwrap());
            response
        },
        "target.unauthorized after 1: scope=\"mcp\"",
    ),
    ("403", |_| empty(StatusCode::FORBIDDEN), "target.unauthorized after 1: 403"),
    ("202", |_| empty(StatusCode::ACCEPTED), "2025-11-25 after 1: HTTP 202"),
    ("204", |_| empty(StatusCode::NO_CONTENT), "2025-11-25 after 1: HTTP 204"),
    ("HTML 200", |_| answer(200, "text/html", "<h1>Hello</h1>"), "2025-11-25 after 1: HTTP 200"),
    ("hang", |_| hang(), "2025-11-25 after 1: not answered"),
    ("stream that breaks off", |_| stream(vec![": \n\n".to_owned()], 0), "2025-11-25 after 1: broken answer"),
    (
        "lists only legacy",
        |r| result(r, &discovered(&["2025-11-25"])),
        "2025-11-25 after 1: lists no revision without a handshake",
    ),
    ("{} result", |r| result(r, &json!({})), "2025-11-25 after 1: without `supportedVersions`"),
];

fn hang() -> Response<Body> {
    answer(
        200,
        "application/json",
        Body::from_stream(futures::stream::pending::<Result<String, std::io::Error>>()),
    )
}

/// One opening in a few words, as in the table.
async fn outcome(opened: Result<Box<dyn Session>, Fault>, asked: usize, odd: &[String]) -> String {
    match opened {
        Ok(session) => {
            let words = format!("{} after {asked}: {}", session.facts().protocol, odd.join(" | "));
            session.close().await;
            words
        }
        Err(fault) => format!("{} after {asked}: {}", fault.code, fault.message),
    }
}

fn assert_row(name: &str, got: &str, wanted: &str, odd: &[String]) {
    let (start, word) = wanted.split_once(": ").unwrap_or((wanted, ""));
    assert!(got.starts_with(start) && got.contains(word), "{name}: wanted {wanted}, got {got}");
    // What is not worth a finding leaves none.
    assert_eq!(
        odd.is_empty(),
        word.is_empty()
            || start.starts_with("target.unauthorized")
            || (start.starts_with("target.") && start.ends_with("after 1")),
        "{name}: {odd:?}"
    );
}

#[tokio::test]
async fn every_mode_of_the_table_over_http() {
    for &(name, mode, wanted) in MODES {
        let server = Scripted::start(move |request| match request.rpc() {
            "server/discover" => mode(request),
            _ => polite(request),
        })
        .await;
        let (target, log) = (speaking(&server, "auto"), log());
        let opened = open(&target, &log).await;
        let asked = server.seen().iter().filter(|seen| seen.rpc() == "server/discover").count();
        let odd = odd(&log);
        assert_row(name, &outcome(opened, asked, &odd).await, wanted, &odd);
        // Whatever happened, no request of the modern kind was sent twice with one id.
        let mut ids: Vec<String> =
            server.seen().iter().map(|seen| seen.body["id"].to_string()).filter(|id| id != "null").collect();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}");
    }
}

#[tokio::test]
async fn a_pinned_revision_never_falls_back() {
    for &(name, mode, free) in MODES {
        let server = Scripted::start(move |request| match request.rpc() {
            "server/discover" => mode(request),
            _ => polite(request),
        })
        .await;
        let opened = open(&speaking(&server, "2026-07-28"), &log()).await;
        assert!(!server.seen().iter().any(|seen| seen.rpc() == "initialize"), "{name}");
        match opened {
            Ok(session) => {
                assert!(free.starts_with("2026-07-28") && session.facts().protocol == "2026-07-28", "{name}");
            }
            Err(fault) if free.starts_with("2025") => {
                assert_eq!(fault.code, "target.protocol", "{name}");
                assert!(fault.message.contains("2026-07-28, which is pinned"), "{name}: {}", fault.message);
            }
            Err(fault) => assert!(free.starts_with(&fault.code), "{name}: {}", fault.message),
        }
    }
}

#[tokio::test]
async fn older_pins_skip_the_question_and_accept_no_other_revision() {
    let server = Scripted::start(polite).await;
    let session = open(&speaking(&server, "2025-11-25"), &log()).await.unwrap();
    assert_eq!(session.facts().protocol, "2025-11-25");
    assert_eq!(server.seen()[0].rpc(), "initialize");
    let fault = open(&speaking(&server, "2025-03-26"), &log()).await.err().unwrap();
    assert_eq!(fault.code, "target.protocol");
    assert!(fault.message.contains("does not speak 2025-03-26"), "{}", fault.message);
}

#[tokio::test]
async fn the_era_is_asked_for_once_per_target() {
    let server = Scripted::start(|request| match request.rpc() {
        "server/discover" => empty(StatusCode::NOT_FOUND),
        _ => polite(request),
    })
    .await;
    let target = speaking(&server, "auto");
    let (first, second) = (log(), log());
    let (a, b) = tokio::join!(open(&target, &first), open(&target, &second));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.facts().protocol.as_str(), b.facts().protocol.as_str()), ("2025-11-25", "2025-11-25"));
    let asked = server.seen().iter().filter(|seen| seen.rpc() == "server/discover").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_server_that_changes_its_era_is_asked_again() {
    let upgraded = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let now = std::sync::Arc::clone(&upgraded);
    let server = Scripted::start(move |request| {
        match (request.rpc(), now.load(std::sync::atomic::Ordering::Relaxed)) {
            ("server/discover", true) => result(request, &discovered(&["2026-07-28"])),
            ("initialize", true) => refusing(400, request, unsupported(&["2026-07-28"])),
            ("server/discover", false) => empty(StatusCode::NOT_FOUND),
            _ => polite(request),
        }
    })
    .await;
    let target = speaking(&server, "auto");
    assert_eq!(open(&target, &log()).await.unwrap().facts().protocol, "2025-11-25");
    upgraded.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(open(&target, &log()).await.err().unwrap().code, "target.protocol");
    assert_eq!(open(&target, &log()).await.unwrap().facts().protocol, "2026-07-28");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let busy = std::sync::atomic::AtomicU32::new(0);
    let server = Scripted::start(move |request| match request.rpc() {
        "server/discover" if busy.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2 => {
            empty(StatusCode::SERVICE_UNAVAILABLE)
        }
        "server/discover" => result(request, &discovered(&["2026-07-28"])),
        _ => polite(request),
    })
    .await;
    let log = log();
    let session = open(&speaking(&server, "auto"), &log).await.unwrap();
    assert_eq!((session.facts().protocol.as_str(), odd(&log)), ("2026-07-28", vec![]));
}

/// A server that is busy with its first answers to a method, and says so for how long.
async fn busy(method: &'static str, times: u32, after: &'static str) -> Scripted {
    let asked = std::sync::atomic::AtomicU32::new(0);
    Scripted::start(move |request| match request.rpc() {
        rpc if rpc == method && asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < times => {
            let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
            response.headers_mut().insert("retry-after", after.parse().unwrap());
            response
        }
        "server/discover" if method != "initialize" => result(request, &discovered(&["2026-07-28"])),
        "server/discover" => empty(StatusCode::NOT_FOUND),
        _ => polite(request),
    })
    .await
}

#[tokio::test]
async fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    for (method, version) in [("server/discover", "2026-07-28"), ("initialize", "2025-11-25")] {
        let (server, log) = (busy(method, 2, "0.04").await, log());
        let begun = std::time::Instant::now();
        let session = open(&speaking(&server, "auto"), &log).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(80), "{method}: {:?}", begun.elapsed());
        assert_eq!(session.facts().protocol, version);
        let told = odd(&log);
        assert_eq!(
            told.iter().filter(|odd| odd.contains("left alone for 40ms, which was done")).count(),
            2,
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_is_not_waited_for() {
    let (server, log) = (busy("server/discover", 1, "86400").await, log());
    let session = open(&speaking(&server, "auto"), &log).await.unwrap();
    assert_eq!(session.facts().protocol, "2026-07-28");
    assert!(odd(&log)[0].contains("not waited for"), "{:?}", odd(&log));
    let (server, log) = (busy("initialize", 1, "86400").await, crate::stage::log());
    let fault = open(&speaking(&server, "auto"), &log).await.err().unwrap();
    assert!(fault.message.contains("429"), "{}", fault.message);
    assert!(odd(&log)[0].contains("not waited for"), "{:?}", odd(&log));
}

/// Shell arms for `server/discover`, and what comes of it, in the words of the table above.
pub(crate) const STDIO_MODES: &[(&str, &str, &str)] = &[
    (
        "true modern",
        r#"*'"server/discover"'*) answer '{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{},"ttlMs":0,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}' ;;"#,
        "2026-07-28 after 1",
    ),
    ("-32601", r#"*'"server/discover"'*) refuse '{"code":-32601,"message":"no"}' ;;"#, "2025-11-25 after 1"),
    ("-32602", r#"*'"server/discover"'*) refuse '{"code":-32602,"message":"no"}' ;;"#, "2025-11-25 after 1"),
    (
        "-32022 listing only legacy",
        r#"*'"server/discover"'*) refuse '{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}' ;;"#,
        "2025-11-25 after 1: lists no revision without a handshake",
    ),
    (
        "-32020",
        r#"*'"server/discover"'*) refuse '{"code":-32020,"message":"no"}' ;;"#,
        "target.protocol after 2: headers and body",
    ),
    ("silent", r#"*'"server/discover"'*) ;;"#, "2025-11-25 after 1: not answered"),
    ("exits on the question", r#"*'"server/discover"'*) exit 3 ;;"#, "2025-11-25 after 1: started again"),
    (
        "garbage lines",
        r#"*'"server/discover"'*) echo 'Listening for messages'; refuse '{"code":-32601,"message":"no"}' ;;"#,
        "2025-11-25 after 1: not a JSON-RPC message",
    ),
    (
        "{} result",
        r#"*'"server/discover"'*) answer '{}' ;;"#,
        "2025-11-25 after 1: without `supportedVersions`",
    ),
    (
        "stderr flood",
        r#"*'"server/discover"'*) head -c 2000000 /dev/zero | tr '\0' x >&2; refuse '{"code":-32601,"message":"no"}' ;;"#,
        "2025-11-25 after 1",
    ),
];

pub(crate) fn script(arm: &str) -> String {
    shell::serving(&format!("{arm}\n*'\"initialize\"'*) answer '{INITIALIZED}' ;;"))
}

#[tokio::test]
async fn every_mode_of_the_table_over_stdio() {
    for &(name, arm, wanted) in STDIO_MODES {
        let (target, log) = (shell_speaking(&script(arm), Isolation::Trial, "auto"), log());
        let mut profile = free(2_000);
        profile.conduct.connect_timeout = Some(rehearsal::units::Period(Duration::from_secs(5)));
        let opened = open_as(&target, &anonymous(), &profile, &log).await;
        let asked = wire(&log).iter().filter(|line| line.contains("> stdio server/discover")).count();
        let odd = odd(&log);
        assert_row(name, &outcome(opened, asked, &odd).await, wanted, &odd);
        // The question is never cancelled: a server of the older era may not expect that before its handshake.
        assert!(!wire(&log).iter().any(|line| line.contains("cancelled")), "{name}");
    }
}

#[tokio::test]
async fn a_modern_server_that_starts_slowly_is_not_lost() {
    let (answer, refuse) =
        (STDIO_MODES[0].1, r#"*'"initialize"'*) refuse '{"code":-32601,"message":"no"}' ;;"#);
    let script = format!("sleep 0.1\n{}", script(&format!("{answer}\n{refuse}")));
    let command = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let program = Program { command, env: Default::default(), cwd: None };
    let pace = Pace { silence: Duration::from_millis(20), ..HURRY };
    let target = target(Endpoint::Stdio(program), Isolation::Trial, keeper("auto").pace(pace));
    let log = log();
    let session = open_as(&target, &anonymous(), &free(2_000), &log).await.unwrap();
    assert_eq!(session.facts().protocol, "2026-07-28");
    assert!(odd(&log)[0].contains("was not answered"), "{:?}", odd(&log));
    session.close().await;
}

#[tokio::test]
async fn a_pinned_revision_does_not_start_a_second_process() {
    let target =
        shell_speaking(&script(r#"*'"server/discover"'*) exit 3 ;;"#), Isolation::Trial, "2026-07-28");
    let log = log();
    let fault = open(&target, &log).await.err().unwrap();
    assert_eq!(fault.code, "target.protocol");
    assert!(fault.message.contains("it ended"), "{}", fault.message);
    assert!(!wire(&log).iter().any(|line| line.contains("initialize")), "{:?}", wire(&log));
}

#[tokio::test]
async fn sessions_of_one_process_share_its_era() {
    let arm = STDIO_MODES[0].1;
    let tools = r#"*'"tools/list"'*) answer '{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"public"}' ;;"#;
    let target = shell_speaking(&script(&format!("{arm}\n{tools}")), Isolation::Run, "auto");
    let (first, second) = (log(), log());
    let a = open(&target, &first).await.unwrap();
    let b = open(&target, &second).await.unwrap();
    assert_eq!((a.facts().protocol.as_str(), b.facts().protocol.as_str()), ("2026-07-28", "2026-07-28"));
    b.list_tools().await.unwrap();
    assert_eq!(wire(&second), ["> stdio tools/list", "< stdio result 2"]);
    target.close().await;
}
