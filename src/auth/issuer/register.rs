//! Dynamic client registration (RFC 7591), open to every local program.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::jwk::JwkSet;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::client_auth::Refused;
use super::clients::{Client, Proof, Redirects, is_loopback_http};
use super::state::Shared;
use super::token_endpoint::GRANTS;
use crate::auth::keys::random_text;

/// What a client says of itself, here or in its metadata document.
#[derive(Debug, Deserialize)]
pub(super) struct Described {
    /// Only in documents.
    #[serde(default)]
    pub(super) client_id: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
    #[serde(default)]
    response_types: Option<Vec<String>>,
    #[serde(default)]
    client_name: Option<String>,
    #[serde(default)]
    jwks: Option<Value>,
}

/// The most redirect addresses of one client.
const MOST: usize = 16;

impl Described {
    /// A client of that id, if what it says can be granted.
    pub(super) fn client(&self, id: String, proof: Proof) -> Result<Client, Refused> {
        let codes = self.grants().contains(&"authorization_code");
        if self.redirect_uris.len() > MOST || (codes && self.redirect_uris.is_empty()) {
            return Err(Refused("invalid_redirect_uri", "between one and sixteen redirect_uris"));
        }
        if !self.redirect_uris.iter().all(|uri| is_redirect(uri)) {
            return Err(Refused("invalid_redirect_uri", "https, or http on loopback, without a fragment"));
        }
        if !self.grants().iter().all(|grant| GRANTS.contains(grant)) {
            return Err(Refused("invalid_client_metadata", "unknown grant type"));
        }
        if self.response_types.as_ref().is_some_and(|all| all.iter().any(|one| one != "code")) {
            return Err(Refused("invalid_client_metadata", "the only response type is `code`"));
        }
        Ok(Client { id, proof, redirects: Redirects::Listed(self.redirect_uris.clone()), persona: None })
    }

    /// The keys that it signs with, where it says that it does so.
    pub(super) fn keys(&self) -> Result<JwkSet, Refused> {
        let keys: Option<JwkSet> = self.jwks.clone().and_then(|keys| serde_json::from_value(keys).ok());
        keys.filter(|keys| !keys.keys.is_empty())
            .ok_or(Refused("invalid_client_metadata", "private_key_jwt needs `jwks`"))
    }

    /// How it says it will prove who it is.
    pub(super) fn method(&self) -> Option<&str> {
        self.token_endpoint_auth_method.as_deref()
    }

    fn grants(&self) -> Vec<&str> {
        match &self.grant_types {
            Some(all) => all.iter().map(String::as_str).collect(),
            None => vec!["authorization_code"],
        }
    }
}

fn is_redirect(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.fragment().is_none() && (url.scheme() == "https" || is_loopback_http(&url)))
}

/// Registers a client.
pub(super) async fn register(
    State(shared): State<Arc<Shared>>,
    Json(described): Json<Described>,
) -> Response {
    match answer(&shared, &described) {
        Ok(body) => (StatusCode::CREATED, Json(body)).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn answer(shared: &Shared, described: &Described) -> Result<Value, Refused> {
    let broken = |_| Refused("server_error", "no random bytes");
    let id = format!("rehearsal-test-client-{}", random_text().map_err(broken)?);
    // RFC 7591 section 2.
    let method = described.method().unwrap_or("client_secret_basic");
    let mut body = json!({
        "client_id": id, "client_id_issued_at": shared.now(), "token_endpoint_auth_method": method,
        "redirect_uris": described.redirect_uris, "grant_types": described.grants(),
        "response_types": ["code"],
    });
    if let Some(name) = &described.client_name {
        body["client_name"] = json!(name);
    }
    let proof = match method {
        "none" => Proof::None,
        "private_key_jwt" => Proof::Keys(described.keys()?),
        "client_secret_basic" | "client_secret_post" => {
            let secret = random_text().map_err(broken)?;
            shared.secrets.register("client:registered", &secret);
            body["client_secret"] = json!(secret);
            body["client_secret_expires_at"] = json!(0);
            Proof::Secret(SecretString::from(secret))
        }
        _ => return Err(Refused("invalid_client_metadata", "unknown token_endpoint_auth_method")),
    };
    shared.clients.admit(described.client(id, proof)?)?;
    Ok(body)
}
