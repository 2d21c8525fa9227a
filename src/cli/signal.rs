//! Ctrl-C and SIGTERM: first drain, then interrupt, then leave at once. Where keys are read, Ctrl-Z and Ctrl-\ as well: the
//! terminal is given back before they do what they always do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::process::Pid;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use super::keyboard;
use super::output::Printer;
use crate::drive::Stopping;
use crate::drive::seats::Pause;
use crate::gate::Exit;
use crate::ids::SuiteName;
use crate::store::record::Stop;

/// How long trials in flight may take after SIGTERM, which no second signal may follow.
const GRACE: Duration = Duration::from_secs(5);
/// How long a process that suspends itself may take to stand still.
const STILL: Duration = Duration::from_millis(100);

const INT: u8 = 2;
const QUIT: u8 = 3;
const TERM: u8 = 15;
/// No signal has this number: it was the key.
const KEY: u8 = b'd';

/// Which signal stopped the command, if any, and what it stops.
#[derive(Clone, Default)]
pub(super) struct Signals {
    seen: Arc<AtomicU8>,
    /// How many there were.
    count: Arc<AtomicU8>,
    stop: Stopping,
}

impl Signals {
    /// Listens until the program ends. The first Ctrl-C drains, the second interrupts the trials in flight, the third
    /// ends the process at once (every finished trial is on disk). SIGTERM drains, and interrupts after five seconds.
    pub(super) fn listen(printer: Printer) -> Self {
        let signals = Self::default();
        if printer.takes_keys() {
            gives_back_apart(printer);
        }
        let heard = signals.clone();
        tokio::spawn(async move {
            // A file that grows past its limit is a failed write, which is handled, and not the end of the process.
            let _too_large = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
            let (Ok(mut int), Ok(mut term)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                let number = tokio::select! { _ = int.recv() => INT, _ = term.recv() => TERM };
                let stop = &heard.stop;
                match heard.note(number) {
                    1 if number == INT => printer.tell(
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
                    _ => quit(number, printer),
                }
            }
        });
        signals
    }

    /// Notes what stops the command; how many there were by now.
    fn note(&self, number: u8) -> u8 {
        let _ = self.seen.compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed);
        self.stop.drain.cancel();
        self.count.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Drains as the first Ctrl-C does, because of a key. Once stopped, it does nothing.
    pub(super) fn drain(&self, printer: Printer) {
        if !self.stop.drain.is_cancelled() {
            self.note(KEY);
            printer.tell("stopping: no new trials; those in flight may finish (Ctrl-C to drop them)");
        }
    }

    /// The pause of all runs of the command.
    pub(super) fn pause(&self) -> &Pause {
        &self.stop.pause
    }

    /// What stops one run: when the command stops, and for reasons of its own without stopping other runs.
    pub(super) fn stopping(&self) -> Stopping {
        Stopping {
            drain: self.stop.drain.child_token(),
            abort: self.stop.abort.child_token(),
            pause: self.stop.pause.clone(),
        }
    }

    /// What came first: the number of a signal, or [`KEY`].
    fn first(&self) -> Option<u8> {
        match self.seen.load(Ordering::Relaxed) {
            0 => None,
            number => Some(number),
        }
    }

    /// Why the run stopped, if a signal stopped it.
    pub(super) fn reason(&self) -> Option<Stop> {
        let word = match self.first()? {
            TERM => "SIGTERM",
            KEY => "the key `d`",
            _ => "Ctrl-C",
        };
        let message = format!("stopped by {word}; finished trials are kept");
        Some(Stop { code: self.code().to_owned(), message })
    }

    fn code(&self) -> &'static str {
        match self.first() {
            Some(TERM) => "run.interrupted.sigterm",
            Some(KEY) => "run.interrupted",
            _ => "run.interrupted.sigint",
        }
    }

    /// The exit code of the signal that came first, if one came.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.first().map(|number| if number == TERM { Exit::Terminated } else { Exit::Interrupted })
    }

    /// The failure of a suite that waited for its turn when the command was stopped, and of those behind it.
    pub(super) fn waiting(&self, suite: &SuiteName) -> Failure {
        self.failure(format!("stopped before {suite} began; it did not run, nor what comes after it"))
    }

    fn failure(&self, message: impl Into<String>) -> Failure {
        Failure::new(self.exit().unwrap_or(Exit::Interrupted), self.code(), message)
    }

    /// Waits for the first signal: the failure of a command that has nothing to save yet.
    pub(super) async fn before_anything_ran(&self) -> Failure {
        self.stop.drain.cancelled().await;
        self.failure("stopped before any trial began; nothing was spent")
    }
}

/// Listens for Ctrl-Z and Ctrl-\ on a thread of its own: Ctrl-Z may reach so many children too early that every other
/// thread waits for them.
fn gives_back_apart(printer: Printer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let thread = std::thread::Builder::new().name("suspend".to_owned());
    // Without it, Ctrl-Z does what it does by itself.
    let _ = runtime.map(|runtime| thread.spawn(move || runtime.block_on(gives_back(printer))));
}

/// Clears the block and gives the terminal back before Ctrl-Z suspends the process and Ctrl-\ ends it, until the program
/// ends.
async fn gives_back(printer: Printer) {
    let (Ok(mut suspend), Ok(mut leave)) =
        (signal(SignalKind::from_raw(Signal::TSTP.as_raw())), signal(SignalKind::quit()))
    else {
        return;
    };
    loop {
        tokio::select! {
            _ = suspend.recv() => {}
            _ = leave.recv() => quit(QUIT, printer),
        }
        wake_unborn();
        printer.block_steps_aside();
        keyboard::steps_aside();
        // What Ctrl-Z does is done by a signal that does the same, since a handler cannot be taken back: like SIGTSTP, and
        // unlike SIGSTOP, it suspends nobody who has no shell that could let him go on.
        let _ = kill_process(getpid(), Signal::TTOU);
        // The process stands still within this time, which goes on when it does.
        tokio::time::sleep(STILL).await;
        keyboard::returns();
        printer.block_returns();
    }
}

/// Wakes children that Ctrl-Z reached before they became another program. On Linux the thread that starts a child stands
/// still until then, in a wait that no signal to stop ends: the process would never be suspended, and the shell never hear
/// of it.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "the list of children is a file")]
fn wake_unborn() {
    let ours = std::fs::read_link("/proc/self/exe").ok();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<i32> = lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect();
    for pid in children {
        // Servers of others are let alone.
        let is_us = std::fs::read_link(format!("/proc/{pid}/exe")).ok() == ours;
        if let Some(pid) = Pid::from_raw(pid).filter(|_| is_us) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn wake_unborn() {}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the third signal means now; finished trials are on disk"
)]
fn quit(signal: u8, printer: Printer) -> ! {
    printer.block_ends();
    keyboard::ends();
    std::process::exit(128 + i32::from(signal))
}
