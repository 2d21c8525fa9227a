//! What the command line says about baselines.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::RunArg;

/// The way past a baseline.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct Past {
    /// Decide by the bar of the suite (`gate.min_pass`), as if no run had been accepted as a baseline.
    #[arg(long)]
    pub no_baseline: bool,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct GateArgs {
    /// The run.
    #[command(flatten)]
    pub run: RunArg,
    /// The baseline to compare with, in place of the one the run was compared with.
    #[arg(long, value_name = "FILE", conflicts_with = "no_baseline")]
    pub baseline: Option<PathBuf>,
    /// The way past a baseline.
    #[command(flatten)]
    pub past: Past,
}
