//! J06 and J08: who may become a client, by registration or by a document.

use futures::future::BoxFuture;
use serde_json::Value;

use super::clerk::{Pair, REDIRECT, described, meet, stop};
use super::desk::{exchange, open, ready, stopped};
use super::outcome::{Came, came_of};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

/// Redirect addresses that nobody may register: what they are, and the address.
const UNSAFE: [(&str, &str); 3] = [
    ("a script", "javascript:alert(1)"),
    ("data", "data:text/html,rehearsal"),
    ("plain http elsewhere", "http://client.rehearsal.example/callback"),
];

pub(super) fn register(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(clerk) = meet(prober).await else { return Ok(()) };
        if clerk.register("control before", &described(REDIRECT)).await.is_none() {
            return Ok(());
        }
        for (what, redirect) in UNSAFE {
            let _ = clerk.register(&format!("attempt: {what}"), &described(redirect)).await;
        }
        let _ = clerk.register("control after", &described(REDIRECT)).await;
        Ok(())
    })
}

pub(super) fn safe(transcript: &Transcript) -> Seen {
    if let Some(seen) = stopped(transcript) {
        return seen;
    }
    let taken = |status: Option<u16>| matches!(status, Some(200 | 201));
    for label in ["control before", "control after"] {
        let Some(one) = exchange(transcript, label) else {
            return Seen::Inconclusive(
                "a native client with a loopback address was not registered".to_owned(),
            );
        };
        match one.side().and_then(crate::transcript::HttpSide::status) {
            status if taken(status) => {}
            // The text wants exactly this to be possible.
            Some(status @ (400 | 422)) if label == "control before" => {
                let text = format!("a native client with a loopback address is refused, {status}");
                return Seen::Broken(text, vec![one.seq]);
            }
            _ => return Seen::Inconclusive(format!("the {label} was not registered")),
        }
    }
    let mut seqs = vec![];
    for one in labelled(transcript, "attempt: ") {
        let what = one.label.trim_start_matches("attempt: ");
        match one.side().and_then(crate::transcript::HttpSide::status) {
            status if taken(status) => {
                return Seen::Broken(
                    format!("a redirect address that is {what} was registered"),
                    vec![one.seq],
                );
            }
            Some(429 | 500..) | None => {
                return Seen::Inconclusive(format!(
                    "a redirect address that is {what} got no answer that decides"
                ));
            }
            Some(_) => seqs.push(one.seq),
        }
    }
    Seen::Holds("a native client is registered, and unsafe addresses are refused".to_owned(), seqs)
}

pub(super) fn documents(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        let announced = desk.clerk.metadata.get("client_id_metadata_document_supported");
        if announced.and_then(Value::as_bool) != Some(true) {
            stop(prober, "the metadata does not announce client ID metadata documents");
            return Ok(());
        }
        let pair = Pair::new(prober)?;
        let mut ids = vec![
            ("an address without a path", "https://client.rehearsal.example".to_owned()),
            ("an address over plain http", "http://client.rehearsal.example/client.json".to_owned()),
        ];
        if let Some(issuer) = prober.issuer() {
            // Where it is fetched at all, it was fetched from this machine.
            let target = prober.target();
            let port = target.port_or_known_default().unwrap_or_default();
            let place = format!("/{}-{port}/client.json", target.host_str().unwrap_or_default());
            let canary = format!("{}{place}", issuer.canary("client-document"));
            let seen = || issuer.hits("client-document").into_iter().filter(|hit| hit.path.ends_with(&place));
            let earlier = seen().count();
            let changes = [("client_id", Some(canary.as_str()))];
            let _ = desk
                .clerk
                .authorize("attempt: an address of this machine", (&desk.client, &pair), &changes)
                .await;
            for hit in seen().skip(earlier) {
                let start = format!("{} {}", hit.method, hit.path);
                let body = crate::transcript::Body::Text(hit.body);
                prober
                    .overheard("fetched", crate::transcript::HttpSide { start, headers: hit.headers, body });
            }
            ids.push((
                "an address with a port of this machine",
                "https://127.0.0.1:9/client.json".to_owned(),
            ));
        }
        for (what, id) in &ids {
            let changes = [("client_id", Some(id.as_str()))];
            let label = format!("attempt: {what}");
            let _ = desk.clerk.authorize(&label, (&desk.client, &pair), &changes).await;
        }
        desk.close().await
    })
}

pub(super) fn fenced(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    if let Some(hit) = exchange(transcript, "fetched") {
        let text = "a document was fetched over plain http from this machine".to_owned();
        return Seen::Broken(text, vec![hit.seq]);
    }
    let mut seqs = vec![];
    for one in labelled(transcript, "attempt: ") {
        match came_of(&one) {
            Came::Code(_) => {
                let what = one.label.trim_start_matches("attempt: ");
                return Seen::Broken(format!("{what} was taken for a client"), vec![one.seq]);
            }
            // A server that waits for an address that does not answer says so late, or not at all.
            _ => seqs.push(one.seq),
        }
    }
    Seen::Holds(
        "no address of this machine, without a path or over plain http became a client".to_owned(),
        seqs,
    )
}
