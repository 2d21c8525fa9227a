//! The spans of one trial: the root with what was found, a `chat` span per answer of the model, a `tools/call` span per
//! call that went to the server.

use serde_json::{Value, json};

use super::Trace;
use super::attributes::Attributes;
use crate::gate::cells::State;
use crate::transcript::view::{Fate, ToolUse, View};
use crate::transcript::{CaseKind, Event, ToolCall, Transcript, What, WireMessage};

/// Kinds of spans.
const INTERNAL: u8 = 1;
const CLIENT: u8 = 3;
/// The code of a status that is an error.
const ERROR: u8 = 2;

/// From when to when, in nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Time {
    start: i128,
    end: i128,
}

/// A span before it is JSON.
struct Span {
    id: String,
    parent: Option<String>,
    name: String,
    kind: u8,
    time: Time,
    attributes: Attributes,
    /// Why it failed.
    error: Option<String>,
    events: Vec<Value>,
}

impl Span {
    fn json(self, trace: &str) -> Value {
        let mut span = json!({
            "traceId": trace,
            "spanId": self.id,
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": self.time.start.to_string(),
            "endTimeUnixNano": self.time.end.to_string(),
            "attributes": self.attributes.done(),
            "events": self.events,
            "status": self.error.map_or_else(|| json!({}), |why| json!({"code": ERROR, "message": why})),
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = json!(parent);
        }
        span
    }
}

/// All spans of a trial, the root first.
pub(super) fn spans(trace: &Trace<'_>, transcript: Option<&Transcript>) -> Vec<Value> {
    let moment = transcript.map_or(trace.summary.started.as_str(), |transcript| &transcript.started);
    let start = moment.parse::<jiff::Timestamp>().unwrap_or_default().as_nanosecond();
    let took = transcript.map_or(trace.trial.seconds * 1000.0, |transcript| transcript.took_ms as f64);
    let clock = Clock { start };
    let mut spans = vec![root(trace, Time { start, end: clock.at(took as u64) })];
    if let Some(transcript) = transcript {
        let stage = Stage { trace, clock, wire: Wire::of(transcript) };
        spans.extend(transcript.events.iter().filter_map(|event| stage.chat(event)));
        spans.extend(View::of(transcript).all_calls().iter().filter_map(|call| stage.call(call, transcript)));
        spans[1..].sort_by_key(|span| (span.time.start, span.id.clone()));
    }
    spans.into_iter().map(|span| span.json(&trace.id)).collect()
}

fn root(trace: &Trace<'_>, time: Time) -> Span {
    let Trace { summary, row, trial, .. } = trace;
    let mut attributes = Attributes::default();
    let name = match (row.kind_is, &row.model) {
        (CaseKind::Use, Some(model)) => {
            attributes.text("gen_ai.operation.name", "invoke_agent");
            attributes.text("gen_ai.provider.name", provider(model));
            attributes.text("gen_ai.agent.name", "rehearsal");
            attributes.text("gen_ai.request.model", model);
            attributes.text("gen_ai.conversation.id", &trial.key.to_string());
            attributes.whole("gen_ai.usage.input_tokens", trial.tokens.input);
            attributes.whole("gen_ai.usage.output_tokens", trial.tokens.output);
            "invoke_agent rehearsal".to_owned()
        }
        _ => format!("{} {}", row.kind, row.id),
    };
    attributes.text("test.suite.name", &summary.suite);
    attributes.text("test.case.name", &row.id);
    if let Some(outcome @ ("pass" | "fail")) = trial.outcome {
        attributes.text("test.case.result.status", outcome);
    }
    attributes.text("rehearsal.run", &summary.run);
    attributes.text("rehearsal.kind", row.kind);
    attributes.text("rehearsal.persona", &row.persona);
    attributes.text("rehearsal.client", &row.client);
    attributes.whole("rehearsal.trial", trial.trial.into());
    attributes.text("rehearsal.outcome", trial.outcome.unwrap_or("none"));
    if let Some(cost) = trial.cost {
        attributes.real("rehearsal.cost_usd", cost);
    }
    if let Some(fault) = &trial.fault {
        attributes.text("error.type", &fault.code);
    }
    let known = row.is == State::ExpectedFailure;
    let failed = trial.findings.iter().find(|finding| finding.grade == "fail" && finding.weight != "info");
    let error = trial.fault.as_ref().map(|fault| fault.message.clone());
    let error = error.or_else(|| failed.filter(|_| !known).map(|finding| finding.why.clone()));
    let id = trace.span(None);
    Span { id, parent: None, name, kind: INTERNAL, time, attributes, error, events: evaluations(trace, time) }
}

/// What was found, as events at the end of the trial.
fn evaluations(trace: &Trace<'_>, time: Time) -> Vec<Value> {
    let finding = |finding: &crate::report::summary::FindingLine| {
        let mut attributes = Attributes::default();
        attributes.text("gen_ai.evaluation.name", &finding.check);
        attributes.text("gen_ai.evaluation.score.label", finding.grade);
        match finding.grade {
            "pass" => attributes.real("gen_ai.evaluation.score.value", 1.0),
            "fail" => attributes.real("gen_ai.evaluation.score.value", 0.0),
            // What could not be decided has no number.
            _ => attributes.text("error.type", "unscored"),
        }
        attributes.text("gen_ai.evaluation.explanation", &finding.why);
        attributes.text("rehearsal.weight", finding.weight);
        attributes.text("code.file.path", &finding.origin.file);
        attributes.whole("code.line.number", finding.origin.line.into());
        json!({
            "timeUnixNano": time.end.to_string(),
            "name": "gen_ai.evaluation.result",
            "attributes": attributes.done(),
        })
    };
    trace.trial.findings.iter().map(finding).collect()
}

/// Milliseconds of a trial to moments.
#[derive(Clone, Copy)]
struct Clock {
    start: i128,
}

impl Clock {
    fn at(self, ms: u64) -> i128 {
        self.start + i128::from(ms) * 1_000_000
    }

    /// Something that ended then and took so long.
    fn until(self, end: u64, took: u64) -> Time {
        Time { start: self.at(end.saturating_sub(took)), end: self.at(end) }
    }
}

/// What the wire tells of the session.
#[derive(Default)]
struct Wire<'a> {
    protocol: Option<&'a str>,
    transport: Option<&'static str>,
}

impl<'a> Wire<'a> {
    fn of(transcript: &'a Transcript) -> Self {
        let mut wire = Self::default();
        for event in &transcript.events {
            match &event.what {
                What::ServerOpened(facts) => wire.protocol = Some(&facts.protocol),
                What::Wire(WireMessage::Sent { via, .. }) => {
                    wire.transport = Some(if via == "stdio" { "pipe" } else { "tcp" });
                }
                _ => {}
            }
        }
        wire
    }
}

/// What the spans of one trial share.
struct Stage<'a> {
    trace: &'a Trace<'a>,
    clock: Clock,
    wire: Wire<'a>,
}

impl Stage<'_> {
    /// An answer of the model.
    fn chat(&self, event: &Event) -> Option<Span> {
        let What::ModelSaid { text, calls, usage, model_id, stop, took_ms, .. } = &event.what else {
            return None;
        };
        let model = self.trace.row.model.as_deref().unwrap_or("unknown");
        let mut attributes = Attributes::default();
        attributes.text("gen_ai.operation.name", "chat");
        attributes.text("gen_ai.provider.name", provider(model));
        attributes.text("gen_ai.request.model", model);
        if let Some(id) = model_id {
            attributes.text("gen_ai.response.model", id);
        }
        attributes.texts("gen_ai.response.finish_reasons", &[stop]);
        attributes.whole("gen_ai.usage.input_tokens", usage.input);
        attributes.whole("gen_ai.usage.output_tokens", usage.output);
        attributes.whole("gen_ai.usage.cache_read.input_tokens", usage.cached);
        attributes.json("gen_ai.output.messages", &message(text.as_deref(), calls, stop));
        Some(Span {
            id: self.trace.span(Some(event.seq)),
            parent: Some(self.trace.span(None)),
            name: format!("chat {model}"),
            kind: CLIENT,
            time: self.clock.until(event.at_ms, *took_ms),
            attributes,
            error: None,
            events: vec![],
        })
    }

    /// A call that went to the server; one that never left the harness has no span.
    fn call(&self, call: &ToolUse<'_>, transcript: &Transcript) -> Option<Span> {
        let at = |seq: u32| transcript.events.get(seq as usize).map_or(0, |event| event.at_ms);
        let end = at(call.fate.seq().unwrap_or(call.seq));
        let mut attributes = Attributes::default();
        attributes.text("mcp.method.name", "tools/call");
        attributes.text("gen_ai.operation.name", "execute_tool");
        attributes.text("gen_ai.tool.name", call.name.as_str());
        attributes.json("gen_ai.tool.call.arguments", call.args);
        if let Some(protocol) = self.wire.protocol {
            attributes.text("mcp.protocol.version", protocol);
        }
        if let Some(transport) = self.wire.transport {
            attributes.text("network.transport", transport);
        }
        let (kind, error) = match call.fate {
            Fate::Rejected { .. } => return None,
            Fate::Pending => (Some("_OTHER".to_owned()), Some("no answer".to_owned())),
            Fate::Refused { code, status, message, .. } => {
                if let Some(code) = code {
                    attributes.text("rpc.response.status_code", &code.to_string());
                }
                let kind =
                    code.map(|code| code.to_string()).or_else(|| status.map(|status| status.to_string()));
                (kind.or_else(|| Some("_OTHER".to_owned())), Some(message.to_owned()))
            }
            Fate::Returned { is_error, .. } => {
                attributes.text("gen_ai.tool.call.result", &call.fate.text());
                (is_error.then(|| "tool_error".to_owned()), None)
            }
        };
        let error = error.or_else(|| kind.clone());
        if let Some(kind) = kind {
            attributes.text("error.type", &kind);
        }
        Some(Span {
            id: self.trace.span(Some(call.seq)),
            parent: Some(self.trace.span(None)),
            name: format!("tools/call {}", call.name),
            kind: CLIENT,
            time: Time { start: self.clock.at(at(call.seq)), end: self.clock.at(end) },
            attributes,
            error,
            events: vec![],
        })
    }
}

/// An answer as the conventions write messages.
fn message(text: Option<&str>, calls: &[ToolCall], stop: &str) -> Value {
    let text = text.map(|text| json!({"type": "text", "content": text}));
    let calls = calls
        .iter()
        .map(|call| json!({"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.args}));
    let parts: Vec<Value> = text.into_iter().chain(calls).collect();
    json!([{"role": "assistant", "parts": parts, "finish_reason": stop}])
}

/// The convention's word for the provider of a model.
fn provider(model: &str) -> &str {
    match model.split_once(':').map_or("", |(provider, _)| provider) {
        "" if matches!(model, "lexical" | "scripted") => "rehearsal",
        "" => "unknown",
        "openai" => "openai",
        "anthropic" => "anthropic",
        "gemini" => "gcp.gemini",
        "azure" => "azure.ai.openai",
        "mistral" => "mistral_ai",
        "deepseek" => "deepseek",
        "groq" => "groq",
        "xai" => "x_ai",
        "perplexity" => "perplexity",
        other => other,
    }
}
