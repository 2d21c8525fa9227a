//! Secrets in running texts: found by their form or by where they stand, and never written.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::forms::ANYWHERE;

/// What stands in the place of a secret.
pub const MARK: &str = "[secret]";

/// Values that stand where secrets stand: `kept` stays, `value` goes.
#[rustfmt::skip]
static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    let places = [
        r#"(?<scheme>(?i:\b(?:bearer|basic)\s+))(?<credential>[A-Za-z0-9._~+/=-]{12,})"#,
        r#"(?<name>(?i:(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|client[_-]?secret|token)["']?\s*[:=]\s*["']?))(?<value>[^\s"'&,;}\]\[]{6,})"#,
        r"(?<user>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)(?<password>[^\s/@]+)(?:@)",
    ];
    Regex::new(&places.join("|")).expect("the pattern is constant")
});

/// The text without what looks like a secret; `None` when nothing does.
pub fn masked(text: &str) -> Option<String> {
    let formed = ANYWHERE.replace_all(text, MARK);
    let placed = PLACES.replace_all(&formed, |found: &Captures<'_>| {
        let group = |name: &str| found.name(name).map(|group| group.as_str());
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        let pairs = [("scheme", "credential"), ("name", "value"), ("user", "password")];
        let (kept, value) = pairs
            .iter()
            .find_map(|(kept, value)| Some((group(kept)?, group(value)?)))
            .unwrap_or((whole, "["));
        // What is filled in at run time, and what was masked already, are no secrets; nor are the words of a sentence on
        // basic authentication.
        let filled = ["${", "{{", "["].iter().any(|start| value.starts_with(start));
        let prose =
            group("scheme").is_some() && value.chars().skip(1).all(|c| c.is_lowercase() || "-.".contains(c));
        if filled || prose {
            return whole.to_owned();
        }
        format!("{kept}{MARK}{}", if whole.ends_with('@') { "@" } else { "" })
    });
    (placed != text).then(|| placed.into_owned())
}

/// Masks every text of a value; whether there was anything to mask.
pub fn mask(value: &mut Value) -> bool {
    match value {
        Value::String(text) => match masked(text) {
            Some(clean) => {
                *text = clean;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |found, item| mask(item) | found),
        Value::Object(map) => map.values_mut().fold(false, |found, item| mask(item) | found),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_goes() {
        for text in [
            "use sk-proj-abcdefghijklmnopqrstuv please",
            "ghp_abcdefghijklmnopqrstuvwxyz012345",
            "Authorization: Bearer abcdef0123456789",
            "basic YWJjZGVmMDEy",
            "the password: hunter2hunter2",
            "postgres://me:s3cr3t-word@db/x",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            "https://x/mcp?token=abcdef012345",
        ] {
            let clean = masked(text).unwrap_or_else(|| panic!("{text}"));
            assert!(clean.contains(MARK), "{clean}");
            for part in [
                "hunter2hunter2",
                "s3cr3t-word",
                "abcdef012345",
                "abcdefghijklm",
                "c2lnbmF0",
                "YWJj",
                "\nabc",
            ] {
                assert!(!clean.contains(part), "{clean}");
            }
            assert_eq!(masked(&clean), None, "once is enough: {clean}");
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "Which token limit does the tool have?",
            "order 1042 of 28 November",
            "https://example.com/mcp",
            "Bearer ${MCP_TOKEN}",
            "token={{env.MCP_TOKEN}}",
            "the key to success: patience",
            "task-management-of-the-week",
            "It takes basic authentication, or a bearer confirmation.",
            "password: abc",
            "postgres://me@db/x",
        ] {
            assert_eq!(masked(text), None, "{text}");
        }
    }

    #[test]
    fn texts_are_masked_wherever_they_stand_in_a_value() {
        let mut value = serde_json::json!({"a": ["fine", {"b": "token=abcdef012345"}], "n": 1});
        assert!(mask(&mut value));
        assert_eq!(value, serde_json::json!({"a": ["fine", {"b": "token=[secret]"}], "n": 1}));
        assert!(!mask(&mut value), "once is enough");
    }
}
