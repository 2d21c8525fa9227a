//! What accepted runs gave, lane by lane: the file that says how a suite is when it is well.
//!
//! A *lane* is one case for one model, persona and client profile; a *night* is one accepted run. Only use cases enter:
//! access and auth are exact and need no history, and trials that only confirm a suspect are never part of a rate. The
//! file is small, sorted and one lane a line, so that a review of it is a review of what changed. The same runs accepted
//! in any order give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{CaseName, ClientName, Digest, ModelName, PersonaName, RunId, SuiteName};
use crate::score::judge::Fingerprint;
use crate::stats::Tally;
use crate::transcript::CaseHeader;

mod accept;
mod drift;
mod file;
mod pool;
mod prints;

pub use accept::Accepted;
pub use drift::{Drift, Part, between};
pub use file::{BaselineError, path, read, written};
pub use pool::{Against, Changed, Pooled, Status, THIN};

/// The number of the format. Readers accept every number up to this one.
pub const SCHEMA: u32 = 1;

/// Trials of one lane that are pooled at most; at least one whole night is.
pub const POOLED_TRIALS: u64 = 30;

/// Nights that a file keeps, newest first; beside them as many from the pinned one downwards.
pub const NIGHTS_KEPT: usize = 30;

/// The accepted runs of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// The suite.
    pub suite: SuiteName,
    /// The night that a release is measured against. It never ages out.
    pub pinned: Option<RunId>,
    /// Accepted runs, newest first.
    pub nights: Vec<Night>,
    /// What they gave, in the order of the keys.
    pub lanes: Vec<Lane>,
}

/// One accepted run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Night {
    /// The run.
    pub run: RunId,
    /// Its start, RFC 3339 in UTC.
    pub started: String,
    /// Why it was accepted although it did not pass, as a person wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
    /// What it was measured with.
    pub prints: Prints,
}

/// What a run was measured with, each part apart, so that a change of one can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prints {
    /// The version of rehearsal.
    pub version: String,
    /// The texts of the suite, without its instruments.
    pub suite: Option<Digest>,
    /// Who judges, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Fingerprint>,
    /// What each persona saw of the server; `None`: it was refused.
    pub surfaces: BTreeMap<PersonaName, Option<Digest>>,
    /// Each model with its parameters.
    pub models: BTreeMap<ModelName, Digest>,
    /// Each client profile.
    pub clients: BTreeMap<ClientName, Digest>,
}

/// What names a lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LaneKey {
    /// The case.
    pub case: CaseName,
    /// The model; `None` for access and auth cases, which have no lane in a baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelName>,
    /// The persona.
    pub persona: PersonaName,
    /// The client profile.
    pub client: ClientName,
}

/// What makes the trials of a lane comparable: unlike prints are unlike cases under one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LanePrint {
    /// What is asked, as whom, through which client, within which limits.
    pub question: Digest,
    /// The model with its parameters.
    pub model: Digest,
    /// Checks, criteria, rubric and judge.
    pub score: Digest,
}

/// A lane with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub key: LaneKey,
    /// What the newest night measured.
    pub print: LanePrint,
    /// What each night gave, newest first.
    pub seen: Vec<LaneNight>,
}

/// What one night gave in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneNight {
    /// The night.
    pub run: RunId,
    /// Valid trials.
    pub trials: u64,
    /// Those that passed.
    pub passed: u64,
    /// Trials that gave nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub invalid: u64,
    /// What was measured, where it was another case under the same name: its trials are set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<LanePrint>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl LaneNight {
    /// What its valid trials gave.
    pub fn tally(&self) -> Tally {
        Tally { trials: self.trials, passed: self.passed }
    }
}

impl LaneKey {
    /// The lane of a trial.
    pub fn of(header: &CaseHeader) -> Self {
        Self {
            case: header.case.clone(),
            model: header.model.clone(),
            persona: header.persona.clone(),
            client: header.client.clone(),
        }
    }
}

impl Baseline {
    /// A baseline without nights.
    pub fn new(suite: SuiteName) -> Self {
        Self { schema: SCHEMA, suite, pinned: None, nights: vec![], lanes: vec![] }
    }

    /// The lane of this name.
    pub fn lane(&self, key: &LaneKey) -> Option<&Lane> {
        self.lanes.binary_search_by(|lane| lane.key.cmp(key)).ok().map(|at| &self.lanes[at])
    }

    /// The night of a run.
    pub fn night(&self, run: &RunId) -> Option<&Night> {
        self.nights.iter().find(|night| night.run == *run)
    }

    /// Pins the night of an accepted run; `false` when no accepted run has this id.
    pub fn pin(&mut self, run: &RunId) -> bool {
        let known = self.night(run).is_some();
        if known {
            self.pinned = Some(run.clone());
        }
        known
    }
}

/// The names of lanes of one model in a gate or a comparison: the case, with persona and client profile where the case
/// is run for several.
pub fn names<'k>(keys: impl IntoIterator<Item = &'k LaneKey>) -> BTreeMap<LaneKey, String> {
    let keys: Vec<&LaneKey> = keys.into_iter().collect();
    let mut personas: BTreeMap<&CaseName, Vec<&PersonaName>> = BTreeMap::new();
    let mut clients: BTreeMap<&CaseName, Vec<&ClientName>> = BTreeMap::new();
    for key in &keys {
        let (personas, clients) =
            (personas.entry(&key.case).or_default(), clients.entry(&key.case).or_default());
        if !personas.contains(&&key.persona) {
            personas.push(&key.persona);
        }
        if !clients.contains(&&key.client) {
            clients.push(&key.client);
        }
    }
    let several = |count: Option<usize>| count.is_some_and(|count| count > 1);
    keys.into_iter()
        .map(|key| {
            let mut name = key.case.to_string();
            if several(personas.get(&key.case).map(Vec::len)) {
                name.push_str(&format!(" as {}", key.persona));
            }
            if several(clients.get(&key.case).map(Vec::len)) {
                name.push_str(&format!(" in {}", key.client));
            }
            (key.clone(), name)
        })
        .collect()
}

#[cfg(test)]
mod tests;
