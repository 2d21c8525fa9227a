//! Signals to the real program: it saves, says how to go on, ends with the right code and leaves no child behind.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, look at files and measure time"
)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const TICK: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(60);

/// A suite whose server answers, and whose trials take longer than any test.
fn slow(extra: &str) -> String {
    format!(
        "version: 1\nname: slow\ntarget: {{command: [rehearsal, demo-server], transport: stdio}}\n\
         auth: {{issuer: none}}\npersonas: [anonymous]\nmodels: [lexical]\ntrials: 500\n\
         cases:\n  - id: hello\n    prompt: Do you have books by Le Guin?\n    expect:\n      - no_tool_errors: true\n{extra}"
    )
}

fn program(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(args).current_dir(dir).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn project(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("suites")).unwrap();
    fs::write(dir.path().join("suites/slow.yaml"), text).unwrap();
    dir
}

/// A program with its output in files, so that nothing blocks.
fn start(dir: &Path, args: &[&str]) -> Child {
    let file = |name| fs::File::create(dir.join(name)).unwrap();
    program(dir, args).stdout(file("out")).stderr(file("err")).spawn().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen in a minute");
        sleep(TICK);
    }
}

fn finished_trials(dir: &Path) -> i64 {
    let files = fs::read_dir(dir.join("reports/runs/slow")).into_iter().flatten().flatten();
    let file: Option<PathBuf> =
        files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "sqlite"));
    let count = |path| {
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|db| db.query_row("SELECT count(*) FROM verdicts", [], |row| row.get(0)))
            .unwrap_or(0)
    };
    file.map_or(0, count)
}

/// Every process below one, grandchildren included.
fn below(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(child) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parents.extend(parent.map(|parent| (parent, child)));
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(of, _)| *of == parent).map(|(_, child)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// Whether a process is there and not only waiting to be collected.
fn lives(pid: &u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn wait(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("the end of the program", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

fn text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

/// Starts the slow suite, waits for some trials, sends signals, and looks at what is left.
fn stopped_by(signals: &[Signal], code: i32) {
    let dir = project(&slow(""));
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 3);
    let children = below(child.id());
    assert!(!children.is_empty());
    for signal in signals {
        send(&child, *signal);
    }
    let status = wait(&mut child);
    assert_eq!(status.code(), Some(code), "{}{}", text(dir.path(), "out"), text(dir.path(), "err"));
    until("the end of its children", || !children.iter().any(lives));
    if signals.len() > 2 {
        return;
    }
    let printed = text(dir.path(), "out");
    assert!(printed.contains(&format!("exit {code} (interrupted)")), "{printed}");
    assert!(printed.contains("resume "), "{printed}");
    let sound = program(dir.path(), &["runs", "check"]).output().unwrap();
    assert_eq!(sound.status.code(), Some(0), "{}", String::from_utf8_lossy(&sound.stdout));
    let left: Vec<_> = fs::read_dir(dir.path().join("reports/runs/slow")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "one file and one folder: {left:?}");
}

#[test]
fn ctrl_c_lets_trials_in_flight_finish() {
    stopped_by(&[Signal::INT], 130);
}

#[test]
fn a_second_ctrl_c_drops_them() {
    stopped_by(&[Signal::INT, Signal::INT], 130);
}

#[test]
fn sigterm_ends_cleanly_with_its_own_code() {
    stopped_by(&[Signal::TERM], 143);
}

/// A listener on loopback that takes connections and never answers, and how many came.
fn silent() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, taken) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&taken);
    std::thread::spawn(move || {
        let mut held = vec![];
        for stream in listener.incoming() {
            held.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, taken)
}

/// A suite whose one case is judged by an API that never answers.
fn judged_by_silence(judge: &str) -> (tempfile::TempDir, Arc<AtomicUsize>) {
    let (port, asked) = silent();
    let criteria = format!("    criteria:\n      - must: Names a book.\n{judge}");
    let dir = project(&slow(&criteria).replace("trials: 500", "trials: 2"));
    fs::create_dir_all(dir.path().join("evals/models")).unwrap();
    let model = format!("dialect: openai\nid: j\nbase_url: http://127.0.0.1:{port}/v1\n");
    fs::write(dir.path().join("evals/models/silent.yaml"), model).unwrap();
    (dir, asked)
}

fn list(dir: &Path) -> String {
    String::from_utf8_lossy(&program(dir, &["runs", "list"]).output().unwrap().stdout).into_owned()
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_judge() {
    let (dir, asked) = judged_by_silence("judge: {model: silent, rubric: answers-question}\n");
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a question to the judge", || asked.load(Ordering::SeqCst) > 0);
    send(&child, Signal::INT);
    until("the first signal", || text(dir.path(), "err").contains("stopping"));
    let sent = Instant::now();
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130), "{}", text(dir.path(), "err"));
    // The API would have been waited for a minute and asked again.
    assert!(sent.elapsed() < Duration::from_secs(20), "{:?}", sent.elapsed());
    assert_eq!(finished_trials(dir.path()), 0);
    let listed = list(dir.path());
    assert!(listed.contains("  open ") && listed.contains("0 passed, 0 failed, 0 invalid"), "{listed}");
    // What was driven is kept: nobody asks the server again.
    let plan = program(dir.path(), &["runs", "check"]).output().unwrap();
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
}

#[test]
fn criteria_without_a_judge_stop_everything_before_anything_is_spent() {
    let (dir, asked) = judged_by_silence("");
    let suite = dir.path().join("suites/slow.yaml");
    fs::write(&suite, text(dir.path(), "suites/slow.yaml").replace("[lexical]", "[silent]")).unwrap();
    for args in [&["eval", "slow", "--format", "json"][..], &["check", "slow"], &["plan", "slow"]] {
        let output = program(dir.path(), args).output().unwrap();
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}: {talk}");
        assert!(talk.contains("suites/slow.yaml:14:") && talk.contains("judge"), "{args:?}: {talk}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no model was asked");
    assert!(!dir.path().join("reports").exists());
}

#[test]
fn a_third_ctrl_c_ends_at_once() {
    // The server and what it starts refuse to go, so that ending cleanly takes seconds.
    let stubborn = format!("trap '' TERM INT; {} demo-server; sleep 600", env!("CARGO_BIN_EXE_rehearsal"));
    let command = format!("[sh, -c, \"{stubborn}\"]");
    let dir = project(&slow("").replace("[rehearsal, demo-server]", &command));
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 1);
    let children = below(child.id());
    assert!(children.len() >= 2);
    send(&child, Signal::INT);
    until("the first signal", || text(dir.path(), "err").contains("stopping"));
    send(&child, Signal::INT);
    until("the second signal", || text(dir.path(), "err").contains("dropping"));
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130), "{}", text(dir.path(), "err"));
    assert_eq!(text(dir.path(), "out"), "", "it did not stay for a report");
    until("the end of its children", || !children.iter().any(lives));
    let sound = program(dir.path(), &["runs", "check"]).output().unwrap();
    assert_eq!(sound.status.code(), Some(0), "{}", String::from_utf8_lossy(&sound.stdout));
    assert!(list(dir.path()).contains("  killed "), "{}", list(dir.path()));
}

#[test]
fn a_stopped_run_resumes_to_its_full_size() {
    let dir = project(&slow("").replace("trials: 500", "trials: 40"));
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 3);
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130), "{}", text(dir.path(), "err"));
    assert!(list(dir.path()).contains("  open "), "{}", list(dir.path()));
    let output = program(dir.path(), &["resume", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["totals"]["trials"], 40);
    assert_eq!(summary["totals"]["passed"], 40);
    assert_eq!(summary["reasons"].as_array().unwrap().len(), 0);
    let listed = list(dir.path());
    assert!(listed.contains("  exit 0 ") && listed.contains("40 of 40 trials: 40 passed"), "{listed}");
}

#[test]
fn ctrl_c_while_the_server_starts_ends_at_once() {
    let text = slow("").replace("[rehearsal, demo-server]", "[sh, -c, \"sleep 600\"]");
    let dir = project(&text);
    let mut child = start(dir.path(), &["eval", "slow", "--format", "json"]);
    let mut children = vec![];
    until("the server", || {
        children = below(child.id());
        children.len() >= 2
    });
    let asked = Instant::now();
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130), "{}", self::text(dir.path(), "err"));
    assert!(asked.elapsed() < Duration::from_secs(20));
    until("the end of its children", || !children.iter().any(lives));
    let error = self::text(dir.path(), "err");
    let last: serde_json::Value = serde_json::from_str(error.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "run.interrupted.sigint");
    assert!(!dir.path().join("reports").exists());
}

#[test]
fn ctrl_c_stops_the_suites_that_wait_as_well() {
    let dir = project(&slow(""));
    fs::write(dir.path().join("suites/tail.yaml"), slow("").replace("name: slow", "name: tail")).unwrap();
    let mut child = start(dir.path(), &["eval", "slow", "tail", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 3);
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130), "{}", text(dir.path(), "err"));
    assert!(!dir.path().join("reports/runs/tail").exists());
}

#[test]
fn a_killed_run_leaves_no_child_and_a_sound_file() {
    let dir = project(&slow(""));
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 3);
    let children = below(child.id());
    assert!(!children.is_empty());
    send(&child, Signal::KILL);
    wait(&mut child);
    let killed = Instant::now();
    until("the end of its children", || !children.iter().any(lives));
    assert!(killed.elapsed() < Duration::from_secs(5));
    let sound = program(dir.path(), &["runs", "check"]).output().unwrap();
    assert_eq!(sound.status.code(), Some(0), "{}", String::from_utf8_lossy(&sound.stdout));
}

#[test]
fn two_processes_never_write_one_run() {
    let dir = project(&slow(""));
    let mut child = start(dir.path(), &["eval", "slow", "-j", "2"]);
    until("a trial", || finished_trials(dir.path()) >= 3);
    assert!(list(dir.path()).contains("  running "), "{}", list(dir.path()));
    let second = program(dir.path(), &["resume", "--format", "json"]).output().unwrap();
    let talk = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(74), "{talk}");
    let last: serde_json::Value = serde_json::from_str(talk.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "store.locked");
    assert!(!last["error"]["hint"].is_null());
    send(&child, Signal::INT);
    assert_eq!(wait(&mut child).code(), Some(130));
}
