//! J08: clients whose id is the address of a document. What the document says counts, and nothing is fetched from where
//! nobody may go.

use futures::future::BoxFuture;
use serde_json::Value;

use super::clerk::{Clerk, Pair, REDIRECT, meet, stop};
use super::desk::{control, exchange, open, ready};
use super::outcome::{Came, came_of};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::issuer::Specimen;
use crate::auth::prober::Prober;
use crate::transcript::{Body, Fault, HttpSide, Transcript};

/// Whether the server takes documents; the record says so where it does not.
fn takes_documents(clerk: &Clerk<'_>) -> bool {
    let announced = clerk.metadata.get("client_id_metadata_document_supported");
    let announced = announced.and_then(Value::as_bool) == Some(true);
    if !announced {
        stop(clerk.prober, "the metadata does not announce client ID metadata documents");
    }
    announced
}

pub(super) fn places(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(desk) = open(prober).await? else { return Ok(()) };
        if !takes_documents(&desk.clerk) {
            return Ok(());
        }
        let pair = Pair::new(prober)?;
        let mut ids = vec![
            ("an address without a path", "https://client.rehearsal.example".to_owned()),
            ("an address over plain http", "http://client.rehearsal.example/client.json".to_owned()),
        ];
        // Where documents of this machine are meant to be fetched, fetching one is no finding.
        if let Some(issuer) = prober.issuer().filter(|_| !prober.facts().client_documents) {
            // Where it is fetched at all, it was fetched from this machine.
            let target = prober.target();
            let port = target.port_or_known_default().unwrap_or_default();
            let place = format!("/{}-{port}/client.json", target.host_str().unwrap_or_default());
            let canary = format!("{}{place}", issuer.canary("client-document"));
            let seen = || issuer.hits("client-document").into_iter().filter(|hit| hit.path.ends_with(&place));
            let earlier = seen().count();
            let changes = [("client_id", Some(canary.as_str()))];
            let label = "attempt: an address of this machine";
            let _ = desk.clerk.authorize(label, (&desk.client, &pair), &changes).await;
            for hit in seen().skip(earlier) {
                let start = format!("{} {}", hit.method, hit.path);
                let side = HttpSide { start, headers: hit.headers, body: Body::Text(hit.body) };
                prober.overheard("fetched", side);
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
        let text = "a document was fetched from this machine".to_owned();
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
    let near = match exchange(transcript, "attempt: an address of this machine") {
        Some(_) => "of this machine, ",
        None => "",
    };
    Seen::Holds(format!("no address {near}without a path or over plain http became a client"), seqs)
}

/// What is tried between two uses of a good document: what differs, the document, and where the code is wanted.
type Attempt = (&'static str, Specimen, &'static str);

const SAID: [Attempt; 2] = [
    ("a document that names another `client_id`", Specimen::NamedOtherwise, REDIRECT),
    (
        "a redirect address that the document does not name",
        Specimen::Good,
        "http://127.0.0.1:43117/elsewhere",
    ),
];

const FETCHED: [Attempt; 2] = [
    ("a document of 1 MiB", Specimen::Big, REDIRECT),
    ("a document at another host, behind a redirect,", Specimen::Moved, REDIRECT),
];

pub(super) fn contents(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(show(prober, &SAID))
}

pub(super) fn fetching(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(show(prober, &FETCHED))
}

async fn show(prober: &Prober, attempts: &[Attempt]) -> Result<(), Fault> {
    let Some(issuer) = prober.issuer() else { return Ok(()) };
    let Some(clerk) = meet(prober).await else { return Ok(()) };
    if !takes_documents(&clerk) {
        return Ok(());
    }
    let good = issuer.specimen(Specimen::Good, REDIRECT);
    if control(&clerk, good.as_str(), "control before").await?.is_none() {
        return Ok(());
    }
    let pair = Pair::new(prober)?;
    for (what, specimen, redirect) in attempts {
        // The document of the control names the usual address, and no other.
        let client = issuer.specimen(*specimen, REDIRECT);
        let changes = [("redirect_uri", Some(*redirect))];
        let _ = clerk.authorize(&format!("attempt: {what}"), (client.as_str(), &pair), &changes).await;
    }
    control(&clerk, good.as_str(), "control after").await.map(|_| ())
}

pub(super) fn refused(transcript: &Transcript) -> Seen {
    if let Err(seen) = ready(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for one in labelled(transcript, "attempt: ") {
        let what = one.label.trim_start_matches("attempt: ");
        match came_of(&one) {
            Came::Code(_) => return Seen::Broken(format!("{what} got a code"), vec![one.seq]),
            Came::Nothing(why) => return Seen::Inconclusive(format!("{what} got {why}")),
            // The server did not stop, and asks a person.
            Came::Page => return Seen::Inconclusive(format!("{what} got a page")),
            Came::Error(_) | Came::Elsewhere(_) | Came::Refused(_) => seqs.push(one.seq),
        }
    }
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("{} were refused", told(transcript)), seqs),
    }
}

fn told(transcript: &Transcript) -> String {
    let all: Vec<&str> =
        labelled(transcript, "attempt: ").map(|one| one.label.trim_start_matches("attempt: ")).collect();
    all.join(" and ").replace(", and", " and")
}
