//! `runs`: the stored run files.

use std::path::{Path, PathBuf};

use super::Context;
use super::args::{RunArg, RunsCommand};
use super::failure::{Failure, Outcome};
use crate::display;
use crate::gate::Exit;
use crate::report::figures::{count, moment};
use crate::store::check;
use crate::store::history::{self, Counts, RunInfo, RunState};
use crate::store::read::Reader;

/// Carries out a `runs` command.
pub(super) fn runs(command: &RunsCommand, context: &Context) -> Outcome {
    match command {
        RunsCommand::List { out } => list(&context.root.join(out), context),
        RunsCommand::Info(args) => info(args, context),
        RunsCommand::Check(args) => invariants(args, context),
        RunsCommand::Tape { run, to } => print_tape(run, to.as_deref(), context),
        RunsCommand::Trend(args) => super::trend::trend(args, context),
    }
}

/// The file of a run: a path, an id or the start of one, or `latest`.
pub(super) fn resolve(run: &str, out: &Path, context: &Context) -> Outcome<PathBuf> {
    history::resolve(&context.root.join(out), run).map_err(|error| {
        Failure::usage("run.not-found", error.to_string()).hint("`rehearsal runs list` shows what is there")
    })
}

fn list(out: &Path, context: &Context) -> Outcome {
    let (runs, errors) = history::list(out, None);
    if runs.is_empty() {
        context.printer.talk(&format!("no runs under {}", display::path(out)));
    }
    for run in runs {
        let RunInfo { manifest, counts, planned, state, .. } = run;
        let Counts { passed, failed, invalid, skipped, unscored } = counts;
        let done = passed + failed + invalid + skipped + unscored;
        let (id, suite, started) = (&manifest.run, &manifest.suite, moment(&manifest.started));
        let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
        let state = word(state, done == planned && unscored + invalid == 0);
        context.printer.data_line(&display::safe_line(&format!(
            "{id}  {started}  {state:11}  {suite}  {done} of {planned} trials: {passed} passed, {failed} failed, {invalid} invalid{skipped}"
        )))?;
    }
    for error in errors {
        context.printer.tell(&format!("warning: {}", display::safe_line(&error.to_string())));
    }
    Ok(Exit::Pass)
}

/// The state of a run in a word or two: `running`, `killed`, `open` (resume runs what is missing) or how it ended.
fn word(state: RunState, complete: bool) -> String {
    match state {
        RunState::Running(_) => "running".to_owned(),
        RunState::Broken => "killed".to_owned(),
        RunState::Ended(_) if !complete => "open".to_owned(),
        RunState::Ended(code) => format!("exit {code}"),
    }
}

fn info(args: &RunArg, context: &Context) -> Outcome {
    let file = resolve(&args.run, &args.out, context)?;
    let mut manifest = Reader::open(&file)?.manifest()?;
    manifest.surfaces.iter_mut().for_each(|seen| seen.look.clear());
    manifest.inputs.values_mut().for_each(|text| *text = format!("{} bytes", text.len()));
    context.printer.data_line(&serde_json::to_string_pretty(&manifest).unwrap_or_default())?;
    Ok(Exit::Pass)
}

fn invariants(args: &RunArg, context: &Context) -> Outcome {
    let file = resolve(&args.run, &args.out, context)?;
    let broken = check::check(&file, &context.secrets)?;
    for finding in &broken {
        let trial = finding.key.map(|key| format!(" {key}")).unwrap_or_default();
        context
            .printer
            .data_line(&display::safe_line(&format!("{}{trial}: {}", finding.invariant, finding.message)))?;
    }
    if broken.is_empty() {
        context.printer.data_line(&format!("{}: sound", display::path(&file)))?;
        return Ok(Exit::Pass);
    }
    let message = format!("{} broken in {}", count(broken.len() as u64, "invariant"), display::path(&file));
    Err(Failure::new(Exit::LocalIo, "store.unreadable", message))
}

/// Writes what was said with the target of a run as a tape, beside itself first, so that no reader ever sees half of it.
#[expect(clippy::disallowed_methods, reason = "writes tapes where the user wants them")]
pub(super) fn write_tape(run: &Path, to: &Path, context: &Context) -> Outcome<()> {
    let text = tape(run)?;
    let failed = |error: std::io::Error| {
        let message = format!("the tape `{}` cannot be written: {error}", display::path(to));
        Failure::new(Exit::LocalIo, "store.tape", message)
    };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut new = to.as_os_str().to_owned();
    new.push(".new");
    std::fs::write(&new, &text).and_then(|()| std::fs::rename(&new, to)).map_err(failed)?;
    let path = display::path(to);
    context.printer.talk(&format!(
        "tape of the target: {} written ({path})",
        count(text.lines().count() as u64, "line")
    ));
    Ok(())
}

/// What was said with the target of a run.
fn tape(run: &Path) -> Outcome<String> {
    let reader = Reader::open(run)?;
    let manifest = reader.manifest()?;
    let looks: Vec<_> = manifest.surfaces.into_iter().map(|seen| (seen.persona, seen.look)).collect();
    let mut transcripts = vec![];
    for planned in reader.planned()? {
        transcripts.extend(reader.transcript(planned.header.key)?);
    }
    Ok(crate::mcp::tape::written(manifest.url.as_deref(), &looks, &transcripts))
}

fn print_tape(args: &RunArg, to: Option<&Path>, context: &Context) -> Outcome {
    let file = resolve(&args.run, &args.out, context)?;
    match to {
        Some(to) => write_tape(&file, &context.root.join(to), context)?,
        None => {
            for line in tape(&file)?.lines() {
                context.printer.data_line(line)?;
            }
        }
    }
    Ok(Exit::Pass)
}
