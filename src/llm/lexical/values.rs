//! Single values: which text suits which parameter, and which words around it point there.

use std::collections::BTreeSet;
use std::ops::Range;

use regex::Regex;
use serde_json::{Value, json};

use super::prompt::{Shape, Span};
use super::schema::{Kind, Param};
use super::tokenise::{Word, terms, words};

/// Whether any text will do.
pub(super) fn is_free(param: &Param<'_>) -> bool {
    ["enum", "pattern", "format", "const"].iter().all(|key| param.schema.get(key).is_none())
}

/// The stems of a description that could stand beside a value.
pub(super) fn described(param: &Param<'_>) -> BTreeSet<String> {
    // These stand in every second description and point to nothing.
    const VAGUE: [&str; 12] = [
        "number",
        "id",
        "valu",
        "nam",
        "list",
        "maximum",
        "minimum",
        "identifier",
        "default",
        "text",
        "string",
        "optional",
    ];
    terms(param.description).into_iter().filter(|stem| !VAGUE.contains(&stem.as_str())).collect()
}

/// Whether a preposition before a name points to the parameter, because its description says the same: "by Le Guin"
/// where it says "books by this author".
pub(super) fn introduces(word: &Word, param: &Param<'_>) -> bool {
    if !["by", "from", "to", "in", "at", "for", "of"].contains(&word.text.to_lowercase().as_str()) {
        return false;
    }
    let described = words(param.description);
    described.iter().enumerate().any(|(index, said)| {
        let next = described.iter().skip(index + 1).take(2);
        said.text.eq_ignore_ascii_case(&word.text)
            && next.into_iter().any(|next| param.name_stems.contains(&next.stem))
    })
}

/// A value as a parameter takes it, if it can.
pub(super) fn value_of(span: &Span, param: &Param<'_>) -> Option<Value> {
    match (param.kind(), span.shape) {
        (Kind::Integer | Kind::Number, Shape::Number) => {
            let value = number(&span.text, param.kind())?;
            let bound = |key: &str| param.schema.get(key).and_then(Value::as_f64);
            let is = value.as_f64()?;
            let inside = bound("minimum").is_none_or(|least| is >= least)
                && bound("maximum").is_none_or(|most| is <= most);
            inside.then_some(value)
        }
        (Kind::Text, shape) if is_free(param) => {
            let suits = match shape {
                Shape::Number | Shape::Identifier => true,
                Shape::Tail => !param.is_id(),
                Shape::Quoted => true,
                Shape::Name => !param.is_id() && !param.is_query(),
                Shape::Uri => {
                    param.name_stems.iter().any(|stem| matches!(stem.as_str(), "url" | "uri" | "link"))
                }
                Shape::Email => param
                    .name_stems
                    .iter()
                    .any(|s| matches!(s.as_str(), "email" | "mail" | "recipient" | "to")),
                Shape::Date => param
                    .name_stems
                    .iter()
                    .any(|stem| matches!(stem.as_str(), "dat" | "day" | "sinc" | "until")),
            };
            suits.then(|| Value::from(span.text.as_str()))
        }
        _ => None,
    }
}

pub(super) fn number(text: &str, kind: Kind) -> Option<Value> {
    match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        _ => text.parse::<i64>().map(Value::from).ok().or_else(|| Some(json!(text.parse::<f64>().ok()?))),
    }
}

/// The pattern of a schema, made to match a whole value; patterns the engine does not know are left out.
pub(super) fn pattern(schema: &Value) -> Option<Regex> {
    let text = schema.get("pattern")?.as_str()?;
    let inner = text.strip_prefix('^').unwrap_or(text);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    regex::RegexBuilder::new(&format!("^(?:{inner})$")).size_limit(1 << 20).build().ok()
}

/// The first piece of a text between spaces that a pattern matches, without the punctuation around it.
pub(super) fn matching(text: &str, pattern: &Regex) -> Option<Range<usize>> {
    const AROUND: &[char] =
        &['"', '\'', '`', '“', '”', '(', ')', '[', ']', '<', '>', ',', ';', ':', '!', '?', '.', '#'];
    text.split_whitespace().find_map(|piece| {
        let bare = piece.trim_matches(AROUND);
        let end = piece.trim_end_matches(AROUND);
        let found = [bare, end, piece].into_iter().find(|candidate| pattern.is_match(candidate))?;
        let start = found.as_ptr() as usize - text.as_ptr() as usize;
        Some(start..start + found.len())
    })
}
