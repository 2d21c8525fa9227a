//! `clients`: the client profiles at hand, and where their values are from.

use serde_json::json;

use super::Context;
use super::args::{ClientsArgs, PlanFormat};
use super::failure::{Failure, Outcome, tell_diagnostics};
use crate::diag::suggest;
use crate::gate::Exit;
use crate::mcp::ClientProfile;
use crate::mcp::profile::selection;
use crate::report::clients::{detail, rows, table, tally};
use crate::suite::catalog::{Catalog, Kind};
use crate::suite::read::Project;

/// Prints all profiles, or one in detail.
pub(super) fn clients(args: &ClientsArgs, context: &Context) -> Outcome {
    let catalog = Project::new(context.root.clone()).catalog();
    let (width, style) = (usize::from(context.printer.width()), context.printer.style());
    let machine = args.format == PlanFormat::Json;
    match &args.name {
        Some(name) => {
            let profile = find(&catalog, name, context)?;
            if machine {
                let text = serde_json::to_string_pretty(&as_json(&profile)).unwrap_or_default();
                context.printer.data_line(&text)?;
            } else {
                context.printer.data(detail(&profile, width, style).as_bytes())?;
            }
        }
        None => {
            let profiles = all(&catalog, context)?;
            if machine {
                let list: Vec<_> = profiles.iter().map(as_json).collect();
                let text = serde_json::to_string_pretty(&json!({"clients": list})).unwrap_or_default();
                context.printer.data_line(&text)?;
            } else {
                context.printer.data(table(&profiles, width, style).as_bytes())?;
                context.printer.talk("`rehearsal clients NAME` shows every value with its source");
            }
        }
    }
    Ok(Exit::Pass)
}

/// Every profile at hand, by name.
pub(super) fn all(catalog: &Catalog, context: &Context) -> Outcome<Vec<ClientProfile>> {
    let mut profiles = Vec::new();
    for name in catalog.names(Kind::Client) {
        match catalog.find::<ClientProfile>(name) {
            Some(Ok(found)) => profiles.push(found.definition),
            Some(Err(diagnostic)) => {
                let text = catalog.text(Kind::Client, name).map(|(_, text)| text.to_string());
                tell_diagnostics(context.printer, &[diagnostic], &|_| text.clone())?;
            }
            None => {}
        }
    }
    Ok(profiles)
}

/// The profile of a name, with its layers: `claude-code` or `claude-code:menu+result`.
pub(super) fn find(catalog: &Catalog, written: &str, context: &Context) -> Outcome<ClientProfile> {
    let (name, layers) = selection(written).map_err(|message| {
        Failure::usage("usage.client", message)
            .hint("write `NAME:layer+layer`, for example `claude-code:menu+result`, or `NAME:-layer.value` for all but a value")
    })?;
    match catalog.find::<ClientProfile>(name) {
        Some(Ok(found)) => Ok(match layers {
            Some(layers) => found.definition.only(&layers),
            None => found.definition,
        }),
        Some(Err(diagnostic)) => {
            let text = catalog.text(Kind::Client, name).map(|(_, text)| text.to_string());
            tell_diagnostics(context.printer, &[diagnostic], &|_| text.clone())?;
            Err(Failure::usage("usage.client", format!("the client profile `{name}` cannot be read")))
        }
        None => Err(Failure::usage("usage.client", format!("there is no client profile `{name}`"))
            .hint(suggest::hint(name, catalog.names(Kind::Client)))),
    }
}

fn as_json(profile: &ClientProfile) -> serde_json::Value {
    let [measured, read, guessed, unknown] = tally(profile);
    json!({
        "name": profile.name,
        "label": profile.label,
        "description": profile.description,
        "observed": profile.observed,
        "facts": {"measured": measured, "read": read, "guessed": guessed, "unknown": unknown},
        "values": rows(profile),
        "sources": profile.sources,
    })
}
