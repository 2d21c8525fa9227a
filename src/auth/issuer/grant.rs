//! What somebody was granted, and the answer that carries it.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::client_auth::Refused;
use super::state::Shared;
use super::token::{self, Kind};
use crate::auth::Minted;

/// A person or machine, a client, a target.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    /// What tokens say; the scopes are those that were granted.
    pub(super) minted: Minted,
    /// `sub`, unless the persona names another.
    pub(super) subject: String,
    /// The client id.
    pub(super) client: String,
    /// The target (RFC 8707).
    pub(super) resource: String,
}

/// What an answer holds besides the access token.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    /// A new refresh token in this family.
    pub(super) refresh: Option<u64>,
    /// An ID token with this nonce, if any.
    pub(super) id_token: Option<Option<String>>,
    /// `issued_token_type` (RFC 8693).
    pub(super) issued: Option<&'static str>,
}

/// Scopes that say what the answer shall hold, not what the token may do.
const ASIDE: [&str; 4] = ["openid", "profile", "email", "offline_access"];

impl Granted {
    /// Narrows to the scopes that are asked for. Asking for some, and for none that the persona has, is refused.
    pub(super) fn narrowed(mut self, asked: Option<&str>) -> Result<Self, Refused> {
        let asked: Vec<&str> = asked.unwrap_or_default().split_ascii_whitespace().collect();
        let wanted: Vec<&str> = asked.into_iter().filter(|one| !ASIDE.contains(one)).collect();
        if !wanted.is_empty() {
            self.minted.scopes.retain(|scope| wanted.contains(&scope.as_str()));
            if self.minted.scopes.is_empty() {
                return Err(Refused("invalid_scope", "the persona has none of these scopes"));
            }
        }
        Ok(self)
    }

    /// Mints the access token and what else is due, and puts both into an answer (RFC 6749 section 5.1).
    pub(super) fn answer(self, shared: &Shared, extras: Extras) -> Result<Response, Refused> {
        let life = token::lifetime(&self.minted).map_err(|_| unsigned())?;
        let who = (self.subject.as_str(), self.client.as_str());
        let token = shared.mint(&self.minted, who, &self.resource, Kind::Access).map_err(|_| unsigned())?;
        let mut body = json!({
            "access_token": token.expose_secret(), "token_type": "Bearer", "expires_in": life.as_secs(),
            "scope": self.minted.scopes.join(" "),
        });
        let mut put = |name: &str, value: String| body[name] = Value::from(value);
        if let Some(issued) = extras.issued {
            put("issued_token_type", issued.to_owned());
        }
        if let Some(nonce) = extras.id_token {
            let nonce = nonce.as_deref();
            let id =
                shared.mint(&self.minted, who, &self.client, Kind::Id { nonce }).map_err(|_| unsigned())?;
            put("id_token", id.expose_secret().to_owned());
        }
        if let Some(family) = extras.refresh {
            let refresh = shared.refresh_token(family, &self.subject, Some(token.expose_secret()));
            put("refresh_token", refresh.map_err(|_| unsigned())?.expose_secret().to_owned());
        }
        Ok(json_answer(&body))
    }
}

/// A good answer of the token endpoint.
pub(super) fn json_answer(body: &Value) -> Response {
    (StatusCode::OK, [(header::PRAGMA, "no-cache")], Json(body)).into_response()
}

/// What signs is broken.
pub(super) fn unsigned() -> Refused {
    Refused("server_error", "the token could not be made")
}
