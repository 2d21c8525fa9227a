//! From the challenge to the metadata of the resource, and on to that of its authorization server.
//!
//! The order is that of the authorization pages of the MCP specification: the URL of the header, the well-known path
//! with the endpoint's path behind it, the root. At most fifteen documents are asked for.

use serde_json::Value;
use url::Url;

use super::answer::challenges;
use super::prober::{Credentials, Prober};
use crate::transcript::HttpSide;

/// The label of every request for resource metadata; what follows says how the URL was found.
pub const RESOURCE: &str = "resource metadata";

/// The label of every request for the metadata of the authorization server.
pub const SERVER: &str = "server metadata";

/// The label of every request for the metadata of a further authorization server, where several are named.
pub const FURTHER: &str = "further server metadata";

/// How many of the authorization servers that a resource names are asked.
const SERVERS: usize = 4;

/// Asks without a token and follows what the target says, recording every step.
pub async fn discover(prober: &Prober) {
    let talk = prober.converse("no token", &Credentials::none()).await;
    let named = talk.last.as_ref().ok().and_then(resource_metadata_url).and_then(|url| Url::parse(&url).ok());
    let mut found = None;
    for (how, url) in resource_candidates(prober.target(), named) {
        let document = prober.document(&format!("{RESOURCE}: {how}"), url).await;
        found = found.or_else(|| document.ok().as_ref().and_then(json_document));
    }
    let named = found.as_ref().map(servers).unwrap_or_default();
    for (count, server) in named.into_iter().enumerate() {
        let label = if count == 0 { SERVER } else { FURTHER };
        let Ok(issuer) = Url::parse(server) else { continue };
        for (how, url) in server_candidates(&issuer) {
            let document = prober.document(&format!("{label}: {how}"), url).await;
            if document.ok().as_ref().and_then(json_document).is_some() {
                break;
            }
        }
    }
}

/// `resource_metadata` of the Bearer challenge.
pub fn resource_metadata_url(side: &HttpSide) -> Option<String> {
    Some(challenges(side)?.scheme("bearer")?.get("resource_metadata")?.to_owned())
}

/// The first authorization server that a resource names.
pub fn first_server(document: &Value) -> Option<&str> {
    document.get("authorization_servers")?.as_array()?.first()?.as_str()
}

/// The authorization servers that a resource names, as far as they are asked.
pub fn servers(document: &Value) -> Vec<&str> {
    let listed = document.get("authorization_servers").and_then(Value::as_array);
    listed.into_iter().flatten().take(SERVERS).filter_map(Value::as_str).collect()
}

/// The JSON object of a 200 answer.
pub fn json_document(side: &HttpSide) -> Option<Value> {
    (side.status() == Some(200)).then(|| side.body.json()).flatten().filter(Value::is_object)
}

/// Where resource metadata may be (RFC 9728 section 3.1), without repetition.
pub fn resource_candidates(target: &Url, named: Option<Url>) -> Vec<(&'static str, Url)> {
    let well_known = "/.well-known/oauth-protected-resource";
    let mut list: Vec<(&'static str, Url)> = named.into_iter().map(|url| ("header", url)).collect();
    let path = target.path().trim_end_matches('/');
    let root = well_known.to_owned();
    for (how, place) in [("path", format!("{well_known}{path}")), ("root", root)] {
        let url = at(target, &place);
        if list.iter().all(|(_, known)| *known != url) {
            list.push((how, url));
        }
    }
    list
}

/// Where the metadata of an authorization server may be (RFC 8414 section 3.1, OpenID Connect Discovery section 4).
pub fn server_candidates(issuer: &Url) -> Vec<(&'static str, Url)> {
    let path = issuer.path().trim_end_matches('/');
    let mut list = vec![
        ("oauth", at(issuer, &format!("/.well-known/oauth-authorization-server{path}"))),
        ("openid", at(issuer, &format!("/.well-known/openid-configuration{path}"))),
    ];
    if !path.is_empty() {
        list.push(("openid appended", at(issuer, &format!("{path}/.well-known/openid-configuration"))));
    }
    list
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: Vec<(&'static str, Url)>) -> Vec<String> {
        list.into_iter().map(|(how, url)| format!("{how} {url}")).collect()
    }

    #[test]
    fn candidates_follow_the_specification() {
        let target = Url::parse("https://x.example/a/mcp").unwrap();
        let named = Url::parse("https://x.example/.well-known/oauth-protected-resource").unwrap();
        assert_eq!(
            texts(resource_candidates(&target, Some(named))),
            [
                "header https://x.example/.well-known/oauth-protected-resource",
                "path https://x.example/.well-known/oauth-protected-resource/a/mcp",
            ]
        );
        assert_eq!(
            texts(server_candidates(&Url::parse("https://as.example/t1").unwrap())),
            [
                "oauth https://as.example/.well-known/oauth-authorization-server/t1",
                "openid https://as.example/.well-known/openid-configuration/t1",
                "openid appended https://as.example/t1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(server_candidates(&Url::parse("https://as.example").unwrap()).len(), 2);
    }
}
