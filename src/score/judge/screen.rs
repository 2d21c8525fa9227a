//! Answers that need no judge: none, nothing in it, an opening phrase alone, a stock refusal. Pure.
//!
//! Judges are known to pass content-free texts ("Thought process:", a lone colon) and to be talked round by them, so
//! these are decided by code.

use std::sync::LazyLock;

use regex::Regex;

use super::{Kind, reasoning};
use crate::display::excerpt;
use crate::transcript::{Transcript, View};

/// Phrases that open an answer and are none (after Zhao et al. 2025, arXiv 2507.08794).
const OPENERS: [&str; 16] = [
    "thought process",
    "let's solve this problem step by step",
    "let's solve this step by step",
    "let's think step by step",
    "let me think",
    "let me think about this",
    "let me check",
    "one moment",
    "solution",
    "answer",
    "the answer is",
    "final answer",
    "reasoning",
    "解",
    "かいせつ",
    "respuesta",
];

static REFUSAL: LazyLock<Regex> = LazyLock::new(|| {
    let sorry =
        r"(?:(?:i'm|i am) (?:very |so )?sorry|sorry|i apologi[sz]e|unfortunately)?[,.;:]?\s*(?:but )?";
    let cannot =
        r"(?:as an ai[^,.]{0,40},\s*)?i(?:'m| am)? ?(?:can't|cannot|can not|won't|unable to|not able to)";
    let help = r"(?: (?:help|assist|comply|do that|continue|answer that|fulfill)[^.!?]{0,40})?";
    Regex::new(&format!(r"(?i)^{sorry}{cannot}{help}[.!]?$")).expect("the pattern is constant")
});

static ABOUT_REFUSING: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)refus|declin|reject|den(?:y|ies|ied)|cannot|can't|unable|not (?:able|allowed|permitted)|permission|does not|doesn't|without|apolog|sorry").expect("the pattern is constant")
});

/// What the answer is, when no judge is needed to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Empty {
    /// There is no answer, or nothing in it: every criterion fails.
    Nothing {
        /// For a person; safe to show.
        why: String,
        /// The event, if there is one.
        event: Option<u32>,
    },
    /// A stock refusal and nothing else: statements about what the answer does fail, unless they are about refusing.
    Refusal {
        /// For a person; safe to show.
        why: String,
        /// The event.
        event: u32,
    },
}

/// Looks at the answer to the last turn.
pub fn look(transcript: &Transcript) -> Option<Empty> {
    let Some((seq, answer)) = View::of(transcript).answer() else {
        return Some(Empty::Nothing { why: "there is no answer to judge".to_owned(), event: None });
    };
    let answer = &*reasoning::without(answer);
    let nothing = |why: String| Some(Empty::Nothing { why, event: Some(seq) });
    if !answer.chars().any(char::is_alphanumeric) {
        return nothing(format!("there is nothing in the answer: `{}`", excerpt(answer, 40)));
    }
    let plain = answer.replace('’', "'");
    // Markdown around an opening phrase makes no answer of it.
    let words = plain.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    if OPENERS.contains(&words.as_str()) {
        return nothing(format!(
            "the answer is an opening phrase and nothing else: `{}`",
            excerpt(answer, 60)
        ));
    }
    let refuses = plain.len() <= 200 && REFUSAL.is_match(plain.trim());
    refuses.then(|| Empty::Refusal {
        why: format!("the answer is a refusal and nothing else: `{}`", excerpt(answer, 100)),
        event: seq,
    })
}

impl Empty {
    /// Why a criterion fails without a judge, with its evidence; `None` when the judge must decide.
    pub fn settles(&self, kind: Kind, statement: &str) -> Option<(&str, Option<u32>)> {
        match self {
            Self::Nothing { why, event } => Some((why, *event)),
            Self::Refusal { .. } if kind == Kind::MustNot => None,
            Self::Refusal { .. } if ABOUT_REFUSING.is_match(statement) => None,
            Self::Refusal { why, event } => Some((why, Some(*event))),
        }
    }
}
