//! Unquoted values that YAML readers understand differently, in places where any value is allowed: `0123` is the
//! number 123 here and a text elsewhere. Compares the two parsers and asks for quotes.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::Value;
use serde_yaml::Value as Other;

use crate::diag::Diagnostic;
use crate::suite::tree::Tree;
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
