//! From a challenge to the metadata of the resource and of its authorization server.

use serde::de::DeserializeOwned;
use url::Url;

use super::courier::Courier;
use super::fault;
use super::metadata::{ResourceMetadata, ServerMetadata};
use crate::auth::challenge::Challenge;
use crate::auth::discover::{resource_candidates, server_candidates};
use crate::transcript::Fault;
use crate::{display, net};

/// Where a target's tokens come from.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// `resource` of the requests; none for a server of 2025-03-26, which does not know it.
    pub(super) resource: Option<String>,
    /// What the resource lists as scopes.
    pub(super) scopes: Option<Vec<String>>,
    /// Whether the resource takes only tokens that are bound to a key (RFC 9449).
    pub(super) bound: bool,
    /// The metadata of the authorization server; its `issuer` is the one the resource names.
    pub(super) server: ServerMetadata,
}

/// What is looked for, and whom we know already.
pub(super) struct Search<'a> {
    pub(super) target: &'a Url,
    pub(super) challenge: Option<&'a Challenge>,
    pub(super) old_servers: bool,
    /// Metadata from an earlier search, not asked for again when the issuer is the same.
    pub(super) last: Option<&'a Site>,
}

impl Search<'_> {
    /// Follows the target's word to its authorization server. `None`: nobody issues tokens for it, as far as can be
    /// seen.
    pub(super) async fn run(
        &self,
        courier: &Courier,
        known: impl Fn(&str) -> bool,
    ) -> Result<Option<Site>, Fault> {
        let Some(resource) = self.resource(courier).await? else {
            return match self.old_servers {
                true => self.old_server(courier).await.map(Some),
                false => Ok(None),
            };
        };
        let issuer = resource.issuer(known).ok_or_else(|| {
            fault("credentials.metadata", "the target's resource metadata names no authorization server")
        })?;
        let server = match self.last.filter(|last| last.server.issuer == issuer) {
            Some(last) => last.server.clone(),
            None => server(courier, issuer).await?,
        };
        let asks = |challenge: &Challenge| challenge.scheme.eq_ignore_ascii_case("dpop");
        let bound =
            resource.dpop_bound_access_tokens_required == Some(true) || self.challenge.is_some_and(asks);
        let (resource, scopes) = (Some(resource.resource), resource.scopes_supported);
        Ok(Some(Site { resource, scopes, bound, server }))
    }

    /// The first document that can be read, in the order of the authorization pages. One about another resource ends
    /// the search: somebody lies.
    async fn resource(&self, courier: &Courier) -> Result<Option<ResourceMetadata>, Fault> {
        let named = self.challenge.and_then(|challenge| challenge.get("resource_metadata"));
        let named = named.and_then(|text| Url::parse(text).ok());
        let mut trouble = None;
        for (_, url) in resource_candidates(self.target, named) {
            match document::<ResourceMetadata>(courier, &url).await {
                Ok(Some(metadata)) if metadata.speaks_for(self.target) => return Ok(Some(metadata)),
                Ok(Some(metadata)) => {
                    let text = format!(
                        "the resource metadata at `{}` is about `{}` and not about `{}`; no token is asked for",
                        net::shown(&url),
                        display::excerpt(&metadata.resource, 200),
                        net::shown(self.target)
                    );
                    return Err(fault("credentials.resource", text));
                }
                Ok(None) => {}
                Err(fault) => trouble = trouble.or(Some(fault)),
            }
        }
        trouble.map_or(Ok(None), Err)
    }

    /// Revision 2025-03-26: the origin of the target is its own authorization server, with metadata or without.
    async fn old_server(&self, courier: &Courier) -> Result<Site, Fault> {
        let mut origin = self.target.clone();
        origin.set_path("/");
        origin.set_query(None);
        let (_, place) = &server_candidates(&origin)[0];
        let issuer = origin.origin().ascii_serialization();
        let server = match document::<ServerMetadata>(courier, place).await? {
            Some(server) => match server.mismatch(&issuer) {
                None => server,
                Some(why) => return Err(fault("credentials.issuer", why)),
            },
            None => ServerMetadata::presumed(&origin),
        };
        Ok(Site { resource: None, scopes: None, bound: false, server })
    }
}

/// The metadata of an issuer: the first document that names it exactly.
pub(super) async fn server(courier: &Courier, issuer: &str) -> Result<ServerMetadata, Fault> {
    let shown = display::excerpt(issuer, 200);
    let url = Url::parse(issuer).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let Some(url) = url else {
        return Err(fault(
            "credentials.metadata",
            format!("the authorization server `{shown}` is no issuer URL"),
        ));
    };
    let mut trouble = None;
    for (_, place) in server_candidates(&url) {
        match document::<ServerMetadata>(courier, &place).await {
            Ok(Some(server)) => match server.mismatch(issuer) {
                None => return Ok(server),
                // Worth more than any other trouble: it is the target's own contradiction.
                Some(why) => trouble = Some(fault("credentials.issuer", why)),
            },
            Ok(None) => {}
            Err(fault) => trouble = trouble.or(Some(fault)),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        fault(
            "credentials.metadata",
            format!("the authorization server `{shown}` publishes no metadata at any known place"),
        )
    }))
}

/// A document; `None` where there is none, or something that is no such document.
async fn document<T: DeserializeOwned>(courier: &Courier, url: &Url) -> Result<Option<T>, Fault> {
    let reply = courier.get(url).await?;
    if reply.status >= 500 {
        let text = format!("`{}` answered HTTP {}", display::excerpt(&net::shown(url), 200), reply.status);
        return Err(fault("credentials.unreachable", text).retryable());
    }
    Ok(reply.object().and_then(|value| serde_json::from_value(value).ok()))
}
