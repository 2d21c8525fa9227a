//! Answers to the server's questions: words become actions, matchers are tried, model names become definitions.

use std::sync::Arc;

use serde_json::Map;

use super::{Context, models};
use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::llm::scripted;
use crate::score::checks::matcher::Matcher;
use crate::suite::answers::{Action, Answers, Reply, Root, Sampling};
use crate::suite::text_or::TextOr;
use crate::suite::wire::{self, Replies, ReplyPart, RootPart, SamplingPart};
use crate::suite::yaml::At;

pub(super) fn resolve(context: &mut Context<'_>, file: &Arc<str>, part: &wire::Answers) -> Answers {
    let elicitation = part.elicitation.as_ref().and_then(|part| replies(context, file, part));
    let sampling = part.sampling.as_ref().and_then(|part| {
        let at = part.origin(file);
        Some(Located::new(sampling(context, file, part)?, at))
    });
    let roots = part.roots.as_ref().map(|part| {
        let roots = part.value.iter().filter_map(|root| self::root(context, file, root)).collect();
        Located::new(roots, part.origin(file))
    });
    Answers { elicitation, sampling, roots }
}

fn invalid(at: Origin, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("suite.invalid-value", at, message)
}

fn replies(context: &mut Context<'_>, file: &Arc<str>, part: &At<Replies>) -> Option<Located<Vec<Reply>>> {
    let at = part.origin(file);
    let replies: Vec<Reply> = match &part.value {
        Replies::One(one) => reply(context, file, one, &at).into_iter().collect(),
        Replies::Many(many) if many.is_empty() => {
            context.push(invalid(at.clone(), "`elicitation` holds no answer").hint(
                "write what the user does: `accept`, `decline` or `cancel`; leave the key out to answer as the \
                 client profile does",
            ));
            return None;
        }
        Replies::Many(many) => {
            many.iter().filter_map(|one| reply(context, file, &one.value, &one.origin(file))).collect()
        }
    };
    (!replies.is_empty()).then(|| Located::new(replies, at))
}

fn reply(context: &mut Context<'_>, file: &Arc<str>, part: &TextOr<ReplyPart>, at: &Origin) -> Option<Reply> {
    let part = match part {
        TextOr::Text(word) => {
            let action = action(context, word, at)?;
            return Some(Reply { when: None, action, content: Map::new() });
        }
        TextOr::Map(part) => part,
    };
    let action = match &part.action {
        Some(word) => action(context, &word.value, &word.origin(file))?,
        None => Action::Accept,
    };
    if let Some(content) = part.content.as_ref().filter(|_| action != Action::Accept) {
        let message = format!("`{}` submits nothing, so it has no `content`", action.as_str());
        context.push(
            Diagnostic::error("suite.contradiction", content.origin(file), message)
                .hint("remove `content`, or write `action: accept`"),
        );
    }
    if let Some(when) = &part.when {
        if !when.value.is_object() {
            let message = "`when` is a map of matchers for the question's parameters";
            context.push(invalid(when.origin(file), message).hint("write `when: {message: {$contains: …}}`"));
            return None;
        }
        if let Err(problem) = Matcher::parse(&when.value) {
            context.push(invalid(when.origin(file), format!("`when`: {problem}")));
            return None;
        }
    }
    let content = part.content.as_ref().map(|content| content.value.clone()).unwrap_or_default();
    Some(Reply { when: part.when.as_ref().map(|when| when.value.clone()), action, content })
}

fn action(context: &mut Context<'_>, word: &str, at: &Origin) -> Option<Action> {
    let known = Action::ALL.into_iter().find(|action| action.as_str() == word);
    if known.is_none() {
        let hint = suggest::hint(word, Action::ALL.map(Action::as_str));
        context.push(invalid(at.clone(), format!("`{word}` is nothing a user can answer")).hint(hint));
    }
    known
}

fn sampling(context: &mut Context<'_>, file: &Arc<str>, part: &At<TextOr<SamplingPart>>) -> Option<Sampling> {
    let at = part.origin(file);
    let hint = "write `{model: NAME}`, `{text: …}` or `refuse`";
    match &part.value {
        TextOr::Text(word) if word == "refuse" => Some(Sampling::Refuse),
        TextOr::Text(word) => {
            let message = format!("`{}` does not say who answers", crate::display::excerpt(word, 60));
            context.push(invalid(at, message).hint(hint));
            None
        }
        TextOr::Map(SamplingPart { model: Some(model), text: None }) => {
            let at = model.origin(file);
            let model = models::definition(context, file, model)?.value;
            scripted_model(context, &model, at);
            Some(Sampling::Model(Box::new(model)))
        }
        TextOr::Map(SamplingPart { model: None, text: Some(text) }) => Some(Sampling::Text(text.clone())),
        TextOr::Map(_) => {
            let message = "sampling is answered either by a `model` or with a `text`";
            context.push(Diagnostic::error("suite.contradiction", at, message).hint(hint));
            None
        }
    }
}

/// The script of a case is for the model under test; a scripted model that samples needs one of its own.
fn scripted_model(context: &mut Context<'_>, model: &crate::llm::ModelSpec, at: Origin) {
    if model.dialect != "scripted" {
        return;
    }
    match &model.script {
        Some(script) => {
            for problem in scripted::problems(script) {
                context.push(invalid(at.clone(), format!("model `{}`: {problem}", model.name)));
            }
        }
        None => {
            let message = format!("the scripted model `{}` has no `script` for sampling", model.name);
            context.push(
                Diagnostic::error("suite.no-script", at, message)
                    .hint("write fixed words: `sampling: {text: …}`, or a definition with its own `script`"),
            );
        }
    }
}

fn root(context: &mut Context<'_>, file: &Arc<str>, part: &At<TextOr<RootPart>>) -> Option<Root> {
    let root = match &part.value {
        TextOr::Text(uri) => Root { uri: uri.clone(), name: None },
        TextOr::Map(RootPart { uri, name }) => Root { uri: uri.clone(), name: name.clone() },
    };
    // "This MUST be a file:// URI in the current specification" (2025-11-25, client/roots).
    if url::Url::parse(&root.uri).is_ok_and(|url| url.scheme() == "file") && root.uri.starts_with("file://") {
        return Some(root);
    }
    let message = format!("`{}` is no `file:` URI", crate::display::excerpt(&root.uri, 80));
    context.push(invalid(part.origin(file), message).hint("write an absolute path: `file:///srv/books`"));
    None
}
