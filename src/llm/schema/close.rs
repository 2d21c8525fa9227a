//! Objects after the walk: names that are still known, and objects that are closed.

use serde_json::{Map, Value, json};

use super::shape;

/// Takes names out of `required` whose properties were taken out.
pub(super) fn keep_known(new: &mut Map<String, Value>, before: &Map<String, Value>) {
    let gone = |name: &Value| {
        let Some(name) = name.as_str() else { return false };
        let has = |map: &Map<String, Value>| map.get("properties").is_some_and(|all| all.get(name).is_some());
        has(before) && !has(new)
    };
    let Some(Value::Array(required)) = before.get("required") else { return };
    let kept: Vec<Value> = required.iter().filter(|name| !gone(name)).cloned().collect();
    if kept.len() < required.len() {
        new.insert("required".to_owned(), Value::Array(kept));
    }
}

/// Closes an object: every property is required, and those that were not may be null.
pub(super) fn close(map: &mut Map<String, Value>) {
    let required: Vec<String> = match map.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => vec![],
    };
    let mut names = vec![];
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for (name, schema) in properties.iter_mut() {
            if !required.contains(name) {
                or_null(schema);
            }
            names.push(Value::String(name.clone()));
        }
    }
    map.insert("required".to_owned(), Value::Array(names));
    map.insert("additionalProperties".to_owned(), Value::Bool(false));
}

fn or_null(schema: &mut Value) {
    if shape::is_null(schema) {
        return;
    }
    let Value::Object(map) = schema else { return };
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        if !values.contains(&Value::Null) {
            values.push(Value::Null);
        }
        if !map.contains_key("type") {
            return;
        }
    }
    match map.get_mut("type") {
        Some(Value::String(one)) => {
            let kind = std::mem::take(one);
            map.insert("type".to_owned(), json!([kind, "null"]));
        }
        Some(Value::Array(several)) if !several.contains(&json!("null")) => several.push(json!("null")),
        Some(_) => {}
        None => match map.get_mut("anyOf") {
            Some(Value::Array(any)) if any.iter().any(shape::is_null) => {}
            Some(Value::Array(any)) => any.push(json!({"type": "null"})),
            _ => {
                let plain = std::mem::take(map);
                map.insert("anyOf".to_owned(), json!([plain, {"type": "null"}]));
            }
        },
    }
}
