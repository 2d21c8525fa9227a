//! Arguments of `baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::PlanFormat;

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Add what a run gave to the baseline of its suite: from then on, runs are measured against it.
    Accept(AcceptArgs),
    /// Show a baseline: its nights, its lanes, and what has changed since.
    Show(ShowArgs),
    /// Keep an accepted night beside the newest ones, to measure a release against.
    Pin(PinArgs),
}

/// Arguments of `baseline accept`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AcceptArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    pub run: String,
    /// Pin it as well: releases are measured against it.
    #[arg(long)]
    pub pin: bool,
    /// Accept a run that did not pass. The reason is kept in the file.
    #[arg(long, value_name = "WHY")]
    pub force: Option<String>,
    /// Where runs and baselines are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// Arguments of `baseline show`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// A suite; or a run, which also shows what differs between it and the baseline. Default: the only baseline.
    pub name: Option<String>,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// Where runs and baselines are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// Arguments of `baseline pin`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PinArgs {
    /// An accepted run: its id or the start of it; or a suite, whose newest night is pinned.
    pub name: String,
    /// Take the pin away.
    #[arg(long)]
    pub remove: bool,
    /// Where runs and baselines are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}
