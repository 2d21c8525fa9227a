//! D35 to D37: tokens that are odd and yet may be good. Most of it is a report; no server should break or hang.

use super::{attempts, outcome, reported, told};
use crate::auth::Flaw;
use crate::auth::answer::Answer;
use crate::auth::checks::reading::{control, decisive};
use crate::auth::checks::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::prober::LATE;
use crate::transcript::Transcript;

#[rustfmt::skip]
pub(in crate::auth::checks) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "D35", title: "a very long token gets an answer", level: Level::Hygiene, section: "RFC 9110 section 5.4",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "answer 431 to headers that are too long",
        probe: |prober| Box::pin(attempts(prober, &LONG)), examine: sized },
    AuthCheck { id: "D36", title: "the answers to odd claims are seen", level: Level::Hygiene, section: "RFC 9068 section 2.2",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "answer 200 or 401; both can be defended, a broken server cannot",
        probe: |prober| Box::pin(attempts(prober, &ODD)), examine: |t| reported(t, &ODD.map(|(label, _)| label)) },
    AuthCheck { id: "D37", title: "scopes in a list do not break the server", level: Level::Hygiene, section: "RFC 8693 section 4.2",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "read `scope` as a text, and refuse the token with 401 where it is none",
        probe: |prober| Box::pin(attempts(prober, &LISTED)), examine: |t| reported(t, &LISTED.map(|(label, _)| label)) },
];

const LONG: [(&str, Flaw); 2] = [("a token of 15 KB", Flaw::Big15Kb), ("a token of 75 KB", Flaw::Big75Kb)];

const ODD: [(&str, Flaw); 3] =
    [("`iat` a day ahead", Flaw::IssuedAhead), ("no `sub`", Flaw::NoSubject), ("no `kid`", Flaw::NoKid)];

const LISTED: [(&str, Flaw); 1] = [("`scope` as a list", Flaw::ScopeList)];

/// A refusal is fine, and so is a connection that is cut; silence is not.
fn sized(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let (mut texts, mut seqs) = (vec![], vec![]);
    for (label, _) in LONG {
        let Some(exchange) = decisive(transcript, label) else {
            return Seen::Inconclusive("the probe was not sent".to_owned());
        };
        match exchange.answer() {
            Answer::Silent(why) if why.starts_with(LATE) => {
                return Seen::Broken(format!("{label} got {why}"), vec![exchange.seq]);
            }
            Answer::Silent(_) => texts.push(format!("{label} cut the connection")),
            _ => match outcome(transcript, label) {
                Ok((_, answer)) => texts.push(format!("{label} {}", told(&answer))),
                Err(seen) => return seen,
            },
        }
        seqs.push(exchange.seq);
    }
    Seen::Holds(texts.join(", "), seqs)
}
