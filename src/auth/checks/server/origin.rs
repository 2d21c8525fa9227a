//! C09: revision 2025-03-26 knows no resource metadata; its authorization server is at the origin of the target.

use futures::future::BoxFuture;
use reqwest::Method;
use url::Url;

use crate::auth::answer::Answer;
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::checks::resource::document;
use crate::auth::discover::{discover, json_document};
use crate::auth::prober::{Ask, Credentials, Prober};
use crate::transcript::{Fault, HttpSide, Transcript};

/// The revision that this is about.
const REVISION: &str = "2025-03-26";

pub(super) fn probe(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        discover(prober).await;
        if prober.has_persona() {
            let good = prober.good().await?;
            let talk = prober.open("handshake", &good).await;
            prober.close(talk.session, &good).await;
        }
        let metadata = get(prober, "metadata at the origin", "/.well-known/oauth-authorization-server").await;
        if metadata.is_none() {
            // Both want parameters, so that they refuse whoever sends none.
            get(prober, "default endpoint: authorize", "/authorize").await;
            get(prober, "default endpoint: token", "/token").await;
        }
        Ok(())
    })
}

async fn get(prober: &Prober, label: &str, path: &str) -> Option<()> {
    let mut url: Url = prober.target().clone();
    url.set_path(path);
    url.set_query(None);
    let headers = vec![("mcp-protocol-version".to_owned(), REVISION.to_owned())];
    let ask = Ask { label, method: Method::GET, url, headers, body: None };
    let side = prober.send(ask, &Credentials::none()).await.ok()?;
    json_document(&side).map(|_| ())
}

pub(super) fn examine(transcript: &Transcript) -> Seen {
    if document(transcript).is_some() {
        return Seen::DoesNotApply("the target has resource metadata, as later revisions want it".to_owned());
    }
    if let Some(version) = spoken(transcript).filter(|version| version != REVISION) {
        return Seen::DoesNotApply(format!("the target speaks {version}"));
    }
    let Some(metadata) = labelled(transcript, "metadata at the origin").next() else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    if metadata.document().is_some() {
        return Seen::Holds("the origin has the metadata".to_owned(), vec![metadata.seq]);
    }
    if spoken(transcript).is_none() {
        return Seen::DoesNotApply("nobody was let in, so the revision is not known".to_owned());
    }
    let mut seqs = vec![metadata.seq];
    for exchange in labelled(transcript, "default endpoint: ") {
        seqs.push(exchange.seq);
        match exchange.side().and_then(HttpSide::status) {
            None => return Seen::Inconclusive(format!("no answer to the {}", exchange.label)),
            Some(404) | Some(500..) => {
                let text = format!("no metadata at the origin, and {} is not there either", exchange.url());
                return Seen::Broken(text, seqs);
            }
            Some(_) => {}
        }
    }
    Seen::Holds("the default endpoints answer at the origin".to_owned(), seqs)
}

/// The revision of the handshake with the good token.
fn spoken(transcript: &Transcript) -> Option<String> {
    let handshake = labelled(transcript, "handshake: initialize").next()?;
    match handshake.answer() {
        Answer::Accepted(Some(result)) => Some(result.get("protocolVersion")?.as_str()?.to_owned()),
        _ => None,
    }
}
