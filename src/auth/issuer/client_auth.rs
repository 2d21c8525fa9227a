//! How clients prove who they are, and how they are refused (RFC 6749 sections 2.3 and 5.2).

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::faults::Struck;

/// A refusal of RFC 6749 section 5.2: code and description.
#[derive(Debug)]
pub(super) struct Refused(pub(super) &'static str, pub(super) &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0 {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let body = Json(json!({"error": self.0, "error_description": self.1}));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"rehearsal\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for Struck {
    fn into_response(self) -> Response {
        StatusCode::from_u16(self.0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
    }
}

/// Who somebody says they are, and with what secret. Nothing is checked yet.
#[derive(Debug)]
pub(super) struct Presented {
    /// The client id.
    pub(super) name: String,
    /// The secret; public clients have none.
    pub(super) secret: Option<String>,
}

impl Presented {
    /// From the header, else from the form. Both at once are refused.
    pub(super) fn of(headers: &HeaderMap, id: Option<&str>, secret: Option<&str>) -> Result<Self, Refused> {
        let wrong = || Refused("invalid_client", "wrong client_id or client_secret");
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            let name = id.ok_or_else(wrong)?.to_owned();
            return Ok(Self { name, secret: secret.map(str::to_owned) });
        };
        if secret.is_some() {
            return Err(Refused("invalid_request", "two ways of client authentication at once"));
        }
        let text = value.to_str().ok().and_then(|text| {
            let (scheme, rest) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("basic").then_some(rest)
        });
        let pair = text.and_then(|text| STANDARD.decode(text.trim()).ok());
        let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
        let (name, secret) = pair.split_once(':').ok_or_else(wrong)?;
        // Both are form-encoded inside the header (RFC 6749 section 2.3.1).
        let (name, secret) = (form_decoded(name), form_decoded(secret));
        match id.is_none_or(|id| id == name) {
            true => Ok(Self { name, secret: Some(secret) }),
            false => Err(wrong()),
        }
    }
}

fn form_decoded(text: &str) -> String {
    let pair = format!("x={text}");
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
