//! Clients that are machines: they register a key, and sign what they ask with.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Params, Server, grant, refuse};

pub(super) fn register(server: &Server, asked: &Value) -> Response {
    let key = &asked["jwks"]["keys"][0];
    let half =
        |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default()).unwrap_or_default();
    let point = [vec![4], half("x"), half("y")].concat();
    let grant = &asked["grant_types"];
    if point.len() != 65
        || (*grant != json!(["client_credentials"]) && *grant != json!([super::vouched::GRANT]))
    {
        return refuse("invalid_client_metadata");
    }
    let mut kept = server.kept();
    let id = kept.name("client");
    kept.machines.insert(id.clone(), point);
    let body = json!({"client_id": id, "token_endpoint_auth_method": "private_key_jwt"});
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(super) fn token(server: &Server, asked: &Params) -> Response {
    match known(server, asked) {
        Some(client) => {
            let resource = asked.get("resource").cloned().unwrap_or_default();
            grant(server, &mut server.kept(), (client, resource))
        }
        None if server.broken("J12.error") => refuse("invalid_grant"),
        None => refuse("invalid_client"),
    }
}

/// The client whose assertion this is.
pub(super) fn known(server: &Server, asked: &Params) -> Option<String> {
    let (message, signature) = asked.get("client_assertion")?.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    let (header, claims) = (read(header)?, read(claims)?);
    let client = claims["sub"].as_str().filter(|sub| claims["iss"] == *sub)?.to_owned();
    let mut kept = server.kept();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, kept.machines.get(&client)?);
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let signed = header["alg"] == "ES256" && key.verify(message.as_bytes(), &signature).is_ok();
    let signed = signed || (server.broken("J12") && header["alg"] == "none");
    let meant = claims["aud"] == server.origin || server.broken("J12.aud");
    let now = jiff::Timestamp::now().as_second();
    let timely = claims["exp"].as_i64()? > now || server.broken("J12.exp");
    if !signed || !meant || !timely {
        return None;
    }
    let fresh = kept.spent.insert(claims["jti"].as_str()?.to_owned());
    (fresh || server.broken("J12.jti")).then_some(client)
}
