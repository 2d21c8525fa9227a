//! The token and authorization endpoints of the embedded issuer: client credentials, and codes with PKCE.
//!
//! Consent is automatic, since every identity here is made up. Refusals carry the error codes of RFC 6749 and never a
//! secret.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http};
use base64::Engine;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::issuer::{Shared, lock};
use super::{Minted, keys, token};

/// Somebody who may ask for tokens.
pub(super) struct Enrolled {
    pub(super) minted: Minted,
    pub(super) secret: SecretString,
}

/// An authorization code that waits for its one use.
pub(super) struct Code {
    client: String,
    redirect: String,
    challenge: String,
    resource: String,
    ends: Duration,
}

/// How long a code may wait (RFC 6749 section 4.1.2 allows ten minutes at most).
const CODE_LIFE: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub(super) struct Authorize {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    resource: Option<String>,
    state: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
    resource: Option<String>,
}

/// A refusal of RFC 6749 section 5.2.
struct Refused(&'static str, &'static str);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self.0 {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({"error": self.0, "error_description": self.1}))).into_response()
    }
}

/// Grants a code and sends the client back. A redirect address that is not loopback is never followed.
pub(super) async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<Authorize>) -> Response {
    match consent(&shared, asked) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn consent(shared: &Shared, asked: Authorize) -> Result<String, Refused> {
    let client = asked.client_id.unwrap_or_default();
    if !lock(&shared.enrolled).contains_key(&client) {
        return Err(Refused("invalid_client", "unknown client_id"));
    }
    let redirect = asked.redirect_uri.unwrap_or_default();
    let mut to = url::Url::parse(&redirect)
        .ok()
        .filter(|to| {
            to.scheme() == "http" && matches!(to.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
        })
        .ok_or(Refused("invalid_request", "redirect_uri must be a loopback http address"))?;
    // From here on errors may go back to the client.
    let refusal = match (&asked.response_type, &asked.code_challenge, &asked.resource) {
        (kind, _, _) if kind.as_deref() != Some("code") => Some("unsupported_response_type"),
        (_, Some(challenge), Some(_)) if challenge.len() == 43 => {
            match asked.code_challenge_method.as_deref() {
                Some("S256") => None,
                _ => Some("invalid_request"),
            }
        }
        (_, _, None) => Some("invalid_target"),
        _ => Some("invalid_request"),
    };
    match refusal {
        Some(error) => {
            to.query_pairs_mut().append_pair("error", error);
        }
        None => {
            let code = keys::random_text().map_err(|_| Refused("server_error", "no random bytes"))?;
            shared.secrets.register("authorization-code", &code);
            let ends = shared.clock.elapsed() + CODE_LIFE;
            let kept = Code {
                client,
                redirect,
                challenge: asked.code_challenge.unwrap_or_default(),
                resource: asked.resource.unwrap_or_default(),
                ends,
            };
            to.query_pairs_mut().append_pair("code", &code);
            let mut codes = lock(&shared.codes);
            codes.retain(|_, known| known.ends > shared.clock.elapsed());
            codes.insert(code, kept);
        }
    }
    to.query_pairs_mut().append_pair("iss", &shared.url);
    if let Some(state) = &asked.state {
        to.query_pairs_mut().append_pair("state", state);
    }
    Ok(to.into())
}

/// Exchanges a code or a client's own credentials for an access token.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(wanted): Form<Wanted>,
) -> Response {
    // Signing blocks for as long as the key is in the making.
    let made = tokio::task::spawn_blocking(move || exchange(&shared, &headers, wanted)).await;
    match made {
        Ok(Ok(response)) => response,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn exchange(shared: &Shared, headers: &HeaderMap, wanted: Wanted) -> Result<Response, Refused> {
    let (client, resource) = match wanted.grant_type.as_deref() {
        Some("client_credentials") => {
            let client = authenticated(shared, headers, &wanted)?;
            let resource =
                wanted.resource.ok_or(Refused("invalid_target", "name the target in `resource`"))?;
            (client, resource)
        }
        Some("authorization_code") => redeemed(shared, &wanted)?,
        _ => return Err(Refused("unsupported_grant_type", "authorization_code or client_credentials")),
    };
    let minted = lock(&shared.enrolled).get(&client).map(|known| known.minted.clone());
    let minted = minted.ok_or(Refused("invalid_client", "unknown client"))?;
    let life = token::lifetime(&minted).map_err(|_| Refused("server_error", "bad lifetime"))?;
    let token = shared
        .mint(&minted, &client, &resource)
        .map_err(|_| Refused("server_error", "the token could not be signed"))?;
    let body = json!({
        "access_token": token.expose_secret(), "token_type": "Bearer", "expires_in": life.as_secs(),
        "scope": minted.scopes.join(" "),
    });
    Ok((http::StatusCode::OK, [(header::PRAGMA, "no-cache")], Json(body)).into_response())
}

fn authenticated(shared: &Shared, headers: &HeaderMap, wanted: &Wanted) -> Result<String, Refused> {
    let wrong = || Refused("invalid_client", "wrong client_id or client_secret");
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (name, secret) = match &basic {
        Some(pair) => pair.split_once(':').ok_or_else(wrong)?,
        None => (
            wanted.client_id.as_deref().ok_or_else(wrong)?,
            wanted.client_secret.as_deref().ok_or_else(wrong)?,
        ),
    };
    let enrolled = lock(&shared.enrolled);
    let known = enrolled.get(name).ok_or_else(wrong)?;
    match same(known.secret.expose_secret(), secret) {
        true => Ok(name.to_owned()),
        false => Err(wrong()),
    }
}

fn redeemed(shared: &Shared, wanted: &Wanted) -> Result<(String, String), Refused> {
    let wrong = || Refused("invalid_grant", "the code does not fit, is used up or too old");
    let code = wanted.code.as_deref().and_then(|code| lock(&shared.codes).remove(code)).ok_or_else(wrong)?;
    let verifier = wanted.code_verifier.as_deref().unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let fits = same(&keys::b64(digest), &code.challenge)
        && wanted.client_id.as_deref() == Some(code.client.as_str())
        && wanted.redirect_uri.as_deref() == Some(code.redirect.as_str())
        && wanted.resource.as_deref().is_none_or(|resource| resource == code.resource)
        && shared.clock.elapsed() < code.ends;
    match fits {
        true => Ok((code.client, code.resource)),
        false => Err(wrong()),
    }
}

/// Compares in a time that does not depend on where two texts differ.
fn same(left: &str, right: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}
