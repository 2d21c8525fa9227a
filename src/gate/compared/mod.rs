//! What the comparison of a run with its baseline rests on: everything needed to find its verdict again from the run
//! file alone, when the suite and the baseline are long gone.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::GateVerdict;
use super::cells::Measured;
use super::control::{Control, attribute};
use super::rounds::{GateError, Record, Why};
use crate::ids::{Digest, ModelName, RunId};
use crate::store::baseline::{Against, Changed, Drift, LaneKey, THIN};
use crate::store::record::RunRecord;

mod standings;
mod work;

pub use standings::Standings;
pub use work::{Gates, Known, Phase, Wanted, settings};

/// The number of the form. Readers accept every number up to this one.
const VERSION: u32 = 1;

/// How the trials of a comparison came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// In rounds: each was run because the gate asked for it.
    Rounds,
    /// Planned beforehand: the first trials of each case stand for rounds, and nobody gets fresh trials.
    Fixed,
}

/// The comparison of a run with a baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The version of this form.
    pub version: u32,
    /// How the trials came about.
    pub course: Course,
    /// Against what.
    pub baseline: Base,
    /// What is not as it was in the newest night of the baseline, the cases apart.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// What each model's gate rests on.
    pub gates: BTreeMap<ModelName, Record>,
    /// The lanes compared, with the names that the gates call them.
    pub lanes: Vec<LaneSeen>,
    /// Lanes that are not compared.
    #[serde(default)]
    pub excluded: Vec<Excluded>,
    /// By model: suspects that got no fresh trials, because the plan was fixed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unconfirmed: BTreeMap<ModelName, Vec<String>>,
    /// By model: the old server beside the new one after an alarm, where that was run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub control: BTreeMap<ModelName, Control>,
}

/// The baseline of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Its file, as the user would type it.
    pub file: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Which of its nights counted.
    pub against: Against,
    /// These nights, newest first: run and start.
    pub nights: Vec<(RunId, String)>,
}

/// A lane in a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneSeen {
    /// What its gate calls it.
    pub id: String,
    /// Its name.
    pub key: LaneKey,
    /// The question of its trials.
    pub question: Digest,
    /// The model of its trials.
    pub asked: Digest,
    /// Nights of its baseline.
    pub nights: u32,
    /// Nights left out of it, because case, surface or harness was another one.
    pub left_out: u32,
}

/// A lane that is not compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// What a gate would call it.
    pub id: String,
    /// Its name.
    pub key: LaneKey,
    /// Why not.
    pub why: Exclusion,
}

/// Why a lane is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    /// No accepted night has it.
    New,
    /// Accepted nights have another case under its name.
    Changed(Changed),
    /// It is known to fail.
    KnownToFail,
    /// The newest accepted night has it, and the run does not.
    Removed,
}

impl Exclusion {
    /// Why, as the end of a sentence about the lane.
    pub fn as_words(self) -> String {
        match self {
            Self::New => "new: no accepted night has it".to_owned(),
            Self::Changed(what) => format!("another case now: {} changed", what.as_str()),
            Self::KnownToFail => "known to fail".to_owned(),
            Self::Removed => "not run any more".to_owned(),
        }
    }
}

/// Why the stored comparison of a run cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no comparison, or one of a newer version.
    #[error("what the comparison with the baseline rests on cannot be read: {0}")]
    Unreadable(String),
    /// Its gate does not work.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Computed again it is another one.
    #[error("computed again from its own trials, the gate of model `{0}` is not what the file says")]
    Differs(ModelName),
}

impl Compared {
    /// The comparison that a run's file holds, if any.
    ///
    /// # Errors
    /// What the file holds is no comparison that this version knows.
    pub fn of(run: &RunRecord) -> Result<Option<Self>, Unusable> {
        let Some(value) = &run.gate else { return Ok(None) };
        let compared = Self::deserialize(value).map_err(|error| Unusable::Unreadable(error.to_string()))?;
        match compared.version {
            1..=VERSION => Ok(Some(compared)),
            other => {
                let why = format!("it has version {other}, and {VERSION} is the newest that is known");
                Err(Unusable::Unreadable(why))
            }
        }
    }

    /// The comparison as the run file keeps it.
    pub fn to_value(&self) -> Value {
        // Plain data: there is nothing in it that JSON cannot hold.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Computes every gate again from its trials alone.
    ///
    /// # Errors
    /// A gate does not work, or comes out as something else than it says.
    pub fn verify(&self) -> Result<(), Unusable> {
        for (model, record) in &self.gates {
            if record.recompute()? != *record {
                return Err(Unusable::Differs(model.clone()));
            }
        }
        for (model, control) in self.control.iter().filter(|(_, control)| !control.cases.is_empty()) {
            if attribute(&control.cases, control.level).as_ref() != Some(control) {
                return Err(Unusable::Differs(model.clone()));
            }
        }
        Ok(())
    }

    /// What it says of each lane, by model, case, persona and client profile.
    pub fn measured(&self) -> HashMap<[&str; 4], Measured> {
        let lanes = self.lanes.iter().filter_map(|lane| {
            let LaneKey { case, model, persona, client } = &lane.key;
            let model = model.as_ref()?;
            let record = self.gates.get(model)?;
            let is_worse = match record.ruling.as_ref().map(|ruling| &ruling.why) {
                Some(Why::Cases(cases)) => cases.contains(&lane.id),
                Some(Why::Groups(groups)) => {
                    let case = record.cases.iter().find(|case| case.id == lane.id);
                    case.and_then(|case| case.group.as_ref()).is_some_and(|group| groups.contains(group))
                }
                _ => false,
            };
            let measured = if is_worse { Measured::Worse } else { Measured::NotShown };
            Some(([model.as_str(), case.as_str(), persona.as_str(), client.as_str()], measured))
        });
        lanes.collect()
    }

    /// The verdict of one model's gate, with what a control run and missing fresh trials take away from it. `None`: no
    /// such gate.
    pub fn verdict(&self, model: &ModelName) -> Option<GateVerdict> {
        let Some(ruling) = &self.gates.get(model)?.ruling else { return Some(GateVerdict::Inconclusive) };
        let cleared = self.control.get(model).is_some_and(|control| !control.cause.blames_server());
        let unsure = self.unconfirmed.get(model).is_some_and(|suspects| !suspects.is_empty());
        Some(match ruling.why.verdict() {
            GateVerdict::Fail if cleared => GateVerdict::Inconclusive,
            GateVerdict::Pass if unsure => GateVerdict::Inconclusive,
            verdict => verdict,
        })
    }

    /// The lane that a model's gate calls so.
    pub fn lane(&self, model: &ModelName, id: &str) -> Option<&LaneSeen> {
        self.lanes.iter().find(|lane| lane.key.model.as_ref() == Some(model) && lane.id == id)
    }

    /// Cases of a model's gate with too few accepted trials to see one of them break.
    pub fn thin(&self, model: &ModelName) -> Vec<&str> {
        let cases = self.gates.get(model).into_iter().flat_map(|record| &record.cases);
        cases.filter(|case| case.baseline.trials < THIN).map(|case| case.id.as_str()).collect()
    }
}
