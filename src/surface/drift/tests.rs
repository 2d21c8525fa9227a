//! Changes and their classes, with the place of each.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::*;

fn tool(raw: Value) -> ToolFact {
    ToolFact { name: raw["name"].as_str().unwrap().into(), raw: raw.into() }
}

/// What a change of the one parameter `a` does, as `class place`.
fn of_parameter(old: Value, new: Value) -> Vec<String> {
    let with = |schema: Value| {
        tool(json!({"name": "t", "inputSchema": {"type": "object", "properties": {"a": schema}}}))
    };
    told(&[with(old)], &[with(new)], "/inputSchema/properties/a")
}

fn of_input(old: Value, new: Value) -> Vec<String> {
    let with = |schema: Value| tool(json!({"name": "t", "inputSchema": schema}));
    told(&[with(old)], &[with(new)], "/inputSchema")
}

fn of_output(old: Value, new: Value) -> Vec<String> {
    let with = |schema: Value| tool(json!({"name": "t", "outputSchema": schema}));
    told(&[with(old)], &[with(new)], "/outputSchema")
}

fn of_tool(old: Value, new: Value) -> Vec<String> {
    let with = |mut raw: Value| {
        raw["name"] = json!("t");
        tool(raw)
    };
    told(&[with(old)], &[with(new)], "")
}

fn told(old: &[ToolFact], new: &[ToolFact], below: &str) -> Vec<String> {
    compare(old, new)
        .iter()
        .map(|change| {
            format!("{} {}", change.class.as_str(), change.at.strip_prefix(below).unwrap_or(&change.at))
                .trim_end()
                .to_owned()
        })
        .collect()
}

const NONE: [&str; 0] = [];

#[test]
fn tools_come_and_go() {
    let (a, b) = (tool(json!({"name": "a"})), tool(json!({"name": "b", "description": "x"})));
    assert_eq!(told(from_ref(&a), from_ref(&a), ""), NONE);
    assert_eq!(told(from_ref(&a), &[a.clone(), b.clone()], ""), ["additive"]);
    assert_eq!(told(&[a.clone(), b.clone()], from_ref(&a), ""), ["breaking"]);
    let renamed = compare(&[a], &[tool(json!({"name": "c"}))]);
    assert_eq!(renamed[0].text(), "a: removed; `c` is the same tool");
    assert_eq!(renamed[1].text(), "c: new tool");
}

#[test]
fn parameters_come_and_go() {
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required});
    let (a, ab) = (json!({"a": {}}), json!({"a": {}, "b": {"type": "string"}}));
    assert_eq!(
        of_input(object(a.clone(), json!([])), object(ab.clone(), json!([]))),
        ["additive /properties/b"]
    );
    assert_eq!(
        of_input(object(a.clone(), json!([])), object(ab.clone(), json!(["b"]))),
        ["breaking /properties/b"]
    );
    assert_eq!(
        of_input(object(ab.clone(), json!(["b"])), object(a.clone(), json!([]))),
        ["breaking /properties/b"]
    );
    assert_eq!(
        of_input(object(ab.clone(), json!([])), object(ab.clone(), json!(["b"]))),
        ["breaking /properties/b"]
    );
    assert_eq!(
        of_input(object(ab.clone(), json!(["b", "a"])), object(ab.clone(), json!(["a"]))),
        ["additive /properties/b"]
    );
    assert_eq!(of_input(object(ab.clone(), json!(["b", "a"])), object(ab, json!(["a", "b"]))), NONE);
    let closed = json!({"type": "object", "additionalProperties": false});
    assert_eq!(of_input(json!({"type": "object"}), closed.clone()), ["breaking /additionalProperties"]);
    assert_eq!(
        of_input(closed, json!({"type": "object", "additionalProperties": {}})),
        ["additive /additionalProperties"]
    );
}

#[test]
fn types_and_values_narrow_and_widen() {
    let kind = |kind: Value| json!({"type": kind});
    assert_eq!(of_parameter(kind(json!("integer")), kind(json!("number"))), ["additive /type"]);
    assert_eq!(of_parameter(kind(json!("number")), kind(json!("integer"))), ["breaking /type"]);
    assert_eq!(of_parameter(kind(json!("string")), kind(json!("integer"))), ["breaking /type"]);
    assert_eq!(of_parameter(kind(json!("string")), json!({})), ["additive /type"]);
    assert_eq!(of_parameter(kind(json!("string")), kind(json!(["string", "null"]))), ["additive /type"]);
    let values = |values: Value| json!({"type": "string", "enum": values});
    assert_eq!(of_parameter(values(json!(["a"])), values(json!(["b", "a"]))), ["additive /enum"]);
    assert_eq!(of_parameter(values(json!(["a", "b"])), values(json!(["a"]))), ["breaking /enum"]);
    assert_eq!(of_parameter(values(json!(["a", "b"])), values(json!(["b", "a"]))), NONE);
    assert_eq!(of_parameter(values(json!(["a"])), json!({"type": "string", "const": "a"})), NONE);
    assert_eq!(of_parameter(json!({"type": "string"}), values(json!(["a"]))), ["breaking /enum"]);
}

#[test]
fn bounds_tighten_and_loosen() {
    let row = [
        ("minimum", json!(1), json!(2)),
        ("maximum", json!(2), json!(1)),
        ("minLength", json!(1), json!(2)),
        ("maxItems", json!(9), json!(8)),
    ];
    for (key, loose, tight) in row {
        let with = |value: &Value| json!({key: value});
        assert_eq!(of_parameter(with(&loose), with(&tight)), [format!("breaking /{key}")]);
        assert_eq!(of_parameter(with(&tight), with(&loose)), [format!("additive /{key}")]);
        assert_eq!(of_parameter(json!({}), with(&loose)), [format!("breaking /{key}")]);
        assert_eq!(of_parameter(with(&loose), json!({})), [format!("additive /{key}")]);
        assert_eq!(of_parameter(with(&loose), with(&loose)), NONE);
    }
    assert_eq!(of_parameter(json!({"pattern": "a"}), json!({"pattern": "b"})), ["breaking /pattern"]);
    assert_eq!(of_parameter(json!({"pattern": "a"}), json!({})), ["additive /pattern"]);
    assert_eq!(of_parameter(json!({"default": 1}), json!({"default": 2})), ["breaking /default"]);
    assert_eq!(of_parameter(json!({}), json!({"default": 2})), ["additive /default"]);
    assert_eq!(
        of_parameter(json!({"items": {"type": "string"}}), json!({"items": {"type": "integer"}})),
        ["breaking /items/type"]
    );
    assert_eq!(of_parameter(json!(true), json!(false)), ["breaking"]);
}

#[test]
fn spellings_of_null_are_one() {
    let spellings = [
        json!({"type": ["string", "null"]}),
        json!({"type": "string", "nullable": true}),
        json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        json!({"oneOf": [{"type": "null"}, {"type": "string"}]}),
    ];
    for old in &spellings {
        for new in &spellings {
            assert_eq!(of_parameter(old.clone(), new.clone()), NONE, "{old} {new}");
        }
        assert_eq!(of_parameter(old.clone(), json!({"type": "string"})), ["breaking /type"], "{old}");
    }
}

#[test]
fn references_are_followed() {
    let through = |target: Value| json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": target}});
    let direct = |target: Value| json!({"type": "object", "properties": {"a": target}});
    let (text, number) = (json!({"type": "string"}), json!({"type": "integer"}));
    assert_eq!(of_input(through(text.clone()), direct(text.clone())), NONE);
    assert_eq!(of_input(direct(text.clone()), through(text.clone())), NONE);
    assert_eq!(of_input(through(text.clone()), through(number)), ["breaking /properties/a/type"]);
    let wrapped = json!({"type": "object", "properties": {"a": {"allOf": [{"$ref": "#/$defs/A"}]}}, "$defs": {"A": text.clone()}});
    assert_eq!(of_input(through(text), wrapped), NONE);
    let tree = |more: Value| json!({"type": "object", "properties": {"child": {"$ref": "#"}, "a": more}});
    assert_eq!(of_input(tree(json!({"type": "string"})), tree(json!({"type": "integer"}))).len(), 2);
}

#[test]
fn alternatives_are_matched() {
    let any = |schemas: Value| json!({"anyOf": schemas});
    let (a, b) =
        (json!({"type": "string", "minLength": 1}), json!({"type": "array", "items": {"type": "string"}}));
    assert_eq!(of_parameter(any(json!([a, b])), any(json!([b, a]))), NONE);
    assert_eq!(of_parameter(any(json!([a, b, true])), any(json!([a, b]))), ["breaking /anyOf"]);
    assert_eq!(of_parameter(any(json!([a, b])), any(json!([a, b, true]))), ["additive /anyOf"]);
    let tighter = json!({"type": "string", "minLength": 2});
    assert_eq!(of_parameter(any(json!([a, b])), any(json!([tighter, b]))), ["breaking /anyOf/0/minLength"]);
    assert_eq!(
        of_parameter(
            any(json!([{"type": "string"}, {"type": "integer"}])),
            json!({"type": ["integer", "string"]})
        ),
        NONE
    );
}

#[test]
fn results_are_read_the_other_way_round() {
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required});
    let (a, ab) = (json!({"a": {}}), json!({"a": {}, "b": {}}));
    assert_eq!(
        of_output(object(ab.clone(), json!([])), object(a.clone(), json!([]))),
        ["breaking /properties/b"]
    );
    assert_eq!(
        of_output(object(a.clone(), json!([])), object(ab.clone(), json!(["b"]))),
        ["additive /properties/b"]
    );
    assert_eq!(
        of_output(object(a.clone(), json!(["a"])), object(a.clone(), json!([]))),
        ["breaking /properties/a"]
    );
    assert_eq!(of_output(object(a.clone(), json!([])), object(a, json!(["a"]))), ["additive /properties/a"]);
    assert_eq!(of_output(json!({"type": "integer"}), json!({"type": "number"})), ["breaking /type"]);
    assert_eq!(of_output(json!({"enum": [1, 2]}), json!({"enum": [1]})), ["additive /enum"]);
    let (with, none) = (json!({"outputSchema": {"type": "object"}}), json!({}));
    assert_eq!(of_tool(with.clone(), none.clone()), ["breaking /outputSchema"]);
    assert_eq!(of_tool(none, with), ["additive /outputSchema"]);
}

#[test]
fn words_are_wording_and_promises_are_not() {
    assert_eq!(
        of_parameter(json!({"description": "a"}), json!({"description": "b"})),
        ["wording /description"]
    );
    assert_eq!(of_tool(json!({"description": "a"}), json!({"description": "b"})), ["wording /description"]);
    assert_eq!(of_tool(json!({"title": "a"}), json!({})), ["wording /title"]);
    let hints = |hints: Value| json!({"annotations": hints});
    let (reads, writes) = (hints(json!({"readOnlyHint": true})), hints(json!({"readOnlyHint": false})));
    assert_eq!(of_tool(reads.clone(), writes.clone()), ["breaking /annotations/readOnlyHint"]);
    assert_eq!(of_tool(writes.clone(), reads.clone()), ["additive /annotations/readOnlyHint"]);
    assert_eq!(of_tool(json!({}), writes), ["wording /annotations/readOnlyHint"]);
    assert_eq!(of_tool(reads, json!({})), ["breaking /annotations/readOnlyHint"]);
    let safe = hints(json!({"destructiveHint": false}));
    assert_eq!(of_tool(safe.clone(), json!({})), ["breaking /annotations/destructiveHint"]);
    assert_eq!(of_tool(json!({}), safe), ["additive /annotations/destructiveHint"]);
    let task = |support: &str| json!({"execution": {"taskSupport": support}});
    assert_eq!(of_tool(task("optional"), task("required")), ["breaking /execution"]);
}

#[test]
fn the_order_of_keys_is_no_change() {
    let old: Value = serde_json::from_str(r#"{"type": "object", "properties": {"a": {}, "b": {}}}"#).unwrap();
    let new: Value = serde_json::from_str(r#"{"properties": {"b": {}, "a": {}}, "type": "object"}"#).unwrap();
    assert_eq!(of_input(old, new), NONE);
}

#[test]
fn values_are_shown_safe_and_short() {
    let changes = compare(
        &[tool(json!({"name": "t", "description": "a\u{1b}[31m"}))],
        &[tool(json!({"name": "t", "description": "b".repeat(1000)}))],
    );
    let text = changes[0].text();
    assert!(text.starts_with("t /description: description changed: \"a␛[31m\" -> \"bbb"), "{text}");
    assert!(text.chars().count() < 400);
}

#[test]
fn tangles_of_references_end_in_time() {
    let tangle = |last: &str| {
        let mut defs = serde_json::Map::new();
        for n in 0..30 {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            defs.insert(format!("d{n}"), json!({"type": "object", "properties": {"l": next, "r": next}}));
        }
        defs.insert("d30".to_owned(), json!({"type": last}));
        json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs})
    };
    let changes = of_input(tangle("string"), tangle("integer"));
    assert!(changes.iter().any(|change| change.starts_with("breaking")), "{}", changes.len());
    assert!(changes.len() <= CHANGES + 1);
}
