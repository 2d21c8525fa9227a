//! The open documents: metadata (RFC 8414, OpenID Connect Discovery) and public keys (RFC 7517).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::clients::ASSERTION_ALGORITHMS;
use super::faults::Point;
use super::state::Shared;
use super::token_endpoint::GRANTS;

/// The metadata. It names only what exists.
pub(super) async fn document(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let with_secret = ["client_secret_basic", "client_secret_post"];
    let methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
    Json(json!({
        "issuer": shared.url,
        "jwks_uri": format!("{}/jwks", shared.url),
        "authorization_endpoint": shared.endpoint("authorize"),
        "token_endpoint": shared.endpoint("token"),
        "introspection_endpoint": shared.endpoint("introspect"),
        "introspection_endpoint_auth_methods_supported": with_secret,
        "revocation_endpoint": shared.endpoint("revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        "registration_endpoint": shared.endpoint("register"),
        "client_id_metadata_document_supported": true,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANTS,
        // Enterprise-managed authorization: accepted here, and made here.
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "identity_chaining_requested_token_types_supported": ["urn:ietf:params:oauth:token-type:id-jag"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_ALGORITHMS,
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "service_documentation": "tokens of this issuer are for tests; trust it in test set-ups only",
    }))
}

/// The public keys of every generation.
pub(super) async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    if let Err(struck) = shared.faults.pass(Point::Jwks).await {
        return struck.into_response();
    }
    // The key may still be in the making, and that blocks.
    let made = tokio::task::spawn_blocking(move || shared.keys.jwks()).await;
    match made {
        Ok(Ok(keys)) => Json(keys).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
