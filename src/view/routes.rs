//! Which path leads where. Everything is below the path of the door.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;

use super::compare;
use super::door::{Door, guard};
use super::kitchen::Kitchen;
use super::pages;
use super::run::{self, Shared, broke, refused, unless_known};
use crate::ids::Digest;

/// Every page and answer of a viewer.
pub(super) fn router(door: &Arc<Door>, kitchen: &Arc<Kitchen>) -> Router {
    let below = Router::new()
        .route("/", get(pages::runs))
        .route("/compare", get(pages::compare))
        .route("/runs/{id}", get(run::page))
        .route("/api/runs", get(list))
        .route("/api/runs/{id}", get(run::now))
        .route("/api/runs/{id}/index", get(run::index))
        .route("/api/runs/{id}/case", get(run::case))
        .route("/api/runs/{id}/search", get(run::search))
        .route("/api/runs/{id}/trials/{key}", get(run::trial))
        .route("/api/compare", get(compare::compare))
        .with_state(Arc::clone(kitchen));
    let mount = door.mount();
    Router::new()
        .route(&format!("/{mount}/"), get(pages::runs))
        .nest(&format!("/{mount}"), below)
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n") })
        .layer(from_fn_with_state(Arc::clone(door), guard))
}

/// The list of runs, or nothing where it is what the page has already.
async fn list(State(kitchen): Shared, headers: HeaderMap) -> Response {
    let listed = kitchen.long(|kitchen| serde_json::to_vec(&kitchen.rows.list()).ok()).await;
    let Some(body) = listed.flatten() else { return refused(&broke()) };
    let tag = Digest::of(&body).to_string();
    unless_known(&tag, &headers, || ([(header::CONTENT_TYPE, "application/json")], body))
}
