//! The guard: a tiny second process that ends the children's groups when the harness dies without a chance to.
//!
//! It reads `+GROUP` and `-GROUP` lines on its stdin. At the end of that stream, which comes when the harness ends in
//! whatever way, it ends every group still listed. It lives in a group of its own, so Ctrl-C does not reach it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How long groups may take to end after TERM.
const AFTER_TERM: Duration = Duration::from_secs(1);
/// How often we look whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// The harness's end: starts the guard with the first child, and tells it of each. Clones share one guard.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    command: Vec<PathBuf>,
    line: Mutex<Line>,
}

enum Line {
    NotStarted,
    Open(ChildStdin),
    /// It could not be started, or is gone. Children are then still ended on every path but our sudden death.
    Closed,
}

/// A group the guard knows of. Dropping it tells the guard that the group is gone.
pub struct Watched {
    guard: Guard,
    group: Pid,
}

impl Guard {
    /// A guard made of a program and its arguments: `rehearsal guard`. It is started with the first child.
    pub fn new(program: PathBuf, arguments: &[&str]) -> Self {
        let command = std::iter::once(program).chain(arguments.iter().map(PathBuf::from)).collect();
        Self { inner: Arc::new(Inner { command, line: Mutex::new(Line::NotStarted) }) }
    }

    /// Tells the guard of a group. `None` when there is no guard to be had.
    pub fn watch(&self, group: Pid) -> Option<Watched> {
        self.tell('+', group).then(|| Watched { guard: self.clone(), group })
    }

    fn tell(&self, sign: char, group: Pid) -> bool {
        let mut line = self.inner.line.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*line, Line::NotStarted) {
            *line = start(&self.inner.command).map_or(Line::Closed, Line::Open);
        }
        let Line::Open(pipe) = &mut *line else { return false };
        let told = writeln!(pipe, "{sign}{}", group.as_raw_nonzero()).and_then(|()| pipe.flush());
        if told.is_err() {
            *line = Line::Closed;
        }
        told.is_ok()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.guard.tell('-', self.group);
    }
}

fn start(command: &[PathBuf]) -> Option<ChildStdin> {
    let (program, arguments) = command.split_first()?;
    let mut child = Command::new(program)
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdin = child.stdin.take();
    // It ends after us or when its pipe is closed; whoever is still there then collects it.
    std::thread::spawn(move || child.wait());
    stdin
}

/// The guard's own life: the body of the hidden command `rehearsal guard`. Returns when all is done.
pub fn run() {
    watch_over(BufReader::new(std::io::stdin()));
}

fn watch_over(lines: impl BufRead) {
    let mut groups = BTreeSet::new();
    for line in lines.lines() {
        let Ok(line) = line else { break };
        let group = line.get(1..).and_then(|number| number.parse().ok()).filter(|number: &i32| *number > 1);
        match (line.as_bytes().first(), group) {
            (Some(b'+'), Some(group)) => {
                groups.insert(group);
            }
            (Some(b'-'), Some(group)) => {
                groups.remove(&group);
            }
            _ => {}
        }
    }
    end(&groups);
}

fn end(groups: &BTreeSet<i32>) {
    let mut left: Vec<Pid> = groups.iter().filter_map(|group| Pid::from_raw(*group)).collect();
    left.retain(|group| kill_process_group(*group, Signal::TERM).is_ok());
    let mut waited = Duration::ZERO;
    while !left.is_empty() && waited < AFTER_TERM {
        std::thread::sleep(LOOK);
        waited += LOOK;
        left.retain(|group| test_kill_process_group(*group).is_ok());
    }
    for group in left {
        // Fails when it went in this very moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
