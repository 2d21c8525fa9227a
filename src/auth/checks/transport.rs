//! Group H: properties of the transport that carry authorization.

use futures::future::BoxFuture;
use serde_json::json;

use super::bracket::{begin, end};
use super::reading::{control, deciding, decisive};
use super::ruling::{Ruling, each, each_if_any};
use super::tokens::attempt;
use super::transport_flood::{batch, flood, in_batch, still_open};
use super::transport_mirror::{doubled_key, envelope, header_mismatch, last_wins, parameters, renamed};
use super::transport_places::{elsewhere, listening, moved, stays};
use super::{AuthCheck, Eras, Level, Needs, Seen, row};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::{Prober, Raw};
use crate::transcript::{Fault, Transcript};

const SECURITY: &str = "streamable HTTP: security";
const VALIDATION: &str = "streamable HTTP: server validation";

const TOKEN: &[Needs] = &[Needs::GoodToken];
const LOCAL: &[Needs] = &[Needs::GoodToken, Needs::LoopbackTarget];
const LOCAL_RAW: &[Needs] = &[Needs::GoodToken, Needs::LoopbackTarget, Needs::Direct];

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("H01", Level::Must, ["a foreign `Origin` is refused", SECURITY,
        "answer 403 to requests whose `Origin` is not on your list"],
        foreign_origin, |t| turned_away(t, "a page of `http://evil.example`")).needing(TOKEN),
    row("H02", Level::Hygiene, ["a foreign `Host` is refused on loopback", "streamable HTTP: security (DNS rebinding)",
        "answer 403 to requests whose `Host` is not your own while you listen on loopback"],
        foreign_host, |t| turned_away(t, "a request for host `evil.example`")).needing(LOCAL),
    row("H02.absolute", Level::Hygiene, ["a foreign host in the request line is refused on loopback", "RFC 9112 section 3.2.2",
        "look at the host of the request line where it has one, and only else at `Host`"],
        absolute, |t| each(t, refused_host)).needing(LOCAL_RAW),
    row("H02.two", Level::Hygiene, ["two `Host` headers are refused", "RFC 9112 section 3.2",
        "answer 400 to a request with more than one `Host`"], two_hosts, |t| each(t, refused_host)).needing(LOCAL_RAW),
    row("H03", Level::Should, ["a client that is no browser needs no `Origin`", SECURITY,
        "let requests without `Origin` pass: only browsers send it"], without_origin, no_origin_needed).needing(TOKEN),
    row("H04", Level::Must, ["headers that contradict the body are refused", VALIDATION,
        "compare `Mcp-Method`, `Mcp-Name` and `MCP-Protocol-Version` with the body; answer 400 and -32020"],
        envelope, |t| each(t, header_mismatch)).needing(TOKEN).during(Eras::Modern).since("2026-07-28"),
    row("H05", Level::Must, ["parameter headers that contradict the arguments are refused", VALIDATION,
        "compare every `Mcp-Param-*` with its argument; answer 400 and -32020"], parameters, renamed).needing(TOKEN).during(Eras::Modern).since("2026-07-28"),
    row("H06", Level::Hygiene, ["a name that stands twice in the body is refused", "RFC 8259 section 4",
        "refuse JSON with two members of one name: a gateway may look at the other one"], doubled_key, last_wins).needing(TOKEN),
    row("H07", Level::Must, ["batches are refused", "streamable HTTP: sending messages",
        "answer 400 to a body that is an array"], batch, in_batch).needing(TOKEN).since("2025-06-18"),
    row("H08", Level::Hygiene, ["no redirect leads to another origin", "RFC 9110 section 15.4",
        "answer at one address; clients may send their token along to wherever a redirect leads"], moved, |t| each_if_any(t, stays)).once(),
    row("H09", Level::Should, ["a local server listens on loopback only", SECURITY,
        "bind to 127.0.0.1, not to 0.0.0.0"], elsewhere, listening).needing(&[Needs::LoopbackTarget, Needs::OutwardAddress, Needs::Direct]).once(),
    row("H10", Level::Hygiene, ["bad tokens do not lock the good one out", "OAuth 2.1 section 7",
        "slow down whoever sends bad tokens, and nobody else"], flood, still_open).needing(&[Needs::GoodToken, Needs::Alone]),
];

fn foreign_origin(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        attempt(prober, good.with("origin", "http://evil.example")).await
    })
}

/// On loopback only: elsewhere a foreign host may lawfully reach another site of the same address.
fn foreign_host(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        attempt(prober, good.with("host", "evil.example")).await
    })
}

fn turned_away(transcript: &Transcript, what: &str) -> Seen {
    if let Err(seen) = control(transcript) {
        return seen;
    }
    let mut seqs = Vec::new();
    let mut note = String::new();
    for exchange in
        ["attempt", "attempt in session"].into_iter().flat_map(|label| deciding(transcript, label))
    {
        match exchange.answer() {
            Answer::Denied(Denial::Forbidden) => {}
            Answer::Denied(denial) => note = format!(" with {denial} where the text wants 403"),
            other if other.is_unavailable() => return Seen::Inconclusive(format!("{what} got {other}")),
            other => return Seen::Broken(format!("{what} got {other} instead of 403"), vec![exchange.seq]),
        }
        seqs.push(exchange.seq);
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("{what} was refused{note}"), seqs),
    }
}

/// The host of the request line counts, whatever `Host` says.
fn absolute(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let label = "with `http://evil.example` in the request line: tools/list";
        let raw = prober.rough(label, &between.session, ("tools/list", json!({}))).by(&between.good);
        let target = Some(format!("http://evil.example{}", prober.target().path()));
        let _ = prober.raw(Raw { target, ..raw }).await;
        end(prober, between).await;
        Ok(())
    })
}

fn two_hosts(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(between) = begin(prober).await? else { return Ok(()) };
        let url = prober.target();
        let own = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        for (label, hosts) in [
            ("with its own `Host` and then a foreign one: tools/list", [own.as_str(), "evil.example"]),
            ("with a foreign `Host` and then its own: tools/list", ["evil.example", own.as_str()]),
        ] {
            let raw = prober.rough(label, &between.session, ("tools/list", json!({}))).by(&between.good);
            let raw = hosts.iter().fold(raw, |raw, host| raw.line(format!("host: {host}")));
            let _ = prober.raw(raw).await;
        }
        end(prober, between).await;
        Ok(())
    })
}

/// Refused, or hung up on: a server need not talk to somebody who cannot speak HTTP.
fn refused_host(exchange: &super::reading::Exchange<'_>) -> Ruling {
    match exchange.answer() {
        Answer::Silent(why) if why.contains("closed without") => Ruling::Fine,
        other if other.is_unavailable() => Ruling::Open,
        Answer::Denied(_) => Ruling::Fine,
        Answer::Accepted(_) => Ruling::Bad("was accepted".to_owned()),
        other => Ruling::Bad(format!("got {other}")),
    }
}

fn without_origin(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let good = prober.good().await?;
        let talk = prober.converse("without", &good).await;
        prober.close(talk.session, &good).await;
        let own = prober.target().origin().ascii_serialization();
        let at_home = good.with("origin", &own);
        let talk = prober.converse("with its own", &at_home).await;
        prober.close(talk.session, &at_home).await;
        Ok(())
    })
}

fn no_origin_needed(transcript: &Transcript) -> Seen {
    let (Some(without), Some(own)) = (decisive(transcript, "without"), decisive(transcript, "with its own"))
    else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    match (without.answer(), own.answer()) {
        (Answer::Accepted(_), _) => {
            Seen::Holds("a request without `Origin` was accepted".to_owned(), vec![without.seq])
        }
        (other, Answer::Accepted(_)) if !other.is_unavailable() => {
            let text =
                format!("a request without `Origin` got {other}, one with the server's own was accepted");
            Seen::Broken(text, vec![without.seq, own.seq])
        }
        (other, _) => Seen::Inconclusive(format!("the good token itself got {other}")),
    }
}
