//! A command that could not do its work: exit code, what, where, what to do; as text and as one JSON line.

use serde_json::json;

use super::Context;
use super::output::Printer;
use crate::diag::{Diagnostic, Severity, render};
use crate::display;
use crate::gate::Exit;
use crate::transcript::{Fault, Side};

/// Why a command stopped.
#[derive(Debug)]
pub(super) struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// A stable code that `rehearsal explain` knows.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// What was already printed in full, so that only the machine line is still owed.
    pub told: bool,
}

/// The result of a command.
pub(super) type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    /// A failure with its exit code.
    pub(super) fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { exit, code: code.into(), message: message.into(), hint: None, told: false }
    }

    /// Wrong usage.
    pub(super) fn usage(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    /// Adds what to do.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code of a fault that kept a run from starting.
    pub(super) fn from_fault(fault: &Fault) -> Self {
        let exit = match (fault.side, fault.code.as_str()) {
            (_, code) if code.starts_with("credentials.") => Exit::Credentials,
            (_, code) if code.starts_with("store.") => Exit::LocalIo,
            (_, "target.unauthorized") => Exit::Credentials,
            (Side::Server | Side::Auth, _) => Exit::Target,
            (Side::Model | Side::Judge, _) => Exit::Inconclusive,
            (Side::Harness, code) if code.starts_with("bug.") => Exit::Bug,
            (Side::Harness, _) => Exit::Target,
        };
        Self::new(exit, fault.code.clone(), fault.message.clone())
    }

    /// Prints it, and in machine modes the one JSON line that ends stderr.
    pub(super) fn print(&self, context: &Context) {
        let (printer, exit) = (context.printer, self.exit.code());
        // A fault of the stage quotes the target, which may repeat what it was given.
        let message = context.secrets.redact(&self.message);
        let hint = self.hint.as_deref().map(|hint| context.secrets.redact(hint));
        if !self.told {
            printer.tell(&format!("error[{}]: {}", self.code, display::safe(&message)));
            if let Some(hint) = &hint {
                printer.tell(&format!("  hint: {}", display::safe(hint)));
            }
            printer.tell(&format!("exit {exit} · rehearsal explain {}", self.code));
        }
        if printer.is_machine() {
            let message = display::safe_line(&message);
            let error = json!({"error": {"code": self.code, "exit": exit, "message": message, "hint": hint, "where": null, "causes": []}});
            printer.tell(&error.to_string());
        }
    }
}

/// Prints every diagnostic with its excerpt; an error among them is a failure of usage.
pub(super) fn tell_diagnostics(
    printer: Printer,
    diagnostics: &[Diagnostic],
    sources: render::Sources<'_>,
) -> Outcome<()> {
    const MOST: usize = 20;
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    for diagnostic in diagnostics.iter().take(MOST) {
        printer.tell(render::render(diagnostic, sources).trim_end());
    }
    if diagnostics.len() > MOST {
        printer.tell(&format!("... and {} more", diagnostics.len() - MOST));
    }
    if errors == 0 {
        return Ok(());
    }
    let first = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    let code = first.map_or("suite.syntax", |diagnostic| diagnostic.code);
    let message = first.map_or_else(String::new, |diagnostic| diagnostic.message.clone());
    let plural = if errors == 1 { "error" } else { "errors" };
    printer.tell(&format!(
        "{errors} {plural}; nothing was run, nothing was spent. exit 2 · rehearsal explain {code}"
    ));
    Err(Failure { told: true, ..Failure::usage(code, message) })
}
