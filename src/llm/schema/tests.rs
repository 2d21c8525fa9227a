//! What each API is given of a schema, and what is listed as lost.

use proptest::prelude::*;
use serde_json::json;

use super::rules::{ANTHROPIC, AZURE, COMPATIBLE, GEMINI, OPENAI, OPENAI_STRICT};
use super::*;

const ALL: [&Rules; 6] = [&OPENAI, &AZURE, &COMPATIBLE, &OPENAI_STRICT, &ANTHROPIC, &GEMINI];

fn shown(schema: &Value, rules: &Rules) -> String {
    let translated = input(schema, rules);
    let mut text = serde_json::to_string_pretty(&translated.schema).unwrap();
    for Cut { place, what } in translated.cuts {
        text.push_str(&format!("\n{place}: {what}"));
    }
    text
}

fn everything() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Order",
        "properties": {
            "id": {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
            "note": {"type": ["string", "null"], "maxLength": 80},
            "kind": {"enum": ["a", "b", null]},
            "level": {"type": "integer", "enum": [1, 2]},
            "when": {"oneOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "either": {"type": ["string", "integer"]},
            "fixed": {"const": "x"},
            "item": {"$ref": "#/$defs/item", "description": "One."},
            "both": {"allOf": [{"$ref": "#/$defs/item"}, {"properties": {"more": {"type": "string"}}, "required": ["more"]}]},
            "list": {"type": "array"},
            "any": true,
            "odd/name~": {"type": "string"}
        },
        "required": ["id", "odd/name~"],
        "$defs": {"item": {"type": "object", "properties": {"name": {"type": "string"}, "part": {"$ref": "#/$defs/item"}}}}
    })
}

#[test]
fn a_schema_that_fits_is_not_copied() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"id": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["id"], "additionalProperties": false
    });
    for rules in [&OPENAI, &AZURE, &COMPATIBLE, &ANTHROPIC] {
        let translated = input(&schema, rules);
        assert!(matches!(translated.schema, Cow::Borrowed(_)) && translated.cuts.is_empty(), "{}", rules.api);
    }
}

#[test]
fn openai_takes_nearly_everything() {
    let schema = everything();
    let translated = input(&schema, &OPENAI);
    assert_eq!(translated.cuts, []);
    assert_eq!(translated.schema["properties"]["list"], json!({"type": "array", "items": {}}));
    assert_eq!(translated.schema["properties"]["item"], schema["properties"]["item"]);
}

#[test]
fn gemini_takes_a_subset() {
    insta::assert_snapshot!(shown(&everything(), &GEMINI));
}

#[test]
fn strict_answers_are_closed() {
    insta::assert_snapshot!(shown(&everything(), &OPENAI_STRICT));
}

#[test]
fn anthropic_takes_plain_names_of_properties() {
    let translated = input(
        &json!({"type": "object", "properties": {"a/b": {}, "ok": {}}, "required": ["a/b", "ok"]}),
        &ANTHROPIC,
    )
    .schema
    .into_owned();
    assert_eq!(translated, json!({"type": "object", "properties": {"ok": {}}, "required": ["ok"]}));
}

#[test]
fn alternatives_at_the_top_become_one_object() {
    let schema = json!({
        "description": "By id or by name.",
        "oneOf": [
            {"properties": {"id": {"type": "integer"}, "deep": {"type": "boolean"}}, "required": ["id", "deep"]},
            {"$ref": "#/$defs/named"}
        ],
        "$defs": {"named": {"properties": {"name": {"type": "string"}, "id": {"type": "string"}, "deep": {"type": "boolean"}},
            "required": ["name", "deep"]}}
    });
    insta::assert_snapshot!(shown(&schema, &COMPATIBLE));
}

#[test]
fn parts_and_references_at_the_top_are_put_together() {
    let schema = json!({
        "$ref": "#/definitions/base", "allOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}],
        "definitions": {"base": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}
    });
    let translated = input(&schema, &OPENAI);
    assert_eq!(translated.schema["properties"], json!({"a": {"type": "string"}, "b": {"type": "string"}}));
    assert_eq!(translated.schema["required"], json!(["a", "b"]));
    assert_eq!(translated.cuts, []);
}

#[test]
fn what_is_no_object_becomes_one() {
    for schema in [json!(true), json!(null), json!([]), json!("x"), json!({}), json!({"type": "string"})] {
        for rules in ALL {
            let translated = input(&schema, rules);
            assert_eq!(translated.schema["type"], "object", "{schema}");
            assert_eq!(translated.schema["properties"], json!({}), "{schema}");
            assert_eq!(translated.cuts.is_empty(), schema == json!({}), "{schema} {:?}", translated.cuts);
        }
    }
}

#[test]
fn references_that_lead_nowhere_are_left_out() {
    let schema = json!({"type": "object", "properties": {
        "far": {"$ref": "https://evil.example/schema.json"}, "gone": {"$ref": "#/$defs/none"}}});
    for rules in ALL {
        let translated = input(&schema, rules);
        let places: Vec<_> = translated.cuts.iter().map(|cut| cut.place.as_str()).collect();
        assert_eq!(places, ["/properties/far/$ref", "/properties/gone/$ref"], "{}", rules.api);
        assert!(!translated.schema.to_string().contains("evil"));
    }
}

/// A hostile schema costs little and stays within bounds, whoever it is for.
#[test]
fn hostile_schemas_are_bounded() {
    let mut deep = json!({"type": "string"});
    for _ in 0..1_000 {
        // Not by `json!`, which writes and reads what it is given.
        let properties = Value::Object([("x".to_owned(), deep)].into_iter().collect());
        deep = Value::Object(
            [("type".to_owned(), json!("object")), ("properties".to_owned(), properties)]
                .into_iter()
                .collect(),
        );
    }
    let wide: serde_json::Map<String, Value> =
        (0..10_000).map(|n| (format!("p{n}"), json!({"type": "string"}))).collect();
    let wide = json!({"type": "object", "properties": wide, "required": ["p1", "p9999"]});
    let mut bomb = serde_json::Map::new();
    for n in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        bomb.insert(
            format!("d{n}"),
            json!({"type": "object", "properties": {"a": next, "b": next, "c": next}}),
        );
    }
    bomb.insert("d30".into(), json!({"type": "string"}));
    let bomb = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": bomb});
    let ring =
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    let own = json!({"$ref": "#"});
    let alls = json!({"type": "object", "properties": {"x": {"allOf": [{"$ref": "#/properties/x"}, {"$ref": "#/properties/x"}]}}});
    let values: Vec<String> = (0..20_000).map(|n| format!("v{n}")).collect();
    let values = json!({"type": "object", "properties": {"x": {"enum": values}}});
    for schema in [&deep, &wide, &bomb, &ring, &own, &alls, &values] {
        for rules in ALL {
            let translated = input(schema, rules);
            assert!(depth(&translated.schema) <= 2 * rules.depth + 8, "{}", rules.api);
            assert!(translated.cuts.len() <= MOST_LOSSES + 1);
            assert!(translated.schema.to_string().len() < 4_000_000, "{}", rules.api);
        }
    }
    let cut = input(&wide, &OPENAI);
    assert_eq!(cut.schema["properties"].as_object().unwrap().len(), 5_000);
    assert_eq!(cut.schema["required"], json!(["p1"]));
    assert_eq!(cut.cuts[0].what, "5000 of 10000 left out: OpenAI's API is given 5000 properties");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn losses_name_the_tool_and_the_place() {
    let tool = |name: &str, description: &str| ToolOffer {
        name: name.into(),
        tool: None,
        title: Some("T".into()),
        description: description.into(),
        schema: json!({"oneOf": []}),
    };
    let tools = [tool("get.order", &"ö".repeat(2000)), tool("b", "")];
    let lost = losses(&tools, &AZURE, |tool| if tool.name.as_str() == "b" { "b" } else { "get_order" });
    let lines: Vec<String> =
        lost.iter().map(|loss| format!("{} {}: {}", loss.tool, loss.place, loss.what)).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(description(&tools[0], &AZURE).chars().count(), 1024);
    assert_eq!(description(&tools[1], &AZURE), "T");
    let many = vec![tool("b", ""); 130];
    assert_eq!((taken(&many, &OPENAI).len(), taken(&many, &COMPATIBLE).len()), (128, 130));
    let lost = losses(&many, &OPENAI, |_| "b");
    assert_eq!(lost.last().unwrap().what, "left out: OpenAI's API takes 128 tools");
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "type",
        "properties",
        "items",
        "anyOf",
        "oneOf",
        "allOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "required",
        "x",
        "format",
        "additionalProperties",
        "not",
    ]);
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![
            "object",
            "array",
            "string",
            "null",
            "#",
            "#/$defs/x",
            "#/properties/x",
            "x"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keys.clone(), inner), 0..5).prop_map(|list| Value::Object(
                list.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
            )),
        ]
    })
}

#[test]
fn what_a_part_brings_to_the_root_is_folded_as_well() {
    let id = |kind: &str| json!({"properties": {"id": {"type": kind}}, "required": ["id"]});
    let within =
        json!({"type": "object", "allOf": [{"anyOf": [id("string"), id("integer")]}, {"anyOf": null}]});
    for rules in ALL.iter().filter(|rules| rules.not_at_root.contains(&"anyOf")) {
        let whole = input(&within, rules).schema.into_owned();
        assert!(whole.get("anyOf").is_none() && whole.get("allOf").is_none(), "{}: {whole}", rules.api);
        assert_eq!(
            (&whole["required"], whole["properties"]["id"].is_object()),
            (&json!(["id"]), true),
            "{}",
            rules.api
        );
    }
    let deep = (0..100).fold(json!({"type": "object"}), |inner, _| json!({"allOf": [inner]}));
    for rules in ALL.iter().filter(|rules| rules.not_at_root.contains(&"allOf")) {
        assert!(input(&deep, rules).schema.get("allOf").is_none(), "{}", rules.api);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn anything_becomes_an_object_schema(schema in any_json()) {
        for rules in ALL {
            let once = input(&schema, rules).schema.into_owned();
            prop_assert_eq!(&once["type"], "object");
            prop_assert!(once["properties"].is_object());
            for banned in rules.not_at_root {
                prop_assert!(once.get(*banned).is_none());
            }
            if let Some(taken) = rules.keywords {
                prop_assert!(once.as_object().unwrap().keys().all(|key| taken.contains(&key.as_str())), "{}", once);
            }
        }
    }
}
