//! J04: tokens are for the resource that was asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use serde_json::Value;

use super::clerk::Pair;
use super::desk::{exchange, open, ready};
use super::outcome::Came;
use crate::auth::answer::Answer;
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{deciding, decisive, labelled};
use crate::auth::prober::{Credentials, Prober};
use crate::transcript::{Body, Fault, HttpSide, Transcript};

/// A resource that is nobody's.
const OTHER: &str = "https://other.rehearsal.example/mcp";

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let token = desk.granted.get("access_token").and_then(Value::as_str).unwrap_or_default();
        note_audience(prober, "own token", (token, &desk.clerk.resource));
        show(prober, "own token", token).await;
        let pair = Pair::new(prober)?;
        let elsewhere = [("resource", Some(OTHER))];
        let who = (desk.client.as_str(), &pair);
        if let Came::Code(code) = desk.clerk.authorize("other resource: authorize", who, &elsewhere).await {
            let with = (desk.client.as_str(), &pair, code.as_str());
            let granted = desk.clerk.redeem("other resource: token", with, &elsewhere).await;
            let token = granted.as_ref().and_then(|granted| granted.get("access_token")?.as_str());
            if let Some(token) = token {
                show(prober, "other resource", token).await;
            }
        }
        desk.close().await
    })
}

async fn show(prober: &Prober, label: &str, token: &str) {
    let who = Credentials::authorization(&format!("Bearer {token}"));
    let talk = prober.converse(label, &who).await;
    prober.close(talk.session, &who).await;
}

/// Records whether the audience in a token is the resource. An opaque token shows none.
fn note_audience(prober: &Prober, label: &str, (token, resource): (&str, &str)) {
    let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let Some(claims) = claims else { return };
    let is_it = |one: &Value| {
        one.as_str().is_some_and(|one| one.trim_end_matches('/') == resource.trim_end_matches('/'))
    };
    let fits = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_it),
        Some(one) => is_it(one),
        None => false,
    };
    let word = if fits { "is for the resource" } else { "is not for the resource" };
    let nothing = HttpSide { start: "-".to_owned(), headers: vec![], body: Body::Text(String::new()) };
    prober.overheard(&format!("{label} {word}"), nothing);
}

pub(super) fn judge(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    if let Some(one) = labelled(transcript, "own token is not for the resource").next() {
        return Seen::Broken(
            "`aud` of the token is not the resource that was asked for".to_owned(),
            vec![one.seq],
        );
    }
    let accepted = |label: &str| {
        let all = deciding(transcript, label);
        !all.is_empty() && all.iter().all(|one| matches!(one.answer(), Answer::Accepted(_)))
    };
    if !accepted("own token") {
        return Seen::Inconclusive("the target does not accept the token that its server gave".to_owned());
    }
    let Some(asked) = exchange(transcript, "other resource: authorize") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match decisive(transcript, "other resource") {
        None => Seen::Holds("a token for another resource was refused".to_owned(), vec![asked.seq]),
        Some(one) if matches!(one.answer(), Answer::Accepted(_)) => {
            let text = "a token was given for another resource, and the target accepts it".to_owned();
            Seen::Broken(text, vec![asked.seq, one.seq])
        }
        Some(one) if one.answer().is_unavailable() => {
            Seen::Inconclusive(format!("a token for another resource got {}", one.answer()))
        }
        Some(one) => {
            let text = "a token for another resource was given, and the target refuses it".to_owned();
            Seen::Holds(text, vec![asked.seq, one.seq])
        }
    }
}
