//! Whether a resolved suite makes sense: rules that need more than one key to decide, one file per subject.

use super::Suite;
use super::resolve::Layer;
use crate::diag::Diagnostic;

mod cases;
mod expectations;
mod instruments;
mod scalars;

/// Adds every mistake to the list.
pub(super) fn suite(suite: &Suite, layers: &[Layer], diagnostics: &mut Vec<Diagnostic>) {
    let found = diagnostics.len();
    cases::check(suite, diagnostics);
    expectations::check(suite, diagnostics);
    instruments::check(suite, diagnostics);
    // Advice about spelling would only hide real errors.
    if diagnostics.len() == found {
        for layer in layers {
            if let Some(text) = suite.sources.get(&layer.file) {
                scalars::check(&layer.file, text, diagnostics);
            }
        }
    }
}
