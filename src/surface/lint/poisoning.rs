//! Texts that talk to the model behind people's backs.

use std::sync::LazyLock;

use regex::Regex;

use super::{Hit, texts};
use crate::display::{self, excerpt};
use crate::surface::Listed;

/// Orders that no description of a tool has a reason to give. English: the attacks that were published are.
static ORDERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    any_of(&[
        r"\b(ignore|disregard|forget|override)\s+(all\s+|any\s+|the\s+|your\s+|of\s+)*(previous|prior|above|earlier|other|system|user'?s?)\s+\w*\s*(instruction|prompt|rule|message|request|guideline)s?",
        r"\b(do\s+not|don'?t|never|without)\s+(ever\s+)?(tell|telling|mention|mentioning|inform|informing|reveal|revealing|show|showing|notify|notifying|alert|alerting)\s+(this\s+|it\s+|anything\s+)*(to\s+)?(the\s+)?(user|human|person|anyone|anybody)",
        r"\b(before|prior\s+to)\s+(using|calling|invoking)\s+(any|every|all|each)\s+(other\s+)?tools?\b",
        r"\b(always|must|first)\s+(read|open|load|cat|include|send|pass|forward|append)\b[^.]{0,60}\b(conversation|chat\s+history|system\s+prompt|api\s+keys?|credentials?|password|private\s+key|ssh)\b",
        r"\b(reveal|print|repeat|output|send|include)\s+(me\s+)?(your|the)\s+(full\s+|entire\s+|whole\s+)?system\s+prompt\b",
        r"</?\s*(important|system|secret|hidden|instructions?|admin|assistant)\s*>",
        r"\bpretend\s+(that\s+)?(you|this|the\s+user)\b",
        r"\byou\s+are\s+now\s+(a|an|in|the)\b",
        r"(^|\n)\s*(system|assistant|developer)\s*:",
        r"\b(secretly|covertly|silently)\s+(send|forward|copy|include|call|read|use|add|append)\b",
    ])
});

/// Files that hold secrets, as attacks name them.
static PATHS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    any_of(&[
        r"[~/.\\]\.?ssh[/\\]",
        r"\bid_(rsa|ed25519|ecdsa|dsa)\b",
        r"/etc/(passwd|shadow)\b",
        r"\.aws[/\\]credentials",
        r"\.cursor[/\\]mcp\.json",
        r"\bmcp\.json\b",
        r"claude_desktop_config\.json",
        r"(^|[\s'`(/])\.env\b",
        r"\.netrc\b",
        r"\.git-credentials\b",
        r"\.npmrc\b",
        r"\.kube[/\\]config",
        r"\.docker[/\\]config\.json",
    ])
});

/// Any of these patterns, in either case.
fn any_of(patterns: &[&str]) -> Option<Regex> {
    Regex::new(&format!("(?i)({})", patterns.join(")|("))).ok()
}

static COMMENT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)<!--.{0,2000}?(-->|$)").ok());

/// Long enough that no word and no identifier is.
static ENCODED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/_-]{100,}={0,2}").ok());

fn found(listed: &Listed<'_>, wanted: &LazyLock<Option<Regex>>) -> Vec<Hit> {
    let Some(wanted) = wanted.as_ref() else { return vec![] };
    texts::each(listed, |text| {
        Some(format!("it says `{}`", excerpt(wanted.find(text)?.as_str().trim(), 100)))
    })
}

pub(super) fn instructions(listed: &Listed<'_>) -> Vec<Hit> {
    found(listed, &ORDERS)
}

pub(super) fn secret_paths(listed: &Listed<'_>) -> Vec<Hit> {
    found(listed, &PATHS)
}

pub(super) fn markup(listed: &Listed<'_>) -> Vec<Hit> {
    found(listed, &COMMENT)
}

pub(super) fn encoded(listed: &Listed<'_>) -> Vec<Hit> {
    found(listed, &ENCODED)
}

/// Whether a character takes no room and is read all the same. Joiners inside words of scripts and emoji are let be.
fn is_invisible(c: char) -> bool {
    let joins = matches!(c, '\u{200c}' | '\u{200d}');
    let selects = matches!(c, '\u{e0100}'..='\u{e01ef}');
    // Line ends of other systems are no secret.
    (display::is_unsafe(c) && !joins && c != '\r')
        || selects
        || matches!(c, '\u{3164}' | '\u{115f}' | '\u{1160}' | '\u{ffa0}')
}

pub(super) fn invisible(listed: &Listed<'_>) -> Vec<Hit> {
    texts::each(listed, |text| {
        let hidden: Vec<char> = text.chars().filter(|c| is_invisible(*c)).collect();
        let first = hidden.first()?;
        // Tag characters are ASCII in disguise, so what they hide can be said.
        let spelled: String = hidden
            .iter()
            .filter_map(|c| char::from_u32((*c as u32).checked_sub(0xe0000)?))
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .collect();
        let says = if spelled.is_empty() {
            String::new()
        } else {
            format!("; they spell `{}`", excerpt(&spelled, 100))
        };
        Some(format!("{} of them, the first U+{:04X}{says}", hidden.len(), *first as u32))
    })
}
