//! What answers tell: whether they say the same of two names, and what a list holds. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Seen;
use super::reading::{Exchange, control, deciding, labelled};
use crate::auth::answer::{Answer, messages};
use crate::transcript::Transcript;

/// The exchange with this label, whatever its method.
pub(super) fn one<'a>(transcript: &'a Transcript, label: &str) -> Option<Exchange<'a>> {
    labelled(transcript, "").find(|exchange| named(exchange) == label)
}

/// Its label without the method.
pub(super) fn named<'a>(exchange: &Exchange<'a>) -> &'a str {
    exchange.label.rsplit_once(": ").map_or(exchange.label, |(label, _)| label)
}

/// The method in its label.
pub(super) fn method<'a>(exchange: &Exchange<'a>) -> &'a str {
    exchange.label.rsplit_once(": ").map_or("", |(_, method)| method)
}

/// Whether everybody who took part was let in, the first persona before and after, or why the record tells nothing.
pub(super) fn both(transcript: &Transcript) -> Result<(), Seen> {
    let others = deciding(transcript, "other before");
    for exchange in &others {
        let answer = exchange.answer();
        if !matches!(answer, Answer::Accepted(_)) {
            return Err(Seen::Inconclusive(format!("the second persona itself got {answer}")));
        }
    }
    control(transcript).map(|_| ())
}

/// The result of an accepted request, without `_meta`.
pub(super) fn result(exchange: &Exchange<'_>) -> Option<Value> {
    match exchange.answer() {
        Answer::Accepted(Some(Value::Object(result))) => Some(Value::Object(plain(result))),
        _ => None,
    }
}

fn plain(mut object: Map<String, Value>) -> Map<String, Value> {
    object.remove("_meta");
    object
}

/// `params` of a request, without `_meta`.
pub(super) fn asked(exchange: &Exchange<'_>) -> Value {
    let body = exchange.request.body.json().unwrap_or_default();
    match body.get("params") {
        Some(Value::Object(params)) => Value::Object(plain(params.clone())),
        _ => Value::Null,
    }
}

/// Where two requests differ: the text that one names, and that of the other.
pub(super) fn difference(one: &Value, other: &Value) -> Option<(String, String)> {
    match (one, other) {
        (Value::String(one), Value::String(other)) if one != other => Some((one.clone(), other.clone())),
        (Value::Number(one), Value::Number(other)) if one != other => {
            Some((one.to_string(), other.to_string()))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.iter().find_map(|(key, value)| difference(value, other.get(key)?))
        }
        _ => None,
    }
}

/// What an answer says but for the name that was asked for: equal for two names that the server treats alike.
pub(super) fn wording(exchange: &Exchange<'_>, name: &str) -> String {
    let Some(side) = exchange.side() else { return "no answer".to_owned() };
    let answer = messages(side).into_iter().find_map(|message| {
        let said = message.get("result").or_else(|| message.get("error"))?;
        Some(match said.clone() {
            Value::Object(said) => Value::Object(plain(said)).to_string(),
            other => other.to_string(),
        })
    });
    let text = answer.unwrap_or_else(|| side.body.to_text().into_owned());
    let quoted = Value::from(name).to_string();
    let text = text.replace(quoted.trim_matches('"'), "…");
    format!("{} {text}", side.start)
}

/// Whether the answers to two requests that differ in one name say the same of both names.
pub(super) fn alike(one: &Exchange<'_>, other: &Exchange<'_>) -> bool {
    let Some((name, unknown)) = difference(&asked(one), &asked(other)) else { return false };
    wording(one, &name) == wording(other, &unknown)
}

/// A name of the same form that nothing should have: its last part with other digits and letters.
pub(super) fn unknown(name: &str) -> String {
    const PARTS: [char; 6] = ['/', ':', '-', '_', '.', '#'];
    // Random names may end in what otherwise divides them.
    let from = name.trim_end_matches(PARTS).rfind(PARTS).map_or(0, |place| place + 1);
    let (kept, last) = name.split_at(from);
    let hexadecimal = last.bytes().all(|byte| byte.is_ascii_hexdigit());
    let turned = last.chars().map(|c| match c {
        '0'..='9' => turn(c, b'0', 10, 7),
        'a'..='f' if hexadecimal => turn(c, b'a', 6, 2),
        'A'..='F' if hexadecimal => turn(c, b'A', 6, 2),
        'a'..='z' => turn(c, b'a', 26, 11),
        'A'..='Z' => turn(c, b'A', 26, 11),
        other => other,
    });
    format!("{kept}{}", turned.collect::<String>())
}

/// The same for a name of any type.
pub(super) fn unknown_value(name: &Value) -> Value {
    match name {
        Value::String(text) => unknown(text).into(),
        Value::Number(number) => match unknown(&number.to_string()).parse::<u64>() {
            Ok(number) => number.into(),
            Err(_) => name.clone(),
        },
        other => other.clone(),
    }
}

fn turn(c: char, first: u8, size: u8, by: u8) -> char {
    char::from(first + (c as u8 - first + by) % size)
}

/// The names in a page of any list: of tools and prompts, and the URIs of resources and templates.
pub(super) fn names(page: &Value) -> Vec<String> {
    let lists = ["tools", "prompts", "resources", "resourceTemplates", "tasks"];
    let entries = lists.iter().filter_map(|key| page.get(key)?.as_array()).flatten();
    entries
        .filter_map(|entry| {
            let keys = ["uri", "uriTemplate", "taskId", "name"];
            keys.iter().find_map(|key| entry.get(key)?.as_str()).map(str::to_owned)
        })
        .collect()
}

/// The pages of a list that were fetched under `LABEL PAGE`, with their exchanges.
pub(super) fn fetched<'a>(transcript: &'a Transcript, label: &str, list: &str) -> Vec<(Exchange<'a>, Value)> {
    let page = |exchange: &Exchange<'_>| {
        let number = named(exchange).strip_prefix(label)?.strip_prefix(' ')?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(())
    };
    labelled(transcript, "")
        .filter(|exchange| method(exchange) == list && page(exchange).is_some())
        .filter_map(|exchange| Some((exchange, result(&exchange)?)))
        .collect()
}

/// Everything that these pages name.
pub(super) fn all_names(pages: &[(Exchange<'_>, Value)]) -> BTreeSet<String> {
    pages.iter().flat_map(|(_, page)| names(page)).collect()
}

/// The thing of one persona, tried by the other: `hers before`, `attempt`, `unknown`, `hers after`.
pub(super) fn apart(transcript: &Transcript, thing: &str) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let not_sent = || Seen::Inconclusive(format!("the first persona got no {thing} to try"));
    let Some(before) = one(transcript, "hers before") else { return not_sent() };
    if !matches!(before.answer(), Answer::Accepted(_)) {
        let text = format!("the first persona's own use of the {thing} got {}", before.answer());
        return Seen::Inconclusive(text);
    }
    let Some(attempt) = one(transcript, "attempt") else { return not_sent() };
    let mut evidence = vec![before.seq, attempt.seq];
    let how = match attempt.answer() {
        Answer::Denied(_) if attempt.answer().is_unavailable() => return unclear(&attempt),
        Answer::Denied(denial) => format!("with {denial}"),
        Answer::Accepted(_) => match one(transcript, "unknown").filter(|other| alike(&attempt, other)) {
            Some(other) => {
                evidence.push(other.seq);
                format!("the same as an unknown {thing}")
            }
            None => {
                return Seen::Broken(format!("the second persona used the {thing} of the first"), evidence);
            }
        },
        _ => return unclear(&attempt),
    };
    match one(transcript, "hers after") {
        Some(after) if matches!(after.answer(), Answer::Accepted(_)) => {
            Seen::Holds(format!("the {thing} of another persona was refused {how}"), evidence)
        }
        Some(after) => Seen::Inconclusive(format!(
            "after the attempt of the second persona, which was refused, the first got {}",
            after.answer()
        )),
        None => not_sent(),
    }
}

/// An answer from which nothing follows.
pub(super) fn unclear(exchange: &Exchange<'_>) -> Seen {
    Seen::Inconclusive(format!("the attempt got {} at `{}`", exchange.answer(), method(exchange)))
}

/// Whether the refusals of what exists and of what does not are the same.
pub(super) fn no_oracle(transcript: &Transcript, thing: &str) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let (Some(attempt), Some(other)) = (one(transcript, "attempt"), one(transcript, "unknown")) else {
        return Seen::Inconclusive(format!("the first persona got no {thing} to try"));
    };
    let evidence = vec![attempt.seq, other.seq];
    match (attempt.answer(), other.answer()) {
        (Answer::Denied(_), Answer::Denied(_)) if alike(&attempt, &other) => Seen::Holds(
            format!("the {thing} of another persona is refused in the words for an unknown one"),
            evidence,
        ),
        (Answer::Denied(one), Answer::Denied(two)) => {
            let text = match one == two {
                true => format!(
                    "the {thing} of another persona and an unknown one are refused in different words"
                ),
                false => {
                    format!("the {thing} of another persona is refused with {one}, an unknown one with {two}")
                }
            };
            Seen::Broken(text, evidence)
        }
        (Answer::Accepted(_), _) => {
            Seen::DoesNotApply(format!("the {thing} of another persona is not refused"))
        }
        (_, two) => Seen::Inconclusive(format!("an unknown {thing} got {two}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::checks::records::{Step, record};

    fn tried(
        attempt: (&'static str, Value),
        unknown: (&'static str, Value),
        after: &'static str,
    ) -> Transcript {
        let mine = || json!({"result": {"content": [{"type": "text", "text": "the diary"}]}});
        let steps: [Step<'_>; 4] = [
            ("hers before: tools/call", json!({"arguments": {"id": "a1"}}), "200", mine()),
            ("attempt: tools/call", json!({"arguments": {"id": "a1"}}), attempt.0, attempt.1),
            ("unknown: tools/call", json!({"arguments": {"id": "b2"}}), unknown.0, unknown.1),
            ("hers after: tools/call", json!({"arguments": {"id": "a1"}}), after, mine()),
        ];
        record(&steps)
    }

    fn says(text: &str) -> (&'static str, Value) {
        ("200", json!({"result": {"content": [{"type": "text", "text": text}]}}))
    }

    fn refuses(text: &str) -> (&'static str, Value) {
        ("200", json!({"error": {"code": -32602, "message": text}}))
    }

    #[test]
    fn an_unknown_name_is_another_one_whatever_it_ends_in() {
        for name in ["task-ab-", "task-ab_", "a/b/", "1042", "order:17", "x."] {
            let other = unknown(name);
            assert_ne!(other, name);
            assert_eq!(other.len(), name.len(), "{other}");
        }
    }

    #[test]
    fn an_owner_keeps_what_is_hers() {
        let judge = |attempt, unknown, after| apart(&tried(attempt, unknown, after), "note");
        let seen = judge(refuses("no a1"), refuses("no b2"), "200");
        let text = "the note of another persona was refused with JSON-RPC error -32602";
        assert_eq!(seen, Seen::Holds(text.into(), vec![2, 3]));
        // Some tools say in plain words that there is no such thing.
        let seen = judge(says("there is no a1"), says("there is no b2"), "200");
        assert!(matches!(seen, Seen::Holds(..)), "{seen:?}");
        let seen = judge(says("the diary"), says("there is no b2"), "200");
        assert_eq!(seen, Seen::Broken("the second persona used the note of the first".into(), vec![2, 3]));
        for (status, after) in [("500", "200"), ("429", "200"), ("404", "404")] {
            let seen = judge((status, json!({})), refuses("no"), after);
            assert!(matches!(seen, Seen::Inconclusive(_)), "{status} {after}: {seen:?}");
        }
    }

    #[test]
    fn words_can_tell_what_exists() {
        let judge = |attempt, unknown| no_oracle(&tried(attempt, unknown, "200"), "note");
        assert!(matches!(judge(refuses("no a1"), refuses("no b2")), Seen::Holds(..)));
        assert!(matches!(judge(refuses("a1 is not yours"), refuses("no b2")), Seen::Broken(..)));
        assert!(matches!(judge(("403", json!({})), ("404", json!({}))), Seen::Broken(..)));
        assert!(matches!(judge(says("the diary"), refuses("no b2")), Seen::DoesNotApply(_)));
        assert!(matches!(judge(refuses("no a1"), ("503", json!({}))), Seen::Inconclusive(_)));
    }

    #[test]
    fn an_unknown_name_keeps_its_form() {
        assert_eq!(unknown("note-1000"), "note-8777");
        assert_eq!(unknown("notes://alice/diary"), "notes://alice/otlcj");
        assert_eq!(unknown("3f2c"), "0b9e");
        assert_eq!(unknown("A7"), "C4");
        assert_eq!(unknown_value(&json!(1042)), json!(8719));
        for name in ["note-1000", "a", "7", "x/y", "0b9e", "Zebra"] {
            assert_ne!(unknown(name), name);
        }
    }

    #[test]
    fn requests_differ_in_a_name() {
        let one = json!({"name": "t", "arguments": {"a": 1, "id": "x"}});
        let other = json!({"name": "t", "arguments": {"a": 1, "id": "y"}});
        assert_eq!(difference(&one, &other), Some(("x".into(), "y".into())));
        assert_eq!(difference(&one, &one), None);
    }

    #[test]
    fn lists_of_every_kind_have_names() {
        assert_eq!(names(&json!({"resources": [{"uri": "a://b", "name": "n"}]})), ["a://b"]);
        assert_eq!(names(&json!({"tools": [{"name": "n"}, {}]})), ["n"]);
        assert!(names(&json!({})).is_empty());
    }
}
