//! Unquoted values that YAML readers understand differently, in places where any value is allowed: `0123` is the
//! number 123 here and a text elsewhere. Compares the two parsers and asks for quotes.

use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_yaml::Value as Other;

use crate::diag::Diagnostic;
use crate::suite::yaml::{self, At};

/// Keys below which any value is allowed.
const UNTYPED: &[&str] = &[
    "args",
    "calls",
    "never",
    "equals",
    "claims",
    "extra",
    "script",
    "capabilities",
    "result_equals",
    "expect",
];

/// The second parser costs as much as the first, so it runs only where a value looks ambiguous.
static SUSPICIOUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?m)(?:{BEFORE})[-+]?(0[0-9_]|[0-9]+_[0-9]|[0-9]{{19}}|\.[A-Za-z])")).ok()
});

/// What a value follows: a colon, a bracket, a comma, or the dash of a list item. The dashes inside of names and dates
/// are none of these.
const BEFORE: &str = r"[:\[{,]\s*|(?:^|\s)-\s+";

pub(super) fn check(file: &Arc<str>, text: &str, diagnostics: &mut Vec<Diagnostic>) {
    if !SUSPICIOUS.as_ref().is_some_and(|pattern| pattern.is_match(text)) {
        return;
    }
    let Ok(ours) = yaml::from_text::<At<Tree>>(file, text) else { return };
    let Ok(mut theirs) = serde_yaml::from_str::<Other>(text) else { return };
    if theirs.apply_merge().is_ok() {
        compare(&ours, &theirs, false, &mut |at: &At<Tree>, here: &Value, there: &Other| {
            let message =
                format!("this is {} here and {} in other YAML readers", words(here), words_of_other(there));
            diagnostics.push(
                Diagnostic::error("suite.ambiguous-scalar", at.origin(file), message)
                    .as_warning()
                    .hint("quote it if it is a text; write the number plainly if it is one"),
            );
        });
    }
}

/// Any value, with positions.
enum Tree {
    Scalar(Value),
    List(Vec<At<Tree>>),
    Map(Vec<(String, At<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Null))
            }

            fn visit_none<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = vec![];
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = vec![];
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Map(entries))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

type Report<'r> = &'r mut dyn FnMut(&At<Tree>, &Value, &Other);

fn compare(ours: &At<Tree>, theirs: &Other, untyped: bool, report: Report<'_>) {
    match (&ours.value, theirs) {
        (Tree::List(ours), Other::Sequence(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                compare(ours, theirs, untyped, report);
            }
        }
        (Tree::Map(ours), Other::Mapping(theirs)) => {
            for (key, ours) in ours {
                if let Some(theirs) = theirs.get(key.as_str()) {
                    compare(ours, theirs, untyped || UNTYPED.contains(&key.as_str()), report);
                }
            }
        }
        (Tree::Scalar(here), there) if untyped && !same(here, there) => report(ours, here, there),
        _ => {}
    }
}

fn same(here: &Value, there: &Other) -> bool {
    match (here, there) {
        (Value::Null, Other::Null) => true,
        (Value::Bool(here), Other::Bool(there)) => here == there,
        (Value::String(here), Other::String(there)) => here == there,
        (Value::Number(here), Other::Number(there)) => {
            here.as_f64() == there.as_f64() && here.as_i64() == there.as_i64()
        }
        _ => false,
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("the truth value {value}"),
        Value::Number(number) => {
            match number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
                Some(whole) => format!("the number {whole}"),
                None => format!("the number {number}"),
            }
        }
        Value::String(text) => format!("the text `{text}`"),
        other => format!("`{other}`"),
    }
}

fn words_of_other(value: &Other) -> String {
    match value {
        Other::Null => "nothing".to_owned(),
        Other::Bool(value) => format!("the truth value {value}"),
        Other::Number(number) => format!("the number {number}"),
        Other::String(text) => format!("the text `{text}`"),
        _ => "something else".to_owned(),
    }
}
