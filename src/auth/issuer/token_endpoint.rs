//! The token endpoint: which grant is asked for, and whether the client may.
//!
//! Refusals carry the error codes of RFC 6749 and never a secret.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::authorize::{Code, is_resource};
use super::client_auth::Refused;
use super::clients::{Client, Credentials, proven};
use super::faults::Point;
use super::grant::{Extras, Granted};
use super::refresh::Turn;
use super::state::Shared;
use super::{documents, exchange, lock};
use crate::auth::keys::{b64, same};

/// The grants of the token endpoint, as metadata names them.
pub(super) const GRANTS: [&str; 5] =
    ["authorization_code", "refresh_token", "client_credentials", EXCHANGE, ASSERTION];

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A request for a token.
#[derive(Deserialize)]
pub(super) struct Wanted {
    grant_type: Option<String>,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
    refresh_token: Option<String>,
    pub(super) assertion: Option<String>,
    pub(super) subject_token: Option<String>,
    pub(super) subject_token_type: Option<String>,
    pub(super) requested_token_type: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) scope: Option<String>,
    #[serde(flatten)]
    credentials: Credentials,
}

/// Grants what is asked for, or refuses it.
pub(super) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(wanted): Form<Wanted>,
) -> Response {
    if let Err(struck) = shared.faults.pass(Point::Token).await {
        return struck.into_response();
    }
    if let Err(refused) = documents::known(&shared, wanted.credentials.client_id.as_deref()).await {
        return refused.into_response();
    }
    // Signing blocks for as long as the key is in the making.
    let made = tokio::task::spawn_blocking(move || granted(&shared, &headers, &wanted)).await;
    match made {
        Ok(Ok(response)) => response,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn granted(shared: &Shared, headers: &HeaderMap, wanted: &Wanted) -> Result<Response, Refused> {
    if wanted.resource.as_deref().is_some_and(|resource| !is_resource(resource)) {
        return Err(Refused("invalid_target", "`resource` is no absolute URI"));
    }
    let grant = wanted.grant_type.as_deref().unwrap_or_default();
    let credentials = &wanted.credentials;
    // A workload is known by its assertion alone.
    let nameless = credentials.client_id.as_deref().is_none_or(str::is_empty)
        && credentials.client_assertion.is_none()
        && !headers.contains_key("authorization");
    if grant == ASSERTION && nameless {
        return exchange::vouched(shared, None, wanted);
    }
    if !GRANTS.contains(&grant) {
        return Err(Refused("unsupported_grant_type", "see `grant_types_supported`"));
    }
    let proven = proven(shared, headers, credentials)?;
    match grant {
        "client_credentials" => own(shared, &*proven.confidential()?, wanted),
        "refresh_token" => renewed(shared, &proven.client, wanted),
        EXCHANGE => exchange::exchanged(shared, &proven.client, wanted),
        ASSERTION => exchange::vouched(shared, Some(&proven.client), wanted),
        _ => redeemed(shared, &proven.client, wanted),
    }
}

/// RFC 6749 section 4.4: the client for itself.
fn own(shared: &Shared, client: &Client, wanted: &Wanted) -> Result<Response, Refused> {
    let resource = wanted.resource.clone();
    let resource = resource.ok_or(Refused("invalid_target", "name the target in `resource`"))?;
    let persona = client.persona.as_deref().and_then(|name| shared.persona(Some(name)));
    let (_, minted) = persona.ok_or(Refused("unauthorized_client", "this client acts for people only"))?;
    let (subject, client) = (client.id.clone(), client.id.clone());
    let granted = Granted { minted, subject, client, resource };
    granted.narrowed(wanted.scope.as_deref())?.answer(shared, Extras::default())
}

/// RFC 6749 section 4.1.3 with RFC 7636 section 4.6.
fn redeemed(shared: &Shared, client: &Client, wanted: &Wanted) -> Result<Response, Refused> {
    let wrong = || Refused("invalid_grant", "the code does not fit, is used up or too old");
    let code = wanted.code.as_deref().ok_or_else(wrong)?;
    let (granted, openid) = {
        let mut codes = lock(&shared.codes);
        let known =
            codes.get_mut(code).filter(|known| known.granted.client == client.id).ok_or_else(wrong)?;
        if known.spent {
            // Somebody else has it: what it brought ends (RFC 6749 section 10.5).
            known.family.take().into_iter().for_each(|family| shared.end_family(family));
            return Err(wrong());
        }
        known.spent = true;
        if !fits(shared, known, wanted) {
            return Err(wrong());
        }
        (known.granted.clone(), known.openid.clone())
    };
    let family = shared.families.begin(granted.clone(), shared.now());
    if let Some(known) = lock(&shared.codes).get_mut(code) {
        known.family = family;
    }
    let extras = Extras { refresh: family, id_token: openid, issued: None };
    granted.answer(shared, extras)
}

fn fits(shared: &Shared, code: &Code, wanted: &Wanted) -> bool {
    let verifier = wanted.code_verifier.as_deref().unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    same(&b64(digest), &code.challenge)
        && wanted.redirect_uri.as_deref() == Some(code.redirect.as_str())
        && wanted.resource.as_deref().is_none_or(|resource| resource == code.granted.resource)
        && shared.clock.elapsed() < code.ends
}

/// RFC 6749 section 6, with rotation.
fn renewed(shared: &Shared, client: &Client, wanted: &Wanted) -> Result<Response, Refused> {
    let wrong = || Refused("invalid_grant", "the refresh token is not in force");
    let token = wanted.refresh_token.as_deref().ok_or(Refused("invalid_request", "no `refresh_token`"))?;
    let (family, granted) = match shared.families.turn(token, &client.id, shared.now()) {
        Turn::Good(family, granted) => (family, granted),
        Turn::Unknown => return Err(wrong()),
        Turn::Again(access) => {
            shared.ledger.end(&access);
            return Err(wrong());
        }
    };
    if wanted.resource.as_deref().is_some_and(|resource| resource != granted.resource) {
        return Err(Refused("invalid_target", "the grant is for another resource"));
    }
    let extras = Extras { refresh: Some(family), ..Extras::default() };
    granted.narrowed(wanted.scope.as_deref())?.answer(shared, extras)
}
