//! A run that is compared with a baseline: what is read before anything is spent, the trials it begins with, and how it
//! goes on after a stop.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Context;
use super::args::EvalArgs;
use super::failure::Outcome;
use super::gate::unusable;
use crate::gate::cells;
use crate::gate::compared::{Compared, Course, Gates, Known, Phase};
use crate::ids::{CaseKey, Digest, SuiteName};
use crate::plan::{Case, Plan, Planned};
use crate::report::figures::count;
use crate::run::Rounds;
use crate::stats::Tally;
use crate::store::baseline::{self, Baseline};
use crate::store::layout;
use crate::store::record::{Manifest, RunRecord};
use crate::transcript::CaseKind;

/// A baseline that was read.
pub(super) struct Base {
    baseline: Baseline,
    file: String,
    digest: Digest,
}

impl Base {
    /// Reads a baseline; `shown` is what its file is called in reports. `None`: there is no such file.
    pub(super) fn read(path: &Path, shown: &Path) -> Outcome<Option<Self>> {
        let baseline = baseline::read(path)?;
        Ok(baseline.map(|baseline| {
            let digest = Digest::of(baseline::written(&baseline).as_bytes());
            Self { baseline, file: shown.display().to_string(), digest }
        }))
    }

    /// The baseline as gates take it.
    pub(super) fn known(&self) -> Known<'_> {
        Known { baseline: &self.baseline, file: self.file.clone(), digest: self.digest }
    }
}

/// Where the baseline of a suite lies, and what that is called in reports.
pub(super) fn places(out: &Path, suite: &SuiteName, context: &Context) -> (PathBuf, PathBuf) {
    (layout::baseline_file(&context.root.join(out), suite), layout::baseline_file(out, suite))
}

/// The baseline that a run is compared with. None for a shard, which is compared when all are merged.
pub(super) fn baseline(suite: &SuiteName, args: &EvalArgs, context: &Context) -> Outcome<Option<Base>> {
    if args.past.no_baseline || args.select.shard.is_some() {
        return Ok(None);
    }
    let (path, shown) = places(&args.options.out, suite, context);
    Base::read(&path, &shown)
}

/// A comparison that is about to begin.
pub(super) struct Begun {
    /// For the run.
    pub(super) rounds: Rounds,
    /// What is said about it before the first trial.
    pub(super) talk: Vec<String>,
}

/// Begins the comparison. In rounds, the plan keeps the first trial alone of every compared lane. `None`: no model works
/// in this plan.
pub(super) fn begin(
    base: &Base,
    manifest: &Manifest,
    plan: &mut Plan,
    trials: Option<u32>,
) -> Outcome<Option<Begun>> {
    if !plan.cases.iter().any(|case| case.header.kind == CaseKind::Use) {
        return Ok(None);
    }
    let course = if trials.is_some() { Course::Fixed } else { Course::Rounds };
    let rows: Vec<Planned> = plan.cases.iter().map(Planned::from).collect();
    let mut gates = Gates::begin(&base.known(), manifest, &rows, course).map_err(|error| unusable(&error))?;
    if course == Course::Rounds {
        plan.cases.retain(|case| case.header.trial == 1 || !gates.compares(&case.header.key));
    }
    let talk = talk(base, manifest, &mut gates);
    let lanes = firsts(&gates, &plan.cases);
    let planned = plan.cases.iter().map(Planned::from).collect();
    Ok(Some(Begun { rounds: Rounds::new(gates, lanes, planned), talk }))
}

/// The first trials of the compared lanes.
fn firsts(gates: &Gates, cases: &[Case]) -> Vec<Arc<Case>> {
    let first = |case: &&Case| case.header.trial == 1 && gates.compares(&case.header.key);
    cases.iter().filter(first).map(|case| Arc::new(case.clone())).collect()
}

fn talk(base: &Base, manifest: &Manifest, gates: &mut Gates) -> Vec<String> {
    let file = crate::display::safe_line(&base.file);
    if gates.is_empty() {
        return vec![format!("no case has a history in {file} that fits; the bar of the suite decides")];
    }
    let nights = count(base.baseline.nights.len() as u64, "accepted run");
    let (_, phases) = gates.wants();
    let mut talk: Vec<String> = phases
        .iter()
        .map(|phase| format!("{} against {nights} in {file}", phase_words(phase, phases.len() > 1)))
        .collect();
    if talk.is_empty() {
        talk.push(format!("compared with {nights} in {file} as a fixed plan"));
    }
    talk.extend(uncertain(gates, manifest));
    talk
}

/// Said before anything is spent, when the wanted margin is likely out of reach.
fn uncertain(gates: &Gates, manifest: &Manifest) -> Vec<String> {
    let margin = manifest.gate.margin.0;
    let models = gates.baselines();
    let unsure = models.iter().filter_map(|(model, cases, settings)| {
        let cases: &Vec<Tally> = cases;
        let reach = crate::gate::rounds::certifiable_margin(cases, settings, manifest.seed)?;
        (reach > margin + 1e-9).then(|| {
            format!(
                "model {model}: an unchanged suite of {} is likely to end inconclusive; {:.1} points could be shown, {:.1} are wanted (`rehearsal plan` says what helps)",
                count(cases.len() as u64, "case"),
                reach * 100.0,
                margin * 100.0
            )
        })
    });
    unsure.collect()
}

/// What a gate does next, in words.
pub(super) fn phase_words(phase: &Phase, several: bool) -> String {
    let (model, words) = match phase {
        Phase::Round { model, round, of, cases } => {
            let cases = count(*cases as u64, "case");
            let of =
                if *of == 1 { "the only round".to_owned() } else { format!("round {round} of at most {of}") };
            (model, format!("{of}: {cases}"))
        }
        Phase::Confirm { model, suspects, trials } => {
            let get = if *suspects == 1 { "suspect gets" } else { "suspects get" };
            let each = if *suspects == 1 { "" } else { " each" };
            (model, format!("{suspects} {get} {}{each}", count(u64::from(*trials), "fresh trial")))
        }
    };
    if several { format!("{}: {words}", crate::display::safe_line(model.as_str())) } else { words }
}

/// What is left of a compared run after a stop.
pub(super) struct Resumed {
    pub(super) rounds: Rounds,
    /// Trials of the plan that no gate asks for: probes, and lanes that are not compared.
    pub(super) others: Plan,
    /// The plan as it goes on: what is stored and what is left of the others.
    pub(super) planned: Vec<Planned>,
    /// Compared trials whose transcript is kept and whose score is not.
    pub(super) unscored: Vec<Case>,
    /// Whether a gate asks for more trials.
    pub(super) wants_more: bool,
}

/// Takes up the comparison that a run's file holds. `stored` is its plan; `is_scored` says whether a stored
/// trial has a verdict about the very expectations of the suite.
pub(super) fn resume(
    compared: Compared,
    plan: &Plan,
    (record, stored): (&RunRecord, Vec<Planned>),
    is_scored: impl Fn(&crate::store::record::CaseResult, &Case) -> bool,
) -> Outcome<Resumed> {
    let mut gates = Gates::again(compared).map_err(|error| unusable(&error))?;
    let lanes = firsts(&gates, &plan.cases);
    changed(&gates, plan, &stored)?;
    let (mut unscored, mut kept) = (vec![], HashSet::new());
    let lane_of = |key: &CaseKey| (key.question, key.model);
    let by_lane: HashMap<_, _> = lanes.iter().map(|case| (lane_of(&case.header.key), case)).collect();
    for result in &record.results {
        let key = result.header.key;
        // Only lanes that are compared are here.
        let Some(case) = by_lane.get(&lane_of(&key)).map(|lane| lane.at_trial(key.trial)) else { continue };
        if !crate::store::record::is_settled(&result.end) {
            continue;
        }
        kept.insert(key);
        match cells::outcome(result).filter(|_| is_scored(result, &case)) {
            Some(outcome) => gates.observe(&key, outcome).map_err(|error| unusable(&error))?,
            None => unscored.push(case),
        }
    }
    let compares = |key: &CaseKey| gates.compares(key);
    let others: Vec<Case> = match gates.course() {
        // A fixed plan is what it was: whatever is missing of it runs.
        Course::Fixed => plan.cases.iter().filter(|case| !kept.contains(&case.header.key)).cloned().collect(),
        Course::Rounds => plan.cases.iter().filter(|case| !compares(&case.header.key)).cloned().collect(),
    };
    let stays = |row: &Planned| {
        gates.course() == Course::Fixed || !compares(&row.header.key) || kept.contains(&row.header.key)
    };
    let planned: Vec<Planned> = stored.into_iter().filter(stays).collect();
    let wants_more = !gates.clone().wants().0.is_empty();
    Ok(Resumed {
        rounds: Rounds::new(gates, lanes, planned.clone()),
        others: Plan { cases: others, seed: plan.seed },
        planned,
        unscored,
        wants_more,
    })
}

/// Refuses a suite that asks other questions than the run did.
fn changed(gates: &Gates, plan: &Plan, stored: &[Planned]) -> Outcome<()> {
    type Lane = (Digest, Digest);
    let lane = |key: &CaseKey| -> Lane { (key.question, key.model) };
    let before: HashSet<Lane> = stored.iter().map(|row| lane(&row.header.key)).collect();
    let now: HashSet<Lane> = plan.cases.iter().map(|case| lane(&case.header.key)).collect();
    // Lanes that are not compared have the trials that the suite gives them.
    let free = |key: &CaseKey| gates.course() == Course::Fixed || !gates.compares(key);
    let rows: HashSet<CaseKey> = stored.iter().map(|row| row.header.key).filter(|key| free(key)).collect();
    let trials: HashSet<CaseKey> =
        plan.cases.iter().map(|case| case.header.key).filter(|key| free(key)).collect();
    if before == now && rows == trials {
        return Ok(());
    }
    let count = before.symmetric_difference(&now).count() + rows.symmetric_difference(&trials).count();
    Err(super::resume::asks_otherwise(count))
}
