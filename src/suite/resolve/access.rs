//! The access matrix and the auth pack to rows and ids.

use std::sync::Arc;

use serde_json::Value;

use super::Context;
use crate::auth::Persona;
use crate::diag::{Diagnostic, Located, suggest};
use crate::ids::{PersonaName, ToolName};
use crate::suite::catalog::{AuthPack, Kind};
use crate::suite::entries::{Calls, Entries};
use crate::suite::one_or_many::OneOrMany;
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

/// The ids of the packs, without those to skip. Each has the place of its first pack's name in the suite.
pub(super) fn auth_checks(
    context: &mut Context<'_>,
    file: &Arc<str>,
    block: Option<&At<AuthChecks>>,
) -> Vec<Located<String>> {
    let Some(AuthChecks { pack, skip, .. }) = block.map(|block| &block.value) else { return vec![] };
    let names: Vec<Located<String>> = match &pack.value {
        OneOrMany::One(name) => vec![Located::new(name.clone(), pack.origin(file))],
        OneOrMany::Many(names) => names.iter().map(|name| name.clone().locate(file)).collect(),
    };
    if names.is_empty() {
        let diagnostic =
            Diagnostic::error("suite.no-expectation", pack.origin(file), "the list of packs is empty");
        context.push(diagnostic.hint("name one, such as `standard`"));
    }
    let mut ids: Vec<Located<String>> = vec![];
    let mut every: Vec<String> = vec![];
    for name in &names {
        let Some(listed) = pack_ids(context, file, name) else { return vec![] };
        every.extend(listed.iter().cloned());
        for id in listed {
            if ids.iter().all(|known| known.value != id) {
                ids.push(Located::new(id, name.origin.clone()));
            }
        }
    }
    for id in skip {
        let id = id.clone().locate(file);
        if !every.contains(&id.value) {
            let packs: Vec<String> = names.iter().map(|name| format!("`{}`", name.value)).collect();
            let message = format!("auth check `{}` is not in the pack {}", id.value, packs.join(" or "));
            let hint = suggest::hint(&id.value, every.iter().map(String::as_str));
            context.push(Diagnostic::error("suite.unknown-name", id.origin, message).hint(hint));
        }
    }
    ids.retain(|id| skip.iter().all(|skipped| skipped.value != id.value));
    ids
}

/// The ids of one pack, each known; `None` when there is no such pack.
fn pack_ids(context: &mut Context<'_>, file: &Arc<str>, name: &Located<String>) -> Option<Vec<String>> {
    let pack = context.named::<AuthPack>(name)?;
    let pack_file = context
        .catalog
        .text(Kind::Auth, &name.value)
        .map_or_else(|| file.clone(), |(pack_file, _)| pack_file);
    let known = crate::auth::checks::ids();
    let mut ids = vec![];
    for id in &pack.value.checks {
        let id = id.clone().locate(&pack_file);
        if known.contains(&id.value.as_str()) {
            ids.push(id.value);
            continue;
        }
        let message = format!("unknown auth check `{}`", id.value);
        let hint = suggest::hint(&id.value, known.iter().copied());
        context.push(Diagnostic::error("suite.unknown-name", id.origin, message).hint(hint));
    }
    Some(ids)
}
