//! The state of every lane of a run, from its baseline and its own trials. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::case_state::{CaseState, History, classify_with, may_be_released};
use super::cells::{Cell, CellName};
use super::compared::{Compared, Exclusion};
use crate::stats::{Pair, Tally};
use crate::store::baseline::{Baseline, LaneKey, LanePrint, Status};

/// The states of the lanes of a run that was compared with a baseline, by model, case, persona and client profile. Cases
/// that are known to fail have none: their history says nothing.
pub fn of_run<'a>(compared: &'a Compared, cells: &[Cell<'a>]) -> HashMap<[&'a str; 4], LaneState> {
    let mut known: HashMap<LaneKey, (History, Tally)> = HashMap::new();
    let mut tallies: HashMap<(&str, &str), Tally> = HashMap::new();
    for (model, record) in &compared.gates {
        tallies.extend(record.cases.iter().map(|case| ((model.as_str(), case.id.as_str()), case.baseline)));
    }
    for lane in &compared.lanes {
        let model = lane.key.model.as_ref().map_or("", |model| model.as_str());
        if let Some(tally) = tallies.get(&(model, lane.id.as_str())) {
            known.insert(lane.key.clone(), (History::Same, *tally));
        }
    }
    for lane in &compared.excluded {
        let history = match lane.why {
            Exclusion::New => History::None,
            Exclusion::Changed(_) => History::Changed,
            Exclusion::KnownToFail | Exclusion::Removed => continue,
        };
        known.insert(lane.key.clone(), (history, Tally::default()));
    }
    let lanes = cells.iter().filter_map(|cell| {
        let CellName { case, model, persona, client, .. } = cell.name;
        let model = model?;
        let key = LaneKey {
            case: case.into(),
            model: Some(model.into()),
            persona: persona.into(),
            client: client.into(),
        };
        let (history, baseline) = known.get(&key).copied()?;
        let counts = cell.counts();
        let recent = Tally { trials: counts.judged().into(), passed: counts.passed.into() };
        Some(([model, case, persona, client], LaneTrials { key, history, baseline, recent }))
    });
    let (names, lanes): (Vec<_>, Vec<_>) = lanes.unzip();
    names.into_iter().zip(states(&lanes)).collect()
}

/// The level at which a lane is called regressed or fixed, over all lanes together.
const ALPHA: f64 = 0.01;

/// What is known of a lane before and in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneTrials {
    /// The lane.
    pub key: LaneKey,
    /// What is known from before.
    pub history: History,
    /// The pooled history; nothing unless it is of the same case.
    pub baseline: Tally,
    /// The valid trials of the run; trials that only confirm a suspect left out.
    pub recent: Tally,
}

impl LaneTrials {
    /// A lane of a run beside a baseline.
    pub fn against(baseline: &Baseline, (key, print): (LaneKey, LanePrint), recent: Tally) -> Self {
        let pooled = baseline.pool(&key, &print);
        let history = match pooled.status {
            Status::Same => History::Same,
            Status::New => History::None,
            Status::Changed(_) => History::Changed,
        };
        Self { key, history, baseline: pooled.tally, recent }
    }
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
pub fn states(lanes: &[LaneTrials]) -> Vec<LaneState> {
    let tests = lanes.iter().filter(|lane| lane.history == History::Same).count() as u64;
    let state = |lane: &LaneTrials| {
        let pair = Pair { baseline: lane.baseline, candidate: lane.recent };
        // Counts that cannot be say nothing.
        let (state, p_worse) = classify_with(lane.history, pair, ALPHA, tests)
            .map_or((CaseState::Insufficient, 1.0), |found| (found.state, found.p_worse));
        LaneState {
            key: lane.key.clone(),
            state,
            p_worse,
            baseline: lane.baseline,
            recent: lane.recent,
            releasable: may_be_released(lane.baseline.plus(lane.recent)),
        }
    };
    lanes.iter().map(state).collect()
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
        let lane = LaneTrials::against(&baseline("a", before), (key("a"), print("v1")), tally(now));
        states(&[lane])[0].state
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
        let changed = LaneTrials::against(&known, (key("a"), print("v2")), tally([0, 5]));
        let new = LaneTrials::against(&known, (key("b"), print("v1")), tally([0, 5]));
        let found: Vec<CaseState> = states(&[changed, new]).iter().map(|lane| lane.state).collect();
        assert_eq!(found, [CaseState::Changed, CaseState::New]);
        assert!(states(&[]).is_empty(), "a removed case has no row");
    }

    #[test]
    fn twenty_good_trials_end_a_quarantine() {
        let releasable = |before, recent| {
            let lane = LaneTrials::against(&baseline("a", before), (key("a"), print("v1")), tally(recent));
            states(&[lane])[0].releasable
        };
        assert!(releasable([15, 15], [10, 10]));
        assert!(!releasable([12, 15], [10, 10]));
        assert!(!releasable([5, 5], [5, 5]));
    }
}
