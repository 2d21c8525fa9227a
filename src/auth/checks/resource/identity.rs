//! B02 and B05: who the resource and its authorization servers say they are. Pure.

use serde_json::Value;
use url::Url;

use super::{Found, document, server_document, target};
use crate::auth::checks::Seen;
use crate::auth::checks::reading::{Exchange, labelled};
use crate::auth::discover::{FURTHER, SERVER, server_candidates, servers};
use crate::transcript::Transcript;

/// How the name of a resource relates to the URL in use.
#[derive(Debug, PartialEq)]
enum Named {
    Equal,
    Parent,
    Other,
}

fn named(resource: &str, ours: &str) -> Named {
    if resource.trim_end_matches('/') == ours.trim_end_matches('/') {
        return Named::Equal;
    }
    let (Ok(named), Ok(ours)) = (Url::parse(resource), Url::parse(ours)) else { return Named::Other };
    let above = named.path().trim_end_matches('/');
    let below = ours.path().strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
    match named.origin() == ours.origin() && below && named.query().is_none() {
        true => Named::Parent,
        false => Named::Other,
    }
}

/// Clients of the official SDKs accept a parent path of the same origin, so that holds here.
pub(super) fn resource(document: &Value, target: &Exchange<'_>) -> Found {
    let resource =
        document.get("resource").and_then(Value::as_str).ok_or("the metadata has no `resource`")?;
    match named(resource, target.url()) {
        Named::Equal => Ok("`resource` is the URL in use".to_owned()),
        Named::Parent => Ok(format!("`resource` is a parent of the URL in use, `{resource}`")),
        Named::Other => Err(format!("`resource` is `{resource}`, not the URL in use")),
    }
}

pub(super) fn exact(transcript: &Transcript) -> Seen {
    let Some((exchange, document)) = document(transcript) else {
        return Seen::DoesNotApply("no resource metadata was found (see B01)".to_owned());
    };
    let resource = document.get("resource").and_then(Value::as_str).unwrap_or_default();
    match named(resource, target(transcript).unwrap_or(exchange).url()) {
        Named::Equal => Seen::Holds("`resource` is the URL in use".to_owned(), vec![exchange.seq]),
        Named::Parent => {
            let text = format!("`resource` is only a parent of the URL in use, `{resource}`");
            Seen::Broken(text, vec![exchange.seq])
        }
        Named::Other => Seen::DoesNotApply("`resource` is not the URL in use at all (see B02)".to_owned()),
    }
}

/// Whether every authorization server calls itself as the resource calls it.
pub(super) fn same_issuers(transcript: &Transcript) -> Seen {
    match server_document(transcript) {
        Ok(_) => {}
        Err(Seen::Broken(..)) => return Seen::DoesNotApply("there is no metadata (see C01)".to_owned()),
        Err(seen) => return seen,
    }
    let document = document(transcript).map(|(_, document)| document).unwrap_or_default();
    let asked: Vec<Exchange<'_>> =
        [SERVER, FURTHER].into_iter().flat_map(|label| labelled(transcript, label)).collect();
    let mut seqs = vec![];
    for name in servers(&document) {
        let Ok(url) = Url::parse(name) else { continue };
        let places = server_candidates(&url);
        let own = asked.iter().filter(|one| places.iter().any(|(_, place)| place.as_str() == one.url()));
        let Some((exchange, found)) = own.into_iter().find_map(|one| Some((one, one.document()?))) else {
            continue;
        };
        match found.get("issuer").and_then(Value::as_str) {
            Some(issuer) if issuer == name => seqs.push(exchange.seq),
            Some(issuer) => {
                let text = format!("named `{name}`, but it calls itself `{issuer}`");
                return Seen::Broken(text, vec![exchange.seq]);
            }
            None => {
                let text = format!("the metadata of `{name}` has no `issuer`");
                return Seen::Broken(text, vec![exchange.seq]);
            }
        }
    }
    Seen::Holds("every issuer that was found is the one that was named".to_owned(), seqs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_above_in_the_path_and_not_in_the_letters() {
        let url = "https://x.example/a/mcp";
        for (resource, expected) in [
            ("https://x.example/a/mcp", Named::Equal),
            ("https://x.example/a/mcp/", Named::Equal),
            ("https://x.example/a", Named::Parent),
            ("https://x.example", Named::Parent),
            ("https://x.example/a/m", Named::Other),
            ("https://x.example/b", Named::Other),
            ("https://y.example/a", Named::Other),
            ("mcp", Named::Other),
        ] {
            assert_eq!(named(resource, url), expected, "{resource}");
        }
    }
}
