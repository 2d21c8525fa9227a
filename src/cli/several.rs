//! Several suites in one command: one exit code, and on stdout one document.

use serde_json::{Value, json};

use super::Context;
use super::conclude::{self, Concluded};
use super::failure::{Failure, Outcome};
use super::files::in_a_row;
use crate::gate::Exit;

/// What the suites of one command have come to so far.
pub(super) struct Several<'a> {
    format: &'a str,
    documents: Vec<Value>,
    /// Suites that did not get as far as a run.
    errors: Vec<Value>,
    failures: Vec<Failure>,
}

impl<'a> Several<'a> {
    /// Begins. Most formats have no form for several runs in one document.
    pub(super) fn new(format: &'a str) -> Outcome<Self> {
        in_a_row(format)?;
        Ok(Self { format, documents: vec![], errors: vec![], failures: vec![] })
    }

    /// A suite has run.
    pub(super) fn concluded(&mut self, concluded: &Concluded, context: &Context) -> Outcome<()> {
        if self.format == "json" {
            let bytes = concluded.rendered(conclude::known(self.format)?, context)?;
            self.documents.push(serde_json::from_slice(&bytes).unwrap_or_default());
        } else {
            concluded.print(self.format, context)?;
        }
        self.failures.extend(concluded.outcome().err());
        Ok(())
    }

    /// A suite could not run.
    pub(super) fn failed(&mut self, failure: Failure, context: &Context) {
        let mut failure = failure.redacted(&context.secrets);
        failure.tell(context.printer);
        self.errors.push(failure.to_json(context.printer.program()));
        self.failures.push(failure);
    }

    /// Prints what is one document for all, and ends with the gravest code.
    pub(super) fn end(self, context: &Context) -> Outcome {
        let Self { format, documents, errors, failures } = self;
        let exit = Exit::gravest(failures.iter().map(|failure| failure.exit));
        if format == "json" {
            let all = json!({"schema": 1, "exit_code": exit.code(), "suites": documents, "errors": errors});
            context.printer.data_line(&serde_json::to_string_pretty(&all).unwrap_or_default())?;
        }
        failures.into_iter().find(|failure| failure.exit == exit).map_or(Ok(exit), Err)
    }
}
