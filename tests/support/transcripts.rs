//! Builds transcripts for tests, event by event, with calls paired and times that add up.
#![allow(dead_code, reason = "each test file uses a part of it")]

use rehearsal::diag::Origin;
use rehearsal::ids::{
    CallId, CaseKey, CaseName, ClientName, Digest, ModelName, PersonaName, SuiteName, ToolName,
};
use rehearsal::transcript::event::{Caller, Refused};
use rehearsal::transcript::{
    CaseHeader, CaseKind, End, Event, SCHEMA, Subject, ToolCall, ToolFact, Transcript, Usage, What,
};
use serde_json::{Value, json};

/// A transcript in the making. Every event takes ten milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Script {
    events: Vec<Event>,
    calls: u32,
    open: Option<CallId>,
    end: Option<End>,
    took_ms: Option<u64>,
}

/// What a model call used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Tokens in.
    pub(crate) input: u64,
    /// Tokens out.
    pub(crate) output: u64,
    /// US dollars, if priced.
    pub(crate) cost: Option<f64>,
    /// Milliseconds to the first token, if streamed.
    pub(crate) first_token_ms: Option<u64>,
}

impl Spent {
    /// A small priced call that was not streamed.
    pub(crate) const SMALL: Self = Self { input: 100, output: 20, cost: Some(0.001), first_token_ms: None };
}

impl Script {
    /// Notes any event.
    pub(crate) fn note(mut self, what: What) -> Self {
        let seq = self.events.len() as u32;
        self.events.push(Event { seq, at_ms: u64::from(seq) * 10, what, aside: None });
        self
    }

    /// A complete list of tools.
    pub(crate) fn lists(self, tools: &[&str]) -> Self {
        let fact = |name: &&str| ToolFact { name: ToolName::from(*name), raw: json!({"name": name}).into() };
        self.note(What::ToolsListed { tools: tools.iter().map(fact).collect() })
    }

    /// The user says something.
    pub(crate) fn user(self, text: &str) -> Self {
        self.note(What::UserSaid { text: text.to_owned(), simulated: false })
    }

    /// The model answers in words alone.
    pub(crate) fn says(self, text: &str) -> Self {
        self.says_for(text, Spent::SMALL)
    }

    /// The same, at a cost.
    pub(crate) fn says_for(self, text: &str, spent: Spent) -> Self {
        self.model(Some(text), vec![], spent)
    }

    /// The model asks for a call, and it is sent.
    pub(crate) fn calls(mut self, name: &str, args: Value) -> Self {
        let call = self.next_call();
        let asked = ToolCall { id: call.clone(), name: ToolName::from(name), args: args.clone() };
        self.model(None, vec![asked], Spent::SMALL).note(What::ToolCalled {
            call,
            name: ToolName::from(name),
            args,
            by: Caller::Model,
        })
    }

    /// The model asks for a call that never leaves the harness.
    pub(crate) fn rejected(mut self, name: &str, args: Value, message: &str) -> Self {
        let call = self.next_call();
        let name = ToolName::from(name);
        let asked = ToolCall { id: call.clone(), name: name.clone(), args };
        let message = message.to_owned();
        self.model(None, vec![asked], Spent::SMALL).note(What::ToolRejected { call, name, message })
    }

    /// The harness calls a tool.
    pub(crate) fn probes(mut self, name: &str, args: Value) -> Self {
        let call = self.next_call();
        self.note(What::ToolCalled { call, name: ToolName::from(name), args, by: Caller::Harness })
    }

    /// The last call returns: a text as a text block, anything else as structured content.
    pub(crate) fn returns(self, result: Value) -> Self {
        self.result(result, false, 30)
    }

    /// The last call returns after some milliseconds.
    pub(crate) fn returns_after(self, result: Value, took_ms: u64) -> Self {
        self.result(result, false, took_ms)
    }

    /// The last call returns a result flagged as an error.
    pub(crate) fn fails(self, text: &str) -> Self {
        self.result(json!(text), true, 30)
    }

    /// The last call is refused.
    pub(crate) fn refused(self, code: Option<i64>, status: Option<u16>, message: &str) -> Self {
        self.refused_as(Refused { code, status, message: message.to_owned(), challenge: None })
    }

    /// The last call is refused, perhaps with a challenge.
    pub(crate) fn refused_as(mut self, refused: Refused) -> Self {
        let call = self.answered();
        let Refused { code, status, message, challenge } = refused;
        self.note(What::ToolRefused { call, code, status, message, challenge, took_ms: 30 })
    }

    /// The harness reads a resource or gets a prompt.
    pub(crate) fn fetches(self, subject: Subject, refused: Option<Refused>) -> Self {
        self.note(What::Fetched { subject, args: Value::Null, refused, took_ms: 30 })
    }

    /// A step of setup, verify or cleanup ran.
    pub(crate) fn step(self, phase: &str, about: &str, result: Value, ok: bool) -> Self {
        self.note(What::StepRan { phase: phase.to_owned(), about: about.to_owned(), result, ok })
    }

    /// Ends otherwise than well.
    pub(crate) fn ends(mut self, end: End) -> Self {
        self.end = Some(end);
        self
    }

    /// Takes this long as a whole.
    pub(crate) fn took(mut self, ms: u64) -> Self {
        self.took_ms = Some(ms);
        self
    }

    /// The transcript.
    pub(crate) fn done(self) -> Transcript {
        let took_ms = self.took_ms.unwrap_or(self.events.len() as u64 * 10);
        let end = self.end.unwrap_or(End::Done);
        let started = "2026-11-21T00:00:00Z".to_owned();
        Transcript { schema: SCHEMA, header: header(), started, events: self.events, end, took_ms }
    }

    fn model(self, text: Option<&str>, calls: Vec<ToolCall>, spent: Spent) -> Self {
        let stop = if calls.is_empty() { "stop" } else { "tool_calls" };
        let usage = Usage { input: spent.input, output: spent.output, reported: true, ..Usage::default() };
        self.note(What::ModelSaid {
            text: text.map(str::to_owned),
            reasoning: Some("PRIVATE REASONING".to_owned()),
            calls,
            usage,
            cost: spent.cost,
            model_id: None,
            stop: stop.to_owned(),
            refused: false,
            took_ms: 500,
            first_token_ms: spent.first_token_ms,
        })
    }

    fn result(mut self, result: Value, is_error: bool, took_ms: u64) -> Self {
        let call = self.answered();
        let (text, structured) = match result {
            Value::String(text) => (text, None),
            value => (value.to_string(), Some(value)),
        };
        let bytes = text.len() as u64;
        let content = vec![json!({"type": "text", "text": text})];
        self.note(What::ToolReturned {
            call,
            content,
            structured,
            is_error,
            bytes,
            cut_by_client: None,
            took_ms,
        })
    }

    fn next_call(&mut self) -> CallId {
        self.calls += 1;
        let call = CallId::new(format!("call-{}", self.calls));
        self.open = Some(call.clone());
        call
    }

    fn answered(&mut self) -> CallId {
        self.open.take().expect("a call precedes its result")
    }
}

/// The place of the case that all these transcripts are about.
pub(crate) fn origin() -> Origin {
    Origin { file: "suites/test.yaml".into(), line: 1, column: 1 }
}

fn header() -> CaseHeader {
    CaseHeader {
        key: CaseKey { question: Digest::of(b"question"), model: Digest::of(b"model"), trial: 1 },
        suite: SuiteName::from("test"),
        case: CaseName::from("case"),
        kind: CaseKind::Use,
        model: Some(ModelName::from("model")),
        persona: PersonaName::from("customer"),
        client: ClientName::from("reference"),
        trial: 1,
        tags: vec![],
        origin: origin(),
    }
}
