//! A child process in its own process group: started with a bare environment, listened to, and ended whole.
//!
//! The group is killed on every path: politely by [`Process::stop`], at once when the value is dropped, and by the
//! [`guard`] when the harness itself is killed. Nothing here reads the program's output except its stderr.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::Program;
use crate::display;
use crate::transcript::{Fault, Side};

pub mod errand;
pub mod guard;
pub mod vitals;

use guard::{Guard, Watched};
pub use vitals::{Stderr, Vitals};

/// How long a program may take to end after its stdin was closed.
pub const AFTER_EOF: Duration = Duration::from_secs(1);
/// How long a group may take to end after TERM.
pub const AFTER_TERM: Duration = Duration::from_secs(2);

/// Our own variables that a child sees besides those named for it, and every `LC_*`.
const PASSED: &[&str] = &["PATH", "HOME", "LANG", "TMPDIR", "USER", "SHELL", "TERM", "SYSTEMROOT"];

/// What becomes of a child's standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Stdin and stdout are pipes for messages.
    Piped,
    /// Stdin is empty; stdout is drained like stderr.
    Drained,
}

/// A running child and its process group.
pub struct Process {
    group: Pid,
    vitals: Vitals,
    pipes: Mutex<(Option<ChildStdin>, Option<ChildStdout>)>,
    watched: Mutex<Option<Watched>>,
    ended: AtomicBool,
}

impl Process {
    /// Starts a program with extra variables (the identity's). Must be called inside a runtime.
    pub fn start(
        program: &Program,
        identity: &[(String, SecretString)],
        streams: Streams,
        guard: Option<&Guard>,
    ) -> Result<Self, Fault> {
        let Some(name) = program.command.first() else {
            return Err(fault("target.unreachable", "`target.command` is empty; name a program to start"));
        };
        Self::spawn(program, identity, streams, guard).map_err(|error| cannot_start(name, program, &error))
    }

    /// The same for any program, with the error of the system.
    fn spawn(
        program: &Program,
        identity: &[(String, SecretString)],
        streams: Streams,
        guard: Option<&Guard>,
    ) -> std::io::Result<Self> {
        let Some((name, arguments)) = program.command.split_first() else {
            return Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        };
        let mut command = Command::new(name);
        command.args(arguments).env_clear().envs(passed()).envs(&program.env);
        command.envs(identity.iter().map(|(name, value)| (name, value.expose_secret())));
        if let Some(folder) = &program.cwd {
            command.current_dir(folder);
        }
        command.process_group(0).kill_on_drop(false).stderr(Stdio::piped());
        match streams {
            Streams::Piped => command.stdin(Stdio::piped()).stdout(Stdio::piped()),
            Streams::Drained => command.stdin(Stdio::null()).stdout(Stdio::piped()),
        };
        let mut child = command.spawn()?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .expect("a child that was not waited for has an id");
        let watched = guard.and_then(|guard| guard.watch(group));
        let pipes = match streams {
            Streams::Piped => (child.stdin.take(), child.stdout.take()),
            Streams::Drained => (None, None),
        };
        let vitals = Vitals::of(name, child);
        Ok(Self {
            group,
            vitals,
            pipes: Mutex::new(pipes),
            watched: Mutex::new(watched),
            ended: AtomicBool::new(false),
        })
    }

    /// The pipes, once.
    pub fn take_pipes(&self) -> Option<(ChildStdin, ChildStdout)> {
        let mut pipes = self.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        pipes.0.take().zip(pipes.1.take())
    }

    /// The process group's id, which is also the child's.
    pub fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// What can be known of it without holding it.
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// Ends the group: waits for the end of the program, whose stdin the caller has closed, then TERM, then KILL.
    pub async fn stop(&self) {
        drop(self.take_pipes());
        let _ = tokio::time::timeout(AFTER_EOF, self.vitals.wait()).await;
        self.stop_at_once().await;
    }

    /// The same for a program that has no stdin to close: TERM, then KILL.
    pub async fn stop_at_once(&self) {
        if self.ended.load(Ordering::SeqCst) {
            return;
        }
        if self.vitals.exited().is_none() || self.is_alive() {
            self.signal(Signal::TERM);
            let gone = async {
                self.vitals.wait().await;
                while self.is_alive() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let _ = tokio::time::timeout(AFTER_TERM, gone).await;
        }
        self.end();
        // Reaping leaves no zombie behind; KILL cannot be ignored, so this is short.
        self.vitals.last_breath().await;
    }

    /// Whether any process of the group is left.
    fn is_alive(&self) -> bool {
        rustix::process::test_kill_process_group(self.group).is_ok()
    }

    fn signal(&self, signal: Signal) {
        // Fails when the group is gone, which is what we want.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }

    /// Kills the group, once: afterwards its number may belong to somebody else.
    fn end(&self) {
        if self.ended.swap(true, Ordering::SeqCst) {
            return;
        }
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.vitals.exited().is_none() || self.is_alive() {
            self.signal(Signal::KILL);
        }
        drop(watched);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn fault(code: &str, message: impl Into<String>) -> Fault {
    Fault::new(Side::Server, code, message)
}

fn cannot_start(name: &str, program: &Program, error: &std::io::Error) -> Fault {
    let shown = display::excerpt(name, 120);
    let message = match (error.kind(), &program.cwd) {
        (std::io::ErrorKind::NotFound, Some(folder)) => format!(
            "cannot start `{shown}` in `{}`: no such program or folder; check `target.command` and its folder",
            folder.display()
        ),
        (std::io::ErrorKind::NotFound, None) => {
            format!(
                "cannot start `{shown}`: no such program; install it or write its full path in `target.command`"
            )
        }
        (std::io::ErrorKind::PermissionDenied, _) => {
            format!("cannot start `{shown}`: permission denied; make it executable")
        }
        _ => format!("cannot start `{shown}`: {error}"),
    };
    fault("target.unreachable", message)
}

/// The allow-listed part of our environment. Values that are not text are passed as they are.
fn passed() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| PASSED.contains(&name) || name.starts_with("LC_"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_command_is_named() {
        let program = Program { command: vec![], env: std::collections::BTreeMap::new(), cwd: None };
        let fault = Process::start(&program, &[], Streams::Piped, None).err().unwrap();
        assert_eq!(fault.code, "target.unreachable");
    }
}
