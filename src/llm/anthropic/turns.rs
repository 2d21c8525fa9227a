//! The conversation as turns of blocks. Thought goes back as it came, in its place among text and calls.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::llm::api::names::Names;
use crate::llm::media::{MESSAGES, untold};
use crate::llm::{Media, Message};
use crate::transcript::ToolCall;

/// A place up to which the provider may cache.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Mark {
    r#type: &'static str,
}

impl Mark {
    /// For as long as the provider usually does.
    pub(super) const EPHEMERAL: Self = Self { r#type: "ephemeral" };
}

/// One turn.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// A piece of a turn.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    /// Words.
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    /// A call.
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Cow<'a, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    /// What came of a call.
    ToolResult {
        tool_use_id: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Part<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Mark>,
    },
    /// A block of the model's, unchanged.
    #[serde(untagged)]
    Carried(&'a Value),
}

/// A piece of a result.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    /// Words.
    Text { text: Cow<'a, str> },
    /// An image.
    Image { source: Source<'a> },
}

/// The bytes of an image.
#[derive(Debug, Serialize)]
pub(super) struct Source<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: &'a str,
}

/// The turns of a conversation, with a mark on the last block if one is wanted.
pub(super) fn of<'a>(messages: &'a [Message], names: &'a Names, mark: Option<Mark>) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = vec![];
    for message in messages {
        let (role, content) = match message {
            Message::User(text) => ("user", vec![said(text)]),
            Message::Assistant { text, calls, carry } => {
                ("assistant", answered(text.as_deref(), calls, carry.as_ref(), names))
            }
            Message::Tool { call, text, is_error, media } => {
                ("user", vec![result(call, text, *is_error, media)])
            }
        };
        match turns.last_mut() {
            // The API takes no empty turns.
            _ if content.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.extend(content),
            _ => turns.push(Turn { role, content }),
        }
    }
    if let Some(block) = turns.last_mut().and_then(|turn| turn.content.last_mut()) {
        block.mark(mark);
    }
    turns
}

impl Block<'_> {
    fn mark(&mut self, mark: Option<Mark>) {
        match self {
            Self::Text { cache_control, .. }
            | Self::ToolUse { cache_control, .. }
            | Self::ToolResult { cache_control, .. } => *cache_control = mark,
            // Thought cannot be marked.
            Self::Carried(_) => {}
        }
    }
}

fn said(text: &str) -> Block<'_> {
    Block::Text { text, cache_control: None }
}

/// What the model said: the blocks it wants back, in their order; else text and calls.
fn answered<'a>(
    text: Option<&'a str>,
    calls: &'a [ToolCall],
    carry: Option<&'a Value>,
    names: &'a Names,
) -> Vec<Block<'a>> {
    let mut open: Vec<&ToolCall> = calls.iter().collect();
    let mut blocks = vec![];
    match carry.and_then(Value::as_array) {
        Some(carried) => {
            for block in carried {
                if block["type"] != "tool_use" {
                    blocks.push(Block::Carried(block));
                } else if let Some(at) = open.iter().position(|call| block["id"] == call.id.as_str()) {
                    blocks.push(called(open.remove(at), names));
                }
            }
        }
        None => blocks.extend(text.filter(|text| !text.trim().is_empty()).map(said)),
    }
    blocks.extend(open.into_iter().map(|call| called(call, names)));
    blocks
}

fn called<'a>(call: &'a ToolCall, names: &'a Names) -> Block<'a> {
    let input = match &call.args {
        Value::Object(_) => Cow::Borrowed(&call.args),
        // The form that the documentation of fine-grained streaming proposes for arguments that are no JSON.
        Value::String(text) => Cow::Owned(json!({ "INVALID_JSON": text })),
        other => Cow::Owned(json!({ "INVALID_JSON": other.to_string() })),
    };
    Block::ToolUse { id: call.id.as_str(), name: names.wire(&call.name), input, cache_control: None }
}

fn result<'a>(call: &'a ToolCall, text: &'a str, is_error: bool, media: &'a [Media]) -> Block<'a> {
    let text = (!text.trim().is_empty()).then_some(Part::Text { text: text.into() });
    let content = text.into_iter().chain(media.iter().map(part)).collect();
    Block::ToolResult { tool_use_id: call.id.as_str(), content, is_error, cache_control: None }
}

/// What the API does not take is named in its place.
fn part(media: &Media) -> Part<'_> {
    match MESSAGES.form(media) {
        Some(media_type) => {
            Part::Image { source: Source { r#type: "base64", media_type, data: &media.data } }
        }
        None => Part::Text { text: untold(media).into() },
    }
}
