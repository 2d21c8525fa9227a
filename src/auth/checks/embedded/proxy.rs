//! J09: a proxy before another authorization server asks for consent itself.

use futures::future::BoxFuture;
use url::Url;

use super::clerk::{Pair, REDIRECT, described, meet};
use super::desk::{exchange, stopped};
use super::outcome::{Came, came_of, param};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// How many redirects on the same server are followed.
const HOPS: usize = 3;

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(clerk) = meet(prober).await else { return Ok(()) };
        let Some(client) = clerk.register("register", &described(REDIRECT)).await else { return Ok(()) };
        let pair = Pair::new(prober)?;
        let mut came = clerk.knock("authorize", (&client, &pair)).await;
        // Pages may be behind a redirect or two on the same server.
        for _ in 0..HOPS {
            let Came::Elsewhere(to) = came else { break };
            if !clerk.is_own(&to) {
                break;
            }
            came = clerk.visit("page", to).await;
        }
        Ok(())
    })
}

pub(super) fn judge(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    let Some(first) = exchange(transcript, "authorize") else {
        return Seen::Inconclusive("no client could be registered".to_owned());
    };
    let Ok(asked) = Url::parse(first.url()) else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let one = labelled(transcript, "page").last().unwrap_or(first);
    match came_of(&one) {
        Came::Code(_) => Seen::DoesNotApply("a code came at once: nothing is forwarded".to_owned()),
        Came::Elsewhere(to) if forwards(&asked, &to) => {
            let host = to.host_str().unwrap_or("another server").to_owned();
            let text = format!(
                "a client that nobody knows is forwarded to {host} under the proxy's own name, without a page"
            );
            Seen::Broken(text, vec![one.seq])
        }
        Came::Elsewhere(to) if to.origin() != asked.origin() => {
            Seen::DoesNotApply("people are sent to another server under the client's own name".to_owned())
        }
        Came::Page | Came::Elsewhere(_) => {
            let text =
                "a page comes first; whether it asks for consent to this very client, a person must see";
            Seen::Inconclusive(text.to_owned())
        }
        other => Seen::Inconclusive(format!("the request for a code got {other}")),
    }
}

/// Whether a redirect asks another server for a code in the name of another client.
pub(super) fn forwards(asked: &Url, to: &Url) -> bool {
    let client = param(to, "client_id");
    to.origin() != asked.origin() && client.is_some() && client != param(asked, "client_id")
}
