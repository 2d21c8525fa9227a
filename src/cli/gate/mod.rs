//! `gate RUN`: the verdict again, offline, from the stored run. What the run was compared with is in its file; a run that
//! was compared with nothing is held against the baseline of its suite, or against none when that is asked for.

use std::path::Path;

use super::Context;
use super::conclude::{Concluded, conclude};
use super::failure::{Failure, Outcome};
use super::rounds::Base;
use crate::gate::compared::{Compared, Course, Gates, Unusable};
use crate::gate::rounds::GateError;
use crate::gate::{Exit, cells};
use crate::plan::Planned;
use crate::report::terminal;
use crate::store::Reader;
use crate::store::record::RunRecord;
use crate::transcript::CaseKind;

mod args;

pub(super) use args::{GateArgs, Past};

/// Decides about a stored run again.
pub(super) fn gate(args: &GateArgs, context: &Context) -> Outcome {
    let file = super::runs::resolve(&args.run.run, &args.run.out, context)?;
    let mut concluded = conclude(&file)?;
    let run = &mut concluded.run;
    if args.past.no_baseline {
        run.gate = None;
    } else if let Some(path) = &args.baseline {
        let base = Base::read(&context.root.join(path), path)?.ok_or_else(|| {
            Failure::usage("gate.no-baseline", format!("there is no baseline `{}`", path.display()))
                .hint("`rehearsal baseline accept RUN` makes one")
        })?;
        run.gate = judged(&base, run, &file)?.map(|compared| compared.to_value());
    } else if run.gate.is_some() {
        sound(run)?;
    } else if is_used(run) {
        let (path, shown) = super::rounds::places(&args.run.out, &run.manifest.suite, context);
        let base = Base::read(&path, &shown)?.ok_or_else(|| missing(run))?;
        run.gate = judged(&base, run, &file)?.map(|compared| compared.to_value());
    }
    concluded.decide();
    print(&concluded, context)?;
    concluded.outcome()
}

fn print(concluded: &Concluded, context: &Context) -> Outcome<()> {
    let printer = context.printer;
    let text = terminal::verdict(&concluded.verdict(context), printer.style(), printer.width());
    printer.data(text.as_bytes())
}

/// Whether models worked in the run: the other cases are exact and have no baseline.
fn is_used(run: &RunRecord) -> bool {
    let headers = run.results.iter().map(|result| &result.header).chain(&run.missing);
    headers.into_iter().any(|header| header.kind == CaseKind::Use)
}

fn missing(run: &RunRecord) -> Failure {
    let suite = &run.manifest.suite;
    let id = super::conclude::short(run.manifest.run.as_str());
    Failure::usage("gate.no-baseline", format!("the suite `{suite}` has no baseline to compare this run with")).hint(
        format!("`rehearsal baseline accept {id}` makes this run one; `rehearsal gate {id} --no-baseline` decides by the bar of the suite"),
    )
}

/// Computes what the file says again; a difference is a fault of ours.
fn sound(run: &RunRecord) -> Outcome<()> {
    let unsound = |error: &Unusable| match error {
        Unusable::Differs(_) | Unusable::Gate(_) => Failure::new(Exit::Bug, "bug.gate", error.to_string()),
        Unusable::Unreadable(_) => Failure::new(Exit::LocalIo, "store.unreadable", error.to_string())
            .hint("a newer rehearsal may have written it; `--no-baseline` decides without it"),
    };
    match Compared::of(run).map_err(|error| unsound(&error))? {
        Some(compared) => compared.verify().map_err(|error| unsound(&error)),
        None => Ok(()),
    }
}

/// The comparison of a run whose plan was fixed; `None` when no model worked in it.
pub(super) fn judged(base: &Base, run: &RunRecord, file: &Path) -> Outcome<Option<Compared>> {
    if !is_used(run) {
        return Ok(None);
    }
    let planned = Reader::open(file)?.planned()?;
    fixed(base, run, &planned).map(Some).map_err(|error| unusable(&error))
}

fn fixed(base: &Base, run: &RunRecord, planned: &[Planned]) -> Result<Compared, GateError> {
    let mut gates = Gates::begin(&base.known(), &run.manifest, planned, Course::Fixed)?;
    for result in run.results.iter().filter(|result| !result.confirms) {
        if let Some(outcome) = cells::outcome(result) {
            gates.observe(&result.header.key, outcome)?;
        }
    }
    gates.compared()
}

/// A gate that cannot work with the policy of its suite.
pub(super) fn unusable(error: &GateError) -> Failure {
    let knob = matches!(error, GateError::Knob { .. });
    let (exit, code) = if knob { (Exit::Usage, "gate.settings") } else { (Exit::Bug, "bug.gate") };
    let failure = Failure::new(exit, code, format!("the gate of the suite cannot work: {error}"));
    if knob { failure.hint("mend the `gate:` block of the suite, or pass `--no-baseline`") } else { failure }
}
