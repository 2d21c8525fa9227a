//! Several attempts under one question: each is looked at alone, the first bad one decides. Pure.

use super::Seen;
use super::reading::{Exchange, control, control_if_any, labelled};
use crate::auth::answer::{Answer, messages};
use crate::transcript::{HttpSide, Transcript};

/// What stands before the label of every such attempt; the rest of it, up to the method, says what was sent.
pub(super) const WITH: &str = "with ";

/// What one attempt shows.
pub(super) enum Ruling {
    /// As it should be.
    Fine,
    /// Not as it should be: what came instead.
    Bad(String),
    /// Not to be told from this answer.
    Open,
}

/// What an attempt sent, in the words of its label.
pub(super) fn sent<'a>(exchange: &Exchange<'a>) -> &'a str {
    let label = exchange.label.strip_prefix(WITH).unwrap_or(exchange.label);
    label.rsplit_once(": ").map_or(label, |(what, _)| what)
}

/// Applies a rule to every attempt between two uses of the good token.
pub(super) fn each(transcript: &Transcript, rule: fn(&Exchange<'_>) -> Ruling) -> Seen {
    match control(transcript) {
        Ok(_) => ruled(transcript, rule),
        Err(seen) => seen,
    }
}

/// The same for attempts that also run without anybody who is let in.
pub(super) fn each_if_any(transcript: &Transcript, rule: fn(&Exchange<'_>) -> Ruling) -> Seen {
    match control_if_any(transcript) {
        Ok(_) => ruled(transcript, rule),
        Err(seen) => seen,
    }
}

fn ruled(transcript: &Transcript, rule: fn(&Exchange<'_>) -> Ruling) -> Seen {
    let (mut seqs, mut told, mut open): (Vec<u32>, Vec<(String, Vec<&str>)>, _) = (vec![], vec![], None);
    for exchange in labelled(transcript, WITH) {
        let (what, answer) = (sent(&exchange), exchange.answer());
        match rule(&exchange) {
            Ruling::Bad(why) => return Seen::Broken(format!("{what} {why}"), vec![exchange.seq]),
            Ruling::Open => open = open.or(Some(format!("{what} got {answer}"))),
            Ruling::Fine => {}
        }
        seqs.push(exchange.seq);
        let answer = said(&exchange);
        match told.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, whats)) => whats.push(what),
            None => told.push((answer, vec![what])),
        }
    }
    let told: Vec<String> =
        told.iter().map(|(answer, whats)| format!("{} got {answer}", whats.join(", "))).collect();
    match (open, seqs.is_empty()) {
        (Some(why), _) => Seen::Inconclusive(why),
        (None, true) => Seen::Inconclusive("the probe was not sent".to_owned()),
        (None, false) => Seen::Holds(told.join("; "), seqs),
    }
}

/// An answer in words, the code of its JSON-RPC error included.
fn said(exchange: &Exchange<'_>) -> String {
    match (exchange.answer(), exchange.side().and_then(error_code)) {
        (Answer::Denied(denial), Some(code)) if !denial.to_string().contains("JSON-RPC") => {
            format!("{denial} and {code}")
        }
        (answer, _) => answer.to_string(),
    }
}

/// The code of the JSON-RPC error in an answer, whatever its status.
pub(super) fn error_code(side: &HttpSide) -> Option<i64> {
    messages(side).iter().find_map(|message| message.pointer("/error/code")?.as_i64())
}
