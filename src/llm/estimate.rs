//! Tokens where nobody reports them: four characters each, marked as estimated. Never used when a provider reports.

use super::{ChatRequest, Message, ModelSpec};
use crate::transcript::{ToolCall, Usage};

/// Characters of one token in English text and JSON, roughly; the rule of thumb of the common tokenisers.
const CHARS_PER_TOKEN: u64 = 4;

/// Tokens of a text of this many bytes; at least one when there is any text.
pub fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(CHARS_PER_TOKEN)
}

/// Tokens that a request of so many bytes and its answer are thought to take of an allowance, before it is sent.
pub(super) fn weight(spec: &ModelSpec, bytes: usize) -> u64 {
    /// An answer of a model in the middle of its work.
    const ANSWER: u64 = 500;
    tokens(bytes as u64).saturating_add(spec.max_tokens.map_or(ANSWER, |most| ANSWER.min(u64::from(most))))
}

/// Bytes that an answer holds.
pub(super) fn answer_bytes(text: Option<&str>, calls: &[ToolCall]) -> u64 {
    let calls: usize = calls.iter().map(|call| call.name.as_str().len() + call.args.to_string().len()).sum();
    (text.map_or(0, str::len) + calls) as u64
}

/// Usage of an answer whose provider reports none, to a request of so many bytes.
pub(super) fn unreported(
    sent: usize,
    text: Option<&str>,
    reasoning: Option<&str>,
    calls: &[ToolCall],
) -> Usage {
    let thought = reasoning.map_or(0, str::len) as u64;
    Usage {
        input: tokens(sent as u64),
        output: tokens(answer_bytes(text, calls) + thought),
        reasoning: tokens(thought),
        ..Usage::default()
    }
}

/// Usage of a model that runs inside the program.
pub(super) fn usage(request: &ChatRequest, text: Option<&str>, calls: &[ToolCall]) -> Usage {
    let messages: u64 = request.messages.iter().map(message_bytes).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| tool.name.as_str().len() + tool.description.len() + tool.schema.to_string().len())
        .sum();
    let system = request.system.as_ref().map_or(0, String::len);
    Usage {
        input: tokens(messages + (tools + system) as u64),
        output: tokens(answer_bytes(text, calls)),
        ..Usage::default()
    }
}

fn message_bytes(message: &Message) -> u64 {
    match message {
        Message::User(text) | Message::Tool { text, .. } => text.len() as u64,
        Message::Assistant { text, calls, .. } => answer_bytes(text.as_deref(), calls),
    }
}
