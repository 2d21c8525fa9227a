//! The authorization endpoint: codes with PKCE, granted without asking anybody, since every identity here is made up.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use url::Url;

use super::client_auth::Refused;
use super::clients::Client;
use super::grant::Granted;
use super::state::Shared;
use super::{documents, lock};
use crate::auth::keys::random_text;

/// An authorization code that waits for its one use.
pub(super) struct Code {
    pub(super) granted: Granted,
    pub(super) redirect: String,
    pub(super) challenge: String,
    /// An ID token is wanted, with this nonce if any.
    pub(super) openid: Option<Option<String>>,
    pub(super) ends: Duration,
    /// Whether it was used, for better or worse.
    pub(super) spent: bool,
    /// What came of it: using it again takes that back.
    pub(super) family: Option<u64>,
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
    scope: Option<String>,
    login_hint: Option<String>,
    nonce: Option<String>,
    state: Option<String>,
}

/// Grants a code and sends the client back. A redirect address that the client did not announce is never followed.
pub(super) async fn authorize(State(shared): State<Arc<Shared>>, Query(asked): Query<Authorize>) -> Response {
    if let Err(refused) = documents::known(&shared, asked.client_id.as_deref()).await {
        return refused.into_response();
    }
    match consent(&shared, &asked) {
        Ok(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn consent(shared: &Shared, asked: &Authorize) -> Result<String, Refused> {
    let client = asked.client_id.as_deref().and_then(|id| shared.clients.get(id));
    let client = client.ok_or(Refused("invalid_client", "unknown client_id"))?;
    let redirect = asked.redirect_uri.as_deref().filter(|to| client.redirects.allow(to));
    let mut to = redirect
        .and_then(|to| Url::parse(to).ok())
        .ok_or(Refused("invalid_request", "redirect_uri is not one that this client may use"))?;
    // From here on errors may go back to the client.
    match granted(shared, asked, &client) {
        Ok(granted) => {
            let code = random_text().map_err(|_| Refused("server_error", "no random bytes"))?;
            shared.secrets.register("authorization-code", &code);
            let scopes = asked.scope.as_deref().unwrap_or_default();
            let kept = Code {
                granted,
                redirect: asked.redirect_uri.clone().unwrap_or_default(),
                challenge: asked.code_challenge.clone().unwrap_or_default(),
                openid: scopes.split(' ').any(|scope| scope == "openid").then(|| asked.nonce.clone()),
                ends: shared.clock.elapsed() + CODE_LIFE,
                spent: false,
                family: None,
            };
            to.query_pairs_mut().append_pair("code", &code);
            let mut codes = lock(&shared.codes);
            codes.retain(|_, known| known.ends > shared.clock.elapsed());
            codes.insert(code, kept);
        }
        Err(Refused(error, _)) => drop(to.query_pairs_mut().append_pair("error", error)),
    }
    // RFC 9207, in errors as well.
    to.query_pairs_mut().append_pair("iss", &shared.url);
    if let Some(state) = &asked.state {
        to.query_pairs_mut().append_pair("state", state);
    }
    Ok(to.into())
}

/// What the persona consents to: `login_hint`, else the one of the client, else the first.
fn granted(shared: &Shared, asked: &Authorize, client: &Client) -> Result<Granted, Refused> {
    if asked.response_type.as_deref() != Some("code") {
        return Err(Refused("unsupported_response_type", "only `code`"));
    }
    let challenge = asked.code_challenge.as_deref().is_some_and(|challenge| challenge.len() == 43);
    if !challenge || asked.code_challenge_method.as_deref() != Some("S256") {
        return Err(Refused("invalid_request", "PKCE with S256"));
    }
    let resource = asked.resource.clone().filter(|resource| is_resource(resource));
    let resource = resource.ok_or(Refused("invalid_target", "name the target in `resource`"))?;
    let name = asked.login_hint.as_deref().or(client.persona.as_deref());
    let (subject, minted) = shared.persona(name).ok_or(Refused("access_denied", "no such persona"))?;
    Granted { minted, subject, client: client.id.clone(), resource }.narrowed(asked.scope.as_deref())
}

/// RFC 8707 section 2: an absolute URI without a fragment.
pub(super) fn is_resource(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.fragment().is_none())
}
