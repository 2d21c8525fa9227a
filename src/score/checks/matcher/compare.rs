//! A compiled matcher and a value, compared. Pure.

use serde_json::{Number, Value};

use super::{Matcher, Mismatch, date};
use crate::display::excerpt;
use crate::score::checks::text;

/// How much of a value a message shows, in characters.
const SHOWN: usize = 80;

pub(super) fn check(matcher: &Matcher, observed: Option<&Value>) -> Result<(), Mismatch> {
    match (matcher, observed) {
        (Matcher::Absent, None) => Ok(()),
        (Matcher::OneOf(options), observed) => one_of(options, observed),
        (_, None) => Err(mismatch(matcher, None)),
        (Matcher::Absent, Some(_)) => Err(mismatch(matcher, observed)),
        (Matcher::Items(wanted), Some(Value::Array(found))) => items(matcher, wanted, found),
        (Matcher::Fields(wanted), Some(Value::Object(found))) => wanted
            .iter()
            .try_for_each(|(key, inner)| check(inner, found.get(key)).map_err(|why| why.under(&step(key)))),
        (Matcher::Exact(wanted), Some(found)) => exact(wanted, found),
        (Matcher::Contains(inner), Some(Value::Array(found))) => {
            let held = found.iter().any(|item| check(inner, Some(item)).is_ok());
            if held { Ok(()) } else { Err(mismatch(matcher, observed)) }
        }
        (Matcher::Set(wanted), Some(Value::Array(found))) => set(matcher, wanted, found),
        (_, Some(found)) if simple(matcher, found) => Ok(()),
        _ => Err(mismatch(matcher, observed)),
    }
}

fn simple(matcher: &Matcher, found: &Value) -> bool {
    match (matcher, found) {
        (Matcher::Any, _) => true,
        (Matcher::Equal(wanted), found) => same(wanted, found),
        (Matcher::Type(kind), found) => kind.of(found),
        (Matcher::Regex(regex), Value::String(text)) => regex.is_match(text),
        (Matcher::Near { value, within }, Value::Number(number)) => number.as_f64().is_some_and(|number| {
            // A hair of slack, so that 10.1 is within 0.1 of 10 in binary too.
            (number - value).abs() <= within + 1e-9 * value.abs().max(1.0)
        }),
        (Matcher::Day(day), Value::String(text)) => date::is(text, *day),
        (Matcher::Folded(wanted), Value::String(text)) => text::folded(wanted) == text::folded(text),
        (Matcher::Contains(inner), Value::String(text)) => match inner.as_ref() {
            Matcher::Equal(Value::String(part)) => text::folded(text).contains(&text::folded(part)),
            Matcher::Regex(regex) => regex.is_match(text),
            _ => false,
        },
        _ => false,
    }
}

fn items(matcher: &Matcher, wanted: &[Matcher], found: &[Value]) -> Result<(), Mismatch> {
    if wanted.len() != found.len() {
        let observed = format!("{} items: {}", found.len(), shown_list(found));
        return Err(Mismatch { path: "$".into(), expected: describe(matcher), observed });
    }
    let pairs = wanted.iter().zip(found).enumerate();
    pairs.into_iter().try_for_each(|(index, (inner, item))| {
        check(inner, Some(item)).map_err(|why| why.under(&format!("[{index}]")))
    })
}

fn one_of(options: &[Matcher], observed: Option<&Value>) -> Result<(), Mismatch> {
    if options.iter().any(|option| check(option, observed).is_ok()) {
        return Ok(());
    }
    let expected = options.iter().map(describe).collect::<Vec<_>>().join(" or ");
    Err(Mismatch { path: "$".into(), expected: excerpt(&expected, 2 * SHOWN), observed: shown(observed) })
}

/// Pairs every wanted item with a different found one, by augmenting paths (Kuhn's algorithm).
fn set(matcher: &Matcher, wanted: &[Matcher], found: &[Value]) -> Result<(), Mismatch> {
    let refuse = |observed| Err(Mismatch { path: "$".into(), expected: describe(matcher), observed });
    if wanted.len() != found.len() {
        return refuse(format!("{} items: {}", found.len(), shown_list(found)));
    }
    let fits: Vec<Vec<bool>> = wanted
        .iter()
        .map(|inner| found.iter().map(|item| check(inner, Some(item)).is_ok()).collect())
        .collect();
    let mut taken = vec![None; found.len()];
    for (index, inner) in wanted.iter().enumerate() {
        if !place(index, &fits, &mut vec![false; found.len()], &mut taken) {
            let missing = describe(inner);
            return refuse(format!("{} (nothing left for {missing})", shown_list(found)));
        }
    }
    Ok(())
}

fn place(index: usize, fits: &[Vec<bool>], tried: &mut Vec<bool>, taken: &mut Vec<Option<usize>>) -> bool {
    for spot in 0..taken.len() {
        if !fits[index][spot] || std::mem::replace(&mut tried[spot], true) {
            continue;
        }
        if taken[spot].is_none_or(|owner| place(owner, fits, tried, taken)) {
            taken[spot] = Some(index);
            return true;
        }
    }
    false
}

/// Canonical equality all the way down, with the place of the first difference.
fn exact(wanted: &Value, found: &Value) -> Result<(), Mismatch> {
    let differ = |expected: String, observed: String| Err(Mismatch { path: "$".into(), expected, observed });
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, inner) in wanted {
                match found.get(key) {
                    Some(value) => exact(inner, value).map_err(|why| why.under(&step(key)))?,
                    None => {
                        return Err(Mismatch {
                            path: format!("${}", step(key)),
                            expected: shown(Some(inner)),
                            observed: shown(None),
                        });
                    }
                }
            }
            match found.iter().find(|(key, _)| !wanted.contains_key(*key)) {
                Some((key, extra)) => Err(Mismatch {
                    path: format!("${}", step(key)),
                    expected: "no such key".into(),
                    observed: shown(Some(extra)),
                }),
                None => Ok(()),
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.try_for_each(|(index, (wanted, found))| {
                exact(wanted, found).map_err(|why| why.under(&format!("[{index}]")))
            })
        }
        _ if same(wanted, found) => Ok(()),
        _ => differ(shown(Some(wanted)), shown(Some(found))),
    }
}

/// Canonical JSON equality: key order does not matter, numbers are compared by value.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_number(a, b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    // Two integers are compared as integers: beyond 2^53 their floating-point forms collide.
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a == b,
        _ => a.as_f64() == b.as_f64(),
    }
}

impl Mismatch {
    /// The same, seen from one level higher.
    fn under(mut self, step: &str) -> Self {
        self.path.insert_str(1, step);
        self
    }
}

/// One step of a normalised path.
pub(super) fn step(key: &str) -> String {
    let plain = !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain && key.len() <= 60 { format!(".{key}") } else { format!("['{}']", excerpt(key, 60)) }
}

fn mismatch(matcher: &Matcher, observed: Option<&Value>) -> Mismatch {
    Mismatch { path: "$".into(), expected: describe(matcher), observed: shown(observed) }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| excerpt(&value.to_string(), SHOWN))
}

fn shown_list(items: &[Value]) -> String {
    let head = Value::Array(items.iter().take(20).cloned().collect());
    excerpt(&head.to_string(), SHOWN)
}

/// What a matcher wants, in a few words.
fn describe(matcher: &Matcher) -> String {
    let list = |items: &[Matcher]| {
        let items = items.iter().take(20).map(describe).collect::<Vec<_>>().join(", ");
        excerpt(&format!("[{items}]"), SHOWN)
    };
    match matcher {
        Matcher::Equal(value) => shown(Some(value)),
        Matcher::Exact(value) => format!("exactly {}", shown(Some(value))),
        Matcher::Items(items) => list(items),
        Matcher::Fields(fields) => {
            let keys = fields.iter().take(10).map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>();
            if keys.is_empty() {
                "a map".into()
            } else {
                format!("a map with {}", excerpt(&keys.join(", "), SHOWN))
            }
        }
        Matcher::Type(kind) => format!("a value of type {}", kind.as_str()),
        Matcher::Regex(regex) => format!("a text that matches /{}/", excerpt(regex.as_str(), SHOWN)),
        Matcher::Near { value, within } => format!("a number within {within} of {value}"),
        Matcher::Set(items) => format!("in any order {}", list(items)),
        Matcher::OneOf(items) => format!("one of {}", list(items)),
        Matcher::Day(day) => format!("the day {day}"),
        Matcher::Contains(inner) => format!("something that contains {}", describe(inner)),
        Matcher::Folded(text) => format!("the text `{}` in any case and spacing", excerpt(text, SHOWN)),
        Matcher::Any => "a value".into(),
        Matcher::Absent => "nothing".into(),
    }
}
