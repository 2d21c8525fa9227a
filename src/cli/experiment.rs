//! Trials about a stored run, in a run file of their own among its reports: kept like any others, and in no list of runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::failure::{Failure, Outcome};
use super::progress::Progress;
use super::signal::Signals;
use crate::drive::stage::Stage;
use crate::gate::Exit;
use crate::plan::{Case, Planned};
use crate::run::{self, Free, Job};
use crate::store::Store;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, Ending, Manifest, RunRecord};

/// What is driven.
pub(super) struct Experiment<'a> {
    /// The outside, up and answering.
    pub(super) stage: Stage,
    /// The trials, in order.
    pub(super) cases: Vec<Case>,
    /// The run file of the trials.
    pub(super) file: PathBuf,
    /// What the trials are about.
    pub(super) manifest: &'a Manifest,
    /// The run that they are about: its judge's verdicts are reused.
    pub(super) about: &'a Path,
    /// Trials at once.
    pub(super) width: usize,
    /// Most US dollars, and what is spent of them already.
    pub(super) purse: (Option<f64>, f64),
}

impl Experiment<'_> {
    /// Drives and scores the trials, strikes the stage, and returns what came of them.
    ///
    /// # Errors
    /// The trials cannot be kept. A budget that is spent is none: the record says that it stopped.
    pub(super) async fn run(
        self,
        progress: &Progress,
        (signals, context): (&Signals, &Context),
    ) -> Outcome<RunRecord> {
        let Self { stage, cases, file, manifest, about, width, purse: (max_cost, spent) } = self;
        let rows: Vec<Planned> = cases.iter().map(Planned::from).collect();
        let store = match Store::create(&file, manifest, &rows) {
            Ok(store) => store,
            Err(error) => {
                stage.strike().await;
                return Err(error.into());
            }
        };
        let (world, judge, set) = stage.into_world(Arc::new(store.clone()), signals.stopping(), width);
        let world = Arc::new(world);
        progress.watches(&world);
        let remembering =
            |judge| Arc::new(super::judge::remembering(judge, about, manifest.judging.as_ref()));
        let job = Job {
            cases: cases.into_iter().map(Arc::new).collect(),
            unscored: vec![],
            world: Arc::clone(&world),
            judge: judge.map(remembering),
            store: store.clone(),
            max_cost,
            spent,
            rounds: None,
            free: Free::default(),
        };
        let stops = run::run(job, |step| progress.step(&step)).await;
        set.strike().await;
        if let Some(stop) = signals.reason() {
            let _ = store.stopped(&stop).await;
        }
        let exit = signals.exit().unwrap_or(Exit::Pass).code();
        let _ = store.ended(&Ending { at: context.clock.stamp(), exit }).await;
        store.close().await?;
        if let Some(stop) = stops.iter().find(|stop| stop.code.starts_with("store.")) {
            let failure = Failure::new(Exit::LocalIo, stop.code.clone(), stop.message.clone());
            return Err(failure.hint("nothing more was spent; free some space, then run the command again"));
        }
        Ok(Reader::open(&file)?.record()?)
    }
}

/// US dollars of a trial, the judge's and a played user's included; `None` when something of it has no price.
pub(super) fn cost(result: &CaseResult) -> Option<f64> {
    // Where no judge was asked there is no price either.
    let judge = if result.judge_calls > 0 { result.judge_cost? } else { 0.0 };
    Some(result.cost? + judge + result.user.cost?)
}

/// US dollars of a run, attempts that were replaced included.
pub(super) fn cost_of(ran: &RunRecord) -> Option<f64> {
    let results: Option<f64> = ran.results.iter().map(cost).sum();
    results.filter(|_| ran.wasted.unpriced.is_empty()).map(|sum| sum + ran.wasted.cost())
}

/// Larger findings are not ours.
const LARGEST: u64 = 64 << 20;

/// Keeps what was found about a run, beside itself first, so that no reader ever sees half of it.
#[expect(clippy::disallowed_methods, reason = "findings about runs are written here")]
pub(super) fn keep<T: Serialize>(path: &Path, found: &T) -> Outcome<()> {
    let failed = |error: std::io::Error| {
        let message = format!("`{}` cannot be written: {error}", path.display());
        Failure::new(Exit::LocalIo, "store.write", message)
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".part");
    let text = serde_json::to_string_pretty(found).map_err(|error| failed(error.into()))?;
    std::fs::write(&new, text + "\n").and_then(|()| std::fs::rename(&new, path)).map_err(failed)
}

/// What was kept about a run; `None` when there is nothing, or nothing that can be read: a report does without.
#[expect(clippy::disallowed_methods, reason = "findings about runs are read here")]
pub(super) fn kept<T: DeserializeOwned>(path: &Path) -> Option<T> {
    std::fs::metadata(path).ok().filter(|data| data.is_file() && data.len() <= LARGEST)?;
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}
