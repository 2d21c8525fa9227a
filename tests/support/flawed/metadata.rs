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
        if self.broken("A05") { path.to_owned() } else { format!("http://{}{path}", self.host) }
    }

    /// A document below `/.well-known/`.
    pub(super) async fn well_known(&self, name: &str, parts: &Parts) -> Response {
        let document = match name {
            "oauth-protected-resource/mcp" | "oauth-protected-resource"
                if !self.broken("B01") && !self.broken("C09") =>
            {
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
        let server = if self.any_of("C") {
            self.facade_issuer()
        } else if self.broken("B04") {
            format!("{}?tenant=1", self.issuer)
        } else if self.broken("B05") {
            format!("{}/", self.issuer)
        } else {
            self.issuer.clone()
        };
        let resource = if self.broken("B02") {
            "https://elsewhere.example/mcp".to_owned()
        } else if self.broken("B02.parent") {
            format!("http://{}", self.host)
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
