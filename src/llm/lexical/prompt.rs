//! The user's newest words: what kind of sentence they are, and the values in them, each with its place.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::tokenise::{Word, is_stop, words};

/// A value in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// The value, without quotes.
    pub(super) text: String,
    /// What it looks like.
    pub(super) shape: Shape,
    /// Its bytes in the prompt.
    pub(super) at: Range<usize>,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An address of a page.
    Uri,
    /// An e-mail address.
    Email,
    /// A day, or a day and a time, in ISO 8601.
    Date,
    /// Text in quotation marks.
    Quoted,
    /// Letters and digits in one piece, such as `ORD-17`.
    Identifier,
    /// A number.
    Number,
    /// Words with capital letters inside a sentence.
    Name,
    /// The text after a colon.
    Tail,
}

/// The prompt, taken apart.
pub(super) struct Prompt<'a> {
    /// As it is.
    pub(super) text: &'a str,
    /// Its words in order.
    pub(super) words: Vec<Word>,
    /// The stems that say what it is about.
    pub(super) stems: BTreeSet<String>,
    /// Whether something is asked for, rather than ordered to be done.
    pub(super) asks: bool,
    /// The values in it, in order.
    pub(super) spans: Vec<Span>,
}

/// Words that ask for something to be looked up, as stems.
pub(super) const RETRIEVAL: &[&str] = &[
    "brows", "check", "describ", "fetch", "find", "get", "giv", "know", "list", "look", "lookup", "query",
    "read", "retriev", "search", "see", "show", "tel", "view",
];

/// Words of one prompt that are searched for.
const MOST_TELLING: usize = 20;

/// Values of one prompt that are looked at.
const MOST_SPANS: usize = 200;

/// Words that open a question.
const OPENERS: &[&str] = &[
    "am", "are", "can", "could", "did", "do", "does", "has", "have", "how", "is", "was", "were", "what",
    "what's", "when", "where", "which", "who", "whose", "why", "will",
];

impl<'a> Prompt<'a> {
    /// Takes a text apart. Only its first 20,000 bytes are looked at.
    pub(super) fn of(text: &'a str) -> Self {
        let text = &text[..text.floor_char_boundary(20_000)];
        let words = words(text);
        let opener = words.first().is_some_and(|word| OPENERS.contains(&word.text.to_lowercase().as_str()));
        let retrieves = words.iter().any(|word| RETRIEVAL.contains(&word.stem.as_str()));
        let digits = |word: &Word| word.text.bytes().all(|byte| byte.is_ascii_digit());
        let stems = words.iter().filter(|w| !w.is_stop() && !digits(w)).map(|w| w.stem.clone()).collect();
        let spans = spans(text, &words);
        Self { text, asks: opener || retrieves || text.contains('?'), words, stems, spans }
    }

    /// The words before a place, nearest first.
    pub(super) fn before(&self, at: usize) -> impl Iterator<Item = &Word> {
        self.words.iter().rev().filter(move |word| word.end <= at)
    }

    /// The words after a place, nearest first.
    pub(super) fn after(&self, at: usize) -> impl Iterator<Item = &Word> {
        self.words.iter().filter(move |word| word.start >= at)
    }

    /// The stems that tell most of what it is about, in order, as words to search for: those of content words but for
    /// the ones that only ask for a look, unless there are no others.
    pub(super) fn telling(&self) -> String {
        let mut stems: Vec<&str> = Vec::new();
        for word in self.words.iter().filter(|word| self.stems.contains(&word.stem)) {
            if !stems.contains(&word.stem.as_str()) {
                stems.push(&word.stem);
            }
        }
        let telling: Vec<&str> = stems.iter().copied().filter(|stem| !RETRIEVAL.contains(stem)).collect();
        let chosen = if telling.is_empty() { stems } else { telling };
        chosen.into_iter().take(MOST_TELLING).collect::<Vec<_>>().join(" ")
    }

    /// The content words that are neither in `known` (stems) nor inside a place in `used`, as written.
    pub(super) fn rest(&self, known: &BTreeSet<String>, used: &[Range<usize>]) -> String {
        let rest = self.words.iter().filter(|word| {
            !word.is_stop()
                && !known.contains(&word.stem)
                && !RETRIEVAL.contains(&word.stem.as_str())
                && !used.iter().any(|at| at.contains(&word.start))
        });
        rest.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($text).expect("the pattern is fixed and tested"));
    };
}

pattern!(URI, r#"\b[a-z][a-z0-9+.-]*://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]]"#);
pattern!(EMAIL, r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b");
pattern!(ISO_DATE, r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b");
pattern!(
    LONG_DATE,
    r"(?i)\b(?:(\d{1,2})(?:st|nd|rd|th)?(?: of)? (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*,? (\d{4})|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (\d{4}))\b"
);
pattern!(QUOTED, "\"([^\"\n]+)\"|“([^”\n]+)”|«([^»\n]+)»|`([^`\n]+)`|(?:^|[\\s(])'([^'\n]+)'");
pattern!(IDENTIFIER, r"\b(?:[A-Za-z]+[-_/]?[A-Za-z]*\d[\w-]*|\d+[A-Za-z_-]+\w*|[\w-]*[0-9a-f]{8}-[\w-]+)\b");
pattern!(NUMBER, r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?");
pattern!(TAIL, r":\s+(\S[^\n]*)");

fn spans(text: &str, words: &[Word]) -> Vec<Span> {
    let mut spans: Vec<Span> = vec![];
    let free = |spans: &[Span], at: &Range<usize>| {
        !spans.iter().any(|span| span.at.start < at.end && at.start < span.at.end)
    };
    for (pattern, shape) in [
        (&URI, Shape::Uri),
        (&EMAIL, Shape::Email),
        (&ISO_DATE, Shape::Date),
        (&LONG_DATE, Shape::Date),
        (&QUOTED, Shape::Quoted),
        (&IDENTIFIER, Shape::Identifier),
        (&NUMBER, Shape::Number),
    ] {
        for found in pattern.captures_iter(text) {
            let Some(whole) = found.get(0) else { continue };
            let inner = match shape {
                Shape::Quoted => (1..=5).find_map(|group| found.get(group)).unwrap_or(whole),
                _ => whole,
            };
            let value = match shape {
                Shape::Number => signed(text, inner.start(), inner.as_str()),
                Shape::Date => iso(&found).unwrap_or_else(|| inner.as_str().to_owned()),
                _ => inner.as_str().to_owned(),
            };
            if free(&spans, &inner.range()) {
                spans.push(Span { text: value, shape, at: inner.range() });
            }
        }
    }
    for span in names(text, words) {
        if free(&spans, &span.at) {
            spans.push(span);
        }
    }
    if let Some(tail) = TAIL.captures(text).and_then(|found| found.get(1)) {
        spans.push(Span { text: tail.as_str().trim_end().to_owned(), shape: Shape::Tail, at: tail.range() });
    }
    spans.sort_by_key(|span| span.at.start);
    spans.truncate(MOST_SPANS);
    spans
}

fn signed(text: &str, start: usize, digits: &str) -> String {
    let mut before = text[..start].chars().rev();
    let minus = before.next() == Some('-') && before.next().is_none_or(|c| c.is_whitespace() || c == '(');
    format!("{}{}", if minus { "-" } else { "" }, digits.replace(',', ""))
}

/// `28 November 2026` and `November 28, 2026` as `2026-11-28`.
fn iso(found: &regex::Captures<'_>) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let group =
        |a: usize, b: usize| found.get(a).or_else(|| found.get(b)).map(|text| text.as_str().to_lowercase());
    let (day, month, year) = (group(1, 5)?, group(2, 4)?, group(3, 6)?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    Some(format!("{year}-{month:02}-{:02}", day.parse::<u32>().ok()?))
}

/// Runs of capitalised words. The first word of a sentence is capitalised anyway, so it says nothing.
fn names(text: &str, words: &[Word]) -> Vec<Span> {
    let capital = |index: usize| {
        let word: &Word = &words[index];
        let lead = text[..word.start].trim_end_matches(['"', '“', '\'', '(', ' ', '\n']);
        // The full stop of an initial ends no sentence.
        let initial = index > 0 && words[index - 1].text.chars().count() == 1 && lead.ends_with('.');
        let opens = lead.is_empty() || (lead.ends_with(['.', '!', '?']) && !initial);
        word.text.chars().next().is_some_and(char::is_uppercase) && !opens && !is_stop(&word.text)
    };
    let joined =
        |a: &Word, b: &Word| matches!(&text[a.end..b.start], " " | "-" | ". " | "." | " & " | "/" | "_");
    let mut names = vec![];
    let mut index = 0;
    while index < words.len() {
        if !capital(index) {
            index += 1;
            continue;
        }
        let first = index;
        while index + 1 < words.len() && joined(&words[index], &words[index + 1]) && capital(index + 1) {
            index += 1;
        }
        let at = words[first].start..words[index].end;
        let name = text[at.clone()].trim_end_matches("'s").trim_end_matches("’s").to_owned();
        names.push(Span { at: at.start..at.start + name.len(), text: name, shape: Shape::Name });
        index += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        Prompt::of(text).spans.iter().map(|span| format!("{:?} {}", span.shape, span.text)).collect()
    }

    #[test]
    fn values_are_found_with_their_shapes() {
        assert_eq!(found("My order 1042 has not come."), ["Number 1042"]);
        assert_eq!(
            found("Cancel #77, it is -3.5 degrees or 1,200.50"),
            ["Number 77", "Number -3.5", "Number 1200.50"]
        );
        assert_eq!(
            found("Anything by Ursula K. Le Guin? And from Oslo?"),
            ["Name Ursula K. Le Guin", "Name Oslo"]
        );
        assert_eq!(
            found("Mail a.b@example.org the \"big news\" 'now then'"),
            ["Email a.b@example.org", "Quoted big news", "Quoted now then"]
        );
        assert_eq!(
            found("open https://example.org/x?y=1, ticket ORD-17"),
            ["Uri https://example.org/x?y=1", "Identifier ORD-17"]
        );
        assert_eq!(
            found("on 2026-11-28 or 28 November 2026 or Nov 3, 2026"),
            ["Date 2026-11-28", "Date 2026-11-28", "Date 2026-11-03"]
        );
        assert_eq!(found("Add a note: buy milk"), ["Tail buy milk"]);
        assert_eq!(found("the time in America/New_York now"), ["Name America/New_York"]);
    }

    #[test]
    fn questions_and_orders_differ() {
        for text in ["When does it come?", "Show me the list", "do you have it", "I want to know more"] {
            assert!(Prompt::of(text).asks, "{text}");
        }
        assert!(!Prompt::of("Cancel it.").asks);
    }

    #[test]
    fn long_prompts_are_cut_at_a_character() {
        let long = "é".repeat(30_000);
        assert!(Prompt::of(&long).text.len() <= 20_000);
    }
}
