//! Secrets that stand in files of others: found by their shape, and never written.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What stands in the place of a secret.
pub(super) const MARK: &str = "[secret]";

/// Values whose form says that they are secrets.
#[rustfmt::skip]
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"\b(?:sk|pk|rk)[-_](?:[A-Za-z0-9]+[-_])*[A-Za-z0-9_-]{16,}",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"\bhf_[A-Za-z0-9]{20,}",
        r"\bnpm_[A-Za-z0-9]{20,}",
        r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    ];
    Regex::new(&shapes.join("|")).expect("the pattern is constant")
});

/// Values that stand where secrets stand: the first group is kept, the second goes.
#[rustfmt::skip]
static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    let places = [
        r#"((?i:\b(?:bearer|basic)\s+))([A-Za-z0-9._~+/=-]{12,})"#,
        r#"((?i:(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|client[_-]?secret|token)["']?\s*[:=]\s*["']?))([^\s"'&,;}\]\[]{6,})"#,
        r"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)([^\s/@]+)(?:@)",
    ];
    Regex::new(&places.join("|")).expect("the pattern is constant")
});

/// Names under which secrets stand.
static NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)key|token|secret|passw|auth|cred|cookie|session|dsn|jwt|bearer|private|(?:^|_)pat(?:$|_)|signature")
        .expect("the pattern is constant")
});

/// The text without what looks like a secret; `None` when nothing does.
pub(super) fn masked(text: &str) -> Option<String> {
    let shaped = SHAPES.replace_all(text, MARK);
    let placed = PLACES.replace_all(&shaped, |found: &Captures<'_>| {
        let group = |at: usize| found.get(at).map(|group| group.as_str());
        let (kept, value) = match (group(1), group(3), group(5)) {
            (Some(kept), ..) => (kept, group(2)),
            (_, Some(kept), _) => (kept, group(4)),
            (_, _, kept) => (kept.unwrap_or_default(), group(6)),
        };
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        // What is filled in at run time, and what was masked already, are no secrets.
        if value
            .is_some_and(|value| value.starts_with("${") || value.starts_with("{{") || value.starts_with('['))
        {
            return whole.to_owned();
        }
        format!("{kept}{MARK}{}", if whole.ends_with('@') { "@" } else { "" })
    });
    (placed != text).then(|| placed.into_owned())
}

/// Whether something under this name is a secret, whatever it looks like.
pub(super) fn is_secret_name(name: &str) -> bool {
    NAMES.is_match(name)
}

/// Masks every text of a value; whether there was anything to mask. Values under names of secrets go whole.
pub(super) fn mask(value: &mut Value) -> bool {
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
            "the password: hunter2hunter2",
            "postgres://me:s3cr3t-word@db/x",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            "https://x/mcp?token=abcdef012345",
        ] {
            let clean = masked(text).unwrap_or_else(|| panic!("{text}"));
            assert!(clean.contains(MARK), "{clean}");
            for part in
                ["hunter2hunter2", "s3cr3t-word", "abcdef012345", "abcdefghijklm", "c2lnbmF0", "\nabc"]
            {
                assert!(!clean.contains(part), "{clean}");
            }
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "Which token limit does the tool have?",
            "order 1042 of 28 November",
            "https://example.com/mcp",
            "Bearer ${MCP_TOKEN}",
            "the key to success: patience",
            "task-management-of-the-week",
        ] {
            assert_eq!(masked(text), None, "{text}");
        }
    }
}
