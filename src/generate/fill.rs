//! Arguments for a call: from values that the server has given, from choices, defaults, examples and bounds of the
//! schema, and at last from what anybody might ask for. Pure.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::harvest::{Harvest, Kind};
use crate::llm::lexical;
use crate::mcp::example;
use crate::transcript::ToolFact;

/// Most parameters of a tool that are filled.
const MOST: usize = 40;

/// How far values may be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Only what the schema or the server says.
    Known,
    /// Also what anybody might ask for.
    Guessed,
}

/// Up to `most` different arguments, the plainest first; or the parameter that has no value.
pub fn arguments(
    tool: &ToolFact,
    harvest: &Harvest,
    most: usize,
    reach: Reach,
) -> Result<Vec<Value>, String> {
    let schema = tool.input_schema();
    let filler = Filler { tool, schema: &schema, harvest, reach };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    if required.len() > MOST {
        return Err(format!("it needs {} arguments", required.len()));
    }
    let mut columns: Vec<(&str, Vec<Value>)> = vec![];
    for name in &required {
        let values = filler.values(name, properties.get(*name).unwrap_or(&Value::Null), columns.len());
        if values.is_empty() {
            return Err(format!(
                "no value is known for its argument `{}`",
                crate::display::excerpt(name, 40)
            ));
        }
        columns.push((name, values));
    }
    let rows = columns.iter().map(|(_, values)| values.len()).max().unwrap_or(1).min(most.max(1));
    let mut made: Vec<Value> = vec![];
    let mut add = |args: Map<String, Value>| {
        let args = Value::Object(args);
        if made.len() < most && !made.contains(&args) {
            made.push(args);
        }
    };
    let row = |at: usize| -> Map<String, Value> {
        columns.iter().map(|(name, values)| ((*name).to_owned(), values[at % values.len()].clone())).collect()
    };
    (0..rows).for_each(|at| add(row(at)));
    // What is left out first may well be said.
    let known = Filler { reach: Reach::Known, ..filler };
    for (name, schema) in properties.iter().filter(|(name, _)| !required.contains(&name.as_str())).take(MOST)
    {
        if let Some(value) = known.values(name, schema, 0).into_iter().find(is_plain) {
            let mut args = row(0);
            args.insert(name.clone(), value);
            add(args);
        }
    }
    Ok(made)
}

fn is_plain(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_))
}

#[derive(Clone, Copy)]
struct Filler<'a> {
    tool: &'a ToolFact,
    schema: &'a Value,
    harvest: &'a Harvest,
    reach: Reach,
}

impl Filler<'_> {
    /// Values of a parameter, the surest first. `place` keeps the made-up numbers of one call apart.
    fn values(&self, name: &str, schema: &Value, place: usize) -> Vec<Value> {
        let described = schema["description"].as_str().unwrap_or_default().to_owned();
        let schema = lexical::resolved(schema, self.schema);
        if let Some(value) = schema.get("const") {
            return vec![value.clone()];
        }
        if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
            return choices.iter().filter(|choice| is_plain(choice)).take(10).cloned().collect();
        }
        let stated: Vec<Value> = schema
            .get("default")
            .into_iter()
            .chain(schema.get("examples").and_then(Value::as_array).into_iter().flatten())
            .filter(|value| !value.is_null())
            .cloned()
            .collect();
        match kind(schema) {
            "boolean" => vec![stated.first().cloned().unwrap_or(json!(true))],
            "integer" => self.numbers(name, schema, (Kind::Integer, place), stated),
            "number" => self.numbers(name, schema, (Kind::Number, place), stated),
            "array" => self.list(name, schema, stated),
            "object" if !stated.is_empty() => stated,
            "object" => match example::value(schema) {
                value @ Value::Object(_) if self.reach == Reach::Guessed => vec![value],
                _ => vec![],
            },
            _ => self.texts(name, schema, &described, stated),
        }
    }

    fn numbers(
        &self,
        name: &str,
        schema: &Value,
        (kind, place): (Kind, usize),
        stated: Vec<Value>,
    ) -> Vec<Value> {
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        let (least, most) = (bound("minimum").unwrap_or(f64::MIN), bound("maximum").unwrap_or(f64::MAX));
        let inside = |value: &Value| value.as_f64().is_some_and(|value| (least..=most).contains(&value));
        let mut values = self.harvest.values(self.tool.name.as_str(), name, kind);
        values.extend(stated);
        values.retain(inside);
        let is_id = lexical::words_of(name).last().is_some_and(|word| matches!(word.as_str(), "id" | "uuid"));
        if values.is_empty() && self.reach == Reach::Guessed && !is_id {
            let usual = [7.0, 12.0, 5.0, 3.0, 20.0];
            let nearest = |value: f64| value.clamp(least.max(-1e9), most.min(1e9).max(least.max(-1e9)));
            let number = |value: f64| if value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            values.extend((0..usual.len()).map(|at| number(nearest(usual[(at + place) % usual.len()]))));
        }
        values
    }

    fn texts(&self, name: &str, schema: &Value, described: &str, stated: Vec<Value>) -> Vec<Value> {
        let mut values = self.harvest.values(self.tool.name.as_str(), name, Kind::Text);
        values.extend(stated);
        values.extend(told(described).into_iter().map(Value::from));
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            let Ok(pattern) = regex::RegexBuilder::new(pattern).size_limit(1 << 18).build() else {
                return vec![];
            };
            values.retain(|value| value.as_str().is_some_and(|text| pattern.is_match(text)));
            return values;
        }
        if schema.get("format").is_some() {
            values.retain(Value::is_string);
            if values.is_empty() && self.reach == Reach::Guessed {
                values.push(example::value(schema));
            }
            return values;
        }
        let words = lexical::words_of(name);
        let said = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        if said(&["query", "q", "search", "keyword", "keywords", "term", "phrase"]) {
            values.extend(self.harvest.names().into_iter().map(Value::from));
        }
        if values.is_empty() && self.reach == Reach::Guessed {
            values.extend(usual(&words).iter().map(|text| Value::from(*text)));
        }
        let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
        values.retain(|value| value.as_str().is_none_or(|text| text.chars().count() as u64 <= most));
        values
    }

    fn list(&self, name: &str, schema: &Value, stated: Vec<Value>) -> Vec<Value> {
        if !stated.is_empty() {
            return stated;
        }
        let single = name.strip_suffix('s').unwrap_or(name);
        let items = schema.get("items").unwrap_or(&Value::Null);
        let mut values = self.values(single, items, 0);
        values.retain(is_plain);
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 5) as usize;
        if values.len() < least {
            return vec![];
        }
        values.truncate(least.max(2));
        vec![Value::Array(values)]
    }
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    }
}

/// Values that a description gives as examples: `such as B107`, `e.g. "Paris"`.
fn told(description: &str) -> Vec<String> {
    static TOLD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?:such as|e\.g\.|for example|like|example:)[,:]?\s+(?:["'`“]([^"'`”\n]{1,40})["'`”]|([A-Za-z]*\d[\w-]*))"#).ok()
    });
    let Some(pattern) = TOLD.as_ref() else { return vec![] };
    let found = pattern.captures_iter(description).take(5);
    found
        .filter_map(|found| Some(found.get(1).or_else(|| found.get(2))?.as_str().trim().to_owned()))
        .collect()
}

/// What anybody might ask for, by the words of a parameter's name; empty for what only the server can know.
fn usual(words: &[String]) -> &'static [&'static str] {
    const TABLE: &[(&[&str], &[&str])] = &[
        (&["city", "location", "place", "town"], &["London", "Paris"]),
        (&["country"], &["France", "Japan"]),
        (&["state", "region"], &["California", "Texas"]),
        (&["language", "lang"], &["English", "German"]),
        (&["currency"], &["EUR", "USD"]),
        (&["timezone", "tz"], &["UTC", "Europe/Paris"]),
        (&["email"], &["ada@example.com"]),
        (&["url", "uri", "link"], &["https://example.com/"]),
        (&["date", "day"], &["2026-01-15"]),
        (&["name", "user", "person"], &["Ada", "Grace"]),
        (
            &["message", "text", "content", "input", "string", "sentence", "word", "words"],
            &["good morning", "hello world"],
        ),
        (
            &["query", "q", "search", "keyword", "keywords", "term", "topic", "subject", "question"],
            &["music", "water"],
        ),
    ];
    let row = TABLE.iter().find(|(names, _)| words.last().is_some_and(|word| names.contains(&word.as_str())));
    row.map_or(&[], |(_, values)| values)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]
mod tests {
    use super::*;

    fn tool(name: &str, schema: Value) -> ToolFact {
        ToolFact { name: name.into(), raw: json!({"name": name, "inputSchema": schema}).into() }
    }

    fn made(name: &str, schema: Value, reach: Reach) -> Result<Vec<Value>, String> {
        let mut harvest = Harvest::default();
        harvest.take(
            "list_orders",
            &json!([{"id": 1042, "title": "Solaris"}, {"id": 1043, "title": "Kindred"}]),
        );
        arguments(&tool(name, schema), &harvest, 3, reach)
    }

    #[test]
    fn real_values_come_first() {
        let schema = json!({"required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1043}}});
        assert_eq!(made("get_order", schema, Reach::Known), Ok(vec![json!({"id": 1043})]));
        let schema = json!({"required": ["query"], "properties": {"query": {"type": "string"}, "by": {"enum": ["a", "b"]}}});
        let all = vec![
            json!({"query": "Solaris"}),
            json!({"query": "Kindred"}),
            json!({"query": "Solaris", "by": "a"}),
        ];
        assert_eq!(made("search", schema, Reach::Known), Ok(all));
    }

    #[test]
    fn schemas_say_the_rest() {
        let schema = json!({"required": ["a", "b", "c", "d", "e", "f"], "properties": {
            "a": {"type": "number"}, "b": {"type": "number"}, "c": {"$ref": "#/$defs/c"}, "d": {"type": "boolean"},
            "e": {"type": "string", "pattern": "^B\\d{3}$", "description": "The id, such as B107."},
            "f": {"type": "array", "items": {"enum": ["x", "y", "z"]}},
        }, "$defs": {"c": {"enum": ["metric"]}}});
        assert!(made("x", schema.clone(), Reach::Known).is_err());
        let first = made("x", schema, Reach::Guessed).unwrap().remove(0);
        assert_eq!(first, json!({"a": 7, "b": 12, "c": "metric", "d": true, "e": "B107", "f": ["x", "y"]}));
    }

    #[test]
    fn what_only_the_server_knows_is_named() {
        let schema = json!({"required": ["ticket_id"], "properties": {"ticket_id": {"type": "string"}}});
        let why = made("x", schema, Reach::Guessed).unwrap_err();
        assert_eq!(why, "no value is known for its argument `ticket_id`");
        assert_eq!(made("x", json!({}), Reach::Known), Ok(vec![json!({})]));
        assert!(made("x", json!({"required": vec!["a"; 100]}), Reach::Guessed).is_err());
        assert!(made("x", json!("no schema at all"), Reach::Guessed).is_ok());
    }
}
