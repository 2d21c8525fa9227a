//! Group E: a token counts in the `Authorization` header of every request, and nowhere else.

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::reading::{control, decisive, refused};
use super::tokens::attempt;
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::Answer;
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const REQUIREMENTS: &str = "authorization: token requirements";

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "E01", level: Level::Must, title: "a token in the query is refused", section: REQUIREMENTS,
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "read the token from the `Authorization` header only",
        probe: in_query, examine: |t| refused(t, "a good token in the query") },
    AuthCheck { id: "E02.cookie", level: Level::Rfc, title: "a token in a cookie is refused", section: "OAuth 2.1 section 5.1",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "read the token from the `Authorization` header only",
        probe: in_cookie, examine: |t| refused(t, "a good token in a cookie") },
    AuthCheck { id: "E02.header", level: Level::Rfc, title: "a token in another header is refused", section: "OAuth 2.1 section 5.1",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "read the token from the `Authorization` header only",
        probe: in_other_header, examine: |t| refused(t, "a good token in `X-Access-Token`") },
    AuthCheck { id: "E05", level: Level::Rfc, title: "the scheme counts in any case", section: "RFC 9110 section 11.1",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "compare the scheme without regard to case",
        probe: lower_case, examine: |t| let_in(t, "`bearer` in lower case") },
    AuthCheck { id: "E06", level: Level::Rfc, title: "a good token under another scheme is refused", section: "RFC 6750 section 2.1",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TrustedIssuer], fix: "accept the scheme `Bearer` and no other",
        probe: other_scheme, examine: |t| refused(t, "a good token under the scheme `Token`") },
    AuthCheck { id: "E07", level: Level::Must, title: "a session does not stand in for a token", section: REQUIREMENTS,
        since: "2025-03-26", eras: Eras::Legacy, needs: &[Needs::GoodToken], fix: "verify the token on every request of a session, not only at its start",
        probe: bare_session, examine: |t| refused(t, "a request inside a session without a token") },
];

async fn raw(prober: &Prober) -> Result<SecretString, Fault> {
    prober.token(|_| ()).await
}

fn in_query(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let query = Some(("access_token".to_owned(), raw(prober).await?));
        attempt(prober, Credentials { headers: vec![], query }).await
    })
}

fn in_cookie(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let cookie = format!("access_token={}", raw(prober).await?.expose_secret());
        attempt(prober, Credentials::none().with("cookie", &cookie)).await
    })
}

fn in_other_header(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let token = raw(prober).await?;
        attempt(prober, Credentials::none().with("x-access-token", token.expose_secret())).await
    })
}

fn other_scheme(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let value = format!("Token {}", raw(prober).await?.expose_secret());
        attempt(prober, Credentials::authorization(&value)).await
    })
}

fn lower_case(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let value = format!("bearer {}", raw(prober).await?.expose_secret());
        attempt(prober, Credentials::authorization(&value)).await
    })
}

fn bare_session(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        let (Some(session), Answer::Accepted(_)) = (&before.session, Answer::of(&before.last)) else {
            return Ok(());
        };
        let _ = prober.ask("attempt in session", session, &Credentials::none()).await;
        let after = prober.converse("control after", &good).await;
        prober.close(before.session, &good).await;
        prober.close(after.session, &good).await;
        Ok(())
    })
}

/// The opposite of a refusal: the attempt must be accepted.
fn let_in(transcript: &Transcript, what: &str) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let Some(exchange) = decisive(transcript, "attempt") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match exchange.answer() {
        Answer::Accepted(_) => Seen::Holds(format!("{what} was accepted"), vec![exchange.seq]),
        other if other.is_unavailable() => Seen::Inconclusive(format!("{what} got {other}")),
        other => Seen::Broken(format!("{what} got {other}"), vec![exchange.seq]),
    }
}
