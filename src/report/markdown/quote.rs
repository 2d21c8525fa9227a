//! Words of others in Markdown: code spans and fences that nothing inside can leave.

use crate::display;

/// A code span that nothing inside can leave.
pub(in crate::report) fn code(text: &str) -> String {
    let line = display::safe_line(text);
    if line.trim().is_empty() {
        return "` `".to_owned();
    }
    let ticks = "`".repeat(longest_run(&line) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{line}{pad}{ticks}")
}

/// A code span in a table. A pipe ends a cell even inside a code span, and escapes can themselves be escaped, so it is
/// replaced.
pub(in crate::report) fn cell(text: &str) -> String {
    code(&text.replace('|', "¦"))
}

/// A code block that nothing inside can leave.
pub(super) fn fence(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    format!("{ticks}text\n{text}\n{ticks}\n\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_code_span_or_a_fence() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("``"), "``` `` ```");
        assert_eq!(cell("a|b"), "`a¦b`");
        assert_eq!(fence("x\n````\ny"), "`````text\nx\n````\ny\n`````\n\n");
        assert_eq!(code(""), "` `");
    }
}
