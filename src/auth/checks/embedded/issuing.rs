//! J05, J07 and J10: what comes with tokens and codes.

use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

use super::clerk::{Pair, stop};
use super::desk::{exchange, open, ready, stopped};
use super::outcome::{location, param, refused};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::discover::SERVER;
use crate::auth::prober::Prober;
use crate::transcript::{Body, Fault, HttpSide, Transcript};

pub(super) fn refresh(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let Some(first) = desk.granted.get("refresh_token").and_then(Value::as_str) else {
            stop(prober, "public clients get no refresh token");
            return Ok(());
        };
        let renewed = desk.clerk.renew("refresh", &desk.client, first).await;
        if let Some(renewed) = renewed {
            let word = match renewed.get("refresh_token").and_then(Value::as_str) {
                Some(second) if second != first => "a new refresh token came",
                _ => "no new refresh token came",
            };
            let nothing =
                HttpSide { start: "-".to_owned(), headers: vec![], body: Body::Text(String::new()) };
            prober.overheard(word, nothing);
            let _ = desk.clerk.renew("attempt: old refresh token", &desk.client, first).await;
        }
        desk.close().await
    })
}

pub(super) fn rotated(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let Some(first) = exchange(transcript, "refresh").filter(|one| refused(one.response) == Some(false))
    else {
        return Seen::Inconclusive("the refresh token itself was refused".to_owned());
    };
    if let Some(one) = labelled(transcript, "no new refresh token came").next() {
        return Seen::Broken("a refresh brings no new refresh token".to_owned(), vec![first.seq, one.seq]);
    }
    let Some(old) = exchange(transcript, "attempt: old refresh token") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match refused(old.response) {
        Some(true) => {
            Seen::Holds("a new one came, and the old one was refused".to_owned(), vec![first.seq, old.seq])
        }
        Some(false) => Seen::Broken("a refresh token that was used works again".to_owned(), vec![old.seq]),
        None => Seen::Inconclusive("the old refresh token got no answer that decides".to_owned()),
    }
}

pub(super) fn answers(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let pair = Pair::new(prober)?;
        let changes = [("response_type", Some("rehearsal"))];
        let _ = desk.clerk.authorize("error", (&desk.client, &pair), &changes).await;
        desk.close().await
    })
}

pub(super) fn named(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let Some(metadata) = labelled(transcript, SERVER).find_map(|one| one.document()) else {
        return Seen::Inconclusive("the metadata is not in the record".to_owned());
    };
    let issuer = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
    let mut seqs = vec![];
    for (label, what) in [("control before: authorize", "a code"), ("error", "an error")] {
        let Some(one) = exchange(transcript, label) else { continue };
        let Some(to) = location(&one).filter(is_back) else {
            // An error may stay with the server; then there is no response to name anybody.
            continue;
        };
        match param(&to, "iss") {
            Some(iss) if iss == issuer => seqs.push(one.seq),
            Some(_) => {
                return Seen::Broken(
                    format!("{what} comes with an `iss` that is not the issuer"),
                    vec![one.seq],
                );
            }
            None => return Seen::Broken(format!("{what} comes without `iss`"), vec![one.seq]),
        }
    }
    let flag = "authorization_response_iss_parameter_supported";
    match metadata.get(flag).and_then(Value::as_bool) {
        Some(true) => Seen::Holds("`iss` is there, and announced".to_owned(), seqs),
        _ => Seen::Broken(format!("`iss` is there, and the metadata lacks `{flag}`"), seqs),
    }
}

/// Whether an address carries an authorization response.
fn is_back(to: &Url) -> bool {
    param(to, "code").is_some() || param(to, "error").is_some()
}

pub(super) fn token(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        match open(prober).await? {
            Some(desk) => desk.close().await,
            None => Ok(()),
        }
    })
}

pub(super) fn unstored(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let Some(one) = exchange(transcript, "control before: token") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let header = one.side().and_then(|side| side.header("cache-control")).unwrap_or_default();
    match header.to_ascii_lowercase().contains("no-store") {
        true => Seen::Holds("the answer says `no-store`".to_owned(), vec![one.seq]),
        false => Seen::Broken(
            "the answer with the token does not say `Cache-Control: no-store`".to_owned(),
            vec![one.seq],
        ),
    }
}
