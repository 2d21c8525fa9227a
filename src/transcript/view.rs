//! Questions that scoring and reports ask of a transcript.

use std::collections::HashMap;

use serde_json::Value;

use super::event::Caller;
use super::{CaseHeader, End, Transcript, Usage, What};
use crate::ids::{CallId, ToolName};

/// A transcript with its calls paired with their results, ready for questions. Building it is one pass.
#[derive(Debug)]
pub struct View<'a> {
    transcript: &'a Transcript,
    calls: Vec<ToolUse<'a>>,
}

/// A tool call of the model or the harness with what became of it.
#[derive(Clone, Copy, Debug)]
pub struct ToolUse<'a> {
    /// The number of the event at which the call was sent, or rejected before sending.
    pub seq: u32,
    /// The turn of the user it belongs to, from 1; 0 before the first.
    pub turn: u32,
    /// The tool.
    pub name: &'a ToolName,
    /// The arguments.
    pub args: &'a Value,
    /// Who asked.
    pub by: Caller,
    /// What became of it.
    pub fate: Fate<'a>,
}

/// A request or a notification of the server.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The number of the event.
    pub seq: u32,
    /// The JSON-RPC method.
    pub method: &'a str,
    /// Its parameters.
    pub params: &'a Value,
    /// What was answered: a result or an error object, `null` for silence. `None`: a notification.
    pub answered: Option<&'a Value>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug)]
pub enum Fate<'a> {
    /// The server returned a result.
    Returned {
        /// The number of the event.
        seq: u32,
        /// Content blocks.
        content: &'a [Value],
        /// Structured content.
        structured: Option<&'a Value>,
        /// Flagged as an error.
        is_error: bool,
        /// Size in bytes.
        bytes: u64,
        /// Milliseconds.
        took_ms: u64,
    },
    /// The server refused it with a JSON-RPC error or an HTTP status.
    Refused {
        /// The number of the event.
        seq: u32,
        /// JSON-RPC code.
        code: Option<i64>,
        /// HTTP status.
        status: Option<u16>,
        /// The message.
        message: &'a str,
        /// The `WWW-Authenticate` header, if there was one.
        challenge: Option<&'a str>,
    },
    /// It never left the harness: unknown tool or unreadable arguments.
    Rejected {
        /// What the model was told.
        message: &'a str,
    },
    /// The trial ended before an answer came.
    Pending,
}

impl Fate<'_> {
    /// Whether the model saw an error: a flagged result, a refusal or a rejection.
    pub fn failed(&self) -> bool {
        match self {
            Self::Returned { is_error, .. } => *is_error,
            Self::Refused { .. } | Self::Rejected { .. } => true,
            Self::Pending => false,
        }
    }

    /// The number of the event that answered the call.
    pub fn seq(&self) -> Option<u32> {
        match self {
            Self::Returned { seq, .. } | Self::Refused { seq, .. } => Some(*seq),
            Self::Rejected { .. } | Self::Pending => None,
        }
    }

    /// The result as JSON: structured content, or the text when it is JSON.
    pub fn json(&self) -> Option<Value> {
        match self {
            Self::Returned { structured: Some(value), .. } => Some((*value).clone()),
            Self::Returned { content, .. } => serde_json::from_str(text_of(content).trim()).ok(),
            Self::Refused { .. } | Self::Rejected { .. } | Self::Pending => None,
        }
    }

    /// The text of the result: structured content as JSON if present, else all text blocks joined.
    pub fn text(&self) -> String {
        match self {
            Self::Returned { content, structured, .. } => match structured {
                Some(value) => value.to_string(),
                None => text_of(content),
            },
            Self::Refused { message, .. } | Self::Rejected { message } => (*message).to_owned(),
            Self::Pending => String::new(),
        }
    }
}

/// The text blocks of a result, joined by line feeds.
pub fn text_of(content: &[Value]) -> String {
    content
        .iter()
        .filter_map(|block| {
            block
                .get("text")
                .or_else(|| block.get("resource").and_then(|r| r.get("text")))
                .and_then(Value::as_str)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

static NO_ARGS: Value = Value::Null;

impl<'a> View<'a> {
    /// Pairs calls with results.
    pub fn of(transcript: &'a Transcript) -> Self {
        let mut calls: Vec<ToolUse<'a>> = Vec::new();
        let mut open: HashMap<&'a CallId, usize> = HashMap::new();
        let mut asked: HashMap<&'a CallId, &'a Value> = HashMap::new();
        let mut turn = 0;
        for event in &transcript.events {
            match &event.what {
                What::UserSaid { .. } => turn += 1,
                What::ModelSaid { calls: wanted, .. } => {
                    asked.extend(wanted.iter().map(|call| (&call.id, &call.args)));
                }
                What::ToolCalled { call, name, args, by } => {
                    open.insert(call, calls.len());
                    calls.push(ToolUse { seq: event.seq, turn, name, args, by: *by, fate: Fate::Pending });
                }
                What::ToolRejected { call, name, message } => {
                    let args = asked.get(call).copied().unwrap_or(&NO_ARGS);
                    let fate = Fate::Rejected { message };
                    calls.push(ToolUse { seq: event.seq, turn, name, args, by: Caller::Model, fate });
                }
                What::ToolReturned { call, content, structured, is_error, bytes, took_ms, .. } => {
                    if let Some(index) = open.remove(call) {
                        calls[index].fate = Fate::Returned {
                            seq: event.seq,
                            content,
                            structured: structured.as_ref(),
                            is_error: *is_error,
                            bytes: *bytes,
                            took_ms: *took_ms,
                        };
                    }
                }
                What::ToolRefused { call, code, status, message, challenge, .. } => {
                    if let Some(index) = open.remove(call) {
                        calls[index].fate = Fate::Refused {
                            seq: event.seq,
                            code: *code,
                            status: *status,
                            message,
                            challenge: challenge.as_deref(),
                        };
                    }
                }
                _ => {}
            }
        }
        Self { transcript, calls }
    }

    /// The transcript itself.
    pub fn transcript(&self) -> &'a Transcript {
        self.transcript
    }

    /// What it is about.
    pub fn header(&self) -> &'a CaseHeader {
        &self.transcript.header
    }

    /// How it ended.
    pub fn end(&self) -> &'a End {
        &self.transcript.end
    }

    /// Every call, in the order sent, the harness's own included.
    pub fn all_calls(&self) -> &[ToolUse<'a>] {
        &self.calls
    }

    /// The calls the model asked for, in order.
    pub fn model_calls(&self) -> impl Iterator<Item = &ToolUse<'a>> {
        self.calls.iter().filter(|call| call.by == Caller::Model)
    }

    /// The calls the harness made, in order.
    pub fn harness_calls(&self) -> impl Iterator<Item = &ToolUse<'a>> {
        self.calls.iter().filter(|call| call.by == Caller::Harness)
    }

    /// The names of the tools of the last complete list, with the number of that event.
    pub fn visible_tools(&self) -> Option<(u32, Vec<&'a ToolName>)> {
        self.transcript.events.iter().rev().find_map(|event| match &event.what {
            What::ToolsListed { tools } => Some((event.seq, tools.iter().map(|tool| &tool.name).collect())),
            _ => None,
        })
    }

    /// The raw description of a tool in the last complete list.
    pub fn tool(&self, name: &str) -> Option<&'a super::ToolFact> {
        self.transcript.events.iter().rev().find_map(|event| match &event.what {
            What::ToolsListed { tools } => Some(tools.iter().find(|tool| tool.name.as_str() == name)),
            _ => None,
        })?
    }

    /// The model's last words without a tool call, with the number of that event: the answer to the last turn.
    pub fn answer(&self) -> Option<(u32, &'a str)> {
        self.answers().pop()
    }

    /// The answer to each turn of the user, with the numbers of their events; turns without one are left out.
    pub fn answers(&self) -> Vec<(u32, &'a str)> {
        let mut answers = Vec::new();
        let mut last = None;
        for event in &self.transcript.events {
            match &event.what {
                What::UserSaid { .. } => answers.extend(last.take()),
                What::ModelSaid { text, calls, .. } => {
                    last = match text {
                        Some(text) if calls.is_empty() => Some((event.seq, text.as_str())),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        answers.extend(last);
        answers
    }

    /// The steps of a phase (`setup`, `verify`, `cleanup`), in order.
    pub fn steps(&self, phase: &str) -> impl Iterator<Item = &'a super::Event> {
        self.transcript
            .events
            .iter()
            .filter(move |event| matches!(&event.what, What::StepRan { phase: known, .. } if known == phase))
    }

    /// Tokens over all model calls, sampling for the server included.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        for (usage, _) in self.transcript.events.iter().filter_map(|event| event.what.paid()) {
            sum += usage;
        }
        sum
    }

    /// Cost in US dollars over all model calls, sampling for the server included; `None` when any has no price.
    pub fn cost(&self) -> Option<f64> {
        let mut paid = self.transcript.events.iter().filter_map(|event| event.what.paid());
        paid.try_fold(0.0, |sum, (_, cost)| cost.map(|cost| sum + cost))
    }

    /// What the server asked of the client, in order.
    pub fn asked(&self) -> impl Iterator<Item = Asked<'a>> {
        self.transcript.events.iter().filter_map(|event| match &event.what {
            What::ServerAsked { method, params, answered } => {
                Some(Asked { seq: event.seq, method, params, answered: Some(answered) })
            }
            _ => None,
        })
    }

    /// What the server told the client without being asked, in order.
    pub fn noted(&self) -> impl Iterator<Item = Asked<'a>> {
        self.transcript.events.iter().filter_map(|event| match &event.what {
            What::ServerNoted { method, params } => {
                Some(Asked { seq: event.seq, method, params, answered: None })
            }
            _ => None,
        })
    }

    /// How many times the model answered.
    pub fn model_turns(&self) -> u32 {
        self.transcript.events.iter().filter(|event| matches!(event.what, What::ModelSaid { .. })).count()
            as u32
    }

    /// How many times the model answered since the user spoke last.
    pub fn turns_since_user(&self) -> usize {
        let back = self.transcript.events.iter().rev();
        let since = back.take_while(|event| !matches!(event.what, What::UserSaid { .. }));
        since.filter(|event| matches!(event.what, What::ModelSaid { .. })).count()
    }

    /// How many tool calls the model asked for, those that were never sent included.
    pub fn calls_asked(&self) -> usize {
        let asked = self.transcript.events.iter().map(|event| match &event.what {
            What::ModelSaid { calls, .. } => calls.len(),
            _ => 0,
        });
        asked.sum()
    }
}
