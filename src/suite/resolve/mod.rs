//! Documents and instruments to a [`Suite`]: every name becomes its definition, every mistake a diagnostic. Collects
//! all mistakes before it gives up. Texts come in already read; nothing here touches files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::catalog::{Catalog, Kind};
use super::text_or::TextOr;
use super::wire::{self, Document};
use super::{IssuerSpec, Request, Suite, validate};
use crate::auth::Persona;
use crate::auth::issuer::StableKey;
use crate::diag::{Diagnostic, Located, Origin, Severity};
use crate::ids::{Digest, ModelName, SuiteName};
use crate::llm::ModelSpec;
use crate::net::Tls;

mod access;
mod answers;
mod cases;
mod clients;
mod context;
mod issuer;
mod judge;
mod models;
mod quarantine;
mod servers;
mod steps;
mod surface;
mod target;
mod user;

use context::Context;
pub(super) use models::lone as model;

/// Path and text of a file.
type File = (Arc<str>, Arc<str>);

/// One file of a chain of `extends`.
pub(super) struct Layer {
    /// Its path as diagnostics show it.
    pub file: Arc<str>,
    /// What it says.
    pub document: Document,
}

/// Everything that was read for one suite.
pub(super) struct Inputs<'a> {
    /// The suite file, then what it extends, nearest first; at least one.
    pub layers: Vec<Layer>,
    /// The path and text of the file that `target.server` names, if it could be read.
    pub servers: Option<(Arc<str>, Arc<str>)>,
    /// What `target.tls` names.
    pub tls: Tls,
    /// What `auth.issuer.key` names.
    pub key: Option<StableKey>,
    /// Every instrument at hand.
    pub catalog: &'a Catalog,
    /// What the command line asks for.
    pub request: &'a Request,
    /// Every text read so far, by path.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
}

/// What resolving gave; the suite is `None` when there is an error among the diagnostics.
pub(super) struct Resolved {
    /// The suite.
    pub suite: Option<Suite>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Every text that was read, instruments included.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
}

/// The first layer that gives a block.
pub(super) fn first<'a, T>(
    layers: &'a [Layer],
    block: impl Fn(&'a Document) -> Option<&'a T>,
) -> Option<(&'a Arc<str>, &'a T)> {
    layers.iter().find_map(|layer| Some((&layer.file, block(&layer.document)?)))
}

/// Resolves a suite.
pub(super) fn suite(inputs: Inputs<'_>) -> Resolved {
    let Inputs { mut layers, servers, tls, key, catalog, request, sources } = inputs;
    let mut context = Context::new(catalog, sources);
    // Taken out, so that each is given up when it is resolved: most of a large suite is its cases.
    let written = layers.first_mut().map(|own| std::mem::take(&mut own.document.cases)).unwrap_or_default();
    let mut suite = assemble(&mut context, &layers, (servers, tls), written, request);
    if let Some(suite) = &mut suite {
        if let IssuerSpec::Embedded(options) = &mut suite.issuer {
            options.key = key;
        }
        validate::suite(suite, &layers, &mut context.diagnostics);
    }
    let Context { mut diagnostics, sources, .. } = context;
    sort(&mut diagnostics, &layers);
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Resolved { suite: suite.filter(|_| !failed), diagnostics, sources }
}

/// In the order of the file, the suite's own file first.
fn sort(diagnostics: &mut [Diagnostic], layers: &[Layer]) {
    let rank = |file: &Arc<str>| layers.iter().position(|layer| layer.file == *file).unwrap_or(layers.len());
    diagnostics.sort_by_key(|diagnostic| {
        diagnostic.at.as_ref().map(|at| (rank(&at.file), at.file.clone(), at.line, at.column))
    });
}

fn assemble(
    context: &mut Context<'_>,
    layers: &[Layer],
    reach: (Option<File>, Tls),
    written: Vec<wire::Case>,
    request: &Request,
) -> Option<Suite> {
    let own = layers.first()?;
    let (file, document) = (&own.file, &own.document);
    for layer in layers {
        version(context, layer);
    }
    let name = name(context, file, document);
    let (env, public) = env(context, layers);
    let servers = reach.0.as_ref().map(|(file, _)| file.clone());
    let target = target::resolve(context, layers, reach, &env);
    let issuer = issuer::resolve(context, first(layers, |document| document.auth.as_ref()));
    let personas = personas(context, layers);
    let clients = clients::resolve(context, layers, request);
    let mut models = models(context, layers, request);
    let judge = judge::resolve(context, layers);
    let trials = document.trials.as_ref().map_or(1, |trials| cases::trials(context, file, trials));
    let budget = first(layers, |document| document.max_cost.as_ref());
    let max_cost = budget.map(|(file, budget)| cases::budget(context, file, budget));
    let gate = first(layers, |document| document.gate.as_ref()).map(|(_, gate)| gate.clone());
    let cases = cases::resolve(
        context,
        layers,
        written,
        cases::Around { personas: &personas, clients: &clients, models: &mut models, trials },
    );
    let mut gate = gate.unwrap_or_default();
    gate.quarantine = quarantine::resolve(context, file, &document.quarantine, &cases);
    let surface = surface::resolve(context, first(layers, |document| document.surface.as_ref()));
    let access = access::resolve(context, file, &document.access, &personas);
    let auth_checks = access::auth_checks(context, file, document.auth_checks.as_ref());
    let auth = access::auth_setup(context, file, document.auth_checks.as_ref(), &personas);
    let judge = judge.map(|judge| judge::with_script(judge, &cases));
    Some(Suite {
        name,
        file: file.clone(),
        description: document.description.clone(),
        target: target?,
        issuer,
        env,
        public,
        personas,
        clients: clients.all,
        models: models.all,
        judge,
        trials,
        max_cost,
        cases,
        access,
        auth_checks,
        auth,
        gate,
        surface,
        sources: kept(&context.sources, servers.as_ref()),
        instruments: context.instruments.iter().cloned().collect(),
    })
}

/// The texts that a run keeps: not that of a file of servers, which holds keys of this server and of others.
fn kept(sources: &BTreeMap<Arc<str>, Arc<str>>, servers: Option<&Arc<str>>) -> BTreeMap<Arc<str>, Arc<str>> {
    let mut sources = sources.clone();
    if let Some(text) = servers.and_then(|file| sources.get_mut(file)) {
        *text = format!(
            "not kept, because such files hold keys; its digest is {}\n",
            Digest::of(text.as_bytes())
        )
        .into();
    }
    sources
}

fn version(context: &mut Context<'_>, layer: &Layer) {
    let version = &layer.document.version;
    if version.value != 1 {
        let message = format!("version {} of the suite format is not known", version.value);
        context.push(
            Diagnostic::error("suite.version", version.origin(&layer.file), message)
                .hint("this program reads `version: 1`"),
        );
    }
}

fn name(context: &mut Context<'_>, file: &Arc<str>, document: &Document) -> SuiteName {
    let stem = Path::new(&**file).file_stem().map_or("suite".into(), |stem| stem.to_string_lossy());
    let start = Origin { file: file.clone(), line: 1, column: 1 };
    let (name, at) = match &document.name {
        Some(name) => (name.value.as_str(), name.origin(file)),
        None => (&*stem, start),
    };
    context.plain_name("suite", name, &at);
    SuiteName::from(name)
}

/// The variables declared in any layer, and those that every layer which declares them calls public.
fn env(context: &mut Context<'_>, layers: &[Layer]) -> (Vec<Located<String>>, Vec<Located<String>>) {
    let mut env: Vec<Located<String>> = vec![];
    let mut secret: Vec<String> = vec![];
    for layer in layers {
        for variable in &layer.document.env {
            let variable = match &variable.value {
                TextOr::Map(part) => part.public.clone().locate(&layer.file),
                TextOr::Text(name) => {
                    secret.push(name.clone());
                    Located::new(name.clone(), variable.origin(&layer.file))
                }
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if variable.value.is_empty() || !variable.value.chars().all(fits) {
                let message = format!("`{}` is not the name of an environment variable", variable.value);
                context.push(
                    Diagnostic::error("suite.invalid-value", variable.origin, message)
                        .hint("list names only, such as `API_KEY`; values come from the environment"),
                );
            } else if env.iter().all(|known| known.value != variable.value) {
                env.push(variable);
            }
        }
    }
    let public = env.iter().filter(|variable| !secret.contains(&variable.value)).cloned().collect();
    (env, public)
}

/// The suite's personas; `anonymous` when it names none.
fn personas(context: &mut Context<'_>, layers: &[Layer]) -> Vec<Located<Persona>> {
    let listed = first(layers, |document| document.personas.as_ref());
    context.list(Kind::Persona, listed, |context| context.fallback("anonymous", layers))
}

/// The models of a suite.
pub(super) struct Models {
    /// Every definition that a case may name.
    pub all: Vec<Located<ModelSpec>>,
    /// What cases that name no model run with.
    pub usual: Vec<ModelName>,
}

fn models(context: &mut Context<'_>, layers: &[Layer], request: &Request) -> Models {
    let listed = first(layers, |document| document.models.as_ref());
    let all: Vec<Located<ModelSpec>> = match listed {
        Some((file, list)) => models::listed(context, file, list),
        None => vec![],
    };
    let mut models = Models { usual: all.iter().map(|model| model.value.name.clone()).collect(), all };
    models::add_requested(context, layers, request, &mut models);
    models
}
