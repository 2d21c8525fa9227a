//! `triage`: why the failed cases of a stored run fail, found by varying one thing at a time.

use std::path::{Path, PathBuf};

use super::Context;
use super::args::PlanFormat;
use super::eval::{manifest, set, surfaces};
use super::experiment::{self, Experiment};
use super::failure::{Failure, Outcome};
use super::progress::{Budget, Progress};
use super::replan::{Replanned, replanned};
use super::signal::Signals;
use crate::drive::tapes::Tapes;
use crate::gate::Exit;
use crate::gate::triage::{Triage, Triaged, decide};
use crate::ids::ModelName;
use crate::plan::arms::Arm;
use crate::plan::{Case, Plan, Selection};
use crate::report::cause;
use crate::report::figures::{count, money};
use crate::store::layout;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, Manifest, RunRecord, SurfaceSeen};
use crate::suite::Suite;

mod args;
mod lanes;
mod opinion;

pub(super) use args::TriageArgs;
use lanes::{Lane, Places};

/// What a triage keeps among the reports of a run.
pub(super) const NAME: &str = "triage";

/// Looks into the failed cases of a run, says what they are due to, and keeps that beside the run's reports.
pub(super) async fn triage(args: &TriageArgs, context: &Context) -> Outcome {
    let signals = Signals::listen(context.printer);
    let file = super::runs::resolve(&args.run, &args.out, context)?;
    let reader = Reader::open(&file)?;
    let record = reader.record()?;
    let Replanned { context, suite, plan } =
        replanned(&record.manifest, &record.manifest.selection, context)?;
    let context = &context;
    let mut lanes = lanes::failed(args, &record, &plan, &reader)?;
    if lanes.is_empty() {
        return nothing(args, &record, context);
    }
    let second = second(args, &record.manifest, context)?;
    let judge = opinion::judge(args, &suite, &lanes, context)?;
    let (cases, places) = lanes::trials(&lanes, &second, args.trials);
    super::exec::allowed(&Plan { cases: cases.clone(), seed: plan.seed }, args.allow_exec)?;
    context.printer.talk(&announced(&lanes, &cases, &places, judge.is_some()));
    if args.dry_run {
        return Ok(Exit::Pass);
    }
    let opinions = match &judge {
        Some(judge) => opinion::ask(judge, &mut lanes, (&reader, &file), context).await?,
        None => Some(0.0),
    };
    // What another judge lets pass needs no further look; the other trials are run for the other cases only.
    let cases: Vec<Case> = cases.into_iter().filter(|case| !is_settled(&lanes, &places, case)).collect();
    let look = Look { args, file: &file, manifest: &record.manifest, suite: &suite, spent: opinions };
    let ran = look.drive(Plan { cases, seed: plan.seed }, (&mut lanes, &places), (&signals, context)).await?;
    let spent = ran.as_ref().map_or(Some(0.0), |(ran, _)| experiment::cost_of(ran));
    let trials = ran.as_ref().map(|(_, trials)| trials.as_path());
    let found = Triage {
        schema: 1,
        run: record.manifest.run.to_string(),
        at: context.clock.stamp(),
        trials: trials.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()),
        cost: opinions.zip(spent).map(|(opinions, spent)| opinions + spent),
        cases: lanes.into_iter().map(triaged).collect(),
    };
    experiment::keep(&layout::finding_file(&file, NAME), &found)?;
    told(args, &found, context)?;
    if let Some(trials) = trials {
        context.printer.talk(&format!("the trials are kept: `show {}`", trials.display()));
    }
    ended(ran.as_ref().map(|(ran, _)| ran), &signals)
}

/// What driving the trials of a triage needs besides them.
struct Look<'a> {
    args: &'a TriageArgs,
    file: &'a Path,
    manifest: &'a Manifest,
    suite: &'a Suite,
    /// US dollars so far.
    spent: Option<f64>,
}

impl Look<'_> {
    /// Drives the trials that are worth it, and takes in what they give. `None` when there are none.
    async fn drive(
        &self,
        plan: Plan,
        (lanes, places): (&mut [Lane], &Places),
        (signals, context): (&Signals, &Context),
    ) -> Outcome<Option<(RunRecord, PathBuf)>> {
        if plan.cases.is_empty() {
            return Ok(None);
        }
        let Self { args, file, suite, .. } = self;
        let tapes = Tapes::default();
        let stage = tokio::select! {
            biased;
            stage = set(suite, &plan, (None, &tapes), context) => stage?,
            failure = signals.before_anything_ran() => return Err(failure),
        };
        let dropped: Vec<Vec<Arm>> = lanes.iter_mut().map(|lane| lane.look(stage.surfaces())).collect();
        let now = surfaces(&stage, context);
        let differs = |seen: &SurfaceSeen| {
            now.iter().any(|other| other.persona == seen.persona && other.digest != seen.digest)
        };
        if self.manifest.surfaces.iter().any(differs) {
            context
                .printer
                .talk("the server shows other tools than it did in the run; this looks into it as it is now");
        }
        let selection = Selection { trials: Some(args.trials), ..self.manifest.selection.clone() };
        let about = manifest(suite, &plan, selection, &stage, context);
        let about = Manifest { flaw: self.manifest.flaw.clone(), ..about };
        let worth =
            |case: &Case| place(places, case).is_some_and(|(lane, arm)| !dropped[lane].contains(&arm));
        let cases: Vec<Case> = plan.cases.into_iter().filter(worth).collect();
        let trials = layout::trials_file(file, NAME, &about.run);
        let purse = (args.max_cost.or(suite.max_cost), self.spent.unwrap_or(0.0));
        let budget = Budget { most: purse.0, before: purse.1, tolerated: None };
        let progress = Progress::new((signals, context), cases.len() as u64, budget);
        let width = args.concurrency.into();
        let kept = trials.clone();
        let experiment = Experiment { stage, cases, file: kept, manifest: &about, about: file, width, purse };
        let ran = experiment.run(&progress, (signals, context)).await;
        progress.end();
        let ran = ran?;
        taken(lanes, &ran, places, &Reader::open(&trials)?)?;
        Ok(Some((ran, trials)))
    }
}

/// There is nothing to look into.
fn nothing(args: &TriageArgs, record: &RunRecord, context: &Context) -> Outcome {
    let run = &record.manifest.run;
    context.printer.talk(&format!(
        "no use case of run {run} failed{}",
        match args.cases.is_empty() {
            true => "; access and auth cases are exact, and their findings say what is wrong",
            false => " of those named",
        }
    ));
    if args.format == PlanFormat::Json {
        let found = Triage {
            schema: 1,
            run: run.to_string(),
            at: context.clock.stamp(),
            trials: None,
            cost: Some(0.0),
            cases: vec![],
        };
        told(args, &found, context)?;
    }
    Ok(Exit::Pass)
}

/// The trials of the run with another model in the place of its own.
fn second(args: &TriageArgs, manifest: &Manifest, context: &Context) -> Outcome<Vec<Case>> {
    let Some(name) = &args.second_model else { return Ok(vec![]) };
    let selection =
        Selection { models: vec![ModelName::from(name.as_str())], shard: None, ..manifest.selection.clone() };
    Ok(replanned(manifest, &selection, context)?.plan.cases)
}

/// What will be run, before anything is spent.
fn announced(lanes: &[Lane], cases: &[Case], places: &Places, judge: bool) -> String {
    let (mut calls, mut cost) = (0.0, Some(0.0));
    for case in cases {
        let Some((lane, arm)) = place(places, case).filter(|(_, arm)| *arm != Arm::Direct) else { continue };
        calls += lanes[lane].usual.0;
        // What another model costs nobody knows yet.
        cost = cost.zip(lanes[lane].usual.1.filter(|_| arm != Arm::SecondModel)).map(|(sum, one)| sum + one);
    }
    let cost = cost.map_or_else(|| "an unknown price".to_owned(), |cost| money(Some(cost), 0));
    let opinions: usize = match judge {
        true => lanes.iter().flat_map(|lane| &lane.judged).map(|(_, criteria)| criteria.len()).sum(),
        false => 0,
    };
    let opinions = match opinions {
        0 => String::new(),
        n => format!(", and {} of the second judge", count(n as u64, "call")),
    };
    format!(
        "looking into {}: at most {}, about {} for {cost} going by the run{opinions}",
        count(lanes.len() as u64, "failed case"),
        count(cases.len() as u64, "trial"),
        count(calls.ceil() as u64, "model call"),
    )
}

fn place(places: &Places, case: &Case) -> Option<(usize, Arm)> {
    places.get(&(case.header.key.question, case.header.key.model)).copied()
}

/// Whether the cause of a trial's lane is known without it.
fn is_settled(lanes: &[Lane], places: &Places, case: &Case) -> bool {
    let judge = |lane: &Lane| lane.evidence.second_judge.as_ref().and_then(crate::gate::triage::Tries::holds);
    place(places, case).is_some_and(|(lane, _)| judge(&lanes[lane]) == Some(true))
}

fn taken(lanes: &mut [Lane], ran: &RunRecord, places: &Places, reader: &Reader) -> Outcome<()> {
    for ((question, model), (lane, arm)) in places {
        let of = |result: &&CaseResult| {
            let key = result.header.key;
            (key.question, key.model) == (*question, *model)
        };
        let results: Vec<&CaseResult> = ran.results.iter().filter(of).collect();
        lanes[*lane].take(*arm, &results, reader)?;
    }
    Ok(())
}

fn triaged(lane: Lane) -> Triaged {
    let header = lane.case.header;
    Triaged {
        case: header.case.to_string(),
        model: header.model.map(|model| model.to_string()),
        persona: header.persona.to_string(),
        client: header.client.to_string(),
        expected: lane.expected.iter().map(|expected| expected.tool.to_string()).collect(),
        cause: decide(&lane.evidence),
        evidence: lane.evidence,
    }
}

fn told(args: &TriageArgs, found: &Triage, context: &Context) -> Outcome<()> {
    let printer = context.printer;
    match args.format {
        PlanFormat::Json => printer.data_line(&serde_json::to_string_pretty(found).unwrap_or_default()),
        PlanFormat::Human => printer.data(cause::triage(found, printer.style(), printer.width()).as_bytes()),
    }
}

/// A look that was broken off says so.
fn ended(ran: Option<&RunRecord>, signals: &Signals) -> Outcome {
    if let Some(exit) = signals.exit() {
        return Ok(exit);
    }
    match ran.and_then(|ran| ran.stops.first()) {
        None => Ok(Exit::Pass),
        Some(stop) => Err(Failure::new(Exit::Inconclusive, stop.code.clone(), stop.message.clone())
            .hint("what was found so far is kept; causes that need the rest are unclear")),
    }
}
