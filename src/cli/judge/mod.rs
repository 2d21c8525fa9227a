//! `judge`: the judge against people, against attacks and against another judge.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::args::PlanFormat;
use super::experiment::kept;
use super::failure::{Failure, Outcome, tell_diagnostics};
use crate::diag::{Diagnostic, suggest};
use crate::drive::{cast, stage};
use crate::llm;
use crate::score::judge::calibration::Calibration;
use crate::score::judge::routing::TOLERATED;
use crate::score::judge::{Criterion, Fingerprint, Judge, Rubric, SURE};
use crate::store::layout;
use crate::store::record::{Calibrated, CanarySeen, Judging, Manifest};
use crate::store::verdicts::VerdictFile;
use crate::suite::catalog::{Catalog, Kind};
use crate::suite::{JudgeSpec, Suite};
use crate::transcript::Recorder;
use crate::units::Share;

mod bridge;
mod calibrate;
mod canary;
mod label;
mod rulings;

/// What to do with a judge.
#[derive(Debug, Subcommand)]
pub(super) enum JudgeCommand {
    /// Judge frozen transcripts again, and attacked ones: does the judge decide as agreed, can it be talked round?
    Canary(CanaryArgs),
    /// Hold a judge's verdicts against people's labels, and keep the result beside the rubric.
    Calibrate(CalibrateArgs),
    /// Label what a judge decided, trial by trial, without seeing what it said.
    Label(LabelArgs),
    /// Let another judge decide what a stored run's judge decided: may their verdicts be compared?
    Bridge(BridgeArgs),
}

impl JudgeCommand {
    /// Whether a program reads stdout.
    pub(super) fn is_machine(&self) -> bool {
        match self {
            Self::Canary(args) => args.format == PlanFormat::Json,
            Self::Calibrate(args) => args.format == PlanFormat::Json,
            Self::Bridge(args) => args.format == PlanFormat::Json,
            Self::Label(_) => false,
        }
    }
}

/// Which judge.
#[derive(Clone, Debug, Args)]
pub(super) struct Which {
    /// The judge's model: a file in evals/models, or provider:id.
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// How it is asked: a file in evals/rubrics.
    #[arg(long, value_name = "NAME", default_value = "answers-question")]
    rubric: String,
}

/// Arguments of `judge canary`.
#[derive(Debug, Args)]
pub(super) struct CanaryArgs {
    /// Which judge. Default: the scripted judge, which reads no words and cannot be talked round.
    #[command(flatten)]
    which: Which,
    /// Calls at once.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Where runs are kept: the result is kept among them, and later runs with this judge take it into account.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    format: PlanFormat,
}

/// Arguments of `judge calibrate`.
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// The rubric.
    rubric: String,
    /// Labels: a YAML file as `judge label` writes it, or CSV.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// Judge the labelled trials again with this model, instead of taking the verdicts in the file.
    #[arg(short, long, value_name = "NAME")]
    model: Option<String>,
    /// The labelled trials were drawn by lot among all of their runs (a CSV file cannot say so).
    #[arg(long)]
    random: bool,
    /// The share of verdicts kept without a second judge on which people may differ: it sets the probability below which
    /// the second is asked.
    #[arg(long, value_name = "SHARE", default_value_t = Share(TOLERATED))]
    tolerate: Share,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    format: PlanFormat,
}

/// Arguments of `judge label`.
#[derive(Debug, Args)]
pub(super) struct LabelArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    run: String,
    /// The file of labels; what is in it is kept, what this rater labelled is not asked again.
    #[arg(long, value_name = "FILE", default_value = "labels.yaml")]
    labels: PathBuf,
    /// Who labels.
    #[arg(long, value_name = "NAME", default_value = "me")]
    rater: String,
    /// Stop after so many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    number: usize,
    /// Only what the judge left undecided.
    #[arg(long)]
    undecided: bool,
    /// The seed of the lot by which trials are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

/// Arguments of `judge bridge`.
#[derive(Debug, Args)]
pub(super) struct BridgeArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    run: String,
    /// The other judge.
    #[command(flatten)]
    which: Which,
    /// Calls at once.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    concurrency: u16,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    format: PlanFormat,
}

/// Carries out a `judge` command.
pub(super) async fn judge(command: &JudgeCommand, context: &Context) -> Outcome {
    match command {
        JudgeCommand::Canary(args) => canary::canary(args, context).await,
        JudgeCommand::Calibrate(args) => calibrate::calibrate(args, context).await,
        JudgeCommand::Label(args) => label::label(args, context),
        JudgeCommand::Bridge(args) => bridge::bridge(args, context).await,
    }
}

/// A judge that reuses verdicts kept beside this run file. Where people were asked it is held to what they showed of how
/// sure it must be to need no second one; where it only advises is in its definition, see [`hold`].
pub(super) fn remembering(judge: Judge, run_file: &Path, known: Option<&Judging>) -> Judge {
    let calibration = known.and_then(|known| known.calibration.as_ref());
    let sure = calibration.and_then(|known| known.routing).map_or(SURE, |routing| routing.above);
    let verdicts = run_file
        .ancestors()
        .nth(3)
        .map(|reports| -> Arc<dyn crate::score::judge::Verdicts> { Arc::new(VerdictFile::beside(reports)) });
    Judge { verdicts, sure, ..judge }
}

fn calibrated(known: &Calibration) -> Calibrated {
    Calibrated {
        on: known.on.clone(),
        measured: known.measured,
        may_gate: known.may_gate,
        panel: known.panel,
        routing: known.routing,
        weak: known.weak(),
    }
}

/// Notes in a suite where its judge only advises: as it was known when a run began, else as it is known now.
pub(super) fn hold(suite: &mut Suite, run: Option<&Manifest>, context: &Context) {
    let Some(spec) = suite.judge.as_mut().map(|judge| &mut judge.value) else { return };
    let fingerprint = spec.fingerprint();
    let then = run.and_then(|manifest| manifest.judging.as_ref());
    let known = match then.filter(|judging| judging.fingerprint == fingerprint) {
        Some(judging) => judging.calibration.clone(),
        // A file that cannot be read is told where the run is described.
        None => {
            let now = context.project().calibrations(&spec.rubric.name).ok().flatten();
            now.and_then(|known| known.of(fingerprint).map(calibrated))
        }
    };
    spec.advises = known.as_ref().map(Calibrated::advises).unwrap_or_default();
}

/// Who judges a suite and how well that is known, for the record.
pub(super) fn judging(suite: &Suite, context: &Context) -> Option<Judging> {
    let spec = &suite.judge.as_ref()?.value;
    let fingerprint = spec.fingerprint();
    let known = match context.project().calibrations(&spec.rubric.name) {
        Ok(known) => known,
        Err(diagnostic) => {
            context.printer.tell(&format!("warning: {}", diagnostic.message));
            None
        }
    };
    let calibration = known.as_ref().and_then(|known| known.of(fingerprint)).map(calibrated);
    let is_kin = |candidate: &llm::ModelSpec| {
        spec.models().any(|judge| {
            judge.name == candidate.name || (judge.family.is_some() && judge.family == candidate.family)
        })
    };
    let candidates = suite.models.iter().map(|model| &model.value).filter(|model| is_kin(model));
    Some(Judging {
        models: spec.models().map(|model| model.name.to_string()).collect(),
        rubric: spec.rubric.name.clone(),
        fingerprint,
        kin: candidates.map(|model| model.name.to_string()).collect(),
        calibration,
        confidence: spec.confidence,
        canary: None,
    })
}

/// Notes in the record of a run what the newest canary said of its judge: of several models the one that failed it.
pub(super) fn note_canary(manifest: &mut Manifest, suite: &Suite, reports: &Path) {
    let (Some(judging), Some(spec)) = (&mut manifest.judging, &suite.judge) else { return };
    let spec = &spec.value;
    let newest = |model: &llm::ModelSpec| {
        let judge = Fingerprint::of(model, &spec.rubric);
        let seen: CanarySeen = kept(&layout::canary_file(reports, &judge.to_string()))?;
        (seen.judge == judge).then_some(seen)
    };
    let seen: Vec<CanarySeen> = spec.models().filter_map(newest).collect();
    let failed = seen.iter().find(|seen| seen.failed.is_some());
    judging.canary = failed.or(seen.first()).cloned();
}

/// The definition of a judge by the names of its model and rubric.
pub(super) fn spec(model: &str, rubric: &str, context: &Context) -> Outcome<JudgeSpec> {
    let catalog = context.project().catalog();
    let found = catalog.model(model).ok_or_else(|| unknown(Kind::Model, model, &catalog))?;
    let model = found.map_err(|diagnostic| refused(&[diagnostic], context))?;
    Ok(JudgeSpec::alone(model, self::rubric(rubric, &catalog, context)?))
}

fn rubric(name: &str, catalog: &Catalog, context: &Context) -> Outcome<Rubric> {
    let found = catalog.find::<Rubric>(name).ok_or_else(|| unknown(Kind::Rubric, name, catalog))?;
    Ok(found.map_err(|diagnostic| refused(&[diagnostic], context))?.definition)
}

fn unknown(kind: Kind, name: &str, catalog: &Catalog) -> Failure {
    let message = format!("there is no {} `{name}`", kind.noun());
    Failure::usage("suite.unknown-name", message).hint(suggest::hint(name, catalog.names(kind)))
}

fn refused(diagnostics: &[Diagnostic], context: &Context) -> Failure {
    let told = tell_diagnostics(context.printer, diagnostics, &|_| None);
    told.err().unwrap_or_else(|| Failure::usage("judge.bad-file", "a file of the judge cannot be read"))
}

/// Builds a judge; whatever its models read from the environment is registered as a secret.
pub(super) fn built(spec: &JudgeSpec, context: &Context) -> Outcome<Judge> {
    let (env, secrets) = (Arc::clone(&context.env), context.secrets.clone());
    let keys: stage::Env = Arc::new(move |name| env(name).inspect(|value| secrets.register(name, value)));
    let outside = super::eval::outside(context)?;
    let outside = llm::Outside::new(outside.http, keys);
    cast::examiners(spec, |spec| llm::build(spec, &outside)).map_err(|fault| Failure::from_fault(&fault))
}

/// A scripted judge follows what the criteria themselves say.
pub(super) fn scripted<'a>(spec: &mut JudgeSpec, criteria: impl Iterator<Item = &'a Criterion>) {
    if spec.model.dialect == "scripted_judge" {
        let rules = criteria.filter_map(|criterion| {
            let (_, statement) = criterion.statement()?;
            Some(json!({"statement": statement, "matches": criterion.scripted.as_ref()?}))
        });
        spec.model.script = Some(rules.collect());
    }
}

/// Where failed attempts of judges are noted that belong to no trial.
pub(super) fn log(context: &Context) -> Recorder {
    Recorder::new(context.clock.clone(), context.secrets.clone())
}

/// `12.3 %`.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `0.912 (0.874 to 0.940)`, or `n/a`.
fn rate(rate: Option<[f64; 3]>) -> String {
    rate.map_or_else(|| "n/a".to_owned(), |[rate, low, high]| format!("{rate:.3} ({low:.3} to {high:.3})"))
}

/// Three digits, or `n/a`.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.3}"))
}
