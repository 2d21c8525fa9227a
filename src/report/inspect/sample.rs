//! One trial as a sample: what was said as messages, what was found as a score.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{moment, named};
use crate::ids::CallId;
use crate::report::archive::Kept;
use crate::report::summary::{Row, TrialLine};
use crate::transcript::view::{ToolUse, View, text_of};
use crate::transcript::{End, Event, ToolCall, Transcript, Usage, What};

/// The sample of a trial; without its transcript only what the summary holds.
pub(super) fn sample((row, trial): (&Row, &TrialLine), id: &str, kept: Option<&Kept>) -> Value {
    let transcript = kept.map(|kept| &kept.transcript);
    let messages = transcript.map(messages).unwrap_or_default();
    let input = messages.iter().find(|message| message["role"] == "user");
    let input = input.map_or_else(|| json!(row.id), |message| message["content"].clone());
    let mut wanted: Vec<&str> = trial.findings.iter().map(|finding| finding.check.as_str()).collect();
    wanted.dedup();
    let mut sample = json!({
        "id": id,
        "epoch": trial.trial.max(1),
        "input": input,
        "target": wanted,
        "messages": messages,
        "output": output(row, &messages),
        "metadata": {
            "kind": row.kind,
            "case": row.id,
            "model": row.model,
            "persona": row.persona,
            "client": row.client,
            "state": row.state,
            "place": row.origin.to_string(),
            "tool_calls": trial.tool_calls,
        },
        "total_time": trial.seconds,
    });
    if let Some(score) = score(trial) {
        sample["scores"] = json!({"outcome": score});
    }
    if let Some(fault) = &trial.fault {
        let message = format!("{} ({}): {}", fault.code, fault.side, fault.message);
        sample["error"] = json!({"message": message, "traceback": "", "traceback_ansi": ""});
    }
    if let Some(transcript) = transcript {
        sample["started_at"] = json!(moment(&transcript.started));
        sample["metadata"]["end"] = json!(end(&transcript.end));
        if let Some(model) = &row.model {
            let view = View::of(transcript);
            sample["model_usage"] = json!({named(model): usage(&view.usage(), view.cost())});
        }
    }
    sample
}

/// `C` or `I`, as Inspect marks; none where nothing was judged.
fn score(trial: &TrialLine) -> Option<Value> {
    let value = match trial.outcome {
        Some("pass") => "C",
        Some("fail") => "I",
        _ => return None,
    };
    let failed = trial.findings.iter().filter(|finding| finding.grade == "fail");
    let why: Vec<&str> = failed.map(|finding| finding.why.as_str()).collect();
    Some(json!({
        "value": value,
        "explanation": why.join("\n"),
        "metadata": {"findings": trial.findings},
    }))
}

fn end(end: &End) -> String {
    match end {
        End::Done => "done".to_owned(),
        End::OutOf(limit) => format!("out of {limit:?}").to_lowercase(),
        End::Interrupted => "interrupted".to_owned(),
        End::Faulted(fault) => format!("faulted: {}", fault.code),
    }
}

fn usage(usage: &Usage, cost: Option<f64>) -> Value {
    let mut all = json!({
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "total_tokens": usage.input.saturating_add(usage.output),
        "input_tokens_cache_read": usage.cached,
        "reasoning_tokens": usage.reasoning,
    });
    if let Some(cost) = cost {
        // Rounded to a billionth, so that sums of decimal prices print as decimals.
        all["total_cost"] = json!((cost * 1e9).round() / 1e9);
    }
    all
}

/// The last words of the model.
fn output(row: &Row, messages: &[Value]) -> Value {
    let model = row.model.as_deref().map(named).unwrap_or_default();
    let last = messages.iter().rev().find(|message| message["role"] == "assistant");
    let Some(last) = last else { return json!({"model": model, "choices": []}) };
    let stop = last["metadata"]["stop"].as_str().unwrap_or_default();
    json!({"model": model, "choices": [{"message": last, "stop_reason": stop_reason(stop)}]})
}

/// Inspect's word for a provider's.
fn stop_reason(stop: &str) -> &'static str {
    match stop.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "stop_sequence" | "completed" => "stop",
        "length" | "max_tokens" | "max_output_tokens" => "max_tokens",
        "tool_calls" | "tool_use" | "function_call" => "tool_calls",
        "content_filter" | "refusal" | "safety" => "content_filter",
        _ => "unknown",
    }
}

/// The conversation between user, model and tools, in order. What the harness did besides is not part of it.
fn messages(transcript: &Transcript) -> Vec<Value> {
    let view = View::of(transcript);
    let answers = |call: &ToolUse<'_>| call.fate.seq().unwrap_or(call.seq);
    let asked: BTreeMap<u32, &str> =
        view.model_calls().map(|call| (answers(call), call.name.as_str())).collect();
    let besides: BTreeSet<u32> = view.harness_calls().map(answers).collect();
    let part = transcript.events.iter().filter(|event| !besides.contains(&event.seq));
    part.filter_map(|event| said(event, asked.get(&event.seq).copied())).collect()
}

/// An event as a message; `asked` is the tool that it answers.
fn said(event: &Event, asked: Option<&str>) -> Option<Value> {
    let metadata = json!({"seq": event.seq, "at_ms": event.at_ms});
    let tool = |call: &CallId, text: &str, error: Option<&str>| {
        let mut message =
            json!({"role": "tool", "content": text, "tool_call_id": call, "metadata": metadata});
        if let Some(name) = asked {
            message["function"] = json!(name);
        }
        if let Some(kind) = error {
            message["error"] = json!({"type": kind, "message": text});
        }
        message
    };
    Some(match &event.what {
        What::UserSaid { text, .. } => {
            json!({"role": "user", "content": text, "source": "input", "metadata": metadata})
        }
        What::ModelSaid { text, reasoning, calls, model_id, stop, .. } => {
            let text = text.as_deref().unwrap_or_default();
            let content = match reasoning {
                None => json!(text),
                Some(reasoning) => json!([
                    {"type": "reasoning", "reasoning": reasoning},
                    {"type": "text", "text": text},
                ]),
            };
            let calls: Vec<Value> = calls.iter().map(tool_call).collect();
            let mut message =
                json!({"role": "assistant", "content": content, "source": "generate", "metadata": metadata});
            message["metadata"]["stop"] = json!(stop);
            if !calls.is_empty() {
                message["tool_calls"] = json!(calls);
            }
            if let Some(id) = model_id {
                message["model"] = json!(id);
            }
            message
        }
        What::ToolReturned { call, content, structured, is_error, .. } => {
            let text = structured.as_ref().map_or_else(|| text_of(content), Value::to_string);
            tool(call, &text, is_error.then_some("unknown"))
        }
        What::ToolRefused { call, status, message, .. } => {
            let kind = if matches!(status, Some(401 | 403)) { "permission" } else { "unknown" };
            tool(call, message, Some(kind))
        }
        What::ToolRejected { call, message, .. } => tool(call, message, Some("parsing")),
        What::ClientAnswered { call, text, .. } => tool(call, text, None),
        _ => return None,
    })
}

/// A call; Inspect wants an object of arguments, and says apart what could not be read as one.
fn tool_call(call: &ToolCall) -> Value {
    let mut written = json!({"id": call.id, "function": call.name, "type": "function", "arguments": {}});
    match &call.args {
        Value::Object(_) => written["arguments"] = call.args.clone(),
        Value::Null => {}
        other => {
            written["arguments"] = json!({"input": other});
            written["parse_error"] = json!("the arguments are no JSON object");
        }
    }
    written
}
