//! The access matrix and the auth pack to rows and ids.

use std::sync::Arc;

use serde_json::Value;

use super::Context;
use crate::auth::Persona;
use crate::diag::{Diagnostic, Located, suggest};
use crate::ids::{PersonaName, ToolName};
use crate::suite::catalog::{AuthPack, Kind};
use crate::suite::entries::{Calls, Entries};
use crate::suite::wire::{AccessRow, AuthChecks};
use crate::suite::yaml::At;
use crate::suite::{AccessSpec, AuthSetup};

pub(super) fn resolve(
    context: &mut Context<'_>,
    file: &Arc<str>,
    rows: &Entries<AccessRow>,
    personas: &[Located<Persona>],
) -> Vec<AccessSpec> {
    let mut specs = vec![];
    for (persona, row) in &rows.0 {
        let persona = persona.clone().locate(file);
        let known = personas.iter().map(|persona| persona.value.name.as_str());
        let Some(name) = context.among(Kind::Persona, &persona, known) else { continue };
        let spec = AccessSpec {
            persona: Located::new(PersonaName::new(name), persona.origin),
            sees: row.sees.iter().map(|tool| tool_name(tool, file)).collect(),
            calls: calls(&row.calls, file),
            never: calls(&row.never, file),
        };
        if spec.sees.is_empty() && spec.calls.is_empty() && spec.never.is_empty() {
            let message = format!("the access row of `{}` says nothing", spec.persona.value);
            let at = spec.persona.origin.clone();
            context.push(
                Diagnostic::error("suite.no-expectation", at, message)
                    .hint("give `sees`, `calls` or `never`"),
            );
        }
        contradictions(context, &spec);
        specs.push(spec);
    }
    specs
}

fn tool_name(tool: &At<String>, file: &Arc<str>) -> Located<ToolName> {
    Located::new(ToolName::from(tool.value.as_str()), tool.origin(file))
}

fn calls(calls: &Calls, file: &Arc<str>) -> Vec<(Located<ToolName>, Value)> {
    calls.0.iter().map(|(tool, args)| (tool_name(tool, file), args.clone())).collect()
}

fn contradictions(context: &mut Context<'_>, row: &AccessSpec) {
    let allowed = || row.sees.iter().chain(row.calls.iter().map(|(tool, _)| tool));
    for (tool, _) in &row.never {
        if let Some(other) = allowed().find(|allowed| allowed.value == tool.value) {
            let message = format!("tool `{}` is both allowed and forbidden", tool.value);
            let diagnostic = Diagnostic::error("suite.contradiction", tool.origin.clone(), message)
                .also(other.origin.clone(), "allowed here");
            context.push(diagnostic);
        }
    }
}

/// Who takes part in the auth checks, and the facts about the target.
pub(super) fn auth_setup(
    context: &mut Context<'_>,
    file: &Arc<str>,
    block: Option<&At<AuthChecks>>,
    personas: &[Located<Persona>],
) -> AuthSetup {
    let Some(block) = block.map(|block| &block.value) else { return AuthSetup::default() };
    let mut named = |persona: Option<&At<String>>| {
        let persona = persona?.clone().locate(file);
        context.among(Kind::Persona, &persona, personas.iter().map(|persona| persona.value.name.as_str()))?;
        Some(PersonaName::new(persona.value))
    };
    AuthSetup {
        other: named(block.other.as_ref()),
        weaker: named(block.weaker.as_ref()),
        facts: block.facts.clone(),
    }
}

/// The ids of the pack, without those to skip. Each has the place of the pack's name in the suite.
pub(super) fn auth_checks(
    context: &mut Context<'_>,
    file: &Arc<str>,
    block: Option<&At<AuthChecks>>,
) -> Vec<Located<String>> {
    let Some(AuthChecks { pack, skip, .. }) = block.map(|block| &block.value) else { return vec![] };
    let reference = pack.clone().locate(file);
    let Some(pack) = context.named::<AuthPack>(&reference) else { return vec![] };
    let pack_file = context
        .catalog
        .text(Kind::Auth, &reference.value)
        .map_or_else(|| file.clone(), |(pack_file, _)| pack_file);
    let known = crate::auth::checks::ids();
    let mut ids: Vec<Located<String>> = vec![];
    for id in &pack.value.checks {
        let id = id.clone().locate(&pack_file);
        if !known.contains(&id.value.as_str()) {
            let message = format!("unknown auth check `{}`", id.value);
            let hint = suggest::hint(&id.value, known.iter().copied());
            context.push(Diagnostic::error("suite.unknown-name", id.origin, message).hint(hint));
        } else if ids.iter().all(|listed| listed.value != id.value) {
            ids.push(Located::new(id.value, reference.origin.clone()));
        }
    }
    for id in skip {
        let id = id.clone().locate(file);
        if pack.value.checks.iter().all(|check| check.value != id.value) {
            let message = format!("auth check `{}` is not in the pack `{}`", id.value, reference.value);
            let hint = suggest::hint(&id.value, pack.value.checks.iter().map(|check| check.value.as_str()));
            context.push(Diagnostic::error("suite.unknown-name", id.origin, message).hint(hint));
        }
    }
    ids.retain(|id| skip.iter().all(|skipped| skipped.value != id.value));
    ids
}
