//! Matchers: what a suite writes about a JSON value, and whether a value is so.
//!
//! A plain value means canonical JSON equality: numbers are compared by value (`25` is `25.0`), texts exactly and
//! untrimmed, and a text is never a number (`"1042"` is not `1042`; write `{$one_of: [1042, "1042"]}` to accept
//! both). Objects are partial at every depth: keys that the suite does not name may be there. Lists must have the
//! same length and order. A map with one key that starts with `$` is a matcher from the table below. Pure.

use std::fmt;

use jiff::civil::Date;
use regex::Regex;
use serde_json::{Map, Number, Value};

use super::text;
use crate::diag::suggest;
use crate::display::excerpt;

mod compare;
mod date;

pub use compare::same;

/// The names of the matchers, as a suite writes them.
pub const NAMES: &[&str] = &[
    "$exact",
    "$type",
    "$regex",
    "$near",
    "$set",
    "$one_of",
    "$date",
    "$contains",
    "$folded",
    "$any",
    "$absent",
];

/// The deepest nesting of a pattern; YAML and JSON readers stop at 128.
const DEPTH: usize = 100;

/// A compiled expectation about a JSON value.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// A plain scalar: canonical equality.
    Equal(Value),
    /// A plain list: same length, item by item.
    Items(Vec<Matcher>),
    /// A plain map: these keys, each matching; others are tolerated.
    Fields(Vec<(String, Matcher)>),
    /// `$exact`: canonical equality of the whole, no further keys.
    Exact(Value),
    /// `$type`: a JSON type; a number without a fraction is an integer.
    Type(Kind),
    /// `$regex`: a text in which the expression is found.
    Regex(Regex),
    /// `$near`: a number at most `within` away.
    Near {
        /// The number.
        value: f64,
        /// The largest difference.
        within: f64,
    },
    /// `$set`: a list with these items in any order, none more.
    Set(Vec<Matcher>),
    /// `$one_of`: at least one of these.
    OneOf(Vec<Matcher>),
    /// `$date`: a text that names this calendar day in one of the usual spellings.
    Day(Date),
    /// `$contains`: a text with this inside (folded), or a list with an item that matches.
    Contains(Box<Matcher>),
    /// `$folded`: the same text but for case, white space and typography.
    Folded(String),
    /// `$any`: present, whatever it is.
    Any,
    /// `$absent`: not there at all; an explicit null is there.
    Absent,
}

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
    /// `null`.
    Null,
}

impl Kind {
    const ALL: [(&'static str, Self); 7] = [
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("string", Self::String),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
        ("null", Self::Null),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn of(self, value: &Value) -> bool {
        match self {
            Self::Integer => match value {
                Value::Number(number) => {
                    !number.is_f64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
                }
                _ => false,
            },
            Self::Number => value.is_number(),
            Self::String => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::Null => value.is_null(),
        }
    }
}

/// Where and how a value is not as expected. Both texts are safe to show and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// A normalised JSONPath.
    pub path: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub observed: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}` expected {}, observed {}", self.path, self.expected, self.observed)
    }
}

impl Matcher {
    /// Reads what a suite wrote. The error names the place and the mistake.
    pub fn parse(pattern: &Value) -> Result<Self, String> {
        parse(pattern, "$", 0)
    }

    /// Whether a value, or its absence, is as expected.
    pub fn check(&self, observed: Option<&Value>) -> Result<(), Mismatch> {
        compare::check(self, observed)
    }
}

fn parse(pattern: &Value, at: &str, depth: usize) -> Result<Matcher, String> {
    if depth > DEPTH {
        return Err("the expected value is nested too deeply".to_owned());
    }
    match pattern {
        Value::Object(map) => match map.iter().find(|(key, _)| key.starts_with('$')) {
            Some((key, inner)) if map.len() == 1 => named(key, inner, at, depth),
            Some((key, _)) => Err(format!("`{key}` at `{at}` must stand alone in its map")),
            None => fields(map, at, depth),
        },
        Value::Array(items) => list(items, at, depth).map(Matcher::Items),
        scalar => Ok(Matcher::Equal(scalar.clone())),
    }
}

fn fields(map: &Map<String, Value>, at: &str, depth: usize) -> Result<Matcher, String> {
    let each = |(key, value): (&String, &Value)| {
        Ok((key.clone(), parse(value, &format!("{at}{}", compare::step(key)), depth + 1)?))
    };
    map.iter().map(each).collect::<Result<_, String>>().map(Matcher::Fields)
}

fn list(items: &[Value], at: &str, depth: usize) -> Result<Vec<Matcher>, String> {
    items.iter().enumerate().map(|(index, item)| parse(item, &format!("{at}[{index}]"), depth + 1)).collect()
}

fn named(name: &str, inner: &Value, at: &str, depth: usize) -> Result<Matcher, String> {
    let needs =
        |what: &str| format!("`{name}` at `{at}` needs {what}, not `{}`", excerpt(&inner.to_string(), 40));
    let text = |what: &str| inner.as_str().ok_or_else(|| needs(what));
    match name {
        "$exact" => Ok(Matcher::Exact(inner.clone())),
        "$type" => {
            let name = text("the name of a JSON type")?;
            let known = Kind::ALL.iter().map(|(known, _)| *known);
            Kind::ALL
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, kind)| Matcher::Type(*kind))
                .ok_or_else(|| {
                    format!(
                        "`{}` at `{at}` is not a JSON type; {}",
                        excerpt(name, 40),
                        suggest::hint(name, known)
                    )
                })
        }
        "$regex" => {
            text::regex(text("a text")?).map(Matcher::Regex).map_err(|why| format!("at `{at}`: {why}"))
        }
        "$near" => {
            near(inner).ok_or_else(|| needs("`{value: NUMBER, within: NUMBER}` with `within` of 0 or more"))
        }
        "$set" => match inner {
            Value::Array(items) if items.len() <= 256 => list(items, at, depth).map(Matcher::Set),
            _ => Err(needs("a list of at most 256 items")),
        },
        "$one_of" => match inner {
            Value::Array(items) if !items.is_empty() => list(items, at, depth).map(Matcher::OneOf),
            _ => Err(needs("a list with at least one item")),
        },
        "$date" => {
            let day = text("a day such as `2026-11-28`")?.parse::<Date>().ok();
            day.map(Matcher::Day).ok_or_else(|| needs("a day such as `2026-11-28`"))
        }
        "$contains" => parse(inner, at, depth + 1).map(Box::new).map(Matcher::Contains),
        "$folded" => Ok(Matcher::Folded(text("a text")?.to_owned())),
        "$any" if *inner == Value::Bool(true) => Ok(Matcher::Any),
        "$absent" if *inner == Value::Bool(true) => Ok(Matcher::Absent),
        "$any" | "$absent" => Err(needs("`true`")),
        other => Err(format!(
            "`{}` at `{at}` is not a matcher; {}",
            excerpt(other, 40),
            suggest::hint(other, NAMES.iter().copied())
        )),
    }
}

fn near(inner: &Value) -> Option<Matcher> {
    let map = inner.as_object().filter(|map| map.len() == 2)?;
    let number = |key: &str| map.get(key).and_then(Value::as_number).and_then(Number::as_f64);
    let (value, within) = (number("value")?, number("within")?);
    (within >= 0.0).then_some(Matcher::Near { value, within })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(pattern: &Value, observed: &Value) -> String {
        match Matcher::parse(pattern) {
            Err(problem) => format!("bad: {problem}"),
            Ok(matcher) => {
                matcher.check(Some(observed)).map_or_else(|why| why.to_string(), |()| "ok".to_owned())
            }
        }
    }

    #[test]
    fn every_matcher_accepts_and_refuses() {
        for (pattern, good, bad) in [
            (json!(25), json!(25.0), json!("25")),
            (json!("a"), json!("a"), json!(" a")),
            (json!({"a": {"b": 1}}), json!({"a": {"b": 1, "c": 2}, "d": 3}), json!({"a": {"c": 2}})),
            (json!([1, {"a": 1}]), json!([1, {"a": 1, "b": 2}]), json!([1, {"a": 1}, 3])),
            (json!({"$exact": {"a": 1}}), json!({"a": 1.0}), json!({"a": 1, "b": 2})),
            (json!({"$type": "integer"}), json!(3.0), json!(3.5)),
            (json!({"$type": "null"}), json!(null), json!(false)),
            (json!({"$regex": "^BK-\\d+$"}), json!("BK-12"), json!("BK-")),
            (json!({"$near": {"value": 10, "within": 0.5}}), json!(10.5), json!(10.6)),
            (json!({"$set": [1, 2, 2]}), json!([2, 1, 2]), json!([1, 1, 2])),
            (json!({"$one_of": [1, "1"]}), json!("1"), json!(2)),
            (json!({"$date": "2026-11-28"}), json!("28 November 2026"), json!("2026-11-29")),
            (json!({"$contains": "28  NOV"}), json!("on 28 November"), json!("on 8 November")),
            (json!({"$contains": {"id": 2}}), json!([{"id": 1}, {"id": 2, "x": 0}]), json!([{"id": 1}])),
            (json!({"$folded": "Ursula Le Guin"}), json!("ursula  le guin "), json!("le guin")),
            (json!({"a": {"$any": true}}), json!({"a": null}), json!({"b": 1})),
            (json!({"a": {"$absent": true}}), json!({"b": 1}), json!({"a": null})),
        ] {
            assert_eq!(says(&pattern, &good), "ok", "{pattern}");
            assert_ne!(says(&pattern, &bad), "ok", "{pattern}");
        }
    }

    #[test]
    fn a_mismatch_names_path_expected_and_observed() {
        let lines = [
            says(&json!({"id": 1042}), &json!({"id": "1042"})),
            says(&json!({"items": [{"odd key": 1}]}), &json!({"items": [{"odd key": 2}]})),
            says(&json!({"a": 1}), &json!({})),
            says(&json!({"$exact": {"a": 1}}), &json!({"a": 1, "extra": true})),
            says(&json!({"$date": "2026-03-04"}), &json!("04/03/2026")),
            says(&json!({"$set": [1, 2]}), &json!([1, 3])),
            says(&json!({"$absent": true}), &json!("\u{1b}[31mred")),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        at `$.id` expected 1042, observed "1042"
        at `$.items[0]['odd key']` expected 1, observed 2
        at `$.a` expected 1, observed nothing
        at `$.extra` expected no such key, observed true
        at `$` expected the day 2026-03-04, observed "04/03/2026"
        at `$` expected in any order [1, 2], observed [1,3] (nothing left for 2)
        at `$` expected nothing, observed "\u001b[31mred"
        "#);
    }

    #[test]
    fn mistakes_in_patterns_are_named() {
        let lines = [
            says(&json!({"id": {"$regx": "a"}}), &json!(1)),
            says(&json!({"$regex": "("}), &json!(1)),
            says(&json!({"$near": {"value": 1}}), &json!(1)),
            says(&json!({"$any": true, "b": 1}), &json!(1)),
            says(&json!({"$type": "int"}), &json!(1)),
            says(&json!({"$date": "28.11."}), &json!(1)),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        bad: `$regx` at `$.id` is not a matcher; did you mean `$regex`?
        bad: at `$`: `(` is not a regular expression: unclosed group
        bad: `$near` at `$` needs `{value: NUMBER, within: NUMBER}` with `within` of 0 or more, not `{"value":1}`
        bad: `$any` at `$` must stand alone in its map
        bad: `int` at `$` is not a JSON type; known: `array`, `boolean`, `integer`, `null`, `number`, `object`, `string`
        bad: `$date` at `$` needs a day such as `2026-11-28`, not `"28.11."`
        "#);
    }
}
