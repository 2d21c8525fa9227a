//! Requests that some clients make besides their messages while they connect: a bare GET, and documents of authorization
//! that nobody has asked them to look for. What comes back is recorded and changes nothing.

use reqwest::Method;
use tokio::time::timeout;
use url::Url;

use super::exchange::{ASIDE, Exchange, REFUSAL_CAP, Sending};
use super::headers::{Kind, kind};
use super::incoming::Incoming;
use super::profile::ConnectStep;
use super::terms::Terms;

/// Where a resource says who authorizes for it (RFC 9728 section 3.1).
const RESOURCE: &str = "/.well-known/oauth-protected-resource";
/// Where an authorization server says what it can do (RFC 8414 section 3.1).
const SERVER: &str = "/.well-known/oauth-authorization-server";
/// The same by OpenID Connect Discovery section 4.
const OPENID: &str = "/.well-known/openid-configuration";

impl Exchange {
    /// Makes the requests of a step, one after the other, each for at most `terms.open`.
    pub(super) async fn knock(&self, step: ConnectStep, terms: &Terms) {
        let site = &self.site.url;
        if step == ConnectStep::BareGet {
            let sending = Sending { in_session: false, ..Sending::bare(Method::GET, site) };
            let _ = timeout(terms.open, self.peek(sending, true)).await;
            return;
        }
        let version =
            terms.discovery_version.map(|version| ("mcp-protocol-version".to_owned(), version.to_owned()));
        let accept = ("accept".to_owned(), "application/json".to_owned());
        let mirrored: Vec<(String, String)> = std::iter::once(accept).chain(version).collect();
        for url in documents(site, step) {
            let sending =
                Sending { in_session: false, mirrored: &mirrored, ..Sending::bare(Method::GET, &url) };
            let _ = timeout(terms.open, self.peek(sending, false)).await;
        }
    }

    /// Sends a request and reads what comes, as far as it says anything about an answer. A stream is left at once.
    async fn peek(&self, sending: Sending<'_>, known: bool) {
        let sent = if known { self.send_fresh(sending).await } else { self.send_unknown(sending).await };
        let Ok(response) = sent else { return };
        let mut incoming = Incoming::new(&self.log, &response);
        if kind(response.headers()) != Kind::Stream {
            let _ = timeout(ASIDE, incoming.read(response, REFUSAL_CAP)).await;
        }
    }
}

/// The documents that a step fetches, all at the origin of the endpoint: by its path, then at the root.
fn documents(endpoint: &Url, step: ConnectStep) -> Vec<Url> {
    let path = endpoint.path().trim_end_matches('/');
    let places: &[&str] = match step {
        ConnectStep::ResourceMetadata => &[RESOURCE],
        _ => &[RESOURCE, SERVER, OPENID],
    };
    let mut urls: Vec<Url> = Vec::new();
    for place in places {
        for path in [format!("{place}{path}"), (*place).to_owned()] {
            let mut url = endpoint.clone();
            url.set_path(&path);
            url.set_query(None);
            url.set_fragment(None);
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stand_by_the_path_and_at_the_root() {
        let paths = |endpoint: &str, step| -> Vec<String> {
            let url = Url::parse(endpoint).unwrap();
            documents(&url, step).iter().map(|url| url[url::Position::BeforePath..].to_owned()).collect()
        };
        let resource = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];
        assert_eq!(paths("http://a/mcp?key=hidden", ConnectStep::ResourceMetadata), resource);
        assert_eq!(paths("http://a/mcp", ConnectStep::OauthMetadata).len(), 6);
        assert_eq!(paths("http://a/", ConnectStep::ResourceMetadata), [resource[1]]);
    }
}
