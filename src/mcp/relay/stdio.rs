//! Standard streams through the relay: a connection of the shim, a process of the server behind it, lines both ways.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::incoming::KEPT;
use super::super::process::{Process, Streams};
use super::super::stdio::{LINE_CAP, Line, Lines, Starter};
use super::ear::Ear;
use super::{Relaying, same};
use crate::display;
use crate::transcript::{Body, What, WireMessage};

/// How long a connection may take to say the secret.
const HELLO: Duration = Duration::from_secs(5);
/// Most connections of one trial; each is a process.
const MOST: usize = 16;
/// Longest secret with its line feed.
const SECRET: usize = 256;

/// What stands between one client and the program.
pub(super) struct Door {
    starter: Starter,
    relaying: Relaying,
    ear: Arc<Ear>,
}

impl Door {
    pub(super) fn new(starter: Starter, relaying: Relaying, ear: Arc<Ear>) -> Arc<Self> {
        Arc::new(Self { starter, relaying, ear })
    }

    /// One connection to its end.
    async fn converse(&self, mut stream: TcpStream, line: String) {
        if !matches!(timeout(HELLO, hello(&mut stream, &self.relaying.secret)).await, Ok(true)) {
            return;
        }
        let (program, identity) = (&self.starter.program, self.starter.identity.env());
        let started = Process::start(program, &identity, Streams::Piped, self.starter.guard.as_ref());
        let process = match started {
            Ok(process) => process,
            Err(fault) => {
                self.relaying.log.note(What::ServerOdd { message: fault.message });
                return;
            }
        };
        let Some((stdin, stdout)) = process.take_pipes() else { return };
        let (from, to) = stream.into_split();
        let inward = self.pump(from, stdin, (&line, Way::In));
        let outward = self.pump(stdout, to, (&line, Way::Out));
        // The client hangs up, or the server ends: either ends both.
        tokio::select! {
            () = async {
                inward.await;
                // What the server still says after the end of its input is its last word.
                let _ = timeout(super::super::process::AFTER_EOF, process.vitals().wait()).await;
            } => {}
            () = outward => {}
        }
        process.stop().await;
        let text = process.vitals().stderr().since(0);
        if !text.trim().is_empty() {
            self.relaying.log.note(What::ServerStderr { text });
        }
    }

    /// Moves lines from one end to the other, heard on their way.
    async fn pump(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        (line, way): (&str, Way),
    ) {
        let (mut chunk, mut lines) = (vec![0; 64 * 1024], Lines::default());
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            let mut whole = vec![];
            let mut too_long = None;
            lines.push(&chunk[..count], |line| match line {
                Line::Whole(bytes) => whole.push(bytes),
                Line::TooLong(begin) => too_long = Some(begin),
            });
            for mut bytes in whole {
                if !self.hear(line, way, &bytes) {
                    return;
                }
                bytes.push(b'\n');
                if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
                    return;
                }
            }
            if let Some(begin) = too_long {
                self.note(way, Body::from_bytes(&begin[..begin.len().min(KEPT)]));
                let message = format!("a line is longer than {} MiB and does not pass", LINE_CAP >> 20);
                self.relaying.log.note(What::ServerOdd { message });
            }
        }
    }

    /// Records a line and says whether it may pass.
    fn hear(&self, line: &str, way: Way, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes);
        if text.trim().is_empty() {
            return true;
        }
        match way {
            Way::In => {
                let passes = self.ear.client(line, &text);
                if passes {
                    self.note(way, Body::from_bytes(bytes));
                }
                passes
            }
            Way::Out => {
                self.note(way, Body::from_bytes(bytes));
                if text.trim_start().starts_with(['{', '[']) {
                    self.ear.server(line, &text);
                } else {
                    let message = format!("stdout is no JSON: {}", display::excerpt(&text, 120));
                    self.relaying.log.note(What::ServerOdd { message });
                }
                true
            }
        }
    }

    fn note(&self, way: Way, body: Body) {
        let via = "stdio".to_owned();
        let message = match way {
            Way::In => WireMessage::Sent { via, headers: vec![], body },
            Way::Out => {
                WireMessage::Received { via, status: None, headers: vec![], frame: None, of: None, body }
            }
        };
        self.relaying.log.note(What::Wire(message));
    }
}

/// To the server, or from it.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// Whether a connection begins with the secret on a line of its own.
async fn hello(stream: &mut TcpStream, secret: &str) -> bool {
    let mut said = Vec::new();
    // Byte by byte: what follows the line belongs to the server.
    while said.len() < SECRET {
        match stream.read_u8().await {
            Ok(b'\n') => return std::str::from_utf8(&said).is_ok_and(|said| same(secret, said)),
            Ok(byte) => said.push(byte),
            Err(_) => return false,
        }
    }
    false
}

/// Serves until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    door: Arc<Door>,
    (stop, connections): (CancellationToken, TaskTracker),
) {
    for number in 0..MOST {
        let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await else { return };
        let (door, ended) = (Arc::clone(&door), stop.clone());
        connections.spawn(async move {
            let talk = door.converse(stream, format!("connection {number}"));
            ended.run_until_cancelled(talk).await;
        });
    }
}
