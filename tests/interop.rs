//! The embedded client, the whole program and the dialects of remote models against what nobody here wrote;
//! `tests/interop/run.sh` installs it and runs this. `docs/interop.md` tells what came of it.
//!
//! Without `REHEARSAL_INTEROP` the tests say so and pass: they need neither node nor Python. With it, a missing
//! server is a failure.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests may panic, and are steered from outside"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::launch::{Launch, pick_port};
use rehearsal::mcp::process::{Process, Streams};
use rehearsal::mcp::{
    Anonymous, ClientProfile, Endpoint, Identity, Isolation, Opening, Program, Session, Target, ToolOutcome,
};
use rehearsal::net;
use rehearsal::transcript::{Clock, Recorder, Secrets, What};
use rehearsal::units::Period;
use rustix::process::{Pid, test_kill_process_group};
use serde_json::{Value, json};

use surroundings::Installed;

#[path = "interop/battery.rs"]
mod battery;
#[path = "interop/cli.rs"]
mod cli;
#[path = "support/completions.rs"]
mod completions;
#[path = "interop/endings.rs"]
mod endings;
#[path = "support/generate_content.rs"]
mod generate_content;
#[path = "support/messages.rs"]
mod messages;
#[path = "interop/models.rs"]
mod models;
#[path = "interop/native.rs"]
mod native;
#[path = "interop/responses.rs"]
mod responses;
#[path = "support/responses.rs"]
mod responses_double;
#[path = "interop/provider.rs"]
mod provider;
#[path = "interop/surroundings.rs"]
mod surroundings;

fn program(command: Vec<String>, env: BTreeMap<String, String>) -> Program {
    Program { command, env, cwd: None }
}

fn log() -> Recorder {
    Recorder::new(Clock::system(), Secrets::default())
}

async fn open(target: &Arc<dyn Target>, log: &Recorder) -> Box<dyn Session> {
    let identity: Identity = Arc::new(Anonymous);
    let mut profile = ClientProfile::reference();
    // An interpreter may take its time to start on a busy machine; that is not what is tested.
    let probe = profile.wire.probe.get_or_insert_default();
    probe.timeout = Some(Period::secs(20));
    let how = Opening::new(&identity, &profile);
    target.open(how, log.clone()).await.unwrap_or_else(|fault| panic!("{}: {fault}", fault.code))
}

async fn call(session: &dyn Session, name: &str, arguments: Value) -> String {
    match session.call_tool(name, &arguments).await.unwrap() {
        ToolOutcome::Returned { content, is_error: false, .. } => {
            content[0]["text"].as_str().unwrap_or_default().to_owned()
        }
        other => panic!("{name}: {other:?}"),
    }
}

fn events(log: &Recorder) -> Vec<What> {
    (0..log.len()).filter_map(|seq| log.event(seq as u32)).map(|event| event.what).collect()
}

fn progress(log: &Recorder) -> usize {
    let is =
        |what: &What| matches!(what, What::ServerNoted { method, .. } if method == "notifications/progress");
    events(log).iter().filter(|what| is(what)).count()
}

fn odd(log: &Recorder) -> Vec<String> {
    let odd = |what| match what {
        What::ServerOdd { message } => Some(message),
        _ => None,
    };
    events(log).into_iter().filter_map(odd).collect()
}

/// The same walk over either transport.
async fn walk(target: &Arc<dyn Target>) {
    let log = log();
    let session = open(target, &log).await;
    let tools = session.list_tools().await.unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert!(names.contains(&"echo"), "{names:?}");
    assert!(names.len() > 5, "{names:?}");
    assert_eq!(call(&*session, "echo", json!({"message": "hello"})).await, "Echo: hello");
    let sum = call(&*session, "get-sum", json!({"a": 2, "b": 3})).await;
    assert!(sum.contains('5'), "{sum}");
    call(&*session, "trigger-long-running-operation", json!({"duration": 0.3, "steps": 3})).await;
    assert_eq!(progress(&log), 3, "{:?}", events(&log));
    let unknown = session.call_tool("no-such-tool", &json!({})).await.unwrap();
    let refused = matches!(unknown, ToolOutcome::Refused(_) | ToolOutcome::Returned { is_error: true, .. });
    assert!(refused, "{unknown:?}");
    assert_eq!(session.request("ping", Value::Null).await.unwrap(), Ok(json!({})));
    let prompts = session.request("prompts/list", json!({})).await.unwrap().unwrap();
    assert!(prompts["prompts"].is_array(), "{prompts}");
    session.close().await;
    assert!(odd(&log).is_empty(), "{:?}", odd(&log));
}

async fn gone(group: i32) {
    let group = Pid::from_raw(group).unwrap();
    for _ in 0..1000 {
        if test_kill_process_group(group).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("group {} is still alive", group.as_raw_nonzero());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_stdio() {
    let Some(installed) = Installed::find() else { return };
    let command = installed.node("mcp-server-everything", &["stdio"]);
    let endpoint = Endpoint::Stdio(program(command, BTreeMap::new()));
    let target = target(endpoint, Isolation::Trial, Keeper::new(net::client().unwrap()));
    walk(&target).await;
    target.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_over_http() {
    let Some(installed) = Installed::find() else { return };
    let command = installed.node("mcp-server-everything", &["streamableHttp"]);
    let port = pick_port().unwrap();
    let url: url::Url = format!("http://127.0.0.1:{port}/mcp").parse().unwrap();
    let env = BTreeMap::from([("PORT".to_owned(), port.to_string())]);
    let launch = Launch { program: program(command, env), url: url.clone(), ready: Duration::from_secs(30) };
    let server = launch.start(None).await.unwrap();
    let group = server.group();
    let keeper = Keeper::new(net::client().unwrap()).launched(server);
    let target = target(Endpoint::Http { url, headers: BTreeMap::new() }, Isolation::Trial, keeper);
    tokio::join!(walk(&target), walk(&target));
    target.close().await;
    gone(group).await;
}

/// By name, and found out behind the URL of its stream.
#[tokio::test(flavor = "multi_thread")]
async fn everything_over_sse() {
    let Some(installed) = Installed::find() else { return };
    let command = installed.node("mcp-server-everything", &["sse"]);
    let port = pick_port().unwrap();
    let url: url::Url = format!("http://127.0.0.1:{port}/sse").parse().unwrap();
    let env = BTreeMap::from([("PORT".to_owned(), port.to_string())]);
    let launch = Launch { program: program(command, env), url: url.clone(), ready: Duration::from_secs(30) };
    let server = launch.start(None).await.unwrap();
    let group = server.group();
    let keeper = Keeper::new(net::client().unwrap()).launched(server);
    let named = target(
        Endpoint::HttpSse { url: url.clone(), headers: BTreeMap::new() },
        Isolation::Run,
        Keeper::new(net::client().unwrap()),
    );
    let found = target(Endpoint::Http { url, headers: BTreeMap::new() }, Isolation::Run, keeper);
    tokio::join!(walk(&named), walk(&found));
    named.close().await;
    found.close().await;
    gone(group).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_over_stdio() {
    let Some(installed) = Installed::find() else { return };
    let command = installed.python("mcp-server-time", &["--local-timezone", "UTC"]);
    let endpoint = Endpoint::Stdio(program(command, BTreeMap::new()));
    let target = target(endpoint, Isolation::Run, Keeper::new(net::client().unwrap()));
    let log = log();
    let session = open(&target, &log).await;
    let tools = session.list_tools().await.unwrap();
    assert!(tools.iter().any(|tool| tool.name.as_str() == "convert_time"), "{tools:?}");
    let arguments = json!({"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"});
    let answer = call(&*session, "convert_time", arguments).await;
    assert!(answer.contains("21:00"), "{answer}");
    session.close().await;
    target.close().await;
    assert!(odd(&log).is_empty(), "{:?}", odd(&log));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_server_ends_with_its_group() {
    let Some(installed) = Installed::find() else { return };
    let command = installed.node("mcp-server-everything", &["stdio"]);
    let process = Process::start(&program(command, BTreeMap::new()), &[], Streams::Piped, None).unwrap();
    let group = process.group();
    process.stop().await;
    gone(group).await;
}
