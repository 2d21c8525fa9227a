//! J06: who may become a client by registration.

use futures::future::BoxFuture;

use super::clerk::{REDIRECT, described, meet};
use super::desk::{exchange, stopped};
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
