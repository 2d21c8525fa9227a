//! What assertions come to, whoever made them: the good ones a token, the others one certain error. Pure.

use super::desk::{exchange, stopped};
use super::outcome::{refused, tokens};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::transcript::{HttpSide, Transcript};

/// What is expected.
pub(super) struct Wanted {
    /// Of what kind the assertions are.
    pub(super) kind: &'static str,
    /// The error for a bad one.
    pub(super) error: &'static str,
    /// The statuses that go with it.
    pub(super) statuses: &'static [u16],
    /// Why there may be no exchange at all.
    pub(super) unasked: &'static str,
}

pub(super) fn judge(transcript: &Transcript, wanted: &Wanted) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    for label in ["control before: token", "control after: token"] {
        match exchange(transcript, label) {
            Some(one) if tokens(one.response).is_some() => {}
            Some(one) => {
                let got = one.side().map_or("no answer", |side| side.start.as_str());
                return Seen::Inconclusive(format!("a good {} itself got {got} ({label})", wanted.kind));
            }
            None => return Seen::Inconclusive(wanted.unasked.to_owned()),
        }
    }
    let all: Vec<_> = labelled(transcript, "attempt: ").collect();
    let what = |label: &str| format!("an {} {}", wanted.kind, label.trim_start_matches("attempt: "));
    // A token is worse than a refusal in other words.
    if let Some(one) = all.iter().find(|one| tokens(one.response).is_some()) {
        return Seen::Broken(format!("{} got a token", what(one.label)), vec![one.seq]);
    }
    for one in &all {
        match one.side().filter(|_| refused(one.response) == Some(true)) {
            None => return Seen::Inconclusive(format!("{} got no answer that decides", what(one.label))),
            Some(side) if is_as_wanted(side, wanted) => {}
            Some(side) => {
                let got = format!("{} `{}`", side.status().unwrap_or_default(), said(side));
                let statuses: Vec<String> = wanted.statuses.iter().map(u16::to_string).collect();
                let instead = format!("{} `{}`", statuses.join(" or "), wanted.error);
                let text = format!("{} got {got}, not {instead}", what(one.label));
                return Seen::Broken(text, vec![one.seq]);
            }
        }
    }
    let seqs = all.iter().map(|one| one.seq).collect();
    Seen::Holds(format!("{} bad {}s were refused", all.len(), wanted.kind), seqs)
}

/// The error of an answer, as far as it can be shown.
pub(super) fn said(side: &HttpSide) -> String {
    let said = side.body.json().and_then(|body| body.get("error")?.as_str().map(str::to_owned));
    said.map_or_else(String::new, |said| crate::display::excerpt(&said, 60))
}

fn is_as_wanted(side: &HttpSide, wanted: &Wanted) -> bool {
    let named = side.body.json().is_some_and(|body| body.get("error").is_some_and(|it| it == wanted.error));
    named && side.status().is_some_and(|status| wanted.statuses.contains(&status))
}
