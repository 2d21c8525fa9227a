//! Transcripts that never change, with agreed labels: small scripts in a file become transcripts. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::criterion::Criterion;
use crate::diag::Origin;
use crate::ids::{CallId, CaseKey, Digest, ToolName};
use crate::transcript::event::Caller;
use crate::transcript::{CaseHeader, CaseKind, End, Event, SCHEMA, ToolCall, Transcript, Usage, What};

/// A file of frozen transcripts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenPack {
    /// The version of the file's format: 1.
    pub version: u32,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// The share of labels that a good judge may miss, such as 0.03: what the test of drift holds misses against.
    pub tolerated: f64,
    /// The transcripts.
    pub transcripts: Vec<Frozen>,
}

/// A frozen transcript and what people agreed on about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// Its name in the file.
    pub id: String,
    /// What happened.
    pub events: Vec<Moment>,
    /// What people say about it.
    pub labels: Vec<Label>,
}

/// One thing that happened; exactly one key is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// The user says this.
    #[serde(default)]
    pub user: Option<String>,
    /// The candidate calls a tool.
    #[serde(default)]
    pub call: Option<Call>,
    /// The call returns this: text, or anything else as structured content.
    #[serde(default)]
    pub result: Option<Value>,
    /// The call returns an error.
    #[serde(default)]
    pub error: Option<String>,
    /// The candidate says this.
    #[serde(default)]
    pub answer: Option<String>,
}

/// A call of the candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Value,
}

/// What people agree on about one criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The criterion.
    pub criterion: Criterion,
    /// Whether its statement holds.
    pub holds: bool,
    /// Whether nobody could see it otherwise: one judge that does is enough for an alarm.
    #[serde(default)]
    pub firm: bool,
}

impl Frozen {
    /// The transcript of the script.
    pub fn transcript(&self) -> Transcript {
        let mut events = vec![];
        let mut call = CallId::new("call-0");
        for (number, moment) in self.events.iter().enumerate() {
            let whats = moment.happened(&mut call, number);
            for what in whats {
                let seq = events.len() as u32;
                events.push(Event { seq, at_ms: u64::from(seq) * 10, aside: None, what });
            }
        }
        let took_ms = events.len() as u64 * 10;
        let started = "2026-01-01T00:00:00Z".to_owned();
        Transcript { schema: SCHEMA, header: self.header(), started, events, end: End::Done, took_ms }
    }

    fn header(&self) -> CaseHeader {
        CaseHeader {
            key: CaseKey { question: Digest::of(self.id.as_bytes()), model: Digest::none(), trial: 1 },
            suite: "judge".into(),
            case: self.id.as_str().into(),
            kind: CaseKind::Use,
            model: None,
            persona: "anonymous".into(),
            client: "reference".into(),
            trial: 1,
            tags: vec![],
            origin: Origin { file: "evals/judge/frozen.yaml".into(), line: 1, column: 1 },
        }
    }
}

impl Moment {
    fn happened(&self, open: &mut CallId, number: usize) -> Vec<What> {
        let returned = |content: &str, structured: Option<Value>, is_error: bool| What::ToolReturned {
            call: open.clone(),
            content: vec![json!({"type": "text", "text": content})],
            structured,
            is_error,
            bytes: content.len() as u64,
            cut_by_client: None,
            took_ms: 10,
        };
        if let Some(text) = &self.user {
            return vec![What::UserSaid { text: text.clone(), simulated: false }];
        }
        if let Some(text) = &self.error {
            return vec![returned(text, None, true)];
        }
        if let Some(result) = &self.result {
            return match result {
                Value::String(text) => vec![returned(text, None, false)],
                value => vec![returned(&value.to_string(), Some(value.clone()), false)],
            };
        }
        let (mut calls, mut sent) = (vec![], None);
        if let Some(Call { tool, args }) = &self.call {
            *open = CallId::new(format!("call-{number}"));
            let (name, args) = (ToolName::from(tool.as_str()), args.clone());
            calls.push(ToolCall { id: open.clone(), name: name.clone(), args: args.clone() });
            sent = Some(What::ToolCalled { call: open.clone(), name, args, by: Caller::Model });
        }
        let said = What::ModelSaid {
            text: self.answer.clone(),
            reasoning: None,
            stop: if calls.is_empty() { "stop" } else { "tool_calls" }.to_owned(),
            calls,
            usage: Usage::default(),
            cost: None,
            model_id: None,
            refused: false,
            took_ms: 10,
            first_token_ms: None,
        };
        std::iter::once(said).chain(sent).collect()
    }
}

impl FrozenPack {
    /// What makes no sense in it, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = vec![];
        if !(0.0..0.5).contains(&self.tolerated) {
            problems.push("`tolerated` is a share between 0 and 0.5".to_owned());
        }
        for frozen in &self.transcripts {
            let id = &frozen.id;
            if self.transcripts.iter().filter(|other| other.id == *id).count() > 1 {
                problems.push(format!("the transcript `{id}` occurs twice"));
            }
            let mut called = false;
            for moment in &frozen.events {
                let given = [
                    moment.user.is_some(),
                    moment.call.is_some(),
                    moment.result.is_some(),
                    moment.error.is_some(),
                    moment.answer.is_some(),
                ];
                if given.iter().filter(|given| **given).count() != 1 {
                    problems.push(format!("an event of `{id}` has not exactly one key"));
                }
                if (moment.result.is_some() || moment.error.is_some()) && !called {
                    problems.push(format!("`{id}` has a result before any call"));
                }
                called |= moment.call.is_some();
            }
            if frozen.labels.is_empty() || frozen.labels.iter().any(|label| label.criterion.asks().is_none())
            {
                problems.push(format!("`{id}` has no label, or one without a criterion"));
            }
        }
        problems
    }
}
