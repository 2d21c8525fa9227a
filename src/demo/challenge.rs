//! Denials as bytes: status, `WWW-Authenticate` and a small JSON body (RFC 6750 section 3, RFC 9728 section 5.1).

use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::roles::BOOKS_READ;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// No credentials. The challenge carries no `error`, because nothing was wrong with what was not sent.
    NoCredentials,
    /// Credentials that open nothing.
    InvalidToken,
    /// Good credentials without this scope.
    InsufficientScope(&'static str),
    /// Credentials given twice.
    Ambiguous,
    /// The issuer's keys cannot be read.
    IssuerUnreachable,
}

impl Denial {
    fn status(self) -> StatusCode {
        match self {
            Self::NoCredentials | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::IssuerUnreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoCredentials => None,
            Self::InvalidToken => Some(("invalid_token", "the access token is not valid here")),
            Self::InsufficientScope(_) => Some(("insufficient_scope", "the access token lacks a scope")),
            Self::Ambiguous => Some(("invalid_request", "send exactly one authorization header")),
            Self::IssuerUnreachable => Some(("temporarily_unavailable", "the issuer cannot be reached")),
        }
    }

    /// The value of `WWW-Authenticate`; `metadata` is the URL of the resource metadata. Every part is a constant or a
    /// URL of ours, so nothing needs escaping.
    fn challenge(self, metadata: Option<&str>) -> String {
        let scope = match self {
            Self::InsufficientScope(scope) => scope,
            _ => BOOKS_READ,
        };
        let mut challenge = String::from("Bearer realm=\"bookshop\"");
        let mut parameter = |name: &str, value: &str| challenge.push_str(&format!(", {name}=\"{value}\""));
        if let Some((error, description)) = self.error() {
            parameter("error", error);
            parameter("error_description", description);
        }
        parameter("scope", scope);
        if let Some(url) = metadata {
            parameter("resource_metadata", url);
        }
        challenge
    }

    /// The whole response.
    pub(super) fn response(self, metadata: Option<&str>) -> Response {
        let (error, description) = self.error().unwrap_or(("unauthorized", "send an access token"));
        let body = Json(json!({"error": error, "error_description": description}));
        let mut response = (self.status(), body).into_response();
        if self != Self::IssuerUnreachable
            && let Ok(challenge) = HeaderValue::from_str(&self.challenge(metadata))
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let all = [Denial::NoCredentials, Denial::InvalidToken, Denial::InsufficientScope("refunds:write")];
        let text = all.map(|denial| denial.challenge(Some("http://127.0.0.1:1/m"))).join("\n");
        insta::assert_snapshot!(text, @r#"
        Bearer realm="bookshop", scope="books:read", resource_metadata="http://127.0.0.1:1/m"
        Bearer realm="bookshop", error="invalid_token", error_description="the access token is not valid here", scope="books:read", resource_metadata="http://127.0.0.1:1/m"
        Bearer realm="bookshop", error="insufficient_scope", error_description="the access token lacks a scope", scope="refunds:write", resource_metadata="http://127.0.0.1:1/m"
        "#);
    }
}
