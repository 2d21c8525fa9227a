//! Answers of generateContent, whole or as events, become the same list of parts.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::logprobs;
use crate::llm::api::answer::unreadable;
use crate::llm::api::attempt;
use crate::llm::api::calls::MOST_CALLS;
use crate::llm::api::error::Problem;
use crate::llm::api::loose::{Count, Head, Maybe, Text};
use crate::llm::odds::{MOST_TOKENS, Token};
use crate::llm::retry::Failure;
use crate::transcript::Usage;

/// What has been read of an answer.
#[derive(Default)]
pub(super) struct Reading {
    /// The parts: JSON objects, neighbouring pieces of a text joined.
    pub(super) parts: Vec<Map<String, Value>>,
    /// The tokens of its texts, if they were asked for.
    pub(super) tokens: Vec<Token>,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// Why it stopped, or why the prompt was blocked.
    pub(super) stop: Option<String>,
    /// The same in words, if it said so.
    pub(super) explanation: Option<String>,
    /// Whether the prompt was blocked.
    pub(super) blocked: bool,
    /// Tokens.
    pub(super) usage: Option<WireUsage>,
}

/// Counts of tokens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WireUsage {
    pub(super) prompt_token_count: Count,
    pub(super) tool_use_prompt_token_count: Count,
    pub(super) cached_content_token_count: Count,
    pub(super) candidates_token_count: Count,
    pub(super) thoughts_token_count: Count,
}

impl WireUsage {
    /// The provider's numbers, thoughts counted beside the answer; `None` when they cannot be true, such as an answer to a
    /// prompt of no tokens.
    pub(super) fn read(&self) -> Option<Usage> {
        let prompt = self.prompt_token_count.0.filter(|tokens| *tokens > 0)?;
        let input = prompt.saturating_add(self.tool_use_prompt_token_count.0.unwrap_or(0));
        let thoughts = self.thoughts_token_count.0.unwrap_or(0);
        Some(Usage {
            input,
            output: self.candidates_token_count.0.unwrap_or(0).saturating_add(thoughts),
            cached: self.cached_content_token_count.0.unwrap_or(0).min(input),
            reasoning: thoughts,
            reported: true,
            ..Usage::default()
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    error: Option<Problem>,
    candidates: Head<Candidate, 1>,
    prompt_feedback: Maybe<Feedback>,
    usage_metadata: Maybe<WireUsage>,
    model_version: Text,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Candidate {
    content: Maybe<Content>,
    finish_reason: Text,
    finish_message: Text,
    logprobs_result: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Feedback {
    block_reason: Text,
    block_reason_message: Text,
}

impl Reading {
    /// Adds an answer, or a piece of one. Says whether it held anything of the answer: parts or its end.
    fn add(&mut self, wire: Wire) -> Result<bool, Failure> {
        if let Some(problem) = wire.error {
            return Err(problem.failure(200, None));
        }
        let text = |text: Text| text.0.filter(|text| !text.is_empty());
        self.model = text(wire.model_version).or(self.model.take());
        // Later counts are for the whole answer so far.
        self.usage = wire.usage_metadata.0.or(self.usage.take());
        let mut held = false;
        if let Some(feedback) = wire.prompt_feedback.0
            && let Some(reason) = text(feedback.block_reason)
        {
            (self.stop, self.blocked, held) = (Some(reason), true, true);
            self.explanation = text(feedback.block_reason_message);
        }
        let Some(candidate) = wire.candidates.0.into_iter().next() else { return Ok(held) };
        if let Some(reason) = text(candidate.finish_reason) {
            (self.stop, held) = (Some(reason), true);
        }
        self.explanation = text(candidate.finish_message).or(self.explanation.take());
        if let Some(raw) = candidate.logprobs_result {
            self.tokens.extend(logprobs::of_candidate(&raw));
            self.tokens.truncate(MOST_TOKENS);
        }
        if let Some(raw) = candidate.content.0.and_then(|content| content.parts) {
            let parts: Vec<Map<String, Value>> =
                serde_json::from_str(raw.get()).map_err(|error| unreadable(&error, raw.get().as_bytes()))?;
            held |= !parts.is_empty();
            parts.into_iter().for_each(|part| self.part(part));
        }
        Ok(held)
    }

    /// A piece of text joins the one before it, unless one of them is signed.
    fn part(&mut self, part: Map<String, Value>) {
        if let Some(last) = self.parts.last_mut()
            && plain(last)
            && plain(&part)
            && last.get("thought") == part.get("thought")
            && let (Some(Value::String(whole)), Some(Value::String(piece))) =
                (last.get_mut("text"), part.get("text"))
        {
            whole.push_str(piece);
        } else if self.parts.len() < MOST_CALLS {
            self.parts.push(part);
        }
    }
}

/// Whether a part is nothing but a text.
fn plain(part: &Map<String, Value>) -> bool {
    part.keys().all(|key| matches!(key.as_str(), "text" | "thought"))
}

impl attempt::Reading for Reading {
    fn tokens(&self) -> Option<u64> {
        self.usage.as_ref()?.read().map(|usage| usage.input.saturating_add(usage.output))
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), Failure> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| unreadable(&error, body))?;
        match self.add(wire)? {
            true => Ok(()),
            false => Err(Failure::Bad("the answer holds no candidate and no reason for that".to_owned())),
        }
    }

    fn event(&mut self, data: &[u8]) -> Result<bool, Failure> {
        let wire = serde_json::from_slice(data)
            .map_err(|_| Failure::Bad("an event of the stream is not what the API promises".to_owned()))?;
        self.add(wire)
    }

    fn is_finished(&self) -> bool {
        self.stop.is_some()
    }

    /// The API has no end mark: the stream just ends.
    fn is_done(&self) -> bool {
        false
    }
}
