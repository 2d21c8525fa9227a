//! JSON for other programs that keeps texts as they were, in bytes that do nothing: every character that could act on a
//! terminal or reorder text, and every start of a CI runner's command, is written as an escape of JSON. A reader gets
//! the text back to the last character.

use std::io::{self, Write};

use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::{ReportError, json};
use crate::display;

/// Writes a value on one line, without the line feed.
pub(super) fn write(format: &'static str, value: &Value, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut serializer = Serializer::with_formatter(out, Inert(CompactFormatter));
    serde::Serialize::serialize(value, &mut serializer).map_err(|error| json::failed(format, error))
}

/// Compact, and inert.
struct Inert(CompactFormatter);

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let (mut kept, mut before) = (0, ' ');
        for (at, c) in fragment.char_indices() {
            // `##[` and its kind count anywhere in a line of a log.
            if display::is_unsafe(c) || (c == '#' && before == '#') {
                self.0.write_string_fragment(writer, &fragment[kept..at])?;
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
                kept = at + c.len_utf8();
            }
            before = c;
        }
        self.0.write_string_fragment(writer, &fragment[kept..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_inert_and_texts_exact() {
        let hostile = "a\u{1b}[31m\u{9b}\u{202e}\u{e0041}\u{feff}\r\n::error::x ##[group] ### \"q\" \\ 😀";
        let value = serde_json::json!({hostile: [hostile, 1.5, null]});
        let mut bytes = vec![];
        write("test", &value, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.chars().any(display::is_unsafe), "{text}");
        assert!(!text.contains("##") && !text.contains('\n'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
