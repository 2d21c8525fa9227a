//! A child process as a connection: one JSON message per line on its stdin and stdout.
//!
//! Lines that are no messages are recorded and skipped; a line over [`LINE_CAP`] is thrown away as it comes, so a
//! server cannot fill our memory. The server's death ends every waiting request at once. A server without sessions is
//! started again for the next one: there is nothing that died with it (2026-07-28, basic/transports/stdio).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::Program;
use super::credentials::Identity;
use super::hub::{Arrived, Hub};
use super::incoming::KEPT;
use super::line::{Carrier, Letter, Stop};
use super::process::guard::Guard;
use super::process::{Process, Streams, Vitals};
use super::revision::Revision;
use crate::transcript::{Body, Fault, Recorder, Side, What, WireMessage};

/// Longest line in bytes: 8 MiB.
pub(super) const LINE_CAP: usize = 8 * 1024 * 1024;
/// Texts waiting to be written. A server that does not read holds its callers back, up to their deadlines.
const QUEUE: usize = 64;

/// How often the process of one connection is started again.
const REVIVALS: u32 = 5;

/// What a process is started with.
pub(super) struct Starter {
    pub(super) program: Program,
    pub(super) identity: Identity,
    pub(super) guard: Option<Guard>,
}

/// See the module.
pub(super) struct Pipe {
    live: RwLock<Arc<Live>>,
    hub: Arc<Hub>,
    starter: Starter,
    revivals: Mutex<u32>,
    closed: AtomicBool,
}

/// A process and the way to its stdin.
struct Live {
    process: Process,
    outbox: mpsc::Sender<String>,
    end_of_input: CancellationToken,
}

impl Live {
    fn start(starter: &Starter, hub: &Arc<Hub>) -> Result<Arc<Self>, Fault> {
        let (program, identity) = (&starter.program, starter.identity.env());
        let process = Process::start(program, &identity, Streams::Piped, starter.guard.as_ref())?;
        let (outbox, inbox) = mpsc::channel(QUEUE);
        let end_of_input = CancellationToken::new();
        if let Some((stdin, stdout)) = process.take_pipes() {
            tokio::spawn(write(stdin, inbox, end_of_input.clone()));
            let reader =
                Reader { hub: Arc::clone(hub), outbox: outbox.clone(), vitals: process.vitals().clone() };
            tokio::spawn(reader.run(stdout));
        }
        Ok(Arc::new(Self { process, outbox, end_of_input }))
    }

    async fn stop(&self) {
        self.end_of_input.cancel();
        self.process.stop().await;
    }
}

impl Pipe {
    /// Starts a process and speaks to it.
    pub(super) fn start(starter: Starter, hub: Arc<Hub>) -> Result<Self, Fault> {
        let live = RwLock::new(Live::start(&starter, &hub)?);
        Ok(Self { live, hub, starter, revivals: Mutex::default(), closed: AtomicBool::new(false) })
    }

    /// Ends the process and its group.
    pub(super) async fn stop(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.live().stop().await;
    }

    /// Whether a process that dies is started again for the next request.
    pub(super) fn is_revivable(&self) -> bool {
        let exhausted = self.revivals.try_lock().is_ok_and(|revivals| *revivals >= REVIVALS);
        self.hub.is_stateless() && !exhausted && !self.closed.load(Ordering::Relaxed)
    }

    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn start_again(&self) -> bool {
        // Many may want it at once; the first does it.
        let mut revivals = self.revivals.lock().await;
        let Some(death) = self.hub.dead() else { return true };
        if !self.hub.is_stateless() || *revivals >= REVIVALS || self.closed.load(Ordering::Relaxed) {
            return false;
        }
        *revivals += 1;
        // What is left of its group must not answer in its place.
        self.live().stop().await;
        self.hub.revive();
        match Live::start(&self.starter, &self.hub) {
            Ok(live) => {
                *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
                let message = format!("{}; it was started again for the next request", death.message);
                self.hub.odd(None, message);
                true
            }
            Err(fault) => {
                self.hub.fail(&fault);
                false
            }
        }
    }

    async fn send(&self, text: String, log: &Recorder) -> Result<(), Fault> {
        let body = Body::Text(text.clone());
        log.note(What::Wire(WireMessage::Sent { via: "stdio".to_owned(), headers: vec![], body }));
        let live = self.live();
        if live.outbox.send(text).await.is_err() {
            // The writer ended because the server's stdin is closed; its death is about to be noticed by the reader.
            live.process.vitals().last_breath().await;
            return Err(self.hub.dead().unwrap_or_else(|| live.process.vitals().death()));
        }
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end_of_input.cancel();
    }
}

impl Carrier for Pipe {
    fn ask<'a>(&'a self, letter: Letter, log: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { Ok(self.send(letter.text, log).await?) })
    }

    fn tell<'a>(&'a self, text: String, log: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.send(text, log))
    }

    fn settle(&self, _: &'static Revision) {}

    fn exchanges(&self) -> bool {
        false
    }

    fn vitals(&self) -> Option<Vitals> {
        Some(self.live().process.vitals().clone())
    }

    fn revive(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.start_again())
    }

    fn close<'a>(&'a self, _: &'a Recorder) -> BoxFuture<'a, ()> {
        Box::pin(self.stop())
    }
}

async fn write(mut stdin: ChildStdin, mut inbox: mpsc::Receiver<String>, end: CancellationToken) {
    let writing = async {
        while let Some(mut text) = inbox.recv().await {
            text.push('\n');
            if stdin.write_all(text.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
                break;
            }
        }
    };
    end.run_until_cancelled(writing).await;
}

struct Reader {
    hub: Arc<Hub>,
    outbox: mpsc::Sender<String>,
    vitals: Vitals,
}

impl Reader {
    async fn run(self, mut stdout: ChildStdout) {
        let mut chunk = vec![0; 64 * 1024];
        let mut lines = Lines::default();
        while let Ok(count @ 1..) = stdout.read(&mut chunk).await {
            lines.push(&chunk[..count], |line| self.take(line));
        }
        // A server that ends in the middle of a line has still said what it said.
        self.deliver(lines.unfinished);
        self.vitals.last_breath().await;
        let mut death = self.vitals.death();
        death.message.push_str(&self.hub.stray_words());
        self.hub.fail(&death);
    }

    fn take(&self, line: Line) {
        match line {
            Line::Whole(bytes) => self.deliver(bytes),
            Line::TooLong(begin) => {
                let message = format!("a line on stdout is longer than {} MiB", LINE_CAP >> 20);
                let body = Body::of(begin);
                let begun = Arrived::line(body);
                self.hub.set_aside(begun, message.clone());
                self.hub.fail_waiting(&Fault::new(Side::Server, "target.too-large", message));
            }
        }
    }

    fn deliver(&self, bytes: Vec<u8>) {
        let body = Body::of(bytes);
        let text = body.to_text();
        if text.trim().is_empty() {
            return;
        }
        if !text.trim_start().starts_with(['{', '[']) {
            self.hub.stray(&text);
        }
        drop(text);
        let arrived = Arrived::line(body);
        for asked in self.hub.deliver(arrived) {
            // A host may take its time; the reader must not.
            let outbox = self.outbox.clone();
            tokio::spawn(async move {
                let Some((text, log)) = asked.answered().await else { return };
                // A server that asks without reading the answers does not get them.
                if let Ok(place) = outbox.try_reserve() {
                    let body = Body::Text(text.clone());
                    log.note(What::Wire(WireMessage::Sent {
                        via: "stdio".to_owned(),
                        headers: vec![],
                        body,
                    }));
                    place.send(text);
                }
            });
        }
    }
}

/// Cuts a byte stream into lines.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    skipping: bool,
}

#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// How it begins. Reported once, when the cap is passed; the rest of the line is thrown away.
    TooLong(Vec<u8>),
}

impl Lines {
    pub(super) fn push(&mut self, mut chunk: &[u8], mut take: impl FnMut(Line)) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.append(&chunk[..end], &mut take);
            chunk = &chunk[end + 1..];
            if !std::mem::take(&mut self.skipping) {
                take(Line::Whole(std::mem::take(&mut self.unfinished)));
            }
        }
        self.append(chunk, &mut take);
    }

    fn append(&mut self, bytes: &[u8], take: &mut impl FnMut(Line)) {
        if self.skipping {
            return;
        }
        if self.unfinished.len() + bytes.len() > LINE_CAP {
            let mut begin = std::mem::take(&mut self.unfinished);
            begin.extend_from_slice(bytes);
            begin.truncate(KEPT);
            begin.shrink_to_fit();
            self.skipping = true;
            take(Line::TooLong(begin));
            return;
        }
        self.unfinished.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        chunks.iter().for_each(|chunk| lines.push(chunk, |line| found.push(line)));
        found
    }

    #[test]
    fn lines_are_joined_across_chunks() {
        assert_eq!(
            cut(&[b"a", b"b\n\nc", b"\nd"]),
            [Line::Whole(b"ab".to_vec()), Line::Whole(vec![]), Line::Whole(b"c".to_vec())]
        );
    }

    #[test]
    fn a_line_without_end_is_reported_once_and_skipped() {
        let chunk = vec![b'x'; 1 << 20];
        let mut chunks: Vec<&[u8]> = vec![&chunk; 20];
        chunks.push(b"\nnext\n");
        assert_eq!(cut(&chunks), [Line::TooLong(vec![b'x'; KEPT]), Line::Whole(b"next".to_vec())]);
    }
}
