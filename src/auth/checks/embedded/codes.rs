//! J01 to J03: codes, and what they are bound to.

use std::time::Duration;

use futures::future::BoxFuture;

use super::clerk::{Pair, REDIRECT, described};
use super::desk::{exchange, open, ready};
use super::outcome::{Came, came_of, location, refused};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// Redirect addresses that are almost the registered one: what differs, and the address.
const ALMOST: [(&str, &str); 4] = [
    ("a longer path", "http://127.0.0.1:43117/callback/more"),
    ("another host that begins alike", "http://127.0.0.1.rehearsal.example:43117/callback"),
    ("another scheme", "https://127.0.0.1:43117/callback"),
    ("another path", "http://127.0.0.1:43117/"),
];

pub(super) fn pkce(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let pair = Pair::new(prober)?;
        let who = (desk.client.as_str(), &pair);
        let bare = [("code_challenge", None), ("code_challenge_method", None)];
        let _ = desk.clerk.authorize("attempt: no challenge", who, &bare).await;
        let plain =
            [("code_challenge", Some(pair.verifier.as_str())), ("code_challenge_method", Some("plain"))];
        let _ = desk.clerk.authorize("attempt: plain", who, &plain).await;
        if let Some((_, code)) = desk.code("code for another verifier").await? {
            // The verifier of another request.
            let _ = desk.clerk.redeem("attempt: wrong verifier", (&desk.client, &pair, &code), &[]).await;
        }
        if let Some((pair, code)) = desk.code("code for no verifier").await? {
            let with = (desk.client.as_str(), &pair, code.as_str());
            let _ = desk.clerk.redeem("attempt: no verifier", with, &[("code_verifier", None)]).await;
        }
        desk.close().await
    })
}

pub(super) fn protected(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for (label, what) in [
        ("attempt: no challenge", "a request without `code_challenge`"),
        ("attempt: plain", "a request with the method `plain`"),
    ] {
        let Some(one) = exchange(transcript, label) else { continue };
        match came_of(&one) {
            Came::Code(_) => return Seen::Broken(format!("{what} got a code"), vec![one.seq]),
            Came::Nothing(why) => return Seen::Inconclusive(format!("{what} got {why}")),
            _ => seqs.push(one.seq),
        }
    }
    for (label, what) in [
        ("attempt: wrong verifier", "a code with the wrong verifier"),
        ("attempt: no verifier", "a code without a verifier"),
    ] {
        let Some(one) = exchange(transcript, label) else {
            return Seen::Inconclusive(format!("there was no code to try {what}"));
        };
        match refused(one.response) {
            Some(true) => seqs.push(one.seq),
            Some(false) => return Seen::Broken(format!("{what} got a token"), vec![one.seq]),
            None => return Seen::Inconclusive(format!("{what} got no answer that decides")),
        }
    }
    Seen::Holds("refused without a challenge, with `plain`, and without the right verifier".to_owned(), seqs)
}

pub(super) fn redirects(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let pair = Pair::new(prober)?;
        for (what, almost) in ALMOST {
            let label = format!("attempt: {what}");
            let changes = [("redirect_uri", Some(almost))];
            let _ = desk.clerk.authorize(&label, (&desk.client, &pair), &changes).await;
        }
        desk.close().await
    })
}

pub(super) fn exact(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for one in labelled(transcript, "attempt: ") {
        let what = one.label.trim_start_matches("attempt: ");
        match came_of(&one) {
            came @ (Came::Code(_) | Came::Error(_)) => {
                return Seen::Broken(
                    format!("an address with {what} was redirected to, with {came}"),
                    vec![one.seq],
                );
            }
            Came::Nothing(why) => return Seen::Inconclusive(format!("an address with {what} got {why}")),
            // To the registered address instead: the code is not in wrong hands, but nobody asked for it there.
            Came::Elsewhere(_) if location(&one).is_some_and(|to| to.as_str().starts_with(REDIRECT)) => {
                seqs.push(one.seq);
            }
            Came::Elsewhere(_) | Came::Page | Came::Refused(_) => seqs.push(one.seq),
        }
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(
            format!("{} addresses that are almost right were not redirected to", seqs.len()),
            seqs,
        ),
    }
}

pub(super) fn twice(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        if let Some((pair, code)) = desk.code("code to use twice").await? {
            let with = (desk.client.as_str(), &pair, code.as_str());
            let first = desk.clerk.redeem("first use", with, &[]).await;
            let _ = desk.clerk.redeem("attempt: second use", with, &[]).await;
            let refresh = first.as_ref().and_then(|first| first.get("refresh_token")?.as_str());
            if let Some(refresh) = refresh {
                let _ = desk.clerk.renew("what the first use brought", &desk.client, refresh).await;
            }
        }
        if let Some(other) = desk.clerk.register("register another", &described(REDIRECT)).await
            && let Some((pair, code)) = desk.code("code for another client").await?
        {
            let with = (other.as_str(), &pair, code.as_str());
            let _ = desk.clerk.redeem("attempt: another client", with, &[]).await;
        }
        desk.close().await
    })
}

pub(super) fn once(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for (label, what) in
        [("attempt: second use", "a used code"), ("attempt: another client", "the code of another client")]
    {
        let Some(one) = exchange(transcript, label) else {
            return Seen::Inconclusive(format!("there was no code to try {what}"));
        };
        match refused(one.response) {
            Some(true) => seqs.push(one.seq),
            Some(false) => return Seen::Broken(format!("{what} got a token"), vec![one.seq]),
            None => return Seen::Inconclusive(format!("{what} got no answer that decides")),
        }
    }
    Seen::Holds("refused a second time and for another client".to_owned(), seqs)
}

/// The same record: whether what the first use brought ends with the second (RFC 6749 section 4.1.2: SHOULD).
pub(super) fn ended(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let Some(second) = exchange(transcript, "attempt: second use") else {
        return Seen::Inconclusive("there was no code to use twice".to_owned());
    };
    let Some(kept) = exchange(transcript, "what the first use brought") else {
        return Seen::DoesNotApply(
            "public clients get no refresh token, and other tokens cannot be asked about".to_owned(),
        );
    };
    let seqs = vec![second.seq, kept.seq];
    match refused(kept.response) {
        Some(true) => {
            Seen::Holds("the refresh token of a code that was used twice was refused".to_owned(), seqs)
        }
        Some(false) => {
            Seen::Broken("the refresh token of a code that was used twice still works".to_owned(), seqs)
        }
        None => Seen::Inconclusive("the refresh token got no answer that decides".to_owned()),
    }
}

pub(super) fn elsewhere(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        if let Some((pair, code)) = desk.code("code for another address").await? {
            let with = (desk.client.as_str(), &pair, code.as_str());
            let changes = [("redirect_uri", Some("http://127.0.0.1:43117/elsewhere"))];
            let _ = desk.clerk.redeem("attempt: another redirect address", with, &changes).await;
        }
        desk.close().await
    })
}

/// Whether the only attempt was refused.
fn turned_away(transcript: &Transcript, label: &str, what: &str) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let Some(one) = exchange(transcript, label) else {
        return Seen::Inconclusive(format!("there was no code to try {what}"));
    };
    match refused(one.response) {
        Some(true) => Seen::Holds(format!("{what} was refused"), vec![one.seq]),
        Some(false) => Seen::Broken(format!("{what} got a token"), vec![one.seq]),
        None => Seen::Inconclusive(format!("{what} got no answer that decides")),
    }
}

pub(super) fn bound(transcript: &Transcript) -> Seen {
    turned_away(transcript, "attempt: another redirect address", "a code with another redirect address")
}

/// The longest that a code may live (RFC 6749 section 4.1.2).
const LONGEST: Duration = Duration::from_secs(600);

pub(super) fn late(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(life) = prober.facts().code_life.map(|life| life.0.min(LONGEST)) else { return Ok(()) };
        let Some(desk) = open(prober).await? else { return Ok(()) };
        if let Some((pair, code)) = desk.code("code to keep").await? {
            // A little more, for the way there.
            tokio::time::sleep(life + life / 20).await;
            let with = (desk.client.as_str(), &pair, code.as_str());
            let _ = desk.clerk.redeem("attempt: too late", with, &[]).await;
        }
        desk.close().await
    })
}

pub(super) fn timely(transcript: &Transcript) -> Seen {
    turned_away(transcript, "attempt: too late", "a code after the end of its life")
}
