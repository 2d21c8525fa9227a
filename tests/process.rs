//! Child processes end: politely, by force, and even when the harness itself is killed.
//!
//! Some tests start this very test binary again in another role, so that no other program is needed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, measure time and play roles"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rehearsal::mcp::Program;
use rehearsal::mcp::launch::{Launch, pick_port};
use rehearsal::mcp::process::guard::{self, Guard};
use rehearsal::mcp::process::{Process, Streams};
use rehearsal::transcript::Fault;
use rustix::process::{Pid, test_kill_process_group};

/// Ignores TERM and the end of its stdin, and has a child in its group that does the same.
const STUBBORN: &str =
    "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & while :; do sleep 0.05; done";

/// Set in the processes that play another role.
const ROLE: &str = "REHEARSAL_TEST_ROLE";

fn shell(script: &str) -> Program {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    Program { command, env: BTreeMap::new(), cwd: None }
}

fn start(script: &str) -> Process {
    Process::start(&shell(script), &[], Streams::Piped, None).unwrap()
}

fn is_alive(group: i32) -> bool {
    test_kill_process_group(Pid::from_raw(group).unwrap()).is_ok()
}

/// Waits until a group is gone, for at most ten seconds: init may take its time to collect orphans.
fn gone(group: i32) {
    let begun = Instant::now();
    while is_alive(group) {
        assert!(begun.elapsed() < Duration::from_secs(10), "group {group} is still alive");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_server_ends_with_its_stdin() {
    let process = start("cat >/dev/null; echo bye >&2");
    process.stop().await;
    assert_eq!(process.vitals().stderr().since(0), "bye\n");
    // A signal would show in its status.
    assert!(process.vitals().exited().unwrap().success());
    assert!(!is_alive(process.group()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stubborn_group_is_killed_whole() {
    let process = start(STUBBORN);
    let begun = Instant::now();
    process.stop().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    gone(process.group());
}

#[tokio::test(flavor = "multi_thread")]
async fn grandchildren_do_not_outlive_a_polite_parent() {
    let process = start("(while :; do sleep 0.05; done) & cat >/dev/null");
    process.stop().await;
    gone(process.group());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_is_enough() {
    let process = start(STUBBORN);
    let group = process.group();
    assert!(is_alive(group));
    drop(process);
    gone(group);
}

/// Not a test of its own: the harness that is going to be killed.
#[test]
fn role_harness() {
    if std::env::var(ROLE).as_deref() != Ok("harness") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let guard = Guard::new(std::env::current_exe().unwrap(), &["role_guard", "--exact", "--nocapture"]);
        let process = Process::start(&shell(STUBBORN), &[], Streams::Piped, Some(&guard)).unwrap();
        let finished = Process::start(&shell("true"), &[], Streams::Piped, Some(&guard)).unwrap();
        finished.stop().await;
        drop(finished);
        println!("group {}", process.group());
        std::future::pending::<()>().await;
    });
}

/// Not a test of its own: the guard of [`role_harness`].
#[test]
fn role_guard() {
    if std::env::var(ROLE).as_deref() == Ok("harness") {
        guard::run();
    }
}

#[test]
fn a_killed_harness_leaves_nothing_behind() {
    let mut harness = Command::new(std::env::current_exe().unwrap())
        .args(["role_harness", "--exact", "--nocapture"])
        .env(ROLE, "harness")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(harness.stdout.take().unwrap()).lines();
    let group: i32 = lines
        .map_while(Result::ok)
        .find_map(|line| line.rsplit_once("group ").and_then(|(_, group)| group.trim().parse().ok()))
        .expect("the harness names the group it started");
    assert!(is_alive(group));
    harness.kill().unwrap();
    harness.wait().unwrap();
    gone(group);
}

fn launch(script: &str, port: u16, ready: Duration) -> Launch {
    let url = format!("http://127.0.0.1:{port}/mcp?key=not-for-messages").parse().unwrap();
    Launch { program: shell(script), url, ready }
}

async fn launch_fault(script: &str, port: u16, ready_ms: u64) -> Fault {
    launch(script, port, Duration::from_millis(ready_ms)).start(None).await.err().unwrap()
}

/// A port that was free a moment ago may be taken by another test; then it is another one's turn.
async fn on_a_free_port(script: &str, ready_ms: u64) -> (u16, Fault) {
    loop {
        let port = pick_port().unwrap();
        let fault = launch_fault(script, port, ready_ms).await;
        if !fault.message.starts_with("something already listens") {
            return (port, fault);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn launching_says_why_nothing_listens() {
    let (port, died) = on_a_free_port("echo cannot read config >&2; exit 7", 5_000).await;
    let (other, silent) = on_a_free_port("echo warming up; exec sleep 60", 500).await;
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = launch_fault("exec sleep 60", taken.local_addr().unwrap().port(), 5_000).await;
    let all = [died, silent, busy].map(|fault| format!("{}: {}", fault.code, fault.message)).join("\n");
    let all = all.replace(&port.to_string(), "PORT").replace(&other.to_string(), "PORT");
    let all = all.replace(&taken.local_addr().unwrap().port().to_string(), "TAKEN");
    insta::assert_snapshot!(all, @r"
    target.died: the server `sh` ended with exit code 7; its last words were: cannot read config
    target.not-ready: the server did not listen at `http://127.0.0.1:PORT/mcp` within 500ms; check its port or raise `target.ready.timeout`; its last words were: warming up
    target.not-ready: something already listens at `http://127.0.0.1:TAKEN/mcp`; stop it, or let the port be chosen freely
    ");
}

/// Not a test of its own: a server that listens where it is told.
#[test]
fn role_listener() {
    let Ok(port) = std::env::var("REHEARSAL_TEST_PORT") else { return };
    std::thread::sleep(Duration::from_millis(50));
    let listener = std::net::TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    for connection in listener.incoming() {
        drop(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launched_server_is_ready_when_it_listens_and_ends_with_its_handle() {
    let port = pick_port().unwrap();
    let program = Program {
        command: vec![
            std::env::current_exe().unwrap().display().to_string(),
            "role_listener".into(),
            "--exact".into(),
        ],
        env: BTreeMap::from([("REHEARSAL_TEST_PORT".to_owned(), port.to_string())]),
        cwd: None,
    };
    let launch = Launch { program, ..launch("", port, Duration::from_secs(10)) };
    let server = launch.start(None).await.unwrap();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let group = server.group();
    server.stop().await;
    gone(group);
    let server = launch.start(None).await.unwrap();
    let group = server.group();
    drop(server);
    gone(group);
}
