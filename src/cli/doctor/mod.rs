//! `doctor`: every precondition of a run in a line, with what to do. Spends nothing and leaves nothing behind.
//!
//! A family of preconditions is a file here and a line in [`PROBES`]. All are looked at side by side, each within
//! [`DEADLINE`].

use std::time::Duration;

use futures::future::{BoxFuture, join_all};

use super::Context;
use super::failure::{Failure, Outcome};
use crate::gate::Exit;

mod args;
mod auth;
mod line;
mod models;
mod programs;
mod project;
mod setting;
mod storage;
mod surroundings;
mod target;
mod terminal;
#[cfg(test)]
mod tests;

pub(super) use args::DoctorArgs;
use line::Line;
use setting::Setting;

/// How long a family may take. What is not known by then is said to be unknown.
const DEADLINE: Duration = Duration::from_secs(8);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// A family of preconditions.
struct Probe {
    /// What its lines are about.
    name: &'static str,
    look: for<'a> fn(&'a Setting<'a>) -> BoxFuture<'a, Vec<Line>>,
    /// What it means when it does not end in time.
    late: Exit,
}

impl Probe {
    /// What is told where it does not end in time.
    fn late(&self) -> Line {
        let line = Line::new(self.name, "", "did not answer in time, so nothing is known of it");
        match self.late {
            Exit::Pass => line.warning("try again"),
            exit => line.wrong(exit, "try again, or name one suite"),
        }
    }
}

/// The families, in the order of the report.
const PROBES: &[Probe] = &[
    Probe { name: "program", look: terminal::program, late: Exit::Pass },
    Probe { name: "suites", look: project::look, late: Exit::Usage },
    Probe { name: "models", look: models::look, late: Exit::Pass },
    Probe { name: "target", look: target::look, late: Exit::Target },
    Probe { name: "auth", look: auth::look, late: Exit::Pass },
    Probe { name: "programs", look: programs::look, late: Exit::Pass },
    Probe { name: "reports", look: storage::look, late: Exit::LocalIo },
    Probe { name: "machine", look: surroundings::look, late: Exit::Pass },
    Probe { name: "terminal", look: terminal::look, late: Exit::Pass },
];

/// Looks at everything and prints it.
pub(super) async fn doctor(args: &DoctorArgs, context: &Context) -> Outcome {
    let setting = Setting::of(args, context)?;
    let all = join_all(PROBES.iter().map(|probe| async {
        match tokio::time::timeout(DEADLINE, (probe.look)(&setting)).await {
            Ok(lines) => lines,
            Err(_) => vec![probe.late()],
        }
    }))
    .await;
    let mut lines: Vec<(&str, Line)> = PROBES
        .iter()
        .zip(all)
        .flat_map(|(probe, lines)| lines.into_iter().map(|line| (probe.name, line)))
        .collect();
    for (_, line) in &mut lines {
        line.redact(&context.secrets);
    }
    let exit = Exit::gravest(lines.iter().map(|(_, line)| line.exit()));
    if args.is_machine() {
        context.printer.data_line(&line::json(&lines, exit))?;
    } else {
        let printer = context.printer;
        let shown: Vec<&(&str, Line)> =
            lines.iter().filter(|(_, line)| !printer.is_quiet() || line.exit() != Exit::Pass).collect();
        printer.data(
            line::text(&shown, usize::from(printer.width()), (printer.style(), printer.program())).as_bytes(),
        )?;
    }
    if exit == Exit::Pass {
        return Ok(exit);
    }
    let first = lines.iter().find(|(_, line)| line.exit() == exit).map(|(_, line)| line.clone());
    let message = first.as_ref().map(Line::sentence).unwrap_or_default();
    let hint = first.map(|line| line.hint).unwrap_or_default();
    Err(Failure { told: !args.is_machine(), ..Failure::new(exit, code(exit), message).hint(hint) })
}

/// The code of what a run would end with.
fn code(exit: Exit) -> &'static str {
    match exit {
        Exit::Usage => "doctor.suite",
        Exit::Credentials => "doctor.credentials",
        Exit::Target => "doctor.target",
        Exit::LocalIo => "doctor.storage",
        _ => "doctor.problem",
    }
}
