//! Which path leads where, and who is turned away before anything is read.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::state::Shared;
use super::{authorize, canary, documents, introspect, metadata, register, revoke, token_endpoint};

/// The largest form that is read, in bytes.
const LARGEST: usize = 256 * 1024;

/// Every endpoint of the issuer.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let hidden = |name: &str| format!("/{}/{name}", shared.hidden);
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::document))
        .route("/.well-known/openid-configuration", get(metadata::document))
        .route("/jwks", get(metadata::jwks))
        .route(documents::PATH, get(documents::own))
        .route(&hidden("authorize"), get(authorize::authorize))
        .route(&hidden("token"), post(token_endpoint::token))
        .route(&hidden("introspect"), post(introspect::introspect))
        .route(&hidden("revoke"), post(revoke::revoke))
        .route(&hidden("register"), post(register::register))
        .layer(from_fn_with_state(Arc::clone(shared), guard))
        // Canaries remember strangers before they turn them away.
        .route(&format!("{}/{{*place}}", shared.bait_path()), any(canary::any))
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn(inert))
        .with_state(Arc::clone(shared))
}

async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.is_trusted(request.headers()) {
        true => next.run(request).await,
        false => StatusCode::FORBIDDEN.into_response(),
    }
}

/// Forbids framing, sniffing and keeping.
async fn inert(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
