//! Ctrl-C and SIGTERM: first drain, then interrupt, then leave at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use super::output::Printer;
use crate::drive::Stopping;
use crate::gate::Exit;
use crate::ids::SuiteName;
use crate::store::record::Stop;

/// How long trials in flight may take after SIGTERM, which no second signal may follow.
const GRACE: Duration = Duration::from_secs(5);

/// Which signal stopped the command, if any, and what it stops.
#[derive(Clone, Default)]
pub(super) struct Signals {
    seen: Arc<AtomicU8>,
    stop: Stopping,
}

impl Signals {
    /// Listens until the program ends. The first Ctrl-C drains, the second interrupts the trials in flight, the third
    /// ends the process at once (every finished trial is on disk). SIGTERM drains, and interrupts after five seconds.
    pub(super) fn listen(printer: Printer) -> Self {
        let signals = Self::default();
        let (first, stop) = (Arc::clone(&signals.seen), signals.stop.clone());
        tokio::spawn(async move {
            // A file that grows past its limit is a failed write, which is handled, and not the end of the process.
            let _too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let mut count = 0_u8;
            loop {
                let number = tokio::select! { _ = int.recv() => 2, _ = term.recv() => 15 };
                count = count.saturating_add(1);
                let _ = first.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
                stop.drain.cancel();
                match count {
                    1 if number == 2 => printer.tell(
                        "stopping: no new trials; those in flight may finish (Ctrl-C again to drop them)",
                    ),
                    1 => {
                        printer.tell("stopping: no new trials; those in flight have five seconds");
                        let abort = stop.abort.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(GRACE).await;
                            abort.cancel();
                        });
                    }
                    2 => {
                        printer.tell("dropping the trials in flight");
                        stop.abort.cancel();
                    }
                    _ => {
                        printer.block_ends();
                        quit(i32::from(number));
                    }
                }
            }
        });
        signals
    }

    /// What stops one run: when the command stops, and for reasons of its own without stopping other runs.
    pub(super) fn stopping(&self) -> Stopping {
        Stopping { drain: self.stop.drain.child_token(), abort: self.stop.abort.child_token() }
    }

    /// The signal that came first: 2 for SIGINT, 15 for SIGTERM.
    fn first(&self) -> Option<u8> {
        match self.seen.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number),
        }
    }

    /// Why the run stopped, if a signal stopped it.
    pub(super) fn reason(&self) -> Option<Stop> {
        let (code, word) = match self.first()? {
            15 => ("run.interrupted.sigterm", "SIGTERM"),
            _ => ("run.interrupted.sigint", "Ctrl-C"),
        };
        Some(Stop { code: code.to_owned(), message: format!("stopped by {word}; finished trials are kept") })
    }

    /// The exit code of the signal that came first, if one came.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.first().map(|number| if number == 15 { Exit::Terminated } else { Exit::Interrupted })
    }

    /// The failure of a suite that waited for its turn when the command was stopped, and of those behind it.
    pub(super) fn waiting(&self, suite: &SuiteName) -> Failure {
        self.failure(format!("stopped before {suite} began; it did not run, nor what comes after it"))
    }

    fn failure(&self, message: impl Into<String>) -> Failure {
        let exit = self.exit().unwrap_or(Exit::Interrupted);
        let word = if exit == Exit::Terminated { "sigterm" } else { "sigint" };
        Failure::new(exit, format!("run.interrupted.{word}"), message)
    }

    /// Waits for the first signal: the failure of a command that has nothing to save yet.
    pub(super) async fn before_anything_ran(&self) -> Failure {
        self.stop.drain.cancelled().await;
        self.failure("stopped before any trial began; nothing was spent")
    }
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the third signal means now; finished trials are on disk"
)]
fn quit(signal: i32) -> ! {
    std::process::exit(128 + signal)
}
