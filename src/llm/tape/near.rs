//! Why a call is not on a tape: the recorded call that is nearest, and where the two part. Pure.

use std::fmt::Write;

use serde_json::Value;

use super::Key;
use super::asked::{Asked, Parts};
use super::file::Call;
use super::reel::Reel;
use crate::display::excerpt;

/// Most characters of a value that differs.
const SHOWN: usize = 80;

/// The end of a sentence that says that a call is missing.
pub(super) fn explain(asked: &Asked, reel: &Reel, parts: &Parts) -> String {
    match reel.times(asked) {
        0 => {}
        1 => return "it is on the tape once, and was played".to_owned(),
        n => return format!("it is on the tape {n} times, and all were played"),
    }
    let of_role = || reel.calls().iter().filter(|call| call.role == asked.role.as_str());
    let Some(nearest) = of_role().max_by_key(|call| likeness(asked, call)) else {
        return format!("it holds no call of a {}", asked.role.as_str());
    };
    let whose = match (nearest.place == asked.place, nearest.model == asked.model) {
        (true, true) => "of this model there".to_owned(),
        (true, false) => format!("of `{}` there", excerpt(&nearest.model, SHOWN)),
        (false, true) => format!("at {}", excerpt(&nearest.place, SHOWN)),
        (false, false) => {
            format!("of `{}` at {}", excerpt(&nearest.model, SHOWN), excerpt(&nearest.place, SHOWN))
        }
    };
    format!("the nearest recorded call is one {whose}; {}", difference(asked, nearest, parts))
}

/// How much two calls have in common; the place before all.
fn likeness(asked: &Asked, call: &Call) -> (bool, bool, usize, bool, bool) {
    let common = |ours: &[Key], theirs: &[String]| {
        ours.iter().zip(theirs).take_while(|(ours, theirs)| ours.to_string() == **theirs).count()
    };
    (
        call.place == asked.place,
        call.model == asked.model,
        common(&asked.messages, &call.messages) * 2
            + usize::from(asked.messages.len() == call.messages.len()),
        call.definition == asked.definition.to_string(),
        common(&asked.tools, &call.tools) == asked.tools.len(),
    )
}

/// The first thing in which they differ, in words.
fn difference(asked: &Asked, call: &Call, parts: &Parts) -> String {
    let recorded = |key: &str| {
        let known = parts.iter().find(|(known, _)| known.to_string() == key);
        known.map_or(Value::Null, |(_, value)| value.clone())
    };
    let ours = |key: &Key| asked.parts.get(key).cloned().unwrap_or_default();
    let differ = |what: &str, ours: &Value, theirs: &Value| {
        let (mut path, now, then) = first(ours, theirs);
        path.insert_str(0, what);
        format!("they differ in {path}: recorded {then}, now {now}")
    };
    if call.definition != asked.definition.to_string() {
        return differ("the model's definition", &ours(&asked.definition), &recorded(&call.definition));
    }
    if call.system != asked.system.map(|key| key.to_string()) {
        let theirs = call.system.as_deref().map_or(Value::Null, recorded);
        return differ("the system prompt", &asked.system.as_ref().map_or(Value::Null, ours), &theirs);
    }
    for (name, now, then) in
        [("tool", &asked.tools, &call.tools), ("message", &asked.messages, &call.messages)]
    {
        for (index, (now, then)) in now.iter().zip(then).enumerate() {
            if now.to_string() != *then {
                return differ(&format!("{name} {}", index + 1), &ours(now), &recorded(then));
            }
        }
        if now.len() != then.len() {
            return format!(
                "they differ in the number of {name}s: recorded {}, now {}",
                then.len(),
                now.len()
            );
        }
    }
    if call.rest != asked.rest {
        return differ("the request", &asked.rest, &call.rest);
    }
    format!("they differ in the place: recorded {}", excerpt(&call.place, SHOWN))
}

/// The path to the first difference, and both values there.
fn first(now: &Value, then: &Value) -> (String, String, String) {
    let mut path = String::new();
    let (mut now, mut then) = (now, then);
    loop {
        match (now, then) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let keys = ours.keys().chain(theirs.keys());
                let other = |key: &&String| ours.get(*key) != theirs.get(*key);
                let Some(key) = keys.into_iter().find(other) else { break };
                let _ = write!(path, ".{}", excerpt(key, 40));
                (now, then) =
                    (ours.get(key).unwrap_or(&Value::Null), theirs.get(key).unwrap_or(&Value::Null));
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                let longest = ours.len().max(theirs.len());
                let Some(index) = (0..longest).find(|index| ours.get(*index) != theirs.get(*index)) else {
                    break;
                };
                let _ = write!(path, "[{index}]");
                (now, then) =
                    (ours.get(index).unwrap_or(&Value::Null), theirs.get(index).unwrap_or(&Value::Null));
            }
            _ => break,
        }
    }
    let (now, then) = match (now, then) {
        (Value::String(now), Value::String(then)) => apart(now, then),
        (now, then) => (now.to_string(), then.to_string()),
    };
    let shown = |text: &str| match text {
        "null" => "nothing".to_owned(),
        text => format!("`{}`", excerpt(text, SHOWN)),
    };
    (path, shown(&now), shown(&then))
}

/// Two texts from shortly before they part.
fn apart(now: &str, then: &str) -> (String, String) {
    let common = now.chars().zip(then.chars()).take_while(|(ours, theirs)| ours == theirs).count();
    let from = common.saturating_sub(20);
    let cut = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        if from > 0 { format!("…{rest}") } else { rest }
    };
    (cut(now), cut(then))
}
