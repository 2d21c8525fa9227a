//! Group E: a token counts in the `Authorization` header of every request, and nowhere else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::bracket::{bearer, begin, changed, end, post, written};
use super::placement_header::{first_wins, lenient, one_of_two, spaced, spaces, two_headers, two_places};
use super::placement_paste::{no_effect, pasted};
use super::placement_session::{bare_session, expired_session, refused_inside};
use super::reading::{let_in, refused};
use super::tokens::attempt;
use super::{AuthCheck, Eras, Level, Needs, row};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::Fault;

const REQUIREMENTS: &str = "authorization: token requirements";
const HEADER_ONLY: &str = "read the token from the `Authorization` header only";

const TOKEN: &[Needs] = &[Needs::BearerToken];
const RAW: &[Needs] = &[Needs::BearerToken, Needs::Direct];

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("E01", Level::Must, ["a token in the query is refused", REQUIREMENTS, HEADER_ONLY],
        in_query, |t| refused(t, "a good token in the query")).needing(TOKEN),
    row("E02.cookie", Level::Rfc, ["a token in a cookie is refused", "OAuth 2.1 section 5.1", HEADER_ONLY],
        in_cookie, |t| refused(t, "a good token in a cookie")).needing(TOKEN),
    row("E02.form", Level::Rfc, ["a token in a form is refused", "OAuth 2.1 section 5.1", HEADER_ONLY],
        in_form, |t| refused(t, "a good token in a form")).needing(TOKEN),
    row("E02.header", Level::Rfc, ["a token in another header is refused", "OAuth 2.1 section 5.1", HEADER_ONLY],
        in_other_header, |t| refused(t, "a good token in `X-Access-Token`")).needing(TOKEN),
    row("E03", Level::Rfc, ["the token in the header decides, whatever the query says", "RFC 6750 section 2", HEADER_ONLY],
        two_places, one_of_two).needing(TOKEN),
    row("E04", Level::Hygiene, ["two `Authorization` headers are refused", "RFC 9110 section 5.3",
        "answer 400 to a request with more than one `Authorization` header: a gateway may look at the other one"],
        two_headers, first_wins).needing(RAW),
    row("E05", Level::Rfc, ["the scheme counts in any case", "RFC 9110 section 11.1",
        "compare the scheme without regard to case"], lower_case, |t| let_in(t, "`bearer` in lower case")).needing(TOKEN),
    row("E06", Level::Rfc, ["a good token under another scheme is refused", "RFC 6750 section 2.1",
        "accept the scheme `Bearer` and no other"], other_scheme, |t| refused(t, "a good token under the scheme `Token`")).needing(TOKEN),
    row("E06.basic", Level::Rfc, ["a good token as the password of Basic is refused", "RFC 6750 section 2.1",
        "accept the scheme `Bearer` and no other"], basic, |t| refused(t, "a good token as the password of `Basic`")).needing(TOKEN),
    row("E06.spaces", Level::Rfc, ["odd spaces behind the scheme break nothing", "RFC 9110 section 11.4",
        "answer 401 to what cannot be read as a token, and let no parser's error become a 500"], spaces, |t| spaced(t, lenient)).needing(RAW),
    row("E07", Level::Must, ["a session does not stand in for a token", REQUIREMENTS,
        "verify the token on every request of a session, not only at its start"],
        bare_session, |t| refused(t, "a request inside a session without a token")).needing(&[Needs::GoodToken]).during(Eras::Legacy),
    row("E08", Level::Must, ["a session does not outlive its token", REQUIREMENTS,
        "verify the token on every request of a session, its `exp` included"], expired_session, refused_inside).needing(&[Needs::TrustedIssuer]).during(Eras::Legacy),
    row("E09", Level::Must, ["a token inside a request has no effect", "authorization: token handling",
        "take the caller's identity from the `Authorization` header only, never from arguments or `_meta`"], pasted, no_effect).needing(&[Needs::TwoPersonas]),
];

/// The good persona's token; without one that can be shown elsewhere nothing is sent.
pub(super) async fn own(prober: &Prober) -> Result<Option<SecretString>, Fault> {
    prober.good_token().await
}

/// Tries credentials made of the good token.
async fn moved(prober: &Prober, to: impl FnOnce(&str) -> Credentials) -> Result<(), Fault> {
    match own(prober).await? {
        Some(token) => attempt(prober, to(token.expose_secret())).await,
        None => Ok(()),
    }
}

fn in_query(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| {
        let query = Some(("access_token".to_owned(), SecretString::from(token)));
        Credentials { headers: vec![], query }
    }))
}

fn in_cookie(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| Credentials::none().with("cookie", &format!("access_token={token}"))))
}

fn in_other_header(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| Credentials::none().with("x-access-token", token)))
}

fn lower_case(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| Credentials::authorization(&format!("bearer {token}"))))
}

fn other_scheme(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| Credentials::authorization(&format!("Token {token}"))))
}

fn basic(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(moved(prober, |token| {
        let pair = STANDARD.encode(format!("token:{token}"));
        Credentials::authorization(&format!("Basic {pair}"))
    }))
}

/// A form cannot hold a JSON-RPC message, so its members are fields beside the token.
fn in_form(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let (Some(token), Some(between)) = (own(prober).await?, begin(prober).await?) else { return Ok(()) };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("access_token", token.expose_secret())
            .extend_pairs([("jsonrpc", "2.0"), ("id", "2"), ("method", "tools/list")])
            .finish();
        let (headers, _) = written(prober, &between.session, ("tools/list", json!({})));
        let kind = "application/x-www-form-urlencoded";
        let request = changed((headers, form), "content-type", Some(kind));
        let _ = post(prober, "attempt: request", request, &Credentials::none()).await;
        end(prober, between).await;
        Ok(())
    })
}

/// A token that must not count: expired where it can be minted, else none at all.
pub(super) async fn bad(prober: &Prober) -> Result<SecretString, Fault> {
    match prober.minted() {
        Some(_) => prober.token(|minted| minted.flaw = Some(crate::auth::Flaw::Expired)).await,
        None => Ok(SecretString::from("not-a-jwt")),
    }
}

/// As [`bad`], as it would be shown.
pub(super) async fn badly(prober: &Prober) -> Result<Credentials, Fault> {
    Ok(bearer(&bad(prober).await?))
}
