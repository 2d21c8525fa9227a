//! Group A: what a target says to somebody without a token, or with a bad one.

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::reading::{Exchange, decisive, labelled};
use super::resource::documents;
use super::{AuthCheck, Level, Needs, Seen, row};
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::challenge::Challenges;
use crate::auth::prober::{Credentials, Prober};
use crate::auth::{Flaw, ToolUse};
use crate::transcript::{Fault, Transcript};

mod bodies;
mod header;
mod methods;
mod preflight;

pub(super) use header::{challenged, offered};

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("A01", Level::Must, ["no token gets 401", "authorization: error handling",
        "answer 401 to every MCP request without a token"], no_token, methods::unauthorized),
    row("A02", Level::Must, ["no method answers without a token", "authorization: access token privilege restriction",
        "put the token check before the methods; what is open by design belongs in `auth_checks.facts.anonymous`"], methods::every_method, methods::closed),
    row("A03", Level::Must, ["GET and DELETE without a token are refused", "authorization: token requirements",
        "put the token check before the routes, so that it covers every HTTP method"], methods::other_verbs, methods::verbs_refused).once(),
    row("A04", Level::Rfc, ["the 401 carries a Bearer challenge", "RFC 6750 section 3",
        "add `WWW-Authenticate: Bearer ...` to every 401"], no_token, header::bearer),
    row("A05", Level::Must, ["the challenge names the resource metadata", "authorization: protected resource metadata discovery",
        "add `resource_metadata=\"https://your-host/.well-known/oauth-protected-resource/...\"`"], documents, header::metadata_named).since("2025-06-18").once(),
    row("A06", Level::Rfc, ["challenges follow the grammar", "RFC 9110 section 11",
        "quote parameter values and escape quotes inside them"], every_refusal, header::grammatical),
    row("A07", Level::Should, ["no error is reported to somebody without credentials", "RFC 6750 section 3.1",
        "leave `error` out of the challenge when the request had no token"], no_token, |t| header::on_challenge(t, header::no_error)),
    row("A08", Level::Should, ["a bad token gets 401 with `invalid_token` and the metadata", "RFC 6750 section 3.1",
        "answer bad tokens with 401, `error=\"invalid_token\"` and `resource_metadata`"], none_and_garbage, header::invalid_token),
    row("A09", Level::Should, ["the challenge names the scopes", "authorization: scope selection strategy",
        "add `scope=\"...\"` with the scopes that the request needs"], no_token, |t| header::on_challenge(t, header::scoped)).since("2025-11-25"),
    row("A10", Level::Should, ["neither the challenge nor the metadata ask for `offline_access`", "authorization: refresh tokens",
        "leave `offline_access` to the client"], documents, |t| header::without(t, &["offline_access"])).since("2026-07-28").once(),
    row("A11", Level::Hygiene, ["neither the challenge nor the metadata ask for a catch-all scope", "security best practices: scope minimization",
        "name the scopes that the request needs"], documents, |t| header::without(t, &["*", "all", "full-access"])).since("2025-11-25").once(),
    row("A12", Level::Hygiene, ["refusals tell nothing of the inside", "OWASP API security: security misconfiguration",
        "answer refusals with a short JSON body or none; keep traces, paths and the token in your own log"], bodies::denials, bodies::discreet).once(),
    row("A13", Level::Hygiene, ["browsers may send the headers of MCP and read the challenge", "Fetch: CORS protocol",
        "answer preflights without a token; allow the headers of MCP and expose `WWW-Authenticate` and `Mcp-Session-Id`"], preflight::ask, preflight::allowed).needing(&[Needs::Fact("browser_clients")]),
];

/// The name of something that no target has.
const NOTHING: &str = "rehearsal-no-such-thing";

/// The label of requests that a target answers to everybody by design.
const OPEN: &str = "open by design";

/// Whether anybody may call a method, by design.
fn is_open(prober: &Prober, method: &str) -> bool {
    prober.facts().anonymous.iter().any(|one| one == method)
}

/// The call that changes nothing; of a tool that does not exist where the suite names none.
fn plain_call(prober: &Prober) -> Value {
    let nothing = || json!({"name": NOTHING, "arguments": {}});
    prober.facts().harmless.as_ref().map_or_else(nothing, ToolUse::params)
}

/// Tries what the target does not answer to everybody by design.
async fn knock(prober: &Prober, label: &str, who: &Credentials) {
    let session = match (is_open(prober, "tools/list"), &prober.facts().harmless) {
        (false, _) => prober.converse(label, who).await.session,
        (true, None) => prober.converse(OPEN, who).await.session,
        (true, Some(call)) => {
            let handshake = if is_open(prober, "initialize") { OPEN } else { label };
            let talk = prober.open(handshake, who).await;
            if let Some(session) = &talk.session {
                let _ = prober.rpc(label, session, ("tools/call", call.params()), who).await;
            }
            talk.session
        }
    };
    prober.close(session, who).await;
}

fn no_token(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        knock(prober, "no token", &Credentials::none()).await;
        Ok(())
    })
}

fn none_and_garbage(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        no_token(prober).await?;
        knock(prober, "garbage", &Credentials::authorization("Bearer not-a-jwt")).await;
        Ok(())
    })
}

/// Libraries put their own words into challenges, and other ones for each flaw; so tokens that get further than garbage
/// are sent too where the target trusts the issuer.
fn every_refusal(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        none_and_garbage(prober).await?;
        if prober.minted().is_none() {
            return Ok(());
        }
        let expired = prober.flawed(Flaw::Expired).await?;
        let bare = prober.token(|minted| minted.scopes.clear()).await?;
        let bare = Credentials::authorization(&format!("Bearer {}", bare.expose_secret()));
        for (label, token) in [("an expired token", expired), ("a token without scopes", bare)] {
            knock(prober, label, &token).await;
        }
        Ok(())
    })
}

/// What decides, or why nothing does.
fn last<'a>(transcript: &'a Transcript, label: &str) -> Result<Exchange<'a>, Seen> {
    decisive(transcript, label).ok_or_else(|| absent(transcript))
}

fn absent(transcript: &Transcript) -> Seen {
    match labelled(transcript, OPEN).next() {
        Some(_) => Seen::DoesNotApply(
            "`tools/list` is open by design; name a call that is not under `auth_checks.facts.harmless`"
                .to_owned(),
        ),
        None => Seen::Inconclusive("the probe was not sent".to_owned()),
    }
}

/// The challenges of the 401 to no token.
pub(super) fn first_challenge(transcript: &Transcript) -> Result<(Exchange<'_>, Option<Challenges>), Seen> {
    let exchange = last(transcript, "no token")?;
    match exchange.answer() {
        Answer::Denied(Denial::Unauthorized) => Ok((exchange, exchange.side().and_then(challenges))),
        other if other.is_unavailable() => Err(Seen::Inconclusive(format!("no token got {other}"))),
        other => Err(Seen::DoesNotApply(format!("no token got {other}, not 401 (see A01)"))),
    }
}

/// Whether plain http is fine there.
pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
