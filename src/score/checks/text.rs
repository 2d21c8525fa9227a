//! Texts folded for comparison, and patterns with bounded cost. Pure.

use regex::{Regex, RegexBuilder};

/// Most bytes of a compiled regular expression: far beyond any honest one.
const PATTERN_BYTES: usize = 1 << 20;

/// The longest pattern or path that is looked at, in bytes.
pub(super) const LONGEST: usize = 2_000;

/// Compiles a regular expression of a suite with bounded memory. The message is one line.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    let wrong = |why: &str| {
        let shown = crate::display::excerpt(pattern, 60);
        Err(format!("`{shown}` is not a regular expression: {why}"))
    };
    if pattern.len() > LONGEST {
        return wrong("it is too long");
    }
    match RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build() {
        Ok(regex) => Ok(regex),
        // The crate draws the expression first; its last line says what is wrong.
        Err(error) => {
            let text = error.to_string();
            wrong(text.lines().last().unwrap_or_default().trim_start_matches("error: "))
        }
    }
}

/// The text with runs of white space as one space, typographic quotes, dashes and ellipses as plain ones, without
/// zero-width characters, soft hyphens, bold marks (`**`) and backticks. Case stays.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '`' => {}
            '‘' | '’' | '‚' | '‛' | '′' => out.push('\''),
            '“' | '”' | '„' | '‟' | '″' | '«' | '»' => out.push('"'),
            '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => out.push('-'),
            '…' => out.push_str("..."),
            // `char::is_whitespace` covers the no-break and narrow spaces.
            c if c.is_whitespace() => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.replace("**", "").trim().to_owned()
}

/// [`plain`] without case.
pub(super) fn folded(text: &str) -> String {
    // Lower of upper folds `ß`/`ss` and final sigma, which lower alone does not.
    plain(text).to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typography_white_space_and_case_do_not_matter() {
        assert_eq!(
            folded("It’s\u{a0}due **28\n November** – “really”…"),
            "it's due 28 november - \"really\"..."
        );
        assert_eq!(folded("STRASSE"), folded("straße"));
        assert_eq!(plain("zero\u{200b}width `code`"), "zerowidth code");
    }

    #[test]
    fn patterns_are_bounded_and_explained() {
        assert!(regex("a{1000}{1000}").is_err());
        insta::assert_snapshot!(regex("(").unwrap_err(), @"`(` is not a regular expression: unclosed group");
    }
}
