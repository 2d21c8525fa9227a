//! Sides of a comparison as people name them: a run, a baseline, or one model, persona or client profile of these.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{ClientName, ModelName, PersonaName};
use crate::stats::Tally;
use crate::store::baseline::{Against, Baseline, LaneKey, LanePrint, Prints, Status};
use crate::store::outcomes::{LaneOutcome, Outcomes};
use crate::transcript::CaseKind;

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Its name, as it was given.
    pub name: String,
    /// What was measured with.
    pub prints: Prints,
    /// Its lanes.
    pub lanes: Vec<SideLane>,
    /// The part that is compared.
    pub pick: Pick,
}

/// Which lanes of a side are compared; `None`: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// Those of this model.
    pub model: Option<ModelName>,
    /// Those as this persona.
    pub persona: Option<PersonaName>,
    /// Those through this client profile.
    pub client: Option<ClientName>,
}

/// A lane of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideLane {
    /// Use, access or auth.
    pub kind: CaseKind,
    /// The lane.
    pub key: LaneKey,
    /// What was measured.
    pub print: LanePrint,
    /// The tags of the case; empty for a baseline.
    pub tags: Vec<String>,
    /// Its valid trials.
    pub tally: Tally,
    /// Trials that gave nothing.
    pub invalid: u64,
}

impl Side {
    /// A run.
    pub fn of_run(name: String, outcomes: Outcomes) -> Self {
        let lane = |lane: LaneOutcome| SideLane {
            kind: lane.kind,
            key: lane.key,
            print: lane.print,
            tags: lane.tags,
            tally: lane.tally,
            invalid: lane.invalid,
        };
        let lanes = outcomes.lanes.into_iter().map(lane).collect();
        Self { name, prints: outcomes.prints, lanes, pick: Pick::default() }
    }

    /// The pooled history of a baseline: of the cases that `other` has where it has them, else of the newest ones.
    pub fn of_baseline(name: String, baseline: &Baseline, against: Against, other: Option<&Self>) -> Self {
        let known: BTreeMap<&LaneKey, LanePrint> =
            other.iter().flat_map(|side| &side.lanes).map(|lane| (&lane.key, lane.print)).collect();
        let lanes = baseline.lanes.iter().map(|lane| {
            let wanted = known.get(&lane.key).copied().unwrap_or(lane.print);
            let found = baseline.pool_against(&lane.key, &wanted, against);
            let (print, pooled) = match found.status {
                Status::Same => (wanted, found),
                _ => (lane.print, baseline.pool_against(&lane.key, &lane.print, against)),
            };
            SideLane {
                kind: CaseKind::Use,
                key: lane.key.clone(),
                print,
                tags: vec![],
                tally: pooled.tally,
                invalid: 0,
            }
        });
        let night = match against {
            Against::Rolling => baseline.nights.first(),
            Against::Pinned => baseline.pinned.as_ref().and_then(|run| baseline.night(run)),
        };
        let prints = night.map(|night| night.prints.clone()).unwrap_or_default();
        Self { name, prints, lanes: lanes.collect(), pick: Pick::default() }
    }

    /// The models of its lanes, in order.
    pub fn models(&self) -> BTreeSet<ModelName> {
        self.picked().filter_map(|lane| lane.key.model.clone()).collect()
    }

    /// The lanes that are compared.
    pub(super) fn picked(&self) -> impl Iterator<Item = &SideLane> {
        self.lanes.iter().filter(|lane| {
            let Pick { model, persona, client } = &self.pick;
            // Access and auth cases have no model, and every model meets them.
            model.as_ref().is_none_or(|name| lane.key.model.as_ref().is_none_or(|own| own == name))
                && persona.as_ref().is_none_or(|name| lane.key.persona == *name)
                && client.as_ref().is_none_or(|name| lane.key.client == *name)
        })
    }
}
