//! A schema in one form: references followed, the spellings of "or null" made one, `const` as an `enum` of one.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::canonical;

/// Most references that are followed one after the other.
const HOPS: usize = 32;

/// One level of a schema.
#[derive(Clone, Debug, Default)]
pub(super) struct Normal {
    /// Nothing fits it: the schema `false`.
    pub never: bool,
    /// The types that fit; `None`: any. `number` stands for both `number` and `integer`.
    pub types: Option<BTreeSet<String>>,
    /// The values that fit; `None`: any.
    pub values: Option<Vec<Value>>,
    /// Alternatives beside null, when there are several.
    pub any: Vec<Value>,
    /// Schemas that must hold as well, when there are several.
    pub all: Vec<Value>,
    /// Every other keyword.
    pub map: Map<String, Value>,
    /// The references that led here.
    pub through: Vec<String>,
}

/// Brings one level of a schema into its form.
pub(super) fn of(schema: &Value, root: &Value) -> Normal {
    let mut normal = Normal::default();
    let mut map = match schema {
        Value::Bool(false) => {
            normal.never = true;
            Map::new()
        }
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    let mut nullable = false;
    // Each round takes one wrapping off: a reference, a lone alternative, a lone `allOf`.
    for _ in 0..HOPS {
        let reference = map.get("$ref").and_then(Value::as_str).map(str::to_owned);
        if let Some(reference) = reference {
            let target = target(&reference, root).filter(|_| !normal.through.contains(&reference));
            let Some(Value::Object(target)) = target else { break };
            normal.through.push(reference);
            map.shift_remove("$ref");
            map = over(target.clone(), map);
            continue;
        }
        if let Some((key, kept)) = alternatives(&map) {
            let all = map.get(key).and_then(Value::as_array).map_or(0, Vec::len);
            if kept.len() < all {
                nullable = true;
            }
            if let [Value::Object(only)] = kept.as_slice() {
                map.shift_remove(key);
                map = over(only.clone(), map);
                continue;
            }
            if let Some(types) = bare_types(&kept).filter(|_| !map.contains_key("type")) {
                map.shift_remove(key);
                map.insert("type".to_owned(), types);
                continue;
            }
        }
        match map.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            Some([Value::Object(only)]) => {
                let only = only.clone();
                map.shift_remove("allOf");
                map = over(only, map);
            }
            _ => break,
        }
    }
    nullable |= map.shift_remove("nullable") == Some(Value::Bool(true));
    normal.any = alternatives(&map).map(|(_, kept)| kept).unwrap_or_default();
    map.shift_remove("anyOf");
    map.shift_remove("oneOf");
    normal.all = list(map.shift_remove("allOf"));
    normal.types = types(map.shift_remove("type"));
    normal.values = map.shift_remove("enum").map(|values| list(Some(values)));
    if let Some(value) = map.shift_remove("const") {
        normal.values.get_or_insert_with(|| vec![value]);
    }
    if let Some(values) = &mut normal.values {
        *values = values.iter().map(canonical).collect();
    }
    if nullable {
        if let Some(types) = &mut normal.types {
            types.insert("null".to_owned());
        }
        if let Some(values) = normal.values.as_mut().filter(|values| !values.contains(&Value::Null)) {
            values.push(Value::Null);
        }
        if !normal.any.is_empty() {
            normal.any.push(json!({"type": "null"}));
        }
    }
    normal.map = map;
    normal
}

/// A map with another one's keywords over it.
fn over(mut base: Map<String, Value>, above: Map<String, Value>) -> Map<String, Value> {
    base.extend(above);
    base
}

/// The alternatives of a schema that are not null, and under which keyword they stand.
fn alternatives(map: &Map<String, Value>) -> Option<(&'static str, Vec<Value>)> {
    let key = ["anyOf", "oneOf"].into_iter().find(|key| map.get(*key).is_some_and(Value::is_array))?;
    let kept = list(map.get(key).cloned()).into_iter().filter(|schema| !is_null(schema)).collect();
    Some((key, kept))
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
        || schema.get("const").is_some_and(Value::is_null)
        || schema.get("enum").is_some_and(|values| *values == json!([null]))
}

/// The types of alternatives that say nothing else.
fn bare_types(alternatives: &[Value]) -> Option<Value> {
    let one = |schema: &Value| match schema.as_object() {
        Some(map) if map.len() == 1 => map.get("type").filter(|kind| kind.is_string()).cloned(),
        _ => None,
    };
    let types: Vec<Value> = alternatives.iter().map(one).collect::<Option<_>>()?;
    (!types.is_empty()).then_some(Value::Array(types))
}

fn types(value: Option<Value>) -> Option<BTreeSet<String>> {
    let mut types: BTreeSet<String> = match value? {
        Value::String(one) => [one].into(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    if types.contains("number") {
        types.insert("integer".to_owned());
    }
    Some(types)
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(list)) => list,
        _ => vec![],
    }
}

/// What a reference inside the document leads to.
pub(in crate::surface) fn target<'a>(reference: &str, root: &'a Value) -> Option<&'a Value> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.is_empty() || pointer.starts_with('/') {
        // Percent-encoded pointers are allowed in a reference and next to unknown in tools; they stay unresolved.
        return root.pointer(pointer);
    }
    let definitions = ["$defs", "definitions"].into_iter().filter_map(|key| root.get(key)?.as_object()).flatten();
    definitions.map(|(_, schema)| schema).find(|schema| schema.get("$anchor").is_some_and(|name| name == pointer))
}
