//! What the model says: the results of its calls as readable lines, bounded; or what it lacks.

use serde_json::Value;

use super::tokenise::words;
use crate::transcript::ToolCall;

/// Most characters of results in an answer.
const MOST: usize = 1500;

/// How deep results are written out.
const DEPTH: usize = 8;

/// The answer after tool results: the first failure, else everything that came back.
pub(super) fn after(results: &[(&ToolCall, &str, bool)]) -> String {
    if let Some((call, text, _)) = results.iter().find(|(_, _, is_error)| *is_error) {
        return format!(
            "That did not work: `{}` reported an error: {}",
            call.name,
            bounded(&lines(text), MOST)
        );
    }
    let share = MOST / results.len().max(1);
    let parts: Vec<String> = results
        .iter()
        .map(|(call, text, _)| match bounded(&lines(text), share) {
            text if text.is_empty() => format!("`{}` found nothing.", call.name),
            text if text.contains('\n') => format!("This is what `{}` returned:\n{text}", call.name),
            text => format!("This is what `{}` returned: {text}", call.name),
        })
        .collect();
    parts.join("\n")
}

/// The answer when a call lacks arguments.
pub(super) fn missing(tool: &str, names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| readable(name)).collect();
    format!("Please tell me the {} so that I can {}.", names.join(" and the "), readable(tool))
}

/// A name as words.
fn readable(name: &str) -> String {
    words(name).into_iter().map(|word| word.text.to_lowercase()).collect::<Vec<_>>().join(" ")
}

/// The answer when nothing fits.
pub(super) const NOTHING: &str = "I have no tool that fits this request, so I cannot help with it.";

/// Text as it is; JSON as lines of `key: value`.
fn lines(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => {
            let mut lines = vec![];
            write(&value, "", DEPTH, &mut lines);
            lines.join("\n")
        }
        _ => text.trim().to_owned(),
    }
}

fn write(value: &Value, path: &str, depth: usize, lines: &mut Vec<String>) {
    // A line holds a character at least, so more lines than characters are never shown.
    if lines.len() > MOST {
        return;
    }
    match value {
        Value::Object(map) if depth > 0 => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                write(value, &path, depth - 1, lines);
            }
        }
        Value::Array(items) if depth > 0 && items.iter().any(|item| item.is_object() || item.is_array()) => {
            for item in items {
                lines.push(format!("- {}", flat(item, depth - 1)));
                if lines.len() > MOST {
                    return;
                }
            }
        }
        value if path.is_empty() => lines.push(flat(value, depth)),
        value => lines.push(format!("{path}: {}", flat(value, depth))),
    }
}

/// A value on one line.
fn flat(value: &Value, depth: usize) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Object(map) if depth > 0 => {
            let fields = map.iter().map(|(key, value)| format!("{key}: {}", flat(value, depth - 1)));
            fields.collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) if depth > 0 => {
            items.iter().map(|item| flat(item, depth - 1)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(name: &str) -> ToolCall {
        ToolCall { id: "c".into(), name: name.into(), args: json!({}) }
    }

    #[test]
    fn results_become_readable_lines() {
        let json = r#"{"order":{"id":1042,"arrives":"28 November","lines":["a","b"]},"events":[{"at":"x","by":{"n":1}}],"note":null}"#;
        insta::assert_snapshot!(after(&[(&call("get_order"), json, false)]), @r"
        This is what `get_order` returned:
        order.id: 1042
        order.arrives: 28 November
        order.lines: a, b
        - at: x, by: n: 1
        note: none
        ");
        insta::assert_snapshot!(after(&[(&call("ping"), "pong", false)]), @"This is what `ping` returned: pong");
    }

    #[test]
    fn failures_are_told_and_everything_is_bounded() {
        insta::assert_snapshot!(
            after(&[(&call("a"), "fine", false), (&call("refund"), "not allowed", true)]),
            @"That did not work: `refund` reported an error: not allowed"
        );
        let long = json!(vec![json!({"k": "v".repeat(50)}); 10_000]).to_string();
        assert!(after(&[(&call("a"), &long, false)]).chars().count() < MOST + 100);
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        insta::assert_snapshot!(missing("cancel_order", &["order_id".into()]), @"Please tell me the order id so that I can cancel order.");
    }
}
