//! `runs`: the stored run files.

use std::path::{Path, PathBuf};

use super::Context;
use super::args::{RunArg, RunsCommand};
use super::failure::{Failure, Outcome};
use crate::display;
use crate::gate::Exit;
use crate::store::read::Reader;
use crate::store::{check, history};

/// Carries out a `runs` command.
pub(super) fn runs(command: &RunsCommand, context: &Context) -> Outcome {
    match command {
        RunsCommand::List { out } => list(&context.root.join(out), context),
        RunsCommand::Info(args) => info(args, context),
        RunsCommand::Check(args) => invariants(args, context),
    }
}

/// The file of a run: a path, an id or the start of one, or `latest`.
pub(super) fn resolve(run: &str, out: &Path, context: &Context) -> Outcome<PathBuf> {
    history::resolve(&context.root.join(out), run).map_err(|error| {
        Failure::usage("run.not-found", error.to_string()).hint("`rehearsal runs list` shows what is there")
    })
}

/// The newest run of a suite.
pub(super) fn newest_of(suite: &str, out: &Path, context: &Context) -> Outcome<PathBuf> {
    let name = Path::new(suite).file_stem().and_then(|stem| stem.to_str()).unwrap_or(suite);
    let runs = history::list(&context.root.join(out)).map_err(|error| Failure::from_fault(&error.into()))?;
    runs.into_iter().find(|run| run.suite.as_str() == name).map(|run| run.file).ok_or_else(|| {
        Failure::usage("run.not-found", format!("there is no run of `{name}` to resume"))
            .hint("start one with `rehearsal eval`")
    })
}

fn list(out: &Path, context: &Context) -> Outcome {
    for run in history::list(out).map_err(|error| Failure::from_fault(&error.into()))? {
        let (id, suite, started) = (&run.run, &run.suite, display::safe_line(&run.started));
        context
            .printer
            .data_line(&format!("{id}  {started:30}  {suite}  {} of {} trials", run.finished, run.planned));
    }
    Ok(Exit::Pass)
}

fn info(args: &RunArg, context: &Context) -> Outcome {
    let file = resolve(&args.run, &args.out, context)?;
    let reader = Reader::open(&file).map_err(|error| Failure::from_fault(&error.into()))?;
    let mut manifest = reader.manifest().map_err(|error| Failure::from_fault(&error.into()))?;
    manifest.inputs.values_mut().for_each(|text| *text = format!("{} bytes", text.len()));
    context.printer.data_line(&serde_json::to_string_pretty(&manifest).unwrap_or_default());
    Ok(Exit::Pass)
}

fn invariants(args: &RunArg, context: &Context) -> Outcome {
    let file = resolve(&args.run, &args.out, context)?;
    let broken = check::check(&file, &[]).map_err(|error| Failure::from_fault(&error.into()))?;
    for finding in &broken {
        context.printer.data_line(&display::safe_line(&finding.to_string()));
    }
    if broken.is_empty() {
        context.printer.data_line(&format!("{}: sound", file.display()));
        return Ok(Exit::Pass);
    }
    let message = format!("{} invariants of {} are broken", broken.len(), file.display());
    Err(Failure::new(Exit::LocalIo, "store.unreadable", message))
}
