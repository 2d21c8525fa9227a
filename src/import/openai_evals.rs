//! OpenAI evals: one JSON object on each line, with `input` and `ideal`, or `messages` that end with the answer.

use serde_json::Value;

use super::draft::Fate::{Approximate as Near, Exact, Unsupported as Lost};
use super::draft::{Case, Draft, Mapped};
use super::node::Node;
use super::source::{Near as Beside, Source};
use super::{Format, Rule, expect, rule};
use crate::diag::Diagnostic;

pub(super) static FORMAT: Format = Format {
    name: "openai-evals",
    about: "OpenAI evals: JSONL with `input` and `ideal`, or with `messages`",
    detect,
    read,
    rules: RULES,
};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule("input", Exact, "prompt", "a text, or messages"),
    rule("message", Exact, "prompt, turns", "messages of the user are turns; what the system or the assistant said before is left out"),
    rule("ideal", Near, "answer_contains, answer_numbers", "must be stated in the answer; of several one; the class of the eval stands in another file"),
    rule("answer", Near, "criteria", "the last message of the assistant is the reference"),
    rule("tool_call", Near, "tool_called", "a call in a message of the assistant, with its arguments"),
    rule("id", Exact, "id", "id, name"),
    rule("metadata", Exact, "tags", ""),
    rule("secret", Near, "[secret]", "what looks like a secret is never copied"),
    rule("line", Lost, "", "a line that is not JSON"),
    rule("key", Lost, "", "other keys of a line"),
];

fn detect(source: &Source) -> Option<String> {
    let lined = source.ending() == "jsonl" || source.text.trim_start().starts_with('{');
    let first = source.first_line().filter(|_| lined)?;
    if first.get("input").is_some() && first.get("ideal").is_some() {
        return Some("its lines have `input` and `ideal`".to_owned());
    }
    let messages = first.get("messages")?.items();
    messages.first()?.get("role")?;
    Some("its lines have `messages`".to_owned())
}

fn read(sources: &[Source], _near: Beside<'_>, draft: &mut Draft) -> Result<(), Diagnostic> {
    for source in sources {
        for (at, line) in source.lines() {
            match line {
                Err(why) => draft.told(Mapped::new("line", &at, "").lost(why)),
                Ok(_) if !draft.has_room() => {
                    draft.told(
                        Mapped::new("line", &at, "").lost("there are more lines than a suite may hold"),
                    );
                    break;
                }
                Ok(sample) => draft.cases.push(case(&sample)),
            }
        }
    }
    Ok(())
}

fn case(sample: &Node) -> Case {
    let mut case = Case::new("", &sample.at);
    for (key, value) in sample.entries() {
        let part = |kind: &str| Mapped::new(kind, &value.at, value.words().unwrap_or_default());
        match key.as_str() {
            "input" | "messages" => match value.text() {
                Some(text) => {
                    case.turns.push(text.to_owned());
                    case.told(part("input").exact("prompt"));
                }
                None => {
                    case.told(part("input").exact("prompt"));
                    conversation(value, &mut case);
                }
            },
            "ideal" => ideal(value, &mut case),
            "id" | "name" => {
                case.title = value.words().unwrap_or_default();
                case.told(part("id").exact("id"));
            }
            "metadata" | "tags" => {
                let pairs = value
                    .entries()
                    .iter()
                    .filter_map(|(key, value)| Some(format!("{key}={}", value.words()?)));
                case.tags.extend(pairs.chain(value.items().iter().filter_map(Node::words)));
                case.told(part("metadata").exact("tags"));
            }
            other => case.told(Mapped::new("key", &value.at, other).lost("cases have nothing like it")),
        }
    }
    if case.title.is_empty() {
        case.title = case.turns.last().cloned().unwrap_or_default();
    }
    case.id = case.title.clone();
    case
}

fn ideal(value: &Node, case: &mut Case) {
    let texts: Vec<String> = value.one_or_many().iter().filter_map(Node::words).collect();
    let part = Mapped::new("ideal", &value.at, texts.join(" | "));
    let checks: Vec<Value> = texts.iter().map(|text| expect::states(text)).collect();
    if checks.is_empty() {
        case.told(part.lost("it holds no text"));
        return;
    }
    let check = expect::any(checks);
    let why = "the answer must state it, in whatever sentence; how strict the eval is stands in another file";
    case.check(part.near(expect::name(&check), why), check);
}

/// A list of messages: the user's words are turns, the last answer of the assistant is what is expected.
pub(super) fn conversation(messages: &Node, case: &mut Case) {
    let messages = messages.items();
    let last_user = messages.iter().rposition(|message| message.text_at("role") == Some("user"));
    for (index, message) in messages.iter().enumerate() {
        let role = message.text_at("role").unwrap_or_default();
        let text = words(message);
        let part = Mapped::new("message", &message.at, format!("{role}: {text}"));
        let last = last_user.is_none_or(|last| index > last);
        match role {
            "user" => {
                case.turns.push(text);
                case.told(part.exact(if last_user == Some(index) { "prompt" } else { "turns" }));
            }
            "assistant" => {
                calls(message, case);
                if last && !text.trim().is_empty() {
                    let part = Mapped::new("answer", &message.at, &text);
                    let why = "the judge of the suite says whether the answer agrees with it";
                    case.criterion(part.near("criteria", why), expect::agrees(&text));
                } else if !text.trim().is_empty() {
                    case.told(part.lost("the assistant answers itself; nothing is put into its mouth"));
                }
            }
            "system" | "developer" => case.told(
                part.lost("the assistant has the instructions of the client profile and of the server"),
            ),
            "tool" | "function" => case.told(part.lost("tools answer themselves")),
            _ => case.told(part.lost("nobody of this role takes part")),
        }
    }
}

/// The calls in a message of the assistant.
fn calls(message: &Node, case: &mut Case) {
    for call in message.list_at("tool_calls") {
        let function = call.get("function").unwrap_or(call);
        let name = function.text_at("name").unwrap_or_default();
        let arguments = function.get("arguments").map(|node| match node.text() {
            Some(text) => serde_json::from_str(text).unwrap_or_default(),
            None => node.value(),
        });
        let part = Mapped::new("tool_call", &call.at, name);
        let check =
            expect::called(name, arguments.filter(Value::is_object).map(|args| expect::among(&args)), None);
        case.check(
            part.near("tool_called", "the arguments are those of one run; loosen what may differ"),
            check,
        );
    }
}

/// The text of a message, whose content is a text or a list of parts.
fn words(message: &Node) -> String {
    let Some(content) = message.get("content") else { return String::new() };
    match content.text() {
        Some(text) => text.to_owned(),
        None => {
            let parts: Vec<&str> = content.items().iter().filter_map(|part| part.text_at("text")).collect();
            parts.join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diag::Origin;

    #[test]
    fn a_conversation_becomes_turns_and_a_reference() {
        let at = Origin { file: "x".into(), line: 1, column: 1 };
        let messages = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": [{"type": "text", "text": "Where is order 7?"}]},
            {"role": "assistant", "content": "On its way.", "tool_calls": [{"function": {"name": "get_order", "arguments": "{\"id\": 7}"}}]},
        ]);
        let mut case = Case::new("a", &at);
        conversation(&Node::on_line(&messages, &at), &mut case);
        assert_eq!(case.turns, ["Hello", "Where is order 7?"]);
        assert_eq!(case.expect, [json!({"tool_called": {"name": "get_order", "args": {"id": 7}}})]);
        assert_eq!(case.criteria[0]["reference"], "On its way.");
        assert_eq!(case.parts.len(), 6, "every message and the call: {:#?}", case.parts);
    }
}
