//! MCPJam's predicates: rules over what happened in a trial.

use serde_json::{Value, json};

use super::super::draft::{Case, Mapped, literal};
use super::super::expect;
use super::super::node::Node;

/// How arguments are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Members must be there; words such as `string` stand for types.
    Partial,
    /// Nothing may differ.
    Exact,
    /// Arguments do not matter.
    Ignore,
}

impl Mode {
    /// The mode of a word; partial when there is none.
    pub(super) fn of(word: Option<&str>) -> Self {
        match word {
            Some("exact") => Self::Exact,
            Some("ignore") => Self::Ignore,
            _ => Self::Partial,
        }
    }

    /// The matchers for arguments; nothing where they do not matter.
    pub(super) fn matchers(self, args: &Value) -> Option<Value> {
        match self {
            Self::Partial => args.is_object().then(|| placeholders(args)),
            Self::Exact => Some(expect::exactly(args)),
            Self::Ignore => None,
        }
    }
}

/// Values whose words stand for types.
fn placeholders(value: &Value) -> Value {
    match value {
        Value::String(word) => match word.as_str() {
            "any" => json!({"$any": true}),
            "string" | "number" | "boolean" | "object" | "array" | "null" => json!({"$type": word}),
            _ => value.clone(),
        },
        Value::Object(map) if map.len() == 1 && map.keys().any(|key| key.starts_with('$')) => literal(value),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), placeholders(value))).collect(),
        Value::Array(items) => items.iter().map(placeholders).collect(),
        other => other.clone(),
    }
}

/// Takes a rule. `differs` says what is different here about any rule in its place.
pub(super) fn take(rule: &Node, differs: &str, case: &mut Case) {
    let kind = rule.any(&["type", "kind"]).and_then(Node::text).unwrap_or_default();
    let part = Mapped::new(kind, &rule.at, shown(rule));
    if rule.text_at("role") == Some("advisory") {
        case.told(part.lost("it is advisory and decides nothing"));
        return;
    }
    match check(kind, rule) {
        Err(why) => case.told(part.lost(why)),
        Ok((check, why)) => {
            let why: Vec<&str> = [why, differs].into_iter().filter(|why| !why.is_empty()).collect();
            let became = expect::name(&check);
            let part = if why.is_empty() { part.exact(became) } else { part.near(became, why.join("; ")) };
            case.check(part, check);
        }
    }
}

/// What a rule says, without its type.
fn shown(rule: &Node) -> String {
    let parts = rule
        .entries()
        .iter()
        .filter(|(key, _)| !["type", "kind", "role", "severity"].contains(&key.as_str()));
    let parts = parts.map(|(key, value)| match value.words() {
        Some(words) => words,
        None => format!("{key} {}", value.value()),
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// The check of a rule, and what differs.
fn check(kind: &str, rule: &Node) -> Result<(Value, &'static str), String> {
    let text =
        |key: &str| rule.text_at(key).filter(|text| !text.is_empty()).ok_or(format!("it has no `{key}`"));
    Ok(match kind {
        "toolCalledWith" => {
            let matcher = rule.get("args");
            let mode = Mode::of(matcher.and_then(|matcher| matcher.text_at("argumentMatching")));
            let args = matcher.and_then(|matcher| matcher.get("args")).map(Node::value);
            let times = rule.get("minCount").and_then(Node::count).filter(|count| *count > 1);
            let times = times.map(|min| json!({"min": min}));
            (expect::called(text("toolName")?, args.and_then(|args| mode.matchers(&args)), times), "")
        }
        "toolCalledAtLeastOnce" => (expect::called(text("toolName")?, None, None), ""),
        "toolNeverCalled" => (json!({"tool_not_called": text("toolName")?}), ""),
        "onlyToolsCalled" if rule.list_at("toolNames").is_empty() => (json!({"max_calls": 0}), ""),
        "onlyToolsCalled" => {
            return Err(
                "tools that are not named cannot be forbidden; name those with `tool_not_called`".to_owned()
            );
        }
        "firstToolWas" => {
            (expect::called(text("toolName")?, None, None), "that it was the first is not checked")
        }
        "responseContains" => {
            let sensitive = rule.get("caseSensitive").is_some_and(Node::is_true);
            (expect::contains(&[text("needle")?.to_owned()], false, sensitive), "")
        }
        "responseMatches" => (expect::matches(text("pattern")?), ""),
        "noToolErrors" => (json!({"no_tool_errors": true}), ""),
        "finalAssistantMessageNonEmpty" => (expect::matches(r"\S"), ""),
        "tokenBudgetUnder" => {
            let tokens = rule.get("tokens").and_then(Node::count).and_then(|tokens| tokens.checked_sub(1));
            (json!({"tokens": tokens.ok_or("it has no number of tokens")?}), "")
        }
        "turnCountUnder" => return Err("the turns of a case are written down".to_owned()),
        "" => return Err("it has no type".to_owned()),
        kind if kind.starts_with("widget")
            || ["textVisible", "elementVisible", "elementHidden", "inputValue"].contains(&kind) =>
        {
            return Err("nothing is rendered here".to_owned());
        }
        other => return Err(format!("no check does what `{other}` does")),
    })
}
