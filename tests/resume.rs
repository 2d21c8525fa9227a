//! A run that is killed in the middle and resumed equals one that was never disturbed, and repeats nothing finished.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.current_dir(dir).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run_files(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.join("reports/runs/bookshop"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
        .collect();
    found.sort();
    found
}

/// The summary without what differs from run to run: ids, times, and numbers of events.
fn comparable(text: &str) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                // Background streams of a session may take a number earlier or later: evidence shifts by one.
                for key in ["run", "seconds", "started", "why", "reasons", "evidence"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => {
                // How long trials took is one of the measures of effort.
                items.retain(|item| item["what"] != "seconds");
                items.iter_mut().for_each(strip);
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap();
    strip(&mut value);
    value
}

fn finished(file: &Path) -> i64 {
    rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|db| db.query_row("SELECT count(*) FROM verdicts", [], |row| row.get(0)))
        .unwrap_or(0)
}

const ARGS: [&str; 7] = ["bookshop", "--trials", "6", "--concurrency", "2", "--format", "json"];

#[test]
fn killed_and_resumed_equals_undisturbed() {
    let undisturbed = tempfile::tempdir().unwrap();
    let whole = program(undisturbed.path()).arg("eval").args(ARGS).output().unwrap();
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));

    let disturbed = tempfile::tempdir().unwrap();
    let mut child = program(disturbed.path())
        .arg("eval")
        .args(ARGS)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while run_files(disturbed.path()).first().is_none_or(|file| finished(file) < 10) {
        assert!(Instant::now() < deadline, "no trial finished in a minute");
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        std::thread::sleep(Duration::from_millis(10));
    }
    // SIGKILL: nothing of ours runs any more.
    child.kill().unwrap();
    child.wait().unwrap();

    let file = run_files(disturbed.path()).remove(0);
    let kept = finished(&file);
    assert!(kept >= 10);
    let check = program(disturbed.path()).args(["runs", "check", "latest"]).output().unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));

    let resumed = program(disturbed.path())
        .args(["eval", "bookshop", "--resume", "--format", "json"])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&resumed.stderr).into_owned();
    assert_eq!(resumed.status.code(), Some(0), "{talk}");
    assert!(talk.contains(&format!("{kept} trials kept")), "{talk}");
    assert_eq!(run_files(disturbed.path()).len(), 1, "a resumed run stays one file");
    assert_eq!(
        comparable(&String::from_utf8_lossy(&resumed.stdout)),
        comparable(&String::from_utf8_lossy(&whole.stdout)),
    );
}
