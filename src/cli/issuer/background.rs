//! An issuer that stays behind when the command ends, so that a shell can take its variables with `eval`.
//!
//! The command starts itself once more, waits until that copy serves, prints what it says and ends. The copy holds none
//! of the shell's streams, or the shell would wait for it, and it ends by itself after a while.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::args::{EnvFormat, IssuerArgs};
use super::told::{self, Told};
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::gate::Exit;

/// Ends what the copy says.
const READY: &str = "# ready";

/// How long the copy may take to serve.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most of its complaints that is passed on, in bytes.
const COMPLAINTS: u64 = 4096;

/// What the copy says to the command that started it.
pub(super) fn report(told: &Told, format: EnvFormat) -> String {
    format!("{}{READY}\n", told::text(told, format))
}

/// Starts the copy and prints what it says.
pub(super) async fn start(args: &IssuerArgs, context: &Context) -> Outcome {
    let mut child = spawn().map_err(|error| failed(&error.to_string()))?;
    let said = match tokio::time::timeout(PATIENCE, listened(&mut child)).await {
        Ok(Some(said)) => said,
        Ok(None) => return Err(failed(&complaints(&mut child).await)),
        Err(_) => {
            // It has not begun to serve, so nobody misses it.
            let _ = child.kill().await;
            return Err(failed("it took too long"));
        }
    };
    context.printer.data(said.as_bytes())?;
    let minutes = args.background().as_secs().div_ceil(60);
    let pid = child.id().map_or_else(String::new, |id| format!("; `kill {id}` ends it sooner"));
    context.printer.talk(&format!(
        "a test issuer serves in the background for {minutes} minutes{pid}; never let anything but a test server trust it"
    ));
    Ok(Exit::Pass)
}

fn spawn() -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in the shell is meant for something else.
        .process_group(0)
        .spawn()
}

/// Everything up to the end mark; `None` if the copy ends before.
async fn listened(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let mut said = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == READY {
            return Some(said);
        }
        said.push_str(&line);
        said.push('\n');
    }
    None
}

async fn complaints(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = child.stderr.take() {
        // Half a complaint is better than none.
        let _ = stderr.take(COMPLAINTS).read_to_string(&mut text).await;
    }
    match text.trim() {
        "" => "it ended without a word".to_owned(),
        text => text.to_owned(),
    }
}

fn failed(why: &str) -> Failure {
    Failure::new(Exit::Target, "issuer.background", format!("the issuer does not start: {why}"))
}
