//! What state a case is in, from its history and its recent trials.

use serde::{Deserialize, Serialize};

use crate::stats::exact::{fisher_better, fisher_worse};
use crate::stats::proportion::jeffreys;
use crate::stats::{Interval, Pair};

/// The state of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Clearly worse than its history.
    Regressed,
    /// Clearly better than its history.
    Fixed,
    /// Fails nearly always: 90 % sure the rate is at most 0.2.
    Broken,
    /// Passes nearly always: 95 % sure the rate is at least 0.8.
    Stable,
    /// Passes at times and fails at times, surely.
    Flaky,
    /// Too few trials to say.
    Insufficient,
    /// Not there before.
    New,
    /// Its content or its expectations changed: the history says nothing.
    Changed,
}

impl CaseState {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::Stable => "stable",
            Self::Flaky => "flaky",
            Self::Insufficient => "insufficient",
            Self::New => "new",
            Self::Changed => "changed",
        }
    }
}

/// A state with the test it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classified {
    /// The state.
    pub state: CaseState,
    /// Fisher's exact p-value towards "worse", before it is adjusted for the number of cases.
    pub p_worse: f64,
}

/// Trials of history below which a change is not called.
const LEAST_HISTORY: u64 = 5;
/// Recent trials below which nothing is called.
const LEAST_RECENT: u64 = 3;
/// Trials below which a case is not called flaky.
const LEAST_FLAKY: u64 = 8;

/// The state of a case by its counts alone, one of `tests` cases that are classified together.
///
/// In order: regressed if Fisher's p towards "worse", times `tests`, is at most `alpha` with 5 trials of history, and
/// the rate fell; fixed likewise towards "better"; broken, stable or flaky by the 90 % Jeffreys interval of all trials;
/// else insufficient, as is everything below 3 recent trials. `None` when a side passed more often than it ran.
pub fn classify_case(pair: Pair, alpha: f64, tests: u64) -> Option<Classified> {
    let p_worse = fisher_worse(pair)?;
    let state = state_of(pair, (p_worse, fisher_better(pair)?), alpha / tests.max(1) as f64)?;
    Some(Classified { state, p_worse })
}

fn state_of(pair: Pair, (p_worse, p_better): (f64, f64), level: f64) -> Option<CaseState> {
    let (before, now) = (pair.baseline, pair.candidate);
    if now.trials < LEAST_RECENT {
        return Some(CaseState::Insufficient);
    }
    if before.trials >= LEAST_HISTORY {
        let change = now.rate()? - before.rate()?;
        if p_worse <= level && change < 0.0 {
            return Some(CaseState::Regressed);
        }
        if p_better <= level && change > 0.0 {
            return Some(CaseState::Fixed);
        }
    }
    let all = before.plus(now);
    let Interval { low, high } = jeffreys(all.passed, all.trials, 0.9)?;
    let both_seen = all.passed > 0 && all.passed < all.trials;
    Some(if high <= 0.2 {
        CaseState::Broken
    } else if low >= 0.8 {
        CaseState::Stable
    } else if all.trials >= LEAST_FLAKY && both_seen && low < 0.95 && high > 0.05 {
        CaseState::Flaky
    } else {
        CaseState::Insufficient
    })
}

/// What is known of a case from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Nothing: the case is new.
    None,
    /// Something, but its content hash differs.
    Changed,
    /// Trials of the same case.
    Same,
}

/// [`classify_case`] with what is known of the case from before; the baseline counts only for the same case.
pub fn classify_with(history: History, pair: Pair, alpha: f64, tests: u64) -> Option<Classified> {
    let state = match history {
        History::None => CaseState::New,
        History::Changed => CaseState::Changed,
        History::Same => return classify_case(pair, alpha, tests),
    };
    Some(Classified { state, p_worse: 1.0 })
}

/// Whether a quarantined case may come back by itself: 20 fresh trials or more, and 95 % sure of a rate of 0.9.
pub fn may_be_released(fresh: crate::stats::Tally) -> bool {
    fresh.trials >= 20
        && jeffreys(fresh.passed, fresh.trials, 0.9).is_some_and(|interval| interval.low >= 0.9)
}

/// Why a case may not be put under quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoQuarantine {
    /// Access and security cases never are.
    Security,
    /// Only flaky cases are.
    NotFlaky(CaseState),
    /// A tenth of the cases is there already.
    Full,
}

/// Whether a case in `state` may join `quarantined` others of `cases`; `security` marks access and security cases.
pub fn may_quarantine(
    state: CaseState,
    kind: CaseGuard,
    quarantined: usize,
    cases: usize,
) -> Result<(), NoQuarantine> {
    match (kind, state) {
        (CaseGuard::Security, _) => Err(NoQuarantine::Security),
        (CaseGuard::Quality, CaseState::Flaky) if (quarantined + 1) * 10 <= cases => Ok(()),
        (CaseGuard::Quality, CaseState::Flaky) => Err(NoQuarantine::Full),
        (CaseGuard::Quality, other) => Err(NoQuarantine::NotFlaky(other)),
    }
}

/// What a case guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseGuard {
    /// Access, auth, or tools that must not be called.
    Security,
    /// Anything else.
    Quality,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Tally;

    fn state(before: [u64; 2], now: [u64; 2]) -> CaseState {
        let tally = |[passed, trials]: [u64; 2]| Tally { trials, passed };
        let pair = Pair { baseline: tally(before), candidate: tally(now) };
        classify_case(pair, 0.01, 1).expect("counts").state
    }

    #[test]
    fn every_state_has_its_counts() {
        assert_eq!(state([15, 15], [0, 5]), CaseState::Regressed);
        assert_eq!(state([0, 15], [5, 5]), CaseState::Fixed);
        assert_eq!(state([0, 15], [0, 5]), CaseState::Broken);
        assert_eq!(state([15, 15], [5, 5]), CaseState::Stable);
        assert_eq!(state([10, 15], [3, 5]), CaseState::Flaky);
        assert_eq!(state([3, 3], [3, 3]), CaseState::Insufficient);
        assert_eq!(state([0, 0], [0, 0]), CaseState::Insufficient);
    }

    #[test]
    fn a_case_among_many_needs_more_to_be_called_regressed() {
        let tally = |passed, trials| Tally { trials, passed };
        let pair = Pair { baseline: tally(15, 15), candidate: tally(1, 4) };
        let among = |tests| classify_case(pair, 0.01, tests).map(|found| found.state);
        assert_eq!(among(1), Some(CaseState::Regressed));
        assert_eq!(among(1000), Some(CaseState::Flaky));
    }

    #[test]
    fn a_changed_case_has_no_history() {
        let pair =
            Pair { baseline: Tally { trials: 15, passed: 15 }, candidate: Tally { trials: 5, passed: 0 } };
        let with = |history| classify_with(history, pair, 0.01, 1).map(|found| found.state);
        assert_eq!(with(History::Changed), Some(CaseState::Changed));
        assert_eq!(with(History::None), Some(CaseState::New));
        assert_eq!(with(History::Same), Some(CaseState::Regressed));
    }

    #[test]
    fn quarantine_is_for_few_flaky_cases() {
        use CaseGuard::{Quality, Security};
        assert_eq!(may_quarantine(CaseState::Flaky, Quality, 0, 10), Ok(()));
        assert_eq!(may_quarantine(CaseState::Flaky, Quality, 1, 10), Err(NoQuarantine::Full));
        assert_eq!(may_quarantine(CaseState::Flaky, Security, 0, 10), Err(NoQuarantine::Security));
        let broken = may_quarantine(CaseState::Broken, Quality, 0, 10);
        assert_eq!(broken, Err(NoQuarantine::NotFlaky(CaseState::Broken)));
    }

    #[test]
    fn release_needs_twenty_good_trials() {
        assert!(may_be_released(Tally { trials: 20, passed: 20 }));
        assert!(!may_be_released(Tally { trials: 19, passed: 19 }));
        assert!(!may_be_released(Tally { trials: 20, passed: 18 }));
    }
}
