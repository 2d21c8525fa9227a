//! Model names to definitions: `evals/models`, `provider:id`, or written in the suite.

use std::sync::Arc;

use super::{Context, Layer, Models};
use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::ids::ModelName;
use crate::llm::providers::{self, PROVIDERS};
use crate::llm::{DIALECTS, Dialect, ModelSpec};
use crate::suite::Request;
use crate::suite::catalog::{Catalog, Kind};
use crate::suite::text_or::TextOr;
use crate::suite::yaml::At;

/// A list of models, each once.
pub(super) fn listed(
    context: &mut Context<'_>,
    file: &Arc<str>,
    list: &[At<TextOr<ModelSpec>>],
) -> Vec<Located<ModelSpec>> {
    let all = list.iter().filter_map(|part| definition(context, file, part)).collect();
    context.each_once(Kind::Model, all)
}

/// A model, by name, as `provider:id`, or written out.
pub(super) fn definition(
    context: &mut Context<'_>,
    file: &Arc<str>,
    part: &At<TextOr<ModelSpec>>,
) -> Option<Located<ModelSpec>> {
    let at = part.origin(file);
    match &part.value {
        TextOr::Text(name) => named(context, &Located::new(name.clone(), at)),
        TextOr::Map(model) => {
            known_dialect(context, model, &at);
            context.inline(model.clone(), at)
        }
    }
}

/// A model by name or as `provider:id`.
pub(super) fn named(context: &mut Context<'_>, name: &Located<String>) -> Option<Located<ModelSpec>> {
    if let Some(found) = context.cataloged::<ModelSpec>(&name.value) {
        let model = found?;
        known_dialect(context, &model, &name.origin);
        return Some(Located::new(model, name.origin.clone()));
    }
    match from_provider(&name.value, DIALECTS) {
        Some(Ok(model)) => {
            context.used(&model, "inline".to_owned());
            Some(Located::new(model, name.origin.clone()))
        }
        Some(Err(provider)) => {
            let dialects = DIALECTS.iter().map(|dialect| dialect.name);
            let known = dialects.chain(PROVIDERS.iter().map(|provider| provider.prefix));
            let message = format!("unknown provider `{provider}`");
            context.push(
                Diagnostic::error("suite.unknown-name", name.origin.clone(), message)
                    .hint(suggest::hint(provider, known)),
            );
            None
        }
        None => context.named(name),
    }
}

/// A model by name or as `provider:id`, outside of any suite; `None` when there is none.
pub(in crate::suite) fn lone(catalog: &Catalog, name: &str) -> Option<Result<ModelSpec, Diagnostic>> {
    if let Some(found) = catalog.find::<ModelSpec>(name) {
        return Some(found.map(|found| found.definition));
    }
    from_provider(name, DIALECTS)?.ok().map(Ok)
}

/// `provider:id` to a definition, where the provider is a dialect or one that speaks chat completions: `None` without a
/// colon, `Err` with the provider when it is unknown.
fn from_provider<'a>(name: &'a str, dialects: &[Dialect]) -> Option<Result<ModelSpec, &'a str>> {
    let (provider, id) = name.split_once(':')?;
    if id.is_empty() {
        return Some(Err(provider));
    }
    let dialect = dialects.iter().find(|dialect| dialect.name == provider);
    let found = dialect.map(|dialect| (dialect.inline)(id)).or_else(|| providers::inline(provider, id));
    Some(found.map(|model| ModelSpec { name: ModelName::from(name), ..model }).ok_or(provider))
}

fn known_dialect(context: &mut Context<'_>, model: &ModelSpec, at: &Origin) {
    if DIALECTS.iter().all(|dialect| dialect.name != model.dialect) {
        let message = format!("model `{}` has the unknown dialect `{}`", model.name, model.dialect);
        let hint = suggest::hint(&model.dialect, DIALECTS.iter().map(|dialect| dialect.name));
        context.push(Diagnostic::error("suite.unknown-name", at.clone(), message).hint(hint));
    }
}

/// Adds the models that the command line names and the suite does not; then the command line's list replaces the
/// usual one.
pub(super) fn add_requested(
    context: &mut Context<'_>,
    layers: &[Layer],
    request: &Request,
    models: &mut Models,
) {
    let known = |models: &Models, name: &ModelName| models.all.iter().any(|model| model.value.name == *name);
    let outside: Vec<&ModelName> = request.models.iter().filter(|name| !known(models, name)).collect();
    if outside.is_empty() {
        return;
    }
    let file = layers.first().map_or_else(|| Arc::from(""), |layer| layer.file.clone());
    for name in outside {
        let at = Origin { file: file.clone(), line: 1, column: 1 };
        let before = context.diagnostics.len();
        let found = named(context, &Located::new(name.to_string(), at));
        // The name stands on the command line, not in the file.
        for diagnostic in &mut context.diagnostics[before..] {
            if diagnostic.code == "suite.unknown-name" {
                diagnostic.at = None;
            }
        }
        models.all.extend(found);
    }
    models.usual = request.models.iter().filter(|name| known(models, name)).cloned().collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Fault, Side};

    #[test]
    fn provider_and_id_give_a_definition() {
        let dialect = Dialect {
            name: "openai",
            about: "",
            inline: |id| ModelSpec { id: Some(id.to_owned()), ..ModelSpec::new(id, "openai") },
            logprobs: false,
            longest: |_| None,
            build: |_, _| Err(Fault::new(Side::Harness, "model.none", "not built here")),
        };
        let table = [dialect];
        let model = from_provider("openai:gpt:x", &table).expect("a colon").expect("known");
        assert_eq!((model.name.as_str(), model.api_id()), ("openai:gpt:x", "gpt:x"));
        let model = from_provider("openrouter:a/b:free", &table).expect("a colon").expect("known");
        assert_eq!((model.name.as_str(), model.api_id()), ("openrouter:a/b:free", "a/b:free"));
        assert_eq!(from_provider("opnai:x", &table), Some(Err("opnai")));
        assert_eq!(from_provider("openai:", &table), Some(Err("openai")));
        assert_eq!(from_provider("lexical", &table), None);
    }
}
