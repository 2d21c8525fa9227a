//! JSON with comments and trailing commas, as editors write it, to JSON. Every byte keeps its place, so that the line and
//! column of a mistake are those of the file. Pure.

/// The text with spaces where comments and commas before a closing bracket stood.
pub fn to_json(text: &str) -> String {
    let mut out: Vec<u8> = text.as_bytes().to_vec();
    // A comma may trail a value only: `[,]` is no list.
    let (mut at, mut comma, mut valued): (usize, Option<usize>, bool) = (0, None, false);
    while at < out.len() {
        match (out[at], out.get(at + 1)) {
            (b'"', _) => {
                (comma, valued) = (None, true);
                at = after_text(&out, at);
            }
            (b'/', Some(b'/')) => {
                let end = out[at..].iter().position(|&byte| byte == b'\n').map_or(out.len(), |len| at + len);
                at = blank(&mut out, at, end);
            }
            (b'/', Some(b'*')) => {
                let end = out[at + 2..].windows(2).position(|two| two == b"*/");
                // One that is never closed stays, so that the reader says where it begins.
                let Some(len) = end else { break };
                at = blank(&mut out, at, at + 2 + len + 2);
            }
            (b',', _) => {
                comma = Some(at).filter(|_| valued);
                valued = false;
                at += 1;
            }
            (b'}' | b']', _) => {
                if let Some(comma) = comma.take() {
                    out[comma] = b' ';
                }
                valued = true;
                at += 1;
            }
            (byte, _) => {
                if !byte.is_ascii_whitespace() {
                    (comma, valued) = (None, !matches!(byte, b'{' | b'[' | b':'));
                }
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The byte behind a text that begins here.
fn after_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Spaces in place of everything but line feeds; the end.
fn blank(bytes: &mut [u8], from: usize, to: usize) -> usize {
    for byte in &mut bytes[from..to] {
        if *byte != b'\n' && *byte != b'\r' {
            *byte = b' ';
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Option<Value> {
        serde_json::from_str(&to_json(text)).ok()
    }

    #[test]
    fn comments_and_trailing_commas_are_read_over() {
        let text = "// head\n{ /* ü */ \"a\": \"// no comment\", // é\n \"b\": [1, 2, /* x */ ], \"c\": \"a\\\"/*\", }\n";
        assert_eq!(read(text), Some(json!({"a": "// no comment", "b": [1, 2], "c": "a\"/*"})));
        assert_eq!(to_json(text).len(), text.len());
        let wrong = "{\n  // one\n  \"a\": nope\n}";
        let error = serde_json::from_str::<Value>(&to_json(wrong)).unwrap_err();
        assert_eq!(error.line(), 3);
    }

    #[test]
    fn a_comma_trails_values_only() {
        assert_eq!(read("[[1,], {\"a\": [],},]"), Some(json!([[1], {"a": []}])));
        for wrong in ["[,]", "{,}", "[1,,]", "{\"a\":,}", "[,1]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["{,}x", "/* open", "{\"a", "\"\\", "[1,,]", "", "[,1]", "/"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn plain_json_stays_as_it_is(text in ".*", list in prop::collection::vec(".*", 0..4)) {
            let _ = to_json(&text);
            let plain = serde_json::to_string_pretty(&json!({"list": list, text: 1})).unwrap();
            prop_assert_eq!(to_json(&plain), plain);
        }
    }
}
