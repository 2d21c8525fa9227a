//! The `openai_responses` dialect: OpenAI's Responses API, without state at the provider. Reasoning comes back encrypted
//! and is given back with the next request.

use std::sync::Arc;

use futures::future::BoxFuture;

use self::assemble::Assembly;
use super::exchange::Caller;
use super::{NAMES, USUAL, inline, lost, no_budget};
use crate::llm::api::Api;
use crate::llm::api::names::Names;
use crate::llm::offers::Form;
use crate::llm::schema::rules::Rules;
use crate::llm::{ChatModel, ChatReply, ChatRequest, Dialect, Media, ModelSpec, Offers, Outside, providers};
use crate::transcript::{Fault, Loss, Recorder};

mod assemble;
mod event;
mod request;

/// The row of this dialect.
pub(in crate::llm) const DIALECT: Dialect = Dialect {
    name: "openai_responses",
    about: "the Responses API of OpenAI, or of a compatible provider under its `base_url`",
    inline: |id| inline("openai_responses", id),
    logprobs: true,
    longest: super::request::longest,
    build,
};

struct Responses {
    caller: Caller,
    rules: &'static Rules,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let api = Api::new(spec, outside, USUAL)?;
    if spec.reasoning.as_ref().is_some_and(|reasoning| reasoning.budget.is_some()) {
        return Err(no_budget(spec));
    }
    let rules = providers::quirks(api.base()).schema;
    Ok(Arc::new(Responses { caller: Caller::new(spec, api), rules }))
}

impl ChatModel for Responses {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            let names = Names::of(request, NAMES);
            let body = request::body(&self.caller.spec, self.rules, request, &names)?;
            let sent = body.get().len();
            let reply = |assembly: Assembly| assembly.reply(request, &names, sent);
            self.caller.ask(&body, log, reply).await
        })
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        lost(tools, Form { dialect: "responses", rules: self.rules })
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        crate::llm::media::RESPONSES.refusal(media)
    }
}
