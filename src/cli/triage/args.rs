//! The arguments of `triage`.

use std::path::PathBuf;

use clap::Args;

use super::super::args::PlanFormat;
use super::super::values::dollars;

/// Arguments of `triage`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct TriageArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    pub(super) run: String,
    /// Cases. Default: every use case that failed.
    #[arg(value_name = "CASE")]
    pub(super) cases: Vec<String>,
    /// Another model, to tell the model from what it reads: a file in evals/models, or provider:id.
    #[arg(long, value_name = "NAME")]
    pub(super) second_model: Option<String>,
    /// Another judge for what only the judge failed. Default: the second judge of the suite, if it has one.
    #[arg(long, value_name = "NAME")]
    pub(super) second_judge: Option<String>,
    /// Trials of each kind and case.
    #[arg(short = 'k', long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) trials: u32,
    /// Trials at once.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) concurrency: u16,
    /// Start no more trials when this many US dollars are spent.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub(super) max_cost: Option<f64>,
    /// Only say what would be run.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Start the programs that the suite names.
    #[arg(long)]
    pub(super) allow_exec: bool,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub(super) out: PathBuf,
    /// What to print.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub(super) format: PlanFormat,
}

impl TriageArgs {
    /// Whether a program reads stdout.
    pub(in crate::cli) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}
