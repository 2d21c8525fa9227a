//! A command that could not do its work: exit code, what, where, what to do; as text and as one JSON line.

use serde_json::{Value, json};

use super::output::Printer;
use super::program::commands;
use crate::diag::{Diagnostic, Origin, Severity, render};
use crate::display;
use crate::gate::Exit;
use crate::store::StoreError;
use crate::transcript::{Fault, Secrets, Side};

/// Most diagnostics shown, and most causes in the JSON line.
const MOST: usize = 20;

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
    /// Where, if it is in a file.
    pub at: Option<Box<Origin>>,
    /// What else is wrong.
    pub causes: Vec<String>,
    /// What was already printed in full, so that only the machine line is still owed.
    pub told: bool,
}

/// The result of a command.
pub(super) type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    /// A failure with its exit code.
    pub(super) fn new(exit: Exit, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { exit, code, message, hint: None, at: None, causes: vec![], told: false }
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

    /// Adds where, unless it is known better already.
    #[must_use]
    pub(super) fn at(mut self, origin: &Origin) -> Self {
        self.at.get_or_insert_with(|| Box::new(origin.clone()));
        self
    }

    /// The exit code of a fault that kept a run from starting.
    pub(super) fn from_fault(fault: &Fault) -> Self {
        let exit = match (fault.side, fault.code.as_str()) {
            (_, code) if code.starts_with("credentials.") => Exit::Credentials,
            (_, code) if code.starts_with("store.") => Exit::LocalIo,
            (_, code) if code.starts_with("tape.") => Exit::Usage,
            (_, "target.unauthorized") => Exit::Credentials,
            (Side::Server | Side::Auth, _) => Exit::Target,
            (Side::Model | Side::Judge, _) => Exit::Inconclusive,
            (Side::Harness, code) if code.starts_with("bug.") => Exit::Bug,
            (Side::Harness, _) => Exit::Target,
        };
        let failure = Self::new(exit, fault.code.clone(), fault.message.clone());
        match what_to_do(&fault.code) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Prints it for a person, once.
    pub(super) fn tell(&mut self, printer: Printer) {
        if self.told {
            return;
        }
        self.told = true;
        printer.tell(&format!("error[{}]: {}", self.code, display::safe(&self.message)));
        if let Some(origin) = &self.at {
            printer.tell(&format!("  --> {}", display::safe_line(&origin.to_string())));
        }
        if let Some(hint) = &self.hint {
            printer.tell(&format!("  hint: {}", display::safe(&printer.commands(hint))));
        }
        printer.tell(&format!("exit {} · {} explain {}", self.exit.code(), printer.program(), self.code));
    }

    /// The same without secrets: a fault of the stage quotes the target, which may repeat what it was given.
    #[must_use]
    pub(super) fn redacted(mut self, secrets: &Secrets) -> Self {
        let clean = |text: &mut String| *text = secrets.redact(text).into_owned();
        clean(&mut self.message);
        self.hint.iter_mut().chain(&mut self.causes).for_each(clean);
        self
    }

    /// Prints it, and in machine modes the one JSON line that ends stderr.
    pub(super) fn print(mut self, printer: Printer) {
        self.tell(printer);
        if printer.is_machine() {
            printer.tell(&json!({"error": self.to_json(printer.program())}).to_string());
        }
    }

    /// What a program reads. `program` is how the user starts this one.
    pub(super) fn to_json(&self, program: &str) -> Value {
        let line = |text: &String| display::safe_line(text);
        let place = self.at.as_ref().map(|origin| {
            json!({"file": display::safe_line(&origin.file), "line": origin.line, "column": origin.column})
        });
        json!({
            "code": self.code,
            "exit": self.exit.code(),
            "message": line(&self.message),
            "hint": self.hint.as_ref().map(|hint| line(&commands(hint, program))),
            "where": place,
            "causes": self.causes.iter().map(line).collect::<Vec<_>>(),
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Missing { .. } | StoreError::Unknown { .. } | StoreError::Ambiguous { .. } => {
                Exit::Usage
            }
            error if error.is_bug() => Exit::Bug,
            _ => Exit::LocalIo,
        };
        Self::new(exit, error.code(), error.to_string()).hint(error.hint())
    }
}

/// What to do about a fault whose own words do not say it.
fn what_to_do(code: &str) -> Option<&'static str> {
    Some(match code {
        "credentials.missing-key" => {
            "export the variable, or choose a model that needs no key: `--model lexical`"
        }
        "target.died" => "start the command of `target` by hand, and see why it ends",
        "target.timeout" => {
            "does it speak MCP over this transport? raise `ready: {timeout: …}` under `target` if it is only slow to start"
        }
        "target.not-ready" => "raise `ready: {timeout: …}` under `target` if it is only slow to start",
        _ => return None,
    })
}

/// Prints every diagnostic with its excerpt; an error among them is a failure of usage.
pub(super) fn tell_diagnostics(
    printer: Printer,
    diagnostics: &[Diagnostic],
    sources: render::Sources<'_>,
) -> Outcome<()> {
    for diagnostic in diagnostics.iter().take(MOST) {
        printer.tell(render::render(diagnostic, sources).trim_end());
    }
    if diagnostics.len() > MOST {
        printer.tell(&format!("... and {} more", diagnostics.len() - MOST));
    }
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let Some(first) = errors.next() else { return Ok(()) };
    let causes: Vec<String> = errors.map(|diagnostic| diagnostic.message.clone()).collect();
    let count = crate::report::figures::count(1 + causes.len() as u64, "error");
    printer.tell(&format!(
        "{count}; nothing was run, nothing was spent. exit 2 · {} explain {}",
        printer.program(),
        first.code
    ));
    let hint = (!first.hints.is_empty()).then(|| first.hints.join("; "));
    let causes = causes.into_iter().take(MOST).collect();
    Err(Failure {
        hint,
        at: first.at.clone().map(Box::new),
        causes,
        told: true,
        ..Failure::usage(first.code, &first.message)
    })
}
