//! Arguments repeated in HTTP headers, where a tool asks for it with `x-mcp-header` (2026-07-28, Streamable HTTP,
//! "Custom Headers from Tool Parameters"), and the encoding of every mirrored value.

use std::collections::HashSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::display;

const KEY: &str = "x-mcp-header";
const PREFIX: &str = "=?base64?";
const SUFFIX: &str = "?=";
/// Deepest nesting of a schema that is looked into.
const DEPTH: usize = 64;

/// One annotated property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// The property names from the root of the arguments to the value.
    path: Vec<String>,
    /// The whole name of the header.
    header: String,
}

/// The annotations of an input schema. The error says which rule one of them breaks.
pub fn annotations(schema: &Value) -> Result<Vec<Mirrored>, String> {
    let mut found = Vec::new();
    let Some(root) = schema.as_object() else { return Ok(found) };
    walk(root, &mut Vec::new(), true, &mut found)?;
    let mut seen = HashSet::new();
    for mirrored in &found {
        if !seen.insert(mirrored.header.to_ascii_lowercase()) {
            return Err(format!("two properties ask for the header `{}`", mirrored.header));
        }
    }
    Ok(found)
}

/// Looks into a schema. `chained` says that only `properties` led here.
fn walk(
    schema: &Map<String, Value>,
    path: &mut Vec<String>,
    chained: bool,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    if path.len() > DEPTH {
        return Ok(());
    }
    for (key, value) in schema {
        match key.as_str() {
            KEY if !chained || path.is_empty() => {
                return Err(format!("`{KEY}` stands where no chain of `properties` leads"));
            }
            KEY => found.push(annotation(schema, value, path)?),
            "properties" => each(value, path, chained, found)?,
            "$defs" | "definitions" | "dependentSchemas" | "patternProperties" => {
                each(value, path, false, found)?;
            }
            // Data, not schemas.
            "default" | "const" | "enum" | "examples" => {}
            _ => below(value, path, found)?,
        }
    }
    Ok(())
}

/// Every schema of a map from names to schemas.
fn each(
    schemas: &Value,
    path: &mut Vec<String>,
    chained: bool,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    for (name, schema) in schemas.as_object().into_iter().flatten() {
        let Some(schema) = schema.as_object() else { continue };
        path.push(name.clone());
        walk(schema, path, chained, found)?;
        path.pop();
    }
    Ok(())
}

/// Schemas below any other keyword, where no annotation may be.
fn below(value: &Value, path: &mut Vec<String>, found: &mut Vec<Mirrored>) -> Result<(), String> {
    let schemas: &mut dyn Iterator<Item = &Value> = match value {
        Value::Array(items) => &mut items.iter(),
        one => &mut std::iter::once(one),
    };
    path.push(String::new());
    for schema in schemas.filter_map(Value::as_object) {
        walk(schema, path, false, found)?;
    }
    path.pop();
    Ok(())
}

fn annotation(schema: &Map<String, Value>, name: &Value, path: &[String]) -> Result<Mirrored, String> {
    let property = display::excerpt(&path.join("."), 80);
    let Some(name) = name.as_str() else {
        return Err(format!("`{KEY}` of `{property}` is no text"));
    };
    if name.is_empty() || !name.bytes().all(is_token) {
        let name = display::excerpt(name, 40);
        return Err(format!("`{KEY}` of `{property}` is no name of a header: `{name}`"));
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => {
            Ok(Mirrored { path: path.to_vec(), header: format!("Mcp-Param-{name}") })
        }
        _ => Err(format!("`{KEY}` of `{property}` is only for the types string, integer and boolean")),
    }
}

/// A character of an HTTP token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The headers of a call with these arguments. Absent and null arguments have none.
pub fn headers(annotations: &[Mirrored], arguments: &Value) -> Vec<(String, String)> {
    annotations
        .iter()
        .filter_map(|mirrored| {
            let value = mirrored.path.iter().try_fold(arguments, |value, name| value.get(name))?;
            let text = match value {
                Value::String(text) => encoded(text),
                Value::Bool(_) => value.to_string(),
                Value::Number(number) => decimal(number),
                // Not of the annotated type; the server will say so.
                _ => return None,
            };
            Some((mirrored.header.clone(), text))
        })
        .collect()
}

/// An integer in decimal digits, also when it was written `42.0`.
fn decimal(number: &serde_json::Number) -> String {
    /// Largest integer that JavaScript tells apart from its neighbours.
    const SAFE: f64 = 9_007_199_254_740_991.0;
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.fract() == 0.0 && float.abs() <= SAFE => format!("{float:.0}"),
        _ => number.to_string(),
    }
}

/// A value as it may stand in a header: as it is, or in Base64 behind a mark where plain ASCII cannot carry it or it
/// looks like the mark.
pub fn encoded(value: &str) -> String {
    let edge = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = value.as_bytes();
    let printable = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    let padded = edge(bytes.first()) || edge(bytes.last());
    let marked = value.starts_with(PREFIX) && value.ends_with(SUFFIX);
    let plain = printable && !padded && !marked;
    if plain { value.to_owned() } else { format!("{PREFIX}{}{SUFFIX}", BASE64_STANDARD.encode(value)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_encoded_as_the_examples_of_the_text() {
        for (value, header) in [
            ("us-west1", "us-west1"),
            ("", ""),
            ("a b", "a b"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("=?BASE64?x?=", "=?BASE64?x?="),
            ("a\tb", "=?base64?YQli?="),
        ] {
            assert_eq!(encoded(value), header, "{value:?}");
        }
    }

    #[test]
    fn arguments_are_found_along_properties() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "flag": {"type": "boolean", "x-mcp-header": "Flag"},
        }});
        let found = annotations(&schema).unwrap();
        let named = |arguments: &Value| -> Vec<String> {
            headers(&found, arguments).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
        };
        assert_eq!(
            named(&json!({"region": "zürich", "deep": {"n": 42.0}, "flag": false})),
            ["Mcp-Param-Region: =?base64?esO8cmljaA==?=", "Mcp-Param-N: 42", "Mcp-Param-Flag: false"]
        );
        assert_eq!(named(&json!({"region": null, "deep": {}, "flag": [1]})), Vec::<String>::new());
        assert_eq!(
            named(&json!({"deep": {"n": -7}, "region": ""})),
            ["Mcp-Param-Region: ", "Mcp-Param-N: -7"]
        );
    }

    #[test]
    fn wrong_annotations_are_named() {
        let property = |schema: Value| json!({"type": "object", "properties": {"p": schema}});
        let mark = |header: Value| property(json!({"type": "string", "x-mcp-header": header}));
        for (name, schema) in [
            ("empty", mark(json!(""))),
            ("no text", mark(json!(1))),
            ("space", mark(json!("A B"))),
            ("line break", mark(json!("A\r\nB"))),
            ("number", property(json!({"type": "number", "x-mcp-header": "N"}))),
            ("no type", property(json!({"x-mcp-header": "N"}))),
            ("two types", property(json!({"type": ["string", "null"], "x-mcp-header": "N"}))),
            ("object", property(json!({"type": "object", "x-mcp-header": "N"}))),
            ("items", property(json!({"type": "array", "items": {"type": "string", "x-mcp-header": "N"}}))),
            ("anyOf", property(json!({"anyOf": [{"type": "string", "x-mcp-header": "N"}]}))),
            ("root", json!({"type": "object", "x-mcp-header": "N"})),
            ("$defs", json!({"$defs": {"d": {"type": "string", "x-mcp-header": "N"}}})),
            (
                "twice",
                json!({"properties": {
                    "a": {"type": "string", "x-mcp-header": "Same"},
                    "b": {"type": "string", "x-mcp-header": "same"},
                }}),
            ),
        ] {
            assert!(annotations(&schema).is_err(), "{name}");
        }
        let data = json!({"properties": {"p": {"type": "object", "default": {"x-mcp-header": 1}}}});
        assert_eq!(annotations(&data), Ok(vec![]));
        let called = json!({"properties": {"x-mcp-header": {"type": "string"}}});
        assert_eq!(annotations(&called), Ok(vec![]));
    }
}
