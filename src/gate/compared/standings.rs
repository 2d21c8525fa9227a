//! How compared cases stand against their baselines while a run goes on: counted, and no verdict.

use std::collections::HashMap;

use crate::ids::{CaseKey, Digest};
use crate::score::Outcome;
use crate::stats::Tally;

/// The compared lanes of a run, but those in quarantine, with what their trials gave so far.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// By question and model.
    lanes: HashMap<(Digest, Digest), Standing>,
    below: u64,
    judged: u64,
}

/// A lane and its baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// What it is measured against.
    pub(super) baseline: Tally,
    /// What its trials gave so far, those that confirm a suspect left out.
    pub(super) so_far: Tally,
    /// Trials with a larger number confirm a suspect, or are beyond what is compared.
    pub(super) rounds: u32,
}

impl Standing {
    fn is_below(&self) -> bool {
        // Shares over a common denominator, exactly.
        let [now, before] = [self.so_far, self.baseline];
        u128::from(now.passed) * u128::from(before.trials)
            < u128::from(before.passed) * u128::from(now.trials)
    }
}

impl Standings {
    pub(super) fn new(lanes: impl IntoIterator<Item = ((Digest, Digest), Standing)>) -> Self {
        let lanes: HashMap<_, _> = lanes.into_iter().collect();
        let judged = lanes.values().filter(|lane| lane.so_far.trials > 0).count() as u64;
        let below = lanes.values().filter(|lane| lane.is_below()).count() as u64;
        Self { lanes, below, judged }
    }

    /// Lanes with one baseline, of which the first so many trials count: for displays of what never ran.
    #[cfg(test)]
    pub(crate) fn of(lanes: impl IntoIterator<Item = CaseKey>, baseline: Tally, rounds: u32) -> Self {
        let standing = Standing { baseline, so_far: Tally::default(), rounds };
        Self::new(lanes.into_iter().map(|key| ((key.question, key.model), standing)))
    }

    /// Notes what a trial gave in the end. Trials without a verdict say nothing, nor do those of other lanes.
    pub fn note(&mut self, key: &CaseKey, outcome: Outcome) {
        let passed = match outcome {
            Outcome::Pass => 1,
            Outcome::Fail => 0,
            Outcome::Invalid => return,
        };
        let lane = self.lanes.get_mut(&(key.question, key.model));
        let Some(lane) = lane.filter(|lane| key.trial <= lane.rounds) else { return };
        let was_below = lane.is_below();
        self.judged += u64::from(lane.so_far.trials == 0);
        lane.so_far = lane.so_far.plus(Tally { trials: 1, passed });
        self.below -= u64::from(was_below);
        self.below += u64::from(lane.is_below());
    }

    /// Lanes whose share of passes lies below that of their baseline so far, and lanes with a verdict. Of those that used to
    /// fail now and then some are below by chance alone.
    pub fn below(&self) -> [u64; 2] {
        [self.below, self.judged]
    }

    /// Whether nothing is compared.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn key(case: &str, trial: u32) -> CaseKey {
        CaseKey { question: digest(case), model: Digest::none(), trial }
    }

    fn lane(case: &str, [trials, passed]: [u64; 2], so_far: [u64; 2]) -> ((Digest, Digest), Standing) {
        let so_far = Tally { trials: so_far[0], passed: so_far[1] };
        let standing = Standing { baseline: Tally { trials, passed }, so_far, rounds: 3 };
        ((digest(case), Digest::none()), standing)
    }

    #[test]
    fn a_lane_is_below_while_its_share_is_smaller() {
        let mut standings = Standings::new([lane("a", [10, 10], [0, 0]), lane("b", [4, 2], [0, 0])]);
        assert_eq!(standings.below(), [0, 0]);
        standings.note(&key("a", 1), Outcome::Pass);
        assert_eq!(standings.below(), [0, 1], "all passed, as before");
        standings.note(&key("b", 1), Outcome::Fail);
        assert_eq!(standings.below(), [1, 2]);
        standings.note(&key("b", 2), Outcome::Pass);
        assert_eq!(standings.below(), [0, 2], "one of two, as before");
        standings.note(&key("a", 2), Outcome::Fail);
        standings.note(&key("a", 3), Outcome::Fail);
        assert_eq!(standings.below(), [1, 2], "a lane counts once");
    }

    #[test]
    fn what_is_not_compared_says_nothing() {
        let mut standings = Standings::new([lane("a", [10, 10], [0, 0])]);
        standings.note(&key("a", 1), Outcome::Invalid);
        standings.note(&key("a", 4), Outcome::Fail);
        standings.note(&key("new", 1), Outcome::Fail);
        assert_eq!(standings.below(), [0, 0], "no verdict, a fresh trial, no baseline");
    }

    #[test]
    fn a_run_goes_on_where_it_was() {
        let mut standings = Standings::new([lane("a", [10, 10], [2, 1]), lane("b", [10, 9], [0, 0])]);
        assert_eq!(standings.below(), [1, 1]);
        standings.note(&key("b", 1), Outcome::Fail);
        assert_eq!(standings.below(), [2, 2]);
    }
}
