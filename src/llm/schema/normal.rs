//! One schema in the words of an API, before the walk goes into it.

use serde_json::{Map, Value, json};

use super::fold;
use super::rules::{References, Unions};
use super::shape::{self, Place};
use super::walk::{MOST_HOPS, Walk};

/// Most references that are put in place within each other.
const MOST_OPEN: usize = 64;

impl Walk<'_> {
    /// One schema in the words of the API, as far as that needs no look at the schemas within.
    pub(super) fn normal(
        &mut self,
        given: &Map<String, Value>,
        at: &Place<'_>,
    ) -> Option<Map<String, Value>> {
        let rules = self.rules;
        let odd = |key: &str| given.contains_key(key);
        let references = rules.references != References::Kept
            && odd("$ref")
            && (given.len() > 1 || rules.references == References::Inlined);
        let nullable = rules.unions == Unions::Nullable
            && (given.get("type").is_some_and(Value::is_array)
                || odd("anyOf")
                || odd("oneOf")
                || given.get("enum").and_then(Value::as_array).is_some_and(|all| all.contains(&Value::Null)));
        let constant = odd("const") && !self.takes("const");
        let parts = (!rules.all_of && odd("allOf")) || (!rules.one_of && odd("oneOf"));
        if !references && !nullable && !constant && !parts {
            return None;
        }
        let mut map = given.clone();
        for _ in 0..MOST_HOPS {
            match rules.references {
                References::Inlined => self.open(&mut map, at),
                References::Alone if map.contains_key("$ref") => {
                    let stays = |key: &str| matches!(key, "$ref" | "$defs" | "definitions");
                    for key in map.keys().filter(|key| !stays(key) && !shape::is_silent(key)) {
                        self.lost(&at.key(key), |rules| {
                            format!("left out: {} takes nothing beside a reference", rules.api)
                        });
                    }
                    map.retain(|key, _| stays(key));
                }
                _ => {}
            }
            let Some(all) = map.shift_remove("allOf").filter(|_| !rules.all_of) else { break };
            let mut clashes = vec![];
            for part in all.as_array().into_iter().flatten() {
                if let Some(part) = self.part(part) {
                    fold::both(&mut map, &part, &mut |key| clashes.push(key.to_owned()));
                }
            }
            self.clash(at, clashes);
        }
        if constant && let Some(value) = map.shift_remove("const") {
            map.insert("enum".to_owned(), Value::Array(vec![value]));
        }
        if !rules.one_of
            && let Some(one) = map.shift_remove("oneOf")
        {
            if map.contains_key("anyOf") {
                self.lost(&at.key("oneOf"), |rules| format!("left out: {} takes no `oneOf`", rules.api));
            } else {
                // With one alternative beside `null`, "one" and "any" are the same.
                let several = |list: &Vec<Value>| list.iter().filter(|one| !shape::is_null(one)).count() > 1;
                if one.as_array().is_none_or(several) {
                    self.lost(&at.key("oneOf"), |rules| {
                        format!("became `anyOf`: {} takes no `oneOf`", rules.api)
                    });
                }
                map.insert("anyOf".to_owned(), one);
            }
        }
        if rules.unions == Unions::Nullable {
            self.nulls(&mut map, at);
        }
        Some(map)
    }

    fn takes(&self, keyword: &str) -> bool {
        self.rules.keywords.is_none_or(|taken| taken.contains(&keyword))
    }

    /// Puts targets in place of references; one that leads back to itself ends.
    fn open(&mut self, map: &mut Map<String, Value>, at: &Place<'_>) {
        for _ in 0..MOST_HOPS {
            let Some(reference) = map.shift_remove("$ref") else { return };
            let text = reference.as_str().unwrap_or_default().to_owned();
            let Some(target) = shape::resolve(self.document, &text) else {
                return self.lost(&at.key("$ref"), |_| "left out: it leads nowhere".to_owned());
            };
            if self.open.contains(&text) || self.open.len() >= MOST_OPEN {
                if let Value::Object(stump) = shape::stump(target) {
                    fold::both(map, &stump, &mut |_| {});
                }
                return self.lost(at, |rules| {
                    format!("cut where it leads back or on and on: {} takes no references", rules.api)
                });
            }
            if !self.may_copy(target) {
                return self.lost(at, |_| "left out: the schema is too large".to_owned());
            }
            self.open.push(text);
            if let Value::Object(target) = target {
                fold::both(map, target, &mut |_| {});
            }
        }
        map.shift_remove("$ref");
    }

    /// `null` among types, alternatives and values becomes `nullable`.
    fn nulls(&mut self, map: &mut Map<String, Value>, at: &Place<'_>) {
        let mut nullable = false;
        if let Some(Value::Array(values)) = map.get_mut("enum") {
            let before = values.len();
            values.retain(|value| !value.is_null());
            nullable |= values.len() < before;
        }
        if let Some(Value::Array(types)) = map.get("type") {
            let rest: Vec<Value> = types.iter().filter(|kind| *kind != "null").cloned().collect();
            nullable |= rest.len() < types.len();
            map.shift_remove("type");
            match rest.as_slice() {
                [] => {}
                [one] => {
                    map.insert("type".to_owned(), one.clone());
                }
                _ if map.contains_key("anyOf") => {
                    self.lost(&at.key("type"), |rules| format!("left out: {} takes one type", rules.api));
                }
                several => {
                    let any = several.iter().map(|kind| json!({"type": kind})).collect();
                    map.insert("anyOf".to_owned(), Value::Array(any));
                }
            }
        }
        if let Some(Value::Array(any)) = map.get_mut("anyOf") {
            let before = any.len();
            any.retain(|schema| !shape::is_null(schema));
            nullable |= any.len() < before;
            if any.len() == 1
                && before > 1
                && let Some(Value::Array(mut one)) = map.shift_remove("anyOf")
                && let Some(Value::Object(one)) = one.pop()
            {
                fold::both(map, &one, &mut |_| {});
                self.open(map, at);
                // What came in may hold unions of its own.
                if map.get("type").is_some_and(Value::is_array) || map.contains_key("anyOf") {
                    self.nulls(map, at);
                }
            }
        }
        if nullable {
            map.insert("nullable".to_owned(), Value::Bool(true));
        }
    }
}
