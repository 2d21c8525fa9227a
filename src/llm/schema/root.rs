//! The root of an input schema, which every API wants to be an object.

use serde_json::{Map, Value, json};

use super::fold;
use super::shape::{self, Place};
use super::walk::{MOST_HOPS, Walk};

impl Walk<'_> {
    /// The schema of a whole input: an object, whatever was given.
    pub(super) fn root(&mut self, schema: &Value) -> Option<Value> {
        let at = Place::ROOT;
        let Value::Object(map) = schema else {
            self.lost(&at, |rules| {
                format!("replaced by an object without properties: {} takes objects only", rules.api)
            });
            return Some(json!({"type": "object", "properties": {}}));
        };
        let banned = |key: &String| {
            let banned = self.rules.not_at_root;
            banned.contains(&key.as_str()) || (key == "const" && banned.contains(&"enum"))
        };
        let fits = map.get("type").is_some_and(|kind| kind == "object")
            && map.get("properties").is_some_and(Value::is_object)
            && !map.contains_key("$ref")
            && !map.keys().any(banned);
        if fits {
            return self.object(map, &at, 0);
        }
        let mut map = map.clone();
        self.open_root(&mut map);
        self.fold_root(&mut map);
        if map.get("type").is_some_and(|kind| kind != "object") {
            self.lost(&at.key("type"), |rules| format!("became `object`: {} takes objects only", rules.api));
        }
        map.insert("type".to_owned(), json!("object"));
        if !map.get("properties").is_some_and(Value::is_object) {
            map.insert("properties".to_owned(), json!({}));
        }
        Some(self.object(&map, &at, 0).unwrap_or(Value::Object(map)))
    }

    /// Puts the target of a reference at the root in its place.
    fn open_root(&mut self, map: &mut Map<String, Value>) {
        for _ in 0..MOST_HOPS {
            let Some(reference) = map.shift_remove("$ref") else { return };
            let target = reference.as_str().and_then(|text| shape::resolve(self.document, text));
            let mut clashes = vec![];
            match target {
                Some(Value::Object(target)) if reference != "#" => {
                    fold::both(map, target, &mut |key| clashes.push(key.to_owned()));
                }
                _ => self.lost(&Place::ROOT.key("$ref"), |_| "left out: it leads nowhere".to_owned()),
            }
            self.clash(&Place::ROOT, clashes);
        }
        if map.shift_remove("$ref").is_some() {
            self.lost(&Place::ROOT.key("$ref"), |_| "left out: it leads on and on".to_owned());
        }
    }

    /// Takes everything out that may not stand at the root; a part may bring in more of it.
    fn fold_root(&mut self, map: &mut Map<String, Value>) {
        let rules = self.rules;
        for _ in 0..MOST_HOPS {
            if !rules.not_at_root.iter().any(|keyword| map.contains_key(*keyword)) {
                break;
            }
            self.fold_once(map);
        }
        for keyword in
            rules.not_at_root.iter().filter(|keyword| map.contains_key(**keyword)).collect::<Vec<_>>()
        {
            map.shift_remove(*keyword);
            self.lost(&Place::ROOT.key(keyword), |_| "left out: it leads on and on".to_owned());
        }
        if rules.not_at_root.contains(&"enum") && map.shift_remove("const").is_some() {
            self.lost(&Place::ROOT.key("const"), |rules| {
                format!("left out: {} takes no `const` at the top", rules.api)
            });
        }
    }

    fn fold_once(&mut self, map: &mut Map<String, Value>) {
        let rules = self.rules;
        let at = Place::ROOT;
        for keyword in rules.not_at_root {
            let Some(value) = map.shift_remove(*keyword) else { continue };
            let parts: Vec<Map<String, Value>> =
                value.as_array().into_iter().flatten().filter_map(|part| self.part(part)).collect();
            let mut clashes = vec![];
            let mut lost = |key: &str| clashes.push(key.to_owned());
            match *keyword {
                "allOf" => parts.iter().for_each(|part| fold::both(map, part, &mut lost)),
                "anyOf" | "oneOf" => {
                    fold::any(map, &parts.iter().collect::<Vec<_>>(), &mut lost);
                    self.lost(&at.key(keyword), |rules| {
                        format!(
                            "its alternatives became one object: {} takes no `{keyword}` at the top",
                            rules.api
                        )
                    });
                }
                _ => self.lost(&at.key(keyword), |rules| {
                    format!("left out: {} takes no `{keyword}` at the top", rules.api)
                }),
            }
            self.clash(&at, clashes);
        }
    }

    /// A part of an `allOf` or an alternative, with the target in place of a reference.
    pub(super) fn part(&mut self, part: &Value) -> Option<Map<String, Value>> {
        let mut map = part.as_object()?.clone();
        for _ in 0..MOST_HOPS {
            let Some(reference) = map.shift_remove("$ref") else { break };
            let target = shape::resolve(self.document, reference.as_str()?)?;
            if !self.may_copy(target) {
                return None;
            }
            fold::both(&mut map, target.as_object()?, &mut |_| {});
        }
        Some(map)
    }
}
