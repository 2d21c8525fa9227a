//! What a gate is set to: three knobs and a mode for people, every number for the record.

use serde::{Deserialize, Serialize};

use super::GateError;
use crate::stats::sequential::spend_weights;

/// What people set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knobs {
    /// The drop of the suite's rate one would shrug at, as a share: 0.05 is five points. Chosen before data are seen.
    pub margin: f64,
    /// Rounds at most, 1 to 5.
    pub max_rounds: u32,
    /// The chance of a false alarm per verdict, as a share.
    pub false_alarm: f64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { margin: 0.05, max_rounds: 5, false_alarm: 0.01 }
    }
}

/// When the gate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// On a change: one round, a pass at 90 % confidence.
    Pr,
    /// Every night: inconclusive warns, and alerts from the third in a row.
    Nightly,
    /// Before a release: inconclusive does not release.
    Release,
}

/// Every number of the algorithm, stored with the verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The largest drop that still passes, as a share.
    pub margin: f64,
    /// The chance of a false alarm of the whole gate.
    pub alpha: f64,
    /// The parts of `alpha` for the suite, the groups and the cases.
    pub split: [f64; 3],
    /// The chance to pass a suite that is worse by the margin.
    pub pass_alpha: f64,
    /// How the suite's and the groups' alpha is spread over rounds; the first `max_rounds` count.
    pub fail_weights: Vec<f64>,
    /// How `pass_alpha` is spread over rounds.
    pub pass_weights: Vec<f64>,
    /// Fresh trials per suspect.
    pub confirm_trials: u32,
    /// A case was reliable when (passes + 1/2)/(trials + 1) of its baseline is at least this.
    pub reliable_at: f64,
    /// The share of cases that a round may suspect; three at least.
    pub suspect_cap: f64,
    /// The least share of binomial variance the interval believes in.
    pub deff_floor: f64,
    /// The share of invalid trials above which the gate does not pass.
    pub max_invalid: f64,
    /// Rounds at most.
    pub max_rounds: u32,
}

impl Settings {
    /// The settings of a mode with a person's knobs. In `pr` mode one round is run whatever the knob says.
    pub fn new(mode: Mode, knobs: Knobs) -> Result<Self, GateError> {
        let (max_rounds, pass_alpha) = match mode {
            Mode::Pr => (1, 0.10),
            Mode::Nightly | Mode::Release => (knobs.max_rounds, 0.05),
        };
        let settings = Self {
            margin: knobs.margin,
            alpha: knobs.false_alarm,
            split: [0.4, 0.3, 0.3],
            pass_alpha,
            fail_weights: vec![1.0, 1.0, 1.0, 1.0, 2.0],
            pass_weights: vec![3.0, 1.0, 1.0, 1.0, 1.0],
            confirm_trials: 5,
            reliable_at: 0.8,
            suspect_cap: 0.15,
            deff_floor: 0.05,
            max_invalid: 0.05,
            max_rounds,
        };
        settings.checked()
    }

    /// The settings, if every number is one the algorithm can work with.
    pub(super) fn checked(self) -> Result<Self, GateError> {
        let share = |value: f64| value > 0.0 && value < 1.0;
        let rules = [
            ("margin", "more than 0 and less than 1", share(self.margin)),
            ("false_alarm", "more than 0 and at most 0.5", self.alpha > 0.0 && self.alpha <= 0.5),
            ("max_rounds", "1 to 5", self.spent().is_some()),
            ("split", "three shares that add up to 1 at most", sound_split(self.split)),
            ("pass_alpha", "more than 0 and at most 0.5", self.pass_alpha > 0.0 && self.pass_alpha <= 0.5),
            ("confirm_trials", "1 to 1000", (1..=1000).contains(&self.confirm_trials)),
            ("deff_floor", "more than 0 and at most 1", self.deff_floor > 0.0 && self.deff_floor <= 1.0),
            ("suspect_cap", "0 to 1", (0.0..=1.0).contains(&self.suspect_cap)),
            ("reliable_at", "0 to 1", (0.0..=1.0).contains(&self.reliable_at)),
            ("max_invalid", "0 to 1", (0.0..=1.0).contains(&self.max_invalid)),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((knob, range, _)) => Err(GateError::Knob { knob, range }),
            None => Ok(self),
        }
    }

    fn spent(&self) -> Option<Vec<Levels>> {
        let rounds = self.max_rounds as usize;
        let [suite, groups, case] = self.split.map(|part| part * self.alpha);
        if rounds == 0 {
            return None;
        }
        let suite = spend_weights(suite, self.fail_weights.get(..rounds)?)?;
        let groups = spend_weights(groups, self.fail_weights.get(..rounds)?)?;
        let pass = spend_weights(self.pass_alpha, self.pass_weights.get(..rounds)?)?;
        let levels = suite.into_iter().zip(groups).zip(pass);
        Some(levels.map(|((suite, group), pass)| Levels { suite, group, case, pass: 1.0 - pass }).collect())
    }

    /// The levels of every round.
    pub(super) fn levels(&self) -> Vec<Levels> {
        self.spent().unwrap_or_default()
    }
}

fn sound_split(split: [f64; 3]) -> bool {
    split.iter().all(|part| (0.0..=1.0).contains(part)) && split.iter().sum::<f64>() <= 1.0 + 1e-12
}

/// What a round is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Levels {
    /// A p-value of the suite at or below this fails.
    pub suite: f64,
    /// An adjusted p-value of a group at or below this fails.
    pub group: f64,
    /// An adjusted p-value of a suspect at or below this fails; the same in every round.
    pub case: f64,
    /// The one-sided confidence of the pass.
    pub pass: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_rounds_use_the_first_weights_renormalised() {
        let knobs = Knobs { max_rounds: 2, ..Knobs::default() };
        let levels = Settings::new(Mode::Nightly, knobs).expect("sound").levels();
        assert_eq!(levels.len(), 2);
        assert!((levels[0].suite - 0.002).abs() < 1e-15 && (levels[1].suite - 0.002).abs() < 1e-15);
        assert!((levels[0].pass - 0.9625).abs() < 1e-12);
    }

    #[test]
    fn a_change_gets_one_round_at_ninety_percent() {
        let levels = Settings::new(Mode::Pr, Knobs::default()).expect("sound").levels();
        assert_eq!((levels.len(), levels[0].pass, levels[0].suite), (1, 0.9, 0.004));
    }

    #[test]
    fn knobs_out_of_range_are_refused() {
        let broken = [
            Knobs { margin: 0.0, ..Knobs::default() },
            Knobs { margin: f64::NAN, ..Knobs::default() },
            Knobs { max_rounds: 0, ..Knobs::default() },
            Knobs { max_rounds: 6, ..Knobs::default() },
            Knobs { false_alarm: 0.0, ..Knobs::default() },
        ];
        for knobs in broken {
            assert!(Settings::new(Mode::Nightly, knobs).is_err(), "{knobs:?}");
        }
        assert!(Settings::new(Mode::Release, Knobs::default()).is_ok());
    }
}
