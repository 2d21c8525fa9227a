//! D17 to D30: who made the token, for whom, and what kind of token it is.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{attempt, attempts, reported};
use crate::auth::Flaw;
use crate::auth::answer::{Answer, challenges};
use crate::auth::checks::reading::{control, decisive, labelled, let_in, refused};
use crate::auth::checks::resource::document;
use crate::auth::checks::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::discover::discover;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const BINDING: &str = "authorization: token audience binding";

/// A row whose question does not arise where the whole origin is the resource.
const fn of_one_path(check: AuthCheck) -> AuthCheck {
    AuthCheck { needs: &[Needs::TrustedIssuer, Needs::Without("origin_is_resource")], ..check }
}

#[rustfmt::skip]
pub(in crate::auth::checks) const TABLE: &[AuthCheck] = &[
    flawed!("D17", Must, "authorization: token handling", WrongIssuer, "a token of another issuer",
        "compare `iss` with your authorization server"),
    flawed!("D18", Rfc, "RFC 9068 section 4", NoIssuer, "a token without an issuer",
        "require `iss`"),
    flawed!("D18.slash", Rfc, "RFC 9068 section 4", IssuerSlash, "a token whose issuer has a slash too many",
        "compare `iss` byte for byte, without normalisation"),
    flawed!("D18.suffix", Rfc, "RFC 9068 section 4", IssuerSuffix, "a token whose issuer only begins with the right one",
        "compare `iss` as a whole, not by its beginning"),
    flawed!("D19", Must, BINDING, WrongAudience, "a token for another resource",
        "require your own URL in `aud`; most libraries check it only when told the audience").since("2025-06-18"),
    flawed!("D20", Must, "authorization: access token privilege restriction", NoAudience, "a token without an audience",
        "require `aud`; libraries often skip a claim that is absent").since("2025-06-18"),
    flawed!("D21", Must, BINDING, LongerAudience, "a token whose audience only begins with the target's URL",
        "compare `aud` as a whole, not by prefix or substring").since("2025-06-18"),
    flawed!("D21.query", Must, BINDING, AudienceInQuery, "a token whose audience only holds the target's URL in its query",
        "compare `aud` as a whole, not by prefix or substring").since("2025-06-18"),
    of_one_path(flawed!("D22", Must, BINDING, AudienceOrigin, "a token for the target's whole origin",
        "compare `aud` with the full URL of the endpoint, or say `origin_is_resource: true` in the suite").since("2025-06-18")),
    of_one_path(flawed!("D22.path", Must, BINDING, AudiencePath, "a token for another path of the target's origin",
        "compare `aud` with the full URL of the endpoint, or say `origin_is_resource: true` in the suite").since("2025-06-18")),
    AuthCheck { id: "D23", title: "the answer to an audience with a slash at the end is seen", level: Level::Hygiene, section: BINDING,
        since: "2025-06-18", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "answer 200 or 401; both can be defended, a broken server cannot",
        probe: |prober| Box::pin(attempts(prober, &SLASHED)), examine: |t| reported(t, &SLASHED.map(|(label, _)| label)) },
    AuthCheck { id: "D24", title: "a token for several resources, this one among them, is accepted", level: Level::Rfc, section: "RFC 7519 section 4.1.3",
        since: "2025-06-18", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "accept a list in `aud` if your own URL is among its entries",
        probe: |prober| Box::pin(async move { attempt(prober, prober.flawed(Flaw::AudienceAmong).await?).await }),
        examine: |t| let_in(t, "a token for several resources, this one among them") },
    flawed!("D25", Must, BINDING, AudienceList, "a token for several other resources",
        "require your own URL among the entries of `aud`").since("2025-06-18"),
    flawed!("D26", Must, BINDING, IdToken, "an ID token",
        "require your own URL in `aud`: an ID token is made for the client").since("2025-06-18"),
    flawed!("D27", Must, BINDING, IdJag, "an identity assertion for the issuer (ID-JAG)",
        "require your own URL in `aud`: an assertion is made for the authorization server").since("2025-06-18"),
    flawed!("D28", Hygiene, "RFC 9068 section 4", IdJagForTarget, "an identity assertion that names the target as its audience",
        "require `typ: at+jwt`, or refuse the types that are not access tokens (RFC 8725 section 3.11)").since("2025-06-18"),
    AuthCheck { id: "D29", title: "a refresh token is refused", level: Level::Must, section: "authorization: token handling",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "accept access tokens only: those that the issuer made for your own URL",
        probe: refreshing, examine: |t| refused(t, "a refresh token") },
    AuthCheck { id: "D30", title: "a token bound to a key is refused without a proof, where proofs are announced", level: Level::Hygiene,
        section: "RFC 9449 section 7.2", since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer],
        fix: "refuse a token with `cnf.jkt` under the scheme `Bearer`", probe: bound, examine: proven },
];

const SLASHED: [(&str, Flaw); 1] = [("an audience with a slash at the end", Flaw::AudienceSlash)];

/// The client for which a refresh token is made.
const CLIENT: &str = "rehearsal-refreshing";

/// A refresh token of the issuer, for a client of its own, as a bearer token.
fn refreshing(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some((issuer, minted)) = prober.minted() else { return Ok(()) };
        issuer.enroll(CLIENT, minted.clone())?;
        let Some(token) = issuer.refresh_token(CLIENT, prober.audience())? else { return Ok(()) };
        attempt(prober, Credentials::authorization(&format!("Bearer {}", token.expose_secret()))).await
    })
}

fn bound(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        discover(prober).await;
        attempt(prober, prober.flawed(Flaw::BoundToKey).await?).await
    })
}

/// Whether the target says that it wants proofs (DPoP).
fn announces_proofs(transcript: &Transcript) -> bool {
    let challenged = labelled(transcript, "no token")
        .filter_map(|one| one.side().and_then(challenges))
        .any(|found| found.scheme("dpop").is_some());
    let document = document(transcript).map(|(_, document)| document).unwrap_or_default();
    let listed = document.get("dpop_signing_alg_values_supported").and_then(Value::as_array);
    let required = document.get("dpop_bound_access_tokens_required") == Some(&Value::Bool(true));
    challenged || required || listed.is_some_and(|list| !list.is_empty())
}

fn proven(transcript: &Transcript) -> Seen {
    let what = "a token bound to a key, without a proof,";
    let accepted = decisive(transcript, "attempt")
        .filter(|one| matches!(one.answer(), Answer::Accepted(_)) && !announces_proofs(transcript));
    match (control(transcript), accepted) {
        (Ok(_), Some(one)) => {
            Seen::Holds(format!("{what} was accepted; the target announces no proofs"), vec![one.seq])
        }
        _ => refused(transcript, what),
    }
}
