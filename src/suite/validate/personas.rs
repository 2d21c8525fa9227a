//! Personas that contradict themselves or what is expected of them: a token that is wrong and may be stepped up, a flaw in
//! a use case that expects an answer, rights that change where no request carries a token.

use crate::auth::{IdentitySpec, Minted};
use crate::diag::{Diagnostic, Located};
use crate::ids::PersonaName;
use crate::suite::{Change, Suite, Transport};

fn minted<'a>(suite: &'a Suite, name: &PersonaName) -> Option<&'a Minted> {
    let persona = suite.personas.iter().find(|persona| persona.value.name == *name)?;
    match &persona.value.identity {
        IdentitySpec::Minted(minted) => Some(minted),
        _ => None,
    }
}

fn is_flawed(suite: &Suite, name: &PersonaName) -> bool {
    minted(suite, name).is_some_and(|minted| minted.flaw.is_some())
}

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    for persona in &suite.personas {
        let Some(minted) = minted(suite, &persona.value.name) else { continue };
        let name = &persona.value.name;
        let twice = minted.step_up.iter().find(|scope| minted.scopes.contains(scope));
        let message = match twice {
            Some(scope) => format!("persona `{name}` has the scope `{scope}` and may step up to it"),
            None if minted.flaw.is_some() && !minted.step_up.is_empty() => {
                format!(
                    "persona `{name}` has a flaw and may step up: a token that is refused gets no more scopes"
                )
            }
            None => continue,
        };
        diagnostics
            .push(Diagnostic::error("suite.contradiction", persona.origin.clone(), message).hint(
                "`step_up` lists what the persona does not have yet, but may get when it is asked for",
            ));
    }
    if suite.target.transport == Transport::Stdio {
        for change in suite.access.iter().filter_map(|row| row.becomes.last()) {
            let message =
                "over stdio an identity is fixed when the process starts, so it cannot change".to_owned();
            diagnostics.push(
                Diagnostic::error("suite.contradiction", change.origin.clone(), message)
                    .hint("`becomes` needs `transport: http`"),
            );
        }
    }
}

/// Adds warnings; called when there is no error.
pub(super) fn advise(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let mut warn = |at: &Located<_>, message: String, hint: &str| {
        let at: &crate::diag::Origin = &at.origin;
        diagnostics
            .push(Diagnostic::error("suite.flawed-persona", at.clone(), message).as_warning().hint(hint));
    };
    for case in suite.cases.iter().filter(|case| case.expected_failure.is_none()) {
        if let Some(name) = case.personas.iter().find(|name| is_flawed(suite, name)) {
            let id = &case.id.value;
            let message = format!("case `{id}` runs as `{name}`, whose token must be refused");
            let at = Located::new((), case.id.origin.clone());
            warn(&at, message, "put what it must not reach under `access: {NAME: {never: [...]}}`");
        }
    }
    for row in &suite.access {
        let now = row.becomes.last().unwrap_or(&row.persona);
        let wanted = row.sees.iter().chain(row.calls.iter().map(|(subject, _)| subject)).next();
        let known = suite.personas.iter().any(|persona| persona.value.name == now.value);
        let taken_back = !known && Change::named(now.value.as_str()) == Some(Change::Revoked);
        if let Some(wanted) = wanted.filter(|_| taken_back || is_flawed(suite, &now.value)) {
            let message =
                format!("`{}` is expected to reach something with a token that must be refused", now.value);
            let at = Located::new((), wanted.origin.clone());
            warn(&at, message, "put it under `never`, or name a persona without a flaw");
        }
    }
}
