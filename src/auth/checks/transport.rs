//! Group H: properties of the transport that carry authorization.

use futures::future::BoxFuture;

use super::reading::{control, deciding};
use super::tokens::attempt;
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::{Answer, Denial};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "H01", level: Level::Must, title: "a foreign `Origin` is refused", section: "streamable HTTP: security",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::GoodToken], fix: "answer 403 to requests whose `Origin` is not on your list",
        probe: foreign_origin, examine: |t| turned_away(t, "a page of `http://evil.example`") },
    AuthCheck { id: "H02", level: Level::Hygiene, title: "a foreign `Host` is refused on loopback", section: "streamable HTTP: security (DNS rebinding)",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::GoodToken, Needs::LoopbackTarget], fix: "answer 403 to requests whose `Host` is not your own while you listen on loopback",
        probe: foreign_host, examine: |t| turned_away(t, "a request for host `evil.example`") },
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
