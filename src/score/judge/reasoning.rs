//! Private reasoning inside a candidate's text: local models put it between tags instead of into a field of its own.
//! Pure. The judge never sees it, because rewritten reasoning alone turns judges round.

use std::borrow::Cow;

/// Tags around reasoning, as open models write them.
const TAGS: [(&str, &str); 6] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("[THINK]", "[/THINK]"),
];

/// The text without what stands between reasoning tags. A tag that is never closed takes the rest of the text with it;
/// one that was never opened takes what stands before it, since the opening one is often part of the model's template.
pub(super) fn without(text: &str) -> Cow<'_, str> {
    if TAGS.iter().all(|(open, close)| find(text, open).is_none() && find(text, close).is_none()) {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_owned();
    for (open, close) in TAGS {
        loop {
            let (start, end) = (find(&text, open), find(&text, close));
            match (start, end) {
                (Some(start), Some(_)) | (Some(start), None) if end.is_none_or(|end| start < end) => {
                    let rest = start + open.len();
                    let end = find(&text[rest..], close).map_or(text.len(), |at| rest + at + close.len());
                    text.replace_range(start..end, "");
                }
                (_, Some(end)) => text.replace_range(..end + close.len(), ""),
                (_, None) => break,
            }
        }
    }
    Cow::Owned(text.trim_start().to_owned())
}

/// Where a tag stands, whatever its case.
fn find(text: &str, tag: &str) -> Option<usize> {
    let first = tag.chars().next()?;
    let matches = |at: usize| {
        text.as_bytes()[at..].get(..tag.len()).is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    };
    text.match_indices(first).map(|(at, _)| at).find(|at| matches(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_goes_and_words_stay() {
        for (text, left) in [
            ("It arrives on Friday.", "It arrives on Friday."),
            ("<think>They want a date.</think>\nFriday.", "Friday."),
            ("a<THINK>b</think>c<think>d</Think>e", "ace"),
            ("Friday.<think>and the rest is cut off", "Friday."),
            ("the opening tag was in the template</think> Friday.", "Friday."),
            ("<|channel|>analysis<|message|>hm<|end|>Friday.", "Friday."),
            ("a </think> b <think> c </think> d", "b d"),
            ("x < y, i.e. <thin>", "x < y, i.e. <thin>"),
        ] {
            let found = without(text);
            assert_eq!(
                found.split_whitespace().collect::<Vec<_>>(),
                left.split_whitespace().collect::<Vec<_>>(),
                "{text}"
            );
        }
    }

    #[test]
    fn letters_of_many_bytes_are_no_trouble() {
        assert_eq!(without("é<think>ü</think>ß"), "éß");
        assert_eq!(without("é<thinkü"), "é<thinkü");
    }
}
