//! Arguments of `issuer`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::units::{Offset, Period};

/// What nobody stops ends by itself after this time.
const HOUR: Duration = Duration::from_secs(3600);

/// Arguments of `issuer`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct IssuerArgs {
    /// The port on 127.0.0.1; a free one when absent.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// A scope of the tokens that its client gets. Repeatable.
    #[arg(long = "scope", value_name = "SCOPE")]
    pub scopes: Vec<String>,
    /// Sign with the keys of this file in place of new ones. Only for test environments that cannot be told new ones.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Write such a file, which only you can read, and end.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "print_env", "tls"])]
    pub export_key: Option<PathBuf>,
    /// Serve over HTTPS; the authority goes to a file whose path is printed.
    #[arg(long)]
    pub tls: bool,
    /// Put its clock this far ahead, or behind: -2h.
    #[arg(long, value_name = "TIME", default_value = "0s", allow_hyphen_values = true)]
    pub clock_offset: Offset,
    /// Leave the issuer running in the background, and print what a server needs to trust it.
    #[arg(long)]
    pub print_env: bool,
    /// How that is printed: `eval "$(rehearsal issuer --print-env)"` takes shell.
    #[arg(long, value_enum, default_value_t = EnvFormat::Shell, value_name = "FORMAT", requires = "print_env")]
    pub format: EnvFormat,
    /// The URL of the server, printed as its audience.
    #[arg(long, value_name = "URL", requires = "print_env")]
    pub audience: Option<String>,
    /// End after this time. In the background, one hour when absent.
    #[arg(long, value_name = "TIME")]
    pub lasting: Option<Period>,
    /// Be the issuer in the background.
    #[arg(long, hide = true)]
    pub detached: bool,
}

impl IssuerArgs {
    /// How long an issuer in the background lasts.
    pub(super) fn background(&self) -> Duration {
        self.lasting.map_or(HOUR, |lasting| lasting.0)
    }

    /// When this process ends by itself. One in the foreground does so only if somebody asks for it.
    pub(super) fn end(&self) -> Option<Duration> {
        if self.detached { Some(self.background()) } else { self.lasting.map(|lasting| lasting.0) }
    }
}

/// How variables are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum EnvFormat {
    /// `export` lines.
    Shell,
    /// One JSON object.
    Json,
    /// `NAME="value"` lines.
    Dotenv,
}
