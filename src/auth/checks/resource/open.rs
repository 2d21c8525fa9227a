//! B08 and B09: the metadata is for everybody, and the endpoint is for https alone.

use futures::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::auth::answer::messages;
use crate::auth::checks::Seen;
use crate::auth::checks::reading::labelled;
use crate::auth::discover::{json_document, resource_candidates, resource_metadata_url};
use crate::auth::prober::{Ask, Credentials, Prober, REVISION};
use crate::mcp::revision::Era;
use crate::transcript::{Fault, Transcript};

/// A page that nobody knows; the metadata is for any.
const PAGE: &str = "https://page.example";

/// A token that lets nobody in anywhere.
const REVOKED: &str = "Bearer rehearsal-revoked-dummy";

/// Asks for the metadata without credentials, as a page in a browser would where pages are clients.
pub(super) fn documents(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let talk = prober.converse("no token", &Credentials::none()).await;
        let named = talk.last.as_ref().ok().and_then(resource_metadata_url);
        let facts = prober.facts();
        let origin = facts.browser_origin.as_deref().unwrap_or(PAGE);
        // Where pages are no clients, their `Origin` may be refused; that says nothing about credentials.
        let (kind, asker) = match facts.browser_clients {
            true => ("page", Credentials::none().with("origin", origin)),
            false => ("stranger", Credentials::none()),
        };
        for (how, url) in resource_candidates(prober.target(), named.and_then(|url| Url::parse(&url).ok())) {
            let headers = vec![("accept".to_owned(), "application/json".to_owned())];
            let label = format!("document for a {kind}: {how}");
            let ask = Ask { label: &label, method: Method::GET, url, headers, body: None };
            if prober.send(ask, &asker).await.ok().as_ref().and_then(json_document).is_some() {
                break;
            }
        }
        Ok(())
    })
}

pub(super) fn open(transcript: &Transcript) -> Seen {
    let mut closed = None;
    for exchange in labelled(transcript, "document for a ") {
        let Some(side) = exchange.side() else { continue };
        match side.status().unwrap_or_default() {
            200 if exchange.document().is_some() => {
                let origin = exchange.request.header("origin");
                let readable = side
                    .header("access-control-allow-origin")
                    .is_some_and(|allowed| allowed == "*" || Some(allowed) == origin);
                if exchange.label.starts_with("document for a page") && !readable {
                    let text = "pages may not read the metadata: no `Access-Control-Allow-Origin` for them";
                    return Seen::Broken(text.to_owned(), vec![exchange.seq]);
                }
                return Seen::Holds(
                    "the metadata is there without credentials".to_owned(),
                    vec![exchange.seq],
                );
            }
            status @ (401 | 403) => {
                closed = closed.or(Some((format!("the metadata wants credentials: {status}"), exchange.seq)));
            }
            300..=399 if leaves(exchange.url(), side.header("location")) => {
                let text = "the metadata redirects to another origin".to_owned();
                return Seen::Broken(text, vec![exchange.seq]);
            }
            _ => {}
        }
    }
    match closed {
        Some((why, seq)) => Seen::Broken(why, vec![seq]),
        None => Seen::DoesNotApply("no resource metadata was found (see B01)".to_owned()),
    }
}

fn leaves(from: &str, to: Option<&str>) -> bool {
    let (Ok(from), Some(to)) = (Url::parse(from), to) else { return false };
    from.join(to).is_ok_and(|to| to.origin() != from.origin())
}

/// Asks the twin with a token that is worth nothing: whatever travels there can be read on the way.
pub(super) fn twin(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let mut url = prober.target().clone();
        // An https URL keeps its port; without one it is the usual one of the scheme.
        let _ = url.set_scheme("http");
        let hello = json!({"protocolVersion": REVISION, "capabilities": {},
            "clientInfo": {"name": "rehearsal", "version": env!("CARGO_PKG_VERSION")}});
        for (era, asked) in [(Era::Legacy, ("initialize", hello)), (Era::Modern, ("tools/list", json!({})))] {
            let session = prober.speaking(era, false).sessionless();
            let (headers, body) = prober.written(&session, asked);
            let (url, body) = (url.clone(), Some(body.to_string()));
            let ask = Ask { label: "plain http", method: Method::POST, url, headers, body };
            let _ = prober.send(ask, &Credentials::authorization(REVOKED)).await;
        }
        Ok(())
    })
}

pub(super) fn twin_silent(transcript: &Transcript) -> Seen {
    let (mut seqs, mut texts) = (vec![], vec![]);
    for exchange in labelled(transcript, "plain http") {
        seqs.push(exchange.seq);
        let Some(side) = exchange.side() else {
            texts.push("no answer".to_owned());
            continue;
        };
        let speaks =
            messages(side).iter().any(|message| message.get("jsonrpc").is_some_and(Value::is_string));
        match (speaks, side.status().unwrap_or_default()) {
            (true, status) => {
                let text = format!("plain http is answered by MCP, with {status}");
                return Seen::Broken(text, vec![exchange.seq]);
            }
            (false, status @ 200..=299) => {
                return Seen::Broken(format!("plain http is answered with {status}"), vec![exchange.seq]);
            }
            (false, status) => texts.push(status.to_string()),
        }
    }
    texts.dedup();
    match seqs.is_empty() {
        true => Seen::Inconclusive("the probe was not sent".to_owned()),
        false => Seen::Holds(format!("plain http got {}", texts.join(" and ")), seqs),
    }
}
