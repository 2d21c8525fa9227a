//! Sessions of Claude Code: what the user really asked, and the tools of an MCP server that were called then.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::source::{Near as Beside, Source};
use super::{Format, Rule, expect, rule};
use crate::diag::Diagnostic;

pub(super) static FORMAT: Format =
    Format { name: "claude-code", about: "Claude Code: the JSONL of a session", detect, read, rules: RULES };

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("prompt", Exact, "prompt", "each prompt after which the server was called; earlier prompts of the session are not in the case"),
    rule("mcp_call", Near, "tool_called", "arguments that stand in the prompt are expected, others were the model's choice; calls that failed are left out"),
    rule("server", Near, "target", "the server that was called most; its address is not in a session: `--target`"),
    rule("tool", Lost, "", "tools of the client: files, shell, search"),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("line", Lost, "", "a line that is not JSON"),
];

fn detect(source: &Source) -> Option<String> {
    if source.is_document() && source.ending() != "jsonl" && source.text.lines().nth(1).is_none() {
        return None;
    }
    if matches!(source.ending().as_str(), "yaml" | "yml" | "csv" | "xml" | "json") {
        return None;
    }
    let mut lines = source.lines().take(20).filter_map(|(_, line)| line.ok());
    lines
        .any(|line| line.get("sessionId").is_some() && line.get("type").is_some())
        .then(|| "its lines have `sessionId` and `type`".to_owned())
}

/// A call of a tool.
struct Call {
    node: Node,
    id: String,
    /// The server and the tool; `None` for a tool of the client.
    tool: Option<(String, String)>,
    name: String,
}

/// What the user asked, and what was called then.
struct Asked {
    node: Node,
    text: String,
    calls: Vec<Call>,
}

fn read(sources: &[Source], _near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    let mut sessions = vec![];
    let mut failed = HashSet::new();
    for source in sources {
        sessions.push(session(source, &mut failed, draft));
    }
    let mut servers: Vec<(String, usize)> = vec![];
    for (server, _) in
        sessions.iter().flatten().flat_map(|asked| &asked.calls).filter_map(|call| call.tool.as_ref())
    {
        match servers.iter_mut().find(|(known, _)| known == server) {
            Some((_, count)) => *count += 1,
            None => servers.push((server.clone(), 1)),
        }
    }
    // The first of several that were called equally often.
    let most = servers.iter().map(|(_, count)| *count).max();
    let server = servers.iter().find(|(_, count)| Some(*count) == most).map(|(server, _)| server.clone());
    if let (Some(server), Some(source)) = (&server, sources.first()) {
        let part = Mapped::new("server", &source.at(1), server);
        draft
            .told(part.near("target", "a session does not say where the server is: name it with `--target`"));
        draft.title = format!("What was asked of {server}.");
    }
    for session in &sessions {
        for (index, asked) in session.iter().enumerate() {
            one(index, asked, (server.as_deref().unwrap_or_default(), &failed), draft);
        }
    }
    Ok(())
}

/// The prompts of a session with the calls after each. Adds the ids of calls that failed.
fn session(source: &Source, failed: &mut HashSet<String>, draft: &mut Draft) -> Vec<Asked> {
    let mut all: Vec<Asked> = vec![];
    for (at, line) in source.lines() {
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                draft.told(Mapped::new("line", &at, "").lost(why));
                continue;
            }
        };
        let Some(content) = line.get("message").and_then(|message| message.get("content")) else { continue };
        match line.text_at("type") {
            Some("user") => {
                for result in
                    content.items().iter().filter(|part| part.get("is_error").is_some_and(Node::is_true))
                {
                    failed.extend(result.text_at("tool_use_id").map(str::to_owned));
                }
                if let Some(text) = said(&line, content) {
                    all.push(Asked { node: line.clone(), text, calls: vec![] });
                }
            }
            Some("assistant") => {
                for part in content.items().iter().filter(|part| part.text_at("type") == Some("tool_use")) {
                    let name = part.text_at("name").unwrap_or_default().to_owned();
                    let tool = name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__"));
                    let tool = tool.map(|(server, tool)| (server.to_owned(), tool.to_owned()));
                    let id = part.text_at("id").unwrap_or_default().to_owned();
                    // A message is written again while it grows.
                    let known =
                        |asked: &Asked| !id.is_empty() && asked.calls.iter().any(|call| call.id == id);
                    if let Some(last) = all.last_mut().filter(|last| !known(last)) {
                        last.calls.push(Call { node: part.clone(), id, tool, name });
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// What a person typed; nothing for what the client says in the person's name.
fn said(line: &Node, content: &Node) -> Option<String> {
    let flagged = ["isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly"];
    if flagged.iter().any(|flag| line.get(flag).is_some_and(Node::is_true)) {
        return None;
    }
    let text = match content.text() {
        Some(text) => text.to_owned(),
        None => {
            let texts = content.items().iter().filter(|part| part.text_at("type") == Some("text"));
            texts.filter_map(|part| part.text_at("text")).collect::<Vec<_>>().join("\n")
        }
    };
    let text = text.trim();
    let machine = [
        "<command-",
        "<local-command",
        "<system-reminder",
        "<bash-",
        "<task-notification",
        "Caveat:",
        "[Request interrupted",
    ];
    (!text.is_empty() && !machine.iter().any(|start| text.starts_with(start))).then(|| text.to_owned())
}

fn one(index: usize, asked: &Asked, (server, failed): (&str, &HashSet<String>), draft: &mut Draft) {
    let prompt = Mapped::new("prompt", &asked.node.at, &asked.text);
    let mine = |call: &Call| call.tool.as_ref().is_some_and(|(known, _)| known == server);
    if !asked.calls.iter().any(mine) {
        draft.told(prompt.lost("no tool of the server was called"));
        for call in &asked.calls {
            draft.told(Mapped::new(kind(call), &call.node.at, &call.name).lost(other(call)));
        }
        return;
    }
    if !draft.has_room() {
        draft.told(prompt.lost("there are more prompts than a suite may hold"));
        return;
    }
    let mut case = Case::new(&asked.text, &asked.node.at);
    case.turns.push(asked.text.clone());
    case.told(match index {
        0 => prompt.exact("prompt"),
        before => {
            prompt.near("prompt", format!("{before} earlier prompts of the session are not in this case"))
        }
    });
    for call in &asked.calls {
        let part = Mapped::new(kind(call), &call.node.at, &call.name);
        let Some((_, tool)) = call.tool.as_ref().filter(|_| mine(call)) else {
            case.told(part.lost(other(call)));
            continue;
        };
        if failed.contains(&call.id) {
            case.told(part.lost("the call failed, so it is no example"));
            continue;
        }
        let args =
            call.node.get("input").map(|input| stand_in(&asked.text, &input.value())).unwrap_or_default();
        let check = expect::called(tool, Some(args.into()), None);
        if case.expect.contains(&check) {
            case.told(part.near("tool_called", "an earlier call is the same expectation"));
        } else {
            let why = "arguments that stand in the prompt are expected; the others were the model's choice";
            case.check(part.near("tool_called", why), check);
        }
    }
    draft.cases.push(case);
}

fn kind(call: &Call) -> &'static str {
    if call.tool.is_some() { "mcp_call" } else { "tool" }
}

fn other(call: &Call) -> &'static str {
    if call.tool.is_some() {
        "it belongs to another server, and a suite has one"
    } else {
        "it is a tool of the client"
    }
}

/// The arguments whose values the user named.
fn stand_in(prompt: &str, args: &Value) -> Map<String, Value> {
    let prompt = prompt.to_lowercase();
    let named = |value: &&Value| match value {
        Value::String(text) => {
            let text = text.to_lowercase();
            text.chars().count() > 1 && on_its_own(&prompt, &text)
        }
        Value::Number(number) => on_its_own(&prompt, &number.to_string()),
        _ => false,
    };
    let args = args.as_object().into_iter().flatten().filter(|(_, value)| named(value));
    args.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether a text stands in another one as words of its own.
fn on_its_own(hay: &str, text: &str) -> bool {
    hay.match_indices(text).any(|(start, _)| {
        let before = hay[..start].chars().next_back();
        let after = hay[start + text.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_the_user_named_are_expected() {
        let args = json!({"id": 1042, "city": "Paris", "limit": 10, "note": "x", "deep": {"a": 1}});
        let kept = stand_in("When does order 1042 reach paris?", &args);
        assert_eq!(Value::Object(kept), json!({"id": 1042, "city": "Paris"}));
        assert!(stand_in("order 10425", &json!({"id": 1042})).is_empty());
    }
}
