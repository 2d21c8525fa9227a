//! `answer_numbers`: the answer states numbers.

use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short, Written};
use super::{Examine, Seen, View, calls};
use crate::display::excerpt;

/// The answer to the last turn states every one of these numbers, in any usual spelling: `25`, `25.0`, `€25`,
/// `1,250.00`, `1.250,00`, `1 250`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerNumbers {
    /// The numbers; at least one.
    pub numbers: Vec<Written<Stated>>,
}

/// A number that must be stated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stated {
    /// The number.
    pub value: f64,
    /// The largest difference that does not matter. Default 0.
    #[serde(default)]
    pub within: f64,
}

impl Short for Stated {
    const EXPECTS: &'static str = "a number, or a map with `value` and `within`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["number"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Number(number) => Some(Self { value: number.as_f64()?, within: 0.0 }),
            _ => None,
        }
    }
}

impl Short for AnswerNumbers {
    const EXPECTS: &'static str = "a number, or a list of numbers and of maps with `value` and `within`";
    type Item = Written<Stated>;
    const SCALARS: &'static [&'static str] = &["number"];
    const LIST: bool = true;

    fn from_brief(brief: Brief<Written<Stated>>) -> Option<Self> {
        match brief {
            Brief::Number(number) => {
                Some(Self { numbers: vec![Written(Stated { value: number.as_f64()?, within: 0.0 })] })
            }
            Brief::List(numbers) => Some(Self { numbers }),
            _ => None,
        }
    }
}

impl Stated {
    fn is(self, number: f64) -> bool {
        // A hair of slack, so that 0.3 is 0.1 + 0.2.
        (number - self.value).abs() <= self.within + 1e-9 * self.value.abs().max(1.0)
    }

    fn shown(self) -> String {
        match self.within {
            0.0 => self.value.to_string(),
            within => format!("{} within {within}", self.value),
        }
    }
}

impl Examine for AnswerNumbers {
    fn examine(&self, view: &View<'_>) -> Seen {
        let (seq, answer) = match calls::answer(view) {
            Ok(answer) => answer,
            Err(none) => return none,
        };
        let found = numbers(answer);
        match self.numbers.iter().find(|Written(stated)| !found.iter().any(|number| stated.is(*number))) {
            None => {
                let all: Vec<String> = self.numbers.iter().take(10).map(|Written(stated)| stated.shown()).collect();
                Seen::pass(format!("the answer states {}", all.join(", ")), [seq])
            }
            Some(Written(missing)) => {
                let why =
                    format!("expected the number {} in the answer, observed `{}`", missing.shown(), excerpt(answer, 160));
                Seen::fail(why, [seq])
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        let fine = |stated: &Stated| stated.value.is_finite() && stated.within >= 0.0 && stated.within.is_finite();
        if self.numbers.is_empty() {
            return vec!["the list of numbers is empty".to_owned()];
        }
        match self.numbers.iter().all(|Written(stated)| fine(stated)) {
            true => vec![],
            false => vec!["`value` must be finite and `within` 0 or more".to_owned()],
        }
    }
}

/// Digits with separators; groups of three may be split by a comma, a point, an apostrophe or a space.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[0-9]{1,3}(?:[ \u{a0}\u{202f}\u{2009}'’][0-9]{3})+(?:[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)*").expect("the pattern is constant")
});

/// Every number that a text may state. A spelling with several readings gives all of them: `1,250` is 1250 and 1.25.
fn numbers(text: &str) -> Vec<f64> {
    let mut all = vec![];
    for found in NUMBER.find_iter(text) {
        let before = &text[..found.start()];
        let glued = before.chars().rev().take_while(|c| c.is_alphabetic()).count();
        // `A25` is a name, `EUR25` is an amount.
        let currency = glued == 3 && before.chars().rev().take(3).all(|c| c.is_ascii_uppercase());
        if glued > 0 && !currency {
            continue;
        }
        let sign = if is_negative(before) { -1.0 } else { 1.0 };
        all.extend(readings(found.as_str()).into_iter().map(|number| sign * number));
    }
    all
}

/// A minus counts as a sign at the start, after a space or a bracket, and before or after a currency sign.
fn is_negative(before: &str) -> bool {
    let mut chars = before.chars().rev().skip_while(|c| "$€£¥".contains(*c));
    matches!(chars.next(), Some('-' | '−')) && chars.next().is_none_or(|c| c.is_whitespace() || "([:=$€£¥".contains(c))
}

fn readings(spelling: &str) -> Vec<f64> {
    let spaced = |c: char| c.is_whitespace() || "'’".contains(c);
    let mut all: Vec<f64> = vec![];
    if spelling.contains(spaced) {
        // Perhaps one number, perhaps several side by side.
        all.extend(spelling.split(spaced).flat_map(readings));
    }
    let joined: String = spelling.chars().filter(|c| !spaced(*c)).collect();
    // The last separator may be the decimal one; all others, and perhaps it too, split groups of three.
    let cut = joined.rfind(['.', ',']);
    if let Some(cut) = cut {
        let (head, tail) = (&joined[..cut], &joined[cut + 1..]);
        if is_grouped(head) {
            all.extend(format!("{}.{tail}", without_separators(head)).parse::<f64>());
        }
    }
    if is_grouped(&joined) {
        all.extend(without_separators(&joined).parse::<f64>());
    }
    if cut.is_some() && all.is_empty() {
        // `1.2.3` and `3,4,5` are several numbers.
        all.extend(joined.split(['.', ',']).filter_map(|part| part.parse::<f64>().ok()));
    }
    all
}

/// Whether separators, if any, are of one kind and split groups of three.
fn is_grouped(digits: &str) -> bool {
    let Some(separator) = digits.chars().find(|c| ".,".contains(*c)) else { return true };
    let mut groups = digits.split(separator);
    groups.next().is_some_and(|first| (1..=3).contains(&first.len()))
        && groups.all(|group| group.len() == 3 && group.chars().all(|c| c.is_ascii_digit()))
}

fn without_separators(digits: &str) -> String {
    digits.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings_are_read() {
        for (text, number) in [
            ("25", 25.0), ("25.0", 25.0), ("costs €25,50 today", 25.5), ("$1,250.00", 1250.0), ("1.250,00 €", 1250.0),
            ("1 250", 1250.0), ("1'250.5", 1250.5), ("1,250", 1250.0), ("1,25", 1.25), ("1,234,567", 1_234_567.0),
            ("EUR25", 25.0), ("-5", -5.0), ("−5 °C", -5.0), ("25kg", 25.0), ("5%", 5.0), ("-$5", -5.0), ("#1042.", 1042.0),
            ("28 November 2026", 28.0), ("2026-11-28", 28.0), ("**12**", 12.0), ("(3, 4, 5)", 4.0), ("10.000.000", 1e7),
        ] {
            assert!(numbers(text).contains(&number), "{text}: {:?}", numbers(text));
        }
    }

    #[test]
    fn names_and_parts_are_not_numbers() {
        for (text, number) in [("BK25", 25.0), ("125", 25.0), ("25.5", 25.0), ("1,250", 250.0), ("5-3", -3.0)] {
            assert!(!numbers(text).contains(&number), "{text}: {:?}", numbers(text));
        }
    }
}
