//! Group D: tokens with exactly one flaw must be refused, at the handshake and inside a session alike.
//!
//! One row per flaw. Every attempt stands between two uses of the good token.

use futures::future::BoxFuture;

use super::reading::{control, decisive, refused};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::Flaw;
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

macro_rules! flawed {
    ($id:literal, $level:ident, $section:literal, $flaw:ident, $what:literal, $fix:literal) => {
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
    flawed!("D05", Rfc, "RFC 7519 section 4.1.5", NotYetValid, "a token that is not valid yet",
        "compare `nbf` with the clock; some libraries do so only on request"),
    flawed!("D07", Rfc, "OAuth 2.1 section 5.2", BadSignature, "a token with a broken signature",
        "verify the signature against the issuer's keys"),
    flawed!("D08", Rfc, "OAuth 2.1 section 5.2", Tampered, "a token whose claims were changed after signing",
        "verify the signature over the claims as received"),
    flawed!("D09", Rfc, "OAuth 2.1 section 5.2", ForeignKey, "a token signed by a foreign key under a known `kid`",
        "verify with the key from the issuer's JWKS, never only by its `kid`"),
    flawed!("D10", Rfc, "OAuth 2.1 section 5.2", UnknownKid, "a token signed by a key that the issuer does not list",
        "refuse tokens whose key is not in the issuer's JWKS, after at most one new fetch"),
    flawed!("D11", Rfc, "RFC 8725 section 3.1", AlgNone, "an unsigned token (`alg: none`)",
        "allow a fixed list of algorithms, and `none` never"),
    flawed!("D12", Rfc, "RFC 8725 section 2.1", HmacWithPublicKey, "a token signed with the public key as an HMAC secret",
        "allow a fixed list of asymmetric algorithms; never take the algorithm from the token"),
    flawed!("D13", Rfc, "RFC 8725 section 3.5", EmbeddedKey, "a token that brings its own key (`jwk`)",
        "ignore `jwk`, `jku` and `x5u` of the token; use the issuer's JWKS only"),
    flawed!("D15", Rfc, "RFC 7515 section 4.1.11", UnknownCritical, "a token with an unknown critical extension",
        "refuse tokens whose `crit` names anything you do not process"),
    flawed!("D17", Must, "authorization: token handling", WrongIssuer, "a token of another issuer",
        "compare `iss` with your authorization server"),
    flawed!("D18", Rfc, "RFC 9068 section 4", NoIssuer, "a token without an issuer",
        "require `iss`"),
    flawed!("D18.slash", Rfc, "RFC 9068 section 4", IssuerSlash, "a token whose issuer has a slash too many",
        "compare `iss` byte for byte, without normalisation"),
    flawed!("D19", Must, "authorization: token audience binding", WrongAudience, "a token for another resource",
        "require your own URL in `aud`; most libraries check it only when told the audience").since("2025-06-18"),
    flawed!("D20", Must, "authorization: access token privilege restriction", NoAudience, "a token without an audience",
        "require `aud`; libraries often skip a claim that is absent").since("2025-06-18"),
    flawed!("D21", Must, "authorization: token audience binding", LongerAudience, "a token whose audience only begins with the target's URL",
        "compare `aud` as a whole, not by prefix or substring").since("2025-06-18"),
    flawed!("D25", Must, "authorization: token audience binding", AudienceList, "a token for several other resources",
        "require your own URL among the entries of `aud`").since("2025-06-18"),
    flawed!("D26", Must, "authorization: token audience binding", IdToken, "an ID token",
        "require your own URL in `aud`: an ID token is made for the client").since("2025-06-18"),
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
