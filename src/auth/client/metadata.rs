//! What a resource and an authorization server say of themselves, and whether it may be believed. Pure.

use serde::Deserialize;
use url::Url;

use crate::display;

/// Metadata of a protected resource (RFC 9728 section 2), as far as a client needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ResourceMetadata {
    /// The resource identifier. It goes into requests byte for byte.
    pub(super) resource: String,
    #[serde(default)]
    pub(super) authorization_servers: Option<Vec<String>>,
    #[serde(default)]
    pub(super) scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) dpop_bound_access_tokens_required: Option<bool>,
}

/// Metadata of an authorization server (RFC 8414 section 2, OpenID Connect Discovery section 3), likewise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ServerMetadata {
    pub(super) issuer: String,
    #[serde(default)]
    pub(super) authorization_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) token_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) registration_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) revocation_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: Option<bool>,
    #[serde(default)]
    pub(super) client_id_metadata_document_supported: Option<bool>,
}

impl ResourceMetadata {
    /// Whether the document is about the URL we use: the same resource, or a parent path on the same origin (a server
    /// whose root document speaks for all its paths).
    pub(super) fn speaks_for(&self, target: &Url) -> bool {
        let Ok(resource) = Url::parse(&self.resource) else { return false };
        let (own, asked) = (resource.path().trim_end_matches('/'), target.path());
        let inside = asked.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let query = resource.query().is_none() || resource.query() == target.query();
        resource.origin() == target.origin() && resource.fragment().is_none() && inside && query
    }

    /// The authorization server to use: the one we are known to, else the first.
    pub(super) fn issuer(&self, known: impl Fn(&str) -> bool) -> Option<&str> {
        let servers = self.authorization_servers.as_deref().unwrap_or_default();
        servers.iter().find(|issuer| known(issuer)).or(servers.first()).map(String::as_str)
    }
}

impl ServerMetadata {
    /// The endpoints that a server of 2025-03-26 without metadata has (2025-03-26, "Fallbacks for Servers without
    /// Metadata Discovery").
    pub(super) fn presumed(origin: &Url) -> Self {
        let at = |path| origin.join(path).ok();
        Self {
            issuer: origin.origin().ascii_serialization(),
            authorization_endpoint: at("/authorize"),
            token_endpoint: at("/token"),
            registration_endpoint: at("/register"),
            // That revision demands PKCE, and with S256 everywhere nothing weaker can be negotiated.
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            token_endpoint_auth_methods_supported: Some(
                ["none", "client_secret_post", "client_secret_basic"].map(str::to_owned).to_vec(),
            ),
            ..Self::default()
        }
    }

    /// Why this document is not the issuer's, if it is not: the identifiers must be equal byte for byte (RFC 8414
    /// section 3.3), because everything later is bound to the issuer.
    pub(super) fn mismatch(&self, issuer: &str) -> Option<String> {
        (self.issuer != issuer).then(|| {
            format!(
                "the metadata of the authorization server `{}` names another issuer, `{}`; they must be equal to the byte, a slash at the end included",
                display::excerpt(issuer, 200),
                display::excerpt(&self.issuer, 200)
            )
        })
    }

    /// Whether codes are protected: absence means that the server does not know PKCE, and then no client may go on.
    pub(super) fn has_pkce(&self) -> bool {
        self.code_challenge_methods_supported.iter().flatten().any(|method| method == "S256")
    }

    /// How clients may authenticate at the token endpoint. RFC 8414 section 2 has a default.
    pub(super) fn auth_methods(&self) -> Vec<&str> {
        match &self.token_endpoint_auth_methods_supported {
            Some(methods) => methods.iter().map(String::as_str).collect(),
            None => vec!["client_secret_basic"],
        }
    }

    /// Whether the server lists a scope.
    pub(super) fn lists(&self, scope: &str) -> bool {
        self.scopes_supported.iter().flatten().any(|known| known == scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_resource_is_seen() {
        for (resource, target, fits) in [
            ("https://x.example/mcp", "https://x.example/mcp", true),
            ("https://x.example/mcp/", "https://x.example/mcp", true),
            ("https://x.example", "https://x.example/mcp", true),
            ("https://x.example/a", "https://x.example/a/mcp", true),
            ("https://x.example:443/mcp", "https://x.example/mcp", true),
            ("https://x.example/mc", "https://x.example/mcp", false),
            ("https://x.example/mcp/more", "https://x.example/mcp", false),
            ("https://evil.example/mcp", "https://x.example/mcp", false),
            ("http://x.example/mcp", "https://x.example/mcp", false),
            ("https://x.example:8443/mcp", "https://x.example/mcp", false),
            ("https://x.example/mcp#a", "https://x.example/mcp", false),
            ("https://x.example/mcp?tenant=1", "https://x.example/mcp?tenant=2", false),
            ("https://x.example/mcp?tenant=1", "https://x.example/mcp?tenant=1", true),
            ("not a url", "https://x.example/mcp", false),
        ] {
            let metadata = ResourceMetadata { resource: resource.to_owned(), ..ResourceMetadata::default() };
            assert_eq!(metadata.speaks_for(&Url::parse(target).unwrap()), fits, "{resource} for {target}");
        }
    }

    #[test]
    fn a_known_server_is_preferred() {
        let servers = ["https://a.example", "https://b.example"].map(str::to_owned).to_vec();
        let metadata =
            ResourceMetadata { authorization_servers: Some(servers), ..ResourceMetadata::default() };
        assert_eq!(metadata.issuer(|_| false), Some("https://a.example"));
        assert_eq!(metadata.issuer(|issuer| issuer == "https://b.example"), Some("https://b.example"));
        assert_eq!(ResourceMetadata::default().issuer(|_| true), None);
    }

    #[test]
    fn issuers_are_compared_to_the_byte() {
        let metadata = ServerMetadata { issuer: "https://as.example/".into(), ..ServerMetadata::default() };
        assert_eq!(metadata.mismatch("https://as.example/"), None);
        for other in ["https://as.example", "https://AS.example/", "https://as.example:443/"] {
            assert!(metadata.mismatch(other).is_some(), "{other}");
        }
    }

    #[test]
    fn absent_lists_have_their_meaning() {
        let metadata = ServerMetadata::default();
        assert!(!metadata.has_pkce());
        assert_eq!(metadata.auth_methods(), ["client_secret_basic"]);
        let plain = ServerMetadata {
            code_challenge_methods_supported: Some(vec!["plain".into()]),
            ..ServerMetadata::default()
        };
        assert!(!plain.has_pkce());
        let presumed = ServerMetadata::presumed(&Url::parse("https://x.example/a/mcp?b").unwrap());
        assert_eq!(presumed.issuer, "https://x.example");
        assert_eq!(presumed.token_endpoint.unwrap().as_str(), "https://x.example/token");
    }
}
