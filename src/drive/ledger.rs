//! What a trial has used up, shared by the conversation and the host that may sample beside it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::suite::Limits;
use crate::transcript::{End, Fault, Limit, Loss, Recorder, Usage, What};

/// Tokens and money of one trial, who waits for a model, and what broke on the side.
pub struct Ledger {
    limits: Limits,
    spent: Mutex<Spent>,
    asking: AtomicUsize,
}

#[derive(Default)]
struct Spent {
    usage: Usage,
    cost: f64,
    fault: Option<Fault>,
    losses: Vec<Loss>,
}

/// Somebody waits for a model's API until this is dropped.
pub struct Asking<'a>(&'a AtomicUsize);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ledger {
    /// Nothing spent yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, spent: Mutex::default(), asking: AtomicUsize::new(0) }
    }

    /// Adds a model's answer.
    pub fn charge(&self, usage: Usage, cost: Option<f64>) {
        let mut spent = self.spent();
        spent.usage += usage;
        spent.cost += cost.unwrap_or(0.0);
    }

    /// Notes what the model does not see of the tools, if that is other than before.
    pub fn lost(&self, losses: Vec<Loss>, log: &Recorder) {
        let mut spent = self.spent();
        if spent.losses != losses {
            spent.losses.clone_from(&losses);
            log.note(What::OfferLost { losses });
        }
    }

    /// Something broke beside the conversation; the first such fault ends the trial.
    pub fn broke(&self, fault: Fault) {
        self.spent().fault.get_or_insert(fault);
    }

    /// Why the trial cannot go on, if so: a fault on the side, then the limits of tokens and cost.
    pub fn stopped(&self) -> Result<(), End> {
        let spent = self.spent();
        if let Some(fault) = &spent.fault {
            return Err(End::Faulted(fault.clone()));
        }
        if self.limits.tokens.is_some_and(|most| spent.usage.input.saturating_add(spent.usage.output) > most)
        {
            return Err(End::OutOf(Limit::Tokens));
        }
        if self.limits.cost.is_some_and(|most| spent.cost > most) {
            return Err(End::OutOf(Limit::Cost));
        }
        Ok(())
    }

    /// From now on somebody waits for a model's API.
    pub fn asking(&self) -> Asking<'_> {
        self.asking.fetch_add(1, Ordering::Relaxed);
        Asking(&self.asking)
    }

    /// Whether anybody waits for a model's API.
    pub fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed) > 0
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Side;

    #[test]
    fn both_sides_spend_from_one_purse() {
        let ledger = Ledger::new(Limits { tokens: Some(100), cost: Some(0.5), ..Limits::default() });
        let usage = Usage { input: 40, output: 10, ..Usage::default() };
        ledger.charge(usage, Some(0.1));
        ledger.charge(usage, None);
        assert_eq!(ledger.stopped(), Ok(()));
        ledger.charge(usage, None);
        assert_eq!(ledger.stopped(), Err(End::OutOf(Limit::Tokens)));
        let ledger = Ledger::new(Limits { cost: Some(0.5), ..Limits::default() });
        ledger.charge(usage, Some(0.6));
        assert_eq!(ledger.stopped(), Err(End::OutOf(Limit::Cost)));
        ledger.broke(Fault::new(Side::Model, "model.timeout", "late"));
        assert!(matches!(ledger.stopped(), Err(End::Faulted(_))));
    }

    #[test]
    fn waiting_ends_with_the_guard() {
        let ledger = Ledger::new(Limits::default());
        let first = ledger.asking();
        let second = ledger.asking();
        drop(first);
        assert!(ledger.is_asking());
        drop(second);
        assert!(!ledger.is_asking());
    }
}
