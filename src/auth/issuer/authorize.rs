//! The authorization endpoint: codes with PKCE, granted without asking anybody, since every identity here is made up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use url::Url;

use super::client_auth::Refused;
use super::lock;
use super::state::Shared;
use crate::auth::keys::random_text;

/// An authorization code that waits for its one use.
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect: String,
    pub(super) challenge: String,
    pub(super) resource: String,
    pub(super) ends: Duration,
}

/// How long a code may wait (RFC 6749 section 4.1.2 allows ten minutes at most).
const CODE_LIFE: Duration = Duration::from_secs(60);

/// A request for a code.
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
    let mut to = Url::parse(&redirect)
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
            let code = random_text().map_err(|_| Refused("server_error", "no random bytes"))?;
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
