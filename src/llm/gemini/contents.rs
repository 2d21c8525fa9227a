//! The conversation as contents of parts. What the model said goes back as it came, signatures of thought included.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use crate::llm::api::names::Names;
use crate::llm::media::{GEMINI, GEMINI_INSIDE, untold};
use crate::llm::{Media, Message, ModelSpec};
use crate::transcript::ToolCall;

/// One turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Part<'a> {
    Text(Cow<'a, str>),
    FunctionCall(Call<'a>),
    FunctionResponse(Response<'a>),
    InlineData(Blob<'a>),
    /// A part of the model's, unchanged.
    #[serde(untagged)]
    Carried(Cow<'a, Value>),
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    name: &'a str,
    args: Cow<'a, Value>,
}

#[derive(Debug, Serialize)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    response: Outcome<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<'a> {
    Output(&'a str),
    Error(&'a str),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

/// The contents of a conversation.
pub(super) fn of<'a>(spec: &ModelSpec, messages: &'a [Message], names: &'a Names) -> Vec<Content<'a>> {
    // Models before Gemini 3 take no media inside a result, and later ones some; the others follow all results.
    let beside = ["gemini-1", "gemini-2"].iter().any(|older| spec.api_id().contains(older));
    let mut contents: Vec<Content<'a>> = vec![];
    let mut media_after: Vec<Part<'a>> = vec![];
    // Only ids that the provider gave mean something to it.
    let mut given = BTreeSet::new();
    for message in messages {
        if !matches!(message, Message::Tool { .. }) {
            add(&mut contents, "user", std::mem::take(&mut media_after));
        }
        let (role, parts) = match message {
            Message::User(text) => ("user", vec![Part::Text(text.into())]),
            Message::Assistant { text, calls, carry } => (
                "model",
                answered(text.as_deref(), calls, carry.as_ref(), &mut Given { names, ids: &mut given }),
            ),
            Message::Tool { call, text, is_error, media } => {
                let id = Some(call.id.as_str()).filter(|id| given.contains(id));
                let inside = |one: &&Media| !beside && GEMINI_INSIDE.form(one).is_some();
                let (media, after): (Vec<&Media>, Vec<&Media>) = media.iter().partition(inside);
                let media = media.into_iter().map(part).collect();
                media_after.extend(after.into_iter().map(part));
                let response = if *is_error { Outcome::Error(text) } else { Outcome::Output(text) };
                let name = names.wire(&call.name);
                ("user", vec![Part::FunctionResponse(Response { id, name, response, parts: media })])
            }
        };
        add(&mut contents, role, parts);
    }
    add(&mut contents, "user", media_after);
    contents
}

/// Adds parts to a turn of their role; the API takes no empty turns.
fn add<'a>(contents: &mut Vec<Content<'a>>, role: &'static str, parts: Vec<Part<'a>>) {
    match contents.last_mut() {
        _ if parts.is_empty() => {}
        Some(content) if content.role == role => content.parts.extend(parts),
        _ => contents.push(Content { role, parts }),
    }
}

/// What the API does not take is named in its place.
fn part(media: &Media) -> Part<'_> {
    match GEMINI.form(media) {
        Some(mime_type) => Part::InlineData(Blob { mime_type, data: &media.data }),
        None => Part::Text(untold(media).into()),
    }
}

/// Names, and the ids of calls that the provider gave so far.
struct Given<'a, 'b> {
    names: &'a Names,
    ids: &'b mut BTreeSet<&'a str>,
}

/// What the model said: its own parts, else text and calls.
fn answered<'a>(
    text: Option<&'a str>,
    calls: &'a [ToolCall],
    carry: Option<&'a Value>,
    given: &mut Given<'a, '_>,
) -> Vec<Part<'a>> {
    let Some(carried) = carry.and_then(Value::as_array) else {
        let text = text.filter(|text| !text.is_empty()).map(|text| Part::Text(text.into()));
        return text.into_iter().chain(calls.iter().map(|call| called(call, given.names))).collect();
    };
    let mut calls = calls.iter();
    carried
        .iter()
        .map(|part| match part.get("functionCall") {
            None => Part::Carried(Cow::Borrowed(part)),
            Some(wire) => {
                let name = calls.next().map(|call| given.names.wire(&call.name));
                given.ids.extend(wire.get("id").and_then(Value::as_str));
                Part::Carried(renamed(part, wire, name))
            }
        })
        .collect()
}

/// The part with the name that its tool goes by in this request, which is nearly always the one it has.
fn renamed<'a>(part: &'a Value, wire: &Value, name: Option<&str>) -> Cow<'a, Value> {
    match name {
        Some(name) if wire["name"] != name => {
            let mut part = part.clone();
            part["functionCall"]["name"] = name.into();
            Cow::Owned(part)
        }
        _ => Cow::Borrowed(part),
    }
}

fn called<'a>(call: &'a ToolCall, names: &'a Names) -> Part<'a> {
    let args = match &call.args {
        Value::Object(_) => Cow::Borrowed(&call.args),
        Value::String(text) => Cow::Owned(json!({ "INVALID_JSON": text })),
        other => Cow::Owned(json!({ "INVALID_JSON": other.to_string() })),
    };
    Part::FunctionCall(Call { name: names.wire(&call.name), args })
}
