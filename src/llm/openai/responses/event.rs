//! What the Responses API and those that imitate it send, read tolerantly: whole responses and the events of streamed
//! ones.

use serde::Deserialize;
use serde_json::Value;

use crate::llm::api::calls::MOST_CALLS;
use crate::llm::api::error::Problem;
use crate::llm::api::loose::{Count, Head, Maybe, Scalar, Text};
use crate::transcript::Usage;

/// A response: an answer as a whole, or what the last event of a stream holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) status: Text,
    pub(super) model: Text,
    pub(super) output: Head<Value, MOST_CALLS>,
    pub(super) usage: Maybe<WireUsage>,
    pub(super) incomplete_details: Maybe<Incomplete>,
    pub(super) error: Option<Problem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incomplete {
    pub(super) reason: Text,
}

/// An event of a stream. Which fields it has depends on its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) output_index: Count,
    pub(super) delta: Text,
    pub(super) text: Text,
    pub(super) refusal: Text,
    pub(super) arguments: Text,
    pub(super) item: Value,
    pub(super) logprobs: Value,
    pub(super) response: Maybe<Response>,
    pub(super) error: Option<Problem>,
    pub(super) code: Scalar,
    pub(super) message: Text,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    input_tokens: Count,
    output_tokens: Count,
    input_tokens_details: Maybe<Details>,
    output_tokens_details: Maybe<Details>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    reasoning_tokens: Count,
}

impl WireUsage {
    /// The provider's numbers; `None` when they cannot be true.
    pub(super) fn read(&self) -> Option<Usage> {
        let input = self.input_tokens.0.filter(|tokens| *tokens > 0)?;
        let output = self.output_tokens.0?;
        let read = self.input_tokens_details.0.as_ref();
        let cached = read.and_then(|details| details.cached_tokens.0).unwrap_or(0).min(input);
        let written = read.and_then(|details| details.cache_write_tokens.0).unwrap_or(0);
        let thought = self.output_tokens_details.0.as_ref().and_then(|details| details.reasoning_tokens.0);
        Some(Usage {
            input,
            output,
            cached,
            cache_written: written.min(input - cached),
            reasoning: thought.unwrap_or(0).min(output),
            reported: true,
        })
    }
}
