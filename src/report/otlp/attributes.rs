//! Attributes as OTLP writes them in JSON: values with their type, whole numbers as text.

use serde_json::{Value, json};

/// A list under construction.
#[derive(Default)]
pub(super) struct Attributes(Vec<Value>);

impl Attributes {
    fn add(&mut self, key: &str, value: &Value) {
        self.0.push(json!({"key": key, "value": value}));
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.add(key, &json!({"stringValue": text}));
    }

    /// The text of a value as JSON, which is how structure stands where a backend takes none.
    pub(super) fn json(&mut self, key: &str, value: &Value) {
        self.text(key, &value.to_string());
    }

    pub(super) fn whole(&mut self, key: &str, number: u64) {
        self.add(key, &json!({"intValue": number.to_string()}));
    }

    pub(super) fn real(&mut self, key: &str, number: f64) {
        self.add(key, &json!({"doubleValue": number}));
    }

    pub(super) fn texts(&mut self, key: &str, texts: &[&str]) {
        let values: Vec<Value> = texts.iter().map(|text| json!({"stringValue": text})).collect();
        self.add(key, &json!({"arrayValue": {"values": values}}));
    }

    pub(super) fn done(self) -> Vec<Value> {
        self.0
    }
}
