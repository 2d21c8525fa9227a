//! `baseline`: what a suite gives when it is well, kept in a file that is reviewed like code.

use std::path::{Path, PathBuf};

use super::Context;
use super::args::PlanFormat;
use super::conclude::{Concluded, conclude};
use super::failure::{Failure, Outcome};
use crate::display;
use crate::gate::{Exit, GateVerdict};
use crate::ids::{RunId, SuiteName};
use crate::report::baseline as text;
use crate::store::baseline::{self, Baseline, BaselineError, Drift, Night};
use crate::store::outcomes::Outcomes;
use crate::store::{Reader, layout};

mod args;

pub(super) use args::BaselineCommand;
use args::{AcceptArgs, PinArgs, ShowArgs};

/// Carries out a `baseline` command.
pub(super) fn baseline(command: &BaselineCommand, context: &Context) -> Outcome {
    match command {
        BaselineCommand::Accept(args) => accept(args, context),
        BaselineCommand::Show(args) => show(args, context),
        BaselineCommand::Pin(args) => pin(args, context),
    }
}

impl BaselineCommand {
    /// Whether a program reads stdout.
    pub(super) fn is_machine(&self) -> bool {
        matches!(self, Self::Show(args) if args.format == PlanFormat::Json)
    }
}

impl From<BaselineError> for Failure {
    fn from(error: BaselineError) -> Self {
        Self::usage(error.code, error.message).at(&error.at).hint(error.hint)
    }
}

fn accept(args: &AcceptArgs, context: &Context) -> Outcome {
    let file = super::runs::resolve(&args.run, &args.out, context)?;
    let concluded = conclude(&file)?;
    let outcomes = Reader::open(&file)?.outcomes()?;
    let forced = args.force.as_deref().map(str::trim);
    if forced.is_some_and(str::is_empty) {
        return Err(Failure::usage("baseline.reason", "`--force` needs a reason: it is kept in the file"));
    }
    let doubt = doubts(&concluded, &outcomes);
    if let (Some(doubt), None) = (&doubt, forced) {
        return Err(doubt_failure(doubt));
    }
    let manifest = &outcomes.manifest;
    let path = baseline::path(&context.root.join(&args.out), &manifest.suite);
    let mut known = baseline::read(&path)?.unwrap_or_else(|| Baseline::new(manifest.suite.clone()));
    let night = Night {
        run: manifest.run.clone(),
        started: manifest.started.clone(),
        // A reason is kept only where one was needed.
        forced: doubt.and(forced).map(|why| display::safe_line(&context.secrets.redact(why))),
        prints: outcomes.prints.clone(),
    };
    let drift = known.drift(&night.prints);
    let done = known.accept(night, &outcomes.lanes);
    if done.lanes == 0 {
        let message = format!("run `{}` has no use case; access and auth are exact", manifest.run);
        return Err(Failure::usage("baseline.empty", message)
            .hint("they need no baseline: every failure of theirs counts"));
    }
    if args.pin && !known.pin(&manifest.run) {
        let message = format!("run `{}` is older than the nights that are kept", manifest.run);
        return Err(Failure::usage("baseline.old", message)
            .hint("pin one of those that `rehearsal baseline show` lists"));
    }
    write(&known, &path)?;
    let shown = shown_path(&path, context);
    let told = text::accepted(&known, &done, (&manifest.run, &shown), &drift);
    context.printer.data(told.as_bytes())?;
    Ok(Exit::Pass)
}

/// Why a run should not become what others are measured against: the code, and the sentence.
fn doubts(concluded: &Concluded, outcomes: &Outcomes) -> Option<(&'static str, String)> {
    let manifest = &outcomes.manifest;
    if outcomes.damaged > 0 {
        let said = format!("{} of its {} trials are damaged", outcomes.damaged, outcomes.planned);
        return Some(("baseline.damaged", said));
    }
    if let Some(flaw) = &manifest.flaw {
        return Some(("baseline.flaw", format!("its server was broken on purpose: `{flaw}`")));
    }
    if let Some(tape) = manifest.tapes.iter().find(|tape| !tape.ends_with(": record")) {
        return Some(("baseline.tape", format!("it repeats a recording ({tape}) and adds no evidence")));
    }
    if let Some(shard) = manifest.shard {
        let said = format!("it is part {} of {} of a run", shard.index, shard.of);
        return Some(("baseline.shard", said));
    }
    let reason = concluded.decision.reasons.first().map(|reason| format!(": {}", reason.message));
    let reason = reason.unwrap_or_default();
    match concluded.decision.verdict {
        GateVerdict::Pass => None,
        GateVerdict::Fail => Some(("baseline.failed", format!("it failed{reason}"))),
        GateVerdict::Inconclusive => Some(("baseline.inconclusive", format!("it is inconclusive{reason}"))),
    }
}

fn doubt_failure((code, said): &(&'static str, String)) -> Failure {
    let hint = match *code {
        "baseline.shard" => "`rehearsal merge` joins the parts; accept the whole",
        "baseline.inconclusive" | "baseline.damaged" => {
            "`rehearsal resume` runs what is missing; or `--force \"why\"`, which is kept in the file"
        }
        _ => "if this is how it is meant to be from now on: `--force \"why\"`, which is kept in the file",
    };
    Failure::usage(code, format!("this run is not accepted, {said}")).hint(hint)
}

fn show(args: &ShowArgs, context: &Context) -> Outcome {
    let reports = context.root.join(&args.out);
    let (path, run) = match &args.name {
        Some(name) => named(name, args, context)?,
        None => (only(&reports)?, None),
    };
    let known = existing(&path)?;
    let (drift, lanes) = match &run {
        Some(outcomes) => (differing(&known, outcomes), Some(outcomes)),
        None => (vec![], None),
    };
    let page = text::Page::of(&known, &shown_path(&path, context), lanes.map(|run| &run.lanes[..]), drift);
    let printer = context.printer;
    if args.format == PlanFormat::Json {
        printer.data_line(&serde_json::to_string_pretty(&page).unwrap_or_default())?;
    } else {
        printer.data(page.human(usize::from(printer.width()), printer.style()).as_bytes())?;
    }
    Ok(Exit::Pass)
}

/// What differs between the newest night and a run, part by part and case by case.
fn differing(known: &Baseline, run: &Outcomes) -> Vec<Drift> {
    let mut drift = known.drift(&run.prints);
    let used = run.lanes.iter().filter(|lane| lane.is_use());
    drift.extend(known.drift_of_cases(used.map(|lane| (&lane.key, &lane.print))));
    drift
}

/// The baseline file of a suite, or of the suite of a run.
fn named(name: &str, args: &ShowArgs, context: &Context) -> Outcome<(PathBuf, Option<Outcomes>)> {
    let reports = context.root.join(&args.out);
    let path = baseline::path(&reports, &SuiteName::from(name));
    if path.is_file() {
        return Ok((path, None));
    }
    let known = context.project().list().iter().any(|suite| suite == name);
    if known || layout::suite_dir(&reports, &name.into()).is_dir() {
        return Err(missing(name));
    }
    let outcomes = Reader::open(&super::runs::resolve(name, &args.out, context)?)?.outcomes()?;
    Ok((baseline::path(&reports, &outcomes.manifest.suite), Some(outcomes)))
}

fn missing(suite: &str) -> Failure {
    Failure::usage("baseline.missing", format!("suite `{suite}` has no baseline"))
        .hint("`rehearsal baseline accept RUN` makes one of a run that passed")
}

/// The only baseline there is.
fn only(reports: &Path) -> Outcome<PathBuf> {
    let mut files = files(reports);
    match files.len() {
        1 => Ok(files.remove(0)),
        0 => Err(Failure::usage("baseline.missing", "there is no baseline")
            .hint("`rehearsal baseline accept RUN` makes one of a run that passed")),
        _ => {
            let names: Vec<String> = files
                .iter()
                .filter_map(|file| Some(format!("`{}`", file.file_stem()?.to_string_lossy())))
                .collect();
            let message = format!("which of {} baselines?", names.len());
            Err(Failure::usage("baseline.which", message).hint(names.join(", ")))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "lists the folder of baselines")]
fn files(reports: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(reports.join("baselines")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn existing(path: &Path) -> Outcome<Baseline> {
    baseline::read(path)?.ok_or_else(|| missing(&path.file_stem().unwrap_or_default().to_string_lossy()))
}

fn pin(args: &PinArgs, context: &Context) -> Outcome {
    let reports = context.root.join(&args.out);
    let own = baseline::path(&reports, &SuiteName::from(args.name.as_str()));
    let (path, run) = if own.is_file() {
        let newest = existing(&own)?.nights.first().map(|night| night.run.clone());
        (own, newest)
    } else {
        let (path, run) = holding(&reports, &args.name)?;
        (path, Some(run))
    };
    let mut known = existing(&path)?;
    let suite = known.suite.clone();
    let said = if args.remove {
        match known.pinned.take() {
            Some(run) => format!("no night of `{suite}` is pinned any more (it was {run})"),
            None => format!("no night of `{suite}` was pinned"),
        }
    } else {
        let run = run.ok_or_else(|| missing(suite.as_str()))?;
        known.pin(&run);
        format!("pinned {run}: releases of `{suite}` are measured against it and the nights before it")
    };
    write(&known, &path)?;
    context.printer.data_line(&display::safe_line(&said))?;
    Ok(Exit::Pass)
}

/// The baseline that holds a night of this id, or of one that begins so.
fn holding(reports: &Path, name: &str) -> Outcome<(PathBuf, RunId)> {
    let mut found = vec![];
    for path in files(reports) {
        let nights = existing(&path)?.nights;
        let runs = nights.into_iter().map(|night| night.run).filter(|run| run.as_str().starts_with(name));
        found.extend(runs.map(|run| (path.clone(), run)));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::usage("baseline.unaccepted", format!("no accepted run is called `{name}`"))
            .hint("`rehearsal baseline accept RUN --pin` accepts and pins at once")),
        several => {
            let message = format!("`{name}` begins the ids of {several} accepted runs");
            Err(Failure::usage("baseline.which", message).hint("give more characters of the id"))
        }
    }
}

fn write(known: &Baseline, path: &Path) -> Outcome<()> {
    known.write(path).map_err(|error| {
        let message = format!("cannot write the baseline `{}`: {error}", path.display());
        Failure::new(Exit::LocalIo, "baseline.write", message)
            .hint("see that the folder can be written and has room")
    })
}

/// The path as the user would type it.
fn shown_path(path: &Path, context: &Context) -> String {
    let path = path.strip_prefix(&context.root).unwrap_or(path);
    display::safe_line(&path.display().to_string())
}
