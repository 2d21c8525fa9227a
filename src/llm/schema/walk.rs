//! The one walk over a schema. It gives nothing for what fits, and a copy for what had to change.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::rules::{References, Rules};
use super::shape::{self, Holds, Place, has_type, holds};
use super::{Cuts, close};

/// Most schemas within a schema that are looked at.
const MOST_NODES: usize = 20_000;

/// Most values that are copied while references are put in place.
const MOST_COPIED: usize = 200_000;

/// Most references that lead to each other, and most rounds of putting parts together.
pub(super) const MOST_HOPS: usize = 16;

/// A walk in progress.
pub(super) struct Walk<'r> {
    pub(super) rules: &'r Rules,
    pub(super) document: &'r Value,
    pub(super) cuts: Cuts,
    nodes: usize,
    copied: usize,
    properties: usize,
    enum_values: usize,
    /// References whose targets are being walked.
    pub(super) open: Vec<String>,
}

/// What becomes of a keyword.
enum Edit {
    Keep,
    Drop,
    Put(Value),
}

impl From<Option<Value>> for Edit {
    fn from(changed: Option<Value>) -> Self {
        changed.map_or(Self::Keep, Self::Put)
    }
}

impl<'r> Walk<'r> {
    pub(super) fn new(document: &'r Value, rules: &'r Rules) -> Self {
        let (nodes, copied, properties, enum_values) = (0, 0, 0, 0);
        Self { rules, document, cuts: Cuts::default(), nodes, copied, properties, enum_values, open: vec![] }
    }

    pub(super) fn lost(&mut self, at: &Place<'_>, what: impl FnOnce(&Rules) -> String) {
        let rules = self.rules;
        self.cuts.add(|| at.pointer(), || what(rules));
    }

    pub(super) fn clash(&mut self, at: &Place<'_>, keywords: Vec<String>) {
        for keyword in keywords {
            let place = format!("{}/{keyword}", at.pointer());
            self.cuts.add(|| place, || "given twice: the first is kept".to_owned());
        }
    }

    pub(super) fn may_copy(&mut self, value: &Value) -> bool {
        self.copied += shape::size(value, MOST_COPIED);
        self.copied <= MOST_COPIED
    }

    fn node(&mut self, value: &Value, at: &Place<'_>, depth: usize) -> Option<Value> {
        self.nodes += 1;
        if self.nodes > MOST_NODES || self.copied > MOST_COPIED {
            self.lost(at, |_| "left out: the schema is too large".to_owned());
            return Some(json!({}));
        }
        if depth > self.rules.depth {
            let stump = shape::stump(value);
            if stump == *value {
                return None;
            }
            self.lost(at, |rules| format!("cut to its type: {} is given {} levels", rules.api, rules.depth));
            return Some(stump);
        }
        match value {
            Value::Object(map) => self.object(map, at, depth),
            Value::Bool(_) if self.rules.booleans => None,
            Value::Bool(true) => Some(json!({})),
            _ => {
                self.lost(at, |rules| {
                    format!("became a schema of any value: {} takes no such schema", rules.api)
                });
                Some(json!({}))
            }
        }
    }

    pub(super) fn object(
        &mut self,
        given: &Map<String, Value>,
        at: &Place<'_>,
        depth: usize,
    ) -> Option<Value> {
        let opened = self.open.len();
        let normal = self.normal(given, at);
        let map = normal.as_ref().unwrap_or(given);
        let mut edits: Vec<(&str, Edit)> = vec![];
        for (key, value) in map {
            match self.keyword(key, value, at, depth) {
                Edit::Keep => {}
                edit => edits.push((key, edit)),
            }
        }
        self.open.truncate(opened);
        let bare = self.rules.items
            && has_type(map, "array")
            && !map.contains_key("items")
            && !map.contains_key("prefixItems");
        let closes = self.rules.closed && (has_type(map, "object") || map.contains_key("properties"));
        if edits.is_empty() && !bare && !closes {
            return normal.map(Value::Object);
        }
        // What changed is not copied first: it may be very deep.
        let mut edits: BTreeMap<&str, Edit> = edits.into_iter().collect();
        let mut new = Map::new();
        for (key, value) in map {
            match edits.remove(key.as_str()) {
                None | Some(Edit::Keep) => new.insert(key.clone(), value.clone()),
                Some(Edit::Put(changed)) => new.insert(key.clone(), changed),
                Some(Edit::Drop) => None,
            };
        }
        if bare {
            new.insert("items".to_owned(), json!({}));
        }
        close::keep_known(&mut new, map);
        if closes {
            close::close(&mut new);
        }
        Some(Value::Object(new))
    }

    fn keyword(&mut self, key: &str, value: &Value, at: &Place<'_>, depth: usize) -> Edit {
        let rules = self.rules;
        let here = at.key(key);
        if rules.keywords.is_some_and(|taken| !taken.contains(&key)) {
            let inlined = matches!(key, "$defs" | "definitions") && rules.references == References::Inlined;
            if !shape::is_silent(key) && !inlined {
                self.lost(&here, |rules| format!("left out: {} takes no `{key}`", rules.api));
            }
            return Edit::Drop;
        }
        match key {
            "properties" => return self.properties(value, &here, depth),
            "enum" => return self.values(value, &here),
            "format" => {
                let taken = rules
                    .formats
                    .is_none_or(|known| value.as_str().is_some_and(|name| known.contains(&name)));
                if !taken {
                    self.lost(&here, |rules| format!("left out: {} takes no such format", rules.api));
                    return Edit::Drop;
                }
            }
            "$ref" if value.as_str().is_none_or(|text| shape::resolve(self.document, text).is_none()) => {
                self.lost(&here, |_| "left out: it leads nowhere".to_owned());
                return Edit::Drop;
            }
            _ => {}
        }
        match (holds(key, value), value) {
            (Holds::One, _) => self.node(value, &here, depth + 1).into(),
            (Holds::List, Value::Array(list)) => {
                let nodes = list.iter().enumerate();
                let changed: Vec<Option<Value>> =
                    nodes.map(|(index, item)| self.node(item, &here.index(index), depth + 1)).collect();
                if changed.iter().all(Option::is_none) {
                    return Edit::Keep;
                }
                let items = list.iter().zip(changed);
                Edit::Put(items.map(|(item, changed)| changed.unwrap_or_else(|| item.clone())).collect())
            }
            (Holds::Named, Value::Object(named)) => {
                let nodes = named.iter();
                let changed: Vec<Option<Value>> =
                    nodes.map(|(name, item)| self.node(item, &here.key(name), depth + 1)).collect();
                if changed.iter().all(Option::is_none) {
                    return Edit::Keep;
                }
                let items = named.iter().zip(changed);
                let items = items
                    .map(|((name, item), changed)| (name.clone(), changed.unwrap_or_else(|| item.clone())));
                Edit::Put(Value::Object(items.collect()))
            }
            _ => Edit::Keep,
        }
    }

    fn properties(&mut self, value: &Value, at: &Place<'_>, depth: usize) -> Edit {
        let Value::Object(named) = value else {
            self.lost(at, |_| "left out: it is no object".to_owned());
            return Edit::Put(json!({}));
        };
        let mut changes: Vec<(&str, Option<Value>)> = vec![];
        let mut beyond = 0_usize;
        for (name, schema) in named {
            if self.rules.property.is_some_and(|fine| !fine(name)) {
                self.lost(&at.key(name), |rules| format!("left out: {} takes no such name", rules.api));
                changes.push((name, None));
            } else if self.properties >= self.rules.properties {
                beyond += 1;
                changes.push((name, None));
            } else {
                self.properties += 1;
                if let Some(changed) = self.node(schema, &at.key(name), depth + 1) {
                    changes.push((name, Some(changed)));
                }
            }
        }
        if beyond > 0 {
            let all = named.len();
            self.lost(at, |rules| {
                format!("{beyond} of {all} left out: {} is given {} properties", rules.api, rules.properties)
            });
        }
        if changes.is_empty() {
            return Edit::Keep;
        }
        let changes: BTreeMap<&str, Option<Value>> = changes.into_iter().collect();
        let kept = named.iter().filter_map(|(name, schema)| match changes.get(name.as_str()) {
            None => Some((name.clone(), schema.clone())),
            Some(changed) => changed.clone().map(|changed| (name.clone(), changed)),
        });
        Edit::Put(Value::Object(kept.collect()))
    }

    fn values(&mut self, value: &Value, at: &Place<'_>) -> Edit {
        let Value::Array(list) = value else {
            self.lost(at, |_| "left out: it is no list".to_owned());
            return Edit::Drop;
        };
        if self.rules.text_enums && !list.iter().all(Value::is_string) {
            self.lost(at, |rules| format!("left out: {} takes texts only", rules.api));
            return Edit::Drop;
        }
        self.enum_values = self.enum_values.saturating_add(list.len());
        if self.enum_values > self.rules.enum_values {
            let most = self.rules.enum_values;
            self.lost(at, |rules| format!("left out: {} is given {most} values", rules.api));
            return Edit::Drop;
        }
        Edit::Keep
    }
}
