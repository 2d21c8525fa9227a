//! Arguments of `init`.

use clap::{Args, ValueEnum};

/// Arguments of `init`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// A URL, a file that lists servers (.mcp.json and its like), or `demo`. Default: the usual files of the project are
    /// looked for, then those of the home folder.
    pub target: Option<String>,
    /// The name of the server, where a file lists several.
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// The name of the suite. Default: that of the server.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// An environment variable with a bearer token that the server accepts; for a server at a URL.
    #[arg(long, value_name = "VARIABLE")]
    pub bearer_env: Option<String>,
    /// Also write a job that runs the suite.
    #[arg(long, value_enum, value_name = "SYSTEM")]
    pub ci: Option<CiSystem>,
    /// Write over files that exist.
    #[arg(long)]
    pub force: bool,
    /// Print the suite and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// A server over standard streams: the command and its arguments, after `--`.
    #[arg(last = true, conflicts_with = "target")]
    pub command: Vec<String>,
}

/// Where a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CiSystem {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
}
