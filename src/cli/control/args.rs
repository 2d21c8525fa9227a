//! The arguments of `control`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::PlanFormat;
use crate::cli::values::dollars;

/// Arguments of `control`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ControlArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    pub(super) run: String,
    /// The server as it was: a command on one line, a URL, or a tape of it. Default: `gate.control` of the suite.
    #[arg(long, value_name = "SERVER")]
    pub(super) old: Option<String>,
    /// Fresh trials of each case and server.
    #[arg(short = 'k', long, value_name = "N", default_value_t = crate::gate::control::CONTROL_TRIALS, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) trials: u32,
    /// Trials at once, over both servers.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..=4096))]
    pub(super) concurrency: u16,
    /// Start no more trials when this many US dollars are spent; half of it for each server.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub(super) max_cost: Option<f64>,
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

impl ControlArgs {
    /// Whether a program reads stdout.
    pub(in crate::cli) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}

/// The flag of commands that run a gate.
#[derive(Clone, Debug, Default, Args)]
pub(in crate::cli) struct AfterAlarm {
    /// After an alarm of the gate run this server, the one as it was, beside the new one: a command on one line, a URL, or
    /// a tape. Default: `gate.control` of the suite.
    #[arg(long, value_name = "SERVER")]
    pub control: Option<String>,
}
