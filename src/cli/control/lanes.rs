//! The cases that a side-by-side run is about, and what is known of each from before.

use std::path::Path;

use crate::cli::failure::{Failure, Outcome};
use crate::gate::Compared;
use crate::gate::cells::{self, State};
use crate::gate::control;
use crate::ids::ModelName;
use crate::plan::{Case, Plan};
use crate::stats::Tally;
use crate::store::baseline::{self, Baseline, LaneKey, LanePrint, POOLED_TRIALS, Status};
use crate::store::history;
use crate::store::read::Reader;
use crate::store::record::RunRecord;
use crate::transcript::CaseKind;

/// A case to be run on both servers.
pub(super) struct Lane {
    /// What its gate calls it.
    pub(super) id: String,
    /// The model.
    pub(super) model: ModelName,
    /// A trial of it, as the suite has it now.
    pub(super) case: Case,
    /// What it gave before the run.
    pub(super) history: Tally,
    /// The number of the first fresh trial.
    pub(super) fresh: u32,
}

/// What the alarms of a run's gates are about; without a gate, the use cases that failed. Empty when nothing failed.
///
/// # Errors
/// The suite asks a case differently now, or nothing is known of any case from before.
pub(super) fn lanes(record: &RunRecord, plan: &Plan, (file, out): (&Path, &Path)) -> Outcome<Vec<Lane>> {
    let compared =
        Compared::of(record).map_err(|error| Failure::usage("store.unreadable", error.to_string()))?;
    let wanted: Vec<(String, LaneKey, Option<Tally>)> = match &compared {
        Some(compared) => alarmed(compared),
        None => failed(record),
    };
    let mut before = None;
    let mut lanes = vec![];
    for (id, key, history) in wanted {
        let Some(model) = key.model.clone() else { continue };
        let Some(case) = plan.cases.iter().find(|case| LaneKey::of(&case.header) == key) else {
            let message = format!("the suite has no case `{}` any more", key.case);
            return Err(Failure::usage("run.changed", message)
                .hint("run the suite again, and look into the alarm of that run"));
        };
        let print = print(case);
        let history = match history {
            Some(history) => history,
            None => before.get_or_insert_with(|| Before::read(record, file, out)).of(&key, &print),
        };
        let fresh = record.results.iter().map(|result| &result.header).chain(&record.missing);
        let fresh = fresh.filter(|header| LaneKey::of(header) == key).map(|header| header.trial).max();
        let fresh = fresh.unwrap_or(0).saturating_add(1);
        lanes.push(Lane { id, model, case: case.clone(), history, fresh });
    }
    if !lanes.is_empty() && lanes.iter().all(|lane| lane.history.trials == 0) {
        let message = "nothing is known of the failed cases from before, so nobody can say whether the old server is as it was";
        return Err(Failure::usage("gate.no-history", message)
            .hint("accept a run as baseline: `rehearsal baseline accept RUN`; earlier runs of the same cases do as well"));
    }
    Ok(lanes)
}

fn print(case: &Case) -> LanePrint {
    let key = case.header.key;
    LanePrint { question: key.question, model: key.model, score: case.score_key.0 }
}

fn alarmed(compared: &Compared) -> Vec<(String, LaneKey, Option<Tally>)> {
    let mut found = vec![];
    for (model, record) in &compared.gates {
        for id in control::implicated(record) {
            let history = record.cases.iter().find(|case| case.id == id).map(|case| case.baseline);
            if let Some(lane) = compared.lane(model, id) {
                found.push((id.to_owned(), lane.key.clone(), history));
            }
        }
    }
    found
}

fn failed(record: &RunRecord) -> Vec<(String, LaneKey, Option<Tally>)> {
    let policy = &record.manifest.gate;
    let cells = cells::cells(record);
    let failed = cells.iter().filter(|cell| {
        cell.name.kind == CaseKind::Use && matches!(cell.state(policy), State::Fail | State::Security)
    });
    let keys: Vec<LaneKey> =
        failed.filter_map(|cell| Some(LaneKey::of(&cell.results.first()?.header))).collect();
    let names = baseline::names(&keys);
    keys.into_iter().map(|key| (names.get(&key).cloned().unwrap_or_default(), key, None)).collect()
}

/// What earlier runs of the suite gave: the baseline, else the runs before this one.
struct Before {
    baseline: Option<Baseline>,
    runs: Vec<(LaneKey, LanePrint, Tally)>,
}

impl Before {
    fn read(record: &RunRecord, file: &Path, out: &Path) -> Self {
        let suite = &record.manifest.suite;
        // A baseline that cannot be read is no history; commands about baselines say what is wrong with it.
        let baseline = baseline::read(&baseline::path(out, suite)).ok().flatten();
        let this = (&record.manifest.started, &record.manifest.run);
        let reports = file.ancestors().nth(3).unwrap_or(out);
        let earlier = history::list(reports, Some(suite)).0;
        let earlier = earlier.into_iter().filter(|run| (&run.manifest.started, &run.manifest.run) < this);
        let outcomes =
            earlier.take(NIGHTS).filter_map(|run| Reader::open(&run.path).and_then(|r| r.outcomes()).ok());
        let runs =
            outcomes.flat_map(|run| run.lanes).map(|lane| (lane.key, lane.print, lane.tally)).collect();
        Self { baseline, runs }
    }

    fn of(&self, key: &LaneKey, print: &LanePrint) -> Tally {
        let pooled = self.baseline.as_ref().map(|baseline| baseline.pool(key, print));
        if let Some(pooled) = pooled.filter(|pooled| pooled.status == Status::Same) {
            return pooled.tally;
        }
        let mut sum = Tally::default();
        for (other, also, tally) in &self.runs {
            if other == key && also == print && sum.trials < POOLED_TRIALS {
                sum = sum.plus(*tally);
            }
        }
        sum
    }
}

/// Most earlier runs that are looked at where no baseline is.
const NIGHTS: usize = 30;
