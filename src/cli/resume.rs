//! `resume` and `eval --resume`: run only what is missing. Resuming is a subtraction and needs nothing but the run file
//! and the suite.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::Context;
use super::args::{EvalArgs, ResumeArgs};
use super::eval::{Running, Work, finish, planned, set};
use super::failure::{Failure, Outcome};
use super::signal::Signals;
use crate::drive::Stopping;
use crate::gate::Exit;
use crate::ids::CaseKey;
use crate::plan::{Case, Plan};
use crate::score::Outcome as TrialOutcome;
use crate::store::Store;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, RunRecord, is_settled};
use crate::transcript::Transcript;

/// Continues a run.
pub(super) async fn resume(args: &ResumeArgs, context: &Context) -> Outcome {
    let file = super::runs::resolve(&args.run, &args.out, context)?;
    continue_run(&file, &args.format, (args.concurrency.into(), None), context).await
}

/// `eval SUITE --resume [RUN]`: the run named, or the newest of the suite.
pub(super) async fn latest_or(run: &str, args: &EvalArgs, context: &Context) -> Outcome {
    let newest = |suite: &String| {
        Path::new(suite).file_stem().map(|stem| format!("{}/latest", stem.to_string_lossy()))
    };
    let name =
        args.suites.first().filter(|_| run == "latest").and_then(newest).unwrap_or_else(|| run.to_owned());
    let file = super::runs::resolve(&name, &args.out, context)?;
    continue_run(&file, &args.format, (args.concurrency.into(), args.max_cost), context).await
}

async fn continue_run(
    file: &Path,
    format: &str,
    (width, max_cost): (usize, Option<f64>),
    context: &Context,
) -> Outcome {
    let reader = Reader::open(file).map_err(|error| Failure::from_fault(&error.into()))?;
    let record = reader.record().map_err(|error| Failure::from_fault(&error.into()))?;
    let manifest = &record.manifest;
    let (suite, plan) = planned(&manifest.file, &manifest.selection, manifest.seed, context)?;
    let left = subtract(plan.clone(), &record, &reader)?;
    drop(reader);
    let kept = plan.cases.len() - left.cases.len();
    let (again, rescored) = (left.cases.len(), left.unscored.len());
    context.printer.talk(&format!(
        "resuming {} ({}): {kept} trials kept, {again} to run, {rescored} to score again; ${:.2} spent before",
        manifest.run, manifest.suite, left.spent
    ));
    let store = Store::open(file).map_err(|error| Failure::from_fault(&error.into()))?;
    let stop = Stopping::default();
    let signals = Signals::listen(stop.clone(), context.printer);
    let stage = set(&suite, &plan, context).await?;
    let work = Work { width, max_cost, ..left };
    // What the trials need is in the work; the rest would only take memory from here on.
    drop((suite, plan, record));
    finish(Running { stage, store, stop, signals, file: file.to_owned() }, work, format, context).await
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
        let changed = stored.symmetric_difference(&wanted).count();
        let message = format!("the suite asks other questions than the run did ({changed} trials differ)");
        return Err(Failure::new(Exit::Usage, "run.changed", message)
            .hint("start a new run with `rehearsal eval`; expectations may be edited, prompts, personas and models may not"));
    }
    let mut work =
        Work { cases: vec![], unscored: vec![], spent: spent(&record.results), width: 1, max_cost: None };
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

fn spent(results: &[CaseResult]) -> f64 {
    results.iter().map(|result| result.cost.unwrap_or(0.0) + result.judge_cost.unwrap_or(0.0)).sum()
}
