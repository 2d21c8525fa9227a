//! How likely a model found each word that a field of its JSON answer could hold, by the log probabilities of its tokens.
//! Pure but for `willing`.
//!
//! A field is found by parsing the answer, never by searching for a word in it. What is left is a number per word and
//! nothing of the tokens: a secret that a model repeats in pieces would be recognised in none of them. Whatever does not
//! fit (tokens that are not those of the text, a field that occurs twice, a log probability above 0) means: not known.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

mod members;
mod willing;

use members::Members;
pub(super) use willing::willing;

/// Tokens of an answer that are read; a longer one has no odds.
pub(super) const MOST_TOKENS: usize = 16_384;
/// Alternatives of a token that an API gives at most.
pub(super) const MOST_TOP: usize = 20;
/// How far rounding may lift a probability, or the sum of some, above 1.
const ROUNDING: f64 = 1e-3;

/// Fields of a JSON answer whose odds are wanted, all of one set of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Weigh {
    /// Alternatives of each token to ask for, from 1 to 20.
    pub top: u8,
    /// JSON pointers to the fields (RFC 6901), of keys without `/` and `~`.
    pub fields: Vec<String>,
    /// What each of them may hold, written without escapes.
    pub words: Vec<String>,
}

/// For each pointer the natural logarithm of the probability of each word; a word that had none is left out.
pub type Odds = BTreeMap<String, BTreeMap<String, f64>>;

/// A token that was chosen, and what stood beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Token {
    /// What the model wrote.
    pub(super) chosen: Choice,
    /// The likeliest tokens in its place; the chosen one may be among them.
    pub(super) top: Vec<Choice>,
}

/// What could stand in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Choice {
    /// Its bytes: a token may end in the middle of a character.
    pub(super) bytes: Vec<u8>,
    /// The natural logarithm of its probability.
    pub(super) logprob: f64,
}

impl Choice {
    /// Its probability; `None` for a number that cannot be the logarithm of one.
    fn probability(&self) -> Option<f64> {
        (self.logprob <= ROUNDING).then(|| self.logprob.min(0.0).exp())
    }
}

/// The odds of every field that can be found and weighed.
pub(super) fn of(weigh: Option<&Weigh>, text: Option<&str>, tokens: &[Token]) -> Odds {
    let (Some(weigh), Some(text)) = (weigh, text) else { return Odds::new() };
    let Some(placed) = placed(text, tokens) else { return Odds::new() };
    let one = |pointer: &String| {
        let field = Field { text, words: &weigh.words, value: value(text, pointer)? };
        Some((pointer.clone(), field.weighed(&placed)?))
    };
    weigh.fields.iter().filter_map(one).collect()
}

/// Each token with the place in the text where it begins; `None` when they do not make up the text. What some servers
/// report beyond its end, as the mark that ends an answer, is left out.
fn placed<'a>(text: &str, tokens: &'a [Token]) -> Option<Vec<(usize, &'a Token)>> {
    let mut rest = text.as_bytes();
    let mut placed = vec![];
    for token in tokens {
        if rest.is_empty() {
            break;
        }
        placed.push((text.len() - rest.len(), token));
        rest = rest.strip_prefix(token.chosen.bytes.as_slice())?;
    }
    (rest.is_empty() && !text.is_empty()).then_some(placed)
}

/// Where the text of a string stands, between its quotes; `None` when it is no string, or a key is missing or twice.
fn value(text: &str, pointer: &str) -> Option<Range<usize>> {
    let mut json = text;
    for key in pointer.strip_prefix('/')?.split('/') {
        json = serde_json::from_str::<Members<'_>>(json).ok()?.only(key)?;
    }
    // What was parsed is a part of the text itself.
    let start = json.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    Some(start + 1..start + 1 + inner.len())
}

/// A field with its words.
struct Field<'a> {
    text: &'a str,
    words: &'a [String],
    value: Range<usize>,
}

impl Field<'_> {
    /// The logarithm of each word's probability. Of the word that was written: that of all of its tokens one after the
    /// other. Of another one: that of the tokens with which the model could have begun it at some point on this way.
    fn weighed(&self, placed: &[(usize, &Token)]) -> Option<BTreeMap<String, f64>> {
        let written = self.words.iter().find(|word| **word == self.text[self.value.clone()])?;
        let mut masses: BTreeMap<&String, f64> = BTreeMap::new();
        let mut way = 1.0;
        for (begin, token) in placed {
            let end = begin + token.chosen.bytes.len();
            if end <= self.value.start || *begin >= self.value.end {
                continue;
            }
            let own = token.chosen.probability()?;
            let mut sum = own;
            for other in token.top.iter().filter(|other| other.bytes != token.chosen.bytes) {
                let mass = other.probability()?;
                sum += mass;
                if let Some(word) = self.word(*begin, &other.bytes) {
                    *masses.entry(word).or_default() += way * mass;
                }
            }
            if sum > 1.0 + ROUNDING {
                return None;
            }
            way *= own;
        }
        *masses.entry(written).or_default() += way;
        let masses = masses.into_iter().filter(|(_, mass)| *mass > 0.0);
        Some(masses.map(|(word, mass)| (word.clone(), mass.ln().min(0.0))).collect())
    }

    /// The one word that a token in this place begins, goes on with or holds; `None` for none and for several.
    fn word(&self, begin: usize, bytes: &[u8]) -> Option<&String> {
        let text = self.text.as_bytes();
        let start = self.value.start;
        let (known, fresh) = match begin < start {
            true => (&b""[..], bytes.strip_prefix(&text[begin..start])?),
            false => (&text[start..begin], bytes),
        };
        if fresh.is_empty() {
            return None;
        }
        let so_far = [known, fresh].concat();
        let mut fitting = self.words.iter().filter(|word| {
            let closed = format!("{word}\"");
            so_far.starts_with(closed.as_bytes()) || closed.as_bytes().starts_with(&so_far)
        });
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

#[cfg(test)]
mod tests;
