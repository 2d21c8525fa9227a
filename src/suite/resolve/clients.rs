//! Client profiles of a suite: names with or without their layers, definitions, and what the command line adds.

use std::sync::Arc;

use super::context::Context;
use super::{Layer, first};
use crate::diag::{Diagnostic, Located, Origin};
use crate::ids::ClientName;
use crate::mcp::ClientProfile;
use crate::mcp::profile::selection;
use crate::suite::Request;
use crate::suite::catalog::Kind;
use crate::suite::text_or::TextOr;

/// The client profiles of a suite.
pub(super) struct Clients {
    /// Every definition that a case may name.
    pub all: Vec<Located<ClientProfile>>,
    /// What cases that name no client run with.
    pub usual: Vec<ClientName>,
}

/// The suite's client profiles, `reference` when it names none, and those that the command line names besides. The
/// command line's list replaces the usual one.
pub(super) fn resolve(context: &mut Context<'_>, layers: &[Layer], request: &Request) -> Clients {
    let listed = first(layers, |document| document.clients.as_ref()).filter(|(_, list)| !list.is_empty());
    let mut all = match listed {
        None => context.fallback("reference", layers),
        Some((file, list)) => {
            let found = list.iter().filter_map(|part| match &part.value {
                TextOr::Text(name) => named(context, &Located::new(name.clone(), part.origin(file))),
                TextOr::Map(_) => context.definition(file, part),
            });
            let found = found.collect();
            context.each_once(Kind::Client, found)
        }
    };
    let file = layers.first().map_or_else(|| Arc::from(""), |layer| layer.file.clone());
    let mut wanted = Vec::new();
    for name in &request.clients {
        if let Some(known) = all.iter().find(|client| client.value.name == *name) {
            wanted.push(known.value.name.clone());
            continue;
        }
        let before = context.diagnostics.len();
        let at = Origin { file: file.clone(), line: 1, column: 1 };
        let found = named(context, &Located::new(name.to_string(), at));
        // The name stands on the command line, not in the file.
        for diagnostic in &mut context.diagnostics[before..] {
            if ["suite.unknown-name", "suite.invalid-value"].contains(&diagnostic.code) {
                diagnostic.at = None;
            }
        }
        wanted.extend(found.iter().map(|client| client.value.name.clone()));
        all.extend(found);
    }
    let usual = match wanted.is_empty() {
        true => all.iter().map(|client| client.value.name.clone()).collect(),
        false => wanted,
    };
    Clients { all, usual }
}

/// A profile by name, with all its layers or with those that the name lists: `claude-code:menu+result`.
fn named(context: &mut Context<'_>, written: &Located<String>) -> Option<Located<ClientProfile>> {
    match selection(&written.value) {
        Ok((_, None)) => context.named(written),
        Ok((name, Some(layers))) => {
            let whole =
                context.named::<ClientProfile>(&Located::new(name.to_owned(), written.origin.clone()))?;
            let only = whole.value.only(&layers);
            context.used(&only, "layers".to_owned());
            Some(Located::new(only, whole.origin))
        }
        Err(message) => {
            let diagnostic = Diagnostic::error("suite.invalid-value", written.origin.clone(), message);
            context.push(diagnostic.hint("write `NAME:layer+layer`, for example `claude-code:menu+result`, or `NAME:-layer.value` for all but a value"));
            None
        }
    }
}
