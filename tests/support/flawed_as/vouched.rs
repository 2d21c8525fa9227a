//! People whom an identity provider vouches for: its statements are looked at from every side.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::{Params, Server, grant, refuse};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) fn register(server: &Server, asked: &Value) -> Response {
    let method = asked["token_endpoint_auth_method"].as_str().unwrap_or_default();
    let mut kept = server.kept();
    let (id, secret) = (kept.name("client"), kept.name("secret"));
    let mut body = json!({"client_id": id, "token_endpoint_auth_method": method});
    if method != "none" {
        body["client_secret"] = json!(secret);
    }
    kept.confidential.insert(id, (method.to_owned(), secret));
    (StatusCode::CREATED, Json(body)).into_response()
}

/// The client, if it proves itself in the way that it registered.
fn proven(server: &Server, authorization: Option<&str>, asked: &Params) -> Option<String> {
    let kept = server.kept();
    let pair = authorization.and_then(|value| value.strip_prefix("Basic "));
    let pair = pair.and_then(|pair| String::from_utf8(STANDARD.decode(pair).ok()?).ok());
    let (client, method, secret) = match pair.as_deref().and_then(|pair| pair.split_once(':')) {
        Some((client, secret)) => (client.to_owned(), "client_secret_basic", secret.to_owned()),
        None => match (asked.get("client_id")?.clone(), asked.get("client_secret")) {
            (client, Some(secret)) => (client, "client_secret_post", secret.clone()),
            (client, None) => (client, "none", String::new()),
        },
    };
    let (wanted, known) = kept.confidential.get(&client)?;
    (wanted == method && (*known == secret || method == "none")).then_some(client)
}

pub(super) async fn token(server: &Server, authorization: Option<&str>, asked: &Params) -> Response {
    let by_key = asked.contains_key("client_assertion");
    let client =
        if by_key { super::machines::known(server, asked) } else { proven(server, authorization, asked) };
    let Some(client) = client else { return refuse("invalid_client") };
    match holds(server, &client, asked).await {
        Some(resource) => grant(server, &mut server.kept(), (client, resource)),
        None if server.broken("J11.error") => refuse("invalid_request"),
        None => refuse("invalid_grant"),
    }
}

/// The resource of a good assertion.
async fn holds(server: &Server, client: &str, asked: &Params) -> Option<String> {
    let assertion = asked.get("assertion")?;
    let (header, rest) = assertion.split_once('.')?;
    let claims = rest.split_once('.')?.0;
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (header, claims) = (read(header)?, read(claims)?);
    let provider = server.provider.as_ref()?;
    let keys: JwkSet = reqwest::get(format!("{provider}/jwks")).await.ok()?.json().await.ok()?;
    let key = DecodingKey::from_jwk(keys.find(header["kid"].as_str()?)?).ok()?;
    let mut signature_only = Validation::new(Algorithm::RS256);
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    signature_only.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(assertion, &key, &signature_only).ok()?;
    let typed = header["typ"] == "oauth-id-jag+jwt" || server.broken("J11");
    let meant = claims["aud"] == server.origin || server.broken("J11.aud");
    let own = claims["client_id"] == client || server.broken("J11.client");
    let timely = claims["exp"].as_i64()? > jiff::Timestamp::now().as_second() || server.broken("J11.exp");
    let known = claims["iss"] == **provider || server.broken("J11.iss");
    if !typed || !meant || !own || !timely || !known {
        return None;
    }
    let fresh = server.kept().spent.insert(claims["jti"].as_str()?.to_owned());
    (fresh || server.broken("J11.jti")).then(|| claims["resource"].as_str().unwrap_or_default().to_owned())
}
