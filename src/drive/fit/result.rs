//! Misfits in what tools returned: cuts, halves that differ, content that is not shown.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Item, Kind, Returned, Seen, about};
use crate::display;
use crate::drive::offer::cut::{self, Left};
use crate::drive::offer::result::{self, Called};
use crate::ids::ToolName;
use crate::mcp::ClientProfile;
use crate::mcp::profile::{MediaForm, Results, StructuredUse, TextForm, Unit};
use crate::transcript::view::text_of;

/// Most values that are named where two halves differ.
const VALUES: usize = 3;

/// Adds what goes wrong with results. One item of a kind per tool: the first, or the largest cut.
pub(super) fn find(seen: &Seen, profile: &ClientProfile, found: &mut Vec<(Kind, Item)>) {
    let rules = &profile.result;
    for (tool, results) in &seen.results {
        let cuts = results.iter().filter_map(|returned| falls_out(tool, returned, rules));
        if let Some((_, detail)) = cuts.max_by_key(|(bytes, _)| *bytes) {
            found.push((Kind::ResultCut, about(tool, detail)));
        }
        if let Some(detail) = results.iter().find_map(|returned| differ(returned, rules)) {
            found.push((Kind::HalvesDisagree, about(tool, detail)));
        }
        let dropped: BTreeSet<&str> = results
            .iter()
            .flat_map(|returned| &returned.content)
            .filter_map(|block| hidden(block, rules))
            .collect();
        if !dropped.is_empty() {
            let kinds = dropped.into_iter().collect::<Vec<_>>().join(", ");
            found.push((Kind::ContentDropped, about(tool, kinds)));
        }
    }
}

/// The bytes that a client cuts out of a result, and which part of it they are.
fn falls_out(tool: &ToolName, returned: &Returned, rules: &Results) -> Option<(u64, String)> {
    let called = Called { id: "call", tool: tool.as_str() };
    let shape = result::Returned {
        content: &returned.content,
        structured: returned.structured.as_ref(),
        is_error: returned.is_error,
    };
    let whole = result::body(shape, rules, called);
    let limit = cut::exceeded(&whole, rules.limits.as_deref().unwrap_or_default())?;
    let Left { cut, kept, .. } = cut::apply(&whole, limit, "file");
    let part = match kept {
        (0, 0) => "all of it",
        (0, _) => "the beginning",
        (_, 0) => "the end",
        _ => "the middle",
    };
    let gone = cut::size(&whole[kept.0..whole.len() - kept.1], limit.unit);
    let (all, unit) = (cut::size(&whole, limit.unit), word(limit.unit));
    Some((cut, format!("{gone} of {all} {unit} fall out: {part}")))
}

fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Chars => "characters",
        Unit::Bytes => "bytes",
        Unit::Tokens => "tokens, estimated,",
    }
}

/// What one half says that the other does not, where the client shows only the other.
fn differ(returned: &Returned, rules: &Results) -> Option<String> {
    let structured = returned.structured.as_ref().filter(|_| !returned.is_error)?;
    let text = text_of(&returned.content);
    if text.trim().is_empty() || rules.text == Some(TextForm::WholeJson) {
        return None;
    }
    if serde_json::from_str::<Value>(&text).is_ok_and(|value| value == *structured) {
        return None;
    }
    let (half, missing) = match rules.structured? {
        StructuredUse::ReplacesText => ("text", only_in_text(&text, structured)),
        StructuredUse::Ignored => ("structured content", only_in_structured(structured, &text)),
        StructuredUse::Fallback | StructuredUse::InsideJson => return None,
    };
    if missing.is_empty() {
        return None;
    }
    let shown: Vec<String> =
        missing.iter().take(VALUES).map(|value| format!("`{}`", display::excerpt(value, 40))).collect();
    let more = missing.len().saturating_sub(VALUES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("only the {half} has {}{more}, and the client does not show it", shown.join(", ")))
}

/// Numbers that the text names and the structured content does not.
fn only_in_text(text: &str, structured: &Value) -> Vec<String> {
    let mut known = Vec::new();
    scalars(structured, &mut known);
    let known: Vec<f64> = known.iter().flat_map(|value| numbers(value)).map(|(_, number)| number).collect();
    let mut missing: Vec<String> = Vec::new();
    for (word, number) in numbers(text) {
        if !known.contains(&number) && !missing.contains(&word) {
            missing.push(word);
        }
    }
    missing
}

/// Texts and numbers of the structured content that the text does not hold.
fn only_in_structured(structured: &Value, text: &str) -> Vec<String> {
    let mut values = Vec::new();
    scalars(structured, &mut values);
    let in_text: Vec<f64> = numbers(text).into_iter().map(|(_, number)| number).collect();
    let lower = text.to_lowercase();
    let held = |value: &str| match value.parse::<f64>() {
        Ok(number) => in_text.contains(&number),
        Err(_) => lower.contains(&value.to_lowercase()),
    };
    let mut missing: Vec<String> = Vec::new();
    for value in values {
        if !held(&value) && !missing.contains(&value) {
            missing.push(value);
        }
    }
    missing
}

/// Every text and number in a value; truth values are seldom written out in words.
fn scalars(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => out.push(text.trim().to_owned()),
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(list) => list.iter().for_each(|value| scalars(value, out)),
        Value::Object(map) => map.values().for_each(|value| scalars(value, out)),
        _ => {}
    }
}

/// The numbers in a text, as written and as numbers.
fn numbers(text: &str) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    for word in text.split(|c: char| !(c.is_ascii_digit() || c == '.')) {
        let word = word.trim_matches('.');
        if let Ok(number) = word.parse::<f64>() {
            found.push((word.to_owned(), number));
        }
    }
    found
}

/// The kind of a block that the client leaves out.
fn hidden<'a>(block: &'a Value, rules: &Results) -> Option<&'a str> {
    let kind = block.get("type").and_then(Value::as_str)?;
    let form = match kind {
        "image" => rules.image,
        "audio" => rules.audio,
        "resource_link" => rules.resource_link,
        "resource" => rules.embedded,
        _ => None,
    };
    matches!(form, Some(MediaForm::Dropped | MediaForm::Note)).then_some(kind)
}
