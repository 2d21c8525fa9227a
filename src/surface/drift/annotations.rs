//! Changes of annotations. A hint is a promise by which clients decide whether to ask a person first: one that is
//! withdrawn breaks what ran without asking, one that is given only makes more possible.

use serde_json::Value;

use super::{Class, Found};
use crate::surface::snapshot::canonical;

/// Each hint with the value that promises something, and the value that its absence means (MCP, `ToolAnnotations`).
const HINTS: &[(&str, bool, bool)] = &[
    ("readOnlyHint", true, false),
    ("destructiveHint", false, true),
    ("idempotentHint", true, false),
    ("openWorldHint", false, true),
];

/// Compares annotations.
pub(super) fn compare(old: Option<&Value>, new: Option<&Value>, found: &mut Found<'_>) {
    let at = |value: Option<&Value>, key: &str| value.and_then(|value| value.get(key)).cloned();
    let keys = |value: Option<&Value>| -> Vec<String> {
        value.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let mut all: Vec<String> = keys(old).into_iter().chain(keys(new)).collect();
    all.sort();
    all.dedup();
    for key in all {
        let (before, after) = (at(old, &key), at(new, &key));
        if before.as_ref().map(canonical) == after.as_ref().map(canonical) {
            continue;
        }
        let place = format!("/annotations/{}", super::schema::escaped(&key));
        let values = (before.as_ref(), after.as_ref());
        let hint = HINTS.iter().find(|(name, ..)| *name == key);
        let Some((_, promise, absent)) = hint else {
            found.note(Class::Wording, &place, "annotation changed", values);
            continue;
        };
        let means = |value: Option<&Value>| value.and_then(Value::as_bool).unwrap_or(*absent);
        match (means(values.0) == *promise, means(values.1) == *promise) {
            (true, false) => found.note(Class::Breaking, &place, "a promise is withdrawn", values),
            (false, true) => found.note(Class::Additive, &place, "a promise is given", values),
            _ => found.note(Class::Wording, &place, "says what its absence says", values),
        }
    }
}
