//! What can be known of a child without holding it: how it ended, and what it said on its stderr.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::fault;
use crate::display;
use crate::transcript::Fault;

/// Bytes of stderr kept: the last 64 KiB.
pub const STDERR_KEPT: usize = 64 * 1024;
/// How long after its end, or the end of its stdout, a child's exit status and stderr are waited for.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// What can be known of a child without holding it: holding it would keep it alive.
#[derive(Clone)]
pub struct Vitals {
    name: String,
    status: watch::Receiver<Option<ExitStatus>>,
    stderr: Arc<Stderr>,
    drains: TaskTracker,
}

impl Vitals {
    /// Watches over a child: drains its stderr, and its stdout if that is left in `child`, and collects its status.
    pub(super) fn of(name: &str, mut child: Child) -> Self {
        let stderr = Arc::new(Stderr::default());
        let drains = TaskTracker::new();
        if let Some(pipe) = child.stderr.take() {
            drains.spawn(drain(pipe, Arc::clone(&stderr)));
        }
        if let Some(pipe) = child.stdout.take() {
            drains.spawn(drain(pipe, Arc::clone(&stderr)));
        }
        drains.close();
        Self { name: display::excerpt(name, 80), status: reap(child), stderr, drains }
    }

    /// What the program wrote to its stderr (and to stdout, when drained).
    pub fn stderr(&self) -> &Stderr {
        &self.stderr
    }

    /// Whether these are of the same child.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stderr, &other.stderr)
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

    /// Waits a moment for its end and for its last words, which come through a pipe of their own.
    pub async fn last_breath(&self) {
        let _ =
            tokio::time::timeout(LAST_BREATH, async { tokio::join!(self.wait(), self.drains.wait()) }).await;
    }

    /// A fault that tells how it ended, with the last lines of its stderr.
    pub fn death(&self) -> Fault {
        let how = match self.exited() {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("ended with exit code {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => format!("ended with {status}"),
            },
            None => "closed its standard output".to_owned(),
        };
        fault("target.died", format!("the server `{}` {how}{}", self.name, self.stderr.last_words()))
    }
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

async fn drain(mut pipe: impl AsyncRead + Unpin, into: Arc<Stderr>) {
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
    kept: VecDeque<u8>,
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
        let last: Vec<String> = lines[lines.len().saturating_sub(5)..]
            .iter()
            .map(|line| display::whole_words(line, 300))
            .collect();
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
}
