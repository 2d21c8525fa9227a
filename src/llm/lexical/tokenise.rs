//! Text becomes words and stems: identifiers split, plurals and `-ing`/`-ed` forms cut. English only, no dictionary.

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// As written.
    pub(super) text: String,
    /// Its stem.
    pub(super) stem: String,
    /// First byte.
    pub(super) start: usize,
    /// Byte after the last.
    pub(super) end: usize,
}

impl Word {
    /// Whether it only holds a sentence together.
    pub(super) fn is_stop(&self) -> bool {
        is_stop(&self.text)
    }
}

/// The words of a text in order. `get_order`, `getOrder` and `get-order` are two words each; an apostrophe belongs to
/// its word.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut words = vec![];
    let mut start = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let inside = c.is_alphanumeric() || (matches!(c, '\'' | '’') && before.is_alphanumeric());
        let camel = c.is_uppercase() && before.is_lowercase();
        if let Some(from) = start.filter(|_| !inside || camel) {
            push(&mut words, text, from, at);
            start = None;
        }
        if inside && start.is_none() {
            start = Some(at);
        }
        before = c;
    }
    if let Some(from) = start {
        push(&mut words, text, from, text.len());
    }
    words
}

fn push(words: &mut Vec<Word>, text: &str, start: usize, end: usize) {
    let written = text[start..end].trim_end_matches(['\'', '’']);
    let (start, end) = (start, start + written.len());
    words.push(Word { text: written.to_owned(), stem: stem(written), start, end });
}

/// The stems of a text without stop words and numbers.
pub fn terms(text: &str) -> Vec<String> {
    let content = |word: &Word| !word.is_stop() && !word.text.bytes().all(|byte| byte.is_ascii_digit());
    words(text).into_iter().filter(content).map(|word| word.stem).collect()
}

/// A light stem: lower case, no plural, no `-ing` or `-ed`, no final `e`, no doubled final consonant.
pub(super) fn stem(word: &str) -> String {
    let mut stem = word.to_lowercase();
    if let Some(head) = stem.strip_suffix("'s").or_else(|| stem.strip_suffix("’s")) {
        stem = head.to_owned();
    }
    if !stem.is_ascii() {
        return stem;
    }
    if stem.len() > 4 && stem.ends_with("ies") {
        stem.truncate(stem.len() - 3);
        stem.push('y');
    } else if stem.ends_with("sses") || (stem.len() > 4 && (stem.ends_with("xes") || stem.ends_with("ches")))
    {
        stem.truncate(stem.len() - 2);
    } else if stem.len() > 3
        && stem.ends_with('s')
        && !["ss", "us", "is"].iter().any(|end| stem.ends_with(end))
    {
        stem.truncate(stem.len() - 1);
    }
    for (suffix, least) in [("ing", 6), ("ed", 5)] {
        let vowel = |head: &str| head.bytes().any(|byte| b"aeiouy".contains(&byte));
        if stem.len() >= least && stem.strip_suffix(suffix).is_some_and(vowel) {
            stem.truncate(stem.len() - suffix.len());
            break;
        }
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.truncate(stem.len() - 1);
    }
    let tail = stem.as_bytes();
    if let [.., before, last] = tail
        && stem.len() > 3
        && before == last
        && !b"aeiou".contains(last)
    {
        stem.truncate(stem.len() - 1);
    }
    stem
}

/// Whether a word only holds a sentence together.
pub(super) fn is_stop(word: &str) -> bool {
    if word.len() > LONGEST_STOP {
        return false;
    }
    if word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return STOP.binary_search(&word).is_ok();
    }
    let lower = word.to_lowercase().replace('’', "'");
    STOP.binary_search(&lower.as_str()).is_ok()
}

/// Bytes of the longest stop word, with room for a typographic apostrophe.
const LONGEST_STOP: usize = 12;

/// English function words and courtesies, sorted.
#[rustfmt::skip]
const STOP: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "anything", "are", "aren't", "as", "at",
    "be", "because", "been", "before", "being", "but", "by", "can", "can't", "cannot", "could", "did", "didn't", "do",
    "does", "doesn't", "doing", "don't", "each", "else", "ever", "every", "everything", "for", "from", "had", "has",
    "hasn't", "have", "haven't", "he", "hello", "her", "here", "hers", "hi", "him", "his", "how", "i", "i'd", "i'll",
    "i'm", "i've", "if", "in", "into", "is", "isn't", "it", "it's", "its", "just", "kindly", "let", "like", "many",
    "may", "me", "might", "mine", "more", "most", "much", "must", "my", "need", "no", "not", "nothing", "now", "of",
    "off", "ok", "on", "one", "ones", "only", "or", "other", "our", "ours", "out", "over", "please", "shall", "she",
    "should", "so", "some", "something", "such", "than", "thank", "thanks", "that", "that's", "the", "their", "them",
    "then", "there", "these", "they", "this", "those", "to", "too", "under", "until", "up", "upon", "us", "very",
    "want", "was", "wasn't", "we", "were", "what", "what's", "when", "where", "where's", "whether", "which", "while",
    "who", "whom", "whose", "why", "will", "with", "without", "won't", "would", "yes", "yet", "you", "your", "yours",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_split() {
        let texts = |text: &str| words(text).into_iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(texts("get_order getOrder get-order"), ["get", "order", "get", "Order", "get", "order"]);
        assert_eq!(texts("What's Ursula's “Tehanu”, 12?"), ["What's", "Ursula's", "Tehanu", "12"]);
        assert_eq!(texts("größeÄndern"), ["größe", "Ändern"]);
    }

    #[test]
    fn forms_of_a_word_meet() {
        for forms in [
            &["order", "orders", "ordered", "ordering"][..],
            &["cancel", "cancels", "cancelled", "canceled", "cancelling"],
            &["place", "placed", "placing", "places"],
            &["city", "cities"],
            &["ship", "shipping", "shipped"],
            &["address", "addresses"],
            &["book", "book's", "Books"],
        ] {
            for form in forms {
                assert_eq!(stem(form), stem(forms[0]), "{form}");
            }
        }
        assert_ne!(stem("king"), stem("k"));
        assert_eq!(stem("status"), "status");
    }

    #[test]
    fn stop_words_are_sorted_so_that_they_are_found() {
        assert!(STOP.is_sorted());
        assert!(STOP.iter().all(|word| word.len() <= LONGEST_STOP));
        assert!(is_stop("Don’t") && is_stop("The") && !is_stop("book"));
    }
}
