//! `resume` and `eval --resume`: run only what is missing. Resuming is a subtraction and needs nothing but the run file
//! and the suite.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::args::{EvalArgs, ResumeArgs, RunOptions};
use super::conclude::{self, conclude};
use super::eval::{Running, Work, finish, set, surfaces};
use super::failure::{Failure, Outcome};
use super::replan::{Replanned, replanned};
use super::signal::Signals;
use super::tape::Session;
use super::{Context, exec, rounds};
use crate::drive::tapes::Tapes;
use crate::gate::Exit;
use crate::gate::compared::{Compared, Unusable};
use crate::ids::CaseKey;
use crate::plan::{Case, Plan, Planned};
use crate::report::figures::count;
use crate::run::Free;
use crate::score::Outcome as TrialOutcome;
use crate::store::Store;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, RunRecord, SurfaceSeen, is_settled};
use crate::transcript::Transcript;

/// Continues a run.
pub(super) async fn resume(args: &ResumeArgs, context: &Context) -> Outcome {
    if args.options.format != conclude::HUMAN {
        conclude::known(&args.options.format)?;
    }
    let file = super::runs::resolve(&args.run, &args.options.out, context)?;
    let signals = Signals::listen(context.printer);
    let drift = if args.accept_drift { Drift::Accepted } else { Drift::Refused };
    continue_run(&file, (&args.options, drift), &signals, context).await
}

/// `eval SUITE --resume [RUN]`: the run named, or the newest of the suite.
pub(super) async fn latest_or(run: &str, args: &EvalArgs, signals: &Signals, context: &Context) -> Outcome {
    let suites = &args.select.suites;
    if suites.len() > 1 {
        return Err(Failure::usage(
            "usage.flags",
            "`--resume` continues one run, and several suites are named",
        )
        .hint("name one suite, or a run: `rehearsal resume RUN`"));
    }
    let newest = |suite: &String| {
        Path::new(suite).file_stem().map(|stem| format!("{}/latest", stem.to_string_lossy()))
    };
    let name = suites.first().filter(|_| run == "latest").and_then(newest).unwrap_or_else(|| run.to_owned());
    let file = super::runs::resolve(&name, &args.options.out, context)?;
    continue_run(&file, (&args.options, Drift::Refused), signals, context).await
}

/// What to do when the target's tools have changed since the run began.
enum Drift {
    Accepted,
    Refused,
}

async fn continue_run(
    file: &Path,
    (how, on_drift): (&RunOptions, Drift),
    signals: &Signals,
    context: &Context,
) -> Outcome {
    let reader = Reader::open(file)?;
    let record = reader.record()?;
    let manifest = &record.manifest;
    let Replanned { context, suite, plan } = replanned(manifest, &manifest.selection, context)?;
    let context = &context;
    let left = left(&plan, &record, &reader)?;
    drop(reader);
    let Left { work: left, replanned, wants_more } = left;
    let whole = if wants_more { plan.cases.clone() } else { left.cases.clone() };
    let whole = Plan { cases: whole, seed: plan.seed };
    how.tapes.holds(&whole)?;
    exec::allowed(&whole, how.allow_exec)?;
    let (again, rescored) = (left.cases.len(), left.unscored.len());
    let concluded = if again + rescored == 0 && !wants_more {
        context.printer.talk(&format!("nothing is missing of run {}; nothing was run", manifest.run));
        let concluded = conclude(file)?;
        concluded.write_reports(context)?;
        concluded
    } else {
        let kept = count(
            record.results.len().saturating_sub(again_of(&left.cases, &record) + rescored) as u64,
            "trial",
        );
        let more = if wants_more { ", and what the gate asks for" } else { "" };
        context.printer.talk(&format!(
            "resuming {} ({}): {kept} kept, {again} to run{more}, {rescored} to score again; ${:.2} spent before",
            manifest.run, manifest.suite, left.spent
        ));
        let store = Store::open(file)?;
        let tapes = how.tapes.open(&suite.name, Session::Resumed, context)?;
        let stage = tokio::select! {
            biased;
            stage = set(&suite, &plan, (how.max_rps, &tapes), context) => stage?,
            failure = signals.before_anything_ran() => return Err(failure),
        };
        let drifted = match on_drift {
            Drift::Refused => drift(&manifest.surfaces, &surfaces(&stage, context)),
            Drift::Accepted => None,
        };
        if let Some(failure) = drifted {
            stage.strike().await;
            return Err(failure);
        }
        if let Some(planned) = replanned {
            store.replan(&planned).await?;
        }
        let record_server = how.tapes.recorded().map(|file| context.root.join(file));
        let work = Work {
            width: how.concurrency.into(),
            max_cost: how.max_cost.or(suite.max_cost),
            tapes,
            record_server,
            ..left
        };
        let (judging, tolerated) = (manifest.judging.clone(), manifest.gate.max_invalid.0);
        finish(Running { stage, store, file: file.to_owned(), judging, tolerated }, work, (signals, context))
            .await?
    };
    concluded.write_asked(&how.files, context)?;
    concluded.print(&how.format, context)?;
    concluded.outcome()
}

/// Trials on two surfaces in one run would be compared as if they were repetitions of one.
fn drift(before: &[SurfaceSeen], now: &[SurfaceSeen]) -> Option<Failure> {
    let changed = before
        .iter()
        .find(|seen| now.iter().any(|other| other.persona == seen.persona && other.digest != seen.digest))?;
    let message =
        format!("what persona `{}` sees of the target has changed since the run began", changed.persona);
    Some(Failure::new(Exit::Usage, "run.drift", message).hint(
        "start a new run with `rehearsal eval`, or go on with `rehearsal resume --accept-drift` and mix two surfaces in one run",
    ))
}

/// What is left of a run.
struct Left {
    work: Work,
    /// The plan as it goes on, where a gate may ask for another one.
    replanned: Option<Vec<Planned>>,
    /// Whether a gate asks for trials that are in no plan yet.
    wants_more: bool,
}

/// What is left, of a fixed plan or of one that a gate writes.
fn left(plan: &Plan, record: &RunRecord, reader: &Reader) -> Outcome<Left> {
    let unreadable = |error: Unusable| Failure::new(Exit::LocalIo, "store.unreadable", error.to_string());
    let Some(compared) = Compared::of(record).map_err(unreadable)? else {
        let work = subtract(plan.clone(), record, reader)?;
        return Ok(Left { work, replanned: None, wants_more: false });
    };
    let resumed = rounds::resume(compared, plan, (record, reader.planned()?), decided)?;
    let others: HashSet<CaseKey> = resumed.others.cases.iter().map(|case| case.header.key).collect();
    let among = RunRecord {
        results: record
            .results
            .iter()
            .filter(|result| others.contains(&result.header.key))
            .cloned()
            .collect(),
        missing: record.missing.iter().filter(|header| others.contains(&header.key)).cloned().collect(),
        ..record.clone()
    };
    let mut work = subtract(resumed.others, &among, reader)?;
    work.spent = conclude::spent(record, Free::default());
    for case in resumed.unscored {
        match transcript(reader, &case) {
            Some(transcript) => work.unscored.push((case, transcript)),
            None => work.cases.push(case),
        }
    }
    work.rounds = Some(resumed.rounds);
    Ok(Left { work, replanned: Some(resumed.planned), wants_more: resumed.wants_more })
}

/// How many of these trials have a result that will be replaced.
fn again_of(cases: &[Case], record: &RunRecord) -> usize {
    let stored: HashSet<CaseKey> = record.results.iter().map(|result| result.header.key).collect();
    cases.iter().filter(|case| stored.contains(&case.header.key)).count()
}

/// A plan that asks other questions than its run.
pub(super) fn asks_otherwise(trials: usize) -> Failure {
    let message = format!("the suite asks other questions than the run did ({trials} trials differ)");
    Failure::new(Exit::Usage, "run.changed", message)
        .hint("start a new run with `rehearsal eval`; expectations may be edited, prompts, personas and models may not")
}

/// The plan without what the run file already holds. Trials cut short by a fault of ours or of the model's API run again;
/// those that the judge could not decide, or whose expectations were edited, are scored again from their transcripts. A
/// plan that asks other questions than the run is refused, because a mixed run could not be compared with anything.
fn subtract(plan: Plan, record: &RunRecord, reader: &Reader) -> Outcome<Work> {
    let stored: HashSet<CaseKey> = record
        .results
        .iter()
        .map(|result| result.header.key)
        .chain(record.missing.iter().map(|header| header.key))
        .collect();
    let wanted: HashSet<CaseKey> = plan.cases.iter().map(|case| case.header.key).collect();
    if stored != wanted {
        return Err(asks_otherwise(stored.symmetric_difference(&wanted).count()));
    }
    let mut work = Work {
        cases: vec![],
        unscored: vec![],
        spent: conclude::spent(record, Free::default()),
        width: 1,
        max_cost: None,
        tapes: Tapes::default(),
        record_server: None,
        rounds: None,
    };
    let results: HashMap<CaseKey, &CaseResult> =
        record.results.iter().map(|result| (result.header.key, result)).collect();
    for case in plan.cases {
        let result = results.get(&case.header.key);
        match result {
            Some(result) if !is_settled(&result.end) => work.cases.push(case),
            Some(result) if decided(result, &case) => {}
            Some(_) => match transcript(reader, &case) {
                Some(transcript) => work.unscored.push((case, transcript)),
                None => work.cases.push(case),
            },
            None => work.cases.push(case),
        }
    }
    Ok(work)
}

/// Whether a trial has a verdict about these very expectations.
fn decided(result: &CaseResult, case: &Case) -> bool {
    result.outcome != Some(TrialOutcome::Invalid)
        && result.verdict.as_ref().is_some_and(|verdict| verdict.score_key == case.score_key)
}

fn transcript(reader: &Reader, case: &Case) -> Option<Transcript> {
    reader.transcript(case.header.key).ok().flatten()
}
