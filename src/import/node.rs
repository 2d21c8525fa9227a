//! Values with their places, as readers of formats look at them.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diag::Origin;
use crate::suite::tree::Tree;
use crate::suite::yaml::At;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it stands.
    pub at: Origin,
    /// What it is.
    pub shape: Shape,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// A text, a number, a truth value or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A map.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// A document that was read.
    pub(super) fn of(tree: &At<Tree>, file: &Arc<str>) -> Self {
        let shape = match &tree.value {
            Tree::Scalar(value) => Shape::Scalar(value.clone()),
            Tree::List(items) => Shape::List(items.iter().map(|item| Self::of(item, file)).collect()),
            Tree::Map(entries) => {
                Shape::Map(entries.iter().map(|(key, value)| (key.clone(), Self::of(value, file))).collect())
            }
        };
        Self { at: tree.origin(file), shape }
    }

    /// A value all of whose parts stand at one place.
    pub(super) fn on_line(value: &Value, at: &Origin) -> Self {
        let shape = match value {
            Value::Array(items) => Shape::List(items.iter().map(|item| Self::on_line(item, at)).collect()),
            Value::Object(map) => {
                Shape::Map(map.iter().map(|(key, value)| (key.clone(), Self::on_line(value, at))).collect())
            }
            scalar => Shape::Scalar(scalar.clone()),
        };
        Self { at: at.clone(), shape }
    }

    /// The plain value.
    pub(super) fn value(&self) -> Value {
        match &self.shape {
            Shape::Scalar(value) => value.clone(),
            Shape::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Shape::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), value.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// What stands under a key; nothing when that is empty.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let (_, value) = self.entries().iter().find(|(known, _)| known == key)?;
        (!matches!(value.shape, Shape::Scalar(Value::Null))).then_some(value)
    }

    /// The text under a key.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// The items of the list under a key.
    pub(super) fn list_at(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// The first of these keys that is there.
    pub(super) fn any(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().find_map(|key| self.get(key))
    }

    /// The entries of a map.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.shape {
            Shape::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::List(items) => items,
            _ => &[],
        }
    }

    /// The items of a list, or the value itself where one may stand for a list of one.
    pub(super) fn one_or_many(&self) -> &[Self] {
        match &self.shape {
            Shape::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// Whether it is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.shape, Shape::List(_))
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.shape, Shape::Map(_))
    }

    /// The text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A text, or a number or truth value as one.
    pub(super) fn words(&self) -> Option<String> {
        match &self.shape {
            Shape::Scalar(Value::String(text)) => Some(text.clone()),
            Shape::Scalar(value @ (Value::Number(_) | Value::Bool(_))) => Some(value.to_string()),
            _ => None,
        }
    }

    /// The number.
    pub(super) fn number(&self) -> Option<f64> {
        match &self.shape {
            Shape::Scalar(value) => value.as_f64(),
            _ => None,
        }
    }

    /// The count.
    pub(super) fn count(&self) -> Option<u32> {
        match &self.shape {
            Shape::Scalar(value) => value.as_u64().and_then(|count| u32::try_from(count).ok()),
            _ => None,
        }
    }

    /// Whether it is `true`.
    pub(super) fn is_true(&self) -> bool {
        matches!(self.shape, Shape::Scalar(Value::Bool(true)))
    }
}
