//! The state of every lane of a run, from its baseline and its own trials. Pure.

use serde::{Deserialize, Serialize};

use super::case_state::{CaseState, History, classify_with, may_be_released};
use crate::stats::{Pair, Tally};
use crate::store::baseline::{Baseline, LaneKey, LanePrint, Status};

/// The level at which a lane is called regressed or fixed, over all lanes together.
const ALPHA: f64 = 0.01;

/// What the trials of one lane gave in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneTrials {
    /// The lane.
    pub key: LaneKey,
    /// What was measured.
    pub print: LanePrint,
    /// Its valid trials; trials that only confirm a suspect left out.
    pub recent: Tally,
}

/// A lane with its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneState {
    /// The lane.
    pub key: LaneKey,
    /// Its state.
    pub state: CaseState,
    /// Fisher's exact p-value towards "worse", before it is adjusted for the number of lanes.
    pub p_worse: f64,
    /// The pooled history.
    pub baseline: Tally,
    /// The trials of the run.
    pub recent: Tally,
    /// History and run together are good enough to end a quarantine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub releasable: bool,
}

/// The state of every lane, in the order given. Lanes that have a history share the risk of a false call.
pub fn states(baseline: &Baseline, lanes: &[LaneTrials]) -> Vec<LaneState> {
    let pooled: Vec<_> = lanes.iter().map(|lane| baseline.pool(&lane.key, &lane.print)).collect();
    let tests = pooled.iter().filter(|pooled| pooled.status == Status::Same).count() as u64;
    let state = |(lane, pooled): (&LaneTrials, &crate::store::baseline::Pooled)| {
        let history = match pooled.status {
            Status::Same => History::Same,
            Status::New => History::None,
            Status::Changed(_) => History::Changed,
        };
        let pair = Pair { baseline: pooled.tally, candidate: lane.recent };
        // Counts that cannot be say nothing.
        let (state, p_worse) = classify_with(history, pair, ALPHA, tests)
            .map_or((CaseState::Insufficient, 1.0), |found| (found.state, found.p_worse));
        LaneState {
            key: lane.key.clone(),
            state,
            p_worse,
            baseline: pooled.tally,
            recent: lane.recent,
            releasable: may_be_released(pooled.tally.plus(lane.recent)),
        }
    };
    lanes.iter().zip(&pooled).map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::store::baseline::{Night, Prints};
    use crate::store::outcomes::LaneOutcome;
    use crate::transcript::CaseKind;

    fn print(seed: &str) -> LanePrint {
        let digest = Digest::of(seed.as_bytes());
        LanePrint { question: digest, model: digest, score: digest }
    }

    fn key(case: &str) -> LaneKey {
        LaneKey { case: case.into(), model: Some("m".into()), persona: "p".into(), client: "c".into() }
    }

    fn tally([passed, trials]: [u64; 2]) -> Tally {
        Tally { trials, passed }
    }

    /// One case with a baseline of these counts.
    fn baseline(case: &str, counts: [u64; 2]) -> Baseline {
        let mut baseline = Baseline::new("s".into());
        let outcome = LaneOutcome {
            kind: CaseKind::Use,
            key: key(case),
            print: print("v1"),
            tags: vec![],
            tally: tally(counts),
            invalid: 0,
            missing: 0,
            confirms: Tally::default(),
            expected_failure: false,
        };
        let night = Night {
            run: "run".into(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            forced: None,
            prints: Prints::default(),
        };
        baseline.accept(night, &[outcome]);
        baseline
    }

    fn state(before: [u64; 2], now: [u64; 2]) -> CaseState {
        let lane = LaneTrials { key: key("a"), print: print("v1"), recent: tally(now) };
        states(&baseline("a", before), &[lane])[0].state
    }

    #[test]
    fn every_state_comes_out_of_a_baseline_and_a_run() {
        assert_eq!(state([15, 15], [0, 5]), CaseState::Regressed);
        assert_eq!(state([0, 15], [5, 5]), CaseState::Fixed);
        assert_eq!(state([15, 15], [5, 5]), CaseState::Stable, "all pass");
        assert_eq!(state([0, 15], [0, 5]), CaseState::Broken, "all fail");
        assert_eq!(state([10, 15], [3, 5]), CaseState::Flaky);
        assert_eq!(state([1, 1], [0, 3]), CaseState::Insufficient, "a baseline of one trial");
        assert_eq!(state([15, 15], [0, 0]), CaseState::Insufficient, "no valid trial");
        assert_eq!(state([15, 15], [0, 2]), CaseState::Insufficient, "unequal numbers of trials");
        assert_eq!(state([0, 0], [5, 5]), CaseState::New, "no valid trial before");
    }

    #[test]
    fn new_and_changed_lanes_have_no_history() {
        let known = baseline("a", [15, 15]);
        let changed = LaneTrials { key: key("a"), print: print("v2"), recent: tally([0, 5]) };
        let new = LaneTrials { key: key("b"), print: print("v1"), recent: tally([0, 5]) };
        let found: Vec<CaseState> = states(&known, &[changed, new]).iter().map(|lane| lane.state).collect();
        assert_eq!(found, [CaseState::Changed, CaseState::New]);
        assert!(states(&known, &[]).is_empty(), "a removed case has no row");
    }

    #[test]
    fn twenty_good_trials_end_a_quarantine() {
        let lane = |recent| LaneTrials { key: key("a"), print: print("v1"), recent: tally(recent) };
        assert!(states(&baseline("a", [15, 15]), &[lane([10, 10])])[0].releasable);
        assert!(!states(&baseline("a", [12, 15]), &[lane([10, 10])])[0].releasable);
        assert!(!states(&baseline("a", [5, 5]), &[lane([5, 5])])[0].releasable);
    }
}
