//! What a person sees while a run goes on: a live block on a terminal, plain lines elsewhere.
//!
//! [`board`] follows the steps, [`block`] turns a moment into lines of text; both are pure. What is here draws: often on
//! a terminal, as a heartbeat elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use self::block::Look;
use self::board::{Board, Terms};
use super::Context;
use super::output::Printer;
use crate::drive::World;
use crate::report::paint::Style;
use crate::run::Step;
use crate::transcript::Clock;

mod block;
mod board;
mod left;
pub(super) mod line;
mod scene;
#[cfg(test)]
mod tests;

/// How often the live block is drawn.
const FRAME: Duration = Duration::from_millis(150);
/// How often a log is looked after.
const LOOK: Duration = Duration::from_secs(1);

/// What a run is about, for those who watch it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// Most US dollars.
    pub(super) most: Option<f64>,
    /// US dollars that were spent before.
    pub(super) before: f64,
    /// The largest share of invalid trials with which the run can pass.
    pub(super) tolerated: Option<f64>,
}

/// Shows the steps of a run.
pub(super) struct Progress {
    shown: Arc<Shown>,
    ticker: JoinHandle<()>,
}

/// What the steps and the ticker share.
struct Shown {
    printer: Printer,
    clock: Clock,
    board: Mutex<Board>,
    /// The worlds of the trials: one, or the two of a run beside another.
    worlds: Mutex<Vec<Arc<World>>>,
}

impl Progress {
    /// Begins a display for so many trials. Needs a runtime.
    pub(super) fn new(context: &Context, total: u64, budget: Budget) -> Self {
        let (printer, clock) = (context.printer, context.clock.clone());
        let terms = Terms {
            begun: clock.elapsed(),
            most: budget.most,
            before: budget.before,
            tolerated: budget.tolerated,
            verbose: context.verbose,
            style: printer.talk_style(),
        };
        let board = Mutex::new(Board::new(terms, total));
        let shown = Arc::new(Shown { printer, clock, board, worlds: Mutex::default() });
        printer.block_begins();
        let every = if printer.live() { FRAME } else { LOOK };
        let ticked = Arc::clone(&shown);
        let ticker = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                ticked.tick();
            }
        });
        Self { shown, ticker }
    }

    /// Watches the world of the trials: how hard its providers are asked, and whether it stops.
    pub(super) fn watches(&self, world: &Arc<World>) {
        locked(&self.shown.worlds).push(Arc::clone(world));
    }

    /// Shows a step.
    pub(super) fn step(&self, step: &Step<'_>) {
        let now = self.shown.clock.elapsed();
        // Not while the board is held: a terminal that takes its time must not hold up the ticker.
        let lines = locked(&self.shown.board).step(step, now);
        lines.iter().for_each(|line| self.shown.printer.talk_line(line));
    }

    /// Clears the live block and lets go of the world.
    pub(super) fn end(&self) {
        self.ticker.abort();
        locked(&self.shown.worlds).clear();
        self.shown.printer.block_ends();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shown {
    fn tick(&self) {
        let now = self.clock.elapsed();
        let worlds = locked(&self.worlds).clone();
        let strains = worlds.iter().flat_map(|world| world.paces.strains(now)).collect();
        let stopping = worlds.iter().any(|world| world.stop.drain.is_cancelled());
        let mut board = locked(&self.board);
        if self.printer.live() {
            let scene = board.scene(now, strains, stopping);
            drop(board);
            let (width, height) = self.printer.screen();
            self.printer.block_shows(&block::lines(&scene, Look { width, height, style: self.style() }));
        } else if board.beats(now) {
            let scene = board.scene(now, strains, stopping);
            drop(board);
            self.printer.talk(&block::beat(&scene, self.style()));
        }
    }

    fn style(&self) -> Style {
        self.printer.talk_style()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
