//! `explain`: the long text for any code that a message names, auth checks included.

use super::Context;
use super::failure::{Failure, Outcome};
use crate::auth::checks;
use crate::diag::suggest;
use crate::gate::{Exit, explain as texts};

/// Prints what a code means.
pub(super) fn explain(code: &str, context: &Context) -> Outcome {
    let check = texts::auth_check(code);
    match check.as_deref().or_else(|| texts::explain(code)) {
        Some(text) => {
            context.printer.data_line(&context.printer.commands(text))?;
            Ok(Exit::Pass)
        }
        None => Err(Failure::usage("explain.unknown", format!("`{code}` is no code that rehearsal uses"))
            .hint(suggest::hint(code, texts::codes().chain(checks::ids()).collect::<Vec<_>>()))),
    }
}
