//! What a person sees while a run goes on: a live block on a terminal, plain lines elsewhere.
//!
//! [`board`] follows the steps, [`block`] turns a moment into lines of text, [`keys`] knows what keys mean; they are pure.
//! What is here draws and does what keys ask for: often on a terminal, as a heartbeat elsewhere.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use self::block::Look;
use self::board::{Around, Board, Terms};
use self::keys::{Key, Keys, Shown};
use super::output::Printer;
use super::signal::Signals;
use super::{Context, keyboard};
use crate::drive::World;
use crate::gate::compared::Standings;
use crate::report::figures::count;
use crate::report::paint::Style;
use crate::run::Step;
use crate::transcript::Clock;

mod block;
mod board;
mod facts;
mod keys;
mod left;
pub(super) mod line;
mod rows;
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
    watch: Arc<Watch>,
    ticker: JoinHandle<()>,
}

/// What the steps and the ticker share.
struct Watch {
    printer: Printer,
    clock: Clock,
    board: Mutex<Board>,
    signals: Signals,
    /// What keys have changed.
    keys: Mutex<Keys>,
    /// The worlds of the trials: one, or the two of a run beside another.
    worlds: Mutex<Vec<Arc<World>>>,
}

impl Progress {
    /// Begins a display for so many trials. Needs a runtime.
    pub(super) fn new((signals, context): (&Signals, &Context), total: u64, budget: Budget) -> Self {
        let (printer, clock) = (context.printer, context.clock.clone());
        let terms = Terms {
            begun: clock.elapsed(),
            most: budget.most,
            before: budget.before,
            tolerated: budget.tolerated,
            verbose: context.verbose,
            style: printer.talk_style(),
        };
        let watch = Arc::new(Watch {
            printer,
            clock,
            board: Mutex::new(Board::new(terms, total)),
            signals: signals.clone(),
            keys: Mutex::default(),
            worlds: Mutex::default(),
        });
        printer.block_begins();
        let keys = printer.takes_keys();
        if keys {
            keyboard::begins();
        }
        if keys && !printer.live() {
            printer.talk(&keys::line());
        }
        let every = if keys || printer.live() { FRAME } else { LOOK };
        let ticked = Arc::clone(&watch);
        let ticker = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(every);
            loop {
                ticks.tick().await;
                ticked.tick();
            }
        });
        Self { watch, ticker }
    }

    /// Watches the world of the trials: how hard its providers are asked, and whether it stops. Keys change its seats.
    pub(super) fn watches(&self, world: &Arc<World>) {
        locked(&self.watch.worlds).push(Arc::clone(world));
    }

    /// Counts cases that fall below their baseline.
    pub(super) fn compares(&self, standings: Standings) {
        locked(&self.watch.board).compares(standings);
    }

    /// Shows a step.
    pub(super) fn step(&self, step: &Step<'_>) {
        let now = self.watch.clock.elapsed();
        // Not while the board is held: a terminal that takes its time must not hold up the ticker.
        let lines = locked(&self.watch.board).step(step, now);
        lines.iter().for_each(|line| self.watch.printer.talk_line(line));
    }

    /// Clears the live block, gives the keyboard back and lets go of the world.
    pub(super) fn end(&self) {
        self.ticker.abort();
        locked(&self.watch.worlds).clear();
        self.watch.printer.block_ends();
        keyboard::ends();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

impl Watch {
    fn tick(&self) {
        let worlds = locked(&self.worlds).clone();
        let typed = keyboard::typed();
        if let Some((key, often)) = typed.as_deref().and_then(Key::of) {
            (0..often).for_each(|_| self.press(key, &worlds));
        }
        let now = self.clock.elapsed();
        let keys = typed.is_some().then(|| Keys { at_once: at_once(&worlds), ..*locked(&self.keys) });
        let around = Around {
            strains: worlds.iter().flat_map(|world| world.paces.strains(now)).collect(),
            stopping: is_stopping(&worlds),
            paused: self.signals.pause().is_on(),
            keys,
        };
        let mut board = locked(&self.board);
        board.looks(now, around.paused);
        if self.printer.live() {
            let scene = board.scene(now, around);
            drop(board);
            self.printer.block_shows(&block::lines(&scene, self.look()));
        } else if board.beats(now) {
            let scene = board.scene(now, around);
            drop(board);
            self.printer.talk(&block::beat(&scene, self.style()));
        }
    }

    /// Does what a key asks for.
    fn press(&self, key: Key, worlds: &[Arc<World>]) {
        let live = self.printer.live();
        match key {
            // Nothing begins any more.
            Key::Pause | Key::More | Key::Fewer if is_stopping(worlds) => {}
            Key::Drain => self.signals.drain(self.printer),
            Key::Pause => {
                let said = match self.signals.pause().turn() {
                    true => "paused: no trial begins until `p` is pressed again; those under way finish",
                    false => "the pause is over",
                };
                // The block says it as long as it lasts.
                if !live {
                    self.printer.talk(said);
                }
            }
            Key::More | Key::Fewer => {
                let by = if key == Key::More { 1 } else { -1 };
                for world in worlds {
                    world.seats.change(by);
                }
                if !live {
                    self.printer.talk(&format!("{} at once", count(at_once(worlds) as u64, "trial")));
                }
            }
            Key::Trials if live => {
                let mut keys = locked(&self.keys);
                keys.shown = keys.shown.next();
            }
            Key::Help if live => {
                let mut keys = locked(&self.keys);
                keys.help = !keys.help;
            }
            Key::Trials => self.lists(),
            Key::Help => {
                self.printer.talk(&keys::help(at_once(worlds), self.plainly()).join("\n"));
            }
        }
    }

    /// The trials under way once, where no block shows them.
    fn lists(&self) {
        let keys = Keys { shown: Shown::Fitting, ..Keys::default() };
        let around = Around { keys: Some(keys), ..Around::default() };
        let scene = locked(&self.board).scene(self.clock.elapsed(), around);
        let lines = match scene.running.is_empty() {
            true => vec!["no trial is under way".to_owned()],
            false => rows::rows(&scene.running, self.plainly()),
        };
        self.printer.talk(&lines.join("\n"));
    }

    /// The layout of lines in a log, which get no colours.
    fn plainly(&self) -> Look {
        let look = self.look();
        let style = if look.style == Style::Ascii { Style::Ascii } else { Style::Plain };
        Look { style, ..look }
    }

    fn look(&self) -> Look {
        let (width, height) = self.printer.screen();
        Look { width, height, style: self.style() }
    }

    fn style(&self) -> Style {
        self.printer.talk_style()
    }
}

fn is_stopping(worlds: &[Arc<World>]) -> bool {
    worlds.iter().any(|world| world.stop.drain.is_cancelled())
}

/// Trials at once.
fn at_once(worlds: &[Arc<World>]) -> usize {
    worlds.iter().map(|world| world.seats.there()).sum()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
