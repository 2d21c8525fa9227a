//! The metadata of the protected resource (RFC 9728).

use axum::Json;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Server;
use super::place::header;

impl Server {
    /// Where the challenge says that the metadata is.
    pub(super) fn metadata_url(&self) -> String {
        let path = "/.well-known/oauth-protected-resource/mcp";
        // Only an absolute URL can be followed from a header.
        if self.broken("A05") { path.to_owned() } else { format!("{}{path}", self.origin) }
    }

    /// A document below `/.well-known/`.
    pub(super) async fn well_known(&self, name: &str, parts: &Parts) -> Response {
        let document = match name {
            // Revision 2025-03-26 knows no resource metadata; its authorization server is at the origin.
            "oauth-authorization-server" if self.broken("mode.2025-03-26") && !self.broken("C09") => {
                self.issuer_metadata().await
            }
            _ if self.broken("mode.2025-03-26") => None,
            "oauth-protected-resource/mcp" | "oauth-protected-resource" if !self.broken("B01") => {
                if self.broken("B08") && header(parts, "authorization").is_none() {
                    return self.unauthorized();
                }
                Some(self.resource_metadata(name.ends_with("/mcp")))
            }
            "oauth-authorization-server/as" | "openid-configuration/as" => self.facade().await,
            _ => None,
        };
        match document {
            Some(document) => ([("access-control-allow-origin", "*")], Json(document)).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn resource_metadata(&self, at_path: bool) -> serde_json::Value {
        let mut server = match self.broken("mode.facade") {
            true => self.facade_issuer(),
            false => self.issuer.clone(),
        };
        if self.broken("B04") {
            server.push_str("?tenant=1");
        }
        if self.broken("B05") {
            server.push('/');
        }
        let resource = if self.broken("B02") {
            "https://elsewhere.example/mcp".to_owned()
        } else if self.broken("B02.parent") {
            self.origin.clone()
        } else {
            self.resource()
        };
        let mut document = json!({
            "resource": resource,
            "authorization_servers": if self.broken("B03") { vec![] } else { vec![server] },
            "bearer_methods_supported": if self.broken("B07") { vec!["header", "query"] } else { vec!["header"] },
            "scopes_supported": ["mcp:read", "mcp:admin"],
        });
        if self.broken("D30") {
            document["dpop_bound_access_tokens_required"] = json!(true);
        }
        if self.broken("B06") && !at_path {
            document["scopes_supported"] = json!(["everything"]);
        }
        document
    }
}
