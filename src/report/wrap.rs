//! Text into lines of a width. Widths are those of terminal cells, so wide characters count two.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many terminal cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// How many cells a character adds to a text at most.
fn cells(c: char) -> usize {
    match c {
        // It makes the character before it an emoji, which takes two.
        '\u{fe0f}' => 1,
        _ => c.width().unwrap_or(0),
    }
}

/// The text in at most `limit` cells, with `…` where something was left out.
pub fn fit(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    if limit == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = cells(c);
        if used + next + 1 > limit {
            break;
        }
        out.push(c);
        used += next;
    }
    out.push('…');
    out
}

/// The text in lines of at most `limit` cells, each after a prefix: `first` once, `rest` from then on. Words longer than
/// a line are broken. Prefixes count; there is always room for ten cells of text.
pub fn lines(text: &str, limit: usize, [first, rest]: [&str; 2]) -> Vec<String> {
    let mut out = vec![];
    let mut line = String::new();
    let room = |out: &Vec<String>| {
        let prefix = if out.is_empty() { first } else { rest };
        limit.saturating_sub(width(prefix)).max(10)
    };
    let close = |out: &mut Vec<String>, line: &mut String| {
        let prefix = if out.is_empty() { first } else { rest };
        out.push(format!("{prefix}{}", std::mem::take(line)).trim_end().to_owned());
    };
    for paragraph in text.split('\n') {
        for word in paragraph.split(' ') {
            let mut word = word;
            let gap = usize::from(!line.is_empty());
            if width(&line) + gap + width(word) > room(&out) && !line.is_empty() {
                close(&mut out, &mut line);
            }
            while width(word) > room(&out) {
                let (head, tail) = split_at_width(word, room(&out));
                line.push_str(head);
                close(&mut out, &mut line);
                word = tail;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        close(&mut out, &mut line);
    }
    out
}

fn split_at_width(word: &str, limit: usize) -> (&str, &str) {
    let mut used = 0;
    for (index, c) in word.char_indices() {
        used += cells(c);
        if used > limit && index > 0 {
            return word.split_at(index);
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(lines("one two three", 12, ["a ", "b "]), ["a one two", "b three"]);
        assert_eq!(lines("abcdefghijklmno", 12, ["", "> "]), ["abcdefghijkl", "> mno"]);
        assert_eq!(lines("a\nb", 20, ["- ", "  "]), ["- a", "  b"]);
        assert_eq!(lines("", 20, ["- ", "  "]), ["-"]);
    }

    #[test]
    fn wide_characters_count_two() {
        assert_eq!(fit("東京都庁", 5), "東京…");
        assert_eq!(fit("plain", 5), "plain");
        assert_eq!(fit("*\u{fe0f}*\u{fe0f}*", 4), "*\u{fe0f}*…");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_limit(text in "\\PC{0,80}", limit in 14_usize..60) {
            for line in lines(&text, limit, ["xx ", "yy "]) {
                proptest::prop_assert!(width(&line) <= limit, "{line:?}");
            }
        }
    }
}
