//! The access matrix and the auth pack to rows and ids.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Context;
use crate::auth::{IdentitySpec, Persona};
use crate::diag::{Diagnostic, Located, suggest};
use crate::ids::{PersonaName, ToolName};
use crate::suite::catalog::{AuthPack, Kind};
use crate::suite::entries::{Calls, Entries};
use crate::suite::one_or_many::OneOrMany;
use crate::suite::wire::{AccessRow, AuthChecks};
use crate::suite::yaml::At;
use crate::suite::{AccessSpec, AuthSetup, Change};
use crate::transcript::Subject;

/// The longest chain of changes of identity in one session.
const CHANGES: usize = 4;

pub(super) fn resolve(
    context: &mut Context<'_>,
    file: &Arc<str>,
    rows: &Entries<AccessRow>,
    personas: &[Located<Persona>],
) -> Vec<AccessSpec> {
    let mut rows_of = Rows { context, file, personas, specs: vec![] };
    rows_of.add(rows, &[]);
    rows_of.specs
}

struct Rows<'r, 'c> {
    context: &'r mut Context<'c>,
    file: &'r Arc<str>,
    personas: &'r [Located<Persona>],
    specs: Vec<AccessSpec>,
}

impl Rows<'_, '_> {
    /// Rows below the personas that led to them.
    fn add(&mut self, rows: &Entries<AccessRow>, path: &[Located<PersonaName>]) {
        for (name, row) in &rows.0 {
            let at = name.clone().locate(self.file);
            let changes = Change::NAMES.iter().map(|(name, _)| *name).filter(|_| !path.is_empty());
            let known = self.personas.iter().map(|persona| persona.value.name.as_str()).chain(changes);
            let Some(name) = self.context.among(Kind::Persona, &at, known) else { continue };
            let mut path = path.to_vec();
            path.push(Located::new(PersonaName::new(name), at.origin));
            if !self.can_change(&path) {
                continue;
            }
            self.row(row, &path);
            self.add(&row.becomes, &path);
        }
    }

    fn row(&mut self, row: &AccessRow, path: &[Located<PersonaName>]) {
        let Some((first, becomes)) = path.split_first() else { return };
        let spec = spec(row, self.file, first, becomes);
        let place = path.last().unwrap_or(first);
        if spec.named().next().is_none() && spec.others.is_none() {
            // A row may be there only for what the persona becomes.
            if row.becomes.0.is_empty() {
                let message = format!("the access row of `{}` says nothing", place.value);
                self.context.push(
                    Diagnostic::error("suite.no-expectation", place.origin.clone(), message)
                        .hint("give `sees`, `calls`, `never`, `resources`, `prompts` or `others: never`"),
                );
            }
            return;
        }
        if let Some(shape) = row.denied_as.as_ref().filter(|_| spec.never.is_empty()) {
            let message = "`denied_as` has no effect: nothing stands under `never`".to_owned();
            let at = shape.origin(self.file);
            let diagnostic = Diagnostic::error("suite.contradiction", at, message);
            self.context.push(diagnostic.hint("name what must be denied under `never`, or remove it"));
        }
        contradictions(self.context, &spec);
        self.specs.push(spec);
    }

    /// Only minted personas can get other rights and stay who they are, and only rights of a minted persona or none.
    fn can_change(&mut self, path: &[Located<PersonaName>]) -> bool {
        let [first, .., last] = path else { return true };
        let identity = |name: &PersonaName| {
            let found = self.personas.iter().find(|persona| persona.value.name == *name);
            found.map(|persona| &persona.value.identity)
        };
        let minted = |identity: Option<&IdentitySpec>| matches!(identity, Some(IdentitySpec::Minted(_)));
        let (from, to) = (identity(&first.value), identity(&last.value));
        let problem = if path.len() > CHANGES + 1 {
            Some((last, format!("more than {CHANGES} changes of identity in one session")))
        } else if !minted(from) {
            Some((
                first,
                format!("`{}` cannot become somebody else: its tokens are not minted here", first.value),
            ))
        } else if to.is_none() && Change::named(last.value.as_str()).is_some() {
            None
        } else if !minted(to) && to != Some(&IdentitySpec::Anonymous) {
            Some((last, format!("nobody can become `{}`: its tokens are not minted here", last.value)))
        } else {
            None
        };
        let Some((at, message)) = problem else { return true };
        self.context.push(
            Diagnostic::error("suite.contradiction", at.origin.clone(), message)
                .hint("`becomes` works among personas with a `minted` identity, and to `anonymous`"),
        );
        false
    }
}

fn spec(
    row: &AccessRow,
    file: &Arc<str>,
    persona: &Located<PersonaName>,
    becomes: &[Located<PersonaName>],
) -> AccessSpec {
    let tool = |name: &str| Subject::Tool(ToolName::from(name));
    let resource = |uri: &str| Subject::Resource(uri.to_owned());
    let prompt = |name: &str| Subject::Prompt(name.to_owned());
    let AccessRow { resources, prompts, .. } = row;
    let mut sees = seen(&row.sees, file, tool);
    sees.extend(seen(&resources.sees, file, resource));
    sees.extend(seen(&prompts.sees, file, prompt));
    let reads = |uris: &[At<String>]| {
        seen(uris, file, resource).into_iter().map(|uri| (uri, json!({}))).collect::<Vec<_>>()
    };
    let mut calls = tried(&row.calls, file, tool);
    calls.extend(reads(&resources.reads));
    calls.extend(tried(&prompts.gets, file, prompt));
    let mut never = tried(&row.never, file, tool);
    never.extend(reads(&resources.never));
    never.extend(tried(&prompts.never, file, prompt));
    AccessSpec {
        persona: Located::new(
            persona.value.clone(),
            becomes.last().map_or(&persona.origin, |last| &last.origin).clone(),
        ),
        becomes: becomes.to_vec(),
        sees,
        calls,
        never,
        others: row.others.as_ref().map(|others| others.origin(file)),
        denied_as: row.denied_as.as_ref().map(|shape| shape.value),
    }
}

fn seen(names: &[At<String>], file: &Arc<str>, of: impl Fn(&str) -> Subject) -> Vec<Located<Subject>> {
    names.iter().map(|name| Located::new(of(&name.value), name.origin(file))).collect()
}

fn tried(calls: &Calls, file: &Arc<str>, of: impl Fn(&str) -> Subject) -> Vec<(Located<Subject>, Value)> {
    let one =
        |(name, args): &(At<String>, Value)| (Located::new(of(&name.value), name.origin(file)), args.clone());
    calls.0.iter().map(one).collect()
}

fn contradictions(context: &mut Context<'_>, row: &AccessSpec) {
    let allowed = || row.sees.iter().chain(row.calls.iter().map(|(subject, _)| subject));
    for (subject, _) in &row.never {
        if let Some(other) = allowed().find(|allowed| allowed.value == subject.value) {
            let (kind, name) = (subject.value.kind(), subject.value.name());
            let message = format!("{kind} `{name}` is both allowed and forbidden");
            let diagnostic = Diagnostic::error("suite.contradiction", subject.origin.clone(), message)
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
