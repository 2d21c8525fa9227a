//! An issuer, a persona, and a resource server that is careful.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use rehearsal::auth::{Issuer, Minted};
use rehearsal::transcript::{Clock, Secrets};
use serde_json::{Value, json};

pub(crate) const AUDIENCE: &str = "http://127.0.0.1:9999/mcp";

pub(crate) async fn start() -> (Issuer, Secrets) {
    let secrets = Secrets::default();
    let issuer = Issuer::start(secrets.clone(), Clock::system()).await.unwrap();
    (issuer, secrets)
}

pub(crate) fn clerk() -> Minted {
    Minted {
        scopes: vec!["orders:read".into(), "orders:write".into()],
        claims: BTreeMap::from([("roles".to_owned(), json!(["clerk"]))]),
        ..Minted::default()
    }
}

pub(crate) async fn json_at(url: String) -> Value {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    response.json().await.unwrap()
}

pub(crate) async fn keys_of(issuer: &Issuer) -> JwkSet {
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    serde_json::from_value(json_at(metadata["jwks_uri"].as_str().unwrap().to_owned()).await).unwrap()
}

/// What a careful resource server does, written against another library than the one that signs.
pub(crate) fn accepted(issuer: &Issuer, keys: &JwkSet, token: &str) -> Result<Value, String> {
    accepted_for(issuer, keys, token, AUDIENCE)
}

/// The same for another resource.
pub(crate) fn accepted_for(
    issuer: &Issuer,
    keys: &JwkSet,
    token: &str,
    audience: &str,
) -> Result<Value, String> {
    let header = jsonwebtoken::decode_header(token).map_err(|e| e.to_string())?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err("algorithm".into());
    }
    let parts = split(token);
    if parts.0.get("crit").is_some() || parts.0["typ"] != "at+jwt" {
        return Err("header".into());
    }
    let key = keys.find(header.kid.as_deref().unwrap_or_default()).ok_or("kid")?;
    let mut rules = Validation::new(header.alg);
    rules.leeway = 0;
    rules.validate_nbf = true;
    rules.set_issuer(&[issuer.url()]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = DecodingKey::from_jwk(key).map_err(|e| e.to_string())?;
    jsonwebtoken::decode::<Value>(token, &key, &rules).map(|data| data.claims).map_err(|e| e.to_string())
}

pub(crate) fn split(token: &str) -> (Value, Value, Vec<u8>) {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    assert_eq!(parts.len(), 3);
    (serde_json::from_slice(&parts[0]).unwrap(), serde_json::from_slice(&parts[1]).unwrap(), parts[2].clone())
}
