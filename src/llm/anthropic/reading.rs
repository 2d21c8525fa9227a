//! Answers of the Messages API, whole or as events, become the same list of blocks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::llm::api::answer::unreadable;
use crate::llm::api::attempt;
use crate::llm::api::calls::{MOST_CALLS, arguments};
use crate::llm::api::error::Problem;
use crate::llm::api::loose::{Count, Maybe, Text};
use crate::llm::retry::Failure;
use crate::transcript::Usage;

/// What has been read of an answer.
#[derive(Default)]
pub(super) struct Reading {
    /// The blocks by their index: JSON objects with a `type`.
    pub(super) blocks: BTreeMap<u64, Block>,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// Why it stopped.
    pub(super) stop: Option<String>,
    /// Why it refused, in the provider's words.
    pub(super) explanation: Option<String>,
    /// Tokens.
    pub(super) usage: WireUsage,
    done: bool,
}

/// A block, and the pieces that have come since its start.
#[derive(Default)]
pub(super) struct Block {
    start: Map<String, Value>,
    text: String,
    thinking: String,
    signature: String,
    input: String,
}

impl Block {
    /// The block with its pieces in their places.
    pub(super) fn finished(self) -> Map<String, Value> {
        let Self { mut start, text, thinking, signature, input } = self;
        for (key, piece) in [("text", text), ("thinking", thinking), ("signature", signature)] {
            if piece.is_empty() {
                continue;
            }
            let begun = start.get(key).and_then(Value::as_str).unwrap_or_default();
            let whole = format!("{begun}{piece}");
            start.insert(key.to_owned(), whole.into());
        }
        if !input.is_empty() {
            start.insert("input".to_owned(), arguments(&input));
        }
        start
    }
}

/// Counts of tokens; those that a later event repeats count from then on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUsage {
    pub(super) input_tokens: Count,
    pub(super) cache_creation_input_tokens: Count,
    pub(super) cache_read_input_tokens: Count,
    pub(super) output_tokens: Count,
    pub(super) output_tokens_details: Maybe<Details>,
}

/// What the output consists of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    pub(super) thinking_tokens: Count,
}

impl WireUsage {
    /// The provider's numbers; `None` when they cannot be true, such as an answer to a prompt of no tokens.
    pub(super) fn read(&self) -> Option<Usage> {
        let fresh = self.input_tokens.0?;
        let cached = self.cache_read_input_tokens.0.unwrap_or(0);
        let written = self.cache_creation_input_tokens.0.unwrap_or(0);
        let output = self.output_tokens.0?;
        let input = fresh.saturating_add(cached).saturating_add(written);
        let reasoning = self.output_tokens_details.0.as_ref().and_then(|details| details.thinking_tokens.0);
        (input > 0).then_some(Usage {
            input,
            output,
            cached,
            cache_written: written,
            reasoning: reasoning.unwrap_or(0).min(output),
            reported: true,
        })
    }

    fn update(&mut self, later: Self) {
        let newer = |mine: &mut Count, later: Count| {
            if later.0.is_some() {
                *mine = later;
            }
        };
        newer(&mut self.input_tokens, later.input_tokens);
        newer(&mut self.cache_creation_input_tokens, later.cache_creation_input_tokens);
        newer(&mut self.cache_read_input_tokens, later.cache_read_input_tokens);
        newer(&mut self.output_tokens, later.output_tokens);
        if later.output_tokens_details.0.is_some() {
            self.output_tokens_details = later.output_tokens_details;
        }
    }
}

/// A message, whole or as `message_start` begins it, and what `message_delta` changes of it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    error: Option<Problem>,
    model: Text,
    content: Option<Box<RawValue>>,
    stop_reason: Text,
    stop_details: Maybe<StopDetails>,
    usage: Maybe<WireUsage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StopDetails {
    explanation: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    r#type: Text,
    error: Option<Problem>,
    index: Count,
    message: Maybe<Wire>,
    content_block: Option<Map<String, Value>>,
    delta: Maybe<Delta>,
    usage: Maybe<WireUsage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    text: Text,
    partial_json: Text,
    thinking: Text,
    signature: Text,
    stop_reason: Text,
    stop_details: Maybe<StopDetails>,
}

impl Reading {
    fn message(&mut self, wire: Wire) -> Result<(), Failure> {
        self.model = wire.model.0.filter(|model| !model.is_empty());
        self.stopped(wire.stop_reason, wire.stop_details);
        self.usage.update(wire.usage.0.unwrap_or_default());
        if let Some(content) = wire.content {
            let blocks: Vec<Map<String, Value>> = serde_json::from_str(content.get())
                .map_err(|error| unreadable(&error, content.get().as_bytes()))?;
            let blocks = (0..).zip(blocks.into_iter().take(MOST_CALLS));
            self.blocks.extend(blocks.map(|(index, start)| (index, Block { start, ..Block::default() })));
        }
        Ok(())
    }

    fn stopped(&mut self, reason: Text, details: Maybe<StopDetails>) {
        self.stop = reason.0.filter(|reason| !reason.is_empty()).or(self.stop.take());
        let explanation = details.0.and_then(|details| details.explanation.0);
        self.explanation = explanation.filter(|text| !text.is_empty()).or(self.explanation.take());
    }

    /// The block of an index; one without a start is text.
    fn block(&mut self, index: u64) -> Option<&mut Block> {
        if !self.blocks.contains_key(&index) && self.blocks.len() >= MOST_CALLS {
            return None;
        }
        Some(self.blocks.entry(index).or_insert_with(|| {
            let start = [("type".to_owned(), json!("text"))].into_iter().collect();
            Block { start, ..Block::default() }
        }))
    }

    fn piece(&mut self, index: u64, delta: Delta) -> bool {
        let Some(block) = self.block(index) else { return false };
        let mut held = false;
        let pieces = [
            (&mut block.text, delta.text),
            (&mut block.input, delta.partial_json),
            (&mut block.thinking, delta.thinking),
            (&mut block.signature, delta.signature),
        ];
        for (whole, piece) in pieces {
            let piece = piece.0.unwrap_or_default();
            held |= !piece.is_empty();
            whole.push_str(&piece);
        }
        held
    }
}

impl attempt::Reading for Reading {
    fn tokens(&self) -> Option<u64> {
        self.usage.read().map(|usage| usage.input.saturating_add(usage.output))
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), Failure> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| unreadable(&error, body))?;
        match (wire.error, &wire.content) {
            (Some(problem), _) => Err(problem.failure(200, None)),
            (None, None) => Err(Failure::Bad("the answer holds no content".to_owned())),
            (None, Some(_)) => self.message(Wire { error: None, ..wire }),
        }
    }

    fn event(&mut self, data: &[u8]) -> Result<bool, Failure> {
        let event: Event = serde_json::from_slice(data)
            .map_err(|_| Failure::Bad("an event of the stream is not what the API promises".to_owned()))?;
        if let Some(problem) = event.error {
            return Err(problem.failure(200, None));
        }
        match event.r#type.0.as_deref() {
            Some("message_start") => {
                self.message(event.message.0.unwrap_or_default())?;
                Ok(false)
            }
            Some("content_block_start") => {
                let Some(start) = event.content_block else { return Ok(false) };
                let Some(block) = self.block(event.index.0.unwrap_or(0)) else { return Ok(false) };
                // Texts and thoughts begin empty; a call has a name.
                let held = !matches!(start.get("type").and_then(Value::as_str), Some("text" | "thinking"));
                block.start = start;
                Ok(held)
            }
            Some("content_block_delta") => {
                Ok(self.piece(event.index.0.unwrap_or(0), event.delta.0.unwrap_or_default()))
            }
            Some("message_delta") => {
                let delta = event.delta.0.unwrap_or_default();
                self.stopped(delta.stop_reason, delta.stop_details);
                self.usage.update(event.usage.0.unwrap_or_default());
                Ok(self.stop.is_some())
            }
            Some("message_stop") => {
                self.done = true;
                Ok(false)
            }
            // Pings, ends of blocks, and what a later version of the API may add.
            _ => Ok(false),
        }
    }

    fn is_finished(&self) -> bool {
        self.stop.is_some()
    }

    fn is_done(&self) -> bool {
        self.done
    }
}
