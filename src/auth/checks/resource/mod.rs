//! Group B: the protected resource's metadata (RFC 9728).

use futures::future::BoxFuture;
use serde_json::Value;
use url::Url;

use super::challenge::is_loopback;
use super::reading::{Exchange, labelled};
use super::{AuthCheck, Level, Needs, Seen};
use crate::auth::discover::{RESOURCE, SERVER, discover, first_server};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

mod identity;
mod open;
mod sameness;

/// A row about the documents, which are asked for once.
pub(super) const fn row(
    id: &'static str,
    level: Level,
    texts: [&'static str; 3],
    examine: fn(&Transcript) -> Seen,
) -> AuthCheck {
    super::row(id, level, texts, documents, examine).since("2025-06-18").once()
}

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    row("B01", Level::Must, ["the resource metadata is found", "authorization: protected resource metadata discovery",
        "serve the document as JSON at `/.well-known/oauth-protected-resource` followed by the endpoint's path"], found),
    row("B02", Level::Rfc, ["the metadata names the URL in use", "RFC 9728 section 3.3",
        "set `resource` to the exact URL of the MCP endpoint"], |t| on_document(t, identity::resource)),
    row("B02.parent", Level::Hygiene, ["the metadata names the URL in use and no parent of it", "RFC 9728 section 3.3",
        "set `resource` to the exact URL of the MCP endpoint; strict clients refuse a parent of it"], identity::exact),
    row("B03", Level::Must, ["the metadata names an authorization server", "authorization: authorization server location",
        "list at least one issuer in `authorization_servers`"], |t| on_document(t, servers)),
    row("B04", Level::Rfc, ["authorization servers are plain https URLs", "RFC 8414 section 2",
        "write issuers as https URLs without query and fragment"], |t| on_document(t, issuers)),
    row("B05", Level::Must, ["the authorization server calls itself by the name given", "authorization: authorization server metadata discovery",
        "write the issuer byte for byte as its own metadata does; a slash at the end is the usual slip"], identity::same_issuers).since("2026-07-28"),
    row("B06", Level::Hygiene, ["both well-known places say the same", "RFC 9728 section 3.1",
        "serve one document at the root and at the path, or only at the path"], sameness::same_document),
    row("B07", Level::Rfc, ["tokens are announced for the header and not for the query", "OAuth 2.1 section 5.1",
        "set `bearer_methods_supported` to `[\"header\"]`"], |t| on_document(t, methods)),
    AuthCheck { probe: open::documents, ..row("B08", Level::Hygiene, ["the metadata is open to everybody", "RFC 9728 section 3.1",
        "serve the document without a token, from the same origin, and to pages where browsers are clients"], open::open) },
    AuthCheck { needs: &[Needs::HttpsTarget], probe: open::twin, ..row("B09", Level::Rfc, ["the plain http twin of the endpoint does not answer", "OAuth 2.1 section 1.5",
        "redirect plain http to https, or do not listen on it"], open::twin_silent) }.since("2025-03-26"),
    row("B10", Level::Hygiene, ["the scopes of the challenge and of the metadata are seen", "RFC 9728 section 2",
        "nothing; the text promises no relation between the two"], sameness::scopes),
];

/// Asks for all documents.
pub(super) fn documents(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        discover(prober).await;
        Ok(())
    })
}

fn found(transcript: &Transcript) -> Seen {
    let asked: Vec<Exchange<'_>> = labelled(transcript, RESOURCE).collect();
    let is_json = |one: &Exchange<'_>| {
        one.document().is_some()
            && one
                .side()
                .and_then(|side| side.header("content-type"))
                .is_some_and(|kind| kind.starts_with("application/json"))
    };
    if asked.iter().all(|one| one.response.is_err()) {
        return Seen::Inconclusive("the target does not answer".to_owned());
    }
    if let Some(header) = asked.iter().find(|one| one.label.ends_with("header")).filter(|one| !is_json(one)) {
        let text = "the URL that the challenge names gives no JSON document".to_owned();
        return Seen::Broken(text, vec![header.seq]);
    }
    match asked.iter().find(|one| is_json(one)) {
        Some(one) => Seen::Holds(format!("found at {}", one.url()), vec![one.seq]),
        None => Seen::Broken(
            "no resource metadata at any place a client looks".to_owned(),
            asked.iter().map(|one| one.seq).collect(),
        ),
    }
}

/// The document that a client would use.
pub(super) fn document(transcript: &Transcript) -> Option<(Exchange<'_>, Value)> {
    labelled(transcript, RESOURCE).find_map(|one| Some((one, one.document()?)))
}

fn on_document(transcript: &Transcript, rule: fn(&Value, &Exchange<'_>) -> Found) -> Seen {
    match document(transcript) {
        None => Seen::DoesNotApply("no resource metadata was found (see B01)".to_owned()),
        Some((exchange, document)) => match rule(&document, &target(transcript).unwrap_or(exchange)) {
            Ok(why) => Seen::Holds(why, vec![exchange.seq]),
            Err(why) => Seen::Broken(why, vec![exchange.seq]),
        },
    }
}

/// The first request of the probe went to the target itself.
fn target(transcript: &Transcript) -> Option<Exchange<'_>> {
    labelled(transcript, "no token").next()
}

/// What a rule about the document and the request to the target finds.
type Found = Result<String, String>;

fn servers(document: &Value, _: &Exchange<'_>) -> Found {
    first_server(document)
        .map(|server| format!("it names {server}"))
        .ok_or_else(|| "`authorization_servers` is missing or empty".to_owned())
}

fn issuers(document: &Value, _: &Exchange<'_>) -> Found {
    let listed = document.get("authorization_servers").and_then(Value::as_array).ok_or("there are none")?;
    for entry in listed {
        let text = entry.as_str().ok_or("an entry is not a text")?;
        let url = Url::parse(text).map_err(|_| format!("`{text}` is not an absolute URL"))?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(format!("`{text}` is not https"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}` has a query or a fragment"));
        }
    }
    Ok("every authorization server is a plain URL".to_owned())
}

fn methods(document: &Value, _: &Exchange<'_>) -> Found {
    let Some(listed) = document.get("bearer_methods_supported") else {
        return Ok("`bearer_methods_supported` is absent".to_owned());
    };
    let has = |name: &str| listed.as_array().is_some_and(|all| all.iter().any(|one| one == name));
    match (has("header"), has("query")) {
        (true, false) => Ok("tokens go into the header".to_owned()),
        (_, true) => Err("`bearer_methods_supported` allows `query`".to_owned()),
        (false, false) => Err("`bearer_methods_supported` lacks `header`".to_owned()),
    }
}

/// The metadata of the first authorization server, or why there is none to judge.
pub(super) fn server_document(transcript: &Transcript) -> Result<(Exchange<'_>, Value), Seen> {
    let named = document(transcript).and_then(|(_, document)| first_server(&document).map(str::to_owned));
    if named.is_none() {
        return Err(Seen::DoesNotApply("no authorization server is named (see B03)".to_owned()));
    }
    let asked: Vec<Exchange<'_>> = labelled(transcript, SERVER).collect();
    if let Some(found) = asked.iter().find_map(|one| Some((*one, one.document()?))) {
        return Ok(found);
    }
    let failures: Vec<&String> = asked.iter().filter_map(|one| one.response.as_ref().err()).collect();
    Err(match failures.first() {
        Some(why) if why.starts_with("not sent") => Seen::DoesNotApply(
            "the authorization server is on another host, which is not contacted".to_owned(),
        ),
        Some(why) if failures.len() == asked.len() => {
            Seen::Inconclusive(format!("the authorization server does not answer: {why}"))
        }
        _ => Seen::Broken(
            "the authorization server has no metadata".to_owned(),
            asked.iter().map(|one| one.seq).collect(),
        ),
    })
}
