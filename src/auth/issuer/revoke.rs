//! Token revocation (RFC 7009), for the client that a token was granted to.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::client_auth::Refused;
use super::clients::{Credentials, proven};
use super::state::Shared;

/// A token to take back.
#[derive(Deserialize)]
pub(super) struct Asked {
    token: Option<String>,
    #[serde(flatten)]
    credentials: Credentials,
}

/// Takes a token back. One that is unknown is over already, which is what the client wants (section 2.2).
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    match answer(&shared, &headers, &asked) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, asked: &Asked) -> Result<(), Refused> {
    let client = proven(shared, headers, &asked.credentials)?.client;
    let token = asked.token.as_deref().ok_or(Refused("invalid_request", "`token` is missing"))?;
    if let Some(access) = shared.families.revoke(token, &client.id) {
        shared.ledger.end(&access);
        return Ok(());
    }
    if let Some(known) = shared.ledger.look(token, shared.now()) {
        if known.claims.get("client_id").and_then(Value::as_str) != Some(&client.id) {
            return Err(Refused("unauthorized_client", "the token was granted to another client"));
        }
        shared.ledger.revoke(token);
    }
    Ok(())
}
