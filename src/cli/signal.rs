//! Ctrl-C and SIGTERM: first drain, then interrupt, then leave at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::output::Printer;
use crate::drive::Stopping;

/// How long trials in flight may take after SIGTERM, which no second signal may follow.
const GRACE: Duration = Duration::from_secs(5);

/// Which signal stopped the run, if any.
#[derive(Clone, Default)]
pub(super) struct Signals(Arc<AtomicU8>);

impl Signals {
    /// Listens until the program ends. The first Ctrl-C drains, the second interrupts the trials in flight, the third
    /// ends the process at once (every finished trial is on disk). SIGTERM drains, and interrupts after five seconds.
    pub(super) fn listen(stop: Stopping, printer: Printer) -> Self {
        let seen = Self::default();
        let first = seen.clone();
        tokio::spawn(async move {
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let mut count = 0_u8;
            loop {
                let number = tokio::select! { _ = int.recv() => 2, _ = term.recv() => 15 };
                count = count.saturating_add(1);
                let _ = first.0.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
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
                    2 => stop.abort.cancel(),
                    _ => quit(i32::from(number)),
                }
            }
        });
        seen
    }

    /// The signal that came first: 2 for SIGINT, 15 for SIGTERM.
    pub(super) fn first(&self) -> Option<u8> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number),
        }
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
