//! Group A: what a target says to somebody without a token, or with a bad one.

use futures::future::BoxFuture;
use reqwest::Method;
use secrecy::ExposeSecret;

use super::reading::{Exchange, decisive, labelled};
use super::resource::{document, documents};
use super::{AuthCheck, Eras, Level, Probe, Seen};
use crate::auth::Flaw;
use crate::auth::answer::{Answer, Denial, challenges};
use crate::auth::challenge::{Challenge, Challenges};
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::{Fault, Transcript};

const fn row(
    id: &'static str,
    level: Level,
    texts: [&'static str; 3],
    probe: Probe,
    examine: fn(&Transcript) -> Seen,
) -> AuthCheck {
    let [title, section, fix] = texts;
    AuthCheck {
        id,
        title,
        level,
        section,
        since: "2025-03-26",
        eras: Eras::Each,
        needs: &[],
        fix,
        probe,
        examine,
    }
}

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("A01", Level::Must, ["no token gets 401", "authorization: error handling",
        "answer 401 to every MCP request without a token"], no_token, unauthorized),
    row("A03", Level::Must, ["GET and DELETE without a token are refused", "authorization: token requirements",
        "put the token check before the routes, so that it covers every method"], other_methods, methods_refused).once(),
    row("A04", Level::Rfc, ["the 401 carries a Bearer challenge", "RFC 6750 section 3",
        "add `WWW-Authenticate: Bearer ...` to every 401"], no_token, bearer),
    row("A05", Level::Must, ["the challenge names the resource metadata", "authorization: protected resource metadata discovery",
        "add `resource_metadata=\"https://your-host/.well-known/oauth-protected-resource/...\"`"], documents, metadata_named).since("2025-06-18").once(),
    row("A06", Level::Rfc, ["challenges follow the grammar", "RFC 9110 section 11",
        "quote parameter values and escape quotes inside them"], every_refusal, grammatical),
    row("A07", Level::Should, ["no error is reported to somebody without credentials", "RFC 6750 section 3.1",
        "leave `error` out of the challenge when the request had no token"], no_token, |t| on_challenge(t, no_error)),
    row("A08", Level::Should, ["a bad token gets 401 with `invalid_token` and the metadata", "RFC 6750 section 3.1",
        "answer bad tokens with 401, `error=\"invalid_token\"` and `resource_metadata`"], none_and_garbage, invalid_token),
    row("A09", Level::Should, ["the challenge names the scopes", "authorization: scope selection strategy",
        "add `scope=\"...\"` with the scopes that the request needs"], no_token, |t| on_challenge(t, scoped)).since("2025-11-25"),
    row("A10", Level::Should, ["the challenge does not ask for `offline_access`", "authorization: refresh tokens",
        "leave `offline_access` to the client"], no_token, |t| on_challenge(t, |c| without(c, &["offline_access"]))).since("2026-07-28"),
    row("A11", Level::Hygiene, ["the challenge asks for no catch-all scope", "security best practices: scope minimization",
        "name the scopes that the request needs"], no_token, |t| on_challenge(t, |c| without(c, &["*", "all", "full-access"]))).since("2025-11-25"),
];

fn no_token(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let talk = prober.converse("no token", &Credentials::none()).await;
        prober.close(talk.session, &Credentials::none()).await;
        Ok(())
    })
}

fn none_and_garbage(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        no_token(prober).await?;
        let garbage = Credentials::authorization("Bearer not-a-jwt");
        let talk = prober.converse("garbage", &garbage).await;
        prober.close(talk.session, &garbage).await;
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
            let talk = prober.converse(label, &token).await;
            prober.close(talk.session, &token).await;
        }
        Ok(())
    })
}

fn other_methods(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        for (label, method) in [("method GET", Method::GET), ("method DELETE", Method::DELETE)] {
            let headers = vec![
                ("accept".to_owned(), "text/event-stream".to_owned()),
                ("mcp-session-id".to_owned(), "rehearsal-no-such-session".to_owned()),
            ];
            let ask = Ask { label, method, url: prober.target().clone(), headers, body: None };
            let _ = prober.send(ask, &Credentials::none()).await;
        }
        Ok(())
    })
}

fn last<'a>(transcript: &'a Transcript, label: &str) -> Result<Exchange<'a>, Seen> {
    decisive(transcript, label).ok_or_else(|| Seen::Inconclusive("the probe was not sent".to_owned()))
}

fn unauthorized(transcript: &Transcript) -> Seen {
    let exchange = match last(transcript, "no token") {
        Ok(exchange) => exchange,
        Err(seen) => return seen,
    };
    match exchange.answer() {
        Answer::Denied(Denial::Unauthorized) => {
            Seen::Holds("no token got 401".to_owned(), vec![exchange.seq])
        }
        other if other.is_unavailable() => Seen::Inconclusive(format!("no token got {other}")),
        other => Seen::Broken(format!("no token got {other} instead of 401"), vec![exchange.seq]),
    }
}

fn methods_refused(transcript: &Transcript) -> Seen {
    let mut seqs = Vec::new();
    for exchange in labelled(transcript, "method ") {
        let Some(status) = exchange.side().and_then(crate::transcript::HttpSide::status) else {
            return Seen::Inconclusive(format!("no answer to {}", exchange.label));
        };
        if !(400..500).contains(&status) {
            let text = format!("{} without a token got {status}", exchange.label);
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds("GET and DELETE without a token were refused".to_owned(), seqs),
    }
}

/// What a rule about one challenge finds: `Ok` why it holds, `Err` why not.
type Found = Result<String, String>;

/// Applies a rule to the Bearer challenge of the answer to no token.
fn on_challenge(transcript: &Transcript, rule: fn(&Challenge) -> Found) -> Seen {
    let (exchange, found) = match first_challenge(transcript) {
        Ok(found) => found,
        Err(seen) => return seen,
    };
    match found.as_ref().and_then(|all| all.scheme("bearer")) {
        None => Seen::DoesNotApply("there is no Bearer challenge (see A04)".to_owned()),
        Some(challenge) => match rule(challenge) {
            Ok(why) => Seen::Holds(why, vec![exchange.seq]),
            Err(why) => Seen::Broken(why, vec![exchange.seq]),
        },
    }
}

fn first_challenge(transcript: &Transcript) -> Result<(Exchange<'_>, Option<Challenges>), Seen> {
    let exchange = last(transcript, "no token")?;
    match exchange.answer() {
        Answer::Denied(Denial::Unauthorized) => Ok((exchange, exchange.side().and_then(challenges))),
        other => Err(Seen::DoesNotApply(format!("no token got {other}, not 401 (see A01)"))),
    }
}

fn bearer(transcript: &Transcript) -> Seen {
    match first_challenge(transcript) {
        Err(seen) => seen,
        Ok((exchange, Some(found))) if found.scheme("bearer").is_some() => {
            Seen::Holds("the 401 carries a Bearer challenge".to_owned(), vec![exchange.seq])
        }
        Ok((exchange, _)) => {
            Seen::Broken("the 401 has no `WWW-Authenticate: Bearer`".to_owned(), vec![exchange.seq])
        }
    }
}

fn metadata_named(transcript: &Transcript) -> Seen {
    let (exchange, found) = match first_challenge(transcript) {
        Ok(found) => found,
        Err(seen) => return seen,
    };
    let Some(found) = found else {
        return Seen::DoesNotApply("there is no challenge (see A04)".to_owned());
    };
    let named = found.scheme("bearer").and_then(|challenge| challenge.get("resource_metadata"));
    let Some(named) = named else {
        // Since 2025-11-25 a server may leave it out where the well-known place answers.
        return match document(transcript) {
            Some((place, _)) => {
                let text = format!("the challenge leaves it out, but it is at {}", place.url());
                Seen::Holds(text, vec![exchange.seq, place.seq])
            }
            None => {
                let text = "the challenge has no `resource_metadata`, and no well-known place has it";
                Seen::Broken(text.to_owned(), vec![exchange.seq])
            }
        };
    };
    match (url::Url::parse(named), url::Url::parse(exchange.url())) {
        (Ok(named), Ok(target)) if named.host() != target.host() => {
            Seen::Broken("`resource_metadata` points to another host".to_owned(), vec![exchange.seq])
        }
        (Ok(named), _) if named.scheme() != "https" && !is_loopback(&named) => {
            Seen::Broken("`resource_metadata` is not https".to_owned(), vec![exchange.seq])
        }
        (Ok(_), _) => Seen::Holds("the challenge names the metadata".to_owned(), vec![exchange.seq]),
        (Err(_), _) => {
            Seen::Broken("`resource_metadata` is not an absolute URL".to_owned(), vec![exchange.seq])
        }
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

fn grammatical(transcript: &Transcript) -> Seen {
    let mut seqs = Vec::new();
    for label in ["no token", "garbage", "an expired token", "a token without scopes"] {
        let Some(exchange) = decisive(transcript, label) else { continue };
        let Some(found) = exchange.side().and_then(challenges) else { continue };
        if let Some(problem) = found.problems.first() {
            let text = format!("the challenge on {label} has {problem}");
            return Seen::Broken(text, vec![exchange.seq]);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply("there is no challenge (see A04)".to_owned()),
        false => Seen::Holds("every challenge can be read by the grammar".to_owned(), seqs),
    }
}

fn no_error(challenge: &Challenge) -> Found {
    match challenge.get("error") {
        None => Ok("the challenge reports no error".to_owned()),
        Some(error) => Err(format!("the challenge reports `{error}` though there was no token")),
    }
}

fn invalid_token(transcript: &Transcript) -> Seen {
    let exchange = match last(transcript, "garbage") {
        Ok(exchange) => exchange,
        Err(seen) => return seen,
    };
    let evidence = vec![exchange.seq];
    match exchange.answer() {
        Answer::Denied(Denial::Unauthorized) => {}
        other if other.is_unavailable() => return Seen::Inconclusive(format!("a bad token got {other}")),
        other => return Seen::Broken(format!("a bad token got {other} instead of 401"), evidence),
    }
    let found = exchange.side().and_then(challenges).unwrap_or_default();
    let challenge = found.scheme("bearer").cloned().unwrap_or_default();
    // What the challenge offers to somebody without a token must not vanish for a bad one.
    let offered = first_challenge(transcript).ok().and_then(|(_, found)| found);
    let offered = offered.as_ref().and_then(|found| found.scheme("bearer")?.get("resource_metadata"));
    match (challenge.get("error"), challenge.get("resource_metadata")) {
        (Some("invalid_token"), None) if offered.is_some() => {
            Seen::Broken("the challenge on a bad token lost its `resource_metadata`".to_owned(), evidence)
        }
        (Some("invalid_token"), _) => Seen::Holds("a bad token got `invalid_token`".to_owned(), evidence),
        (Some(error), _) => Seen::Broken(format!("a bad token got `error=\"{error}\"`"), evidence),
        (None, _) => {
            Seen::Broken("the challenge on a bad token has no `error=\"invalid_token\"`".to_owned(), evidence)
        }
    }
}

fn scoped(challenge: &Challenge) -> Found {
    let scope = challenge.get("scope").ok_or("the challenge has no `scope`")?;
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    match scope.split(' ').all(token) {
        true => Ok(format!("the challenge names `{scope}`")),
        false => Err("`scope` is not a list of scope tokens (RFC 6749 section 3.3)".to_owned()),
    }
}

fn without(challenge: &Challenge, unwanted: &[&str]) -> Found {
    let scope = challenge.get("scope").unwrap_or_default();
    match scope.split(' ').find(|part| unwanted.contains(part)) {
        Some(found) => Err(format!("the challenge asks for `{found}`")),
        None => Ok(format!("the challenge asks for `{scope}`")),
    }
}
