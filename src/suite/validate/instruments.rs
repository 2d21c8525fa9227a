//! Personas and models: credentials from variables that are not declared, steps as unknown personas, personas that
//! nothing uses.

use std::collections::HashSet;

use super::personas;
use crate::auth::IdentitySpec;
use crate::diag::{Diagnostic, Located, suggest};
use crate::ids::PersonaName;
use crate::suite::{IssuerSpec, Suite};

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    credentials(suite, diagnostics);
    personas::check(suite, diagnostics);
    steps(suite, diagnostics);
}

fn credentials(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let declared = suite.env.iter().map(|variable| variable.value.as_str());
    let mut undeclared = |variable: &str, who: String, at: &crate::diag::Origin| {
        if let Some(public) = suite.public.iter().find(|public| public.value == variable) {
            let message =
                format!("the variable `{variable}` is called public, and {who} reads a credential from it");
            diagnostics.push(
                Diagnostic::error("suite.contradiction", public.origin.clone(), message)
                    .also(at.clone(), "read here")
                    .hint(format!("declare it as a secret: `env: [{variable}]`")),
            );
        }
        if declared.clone().all(|known| known != variable) {
            diagnostics.push(
                Diagnostic::error(
                    "suite.undeclared-variable",
                    at.clone(),
                    format!("{who} reads the variable `{variable}`, which the suite does not declare"),
                )
                .hint(format!("declare it: `env: [{variable}]`")),
            );
        }
    };
    for persona in &suite.personas {
        let who = format!("persona `{}`", persona.value.name);
        for variable in persona.value.identity.variables() {
            undeclared(variable, who.clone(), &persona.origin);
        }
    }
    // An instrument's key is the user's own choice; a key that the suite itself asks for must be visible in `env`.
    let inline = |name: &str| {
        suite
            .instruments
            .iter()
            .any(|used| used.kind == "model" && used.name == name && used.from == "inline")
    };
    let judge = suite.judge.iter().flat_map(|judge| judge.value.models().map(|model| (model, &judge.origin)));
    for (model, at) in suite.models.iter().map(|model| (&model.value, &model.origin)).chain(judge) {
        if let Some(key) =
            model.key.as_deref().filter(|_| inline(model.name.as_str()) && !model.name.as_str().contains(':'))
        {
            undeclared(key, format!("model `{}`", model.name), at);
        }
    }
    minted_without_issuer(suite, diagnostics);
}

fn minted_without_issuer(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    if matches!(suite.issuer, IssuerSpec::Embedded(_)) {
        return;
    }
    for persona in &suite.personas {
        if matches!(persona.value.identity, IdentitySpec::Minted(_)) {
            let message =
                format!("persona `{}` needs tokens, and the suite has no issuer", persona.value.name);
            diagnostics.push(
                Diagnostic::error("suite.no-issuer", persona.origin.clone(), message)
                    .hint("add `auth: {issuer: embedded}`"),
            );
        }
    }
}

fn step_personas(suite: &Suite) -> impl Iterator<Item = Located<PersonaName>> {
    suite.cases.iter().flat_map(|case| {
        let steps = case.setup.iter().chain(&case.cleanup).map(|step| (&step.value, &step.origin));
        let verify = case.verify.iter().map(|verify| (&verify.value.step, &verify.origin));
        steps.chain(verify).filter_map(|(step, at)| Some(Located::new(step.persona()?.clone(), at.clone())))
    })
}

fn steps(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let known = suite.personas.iter().map(|persona| persona.value.name.as_str());
    for name in step_personas(suite) {
        if known.clone().all(|known| known != name.value.as_str()) {
            let message = format!("unknown persona `{}`", name.value);
            let diagnostic = Diagnostic::error("suite.unknown-name", name.origin, message)
                .hint(suggest::hint(name.value.as_str(), known.clone()));
            // A step of the suite itself stands in every case.
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
    }
}

/// Adds warnings; called when there is no error.
pub(super) fn advise(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let in_cases = suite.cases.iter().flat_map(|case| case.personas.iter().cloned());
    let in_access = suite.access.iter().map(|row| row.persona.value.clone());
    let in_steps = step_personas(suite).map(|persona| persona.value);
    let in_changes = suite.access.iter().flat_map(|row| row.becomes.iter().map(|to| to.value.clone()));
    let used: HashSet<PersonaName> = in_cases.chain(in_access).chain(in_steps).chain(in_changes).collect();
    let written = |at: &crate::diag::Origin| (at.line, at.column) != (1, 1);
    for persona in &suite.personas {
        // Auth checks need somebody without credentials, and somebody whom the target lets in.
        let probed = !suite.auth_checks.is_empty();
        if !used.contains(&persona.value.name) && !probed && written(&persona.origin) {
            let message = format!("persona `{}` is listed and never used", persona.value.name);
            diagnostics.push(
                Diagnostic::error("suite.unused-persona", persona.origin.clone(), message)
                    .as_warning()
                    .hint("give a case `persona`, add a row to `access`, or remove it"),
            );
        }
    }
}
