//! What earlier tool results told: records with keys, from which ids are taken that the user does not repeat.

use serde_json::{Map, Value};

use super::prompt::Prompt;
use super::schema::{Kind, Param};
use super::tokenise::{terms, words};
use crate::llm::Message;

/// Most records that are looked at.
const MOST: usize = 1000;

/// How deep results are searched.
const DEPTH: usize = 16;

/// The records of a conversation, newest result first, each result in its own order.
#[derive(Default)]
pub(super) struct Memory {
    results: Vec<Vec<Record>>,
}

struct Record {
    fields: Map<String, Value>,
    /// The stems of what it may be: the tool it came from and the key it stood under.
    about: Vec<String>,
}

impl Memory {
    /// Reads the results of a conversation. Failed calls tell nothing.
    pub(super) fn of(messages: &[Message]) -> Self {
        let mut memory = Self::default();
        let mut left = MOST;
        for message in messages.iter().rev() {
            if let Message::Tool { call, text, is_error: false, .. } = message {
                let mut records = vec![];
                let about = terms(call.name.as_str());
                collect(&read(text), &about, DEPTH, &mut records);
                records.truncate(left);
                left -= records.len();
                memory.results.push(records);
            }
        }
        memory
    }

    /// The values that earlier results give for a parameter, the likeliest first. `tool` is the name of the tool that
    /// would be called.
    pub(super) fn values(&self, param: &Param<'_>, tool: &str, prompt: &Prompt<'_>) -> Vec<Value> {
        let nouns = terms(tool);
        let mut values = vec![];
        for records in &self.results {
            let known: Vec<(&Record, &Value)> = records
                .iter()
                .filter_map(|record| Some((record, field(record, param, &nouns)?)))
                .filter(|(_, value)| suits(value, param.kind()))
                .collect();
            let wanted = pick(&known.iter().map(|(record, _)| &record.fields).collect::<Vec<_>>(), prompt);
            values.extend(wanted.and_then(|wanted| known.get(wanted)).map(|(_, value)| (*value).clone()));
            values.extend(known.iter().map(|(_, value)| (*value).clone()));
        }
        values
    }
}

/// The field of a record that a parameter means: the same name, or `id` for the id of that kind of thing.
fn field<'a>(record: &'a Record, param: &Param<'_>, nouns: &[String]) -> Option<&'a Value> {
    let stems = |key: &str| words(key).into_iter().map(|word| word.stem).collect::<Vec<_>>();
    let same = record.fields.iter().find(|(key, _)| stems(key) == param.name_stems);
    let bare = param.name_stems.len() == 1;
    if let Some((_, value)) = same {
        // A bare `id` of something else is not meant.
        let meant = !(bare && param.is_id()) || record.about.iter().any(|stem| nouns.contains(stem));
        return meant.then_some(value);
    }
    if !param.is_id() {
        return None;
    }
    if bare {
        // `id` of `get_order` may be called `order_id` in a result.
        let long =
            |key: &str| matches!(stems(key).as_slice(), [.., noun, id] if id == "id" && nouns.contains(noun));
        return record.fields.iter().find(|(key, _)| long(key)).map(|(_, value)| value);
    }
    // `book_id` may be the `id` of a record that is about books.
    let noun = &param.name_stems[param.name_stems.len() - 2];
    record.about.contains(noun).then(|| record.fields.get("id")).flatten()
}

fn suits(value: &Value, kind: Kind) -> bool {
    match kind {
        Kind::Integer => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Text => value.is_string(),
        Kind::Boolean => value.is_boolean(),
        Kind::List | Kind::Object => false,
    }
}

/// JSON, or lines of `key: value`.
fn read(text: &str) -> Value {
    if let Ok(value) = serde_json::from_str(text) {
        return value;
    }
    let lines = text.lines().filter_map(|line| line.trim_start_matches(['-', '*', ' ']).split_once(": "));
    let field = |(key, value): (&str, &str)| {
        let value = value.trim();
        let number = value.parse::<i64>().map(Value::from);
        (key.trim().to_owned(), number.unwrap_or_else(|_| Value::from(value)))
    };
    Value::Object(lines.take(MOST).map(field).collect())
}

fn collect(value: &Value, about: &[String], depth: usize, records: &mut Vec<Record>) {
    if depth == 0 || records.len() >= MOST {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, about, depth - 1, records)),
        Value::Object(map) => {
            let scalars = map.iter().filter(|(_, value)| !value.is_array() && !value.is_object());
            let fields: Map<String, Value> =
                scalars.map(|(key, value)| (key.clone(), value.clone())).collect();
            if !fields.is_empty() {
                records.push(Record { fields, about: about.to_vec() });
            }
            for (key, value) in map.iter().filter(|(_, value)| value.is_array() || value.is_object()) {
                let mut about = about.to_vec();
                about.extend(terms(key));
                collect(value, &about, depth - 1, records);
            }
        }
        _ => {}
    }
}

/// Which end of a scale a word means, and which fields are on that scale.
const SUPERLATIVES: &[(&[&str], Want, &[&str])] = &[
    (&["cheapest", "cheaper", "least expensive"], Want::Least, &["pric", "cost", "amount", "total", "fee"]),
    (&["most expensive", "dearest", "priciest"], Want::Most, &["pric", "cost", "amount", "total", "fee"]),
    (&["newest", "latest", "most recent"], Want::Most, &["dat", "year", "creat", "updat", "publish", "at"]),
    (&["oldest", "earliest"], Want::Least, &["dat", "year", "creat", "updat", "publish", "at"]),
    (&["biggest", "largest", "longest"], Want::Most, &["siz", "count", "quantity", "length", "pag"]),
    (&["smallest", "shortest"], Want::Least, &["siz", "count", "quantity", "length", "pag"]),
];

const ORDINALS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

#[derive(Clone, Copy, PartialEq)]
enum Want {
    Least,
    Most,
}

/// Which record the user means by a superlative, an ordinal, or the value of one of its fields.
fn pick(records: &[&Map<String, Value>], prompt: &Prompt<'_>) -> Option<usize> {
    let text = prompt.text.to_lowercase();
    for (phrases, want, scales) in SUPERLATIVES {
        if phrases.iter().any(|phrase| text.contains(phrase)) {
            return extreme(records, *want, scales);
        }
    }
    let said = |word: &str| prompt.words.iter().any(|known| known.text.eq_ignore_ascii_case(word));
    if let Some(position) = ORDINALS.iter().position(|word| said(word)) {
        return (position < records.len()).then_some(position);
    }
    if said("last") {
        return records.len().checked_sub(1);
    }
    records.iter().position(|record| {
        let texts = record.values().filter_map(Value::as_str);
        texts.map(str::to_lowercase).any(|value| value.len() > 3 && text.contains(&value))
    })
}

fn extreme(records: &[&Map<String, Value>], want: Want, scales: &[&str]) -> Option<usize> {
    let on_scale = |key: &str| words(key).iter().any(|word| scales.contains(&word.stem.as_str()));
    let mut best: Option<(usize, &Value)> = None;
    for (index, record) in records.iter().enumerate() {
        let Some(value) = record.iter().find(|(key, _)| on_scale(key)).map(|(_, value)| value) else {
            continue;
        };
        let better = best.is_none_or(|(_, best)| match want {
            Want::Least => less(value, best),
            Want::Most => less(best, value),
        });
        if better {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

fn less(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim_matches(|c: char| !c.is_ascii_digit()).replace(',', "").parse().ok(),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a < b,
        _ => a.as_str() < b.as_str(),
    }
}
