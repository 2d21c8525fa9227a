//! The token endpoint: client credentials, and codes with PKCE.
//!
//! Refusals carry the error codes of RFC 6749 and never a secret.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::client_auth::{Presented, Refused};
use super::faults::Point;
use super::state::Shared;
use super::{lock, token};
use crate::auth::keys::{b64, same};

/// A request for a token.
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

/// Exchanges a code or a client's own credentials for an access token.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(wanted): Form<Wanted>,
) -> Response {
    if let Err(struck) = shared.faults.pass(Point::Token).await {
        return struck.into_response();
    }
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
        .mint(&minted, (&client, &client), &resource)
        .map_err(|_| Refused("server_error", "the token could not be signed"))?;
    let body = json!({
        "access_token": token.expose_secret(), "token_type": "Bearer", "expires_in": life.as_secs(),
        "scope": minted.scopes.join(" "),
    });
    Ok((StatusCode::OK, [(header::PRAGMA, "no-cache")], Json(body)).into_response())
}

fn authenticated(shared: &Shared, headers: &HeaderMap, wanted: &Wanted) -> Result<String, Refused> {
    let presented = Presented::of(headers, wanted.client_id.as_deref(), wanted.client_secret.as_deref())?;
    let enrolled = lock(&shared.enrolled);
    let fits = enrolled.get(&presented.name).is_some_and(|known| {
        presented.secret.as_deref().is_some_and(|secret| same(known.secret.expose_secret(), secret))
    });
    match fits {
        true => Ok(presented.name),
        false => Err(Refused("invalid_client", "wrong client_id or client_secret")),
    }
}

fn redeemed(shared: &Shared, wanted: &Wanted) -> Result<(String, String), Refused> {
    let wrong = || Refused("invalid_grant", "the code does not fit, is used up or too old");
    let code = wanted.code.as_deref().and_then(|code| lock(&shared.codes).remove(code)).ok_or_else(wrong)?;
    let verifier = wanted.code_verifier.as_deref().unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    let fits = same(&b64(digest), &code.challenge)
        && wanted.client_id.as_deref() == Some(code.client.as_str())
        && wanted.redirect_uri.as_deref() == Some(code.redirect.as_str())
        && wanted.resource.as_deref().is_none_or(|resource| resource == code.resource)
        && shared.clock.elapsed() < code.ends;
    match fits {
        true => Ok((code.client, code.resource)),
        false => Err(wrong()),
    }
}
