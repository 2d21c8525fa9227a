//! A child process in its own process group: started with a bare environment, listened to, and ended whole.
//!
//! The group is killed on every path: politely by [`Process::stop`], at once when the value is dropped, and by the
//! [`guard`] when the harness itself is killed. Nothing here reads the program's output except its stderr.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;

use super::Program;
use crate::display;
use crate::transcript::{Fault, Side};

pub mod guard;

use guard::{Guard, Watched};

/// Bytes of stderr kept: the last 64 KiB.
pub const STDERR_KEPT: usize = 64 * 1024;
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
}

impl Process {
    /// Starts a program with extra variables (the identity's). Must be called inside a runtime.
    pub fn start(
        program: &Program,
        identity: &[(String, SecretString)],
        streams: Streams,
        guard: Option<&Guard>,
    ) -> Result<Self, Fault> {
        let Some((name, arguments)) = program.command.split_first() else {
            return Err(fault("target.unreachable", "`target.command` is empty; name a program to start"));
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
        let mut child = command.spawn().map_err(|error| cannot_start(name, program, &error))?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .expect("a child that was not waited for has an id");
        let watched = guard.and_then(|guard| guard.watch(group));
        let stderr = Arc::new(Stderr::default());
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(drain(pipe, Arc::clone(&stderr)));
        }
        let (stdin, mut stdout) = (child.stdin.take(), child.stdout.take());
        if streams == Streams::Drained
            && let Some(pipe) = stdout.take()
        {
            tokio::spawn(drain(pipe, Arc::clone(&stderr)));
        }
        Ok(Self {
            group,
            vitals: Vitals { name: display::excerpt(name, 80), status: reap(child), stderr },
            pipes: Mutex::new((stdin, stdout)),
            watched: Mutex::new(watched),
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
        let _ = tokio::time::timeout(AFTER_EOF, self.vitals.wait()).await;
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

/// What can be known of a child without holding it: holding it would keep it alive.
#[derive(Clone)]
pub struct Vitals {
    name: String,
    status: watch::Receiver<Option<ExitStatus>>,
    stderr: Arc<Stderr>,
}

impl Vitals {
    /// What the program wrote to its stderr (and to stdout, when drained).
    pub fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    /// How it ended, if it did.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Waits for its end.
    pub async fn wait(&self) -> Option<ExitStatus> {
        let mut status = self.status.clone();
        status.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// A fault that tells how it ended, with the last lines of its stderr.
    pub fn death(&self) -> Fault {
        let how = match self.exited() {
            Some(status) => format!("ended with {status}"),
            None => "closed its standard output".to_owned(),
        };
        fault("target.died", format!("the server `{}` {how}{}", self.name, self.stderr.last_words()))
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

fn reap(mut child: Child) -> watch::Receiver<Option<ExitStatus>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        if let Ok(status) = child.wait().await {
            sender.send_replace(Some(status));
        }
    });
    receiver
}

async fn drain(mut pipe: impl tokio::io::AsyncRead + Unpin, into: Arc<Stderr>) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        into.push(&chunk[..count]);
    }
}

/// The last [`STDERR_KEPT`] bytes of a stream, and how many there were in all.
#[derive(Default)]
pub struct Stderr {
    ring: Mutex<Ring>,
}

#[derive(Default)]
struct Ring {
    kept: std::collections::VecDeque<u8>,
    total: u64,
}

impl Stderr {
    fn push(&self, bytes: &[u8]) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.total += bytes.len() as u64;
        ring.kept.extend(&bytes[bytes.len().saturating_sub(STDERR_KEPT)..]);
        let excess = ring.kept.len().saturating_sub(STDERR_KEPT);
        ring.kept.drain(..excess);
    }

    /// How many bytes came so far: a mark for [`Stderr::since`].
    pub fn mark(&self) -> u64 {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    /// What came after a mark, as far as it is still kept.
    pub fn since(&self, mark: u64) -> String {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(ring.total.saturating_sub(mark)).unwrap_or(usize::MAX);
        let skipped = ring.kept.len().saturating_sub(new);
        let bytes: Vec<u8> = ring.kept.iter().skip(skipped).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// `; its last words were: ...`, or nothing if it was silent.
    pub fn last_words(&self) -> String {
        let all = self.since(0);
        let lines: Vec<&str> = all.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let last: Vec<String> =
            lines[lines.len().saturating_sub(5)..].iter().map(|line| display::excerpt(line, 300)).collect();
        if last.is_empty() { String::new() } else { format!("; its last words were: {}", last.join(" / ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_end() {
        let stderr = Stderr::default();
        for number in 0..20_000 {
            stderr.push(format!("line {number}\n").as_bytes());
        }
        let mark = stderr.mark();
        assert!(stderr.since(0).len() <= STDERR_KEPT);
        stderr.push(b"the \x1b[31mend\n\n");
        assert_eq!(stderr.since(mark), "the \u{1b}[31mend\n\n");
        assert!(stderr.last_words().ends_with("line 19999 / the ␛[31mend"), "{}", stderr.last_words());
    }

    #[test]
    fn an_empty_command_is_named() {
        let program = Program { command: vec![], env: std::collections::BTreeMap::new(), cwd: None };
        let fault = Process::start(&program, &[], Streams::Piped, None).err().unwrap();
        assert_eq!(fault.code, "target.unreachable");
    }
}
