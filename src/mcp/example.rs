//! Schema to the smallest value that satisfies it: arguments of probes that must not fail on validation, fields of a form
//! that is to be submitted. Pure.

use serde_json::{Map, Value, json};

/// Deeper schemas get `null`; a probe needs no more.
const DEEPEST: usize = 6;

/// Arguments with every required property, made from `const`, `default`, `examples`, `enum`, bounds and formats.
pub fn arguments(schema: &Value) -> Value {
    match value(schema) {
        Value::Object(map) => Value::Object(map),
        _ => Value::Object(Map::new()),
    }
}

/// Any value, made in the same way.
pub fn value(schema: &Value) -> Value {
    example(schema, 0)
}

/// Arguments with every required one of a prompt as `prompts/list` describes it; null when there is none.
pub fn prompt_arguments(prompt: &Value) -> Value {
    let arguments = prompt.get("arguments").and_then(Value::as_array).into_iter().flatten();
    let required = arguments.filter(|argument| argument.get("required") == Some(&Value::Bool(true)));
    let names = required.filter_map(|argument| argument.get("name")?.as_str());
    let made: Map<String, Value> = names.map(|name| (name.to_owned(), json!("rehearsal"))).collect();
    if made.is_empty() { Value::Null } else { Value::Object(made) }
}

fn example(schema: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    for key in ["const", "default"] {
        if let Some(value) = schema.get(key) {
            return value.clone();
        }
    }
    for key in ["examples", "enum"] {
        if let Some(value) = schema.get(key).and_then(Value::as_array).and_then(|values| values.first()) {
            return value.clone();
        }
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|options| options.first()) {
            return example(first, depth + 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => object(schema, depth),
        "array" => array(schema, depth),
        "integer" => json!(lowest(schema).ceil() as i64),
        "number" => json!(lowest(schema)),
        "boolean" => json!(false),
        "null" => Value::Null,
        _ => json!(text(schema)),
    }
}

fn object(schema: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut map = Map::new();
    for name in required.iter().filter_map(Value::as_str) {
        let of = properties.and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
        map.insert(name.to_owned(), example(of, depth + 1));
    }
    Value::Object(map)
}

fn array(schema: &Value, depth: usize) -> Value {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(10);
    let item = schema.get("items").unwrap_or(&Value::Null);
    Value::Array((0..least).map(|_| example(item, depth + 1)).collect())
}

fn lowest(schema: &Value) -> f64 {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1.0)).unwrap_or(1.0)
}

fn text(schema: &Value) -> String {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-01",
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("time") => "12:00:00Z",
        Some("email") => "rehearsal@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "rehearsal",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096) as usize;
    let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX) as usize;
    let padded = format!("{text}{}", "x".repeat(least.saturating_sub(text.len())));
    padded.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_satisfy_their_schema() {
        let schema = json!({
            "type": "object",
            "required": ["id", "kind", "when", "tags", "note", "price"],
            "properties": {
                "id": {"type": "integer", "minimum": 1000},
                "kind": {"enum": ["a", "b"]},
                "when": {"type": "string", "format": "date"},
                "tags": {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": 3}},
                "note": {"type": ["null", "string"], "minLength": 12},
                "price": {"type": "number", "exclusiveMinimum": 0},
                "optional": {"type": "string"},
            },
        });
        let made = arguments(&schema);
        assert!(jsonschema::is_valid(&schema, &made), "{made}");
        assert!(made.get("optional").is_none());
    }

    #[test]
    fn prompts_get_what_they_need_and_no_more() {
        let prompt =
            json!({"name": "restock", "arguments": [{"name": "shelf", "required": true}, {"name": "note"}]});
        assert_eq!(prompt_arguments(&prompt), json!({"shelf": "rehearsal"}));
        assert_eq!(prompt_arguments(&json!({"name": "hello"})), Value::Null);
    }

    #[test]
    fn endless_schemas_end() {
        let mut schema = json!({"type": "string"});
        for _ in 0..50 {
            schema = json!({"type": "object", "required": ["x"], "properties": {"x": schema}});
        }
        assert!(arguments(&schema).is_object());
    }
}
