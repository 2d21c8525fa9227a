//! `view`: run files in a browser, served on this machine until it is stopped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::conclude::{bug, conclude};
use super::failure::{Failure, Outcome};
use super::shelf;
use crate::gate::Exit;
use crate::ids::CaseKey;
use crate::report::Summary;
use crate::report::archive::Kept;
use crate::report::html::served::{Laid, Served, lay};
use crate::store::Reader;
use crate::view::{Limits, Options, Refused, Source, ViewError, Viewer};

/// Arguments of `view`.
#[derive(Debug, Args)]
pub(super) struct ViewArgs {
    /// A run to begin with (id, start of one, `latest`, a path), or a folder of runs. Left out: the list of all runs.
    run: Option<String>,
    /// The port on 127.0.0.1; a free one when absent.
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Open the page in the default browser.
    #[arg(long)]
    open: bool,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
}

/// Serves until Ctrl-C or SIGTERM, which is its normal end.
pub(super) async fn view(args: &ViewArgs, context: &Context) -> Outcome {
    // Before anything is promised: a signal that comes early is not lost.
    let (int, term) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (folder, first) = place(args, context)?;
    let options = Options { folder, first, port: args.port, limits: Limits::default() };
    let source = Arc::new(Decided(context.clone()));
    let viewer =
        Viewer::start(options, source, context.clock.clone()).await.map_err(|error| failure(&error))?;
    context.printer.data_line(&viewer.url())?;
    context.printer.talk("a viewer for this machine; whoever has the address sees the runs. Ctrl-C ends it");
    if args.open {
        open(&viewer.ticket(), context);
    }
    if let (Ok(mut int), Ok(mut term)) = (int, term) {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
    }
    viewer.close().await;
    Ok(Exit::Pass)
}

/// The folder whose runs are shown, and the run to begin with.
fn place(args: &ViewArgs, context: &Context) -> Outcome<(PathBuf, Option<PathBuf>)> {
    let out = context.root.join(&args.out);
    let Some(given) = &args.run else { return Ok((out, None)) };
    let folder = context.root.join(given);
    if folder.is_dir() {
        let reports = folder.join("reports");
        return Ok((if reports.join("runs").is_dir() { reports } else { folder }, None));
    }
    let file = super::runs::resolve(given, &args.out, context)?;
    Reader::open(&file)?;
    Ok((out, Some(file)))
}

fn failure(error: &ViewError) -> Failure {
    match error {
        ViewError::PortTaken(_) => Failure::usage(error.code(), error.to_string())
            .hint("pass another `--port`, or leave it out for a free one"),
        ViewError::Listen(_) | ViewError::NoSecret(_) => {
            Failure::new(Exit::LocalIo, error.code(), error.to_string())
        }
    }
}

/// Opens the page in the default browser, if there is one. Not in CI, where nobody would see it.
fn open(address: &str, context: &Context) {
    if (context.env)("CI").is_some() {
        context.printer.talk("no browser is opened in CI");
        return;
    }
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(program)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = started {
        context.printer.tell(&format!("cannot start `{program}` ({error}); open the address yourself"));
    }
}

/// Runs as their reports have them.
struct Decided(Context);

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message, hint: failure.hint }
    }
}

impl Source for Decided {
    fn lay(&self, file: &Path, served: &Served) -> Result<Laid, Refused> {
        let concluded = conclude(file)?;
        let summary = Summary::of(&concluded.view(&self.0));
        lay(&summary, &concluded.shelf(), served).map_err(|error| bug(&error).into())
    }

    fn trial(&self, file: &Path, key: CaseKey) -> Option<Kept> {
        shelf::kept(&Reader::open(file).ok()?, key)
    }
}
