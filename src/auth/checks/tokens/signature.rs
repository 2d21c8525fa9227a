//! D07 to D16: whose signature it is, and what a token may say about that itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{attempt, forged, outcome};
use crate::auth::Flaw;
use crate::auth::answer::Answer;
use crate::auth::checks::reading::{control, labelled, refused, refused_at};
use crate::auth::checks::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

#[rustfmt::skip]
pub(in crate::auth::checks) const TABLE: &[AuthCheck] = &[
    flawed!("D07", Rfc, "OAuth 2.1 section 5.2", BadSignature, "a token with a broken signature",
        "verify the signature against the issuer's keys"),
    flawed!("D08", Rfc, "OAuth 2.1 section 5.2", Tampered, "a token whose claims were changed after signing",
        "verify the signature over the claims as received"),
    forgeable!("D09", "OAuth 2.1 section 5.2", ForeignKey, "a token signed by a foreign key under a known `kid`",
        "verify with the key from the issuer's JWKS, never only by its `kid`"),
    forgeable!("D10", "OAuth 2.1 section 5.2", UnknownKid, "a token signed by a key that the issuer does not list",
        "refuse tokens whose key is not in the issuer's JWKS, after at most one new fetch"),
    AuthCheck { id: "D10.fetches", title: "tokens with unknown keys make the target fetch keys three times at most", level: Level::Hygiene,
        section: "OAuth 2.1 section 5.2", since: "2025-03-26", eras: Eras::Once, needs: &[Needs::TrustedIssuer, Needs::Alone],
        fix: "fetch the JWKS again for an unknown `kid` only after a pause, whoever asks", probe: strangers, examine: frugal },
    forgeable!("D11", "RFC 8725 section 3.1", AlgNone, "an unsigned token (`alg: none`)",
        "allow a fixed list of algorithms, and `none` never"),
    forgeable!("D12", "RFC 8725 section 2.1", HmacWithPublicKey, "a token signed with the public key as an HMAC secret",
        "allow a fixed list of asymmetric algorithms; never take the algorithm from the token"),
    forgeable!("D13", "RFC 8725 section 3.5", EmbeddedKey, "a token that brings its own key (`jwk`)",
        "ignore `jwk`, `jku` and `x5u` of the token; use the issuer's JWKS only"),
    AuthCheck { id: "D14.jku", title: "a token that names where its key is (`jku`) is refused, and nobody looks there", level: Level::Rfc,
        section: "RFC 8725 section 3.5", since: "2025-03-26", eras: Eras::Each, needs: &[Needs::Alone],
        fix: "ignore `jwk`, `jku` and `x5u` of the token; use the issuer's JWKS only",
        probe: |prober| Box::pin(bait(prober, "jku", Flaw::KeyUrl)), examine: |t| untouched(t, "a token that names where its key is (`jku`)") },
    AuthCheck { id: "D14.x5u", title: "a token that names where its certificate is (`x5u`) is refused, and nobody looks there", level: Level::Rfc,
        section: "RFC 8725 section 3.5", since: "2025-03-26", eras: Eras::Each, needs: &[Needs::Alone],
        fix: "ignore `jwk`, `jku` and `x5u` of the token; use the issuer's JWKS only",
        probe: |prober| Box::pin(bait(prober, "x5u", Flaw::CertificateUrl)), examine: |t| untouched(t, "a token that names where its certificate is (`x5u`)") },
    flawed!("D15", Rfc, "RFC 7515 section 4.1.11", UnknownCritical, "a token with an unknown critical extension",
        "refuse tokens whose `crit` names anything you do not process"),
    AuthCheck { id: "D16", title: "a `kid` with the letters of an attack is refused like any other", level: Level::Rfc,
        section: "RFC 7515 section 4.1.4", since: "2025-03-26", eras: Eras::Each, needs: &[],
        fix: "look `kid` up among the issuer's keys and use it for nothing else; answer 401 where it is unknown",
        probe: |prober| Box::pin(forged::show_all(prober, &ODD)),
        examine: |t| forged::unless_stopped(t, |t| refused_at(t, &ODD.map(|(label, _)| label), "an odd `kid`")) },
];

const ODD: [(&str, Flaw); 2] =
    [("a `kid` that is a path", Flaw::KidTraversal), ("a `kid` with quotes", Flaw::KidQuotes)];

/// How many tokens with unknown keys are sent.
const STRANGERS: usize = 10;

/// How many fetches they may cause.
const FETCHES: u64 = 3;

/// Tokens under as many unknown key ids.
fn strangers(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(issuer) = prober.minted().map(|(issuer, _)| std::sync::Arc::clone(issuer)) else {
            return Ok(());
        };
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        prober.close(before.session, &good).await;
        if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
            return Ok(());
        }
        let fetched = issuer.fetches();
        for count in 0..STRANGERS {
            let bad = stranger(prober, count).await?;
            let talk = prober.converse("stranger", &bad).await;
            prober.close(talk.session, &bad).await;
        }
        prober.note_fetches(&issuer, fetched);
        let after = prober.converse("control after", &good).await;
        prober.close(after.session, &good).await;
        Ok(())
    })
}

/// A token under a key id of its own. Its signature fits no more, but its key is looked for first.
async fn stranger(prober: &Prober, count: usize) -> Result<Credentials, Fault> {
    let token = prober.flawed_token(Flaw::UnknownKid).await?;
    let renamed = token.expose_secret().split_once('.').and_then(|(header, rest)| {
        let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        header["kid"] = json!(format!("rehearsal-test-unknown-{count}"));
        Some(format!("Bearer {}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string())))
    });
    let plain = || format!("Bearer {}", token.expose_secret());
    Ok(Credentials::authorization(&renamed.unwrap_or_else(plain)))
}

fn frugal(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    if let Err(seen) = outcome(transcript, "stranger") {
        return seen;
    }
    let Some(noted) = labelled(transcript, "keys asked for").next() else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let count: u64 = noted.side().and_then(|side| side.body.to_text().parse().ok()).unwrap_or_default();
    let text = format!("{STRANGERS} tokens with unknown keys made the target fetch the keys {count} times");
    match count > FETCHES {
        true => Seen::Broken(text, vec![noted.seq]),
        false => Seen::Holds(text, vec![noted.seq]),
    }
}

/// A token that names a canary, where there is one. Nobody else asks meanwhile, so that a visitor there came for this
/// token.
async fn bait(prober: &Prober, canary: &str, flaw: Flaw) -> Result<(), Fault> {
    let before = prober.issuer().map(|issuer| issuer.hits(canary).len());
    forged::show(prober, flaw).await?;
    if let Some((issuer, before)) = prober.issuer().zip(before) {
        prober.note_hits(issuer, canary, before);
    }
    Ok(())
}

fn untouched(transcript: &Transcript, what: &str) -> Seen {
    match labelled(transcript, "canary: hit").next() {
        Some(hit) => {
            let text = format!("the target fetched `{}`, which only {what} named", hit.request.start);
            Seen::Broken(text, vec![hit.seq])
        }
        None => forged::unless_stopped(transcript, |transcript| refused(transcript, what)),
    }
}
