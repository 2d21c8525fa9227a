//! The model itself: a conversation in, a call or an answer out. It keeps nothing between calls.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::answer;
use super::choose::{Choice, choose};
use super::memory::Memory;
use super::prompt::Prompt;
use crate::ids::CallId;
use crate::llm::loader::Loader;
use crate::llm::scripted::local_reply;
use crate::llm::{ChatModel, ChatReply, ChatRequest, Dialect, Message, ModelSpec, Outside, ToolOffer};
use crate::transcript::{Fault, Recorder, ToolCall};

/// The row of this dialect.
pub(in crate::llm) const DIALECT: Dialect = Dialect {
    name: "lexical",
    about: "a deterministic baseline that picks tools by their words alone, offline and free",
    inline: |id| ModelSpec::new(&format!("lexical:{id}"), "lexical"),
    logprobs: false,
    longest: |_| None,
    build,
};

struct Lexical {
    id: String,
}

fn build(spec: &ModelSpec, _: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    Ok(Arc::new(Lexical { id: spec.api_id().to_owned() }))
}

impl ChatModel for Lexical {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        let (text, calls) = match decide(request) {
            Decision::Say(text) => (Some(text), vec![]),
            Decision::Call(call) => (None, vec![call]),
        };
        Box::pin(std::future::ready(Ok(local_reply(request, &self.id, text, calls))))
    }
}

enum Decision {
    Say(String),
    Call(ToolCall),
}

fn decide(request: &ChatRequest) -> Decision {
    let newest = request.messages.iter().rposition(|message| matches!(message, Message::User(_)));
    let Some(Message::User(words)) = newest.map(|newest| &request.messages[newest]) else {
        return Decision::Say(answer::NOTHING.to_owned());
    };
    let turn = &request.messages[newest.unwrap_or(0)..];
    let results: Vec<(&ToolCall, &str, bool)> = turn
        .iter()
        .filter_map(|message| match message {
            Message::Tool { call, text, is_error, .. } => Some((call, text.as_str(), *is_error)),
            _ => None,
        })
        .collect();
    let loader = Loader::among(&request.tools);
    let (loads, results): (Vec<_>, Vec<_>) =
        results.into_iter().partition(|(call, _, _)| loader.as_ref().is_some_and(|loader| loader.made(call)));
    // One call per user message: with its result in hand there is only the answer left.
    if !results.is_empty() {
        return Decision::Say(answer::after(&results));
    }
    let prompt = Prompt::of(words);
    let id = CallId::new(format!("call_{}", request.messages.len()));
    let Some(loader) = loader else {
        return act(choose(&request.tools, &prompt, &Memory::of(&request.messages)), id);
    };
    let memory = Memory::of(&loader.without(&request.messages));
    let offered: Vec<ToolOffer> =
        request.tools.iter().filter(|tool| tool.name != loader.tool.name).cloned().collect();
    // One search per user message; what it has found is all there is.
    if !loads.is_empty() || loader.hidden.is_empty() {
        return act(choose(&offered, &prompt, &memory), id);
    }
    // Of what is hidden only the name is known, which may still say more than what is offered.
    let hidden = loader.hidden.iter().map(|name| ToolOffer {
        name: (*name).into(),
        tool: None,
        title: None,
        description: String::new(),
        schema: Value::Null,
    });
    let all: Vec<ToolOffer> = offered.iter().cloned().chain(hidden).collect();
    match choose(&all, &prompt, &memory) {
        Some(choice) if offered.iter().any(|tool| tool.name == choice.tool.name) => act(Some(choice), id),
        _ => {
            let (name, args) = (loader.tool.name.clone(), Loader::args(&prompt.telling()));
            Decision::Call(ToolCall { id, name, args })
        }
    }
}

/// What comes of a choice: a call, or the words for having none.
fn act(choice: Option<Choice<'_>>, id: CallId) -> Decision {
    match choice {
        None => Decision::Say(answer::NOTHING.to_owned()),
        Some(choice) if !choice.filled.missing.is_empty() => {
            Decision::Say(answer::missing(choice.tool.name.as_str(), &choice.filled.missing))
        }
        Some(choice) => Decision::Call(ToolCall {
            id,
            name: choice.tool.name.clone(),
            args: Value::Object(choice.filled.args),
        }),
    }
}
