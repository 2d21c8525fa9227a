//! Two schemas side by side, level by level.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::bounds::{Turn, turns};
use super::normal::{self, Normal};
use super::{Class, Found, canonical};

/// Levels of a schema that are looked into.
const DEPTH: usize = 40;
/// Pairs of levels of one tool that are compared; a tangle of references would have no end.
const PAIRS: usize = 20_000;
/// Keywords that are words for people, or hold what is reached by reference only.
const WORDS: &[&str] = &[
    "description",
    "title",
    "examples",
    "example",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
];
const DEFINITIONS: &[&str] = &["$defs", "definitions", "$anchor"];

/// Who has to live with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Callers send what fits it.
    Input,
    /// Callers read what fits it.
    Output,
}

impl Side {
    /// What a turn does to callers. Less may be sent, or something else may come back: breaking.
    fn class(self, turn: Turn) -> Class {
        match (self, turn) {
            (_, Turn::Other) | (Self::Input, Turn::Narrower) => Class::Breaking,
            (Self::Input, Turn::Wider) | (Self::Output, _) => Class::Additive,
        }
    }
}

struct Walk<'a, 'f> {
    side: Side,
    roots: (&'a Value, &'a Value),
    found: &'a mut Found<'f>,
    /// References being followed, of both sides together.
    open: Vec<(String, String)>,
    left: usize,
}

/// Compares two schemas and everything in them.
pub(super) fn compare(side: Side, (old, new): (&Value, &Value), at: &str, found: &mut Found<'_>) {
    let mut walk = Walk { side, roots: (old, new), found, open: vec![], left: PAIRS };
    walk.pair(old, new, at, 0);
}

/// A key as part of a JSON pointer (RFC 6901).
pub(in crate::surface) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Walk<'_, '_> {
    fn pair(&mut self, old: &Value, new: &Value, at: &str, depth: usize) {
        if depth > DEPTH || self.left == 0 {
            if canonical(old) != canonical(new) {
                self.found.note(
                    Class::Breaking,
                    at,
                    "changed, too deep or too tangled to say how",
                    (None, None),
                );
            }
            return;
        }
        self.left -= 1;
        let (before, after) = (normal::of(old, self.roots.0), normal::of(new, self.roots.1));
        let key = (before.through.join(" "), after.through.join(" "));
        let followed = !key.0.is_empty() || !key.1.is_empty();
        if followed && self.open.contains(&key) {
            return;
        }
        if followed {
            self.open.push(key);
        }
        self.level(&before, &after, at, depth);
        if followed {
            self.open.pop();
        }
    }

    fn level(&mut self, old: &Normal, new: &Normal, at: &str, depth: usize) {
        match (old.never, new.never) {
            (true, true) => return,
            (false, true) => return self.turn(Turn::Narrower, at, "nothing fits any more", (None, None)),
            (true, false) => return self.turn(Turn::Wider, at, "something fits now", (None, None)),
            (false, false) => {}
        }
        self.types(old, new, at);
        self.values(old, new, at);
        self.alternatives(old, new, at, depth);
        self.properties(old, new, at, depth);
        self.inside(&old.map, &new.map, at, depth);
        for (key, turn) in turns(&old.map, &new.map) {
            let what = match turn {
                Turn::Narrower => "stricter",
                Turn::Wider => "less strict",
                Turn::Other => "another constraint",
            };
            self.turn(turn, &format!("{at}/{key}"), what, (old.map.get(key), new.map.get(key)));
        }
        self.words(&old.map, &new.map, at);
    }

    fn turn(&mut self, turn: Turn, at: &str, what: &str, values: (Option<&Value>, Option<&Value>)) {
        let class = self.side.class(turn);
        self.found.note(class, at, what, values);
    }

    fn types(&mut self, old: &Normal, new: &Normal, at: &str) {
        let (narrower, wider) = match (&old.types, &new.types) {
            (None, None) => return,
            (Some(_), None) => (false, true),
            (None, Some(_)) => (true, false),
            (Some(from), Some(to)) => (!from.is_subset(to), !to.is_subset(from)),
        };
        if !narrower && !wider {
            return;
        }
        let shown = |types: &Option<BTreeSet<String>>| types.as_ref().map(written);
        let (from, to) = (shown(&old.types), shown(&new.types));
        // What a reader never had to expect breaks it as well.
        let class = match (self.side, narrower, wider) {
            (Side::Input, true, _) | (Side::Output, _, true) => Class::Breaking,
            _ => Class::Additive,
        };
        let what = match (narrower, wider) {
            (true, false) => "narrower type",
            (false, _) => "wider type",
            (true, true) => "another type",
        };
        self.found.note(class, &format!("{at}/type"), what, (from.as_ref(), to.as_ref()));
    }

    fn values(&mut self, old: &Normal, new: &Normal, at: &str) {
        let at = format!("{at}/enum");
        match (&old.values, &new.values) {
            (None, Some(to)) => {
                self.turn(Turn::Narrower, &at, "only these values now", (None, Some(&json!(to))));
            }
            (Some(from), None) => self.turn(Turn::Wider, &at, "any value now", (Some(&json!(from)), None)),
            (Some(from), Some(to)) => {
                let less = |all: &[Value], other: &[Value]| -> Vec<Value> {
                    all.iter().filter(|value| !other.contains(value)).cloned().collect()
                };
                let (gone, fresh) = (less(from, to), less(to, from));
                if !gone.is_empty() {
                    self.turn(Turn::Narrower, &at, "values removed", (Some(&json!(gone)), None));
                }
                if !fresh.is_empty() {
                    self.turn(Turn::Wider, &at, "values added", (None, Some(&json!(fresh))));
                }
            }
            (None, None) => {}
        }
    }

    /// Alternatives are matched by equality first; what is left over in pairs, then as added or removed.
    fn alternatives(&mut self, old: &Normal, new: &Normal, at: &str, depth: usize) {
        for (key, from, to, fewer) in
            [("anyOf", &old.any, &new.any, Turn::Narrower), ("allOf", &old.all, &new.all, Turn::Wider)]
        {
            let mut rest: Vec<&Value> = to.iter().collect();
            let mut gone: Vec<&Value> = vec![];
            for schema in from {
                match rest.iter().position(|other| canonical(other) == canonical(schema)) {
                    Some(place) => drop(rest.remove(place)),
                    None => gone.push(schema),
                }
            }
            let more = if fewer == Turn::Narrower { Turn::Wider } else { Turn::Narrower };
            // Any value fits where there is no list of alternatives.
            let (fewer, more) = match (key, from.is_empty(), to.is_empty()) {
                ("anyOf", true, false) => (more, Turn::Narrower),
                ("anyOf", false, true) => (Turn::Wider, more),
                _ => (fewer, more),
            };
            let pairs = gone.len().min(rest.len());
            for (index, (old, new)) in gone.iter().zip(&rest).enumerate() {
                self.pair(old, new, &format!("{at}/{key}/{index}"), depth + 1);
            }
            for schema in &gone[pairs..] {
                self.turn(fewer, &format!("{at}/{key}"), "alternative removed", (Some(schema), None));
            }
            for schema in &rest[pairs..] {
                self.turn(more, &format!("{at}/{key}"), "alternative added", (None, Some(schema)));
            }
        }
    }

    fn properties(&mut self, old: &Normal, new: &Normal, at: &str, depth: usize) {
        let empty = Map::new();
        let all = |normal: &Normal| {
            normal.map.get("properties").and_then(Value::as_object).cloned().unwrap_or(empty.clone())
        };
        let (from, to) = (all(old), all(new));
        let (needed, needs) = (required(&old.map), required(&new.map));
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).chain(&needed).chain(&needs).collect();
        for name in names {
            let place = format!("{at}/properties/{}", escaped(name));
            let (was, is) = (needed.contains(name), needs.contains(name));
            match (from.get(name), to.get(name)) {
                (Some(old), None) => {
                    self.found.note(Class::Breaking, &place, "property removed", (Some(old), None));
                }
                (None, Some(new)) => {
                    let (class, what) = match (self.side, is) {
                        (Side::Input, true) => (Class::Breaking, "new required parameter"),
                        (Side::Input, false) => (Class::Additive, "new optional parameter"),
                        (Side::Output, _) => (Class::Additive, "new field"),
                    };
                    self.found.note(class, &place, what, (None, Some(new)));
                    continue;
                }
                (Some(old), Some(new)) => self.pair(old, new, &place, depth + 1),
                (None, None) => {}
            }
            let gone = from.contains_key(name) && !to.contains_key(name);
            if was != is && !gone {
                let (turn, what) =
                    if is { (Turn::Narrower, "now required") } else { (Turn::Wider, "no longer required") };
                // A field that may be missing breaks who reads it.
                let class = match (self.side, is) {
                    (Side::Output, false) => Class::Breaking,
                    _ => self.side.class(turn),
                };
                self.found.note(class, &place, what, (None, None));
            }
        }
    }

    /// Items, and what else an object may have.
    fn inside(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, at: &str, depth: usize) {
        for key in ["items", "additionalProperties"] {
            let open = |map: &Map<String, Value>| match map.get(key) {
                Some(Value::Object(schema)) if !schema.is_empty() => Value::Object(schema.clone()),
                Some(Value::Bool(false)) => Value::Bool(false),
                _ => Value::Bool(true),
            };
            let place = format!("{at}/{key}");
            let values = (old.get(key), new.get(key));
            match (open(old), open(new)) {
                (from, to) if from == to => {}
                (from @ Value::Object(_), to @ Value::Object(_)) => self.pair(&from, &to, &place, depth + 1),
                (Value::Bool(true), _) | (_, Value::Bool(false)) => {
                    self.turn(Turn::Narrower, &place, "less is allowed", values);
                }
                _ => self.turn(Turn::Wider, &place, "more is allowed", values),
            }
        }
        let list = |map: &Map<String, Value>| {
            map.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let (from, to) = (list(old), list(new));
        for (index, (old, new)) in from.iter().zip(&to).enumerate() {
            self.pair(old, new, &format!("{at}/prefixItems/{index}"), depth + 1);
        }
        if from.len() != to.len() {
            let values = (old.get("prefixItems"), new.get("prefixItems"));
            self.turn(Turn::Other, &format!("{at}/prefixItems"), "another number of items", values);
        }
    }

    fn words(&mut self, old: &Map<String, Value>, new: &Map<String, Value>, at: &str) {
        for key in WORDS {
            let values = (old.get(*key), new.get(*key));
            if values.0.map(canonical) != values.1.map(canonical) {
                self.found.note(Class::Wording, &format!("{at}/{key}"), &format!("{key} changed"), values);
            }
        }
        // Callers that leave the parameter out get something else.
        let values = (old.get("default"), new.get("default"));
        if values.0.map(canonical) != values.1.map(canonical) {
            let class = if values.0.is_none() { Class::Additive } else { Class::Breaking };
            self.found.note(class, &format!("{at}/default"), "default changed", values);
        }
        let odd: BTreeSet<&String> = old
            .keys()
            .chain(new.keys())
            .filter(|key| !is_known(key) && !DEFINITIONS.contains(&key.as_str()))
            .collect();
        for key in odd {
            let values = (old.get(key), new.get(key));
            if values.0.map(canonical) != values.1.map(canonical) {
                let what = "keyword of its own changed";
                self.found.note(Class::Wording, &format!("{at}/{}", escaped(key)), what, values);
            }
        }
    }
}

fn written(types: &BTreeSet<String>) -> Value {
    let kept = types.iter().filter(|kind| *kind != "integer" || !types.contains("number"));
    let kept: Vec<&String> = kept.collect();
    if let [one] = kept.as_slice() { json!(one) } else { json!(kept) }
}

fn required(map: &Map<String, Value>) -> BTreeSet<String> {
    let names = map.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a keyword is compared somewhere.
fn is_known(key: &str) -> bool {
    let handled =
        ["properties", "required", "items", "additionalProperties", "prefixItems", "default", "$ref"];
    handled.contains(&key) || WORDS.contains(&key) || super::bounds::knows(key)
}
