//! Real values out of results: what a search returns is what a lookup can be asked for. Pure.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use crate::llm::lexical;

/// Most values that are kept of all results together, and of one list.
const MOST: usize = 2000;
const MOST_ITEMS: usize = 20;
/// How deep results are looked into.
const DEPTH: usize = 8;
/// Longest text that a user would say.
const LONGEST: usize = 60;

/// Values that the server has given, each with what it was called there.
#[derive(Clone, Debug, Default)]
pub struct Harvest {
    found: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq)]
struct Found {
    /// Stems of the key.
    key: Vec<String>,
    /// Stems of the keys around it and of the tool.
    about: BTreeSet<String>,
    value: Value,
}

impl Harvest {
    /// Takes in the result of a tool.
    pub fn take(&mut self, tool: &str, result: &Value) {
        let about: BTreeSet<String> = lexical::terms(tool).into_iter().collect();
        self.walk("", result, &about, DEPTH);
    }

    fn walk(&mut self, key: &str, value: &Value, about: &BTreeSet<String>, depth: usize) {
        if depth == 0 || self.found.len() >= MOST {
            return;
        }
        match value {
            Value::Object(map) => {
                let inner: BTreeSet<String> = about.iter().cloned().chain(lexical::terms(key)).collect();
                for (key, value) in map {
                    self.walk(key, value, &inner, depth - 1);
                }
            }
            Value::Array(items) => {
                for item in items.iter().take(MOST_ITEMS) {
                    self.walk(key, item, about, depth - 1);
                }
            }
            Value::String(text) if is_sayable(text) => self.keep(key, value.clone(), about),
            Value::Number(_) => self.keep(key, value.clone(), about),
            _ => {}
        }
    }

    fn keep(&mut self, key: &str, value: Value, about: &BTreeSet<String>) {
        let found = Found { key: key_stems(key), about: about.clone(), value };
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    /// The values that suit a parameter of a tool, the surest first: those of the same key, then ids of the thing that the
    /// parameter or the tool is about.
    pub fn values(&self, tool: &str, parameter: &str, kind: Kind) -> Vec<Value> {
        let wanted = key_stems(parameter);
        let nouns: BTreeSet<String> = lexical::terms(tool).into_iter().collect();
        let mut fitting: Vec<(u32, usize, Value)> = vec![];
        for (place, found) in self.found.iter().enumerate() {
            let Some(value) = kind.takes(&found.value) else { continue };
            let fit = fit(&wanted, &nouns, found);
            if fit > 0 && fitting.iter().all(|(_, _, known)| *known != value) {
                fitting.push((fit, place, value));
            }
        }
        fitting.sort_by_key(|(fit, place, _)| (std::cmp::Reverse(*fit), *place));
        fitting.into_iter().map(|(_, _, value)| value).collect()
    }

    /// Short texts that name things, for parameters that look for something.
    pub fn names(&self) -> Vec<String> {
        const NAMING: [&str; 9] =
            ["titl", "nam", "label", "author", "subject", "topic", "city", "category", "tag"];
        let naming = |found: &&Found| found.key.last().is_some_and(|key| NAMING.contains(&key.as_str()));
        let mut names: Vec<String> = vec![];
        for found in self.found.iter().filter(naming) {
            if let Value::String(text) = &found.value
                && text.len() <= 40
                && !names.contains(text)
            {
                names.push(text.clone());
            }
        }
        names
    }
}

/// What kind of value a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
}

impl Kind {
    /// The value as this kind, if it is or can be said as one.
    fn takes(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Text, Value::String(_)) | (Self::Number, Value::Number(_)) => Some(value.clone()),
            (Self::Text, Value::Number(number)) => Some(Value::from(number.to_string())),
            (Self::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                Some(value.clone())
            }
            (Self::Integer, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
            (Self::Number, Value::String(text)) => {
                text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number)
            }
            _ => None,
        }
    }
}

/// How surely a value is what a parameter wants; 0: it is not.
fn fit(wanted: &[String], nouns: &BTreeSet<String>, found: &Found) -> u32 {
    let (Some(last), Some(key)) = (wanted.last(), found.key.last()) else { return 0 };
    let plain = wanted.len() == 1;
    // `book_id` of an order is about a book.
    let own = &found.key[..found.key.len() - 1];
    let about = |stem: &String| if own.is_empty() { found.about.contains(stem) } else { own.contains(stem) };
    let same_thing =
        if plain { nouns.iter().any(about) } else { wanted[..wanted.len() - 1].iter().any(about) };
    match (is_id(last), is_id(key)) {
        // `id` is the id of everything: only that of the same thing will do.
        (true, true) if wanted == found.key => {
            if plain && !same_thing {
                0
            } else {
                4
            }
        }
        (true, true) if same_thing => 3,
        (false, false) if wanted == found.key => 4,
        (false, false) if last == key => 1,
        _ => 0,
    }
}

fn is_id(stem: &str) -> bool {
    matches!(stem, "id" | "uuid" | "slug" | "key" | "number" | "ref" | "identifier" | "cod")
}

fn key_stems(key: &str) -> Vec<String> {
    lexical::words_of(key).iter().map(|word| lexical::stem_of(word)).collect()
}

/// Whether a user would say this text.
fn is_sayable(text: &str) -> bool {
    let length = text.chars().count();
    (1..=LONGEST).contains(&length)
        && text.trim() == text
        && !text.contains("://")
        && !text.chars().any(|c| c.is_control() || crate::display::is_unsafe(c) || "\"`“”{}<>".contains(c))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn harvest() -> Harvest {
        let mut harvest = Harvest::default();
        harvest.take("list_orders", &json!({"orders": [
            {"id": 1042, "book_id": "B107", "title": "Solaris", "note": "\u{1b}[31m", "link": "https://x.example"},
            {"id": 1043, "book_id": "B108", "title": "Kindred"},
        ]}));
        harvest
    }

    #[test]
    fn ids_go_to_the_tools_of_their_things() {
        let harvest = harvest();
        assert_eq!(harvest.values("get_order", "id", Kind::Integer), [json!(1042), json!(1043)]);
        assert_eq!(harvest.values("cancel", "orderId", Kind::Integer), [json!(1042), json!(1043)]);
        assert_eq!(harvest.values("get_order", "order_id", Kind::Text), [json!("1042"), json!("1043")]);
        assert_eq!(harvest.values("get_book", "id", Kind::Text), [json!("B107"), json!("B108")]);
        assert_eq!(harvest.values("get_city", "id", Kind::Integer), Vec::<Value>::new());
        assert_eq!(harvest.values("search_books", "title", Kind::Text), [json!("Solaris"), json!("Kindred")]);
        assert_eq!(harvest.names(), ["Solaris", "Kindred"]);
    }

    #[test]
    fn what_nobody_would_say_is_left() {
        let harvest = harvest();
        assert!(harvest.values("x", "note", Kind::Text).is_empty());
        assert!(harvest.values("x", "link", Kind::Text).is_empty());
        let mut deep = json!(1);
        for _ in 0..1000 {
            deep = json!([deep]);
        }
        let mut harvest = Harvest::default();
        harvest.take("x", &deep);
        harvest.take("x", &json!({"n": (0..100_000).collect::<Vec<_>>()}));
        assert!(harvest.found.len() <= MOST);
    }
}
