//! D31 to D34: what the target does with what only its authorization server knows: tokens taken back, an authorization
//! server that does not answer, new keys.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;

use super::attempt;
use crate::auth::answer::{Answer, Denial};
use crate::auth::checks::reading::{control, deciding, labelled, refused};
use crate::auth::checks::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::issuer::{Point, Trouble};
use crate::auth::prober::{Credentials, LATE, Prober};
use crate::auth::{Flaw, Issuer};
use crate::transcript::{Fault, Transcript};

/// How long a target may wait for an authorization server that hangs.
const BOUND: Duration = Duration::from_secs(20);

/// How long a target may refuse tokens with a new key, where the suite says nothing.
const LIMIT: Duration = Duration::from_secs(60);

/// How long is waited between two attempts with a new key.
const PAUSE: Duration = Duration::from_secs(5);

const INTROSPECTION: &[Needs] = &[Needs::Introspection];

#[rustfmt::skip]
pub(in crate::auth::checks) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "D31", title: "a token that was taken back is refused", level: Level::Must, section: "authorization: token handling",
        since: "2025-03-26", eras: Eras::Each, needs: INTROSPECTION, fix: "refuse tokens that introspection calls inactive",
        probe: revoked, examine: |t| refused(t, "a token that was taken back") },
    AuthCheck { needs: INTROSPECTION, ..flawed!("D32", Must, "authorization: token audience binding", WrongAudience,
        "an active token for another resource", "require your own URL in the `aud` of the introspection").since("2025-06-18") },
    AuthCheck { needs: INTROSPECTION, ..flawed!("D32.missing", Must, "authorization: token audience binding", NoAudience,
        "an active token without an audience", "require `aud` in the introspection").since("2025-06-18") },
    AuthCheck { id: "D33", title: "nobody is let in while the keys cannot be had", level: Level::Rfc, section: "OAuth 2.1 section 5.2",
        since: "2025-03-26", eras: Eras::Once, needs: &[Needs::TrustedIssuer, Needs::Alone], fix: "answer 401 or 503 where a token cannot be verified, after a few seconds at most",
        probe: keys_gone, examine: fails_closed },
    AuthCheck { id: "D33.introspection", title: "nobody is let in while introspection does not answer", level: Level::Rfc, section: "RFC 7662 section 2",
        since: "2025-03-26", eras: Eras::Once, needs: &[Needs::Introspection, Needs::Alone], fix: "answer 401 or 503 where a token cannot be verified, after a few seconds at most",
        probe: introspection_gone, examine: fails_closed },
    AuthCheck { id: "D34", title: "a token with a new key is accepted soon", level: Level::Hygiene, section: "OpenID Connect Core section 10.1.1",
        since: "2025-03-26", eras: Eras::Once, needs: &[Needs::TrustedIssuer, Needs::Alone], fix: "fetch the JWKS again when a token names an unknown `kid`",
        probe: rotated, examine: soon },
];

fn bearer(token: &secrecy::SecretString) -> Credentials {
    Credentials::authorization(&format!("Bearer {}", token.expose_secret()))
}

/// A token that is taken back before it is used: what a target remembers of earlier uses plays no part.
fn revoked(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let token = prober.token(|_| ()).await?;
        if let Some((issuer, _)) = prober.minted() {
            issuer.revoke(token.expose_secret());
        }
        attempt(prober, bearer(&token)).await
    })
}

/// Puts the issuer back as it was, whatever happens to the probe.
struct Restored(Arc<Issuer>);

impl Drop for Restored {
    fn drop(&mut self) {
        self.0.faults().clear();
        self.0.turn_back();
    }
}

fn keys_gone(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        // A key that is not known yet: for the others nobody needs to ask.
        let bad = prober.flawed(Flaw::UnknownKid).await?;
        in_trouble(prober, Point::Jwks, [bad.clone(), bad]).await
    })
}

fn introspection_gone(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        // Good tokens that were never used: for the others an answer may be remembered.
        let fresh = [bearer(&prober.token(|_| ()).await?), bearer(&prober.token(|_| ()).await?)];
        in_trouble(prober, Point::Introspection, fresh).await
    })
}

async fn in_trouble(prober: &Prober, point: Point, tokens: [Credentials; 2]) -> Result<(), Fault> {
    let Some(issuer) = prober.minted().map(|(issuer, _)| Arc::clone(issuer)) else { return Ok(()) };
    let good = prober.good().await?;
    let before = prober.converse("control before", &good).await;
    prober.close(before.session, &good).await;
    if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
        return Ok(());
    }
    let patient = prober.waiting(BOUND);
    for ((label, trouble), token) in
        [("with 500", Trouble::Error), ("with silence", Trouble::Hang)].into_iter().zip(tokens)
    {
        let restored = Restored(Arc::clone(&issuer));
        issuer.faults().set(point, trouble);
        let talk = patient.converse(&format!("issuer answers {label}"), &token).await;
        drop(restored);
        prober.close(talk.session, &token).await;
    }
    let after = prober.converse("control after", &good).await;
    prober.close(after.session, &good).await;
    Ok(())
}

fn fails_closed(transcript: &Transcript) -> Seen {
    if deciding(transcript, "control before").iter().any(|one| !matches!(one.answer(), Answer::Accepted(_))) {
        return control(transcript).err().unwrap_or(Seen::Inconclusive("there is no control".to_owned()));
    }
    let (mut notes, mut seqs) = (vec![], vec![]);
    for how in ["with 500", "with silence"] {
        let found = deciding(transcript, &format!("issuer answers {how}"));
        if found.is_empty() {
            return Seen::Inconclusive("the probe was not sent".to_owned());
        }
        for exchange in found {
            let answer = exchange.answer();
            let broken = |what: &str| {
                let text = format!("while the issuer answered {how}, a token {what}");
                Seen::Broken(text, vec![exchange.seq])
            };
            match &answer {
                Answer::Accepted(_) => return broken("that could not be verified was accepted"),
                Answer::Silent(why) if why.starts_with(LATE) => return broken(&format!("got {why}")),
                Answer::Broke(502..=504) | Answer::Denied(Denial::Unauthorized) => {}
                Answer::Broke(status) => return broken(&format!("got {status} instead of 401 or 503")),
                other if other.is_unavailable() => {
                    return Seen::Inconclusive(format!(
                        "while the issuer answered {how}, a token got {other}"
                    ));
                }
                _ => {}
            }
            notes.push(format!("{answer}"));
            seqs.push(exchange.seq);
        }
    }
    for exchange in deciding(transcript, "control after") {
        match exchange.answer() {
            Answer::Accepted(_) => {}
            Answer::Denied(Denial::Status(429)) => {
                return Seen::Inconclusive("the good token got 429 afterwards".to_owned());
            }
            other => {
                let text = format!("the target did not recover: afterwards the good token got {other}");
                return Seen::Broken(text, vec![exchange.seq]);
            }
        }
    }
    notes.dedup();
    Seen::Holds(format!("nobody was let in ({}), and the target recovered", notes.join(", ")), seqs)
}

/// New keys, a token with one of them, and the old keys again: what others hold stays good all the time.
fn rotated(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(issuer) = prober.minted().map(|(issuer, _)| Arc::clone(issuer)) else { return Ok(()) };
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        prober.close(before.session, &good).await;
        if !matches!(Answer::of(&before.last), Answer::Accepted(_)) {
            return Ok(());
        }
        let token = {
            let _restored = Restored(Arc::clone(&issuer));
            let rotating = Arc::clone(&issuer);
            tokio::task::spawn_blocking(move || rotating.rotate()).await.map_err(|error| {
                let text = format!("making new keys broke off: {error}");
                Fault::new(crate::transcript::Side::Harness, "issuer.crypto", text)
            })??;
            bearer(&prober.token(|_| ()).await?)
        };
        let limit = prober.facts().rotation.map_or(LIMIT, |limit| limit.0);
        let mut waited = Duration::ZERO;
        loop {
            let talk = prober.converse(&format!("new key after {}s", waited.as_secs()), &token).await;
            prober.close(talk.session, &token).await;
            if matches!(Answer::of(&talk.last), Answer::Accepted(_)) || waited >= limit {
                break;
            }
            let pause = PAUSE.min(limit - waited);
            tokio::time::sleep(pause).await;
            waited += pause;
        }
        let after = prober.converse("control after", &good).await;
        prober.close(after.session, &good).await;
        Ok(())
    })
}

fn soon(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some(last) = labelled(transcript, "new key after ").last() else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let when = last.label.trim_start_matches("new key ").split(':').next().unwrap_or_default();
    match last.answer() {
        Answer::Accepted(_) => {
            Seen::Holds(format!("a token with a new key was accepted {when}"), vec![last.seq])
        }
        other if other.is_unavailable() => Seen::Inconclusive(format!("a token with a new key got {other}")),
        other => Seen::Broken(format!("a token with a new key still got {other} {when}"), vec![last.seq]),
    }
}
