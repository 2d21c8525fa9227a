//! What an answer must say: the short values of a result that stay the same when it is asked for again. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::naming;

/// How deep results are looked into, and how many values at most.
const DEPTH: usize = 6;
const MOST: usize = 200;
/// Values further back than this may not reach the answer.
const EARLY: usize = 1200;

/// A value that an answer can be held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A number.
    Number(serde_json::Number),
}

impl Fact {
    /// As the suite's expectation.
    pub fn check(&self) -> Value {
        match self {
            Self::Text(text) => serde_json::json!({"answer_contains": text}),
            Self::Number(number) => serde_json::json!({"answer_numbers": [number]}),
        }
    }

    /// As it stands in texts.
    fn said(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// The facts that two results of one call share, the most telling first. What the call already says, and what tells the
/// day (`today` as `2026-11-28`), is none.
pub fn stable(first: &Value, second: &Value, args: &Value, today: &str) -> Vec<Fact> {
    let mut again = vec![];
    collect("", second, DEPTH, &mut again);
    let again: BTreeSet<String> = again.iter().map(|(_, fact, _)| fact.said()).collect();
    let mut found = vec![];
    collect("", first, DEPTH, &mut found);
    let args = args.to_string().to_lowercase();
    let said = |fact: &Fact| args.contains(&fact.said().to_lowercase());
    found.retain(|(_, fact, _)| {
        again.contains(&fact.said()) && !said(fact) && !tells_time(&fact.said(), today)
    });
    found.sort_by_key(|(worth, _, place)| (std::cmp::Reverse(*worth), *place));
    let mut facts: Vec<Fact> = vec![];
    for (_, fact, _) in found {
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}

/// The facts that a model proposed, as far as the words of both results hold them and the prompt does not.
pub fn confirmed(proposed: &[String], words: &[String; 2], prompt: &str) -> Vec<Fact> {
    let texts = words.each_ref().map(|text| text.to_lowercase());
    let holds = |fact: &&String| {
        let fact = fact.trim().to_lowercase();
        fact.chars().count() >= 2
            && fact.chars().count() <= 80
            && !fact.chars().any(crate::display::is_unsafe)
            && texts.iter().all(|text| text.contains(&fact))
            && !prompt.to_lowercase().contains(&fact)
    };
    proposed.iter().filter(holds).map(|fact| Fact::Text(fact.trim().to_owned())).take(3).collect()
}

fn collect(key: &str, value: &Value, depth: usize, into: &mut Vec<(u32, Fact, usize)>) {
    if depth == 0 || into.len() >= MOST {
        return;
    }
    let place: usize = into.iter().map(|(_, fact, _)| fact.said().len() + 10).sum();
    if place > EARLY {
        return;
    }
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(key, value, depth - 1, into)),
        Value::Array(items) => items.iter().for_each(|value| collect(key, value, depth - 1, into)),
        Value::String(text) => {
            for line in text.lines().map(str::trim).filter(|line| is_telling(line)).take(20) {
                into.push((worth(key, line), Fact::Text(line.to_owned()), place));
            }
        }
        // Small whole numbers are in every text.
        Value::Number(number) if number.to_string().len() >= 2 => {
            into.push((1, Fact::Number(number.clone()), place));
        }
        _ => {}
    }
}

fn worth(key: &str, text: &str) -> u32 {
    const NAMING: [&str; 8] = ["title", "name", "status", "label", "author", "summary", "subject", "city"];
    let named = NAMING.iter().any(|word| key.to_lowercase().contains(word));
    if named {
        3
    } else if text.contains(' ') || text.len() <= 12 {
        2
    } else {
        1
    }
}

/// Whether a text is short, of one line, and more than chance would put into an answer.
fn is_telling(text: &str) -> bool {
    let length = text.chars().count();
    (3..=60).contains(&length)
        && text.chars().any(char::is_alphanumeric)
        && !text.contains("://")
        && !text.starts_with(['{', '[', '<', '|', '#', '-', '*'])
        // Paths are those of this machine.
        && !text.starts_with(['/', '~'])
        && !text.contains('\\')
        && !text.chars().any(|c| c.is_control() || crate::display::is_unsafe(c) || "`*_".contains(c))
        && !naming::names(text, "true")
        && !naming::names(text, "false")
}

/// Whether a text holds today's date or a time of day.
fn tells_time(text: &str, today: &str) -> bool {
    let clock = text
        .as_bytes()
        .windows(5)
        .any(|five| five[2] == b':' && [0, 1, 3, 4].iter().all(|&at| five[at].is_ascii_digit()));
    clock || text.contains(today)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TODAY: &str = "2026-11-28";

    #[test]
    fn what_stays_the_same_and_was_not_said_is_a_fact() {
        let first = json!({"id": 1042, "nonce": "abc123", "title": "Solaris", "total": 28.4, "n": 1, "arrives": "2026-12-05",
            "asked": "2026-11-28", "at": "at 12:30:11", "link": "https://x.example", "ok": true});
        let mut second = first.clone();
        second["nonce"] = json!("def456");
        let facts = stable(&first, &second, &json!({"id": 1042}), TODAY);
        let said: Vec<String> = facts.iter().map(Fact::said).collect();
        assert_eq!(said, ["Solaris", "2026-12-05", "28.4"]);
        assert_eq!(facts[0].check(), json!({"answer_contains": "Solaris"}));
        assert_eq!(facts[2].check(), json!({"answer_numbers": [28.4]}));
    }

    #[test]
    fn plain_text_gives_its_short_lines() {
        let text = json!("The sum of 7 and 5 is 12.\n```\n# head\n\u{202e}evil text");
        let facts = stable(&text, &text, &json!({}), TODAY);
        assert_eq!(facts, [Fact::Text("The sum of 7 and 5 is 12.".to_owned())]);
        assert!(stable(&json!("a b c"), &json!("d e f"), &json!({}), TODAY).is_empty());
    }

    #[test]
    fn a_proposed_fact_must_be_in_both_results() {
        let result = r#"{"title": "Solaris", "by": "Lem"}"#.to_owned();
        let proposed = ["Solaris".to_owned(), "Kindred".to_owned(), "Lem".to_owned(), "x".to_owned()];
        let facts = confirmed(&proposed, &[result.clone(), result.clone()], "What did Lem write?");
        assert_eq!(facts, [Fact::Text("Solaris".to_owned())]);
        assert!(confirmed(&proposed, &[result, String::new()], "").is_empty());
    }
}
