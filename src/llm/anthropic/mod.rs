//! The `anthropic` dialect: the Messages API, <https://platform.claude.com/docs/en/api/messages>.
//!
//! `request` writes, `reading` reads whole answers and event streams into the same blocks, `reply` makes an answer of
//! them. Blocks of thought go back unchanged in the turns that follow.

use std::sync::Arc;

use futures::future::BoxFuture;

use self::reading::Reading;
use super::api::attempt::Question;
use super::api::names::{Names, Rules};
use super::api::{Api, Usual};
use super::offers::Form;
use super::schema::{self, rules};
use super::{
    ChatModel, ChatReply, ChatRequest, Dialect, Media, Message, ModelSpec, Offers, Outside, bad_definition,
};
use crate::transcript::{Fault, Loss, Recorder};

mod reading;
mod reply;
mod request;
mod turns;

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: "anthropic",
    about: "the Messages API of Anthropic, or of a server that speaks it under its `base_url`",
    inline: |id| {
        let spec = ModelSpec::inline("anthropic", id, "anthropic", Some("ANTHROPIC_API_KEY"));
        ModelSpec { family: Some("anthropic".to_owned()), ..spec }
    },
    logprobs: false,
    longest: |spec| Some(request::max_tokens(spec)),
    build,
};

/// Where it is and how it takes the key.
const USUAL: Usual = Usual {
    base: "https://api.anthropic.com/v1",
    key_header: "x-api-key",
    headers: &[("anthropic-version", "2023-06-01")],
};

/// The names of tools that it accepts: `^[a-zA-Z0-9_-]{1,128}$`.
const NAMES: Rules = Rules { longest: 128, signs: "_-", letter_first: false };

/// How often an answer that pauses is continued.
const MOST_PAUSES: usize = 8;

struct Anthropic {
    spec: ModelSpec,
    api: Api,
}

fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let budget = spec.reasoning.as_ref().and_then(|reasoning| reasoning.budget);
    if let (Some(budget), Some(most)) = (budget, spec.max_tokens)
        && budget >= most
    {
        return Err(bad_definition(spec, "`reasoning.budget` leaves nothing of `max_tokens` for the answer"));
    }
    Ok(Arc::new(Anthropic { spec: spec.clone(), api: Api::new(spec, outside, USUAL)? }))
}

impl ChatModel for Anthropic {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        Box::pin(async move {
            let mut whole = self.once(request, log).await?;
            // Only tools that the provider runs itself pause an answer; a definition's `extra` may bring them in.
            let mut pauses = 0;
            while whole.stop == reply::PAUSED && pauses < MOST_PAUSES {
                pauses += 1;
                let so_far = Message::Assistant {
                    text: whole.text.clone(),
                    calls: vec![],
                    carry: whole.carry.clone(),
                };
                let mut longer = request.clone();
                longer.messages.push(so_far);
                let next = self.once(&longer, log).await?;
                whole = reply::joined(whole, next);
            }
            Ok(whole)
        })
    }

    fn losses(&self, tools: &Offers) -> Vec<Loss> {
        tools.lost(Form { dialect: "messages", rules: &rules::ANTHROPIC }, |tools| {
            let names = Names::among(tools, NAMES);
            schema::losses(tools, &rules::ANTHROPIC, |tool| names.wire(&tool.name))
        })
    }

    fn unseen(&self, media: &Media) -> Option<String> {
        crate::llm::media::MESSAGES.refusal(media)
    }
}

impl Anthropic {
    async fn once(&self, request: &ChatRequest, log: &Recorder) -> Result<ChatReply, Fault> {
        let names = Names::of(request, NAMES);
        let body = request::body(&self.spec, request, &names)?;
        let question = Question { api: &self.api, spec: &self.spec, path: "/messages", body: &body, log };
        let answer = question.ask::<Reading>().await?;
        Ok(answer.reply(|reading| reply::of(reading, request, &names, body.get().len())))
    }
}
