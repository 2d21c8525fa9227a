//! The history of a lane as one number: which nights are pooled, and why others are not.

use serde::{Deserialize, Serialize};

use super::{Baseline, LaneKey, LaneNight, LanePrint, Night, POOLED_TRIALS};
use crate::stats::Tally;

/// Pooled trials below which a history is thin: a single broken case would hardly be seen.
pub const THIN: u64 = 10;

/// Which history a run is measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The newest nights.
    #[default]
    Rolling,
    /// The pinned night and those before it.
    Pinned,
}

/// What is known of a lane from before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Trials of this very case.
    Same,
    /// Nothing: no accepted night has it, or none gave a valid trial.
    New,
    /// Only trials of another case under its name.
    Changed(Changed),
}

/// What changed about a case, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// What is asked, as whom, through which client, or its limits.
    Question,
    /// The model or its parameters.
    Model,
    /// What is expected, the rubric or the judge.
    Score,
}

impl Changed {
    /// The words used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "its prompts, setup, persona, client profile or limits",
            Self::Model => "the model or its parameters",
            Self::Score => "its expectations, rubric or judge",
        }
    }

    /// What differs between two prints; `None` when they are one.
    pub fn between(before: &LanePrint, now: &LanePrint) -> Option<Self> {
        if before.question != now.question {
            Some(Self::Question)
        } else if before.model != now.model {
            Some(Self::Model)
        } else {
            (before.score != now.score).then_some(Self::Score)
        }
    }
}

/// The pooled history of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooled {
    /// What its trials gave; empty unless the status is [`Status::Same`].
    pub tally: Tally,
    /// Nights pooled.
    pub nights: u32,
    /// What is known.
    pub status: Status,
    /// Nights that are left out because the case, the server's surface or the harness was another one.
    pub left_out: u32,
}

impl Pooled {
    /// Whether there is a history with too few trials to see a single broken case.
    pub fn is_thin(&self) -> bool {
        self.status == Status::Same && self.tally.trials < THIN
    }
}

impl Baseline {
    /// The rolling history of a lane whose trials are `now`; see [`Baseline::pool_against`].
    pub fn pool(&self, lane: &LaneKey, now: &LanePrint) -> Pooled {
        self.pool_against(lane, now, Against::Rolling)
    }

    /// The history of a lane whose trials are `now`: its nights newest first, of the same case, with the same surface and
    /// harness as the newest of these, as many as give [`POOLED_TRIALS`] at most, and one at least. The judge need not be
    /// compared: it is part of the print where it is asked. Against the pinned night, later nights count as not there;
    /// without one nothing does.
    pub fn pool_against(&self, lane: &LaneKey, now: &LanePrint, against: Against) -> Pooled {
        let nothing = Pooled { tally: Tally::default(), nights: 0, status: Status::New, left_out: 0 };
        let Some(lane) = self.lane(lane) else { return nothing };
        let Some(from) = self.start(against) else { return nothing };
        let seen: Vec<(&LaneNight, &Night)> = lane
            .seen
            .iter()
            .filter(|seen| seen.trials > 0)
            .filter_map(|seen| {
                let at = self.nights.iter().position(|night| night.run == seen.run)?;
                (at >= from).then(|| (seen, &self.nights[at]))
            })
            .collect();
        let Some((newest, _)) = seen.first() else { return nothing };
        let print = |night: &LaneNight| night.was.unwrap_or(lane.print);
        let same: Vec<&(&LaneNight, &Night)> =
            seen.iter().filter(|(night, _)| print(night) == *now).collect();
        let Some((_, first)) = same.first() else {
            let what = Changed::between(&print(newest), now).unwrap_or(Changed::Question);
            let left_out = seen.len() as u32;
            return Pooled { status: Status::Changed(what), left_out, ..nothing };
        };
        let like = |night: &Night| {
            let surface = |night: &Night| night.prints.surfaces.get(&lane.key.persona).copied();
            surface(night) == surface(first) && night.prints.version == first.prints.version
        };
        let mut pooled = Pooled { status: Status::Same, ..nothing };
        let mut left_out = seen.len() - same.len();
        for (seen, night) in same {
            if !like(night) {
                left_out += 1;
                continue;
            }
            if pooled.nights > 0 && pooled.tally.trials + seen.trials > POOLED_TRIALS {
                break;
            }
            pooled.tally = pooled.tally.plus(seen.tally());
            pooled.nights += 1;
        }
        Pooled { left_out: left_out as u32, ..pooled }
    }

    /// The place of the newest night that counts.
    fn start(&self, against: Against) -> Option<usize> {
        match against {
            Against::Rolling => Some(0),
            Against::Pinned => {
                let pinned = self.pinned.as_ref()?;
                self.nights.iter().position(|night| night.run == *pinned)
            }
        }
    }
}
