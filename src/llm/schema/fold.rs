//! Schemas put together: parts of an `allOf`, a reference and what stands beside it, alternatives at the root.

use serde_json::{Map, Value};

/// Adds another schema that must hold as well. What `base` says comes first; keywords on which both cannot be kept are
/// named to `lost`.
pub(super) fn both(base: &mut Map<String, Value>, other: &Map<String, Value>, lost: &mut dyn FnMut(&str)) {
    for (key, value) in other {
        let Some(own) = base.get_mut(key) else {
            base.insert(key.clone(), value.clone());
            continue;
        };
        if own == value {
            continue;
        }
        match key.as_str() {
            "properties" | "$defs" | "definitions" | "patternProperties" => named(own, value, key, lost),
            "required" => union(own, value),
            "enum" => intersection(own, value),
            "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {
                bound(own, value, f64::max);
            }
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
                bound(own, value, f64::min);
            }
            "type" => types(own, value, lost),
            "additionalProperties" if own == &Value::Bool(true) => own.clone_from(value),
            "additionalProperties" if value == &Value::Bool(true) => {}
            _ => lost(key),
        }
    }
}

/// Adds alternatives, of which one must hold: all their properties are known, and required is what each requires.
pub(super) fn any(
    base: &mut Map<String, Value>,
    alternatives: &[&Map<String, Value>],
    lost: &mut dyn FnMut(&str),
) {
    let mut required: Option<Vec<Value>> = None;
    for alternative in alternatives {
        let own = alternative.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
        required = Some(match required {
            None => own,
            Some(so_far) => so_far.into_iter().filter(|name| own.contains(name)).collect(),
        });
        if let Some(properties) = alternative.get("properties") {
            let all = base.entry("properties").or_insert_with(|| Value::Object(Map::new()));
            named(all, properties, "properties", lost);
        }
    }
    if let Some(required) = required.filter(|required| !required.is_empty()) {
        let all = base.entry("required").or_insert_with(|| Value::Array(vec![]));
        union(all, &Value::Array(required));
    }
}

fn named(own: &mut Value, other: &Value, key: &str, lost: &mut dyn FnMut(&str)) {
    let (Value::Object(own), Value::Object(other)) = (own, other) else { return lost(key) };
    for (name, schema) in other {
        match own.get(name) {
            None => {
                own.insert(name.clone(), schema.clone());
            }
            Some(known) if known == schema => {}
            Some(_) => lost(&format!("{key}/{}", name.replace('~', "~0").replace('/', "~1"))),
        }
    }
}

fn union(own: &mut Value, other: &Value) {
    if let (Value::Array(own), Value::Array(other)) = (own, other) {
        for item in other {
            if !own.contains(item) {
                own.push(item.clone());
            }
        }
    }
}

fn intersection(own: &mut Value, other: &Value) {
    if let (Value::Array(own), Value::Array(other)) = (own, other) {
        own.retain(|item| other.contains(item));
    }
}

fn bound(own: &mut Value, other: &Value, stricter: fn(f64, f64) -> f64) {
    if let (Some(mine), Some(theirs)) = (own.as_f64(), other.as_f64())
        && stricter(mine, theirs) == theirs
    {
        own.clone_from(other);
    }
}

fn types(own: &mut Value, other: &Value, lost: &mut dyn FnMut(&str)) {
    let list = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let (mine, theirs) = (list(own), list(other));
    let shared: Vec<Value> = mine.into_iter().filter(|kind| theirs.contains(kind)).collect();
    match shared.len() {
        0 => lost("type"),
        1 => *own = shared.into_iter().next().unwrap_or_default(),
        _ => *own = Value::Array(shared),
    }
}
