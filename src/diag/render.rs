//! Diagnostic and source text to an excerpt with a caret. Pure.

use super::{Diagnostic, Origin, Severity};
use crate::display;

/// Where the text of a named file comes from; `None` when it is not at hand.
pub type Sources<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The diagnostic as a person reads it: message, place, excerpt with caret, hints.
pub fn render(diagnostic: &Diagnostic, sources: Sources<'_>) -> String {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut out = format!("{word}[{}]: {}\n", diagnostic.code, display::safe(&diagnostic.message));
    if let Some(at) = &diagnostic.at {
        excerpt(&mut out, "-->", at, sources);
    }
    for (at, remark) in &diagnostic.also {
        out.push_str(&format!("  note: {}\n", display::safe_line(remark)));
        excerpt(&mut out, "-->", at, sources);
    }
    for hint in &diagnostic.hints {
        out.push_str(&format!("  hint: {}\n", display::safe_line(hint)));
    }
    out
}

/// Appends a place and, when its text is at hand, the line with a caret under the token.
pub fn excerpt(out: &mut String, arrow: &str, at: &Origin, sources: Sources<'_>) {
    out.push_str(&format!("  {arrow} {at}\n"));
    let Some(text) = sources(&at.file) else { return };
    let Some(line) = text.lines().nth(at.line.saturating_sub(1) as usize) else { return };
    let column = at.column.saturating_sub(1) as usize;
    // A long line is shown as a window around the column, so a 10 MB line stays one screen line.
    let start = column.saturating_sub(60);
    let window: String =
        line.chars().skip(start).take(100).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let shown = display::safe_line(&window);
    let number = at.line.to_string();
    let pad = " ".repeat(number.len());
    let token = line
        .chars()
        .skip(column)
        .take_while(|c| c.is_alphanumeric() || "_-.$".contains(*c))
        .count()
        .clamp(1, 40);
    let lead: usize = line
        .chars()
        .skip(start)
        .take(column - start)
        .map(|c| display::safe_line(&c.to_string()).chars().count())
        .sum();
    out.push_str(&format!(
        "{pad} |\n{number} | {shown}\n{pad} | {}{}\n",
        " ".repeat(lead),
        "^".repeat(token)
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Diagnostic;

    #[test]
    fn caret_stands_under_the_token() {
        let at = Origin { file: "suites/a.yaml".into(), line: 2, column: 12 };
        let diagnostic = Diagnostic::error("suite.unknown-name", at, "unknown persona `clerc`")
            .hint("did you mean `clerk`?");
        let text = render(&diagnostic, &|_| Some("cases:\n  persona: clerc\n".to_owned()));
        assert_eq!(
            text,
            "error[suite.unknown-name]: unknown persona `clerc`\n  --> suites/a.yaml:2:12\n  |\n2 |   persona: clerc\n  |            ^^^^^\n  hint: did you mean `clerk`?\n"
        );
    }
}
