//! `models`: the models at hand, whether their keys are set, and what they cost.

use serde_json::json;

use super::Context;
use super::args::{ModelsArgs, PlanFormat};
use super::failure::{Failure, Outcome, tell_diagnostics};
use crate::diag::suggest;
use crate::gate::Exit;
use crate::llm::providers::{self, PROVIDERS};
use crate::llm::{DIALECTS, ModelSpec};
use crate::report::models::{Row, stale, table};
use crate::suite::catalog::{Catalog, Kind};
use crate::suite::read::Project;

/// Prints every model, or those named.
pub(super) fn models(args: &ModelsArgs, context: &Context) -> Outcome {
    let catalog = Project::new(context.root.clone()).catalog();
    let specs = match args.names.is_empty() {
        true => all(&catalog, context)?,
        false => args.names.iter().map(|name| find(&catalog, name, context)).collect::<Outcome<_>>()?,
    };
    let today = context.clock.wall().to_zoned(jiff::tz::TimeZone::UTC).date();
    let set = |name: &str| (context.env)(name).is_some_and(|value| !value.trim().is_empty());
    let rows: Vec<Row> = specs.iter().map(|spec| Row::of(spec, today, set)).collect();
    let printer = context.printer;
    if args.format == PlanFormat::Json {
        let providers: Vec<_> = PROVIDERS
            .iter()
            .map(|one| json!({"prefix": one.prefix, "base_url": one.base_url, "key": one.key, "key_set": one.key.map(set)}))
            .collect();
        let dialects: Vec<_> =
            DIALECTS.iter().map(|one| json!({"name": one.name, "about": one.about})).collect();
        let told = json!({"models": rows, "providers": providers, "dialects": dialects});
        printer.data_line(&serde_json::to_string_pretty(&told).unwrap_or_default())?;
    } else {
        printer.data(table(&rows, usize::from(printer.width()), printer.style()).as_bytes())?;
        let dialects = DIALECTS.iter().map(|dialect| dialect.name);
        let prefixes: Vec<&str> = dialects.chain(PROVIDERS.iter().map(|one| one.prefix)).collect();
        printer.talk(&format!("`provider:id` needs no file; providers are {}", prefixes.join(", ")));
    }
    if let Some(told) = stale(&rows) {
        printer.talk(&told);
    }
    Ok(Exit::Pass)
}

fn all(catalog: &Catalog, context: &Context) -> Outcome<Vec<ModelSpec>> {
    let mut specs = Vec::new();
    for name in catalog.names(Kind::Model) {
        match catalog.find::<ModelSpec>(name) {
            Some(Ok(found)) => specs.push(found.definition),
            Some(Err(diagnostic)) => {
                let text = catalog.text(Kind::Model, name).map(|(_, text)| text.to_string());
                tell_diagnostics(context.printer, &[diagnostic], &|_| text.clone())?;
            }
            None => {}
        }
    }
    Ok(specs)
}

/// The model of a name: a file, or `provider:id`.
pub(super) fn find(catalog: &Catalog, name: &str, context: &Context) -> Outcome<ModelSpec> {
    match catalog.find::<ModelSpec>(name) {
        Some(Ok(found)) => return Ok(found.definition),
        Some(Err(diagnostic)) => {
            let text = catalog.text(Kind::Model, name).map(|(_, text)| text.to_string());
            tell_diagnostics(context.printer, &[diagnostic], &|_| text.clone())?;
            return Err(Failure::usage("usage.model", format!("the model `{name}` cannot be read")));
        }
        None => {}
    }
    let Some((prefix, id)) = name.split_once(':').filter(|(_, id)| !id.is_empty()) else {
        return Err(Failure::usage("usage.model", format!("there is no model `{name}`"))
            .hint(suggest::hint(name, catalog.names(Kind::Model))));
    };
    providers::known(prefix, id).ok_or_else(|| {
        let known = DIALECTS.iter().map(|dialect| dialect.name);
        let known = known.chain(PROVIDERS.iter().map(|provider| provider.prefix));
        Failure::usage("usage.model", format!("there is no provider `{prefix}`"))
            .hint(suggest::hint(prefix, known))
    })
}
