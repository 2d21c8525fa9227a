//! `control`: the server as it was beside the one under test, in the same hour, on the cases that an alarm is about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::args::{EvalArgs, PlanFormat};
use super::conclude::{self, Concluded, conclude};
use super::eval::{manifest, set};
use super::experiment::{self, Experiment};
use super::failure::{Failure, Outcome};
use super::progress::{Budget, Progress};
use super::replan::{Replanned, replanned};
use super::signal::Signals;
use crate::drive::stage::Stage;
use crate::drive::tapes::Tapes;
use crate::gate::cells;
use crate::gate::control::{self as pure, CONTROL_LEVEL, CONTROL_TRIALS, ControlCase, Controlled};
use crate::gate::{Compared, Exit, GateVerdict};
use crate::ids::ModelName;
use crate::mcp::tape::Deck;
use crate::plan::{Case, Plan, Selection, arms};
use crate::report::cause;
use crate::report::figures::count;
use crate::run::Free;
use crate::score::Outcome as Verdict;
use crate::stats::Tally;
use crate::store::read::Reader;
use crate::store::record::{Ending, Manifest, RunRecord};
use crate::store::{Store, layout};
use crate::suite::{OldServer, Suite};

mod args;
mod lanes;

pub(super) use args::{AfterAlarm, ControlArgs};
use lanes::Lane;

/// What a side-by-side run keeps among the reports of a run.
pub(super) const NAME: &str = "control";

/// Runs both servers on what failed in a stored run, and decides that run again where a gate raised an alarm.
pub(super) async fn control(args: &ControlArgs, context: &Context) -> Outcome {
    let signals = Signals::listen(context.printer);
    let file = super::runs::resolve(&args.run, &args.out, context)?;
    let how = How {
        old: args.old.as_deref(),
        trials: args.trials,
        width: args.concurrency.into(),
        max_cost: args.max_cost,
        exec: args.allow_exec,
        out: &args.out,
    };
    let Some((found, _)) = beside(&file, &how, &signals, context).await? else {
        context.printer.talk("nothing failed in this run that the old server could explain; nothing was run");
        return Ok(Exit::Pass);
    };
    let printer = context.printer;
    match args.format {
        PlanFormat::Json => printer.data_line(&serde_json::to_string_pretty(&found).unwrap_or_default())?,
        PlanFormat::Human => {
            printer.data(cause::control(&found, printer.style(), printer.width()).as_bytes())?;
        }
    }
    if let Some(exit) = signals.exit() {
        return Ok(exit);
    }
    let concluded = conclude(&file)?;
    match Compared::of(&concluded.run) {
        Ok(Some(_)) => {
            concluded.write_reports(context)?;
            concluded.outcome()
        }
        _ => Ok(Exit::Pass),
    }
}

/// After an alarm of the gate: runs the old server beside the new one where somebody says how it was, and decides again.
/// What keeps that from being done takes nothing away from the alarm. `purse`: the most US dollars for the run and for this.
pub(super) async fn after(
    concluded: Concluded,
    (args, purse): (&EvalArgs, Option<f64>),
    (signals, context): (&Signals, &Context),
) -> Outcome<Concluded> {
    let named = args.after.control.is_some() || concluded.run.manifest.gate.control.is_some();
    if !named || signals.exit().is_some() || !raised_alarm(&concluded.run) {
        return Ok(concluded);
    }
    let left = purse.map(|most| (most - concluded.spent()).max(0.0));
    let how = How {
        old: args.after.control.as_deref(),
        trials: CONTROL_TRIALS,
        width: args.options.concurrency.into(),
        max_cost: left,
        exec: args.options.allow_exec,
        out: &args.options.out,
    };
    let none_left = left == Some(0.0) && concluded.spent() > 0.0;
    let found = if !args.options.tapes.words().is_empty() {
        let message = "a run from tapes has no server that could be run beside the old one";
        Err(Failure::usage("usage.flags", message))
    } else if none_left {
        Err(Failure::usage("run.budget", "nothing is left of the budget"))
    } else {
        beside(&concluded.file, &how, signals, context).await
    };
    match found {
        Ok(Some((_, spent))) => {
            let mut again = conclude(&concluded.file)?;
            again.free = concluded.free;
            again.beside = concluded.beside + spent;
            again.write_reports(context)?;
            Ok(again)
        }
        Ok(None) => Ok(concluded),
        Err(failure) => {
            let why = crate::display::safe_line(&context.secrets.redact(&failure.message));
            context.printer.tell(&format!("warning: the old server was not run beside the new one: {why}"));
            Ok(concluded)
        }
    }
}

/// Whether a gate of the run says "worse".
fn raised_alarm(run: &RunRecord) -> bool {
    let compared = Compared::of(run).ok().flatten();
    let fails = |compared: &Compared| {
        compared.gates.keys().any(|model| compared.verdict(model) == Some(GateVerdict::Fail))
    };
    compared.as_ref().is_some_and(fails)
}

/// What the command line says of a side-by-side run.
pub(super) struct How<'a> {
    /// The old server as typed; else the suite names it.
    pub(super) old: Option<&'a str>,
    /// Fresh trials of each case and server.
    pub(super) trials: u32,
    /// Trials at once, over both servers.
    pub(super) width: usize,
    /// Most US dollars.
    pub(super) max_cost: Option<f64>,
    /// Whether programs of the suite may be started.
    pub(super) exec: bool,
    /// Where runs are kept.
    pub(super) out: &'a Path,
}

/// Runs both servers, reads what they give, and keeps it: among the reports, and in the run file where a gate decided it.
/// Returned with the US dollars it took, as far as there are prices; `None` when there is nothing to run.
pub(super) async fn beside(
    file: &Path,
    how: &How<'_>,
    signals: &Signals,
    context: &Context,
) -> Outcome<Option<(Controlled, f64)>> {
    let record = Reader::open(file)?.record()?;
    let Replanned { context, suite, plan } =
        replanned(&record.manifest, &record.manifest.selection, context)?;
    let context = &context;
    let old = server(how, &record.manifest, &suite, context)?;
    let lanes = lanes::lanes(&record, &plan, (file, &context.root.join(how.out)))?;
    if lanes.is_empty() {
        return Ok(None);
    }
    let cases = trials(&lanes, how.trials);
    let plan = Plan { cases, seed: plan.seed };
    super::exec::allowed(&plan, how.exec)?;
    context.printer.talk(&format!(
        "side by side: {}, {} on each server",
        count(lanes.len() as u64, "case"),
        count(plan.cases.len() as u64, "trial")
    ));
    let tapes = [Tapes { server: deck(&old, context)?, ..Tapes::default() }, Tapes::default()];
    let suites = [old.in_place(&suite), suite];
    let stages = tokio::select! {
        biased;
        stages = raised(&suites, &plan, &tapes, context) => stages?,
        failure = signals.before_anything_ran() => return Err(failure),
    };
    let reached = stages[0].description().to_owned();
    let about = About {
        file,
        record: &record,
        width: (how.width / 2).max(1),
        max_cost: how.max_cost.map(|most| most / 2.0),
    };
    let [before, now] = about.drive(stages, (&suites, &plan), (signals, context)).await?;
    let found = Controlled {
        schema: 1,
        run: record.manifest.run.to_string(),
        at: context.clock.stamp(),
        old: context.secrets.redact(&reached).into_owned(),
        cost: [&before, &now].into_iter().map(experiment::cost_of).sum::<Option<f64>>(),
        ..read(&lanes, &before, &now)
    };
    experiment::keep(&layout::finding_file(file, NAME), &found)?;
    keep_in_run(file, &record, &found, context).await?;
    let spent = [&before, &now].map(|ran| conclude::spent(ran, Free::default())).iter().sum();
    Ok(Some((found, spent)))
}

/// The old server, from the command line or the suite of the run.
fn server(how: &How<'_>, manifest: &Manifest, suite: &Suite, context: &Context) -> Outcome<OldServer> {
    let Some(typed) = how.old else {
        let named = suite.gate.control.clone().or_else(|| manifest.gate.control.clone());
        return named.ok_or_else(|| {
            Failure::usage("gate.no-control", "nobody says how the server was before").hint(
                "`--old 'COMMAND'`, a URL or a tape of it; or `gate: {control: {command: […]}}` in the suite",
            )
        });
    };
    let is_file = |name: &str| context.root.join(name).is_file();
    OldServer::typed(typed, is_file).ok_or_else(|| {
        Failure::usage(
            "gate.no-control",
            format!("`{typed}` is no command: its quotes do not end, or it is empty"),
        )
    })
}

fn deck(old: &OldServer, context: &Context) -> Outcome<Option<Arc<Deck>>> {
    let Some(file) = old.tape() else { return Ok(None) };
    let deck = Deck::open(&context.root.join(file)).map_err(|fault| Failure::from_fault(&fault))?;
    Ok(Some(Arc::new(deck)))
}

/// Fresh trials, one of every case first: in the same order on both servers, so that each trial has its other half close
/// by in time.
fn trials(lanes: &[Lane], tries: u32) -> Vec<Case> {
    let mut cases: Vec<(u32, usize, Case)> = vec![];
    for (index, lane) in lanes.iter().enumerate() {
        let numbers = lane.fresh..=lane.fresh.saturating_add(tries - 1);
        cases.extend(
            arms::fresh(&lane.case, numbers).into_iter().enumerate().map(|(n, case)| (n as u32, index, case)),
        );
    }
    cases.sort_by_key(|(number, index, _)| (*number, *index));
    cases.into_iter().map(|(.., case)| case).collect()
}

/// Both servers, up and answering.
async fn raised(
    suites: &[Suite; 2],
    plan: &Plan,
    tapes: &[Tapes; 2],
    context: &Context,
) -> Outcome<[Stage; 2]> {
    let old = set(&suites[0], plan, (None, &tapes[0]), context).await?;
    match set(&suites[1], plan, (None, &tapes[1]), context).await {
        Ok(new) => Ok([old, new]),
        Err(failure) => {
            old.strike().await;
            Err(failure)
        }
    }
}

/// The run that a side-by-side run is about.
struct About<'a> {
    file: &'a Path,
    record: &'a RunRecord,
    /// Trials at once on each server.
    width: usize,
    /// Most US dollars for each server.
    max_cost: Option<f64>,
}

impl About<'_> {
    /// Drives the same trials on both servers at the same time.
    async fn drive(
        &self,
        stages: [Stage; 2],
        (suites, plan): (&[Suite; 2], &Plan),
        (signals, context): (&Signals, &Context),
    ) -> Outcome<[RunRecord; 2]> {
        let selection = Selection { trials: None, ..self.record.manifest.selection.clone() };
        let manifests: Vec<Manifest> = stages
            .iter()
            .zip(suites)
            .map(|(stage, suite)| manifest(suite, plan, selection.clone(), stage, context))
            .collect();
        let total = 2 * plan.cases.len() as u64;
        let progress = Progress::new((signals, context), total, Budget::default());
        let arms =
            stages.into_iter().zip(&manifests).zip(["old", "new"]).map(|((stage, manifest), which)| {
                let experiment = Experiment {
                    stage,
                    cases: plan.cases.clone(),
                    file: layout::trials_file(self.file, &format!("{NAME}-{which}"), &manifest.run),
                    manifest,
                    about: self.file,
                    width: self.width,
                    purse: (self.max_cost, 0.0),
                };
                experiment.run(&progress, (signals, context))
            });
        let mut ran = futures::future::join_all(arms).await.into_iter();
        progress.end();
        match (ran.next(), ran.next()) {
            (Some(old), Some(new)) => Ok([old?, new?]),
            _ => Err(Failure::new(Exit::Bug, "bug.control", "a side-by-side run has no two sides")),
        }
    }
}

/// What both servers gave, model by model.
fn read(lanes: &[Lane], old: &RunRecord, new: &RunRecord) -> Controlled {
    let models: BTreeSet<&ModelName> = lanes.iter().map(|lane| &lane.model).collect();
    let (mut found, mut unknown) = (BTreeMap::new(), vec![]);
    for model in models {
        let cases = lanes.iter().filter(|lane| lane.model == *model).map(|lane| ControlCase {
            id: lane.id.clone(),
            history: lane.history,
            old: tally(lane, old),
            new: tally(lane, new),
        });
        match pure::attribute(&cases.collect::<Vec<_>>(), CONTROL_LEVEL) {
            Some(control) => drop(found.insert(model.clone(), control)),
            None => unknown.push(model.clone()),
        }
    }
    let nothing = String::new;
    Controlled {
        schema: 1,
        run: nothing(),
        at: nothing(),
        old: nothing(),
        models: found,
        unknown,
        cost: None,
    }
}

/// The valid trials of a case.
fn tally(lane: &Lane, ran: &RunRecord) -> Tally {
    let key = lane.case.header.key;
    let of = ran.results.iter().filter(|result| {
        let other = result.header.key;
        (other.question, other.model) == (key.question, key.model)
    });
    let mut tally = Tally::default();
    for outcome in of.filter_map(cells::outcome) {
        match outcome {
            Verdict::Pass => tally = tally.plus(Tally { trials: 1, passed: 1 }),
            Verdict::Fail => tally = tally.plus(Tally { trials: 1, passed: 0 }),
            Verdict::Invalid => {}
        }
    }
    tally
}

/// Puts what was found into the run file, where its gate decided it: so it can be decided again from there.
async fn keep_in_run(file: &Path, record: &RunRecord, found: &Controlled, context: &Context) -> Outcome<()> {
    let Ok(Some(mut compared)) = Compared::of(record) else { return Ok(()) };
    compared.control = found.models.clone();
    let store = Store::open(file)?;
    store.gate(&compared.to_value()).await?;
    let exit = conclude(file)?.decision.exit.code();
    store.ended(&Ending { at: context.clock.stamp(), exit }).await?;
    Ok(store.close().await?)
}
