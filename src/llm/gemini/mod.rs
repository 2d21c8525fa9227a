//! The `gemini` dialect: `generateContent` of the Gemini API, <https://ai.google.dev/api/generate-content>.
//!
//! `request` writes, `reading` reads whole answers and event streams into the same parts, `reply` makes an answer of
//! them. Parts that hold calls or signatures of thought go back unchanged.

use std::sync::Arc;

use futures::future::BoxFuture;

use self::reading::Reading;
use super::api::attempt::Question;
use super::api::names::{Names, Rules};
use super::api::{Api, Usual};
use super::offers::Form;
use super::schema::{self, rules};
use super::{ChatModel, ChatReply, ChatRequest, Dialect, Media, ModelSpec, Offers, Outside, bad_definition};
use crate::transcript::{Fault, Loss, Recorder};

mod contents;
mod logprobs;
mod reading;
mod reply;
mod request;

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: "gemini",
    about: "generateContent of Google's Gemini API, or of a server that speaks it under its `base_url`",
    inline: |id| {
        let spec = ModelSpec::inline("gemini", id, "gemini", Some("GEMINI_API_KEY"));
        ModelSpec { family: Some("google".to_owned()), ..spec }
    },
    logprobs: true,
    longest: |spec| spec.max_tokens.map(u64::from),
    build,
};

/// Where it is and how it takes the key.
const USUAL: Usual = Usual {
    base: "https://generativelanguage.googleapis.com/v1beta",
    key_header: "x-goog-api-key",
    headers: &[],
};

/// The names of tools that it accepts: letters, digits, `_`, `.`, `:` and `-`, a letter or `_` first.
const NAMES: Rules = Rules { longest: 128, signs: "_.:-", letter_first: true };

struct Gemini {
    spec: ModelSpec,
    api: Api,
    path: String,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let path = path(spec).ok_or_else(|| {
        bad_definition(spec, "`id` is no name of a model, such as `gemini-3.8-flash` or `tunedModels/mine`")
    })?;
    if spec
        .reasoning
        .as_ref()
        .is_some_and(|reasoning| reasoning.budget.is_some() && reasoning.effort.is_some())
    {
        return Err(bad_definition(spec, "the API takes one of `reasoning.budget` and `reasoning.effort`"));
    }
    Ok(Arc::new(Gemini { spec: spec.clone(), api: Api::new(spec, outside, USUAL)?, path }))
}

/// The path of the method. The id stands in it as it is, so it must be one that can.
fn path(spec: &ModelSpec) -> Option<String> {
    let id = spec.api_id();
    let plain = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte))
    };
    if !id.split('/').all(plain) {
        return None;
    }
    let id = if id.contains('/') { id.to_owned() } else { format!("models/{id}") };
    let method = if spec.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    Some(format!("/{id}:{method}"))
}

impl ChatModel for Gemini {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            let names = Names::of(request, NAMES);
            let body = request::body(&self.spec, request, &names)?;
            let question = Question { api: &self.api, spec: &self.spec, path: &self.path, body: &body, log };
            let answer = question.ask::<Reading>().await?;
            Ok(answer.reply(|reading| reply::of(reading, request, &names, body.get().len())))
        })
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        tools.lost(Form { dialect: "gemini", rules: &rules::GEMINI_JSON }, |tools| {
            let names = Names::among(tools, NAMES);
            schema::losses(tools, &rules::GEMINI_JSON, |tool| names.wire(&tool.name))
        })
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        crate::llm::media::GEMINI.refusal(media)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_paths_or_are_refused() {
        let path = |id: &str, stream| {
            let mut spec = ModelSpec::new(id, "gemini");
            spec.stream = stream;
            path(&spec)
        };
        assert_eq!(path("gemini-x", false).as_deref(), Some("/models/gemini-x:generateContent"));
        assert_eq!(
            path("tunedModels/mine", true).as_deref(),
            Some("/tunedModels/mine:streamGenerateContent?alt=sse")
        );
        for id in ["", "a b", "../files", "x?key=1", "x#", "a//b", "models/x:generateContent"] {
            assert_eq!(path(id, false), None, "{id}");
        }
    }
}
