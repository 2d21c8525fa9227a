//! Arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::PlanFormat;

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    /// A suite, or the URL of a server. Default: every suite of the project.
    pub subject: Option<String>,
    /// Ask no model, no authorization server and no target that is elsewhere.
    #[arg(long)]
    pub offline: bool,
    /// The environment variable with a bearer token to send; for a URL or a command.
    #[arg(long, value_name = "VARIABLE")]
    pub bearer_env: Option<String>,
    /// Trials that shall be in flight at most: what the machine must bear.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// A server over standard streams: the command and its arguments, after `--`.
    #[arg(last = true, conflicts_with = "subject")]
    pub command: Vec<String>,
}

impl DoctorArgs {
    /// Whether a program reads stdout.
    pub(in crate::cli) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}
