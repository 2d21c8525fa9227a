//! What the refused are told.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Server;

impl Server {
    /// 401 to somebody without a token.
    pub(super) fn unauthorized(&self) -> Response {
        let scope = if self.broken("A10") {
            "mcp:read offline_access"
        } else if self.broken("A11") {
            "*"
        } else if self.broken("F07") {
            "mcp:read mcp:admin"
        } else {
            "mcp:read"
        };
        let mut params = vec![];
        if self.broken("A07") {
            params.push(("error", "invalid_token".to_owned()));
        }
        if !self.broken("A09") {
            params.push(("scope", scope.to_owned()));
        }
        self.refuse(StatusCode::UNAUTHORIZED, "no token", &params)
    }

    /// 401 to a token that does not count.
    pub(super) fn bad_token(&self, why: &str) -> Response {
        if self.broken("A08") {
            return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")]).into_response();
        }
        let text = match self.broken("A06") {
            true => format!("\"token\" is bad: {why}"),
            false => why.replace(['"', '\\'], "'"),
        };
        let params = vec![("error", "invalid_token".to_owned()), ("error_description", text)];
        self.refuse(StatusCode::UNAUTHORIZED, why, &params)
    }

    /// 403 to a token without these scopes.
    pub(super) fn forbidden(&self, scopes: &[&str]) -> Response {
        if self.broken("F01.challenge") {
            return StatusCode::FORBIDDEN.into_response();
        }
        let mut scope = scopes.join(" ");
        if self.broken("F07") && !scopes.contains(&"mcp:admin") {
            scope.push_str(" mcp:admin");
        }
        let params = vec![("error", "insufficient_scope".to_owned()), ("scope", scope)];
        self.refuse(StatusCode::FORBIDDEN, "the token lacks a scope", &params)
    }

    fn refuse(&self, status: StatusCode, why: &str, params: &[(&str, String)]) -> Response {
        // What is refused on the plain twin of an https endpoint is refused by MCP all the same.
        let mut body = match self.broken("B09") {
            true => json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32001, "message": "refused"}}),
            false => json!({"error": "refused"}),
        };
        if self.broken("A12") {
            let trace = "Traceback (most recent call last):\n  File \"/srv/app/auth.py\", line 41, in verify";
            body["trace"] = json!(format!("{trace}\n    raise TokenError({why})"));
        }
        if self.broken("A04") {
            return (status, Json(body)).into_response();
        }
        let mut parts: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        if !self.broken("mode.2025-03-26") {
            parts.push(format!("resource_metadata=\"{}\"", self.metadata_url()));
        }
        (status, [("www-authenticate", format!("Bearer {}", parts.join(", ")))], Json(body)).into_response()
    }
}
