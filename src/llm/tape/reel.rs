//! The calls of a tape, and how far each of them has been played. Pure.

use std::collections::HashMap;

use super::asked::Asked;
use super::file::{Call, Outcome};

/// See the module.
pub(super) struct Reel {
    calls: Vec<Call>,
    played: Vec<bool>,
    exact: HashMap<String, Vec<usize>>,
    loose: HashMap<String, Vec<usize>>,
}

impl Reel {
    /// Calls in the order of the tape.
    pub(super) fn new(calls: Vec<Call>) -> Self {
        let (mut exact, mut loose): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = Default::default();
        for (index, call) in calls.iter().enumerate() {
            exact.entry(call.call.clone()).or_default().push(index);
            loose.entry(call.loosely.clone()).or_default().push(index);
        }
        let played = vec![false; calls.len()];
        Self { calls, played, exact, loose }
    }

    /// The next answer to exactly this call. `failed_too`: also one that failed.
    pub(super) fn take(&mut self, asked: &Asked, failed_too: bool) -> Option<Call> {
        let indices = self.exact.get(&asked.key().to_string())?;
        let wanted = |index: &&usize| {
            !self.played[**index] && (failed_too || matches!(self.calls[**index].outcome, Outcome::Reply(_)))
        };
        let index = *indices.iter().find(wanted)?;
        self.played[index] = true;
        Some(self.calls[index].clone())
    }

    /// The next answer to this request by whatever model, best by one of the same name.
    pub(super) fn take_loosely(&mut self, asked: &Asked) -> Option<Call> {
        let indices = self.loose.get(&asked.loose_key().to_string())?;
        let left = || indices.iter().copied().filter(|index| !self.played[*index]);
        let index = left().find(|index| self.calls[*index].model == asked.model).or_else(|| left().next())?;
        self.played[index] = true;
        Some(self.calls[index].clone())
    }

    /// How often exactly this call stands on the tape.
    pub(super) fn times(&self, asked: &Asked) -> usize {
        self.exact.get(&asked.key().to_string()).map_or(0, Vec::len)
    }

    /// Every call.
    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }
}
