//! The one function through which every untrusted byte passes before a person sees it.
//!
//! Tool output, model text, server names and error bodies are hostile: they may carry terminal escapes, bidirectional
//! overrides, zero-width characters or CI commands. [`safe`] makes them visible marks. Structured formats (XML, HTML,
//! Markdown, CSV) escape on top of it.

use std::borrow::Cow;
use std::path::Path;

/// Replaces every character that could act on a terminal, reorder text or hide in it by a visible mark, and breaks up
/// CI runner commands (`##[`, `##vso[`, `##teamcity[`). Line feeds and tabs stay; carriage returns do not.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) && !text.contains("##") && !text.contains("::") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\u{1b}' => out.push('␛'),
            '\u{7f}' => out.push('␡'),
            c if (c as u32) < 0x20 && c != '\n' && c != '\t' => {
                // U+2400 is the block of control pictures, in the order of the control codes.
                out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'));
            }
            c if is_unsafe(c) => out.push_str(&format!("<U+{:04X}>", c as u32)),
            c => out.push(c),
        }
    }
    Cow::Owned(
        out.replace("##[", "#\u{2060}#[")
            .replace("##vso[", "#\u{2060}#vso[")
            .replace("##teamcity[", "#\u{2060}#teamcity[")
            .replace("\u{2060}", "·")
            .lines_with_commands_broken(),
    )
}

/// The same on one line: line feeds and tabs become visible marks as well.
pub fn safe_line(text: &str) -> String {
    safe(text).replace('\n', "␊").replace('\t', "␉")
}

/// A path as people write it: on one line, and without a `./` before it.
pub fn path(path: &Path) -> String {
    let short = path.strip_prefix(".").ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path);
    safe_line(&short.display().to_string())
}

/// At most `limit` characters of [`safe_line`], with `…` where something was left out.
pub fn excerpt(text: &str, limit: usize) -> String {
    // Only a bounded head is looked at, so a megabyte of output costs nothing here.
    let head: String = text.chars().take(limit + 1).collect();
    let line = safe_line(&head);
    if line.chars().count() <= limit {
        return line;
    }
    let mut short: String = line.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// An [`excerpt`] of a text that is redacted only later: it never ends inside a word, because half a secret would not be
/// recognised any more.
pub fn whole_words(text: &str, limit: usize) -> String {
    let Some((cut, next)) = text.char_indices().nth(limit) else { return excerpt(text, limit) };
    let in_word = |c: char| c.is_alphanumeric() || "-_.~+/=%".contains(c);
    let head = &text[..cut];
    let kept = if in_word(next) { head.trim_end_matches(in_word) } else { head };
    excerpt(&format!("{kept}…"), limit)
}

/// Whether a character could act on a terminal, reorder text or hide in it.
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e007f}')
}

trait Commands {
    fn lines_with_commands_broken(self) -> String;
}

impl Commands for String {
    /// `::error::` and its kind count at the start of a line, after trimmed white space.
    fn lines_with_commands_broken(self) -> String {
        if !self.contains("::") {
            return self;
        }
        self.split('\n')
            .map(|line| {
                if line.trim_start().starts_with("::") {
                    line.replacen("::", ":·:", 1)
                } else {
                    line.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_as_people_write_them() {
        for (written, wanted) in [
            ("./reports/a.sqlite", "reports/a.sqlite"),
            ("reports", "reports"),
            ("../x", "../x"),
            ("/x", "/x"),
            (".", "."),
            (".hidden", ".hidden"),
            ("./a\nb\u{1b}", "a␊b␛"),
        ] {
            assert_eq!(path(Path::new(written)), wanted);
        }
    }

    #[test]
    fn escapes_become_visible() {
        assert_eq!(safe("\u{1b}]0;title\u{7}"), "␛]0;title␇");
        assert_eq!(safe("a\rb"), "a␍b");
        assert_eq!(safe("\u{202e}gpj.exe"), "<U+202E>gpj.exe");
        assert_eq!(safe("plain — text ✓"), "plain — text ✓");
        assert_eq!(safe("\u{9b}31m"), "<U+009B>31m");
    }

    #[test]
    fn ci_commands_are_broken() {
        assert_eq!(safe("x ##[error]boo"), "x #·#[error]boo");
        assert_eq!(safe("  ::error file=a::boo\nstd::vec"), "  :·:error file=a::boo\nstd::vec");
    }

    #[test]
    fn excerpts_are_bounded() {
        assert_eq!(excerpt("a\nb", 10), "a␊b");
        assert_eq!(excerpt("abcdef", 4), "abc…");
    }

    #[test]
    fn an_excerpt_before_redaction_never_ends_inside_a_word() {
        assert_eq!(whole_words("short", 10), "short");
        assert_eq!(whole_words("key: sk-abcdefghijklmnop", 12), "key: …");
        assert_eq!(whole_words("key: sk-abc defghijklmnop", 11), "key: sk-ab…");
        assert_eq!(whole_words("sk-abcdefghijklmnop", 12), "…");
    }
}
