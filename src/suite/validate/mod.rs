//! Whether a resolved suite makes sense: rules that need more than one key to decide, one file per subject.

use super::Suite;
use super::resolve::Layer;
use crate::diag::{Diagnostic, Severity};

mod agents;
mod answers;
mod cases;
mod expectations;
mod instruments;
mod judges;
mod personas;
mod scalars;

/// Adds every mistake to the list.
pub(super) fn suite(suite: &Suite, layers: &[Layer], diagnostics: &mut Vec<Diagnostic>) {
    cases::check(suite, diagnostics);
    expectations::check(suite, diagnostics);
    instruments::check(suite, diagnostics);
    judges::check(suite, diagnostics);
    agents::check(suite, diagnostics);
    // Advice would only hide real errors, and often follows from them.
    if diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) {
        instruments::advise(suite, diagnostics);
        judges::advise(suite, diagnostics);
        personas::advise(suite, diagnostics);
        answers::advise(suite, diagnostics);
        agents::advise(suite, diagnostics);
        for layer in layers {
            if let Some(text) = suite.sources.get(&layer.file) {
                scalars::check(&layer.file, text, diagnostics);
            }
        }
    }
}
