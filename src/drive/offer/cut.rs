//! What is left of a text that is larger than a client passes on. Pure; cuts are made between characters.

use crate::mcp::profile::{CutAction, SizeLimit, TextCut, Unit};

/// What a model sees of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The text with its marks.
    pub text: String,
    /// Bytes of the original that are gone.
    pub cut: u64,
    /// The pieces of the original that stay: from its beginning and from its end, in bytes.
    pub kept: (usize, usize),
    /// Whether an error stands in its place.
    pub is_error: bool,
}

/// The size of a text. Tokens are estimated at four characters each.
pub fn size(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Bytes => text.len(),
        Unit::Chars => text.chars().count(),
        Unit::Tokens => text.chars().count().div_ceil(4),
    }
}

/// The limit that a text exceeds, if any.
pub fn exceeded<'a>(text: &str, limits: &'a [SizeLimit]) -> Option<&'a SizeLimit> {
    limits.iter().find(|limit| size(text, limit.unit) > limit.over)
}

/// Applies a limit that is exceeded. `file` is the path that the client would name.
pub fn apply(text: &str, limit: &SizeLimit, file: &str) -> Left {
    let unit = limit.unit;
    let whole = size(text, unit);
    let keep = |head: usize, tail: usize| {
        let head = before(text, head, unit);
        let tail = after(text, tail, unit).max(head);
        (head, tail)
    };
    let ((head, tail), mark) = match limit.then {
        CutAction::Head => {
            (keep(limit.over, 0), format!("\n[cut: {} of {} shown]", limit.over, counted(whole, unit)))
        }
        CutAction::Tail => (
            keep(0, limit.over),
            format!("[cut: the last {} of {} shown]\n", limit.over, counted(whole, unit)),
        ),
        CutAction::Middle => {
            let (head, tail) = keep(limit.over / 2, limit.over / 2);
            let gone = size(&text[head..tail], Unit::Tokens);
            ((head, tail), format!("…{gone} tokens truncated…"))
        }
        CutAction::HeadTail { head, tail } => (
            keep(head, tail),
            format!(
                "\n[... {} left out ...]\n",
                counted(whole.saturating_sub(head.saturating_add(tail)), unit)
            ),
        ),
        CutAction::HeadTailFile { head, tail } => {
            let gone = counted(whole.saturating_sub(head.saturating_add(tail)), unit);
            (keep(head, tail), format!("\n[... {gone} left out, the whole output is in {file} ...]\n"))
        }
        CutAction::File { preview } => {
            let about = counted(whole, unit);
            (keep(preview, 0), format!("\n[the output is too large: {about}; it was saved to {file}]"))
        }
        CutAction::Error => {
            let (about, most) = (counted(whole, unit), limit.over);
            (
                keep(0, 0),
                format!(
                    "error: the result is too large: {about}, at most {most} are allowed; it was saved to {file}"
                ),
            )
        }
    };
    Left {
        text: format!("{}{mark}{}", &text[..head], &text[tail..]),
        cut: (tail - head) as u64,
        kept: (head, text.len() - tail),
        is_error: limit.then == CutAction::Error,
    }
}

/// A text cut at its end, with the mark behind the cut; `None` when it fits.
pub fn shortened(text: &str, rule: &TextCut) -> Option<String> {
    (text.chars().count() > rule.max)
        .then(|| format!("{}{}", text.chars().take(rule.max).collect::<String>(), rule.mark))
}

fn counted(number: usize, unit: Unit) -> String {
    match unit {
        Unit::Bytes => format!("{number} bytes"),
        Unit::Chars => format!("{number} characters"),
        Unit::Tokens => format!("about {number} tokens"),
    }
}

/// Where the first so many units end, in bytes.
fn before(text: &str, number: usize, unit: Unit) -> usize {
    let chars = match unit {
        Unit::Bytes => return text.floor_char_boundary(number.min(text.len())),
        Unit::Chars => number,
        Unit::Tokens => number.saturating_mul(4),
    };
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

/// Where the last so many units begin, in bytes.
fn after(text: &str, number: usize, unit: Unit) -> usize {
    let chars = match unit {
        Unit::Bytes => return text.ceil_char_boundary(text.len().saturating_sub(number)),
        Unit::Chars => number,
        Unit::Tokens => number.saturating_mul(4),
    };
    let all = text.chars().count();
    before(text, all.saturating_sub(chars), Unit::Chars)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(over: usize, unit: Unit, then: CutAction) -> SizeLimit {
        SizeLimit { over, unit, then }
    }

    #[test]
    fn each_action_keeps_what_it_says() {
        let text = "0123456789é";
        let cut = |then| apply(text, &limit(4, Unit::Chars, then), "f.txt");
        assert_eq!(cut(CutAction::Head).kept, (4, 0));
        assert_eq!(cut(CutAction::Tail).kept, (0, 5), "the last character has two bytes");
        assert_eq!(cut(CutAction::Middle).text, "01…2 tokens truncated…9é");
        assert_eq!(
            cut(CutAction::HeadTail { head: 1, tail: 2 }).text,
            "0\n[... 8 characters left out ...]\n9é"
        );
        let file = cut(CutAction::HeadTailFile { head: 1, tail: 2 });
        assert!(file.text.contains("f.txt") && file.text.starts_with('0') && file.text.ends_with("9é"));
        assert_eq!(file.cut, 8);
        let preview = cut(CutAction::File { preview: 3 });
        assert!(preview.text.starts_with("012\n[") && preview.text.contains("11 characters"));
        let error = cut(CutAction::Error);
        assert!(error.is_error && error.text.contains("at most 4") && error.cut == 12);
    }

    #[test]
    fn a_text_at_the_limit_is_left_alone() {
        let limits = [limit(25, Unit::Tokens, CutAction::Error), limit(50, Unit::Chars, CutAction::Head)];
        assert_eq!(exceeded(&"x".repeat(50), &limits), None);
        assert_eq!(exceeded(&"x".repeat(51), &limits), Some(&limits[1]));
        assert_eq!(exceeded(&"x".repeat(101), &limits), Some(&limits[0]));
        assert_eq!(size("éé", Unit::Bytes), 4);
    }

    #[test]
    fn descriptions_are_cut_with_a_mark() {
        let rule = TextCut { max: 2, mark: "…".to_owned() };
        assert_eq!(shortened("éé", &rule), None);
        assert_eq!(shortened("ééé", &rule).as_deref(), Some("éé…"));
    }

    proptest! {
        #[test]
        fn nothing_is_counted_twice(text in "\\PC{0,40}", over in 0usize..20, head in 0usize..15, tail in 0usize..15) {
            let actions = [
                CutAction::Head, CutAction::Tail, CutAction::Middle, CutAction::HeadTail { head, tail },
                CutAction::File { preview: head }, CutAction::HeadTailFile { head, tail }, CutAction::Error,
            ];
            for then in actions {
                for unit in [Unit::Bytes, Unit::Chars, Unit::Tokens] {
                    let left = apply(&text, &limit(over, unit, then), "f");
                    prop_assert_eq!(left.kept.0 + left.kept.1 + left.cut as usize, text.len());
                }
            }
        }
    }
}
