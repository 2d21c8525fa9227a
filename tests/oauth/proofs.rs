//! Tokens bound to a key, and the nonces that both servers may want in proofs.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{HeaderValue, Response};
use jsonwebtoken::jwk::ThumbprintHash;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::world::{Seen, World, answer, ok, refuse, resource, with};

/// The claims of a proof whose signature is right, and the thumbprint of its key.
fn opened(proof: &str) -> (Value, String) {
    let header = jsonwebtoken::decode_header(proof).unwrap();
    assert_eq!(header.typ.as_deref(), Some("dpop+jwt"));
    let public = header.jwk.unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(&public).unwrap();
    let claims = jsonwebtoken::decode::<Value>(proof, &key, &rules).unwrap().claims;
    (claims, public.thumbprint(ThumbprintHash::SHA256).unwrap())
}

fn nonce(mut response: Response<Body>, nonce: &'static str) -> Response<Body> {
    response.headers_mut().insert("dpop-nonce", HeaderValue::from_static(nonce));
    response
}

fn wanted(seen: &Seen, nonce: Option<&str>) -> bool {
    let proof = seen.header("dpop");
    !proof.is_empty() && opened(proof).0["nonce"].as_str() == nonce
}

fn bound(seen: &Seen) -> Option<Response<Body>> {
    match seen.path.as_str() {
        "/token" if seen.header("dpop").is_empty() => {
            Some(ok(&json!({"access_token": "plain", "token_type": "Bearer"})))
        }
        "/token" => Some(ok(
            &json!({"access_token": "bound", "token_type": "DPoP", "expires_in": 100, "refresh_token": "refresh-it"}),
        )),
        "/mcp" if seen.header("authorization") == "DPoP bound" => Some(ok(&json!({}))),
        "/mcp" => Some(refuse(401, "DPoP algs=\"ES256\"")),
        _ => None,
    }
}

#[tokio::test]
async fn a_target_that_wants_proofs_gets_a_new_one_each_time() {
    let world = World::start(bound).await;
    let oauth = world.oauth();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    let (token, key) = opened(world.seen("POST /token")[0].header("dpop"));
    assert_eq!((&token["htm"], &token["htu"]), (&json!("POST"), &json!(format!("{}/token", world.base()))));
    assert_eq!(token.get("ath"), None);
    let sent: Vec<_> = world
        .seen("POST /mcp")
        .iter()
        .filter(|seen| !seen.header("dpop").is_empty())
        .map(|seen| opened(seen.header("dpop")))
        .collect();
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].0["jti"], sent[1].0["jti"]);
    for (claims, own) in &sent {
        assert_eq!(claims["htu"], world.target().as_str());
        assert_eq!(claims["ath"].as_str().unwrap().len(), 43);
        assert_eq!(own, &key, "the token is bound to the key of its request");
    }
    world.wait(95);
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    let refresh = &world.seen("POST /token")[1];
    assert_eq!(refresh.field("grant_type"), "refresh_token");
    assert_eq!(opened(refresh.header("dpop")).1, key, "so is the refresh token");
}

#[tokio::test]
async fn metadata_may_demand_proofs() {
    for (required, scheme) in
        [(json!(true), "DPoP bound"), (json!(false), "Bearer plain"), (Value::Null, "Bearer plain")]
    {
        let script = move |seen: &Seen| match seen.path.as_str() {
            "/.well-known/oauth-protected-resource/mcp" => {
                Some(ok(&with(resource(&seen.base), "dpop_bound_access_tokens_required", required.clone())))
            }
            "/mcp" if seen.header("authorization") == scheme => Some(ok(&json!({}))),
            "/mcp" => Some(refuse(401, "Bearer")),
            _ => bound(seen),
        };
        let world = World::start(script).await;
        assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200, "{scheme}");
    }
}

#[tokio::test]
async fn both_servers_may_want_a_nonce() {
    let script = |seen: &Seen| match seen.path.as_str() {
        "/token" if !wanted(seen, Some("as-1")) => {
            Some(nonce(answer(400, &json!({"error": "use_dpop_nonce"})), "as-1"))
        }
        "/mcp" if seen.header("dpop").is_empty() => None,
        "/mcp" if !wanted(seen, Some("rs-1")) => {
            Some(nonce(refuse(401, "DPoP error=\"use_dpop_nonce\""), "rs-1"))
        }
        _ => None,
    };
    let world = World::start(move |seen| script(seen).or_else(|| bound(seen))).await;
    let oauth = world.oauth();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(world.seen("POST /token").len(), 2);
    assert_eq!(world.seen("POST /mcp").len(), 3, "without a token, without a nonce, with both");
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(world.seen("POST /mcp").len(), 4, "the nonce is kept");
}

#[tokio::test]
async fn a_new_nonce_comes_with_a_success() {
    static LAST: Mutex<Option<String>> = Mutex::new(None);
    let script = |seen: &Seen| {
        if seen.path != "/mcp" || seen.header("dpop").is_empty() {
            return bound(seen);
        }
        *LAST.lock().unwrap() = opened(seen.header("dpop")).0["nonce"].as_str().map(str::to_owned);
        Some(nonce(ok(&json!({})), "next"))
    };
    let world = World::start(script).await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    assert_eq!(*LAST.lock().unwrap(), None);
    world.ask(&oauth).await.unwrap();
    assert_eq!(LAST.lock().unwrap().as_deref(), Some("next"));
}

#[tokio::test]
async fn nonces_without_end_are_left_at_last() {
    let at_token = |seen: &Seen| {
        (seen.path == "/token").then(|| nonce(answer(400, &json!({"error": "use_dpop_nonce"})), "again"))
    };
    let world = World::start(move |seen| at_token(seen).or_else(|| bound(seen))).await;
    assert_eq!(world.fault(&world.oauth()).await.code, "credentials.token");
    assert_eq!(world.seen("POST /token").len(), 2);
}

#[tokio::test]
async fn a_token_that_anybody_could_use_is_not_taken() {
    let script = |seen: &Seen| {
        (seen.path == "/token").then(|| ok(&json!({"access_token": "plain", "token_type": "Bearer"})))
    };
    let world = World::start(move |seen| script(seen).or_else(|| bound(seen))).await;
    let fault = world.fault(&world.oauth()).await;
    assert_eq!(fault.code, "credentials.token");
    assert!(fault.message.contains("DPoP"), "{}", fault.message);
}

#[tokio::test]
async fn a_refusal_that_no_proof_can_turn_stands() {
    let script = |seen: &Seen| {
        let shown = seen.header("authorization").starts_with("DPoP");
        (seen.path == "/mcp" && shown).then(|| refuse(403, "DPoP error=\"access_denied\""))
    };
    let world = World::start(move |seen| script(seen).or_else(|| bound(seen))).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 403);
    assert_eq!(world.seen("POST /mcp").len(), 2, "not sent again with another proof");
}
