//! Arguments of `tools`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::PlanFormat;

/// Arguments of `tools`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ToolsArgs {
    /// A URL, or a suite whose target is looked at as each of its personas, and held against its `surface:`.
    pub target: Option<String>,
    /// The clients to hold the server against: `all`, or names with or without layers.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// Models whose APIs are to take the tools: names, or `provider:id`. Needs no key. Repeatable.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// The environment variable with a bearer token to send; for a URL.
    #[arg(long, value_name = "VARIABLE")]
    pub bearer_env: Option<String>,
    /// Write one JSON file per tool into this folder, and remove those of tools that are gone.
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// Say what changed against such a folder, or against a run: its id or the start of it, `latest`, or a path.
    #[arg(long, value_name = "DIR|RUN")]
    pub against: Option<String>,
    /// Where runs are kept, for `--against`.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// End with exit code 1 when the tools cost more tokens than this.
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// End with exit code 1 when a single tool costs more tokens than this.
    #[arg(long, value_name = "N")]
    pub max_tool_tokens: Option<u64>,
    /// End with exit code 1 when something is this grave or graver. Repeatable.
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub fail_on: Vec<FailOn>,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// A server over standard streams: the command and its arguments, after `--`.
    #[arg(last = true, conflicts_with = "target")]
    pub command: Vec<String>,
}

/// What ends the program with exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOn {
    /// A client hides, cuts or changes something.
    Warning,
    /// Anything at all that a client makes of the tools.
    Note,
    /// An error of the lint.
    LintError,
    /// A warning of the lint, or an error.
    LintWarning,
    /// Anything that the lint says.
    LintNote,
    /// A change that breaks callers; needs `--against`.
    Breaking,
    /// A change that adds something, or breaks callers; needs `--against`.
    Additive,
    /// Any change, of words as well; needs `--against`.
    Wording,
}
