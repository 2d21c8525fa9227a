//! Small facts and steps of JSON Schema that the walk is made of.

use serde_json::{Map, Value};

/// Keywords that tell a model nothing: leaving them out is no loss.
const SILENT: &[&str] = &["$schema", "$id", "id", "$comment", "$anchor", "$dynamicAnchor", "$vocabulary"];

/// Whether a keyword tells a model nothing.
pub(super) fn is_silent(keyword: &str) -> bool {
    SILENT.contains(&keyword)
}

/// How the value of a keyword holds schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// It is one.
    One,
    /// It is a list of them.
    List,
    /// It names them.
    Named,
    /// It holds none.
    None,
}

/// How the value of a keyword holds schemas.
pub(super) fn holds(keyword: &str, value: &Value) -> Holds {
    match keyword {
        "items" if value.is_array() => Holds::List,
        "additionalProperties" | "unevaluatedProperties" | "additionalItems" if value.is_boolean() => {
            Holds::None
        }
        "items"
        | "additionalProperties"
        | "unevaluatedProperties"
        | "additionalItems"
        | "unevaluatedItems"
        | "contains"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "contentSchema" => Holds::One,
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => Holds::List,
        "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => Holds::Named,
        _ => Holds::None,
    }
}

/// A place in a schema, kept on the stack; it costs nothing until it is written down.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    up: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    /// The whole schema.
    pub(super) const ROOT: Place<'static> = Place { up: None, step: Step::Index(0) };

    /// A member of an object.
    pub(super) fn key(&'p self, key: &'p str) -> Place<'p> {
        Place { up: Some(self), step: Step::Key(key) }
    }

    /// An item of a list.
    pub(super) fn index(&'p self, index: usize) -> Place<'p> {
        Place { up: Some(self), step: Step::Index(index) }
    }

    /// The JSON pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        let Some(up) = self.up else { return String::new() };
        let step = match self.step {
            Step::Key(key) => key.replace('~', "~0").replace('/', "~1"),
            Step::Index(index) => index.to_string(),
        };
        format!("{}/{step}", up.pointer())
    }
}

/// Whether a schema speaks of values of this type.
pub(super) fn has_type(map: &Map<String, Value>, wanted: &str) -> bool {
    match map.get("type") {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
        _ => false,
    }
}

/// Whether a schema allows nothing but `null`.
pub(super) fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
        || schema.get("const").is_some_and(Value::is_null)
        || schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| matches!(list.as_slice(), [Value::Null]))
}

/// What is left of a schema that is too deep: its type and what it says of itself.
pub(super) fn stump(schema: &Value) -> Value {
    let mut map = Map::new();
    let Value::Object(whole) = schema else { return Value::Object(map) };
    for key in ["type", "description"] {
        if let Some(Value::String(text)) = whole.get(key) {
            map.insert(key.to_owned(), Value::String(text.clone()));
        }
    }
    match map.get("type").and_then(Value::as_str) {
        Some("object") => map.insert("properties".to_owned(), Value::Object(Map::new())),
        Some("array") => map.insert("items".to_owned(), Value::Object(Map::new())),
        _ => None,
    };
    Value::Object(map)
}

/// Whether a value has more levels than this.
pub(super) fn is_deeper(value: &Value, levels: usize) -> bool {
    let below = |inner: &Value| levels == 0 || is_deeper(inner, levels - 1);
    match value {
        Value::Object(map) => map.values().any(below),
        Value::Array(list) => list.iter().any(below),
        _ => false,
    }
}

/// A copy of so many levels.
pub(super) fn pruned(value: &Value, levels: usize) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) if levels == 0 => stump(value),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, inner)| (key.clone(), pruned(inner, levels - 1))).collect())
        }
        Value::Array(list) => list.iter().map(|inner| pruned(inner, levels - 1)).collect(),
        plain => plain.clone(),
    }
}

/// Values in a value, counted up to a bound.
pub(super) fn size(value: &Value, bound: usize) -> usize {
    let mut open = vec![value];
    let mut seen = 0;
    while let Some(next) = open.pop() {
        seen += 1;
        if seen >= bound {
            return bound;
        }
        match next {
            Value::Object(map) => open.extend(map.values()),
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
    seen
}

/// What a reference within the document points to.
pub(super) fn resolve<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    let fragment = reference.strip_prefix('#')?;
    let plain = fragment.replace("%24", "$").replace("%25", "%").replace("%7E", "~").replace("%2F", "/");
    document.pointer(&plain)
}
