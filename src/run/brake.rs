//! Deciding when no more trials are started.

use super::Step;
use crate::drive::Stopping;
use crate::store::record::Stop;

pub(super) const BUDGET: &str = "run.budget";

/// Decides when no more trials are started, and remembers why.
pub(super) struct Brake {
    pub(super) stopping: Stopping,
    pub(super) max_cost: Option<f64>,
    /// US dollars so far.
    pub(super) spent: f64,
    pub(super) stops: Vec<Stop>,
}

impl Brake {
    /// Drains the run. Each reason counts once.
    pub(super) fn stop(&mut self, stop: Stop, on: &mut impl FnMut(Step<'_>)) {
        self.stopping.drain.cancel();
        if self.stops.iter().all(|known| known.code != stop.code) {
            on(Step::Stopping(&stop));
            self.stops.push(stop);
        }
    }

    /// What costs nothing is never over budget, not even over one of nothing.
    pub(super) fn check_budget(&mut self, on: &mut impl FnMut(Step<'_>)) {
        if let Some(most) = self.max_cost.filter(|most| self.spent >= *most && self.spent > 0.0) {
            let spent = self.spent;
            let message = format!("${spent:.4} of ${most:.4} are spent; no more trials were started");
            self.stop(Stop { code: BUDGET.to_owned(), message }, on);
        }
    }
}
