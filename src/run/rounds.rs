//! A run that a gate asks for more: trials in rounds, and fresh ones for suspects.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::gate::compared::{Gates, Phase, Standings, Wanted};
use crate::gate::rounds::GateError;
use crate::ids::{CaseKey, Digest};
use crate::plan::{Case, Planned};
use crate::score::Outcome;
use crate::store::record::Stop;
use crate::store::{Store, StoreError};
use crate::transcript::Fault;

/// A comparison with a baseline, and what it takes to run more trials for it.
#[derive(Debug)]
pub struct Rounds {
    gates: Gates,
    /// A trial of each compared lane, in the order of execution; all others of a lane are copies with their own number.
    lanes: Vec<Arc<Case>>,
    /// The plan so far.
    planned: Vec<Planned>,
}

/// What the gates ask for.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) wanted: Vec<Wanted>,
    pub(super) phases: Vec<Phase>,
}

impl Rounds {
    /// The comparison; `lanes` are first trials in the order of execution, `planned` is the whole plan so far.
    pub fn new(gates: Gates, lanes: Vec<Arc<Case>>, planned: Vec<Planned>) -> Self {
        Self { gates, lanes, planned }
    }

    /// How the compared lanes stand before anything is run.
    pub fn standings(&self) -> Standings {
        self.gates.standings()
    }

    /// Takes note of what trials gave, keeps it, and says what is needed next, if anything is.
    pub(super) async fn note(
        &mut self,
        ended: &mut HashMap<CaseKey, Outcome>,
        store: &Store,
    ) -> Result<Option<Next>, Stop> {
        for (key, outcome) in ended.drain() {
            self.gates.observe(&key, outcome).map_err(|error| broken(&error))?;
        }
        let compared = self.gates.compared().map_err(|error| broken(&error))?;
        store.gate(&compared.to_value()).await.map_err(unkept)?;
        let (wanted, phases) = self.gates.wants();
        Ok((!wanted.is_empty()).then_some(Next { wanted, phases }))
    }

    /// Adds trials to the plan and returns them in the order of execution.
    pub(super) async fn plan(&mut self, wanted: &[Wanted], store: &Store) -> Result<Vec<Arc<Case>>, Stop> {
        let mut by_lane: HashMap<(Digest, Digest), Vec<&Wanted>> = HashMap::new();
        for one in wanted {
            by_lane.entry((one.key.question, one.key.model)).or_default().push(one);
        }
        let known: HashSet<CaseKey> = self.planned.iter().map(|row| row.header.key).collect();
        let mut cases: Vec<Arc<Case>> = vec![];
        for lane in &self.lanes {
            let key = lane.header.key;
            for Wanted { key, confirms } in by_lane.remove(&(key.question, key.model)).into_iter().flatten() {
                let case = lane.at_trial(key.trial);
                if !known.contains(key) {
                    self.planned.push(Planned { confirms: *confirms, ..Planned::from(&case) });
                }
                cases.push(Arc::new(case));
            }
        }
        // All first trials before any second one, as in every plan.
        cases.sort_by_key(|case| case.header.trial);
        store.replan(&self.planned).await.map_err(unkept)?;
        Ok(cases)
    }
}

fn broken(error: &GateError) -> Stop {
    Stop { code: "bug.gate".to_owned(), message: format!("the gate cannot go on: {error}") }
}

fn unkept(error: StoreError) -> Stop {
    let fault = Fault::from(error);
    Stop { code: fault.code, message: fault.message }
}
