//! What a client changes in an input schema. Pure.
//!
//! The walk knows where schemas stand inside schemas, so a property that happens to be called `default` is not taken
//! for the keyword.

use serde_json::{Map, Value};

use crate::mcp::profile::SchemaEdits;
use crate::mcp::subschemas::{MAPS, SCHEMAS};

/// The schema as the client passes it on.
pub fn edited(mut schema: Value, edits: Option<&SchemaEdits>) -> Value {
    let Some(edits) = edits else { return schema };
    walk(&mut schema, edits);
    if let Value::Object(map) = &mut schema {
        if edits.closed {
            map.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        add(map, &edits.add);
        let order = |key: &str| {
            let first = edits.first.iter().position(|word| word == key);
            let last = edits.last.iter().position(|word| word == key);
            match (first, last) {
                (Some(place), _) => (0, place),
                (None, None) => (1, 0),
                (None, Some(place)) => (2, place),
            }
        };
        let mut entries: Vec<(String, Value)> = std::mem::take(map).into_iter().collect();
        entries.sort_by_key(|(key, _)| order(key));
        map.extend(entries);
    }
    schema
}

/// The properties that the client adds to this schema: those it does not have itself.
pub fn added<'a>(schema: &Value, edits: Option<&'a SchemaEdits>) -> Vec<&'a str> {
    let own = schema.get("properties").and_then(Value::as_object);
    let names = edits.into_iter().flat_map(|edits| edits.add.keys());
    names.filter(|name| own.is_none_or(|own| !own.contains_key(*name))).map(String::as_str).collect()
}

/// The places at which the client drops a keyword, as JSON pointers. `$schema` alone tells a model nothing and is not
/// among them.
pub fn lost(schema: &Value, edits: Option<&SchemaEdits>) -> Vec<String> {
    let mut places = Vec::new();
    if let Some(edits) = edits {
        collect(schema, &edits.drop, "", &mut places);
    }
    places
}

fn collect(schema: &Value, drop: &[String], at: &str, places: &mut Vec<String>) {
    let Value::Object(map) = schema else { return };
    for (key, value) in map {
        let here = format!("{at}/{key}");
        if drop.contains(key) && key != "$schema" {
            places.push(here);
            continue;
        }
        for (name, inner) in inside(key, value) {
            let place = name.map(|name| format!("{here}/{name}"));
            collect(inner, drop, place.as_deref().unwrap_or(&here), places);
        }
    }
}

/// The schemas directly inside a keyword, with their names where they have some.
fn inside<'a>(key: &str, value: &'a Value) -> Vec<(Option<String>, &'a Value)> {
    match value {
        Value::Object(map) if MAPS.contains(&key) => {
            map.iter().map(|(name, inner)| (Some(name.clone()), inner)).collect()
        }
        Value::Array(list) if SCHEMAS.contains(&key) => {
            list.iter().enumerate().map(|(index, inner)| (Some(index.to_string()), inner)).collect()
        }
        Value::Object(_) if SCHEMAS.contains(&key) => vec![(None, value)],
        _ => vec![],
    }
}

fn walk(schema: &mut Value, edits: &SchemaEdits) {
    let Value::Object(map) = schema else { return };
    map.retain(|key, _| !edits.drop.contains(key));
    if edits.sort_properties
        && let Some(Value::Object(properties)) = map.get_mut("properties")
    {
        let mut entries: Vec<(String, Value)> = std::mem::take(properties).into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        properties.extend(entries);
    }
    for (key, value) in map.iter_mut() {
        match value {
            Value::Object(inner) if MAPS.contains(&key.as_str()) => {
                inner.values_mut().for_each(|schema| walk(schema, edits));
            }
            Value::Array(list) if SCHEMAS.contains(&key.as_str()) => {
                list.iter_mut().for_each(|schema| walk(schema, edits));
            }
            Value::Object(_) if SCHEMAS.contains(&key.as_str()) => walk(value, edits),
            _ => {}
        }
    }
}

fn add(map: &mut Map<String, Value>, properties: &Map<String, Value>) {
    if properties.is_empty() {
        return;
    }
    let own = map.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(own) = own {
        for (name, schema) in properties {
            own.entry(name.clone()).or_insert_with(|| schema.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edits(value: Value) -> SchemaEdits {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn keywords_are_dropped_and_properties_of_that_name_stay() {
        let schema = json!({
            "$schema": "x",
            "type": "object",
            "properties": {
                "minimum": {"type": "integer", "minimum": 1, "enum": [{"minimum": 1}]},
                "list": {"type": "array", "items": {"default": 3}},
            },
            "$defs": {"a": {"anyOf": [{"maximum": 2}, true]}},
        });
        let edits =
            edits(json!({"drop": ["$schema", "minimum", "maximum", "default"], "sort_properties": true}));
        let kept = edited(schema.clone(), Some(&edits));
        let expected = r#"{"type":"object","properties":{"list":{"type":"array","items":{}},"minimum":{"type":"integer","enum":[{"minimum":1}]}},"$defs":{"a":{"anyOf":[{},true]}}}"#;
        assert_eq!(kept.to_string(), expected);
        let places =
            ["/properties/minimum/minimum", "/properties/list/items/default", "/$defs/a/anyOf/0/maximum"];
        assert_eq!(lost(&schema, Some(&edits)), places);
        assert_eq!(edited(schema.clone(), None), schema);
        assert!(lost(&schema, None).is_empty());
    }

    #[test]
    fn what_is_added_does_not_replace_what_is_there() {
        let edits = edits(json!({"add": {"wait": {"type": "boolean"}}, "closed": true, "last": ["type"]}));
        let plain = edited(json!({"type": "object"}), Some(&edits));
        let expected =
            r#"{"additionalProperties":false,"properties":{"wait":{"type":"boolean"}},"type":"object"}"#;
        assert_eq!(plain.to_string(), expected);
        assert_eq!(added(&json!({}), Some(&edits)), ["wait"]);
        let own = json!({"properties": {"wait": {"type": "string"}}});
        assert_eq!(edited(own.clone(), Some(&edits))["properties"]["wait"]["type"], "string");
        assert!(added(&own, Some(&edits)).is_empty());
        let front = self::edits(json!({"first": ["$schema"]}));
        assert_eq!(
            edited(json!({"type": "x", "$schema": "y"}), Some(&front)).to_string(),
            r#"{"$schema":"y","type":"x"}"#
        );
    }
}
