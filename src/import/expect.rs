//! Expectations as suites write them.

use serde_json::{Map, Value, json};

use super::draft::literal;

/// The answer holds all of these texts, or one of them.
pub(super) fn contains(texts: &[String], any: bool, sensitive: bool) -> Value {
    match (texts, any, sensitive) {
        ([text], _, false) => json!({"answer_contains": text}),
        (_, any, sensitive) => {
            let mut map = Map::new();
            map.insert(if any { "any" } else { "all" }.to_owned(), json!(texts));
            if sensitive {
                map.insert("case".to_owned(), json!("sensitive"));
            }
            json!({"answer_contains": map})
        }
    }
}

/// The answer is this text and nothing more.
pub(super) fn is(text: &str) -> Value {
    json!({"answer_matches": format!(r"\A\s*{}\s*\z", regex::escape(text.trim()))})
}

/// The answer begins with this text.
pub(super) fn begins(text: &str) -> Value {
    json!({"answer_matches": format!(r"\A{}", regex::escape(text))})
}

/// The answer matches.
pub(super) fn matches(regex: &str) -> Value {
    json!({"answer_matches": regex})
}

/// A tool was called, with arguments that are matchers already.
pub(super) fn called(name: &str, args: Option<Value>, times: Option<Value>) -> Value {
    let args = args.filter(|args| args.as_object().is_some_and(|args| !args.is_empty()));
    if args.is_none() && times.is_none() {
        return json!({"tool_called": name});
    }
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(name));
    map.extend(args.map(|args| ("args".to_owned(), args)));
    map.extend(times.map(|times| ("times".to_owned(), times)));
    json!({"tool_called": map})
}

/// Tools were called in this order; an order of one is a call.
pub(super) fn order(names: &[String]) -> Value {
    match names {
        [name] => called(name, None, None),
        names => json!({"call_order": names}),
    }
}

/// Arguments of which nothing may differ.
pub(super) fn exactly(args: &Value) -> Value {
    json!({"$exact": args})
}

/// Arguments that must be among those of the call.
pub(super) fn among(args: &Value) -> Value {
    literal(args)
}

/// The opposite.
pub(super) fn not(check: &Value) -> Value {
    match check.as_object().and_then(|map| map.iter().next()) {
        Some((name, inner)) if name == "not" => inner.clone(),
        Some((name, inner)) if name == "tool_called" && inner.get("times").is_none() => {
            json!({"tool_not_called": inner})
        }
        _ => json!({"not": check}),
    }
}

/// At least so many calls of any tool.
pub(super) fn at_least(calls: u32) -> Option<Value> {
    Some(json!({"not": {"max_calls": calls.checked_sub(1)?}}))
}

/// Several checks as one.
pub(super) fn all(mut checks: Vec<Value>) -> Value {
    match checks.len() {
        1 => checks.remove(0),
        _ => json!({"all_of": checks}),
    }
}

/// One of several checks.
pub(super) fn any(mut checks: Vec<Value>) -> Value {
    match checks.len() {
        1 => checks.remove(0),
        _ => json!({"any_of": checks}),
    }
}

/// The name of the check, for reports.
pub(super) fn name(check: &Value) -> String {
    let (name, inner) = match check.as_object().and_then(|map| map.iter().next()) {
        Some((name, inner)) => (name.as_str(), inner),
        None => ("", check),
    };
    if name == "not" { format!("not {}", self::name(inner)) } else { name.to_owned() }
}

/// A short answer that an answer in sentences must state: a number by value, a word on its own, or a text.
pub(super) fn states(answer: &str) -> Value {
    let answer = answer.trim();
    let plain = answer.trim_start_matches('-');
    let number = answer
        .parse::<f64>()
        .ok()
        .filter(|_| plain.starts_with(|c: char| c.is_ascii_digit()) && !plain.starts_with("00"));
    match number.filter(|number| number.is_finite()) {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            json!({"answer_numbers": [number as i64]})
        }
        Some(number) => json!({"answer_numbers": [number]}),
        None if answer.chars().count() <= 5 && answer.chars().all(char::is_alphanumeric) => {
            json!({"answer_matches": format!(r"(?i)\b{}\b", regex::escape(answer))})
        }
        None => json!({"answer_contains": answer}),
    }
}

/// For the judge: the answer says the same as a reference.
pub(super) fn agrees(reference: &str) -> Value {
    json!({"must": "The answer says the same as the reference.", "reference": reference})
}
