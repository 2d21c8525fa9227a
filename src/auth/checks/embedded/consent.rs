//! J09 again: what a proxy remembers of a consent, and of the request that it forwards.

use futures::future::BoxFuture;
use url::Url;

use super::clerk::{Pair, REDIRECT, STATE, described, meet};
use super::desk::{exchange, stopped};
use super::outcome::{Came, came_of, location, param};
use super::proxy::forwards;
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{Exchange, labelled};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// Looks at the cookies that came on the way to the page.
pub(super) fn kept_close(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    let on_the_way = labelled(transcript, "authorize").chain(labelled(transcript, "page"));
    let mut seqs = vec![];
    for one in on_the_way {
        let headers = one.side().map(|side| side.headers.as_slice()).unwrap_or_default();
        for (_, cookie) in headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            if is_removal(cookie) {
                continue;
            }
            if let Some(lacks) = lacks(cookie) {
                let name = crate::display::excerpt(name(cookie), 40);
                return Seen::Broken(format!("the cookie `{name}` {lacks}"), vec![one.seq]);
            }
            seqs.push(one.seq);
        }
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply("no cookie came with the way to the consent".to_owned()),
        false => Seen::Holds(format!("{} cookies are for this host and no script", seqs.len()), seqs),
    }
}

fn name(cookie: &str) -> &str {
    cookie.split(['=', ';']).next().unwrap_or_default().trim()
}

/// An attribute's value; empty where it has none.
fn attribute<'a>(cookie: &'a str, wanted: &str) -> Option<&'a str> {
    cookie.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

fn is_removal(cookie: &str) -> bool {
    attribute(cookie, "max-age").is_some_and(|age| age == "0" || age.starts_with('-'))
}

/// What a cookie lacks, if anything.
fn lacks(cookie: &str) -> Option<&'static str> {
    let same_site = attribute(cookie, "samesite").unwrap_or_default();
    let strict = ["lax", "strict"].iter().any(|one| same_site.eq_ignore_ascii_case(one));
    match () {
        () if !name(cookie).starts_with("__Host-") => Some("has a name that does not begin with `__Host-`"),
        () if attribute(cookie, "secure").is_none() => Some("is not `Secure`"),
        () if attribute(cookie, "httponly").is_none() => Some("is not `HttpOnly`"),
        () if !strict => Some("has no `SameSite`, or a weak one"),
        () => None,
    }
}

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(clerk) = meet(prober).await else { return Ok(()) };
        let Some(client) = clerk.register("register", &described(REDIRECT)).await else { return Ok(()) };
        let mut forwarded = vec![];
        for label in ["authorize", "authorize again"] {
            let pair = Pair::new(prober)?;
            if let Came::Elsewhere(to) = clerk.authorize(label, (&client, &pair), &[]).await {
                forwarded.push(to);
            }
        }
        // The upstream server would send people back to the proxy; saying that they declined spends no code.
        let back = forwarded.first().and_then(|to| Some((callback(to)?, param(to, "state")?)));
        let Some((callback, state)) = back.filter(|(callback, _)| clerk.is_own(callback)) else {
            return Ok(());
        };
        let declined = |state: &str| {
            let mut url = callback.clone();
            url.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", state);
            url
        };
        let _ = clerk.visit("attempt: a state that nobody made", declined("rehearsal-never-made")).await;
        let _ = clerk.visit("the state", declined(&state)).await;
        let _ = clerk.visit("attempt: the state once more", declined(&state)).await;
        Ok(())
    })
}

/// Where the upstream server sends people.
fn callback(to: &Url) -> Option<Url> {
    Url::parse(&param(to, "redirect_uri")?).ok()
}

/// Where a request for a code was forwarded to under the proxy's own name.
fn forwarded(one: &Exchange<'_>) -> Option<Url> {
    let asked = Url::parse(one.url()).ok()?;
    location(one).filter(|to| forwards(&asked, to))
}

/// Whether an answer sends people back to the client.
fn goes_on(one: &Exchange<'_>) -> bool {
    location(one).is_some_and(|to| to.as_str().starts_with(REDIRECT))
}

pub(super) fn single(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    let pair = (exchange(transcript, "authorize"), exchange(transcript, "authorize again"));
    let (Some(first), Some(second)) = pair else {
        return Seen::Inconclusive("no client could be registered".to_owned());
    };
    let (Some(one), Some(other)) = (forwarded(&first), forwarded(&second)) else {
        return match came_of(&first) {
            Came::Page => Seen::DoesNotApply(
                "a page comes first; where a parameter of the request makes the server consent by itself, name it in \
                 `auth_checks.facts.consent`"
                    .to_owned(),
            ),
            Came::Nothing(why) => Seen::Inconclusive(format!("the request for a code got {why}")),
            _ => Seen::DoesNotApply("nothing is forwarded under the proxy's own name".to_owned()),
        };
    };
    let seqs = vec![first.seq, second.seq];
    match (param(&one, "state"), param(&other, "state")) {
        (None, _) | (_, None) => {
            return Seen::Broken("the request is forwarded without a `state`".to_owned(), seqs);
        }
        (Some(one), Some(other)) if one == STATE || other == STATE => {
            return Seen::Broken("the client's own `state` is forwarded".to_owned(), seqs);
        }
        (Some(one), Some(other)) if one == other => {
            return Seen::Broken("two requests are forwarded with the same `state`".to_owned(), seqs);
        }
        _ => {}
    }
    let Some(state) = exchange(transcript, "the state") else {
        return Seen::Holds("each request is forwarded with a `state` of its own".to_owned(), seqs);
    };
    let mut all = seqs;
    for one in labelled(transcript, "attempt: ") {
        let what = one.label.trim_start_matches("attempt: ");
        match came_of(&one) {
            _ if goes_on(&one) => {
                return Seen::Broken(format!("{what} led back to the client"), vec![one.seq]);
            }
            Came::Nothing(why) => {
                return Seen::Inconclusive(format!("{what} got {why}"));
            }
            _ => all.push(one.seq),
        }
    }
    // A proxy may keep people who declined; then using a state twice shows nothing.
    let text = match goes_on(&state) {
        true => "each request is forwarded with a `state` of its own, which leads back once",
        false => "each request is forwarded with a `state` of its own, and an unknown one leads nowhere",
    };
    all.push(state.seq);
    Seen::Holds(text.to_owned(), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_one_host_and_no_script() {
        let good = "__Host-consent=abc; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(lacks(good), None);
        assert_eq!(lacks("__Host-a=b;secure;httponly;samesite=strict"), None);
        for (cookie, word) in [
            ("consent=abc; Path=/; Secure; HttpOnly; SameSite=Lax", "__Host-"),
            ("__Host-consent=abc; Path=/; HttpOnly; SameSite=Lax", "`Secure`"),
            ("__Host-consent=Secure; HttpOnly; SameSite=Lax", "`Secure`"),
            ("__Host-consent=abc; Path=/; Secure; SameSite=Lax", "`HttpOnly`"),
            ("__Host-consent=abc; Path=/; Secure; HttpOnly", "SameSite"),
            ("__Host-consent=abc; Path=/; Secure; HttpOnly; SameSite=None", "SameSite"),
        ] {
            assert!(lacks(cookie).is_some_and(|lacks| lacks.contains(word)), "{cookie}");
        }
        assert!(is_removal("consent=; Max-Age=0") && !is_removal(good));
    }
}
