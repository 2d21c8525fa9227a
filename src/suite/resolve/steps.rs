//! Steps around a conversation: what each names, and what is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use crate::diag::{Diagnostic, Located, Origin};
use crate::suite::text_or::TextOr;
use crate::suite::wire::{self, StepPart, VerifyPart};
use crate::suite::yaml::At;
use crate::suite::{CommandStep, HttpStep, PromptStep, ResourceStep, Step, Verify};

/// Steps that the suite adds to every case.
#[derive(Default)]
pub(super) struct Steps {
    pub setup: Vec<Located<Step>>,
    pub verify: Vec<Located<Verify>>,
    pub cleanup: Vec<Located<Step>>,
}

pub(super) fn steps(
    context: &mut Context<'_>,
    file: &Arc<str>,
    [setup, cleanup]: [&Vec<At<StepPart>>; 2],
    verify: &[At<VerifyPart>],
) -> Steps {
    Steps {
        setup: setup.iter().filter_map(|part| step(context, file, part)).collect(),
        verify: verify.iter().filter_map(|part| checked_step(context, file, part)).collect(),
        cleanup: cleanup.iter().filter_map(|part| step(context, file, part)).collect(),
    }
}

fn step(context: &mut Context<'_>, file: &Arc<str>, part: &At<StepPart>) -> Option<Located<Step>> {
    let at = part.origin(file);
    let step = match &part.value {
        StepPart::Tool(tool) => Some(Step::Tool(wire::with_object_args(tool.clone()))),
        StepPart::Resource(part) => resource(context, part.clone(), &at),
        StepPart::Prompt(part) => Some(prompt(part.clone())),
        StepPart::Http(step) => http(context, step.0.clone(), &at),
        StepPart::Command(step) => command(context, step.0.clone(), &at),
    };
    step.map(|step| Located::new(step, at))
}

/// A resource step; its URI needs a scheme (RFC 3986 section 3).
fn resource(context: &mut Context<'_>, part: TextOr<ResourceStep>, at: &Origin) -> Option<Step> {
    let step = match part {
        TextOr::Text(uri) => ResourceStep { uri, persona: None },
        TextOr::Map(step) => step,
    };
    if let Err(error) = url::Url::parse(&step.uri) {
        let text = format!("`{}` is no URI: {error}", crate::display::excerpt(&step.uri, 100));
        let diagnostic = Diagnostic::error("suite.invalid-value", at.clone(), text);
        context.push(diagnostic.hint("write the URI as the server lists it, such as `shop://orders/1042`"));
        return None;
    }
    Some(Step::Resource(step))
}

/// An HTTP step; what its URL is shows when its variables are filled in.
fn http(context: &mut Context<'_>, step: HttpStep, at: &Origin) -> Option<Step> {
    let wrong = match step.method.as_str() {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" => {
            let begins = ["http://", "https://", "${"].iter().any(|scheme| step.url.0.starts_with(scheme));
            (!begins).then(|| format!("`{}` is no URL", crate::display::excerpt(&step.url.0, 100)))
        }
        other => Some(format!("`{}` is no method of a step", crate::display::excerpt(other, 20))),
    };
    if let Some(text) = wrong {
        let hint = "write `http: {url: \"http://127.0.0.1:8080/reset\", method: POST}`; methods are GET, POST, PUT, PATCH, DELETE and HEAD";
        context.push(Diagnostic::error("suite.invalid-value", at.clone(), text).hint(hint));
        return None;
    }
    Some(Step::Http(step))
}

fn command(context: &mut Context<'_>, step: CommandStep, at: &Origin) -> Option<Step> {
    if step.run.first().is_none_or(|program| program.trim().is_empty()) {
        let text = "the step names no program";
        let diagnostic = Diagnostic::error("suite.invalid-value", at.clone(), text);
        context.push(diagnostic.hint("write `command: [./reset.sh, --all]`"));
        return None;
    }
    Some(Step::Command(step))
}

fn prompt(part: TextOr<PromptStep>) -> Step {
    Step::Prompt(match part {
        TextOr::Text(name) => PromptStep { name, arguments: BTreeMap::new(), persona: None },
        TextOr::Map(step) => step,
    })
}

fn checked_step(
    context: &mut Context<'_>,
    file: &Arc<str>,
    part: &At<VerifyPart>,
) -> Option<Located<Verify>> {
    let at = part.origin(file);
    let VerifyPart { tool, resource: read, prompt: got, path, equals, http: asked, command: ran } =
        part.value.clone();
    let wrong = |code: &'static str, text: String| {
        Diagnostic::error(code, at.clone(), text)
            .hint("write `- {tool: {name: …, args: {…}}, path: $.status, equals: …}`")
    };
    let missing = |key: &str| wrong("suite.missing-key", format!("key `{key}` is missing"));
    let named = [tool.is_some(), read.is_some(), got.is_some(), asked.is_some(), ran.is_some()];
    if named.into_iter().filter(|named| *named).count() > 1 {
        let text = "a verify step names one of `tool`, `resource`, `prompt`, `http` and `command`, and this names several";
        context.push(wrong("suite.invalid-value", text.to_owned()));
        return None;
    }
    let step = match (tool, read, got, asked, ran) {
        (Some(tool), ..) => Some(Step::Tool(wire::with_object_args(tool))),
        (_, Some(read), ..) => resource(context, read, &at),
        (_, _, Some(got), ..) => Some(prompt(got)),
        (_, _, _, Some(asked), _) => http(context, asked.0, &at),
        (_, _, _, _, Some(ran)) => command(context, ran.0, &at),
        _ => {
            context.push(missing("tool"));
            None
        }
    }?;
    let Some(equals) = equals else {
        context.push(missing("equals"));
        return None;
    };
    Some(Located::new(Verify { step, path, equals }, at))
}
