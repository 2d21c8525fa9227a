//! Token introspection (RFC 7662) for the one resource server of the run: JWTs and opaque tokens alike.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client_auth::{Presented, Refused};
use super::faults::Point;
use super::state::Shared;
use super::token::Sort;
use crate::auth::keys::same;

/// The client id of the target at the introspection endpoint.
pub(super) const RESOURCE_SERVER: &str = "rehearsal-resource";

/// A question about a token.
#[derive(Deserialize)]
pub(super) struct Asked {
    token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Answers whether a token is in force, and what it says.
pub(super) async fn introspect(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    if let Err(struck) = shared.faults.pass(Point::Introspection).await {
        return struck.into_response();
    }
    match answer(&shared, &headers, &asked) {
        Ok(claims) => Json(claims).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(shared: &Shared, headers: &HeaderMap, asked: &Asked) -> Result<Value, Refused> {
    let presented = Presented::of(headers, asked.client_id.as_deref(), asked.client_secret.as_deref())?;
    let known = presented.name == RESOURCE_SERVER
        && presented.secret.is_some_and(|secret| same(&secret, shared.resource_secret.expose_secret()));
    if !known {
        return Err(Refused("invalid_client", "only the resource server of this run may ask"));
    }
    let token = asked.token.as_deref().ok_or(Refused("invalid_request", "`token` is missing"))?;
    let known = shared.ledger.look(token, shared.now()).filter(|known| known.sort == Sort::Access);
    Ok(match known {
        Some(known) => {
            let mut all = Map::new();
            all.insert("active".to_owned(), json!(true));
            all.insert("token_type".to_owned(), json!("Bearer"));
            all.extend(known.claims);
            Value::Object(all)
        }
        // Nothing more, whatever the reason (section 2.2).
        None => json!({"active": false}),
    })
}
