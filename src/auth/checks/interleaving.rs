//! Group G, time: many requests of two users at once, and a token that is taken back between two of them.

use futures::future::{BoxFuture, join_all};
use reqwest::Method;
use secrecy::ExposeSecret;

use super::pair::{Pair, leave, meet};
use super::reading::{Exchange, control, labelled};
use super::telling::{both, method, named, unclear};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::OpenCall;
use crate::auth::answer::Answer;
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::{Fault, Transcript};

/// How many calls each persona makes at once.
const CALLS: usize = 20;

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G17", level: Level::Hygiene, title: "answers do not cross between users at work", section: "security best practices",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("echo")], fix: "keep what belongs to a request in the request, never in a variable that all share",
        probe: at_once, examine: uncrossed },
    AuthCheck { id: "G18", level: Level::Hygiene, title: "a token that was taken back is refused at the next call", section: "RFC 7662 section 4",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::Introspection], fix: "introspect every token on every request, or keep the answer for seconds only",
        probe: revoked, examine: refused_at_once },
];

/// What stands in a call, and in no other.
fn canary(name: &str, number: usize) -> String {
    format!("rehearsal-canary-{name}-{number:02}")
}

fn at_once(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().echo else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let calls = (1..=CALLS).flat_map(|number| {
            [("first", number), ("second", number)].map(|who| call(prober, fact, &pair, who))
        });
        join_all(calls).await;
        leave(prober, pair).await;
        Ok(())
    })
}

/// One call; each has an id of its own, as requests that are open at the same time must.
async fn call(prober: &Prober, fact: &OpenCall, pair: &Pair, (name, number): (&'static str, usize)) {
    let (session, who) = match name {
        "first" => (&pair.hers, &pair.first),
        _ => (&pair.his, &pair.second),
    };
    let (headers, mut body) = prober.written(session, ("tools/call", fact.with(canary(name, number))));
    body["id"] = (100 + number).into();
    let label = format!("{name} {number:02}: tools/call");
    let (url, body) = (prober.target().clone(), Some(body.to_string()));
    let _ = prober.send(Ask { label: &label, method: Method::POST, url, headers, body }, who).await;
}

fn uncrossed(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let calls: Vec<Exchange<'_>> =
        ["first ", "second "].into_iter().flat_map(|name| labelled(transcript, name)).collect();
    let mut seqs = vec![];
    for exchange in &calls {
        if !matches!(exchange.answer(), Answer::Accepted(_)) {
            return unclear(exchange);
        }
        let own = format!("rehearsal-canary-{}", named(exchange).replace(' ', "-"));
        let text = exchange.side().map(|side| side.body.to_text().into_owned()).unwrap_or_default();
        let rest = text.replace(&own, "");
        if let Some(foreign) = rest.split("rehearsal-canary-").nth(1) {
            let whose = foreign.split('-').next().unwrap_or_default();
            let own = named(exchange).split(' ').next().unwrap_or_default();
            let text = match whose == own {
                true => format!("the answer to one call of the {own} persona holds the text of another"),
                false => format!("an answer to the {own} persona holds a text of the {whose}"),
            };
            return Seen::Broken(text, vec![exchange.seq]);
        }
        if rest.len() == text.len() {
            let text = "the tool of `auth_checks.facts.echo` does not repeat what it is given".to_owned();
            return Seen::Inconclusive(text);
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("{} calls at once, each with its own answer", seqs.len()), seqs),
    }
}

fn revoked(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some((issuer, _)) = prober.minted() else { return Ok(()) };
        let good = prober.good().await?;
        let before = prober.converse("control before", &good).await;
        let token = prober.token(|_| {}).await?;
        let own = Credentials::authorization(&format!("Bearer {}", token.expose_secret()));
        let talk = prober.converse("own", &own).await;
        if let Some(session) = &talk.session
            && issuer.revoke(token.expose_secret())
        {
            let _ = prober.ask("attempt", session, &own).await;
        }
        let after = prober.converse("control after", &good).await;
        for session in [before.session, talk.session, after.session] {
            prober.close(session, &good).await;
        }
        Ok(())
    })
}

fn refused_at_once(transcript: &Transcript) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let own = labelled(transcript, "own: ").last();
    if !own.is_some_and(|own| matches!(own.answer(), Answer::Accepted(_))) {
        return Seen::Inconclusive("the token was refused before it was taken back".to_owned());
    }
    let mut seqs = vec![];
    for attempt in labelled(transcript, "attempt: ") {
        match attempt.answer() {
            Answer::Accepted(_) => {
                let text = format!("a token that was taken back still serves `{}`", method(&attempt));
                return Seen::Broken(text, vec![attempt.seq]);
            }
            Answer::Denied(_) if !attempt.answer().is_unavailable() => seqs.push(attempt.seq),
            _ => return unclear(&attempt),
        }
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the token could not be taken back".to_owned()),
        false => Seen::Holds("a token that was taken back was refused at the next request".to_owned(), seqs),
    }
}
