//! The dialects `openai` (chat completions of OpenAI and of every compatible provider) and `openai_responses`, through
//! async-openai.
//!
//! async-openai builds the requests and decodes the event streams. Its own retries, its reading of the environment and
//! its strict types are all left out: `wire` executes, `reply` reads tolerantly, `retry` repeats visibly.

use std::sync::Arc;

use futures::future::BoxFuture;

use self::assemble::Assembly;
use self::exchange::Caller;
use super::api::names::{self, Names};
use super::api::{Api, Usual};
use super::offers::Form;
use super::providers::{self, Quirks};
use super::{
    ChatModel, ChatReply, ChatRequest, Dialect, Media, ModelSpec, Offers, Outside, bad_definition, schema,
};
use crate::transcript::{Fault, Loss, Recorder};

mod assemble;
mod details;
mod exchange;
mod logprobs;
mod media;
mod reply;
mod request;
mod responses;
mod wire;

pub(super) use self::responses::DIALECT as RESPONSES;

/// The row of chat completions.
pub(super) const DIALECT: Dialect = Dialect {
    name: "openai",
    about: "chat completions of OpenAI, or of any compatible provider under its `base_url`",
    inline: |id| inline("openai", id),
    logprobs: true,
    longest: request::longest,
    build,
};

/// Where it is and how it takes the key.
const USUAL: Usual = Usual { base: providers::OPENAI_BASE, key_header: "authorization", headers: &[] };

/// The names of tools that it accepts.
const NAMES: names::Rules = names::Rules { longest: 64, signs: "_-", letter_first: false };

fn inline(dialect: &str, id: &str) -> ModelSpec {
    ModelSpec::inline(dialect, id, dialect, Some("OPENAI_API_KEY"))
}

struct Chat {
    caller: Caller,
    quirks: Quirks,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let api = Api::new(spec, outside, USUAL)?;
    let quirks = providers::quirks(api.base());
    if spec.reasoning.as_ref().is_some_and(|reasoning| reasoning.budget.is_some()) && !quirks.reasoning_object
    {
        return Err(no_budget(spec));
    }
    Ok(Arc::new(Chat { caller: Caller::new(spec, api), quirks }))
}

fn no_budget(spec: &ModelSpec) -> Fault {
    bad_definition(spec, "`reasoning.budget` is not known to this API; it takes `reasoning.effort`")
}

impl ChatModel for Chat {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            let names = Names::of(request, NAMES);
            let body = request::body(&self.caller.spec, &self.quirks, request, &names)?;
            let sent = body.get().len();
            let reply = |assembly: Assembly| assembly.reply(request, &names, sent);
            self.caller.ask(&body, log, reply).await
        })
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        lost(tools, Form { dialect: "chat", rules: self.quirks.schema })
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        crate::llm::media::CHAT.refusal(media)
    }
}

/// What of these tools is not taken in this form.
fn lost(tools: &Offers, form: Form) -> Vec<Loss> {
    tools.lost(form, |tools| {
        let names = Names::among(tools, NAMES);
        schema::losses(tools, form.rules, |tool| names.wire(&tool.name))
    })
}
