//! Group D: tokens with exactly one flaw must be refused, at the handshake and inside a session alike.
//!
//! One row per flaw. Every attempt stands between two uses of the good token.

use futures::future::BoxFuture;

use super::reading::{Exchange, control, decisive, refused};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::Flaw;
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

macro_rules! flawed {
    ($id:literal, $level:ident, $section:expr, $flaw:ident, $what:literal, $fix:literal) => {
        AuthCheck {
            id: $id,
            title: concat!($what, " is refused"),
            level: Level::$level,
            section: $section,
            since: "2025-03-26",
            eras: Eras::Each,
            needs: &[Needs::TrustedIssuer],
            fix: $fix,
            probe: |prober| Box::pin(async move { attempt(prober, prober.flawed(Flaw::$flaw).await?).await }),
            examine: |transcript| refused(transcript, $what),
        }
    };
}

macro_rules! malformed {
    ($id:literal, $level:ident, $section:literal, $header:literal, $what:literal, $fix:literal) => {
        AuthCheck {
            id: $id,
            title: concat!($what, " is refused"),
            level: Level::$level,
            section: $section,
            since: "2025-03-26",
            eras: Eras::Each,
            needs: &[],
            fix: $fix,
            probe: |prober| Box::pin(attempt(prober, Credentials::authorization($header))),
            examine: |transcript| refused(transcript, $what),
        }
    };
}

/// A flaw that nobody needs to trust us for.
macro_rules! forgeable {
    ($id:literal, $section:literal, $flaw:ident, $what:literal, $fix:literal) => {
        AuthCheck {
            needs: &[],
            probe: |prober| Box::pin(forged::show(prober, Flaw::$flaw)),
            examine: |transcript| forged::unless_stopped(transcript, |transcript| refused(transcript, $what)),
            ..flawed!($id, Rfc, $section, $flaw, $what, $fix)
        }
    };
}

pub(super) mod audience;
mod forged;
pub(super) mod outage;
pub(super) mod shape;
pub(super) mod signature;

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck {
        id: "D00",
        title: "a good token is accepted",
        level: Level::Should,
        section: "RFC 9068 section 4",
        since: "2025-03-26",
        eras: Eras::Each,
        needs: &[Needs::GoodToken],
        fix: "set the issuer and audience of the target to those of the suite; see `rehearsal issuer`",
        probe: good,
        examine: accepted,
    },
    malformed!("D01", Must, "authorization: token handling", "Bearer not-a-jwt", "a bearer token that is no token",
        "verify every token before any work, and answer 401"),
    malformed!("D02", Rfc, "RFC 6750 section 3.1", "Bearer", "an empty bearer token",
        "treat a bearer header without a token like no token"),
    flawed!("D03", Must, "authorization: token handling", Expired, "an expired token",
        "compare `exp` with the clock on every request, with a leeway of a minute at most"),
    AuthCheck {
        id: "D04",
        title: "a token is refused five minutes after its end",
        level: Level::Hygiene,
        section: "RFC 7519 section 4.1.4",
        since: "2025-03-26",
        eras: Eras::Each,
        needs: &[Needs::TrustedIssuer],
        fix: "set the leeway for clocks to a minute at most",
        probe: late,
        examine: leeway,
    },
    flawed!("D05", Rfc, "RFC 7519 section 4.1.5", NotYetValid, "a token that is not valid yet",
        "compare `nbf` with the clock; some libraries do so only on request"),
    flawed!("D06", Hygiene, "RFC 9068 section 2.2", NoExpiry, "a token without an end",
        "require `exp`"),
];

/// The attempt, between two uses of the good token where there is one.
pub(super) async fn attempt(prober: &Prober, bad: Credentials) -> Result<(), Fault> {
    if !prober.has_persona() {
        let talk = prober.converse("attempt", &bad).await;
        prober.close(talk.session, &bad).await;
        return Ok(());
    }
    let good = prober.good().await?;
    let before = prober.converse("control before", &good).await;
    // Without a control nothing can be learned, so nothing more is sent.
    if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
        return Ok(());
    }
    let talk = prober.converse("attempt", &bad).await;
    prober.close(talk.session, &bad).await;
    if let Some(session) = &before.session {
        let _ = prober.ask("attempt in session", session, &bad).await;
    }
    let after = prober.converse("control after", &good).await;
    prober.close(before.session, &good).await;
    prober.close(after.session, &good).await;
    Ok(())
}

fn good(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        for label in ["control before", "control after"] {
            let talk = prober.converse(label, &good).await;
            prober.close(talk.session, &good).await;
        }
        Ok(())
    })
}

fn accepted(transcript: &Transcript) -> Seen {
    match control(transcript) {
        Ok(seqs) => Seen::Holds("the good token was accepted twice".to_owned(), seqs),
        Err(_) => {
            let failed = ["control before", "control after"].into_iter().find_map(|label| {
                decisive(transcript, label).filter(|one| !matches!(one.answer(), Answer::Accepted(_)))
            });
            match failed {
                Some(one) if !one.answer().is_unavailable() => {
                    Seen::Broken(format!("the good token got {}", one.answer()), vec![one.seq])
                }
                _ => Seen::Inconclusive("the target does not answer".to_owned()),
            }
        }
    }
}

/// Several attempts, each under its own label, between two uses of the good token.
async fn attempts(prober: &Prober, flaws: &[(&str, Flaw)]) -> Result<(), Fault> {
    let good = prober.good().await?;
    let before = prober.converse("control before", &good).await;
    prober.close(before.session, &good).await;
    if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
        return Ok(());
    }
    for (label, flaw) in flaws {
        let bad = prober.flawed(*flaw).await?;
        let talk = prober.converse(label, &bad).await;
        prober.close(talk.session, &bad).await;
    }
    let after = prober.converse("control after", &good).await;
    prober.close(after.session, &good).await;
    Ok(())
}

/// What came of an attempt that may be answered either way: not of one that broke the server or got no answer.
fn outcome<'a>(transcript: &'a Transcript, label: &str) -> Result<(Exchange<'a>, Answer), Seen> {
    let Some(exchange) = decisive(transcript, label) else {
        return Err(Seen::Inconclusive("the probe was not sent".to_owned()));
    };
    match exchange.answer() {
        answer if answer.is_unavailable() => Err(Seen::Inconclusive(format!("{label} got {answer}"))),
        Answer::Broke(status) => {
            Err(Seen::Broken(format!("{label} broke the server: {status}"), vec![exchange.seq]))
        }
        answer => Ok((exchange, answer)),
    }
}

/// How an answer is told in a report.
fn told(answer: &Answer) -> String {
    match answer {
        Answer::Accepted(_) => "was accepted".to_owned(),
        other => format!("got {other}"),
    }
}

/// Reports what came of attempts, whatever it is.
fn reported(transcript: &Transcript, labels: &[&str]) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let (mut texts, mut seqs) = (vec![], vec![]);
    for label in labels {
        match outcome(transcript, label) {
            Ok((exchange, answer)) => {
                texts.push(format!("{label} {}", told(&answer)));
                seqs.push(exchange.seq);
            }
            Err(seen) => return seen,
        }
    }
    Seen::Holds(texts.join(", "), seqs)
}

const ENDS: [(&str, Flaw); 3] = [
    ("a token 30s after its end", Flaw::Expired30s),
    ("a token 120s after its end", Flaw::Expired120s),
    ("a token 6m after its end", Flaw::Expired6m),
];

fn late(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(attempts(prober, &ENDS))
}

fn leeway(transcript: &Transcript) -> Seen {
    let seen = reported(transcript, &ENDS.map(|(label, _)| label));
    let latest = ENDS[2].0;
    match (seen, outcome(transcript, latest)) {
        (Seen::Holds(..), Ok((exchange, Answer::Accepted(_)))) => {
            let text = format!("{latest} was accepted: the leeway is more than five minutes");
            Seen::Broken(text, vec![exchange.seq])
        }
        (seen, _) => seen,
    }
}
