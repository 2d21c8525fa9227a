//! `runs trend`: the nights of a suite on charts.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::args::PlanFormat;
use super::experiment::kept;
use super::failure::{Failure, Outcome};
use crate::diag::suggest;
use crate::gate::nights::{Course, Ran, courses};
use crate::gate::{Exit, Reason};
use crate::ids::{RunId, SuiteName};
use crate::report::causes::After;
use crate::report::trend::{TrendStamp, terminal};
use crate::store::baseline;
use crate::store::history::{self, RunInfo, RunState};
use crate::store::layout;
use crate::store::read::Reader;
use crate::store::record::Manifest;
use crate::suite::GateMode;

/// Arguments of `runs trend`.
#[derive(Debug, Args)]
pub(super) struct TrendArgs {
    /// The suite.
    suite: String,
    /// Most nights, the newest.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(2..=1000))]
    nights: u16,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    format: PlanFormat,
}

impl TrendArgs {
    /// Whether a program reads stdout.
    pub(super) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}

/// Prints the nights of a suite.
pub(super) fn trend(args: &TrendArgs, context: &Context) -> Outcome {
    let out = context.root.join(&args.out);
    let suite = SuiteName::from(args.suite.as_str());
    let found = nights(&out, &suite, None, args.nights.into())?;
    if found.is_empty() {
        let known: Vec<String> =
            history::list(&out, None).0.iter().map(|run| run.manifest.suite.to_string()).collect();
        let hint = suggest::hint(&args.suite, known.iter().map(String::as_str));
        let message = format!("no model worked in any whole run of the suite `{suite}`");
        return Err(Failure::usage("run.not-found", message).hint(hint));
    }
    let stamps: Vec<TrendStamp> = found.iter().map(TrendStamp::of).collect();
    let printer = context.printer;
    match args.format {
        PlanFormat::Json => {
            let whole = serde_json::json!({"schema": 1, "suite": suite, "models": stamps});
            printer.data_line(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
        }
        PlanFormat::Human => {
            for stamp in &stamps {
                printer.data(terminal(stamp, printer.style(), printer.width()).as_bytes())?;
            }
        }
    }
    Ok(Exit::Pass)
}

/// The nights of a suite up to a run, the newest without one, model by model.
///
/// # Errors
/// The baseline of the suite cannot be read.
pub(super) fn nights(
    out: &Path,
    suite: &SuiteName,
    until: Option<&RunId>,
    most: usize,
) -> Outcome<Vec<Course>> {
    let baseline = baseline::read(&baseline::path(out, suite))?;
    let runs = history::list(out, Some(suite)).0;
    let runs = runs.into_iter().skip_while(|run| until.is_some_and(|until| run.manifest.run != *until));
    let ran = runs.filter(is_whole).take(most).filter_map(|run| {
        let exit = match run.state {
            RunState::Ended(code) => Some(code),
            RunState::Running(_) | RunState::Broken => None,
        };
        let outcomes = Reader::open(&run.path).and_then(|reader| reader.outcomes()).ok()?;
        Some(Ran { outcomes, exit })
    });
    Ok(courses(&ran.collect::<Vec<_>>(), baseline.as_ref()))
}

/// What is said of a night that passes while its suite slides.
pub(super) fn slides(file: &Path, manifest: &Manifest) -> Vec<Reason> {
    let courses = until(file, manifest);
    let sliding = courses.iter().filter(|course| course.slides());
    let reason = |course: &Course| Reason {
        code: "gate.trend".to_owned(),
        message: format!("model `{}`: {}", course.model, TrendStamp::of(course).sentence()),
        case: None,
        origin: None,
    };
    sliding.map(reason).collect()
}

/// What later looks found about a run, and the nights that end with it where a run stands for a night.
pub(super) fn after(file: &Path, manifest: &Manifest) -> After {
    let courses = if manifest.gate.mode == GateMode::Pr { vec![] } else { until(file, manifest) };
    After {
        trend: courses.iter().map(TrendStamp::of).collect(),
        triage: kept(&layout::finding_file(file, super::triage::NAME)),
        control: kept(&layout::finding_file(file, super::control::NAME)),
        surface: None,
    }
}

/// The nights that end with a run; none where it lies elsewhere, or is no night. What cannot be read tells nothing: the
/// run itself is sound without it.
fn until(file: &Path, manifest: &Manifest) -> Vec<Course> {
    let Some(reports) = file.ancestors().nth(3) else { return vec![] };
    let mut courses = nights(reports, &manifest.suite, Some(&manifest.run), NIGHTS).unwrap_or_default();
    courses.retain(|course| course.nights.last().is_some_and(|night| night.run == manifest.run));
    courses
}

/// Nights that a report looks back on.
const NIGHTS: usize = 30;

/// Whether a run is one of everything: a part of the suite is no night of it.
fn is_whole(run: &RunInfo) -> bool {
    let chosen = &run.manifest.selection;
    chosen.cases.is_empty() && chosen.tags.is_empty() && run.manifest.shard.is_none()
}
