//! Verify steps, rows of the access matrix and ids of auth checks to checks, each with its own place in the suite.

use serde_json::{Value, json};

use crate::diag::{Diagnostic, Located, Origin};
use crate::score::checks::Check;
use crate::suite::{AccessSpec, Verify};

/// What a row expects: what is listed, what is allowed, what is neither, and that nothing else is.
pub(super) fn of_access(row: &AccessSpec) -> Result<Vec<Located<Check>>, Diagnostic> {
    let mut checks = vec![];
    for subject in &row.sees {
        checks.push(check(json!({"access_visible": subject.value}), &subject.origin)?);
    }
    for (subject, _) in &row.calls {
        checks.push(check(json!({"access_allowed": subject.value}), &subject.origin)?);
    }
    for (subject, _) in &row.never {
        checks.push(check(json!({"access_hidden": subject.value}), &subject.origin)?);
        checks.push(check(json!({"access_denied": subject.value}), &subject.origin)?);
        if let Some(shape) = row.denied_as {
            let of = &subject.value;
            checks.push(check(json!({"denied_as": {"of": of, "shape": shape}}), &subject.origin)?);
        }
    }
    if let Some(at) = &row.others {
        let named: Vec<_> = row.named().map(|subject| &subject.value).collect();
        checks.push(check(json!({"access_others": named}), at)?);
    }
    Ok(checks)
}

/// What the verify step of this number must return.
pub(super) fn of_verify(index: usize, verify: &Located<Verify>) -> Result<Located<Check>, Diagnostic> {
    let Verify { path, equals, .. } = &verify.value;
    let words = match path {
        Some(path) => json!({"index": index, "path": path, "equals": equals}),
        None => json!({"index": index, "equals": equals}),
    };
    check(json!({"verify": words}), &verify.origin)
}

/// What an auth case expects: that its check holds.
pub(super) fn of_auth(id: &Located<String>) -> Result<Located<Check>, Diagnostic> {
    check(json!({"auth_check": {"id": id.value}}), &id.origin)
}

/// Checks are built from the words a suite would use, so this file knows their names and not their types.
fn check(words: Value, at: &Origin) -> Result<Located<Check>, Diagnostic> {
    match serde_json::from_value(words) {
        Ok(check) => Ok(Located::new(check, at.clone())),
        Err(error) => Err(Diagnostic::error("run.no-such-check", at.clone(), error.to_string())),
    }
}
