//! What becomes of tokens inside a session: taken back, or signed by a new key.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::{cell, eval};

/// A house that asks the issuer who somebody is. Where that is comes with each request: it runs before the issuer does.
struct House {
    flaw: &'static str,
    /// Tokens that the issuer once called good.
    good: Mutex<HashSet<String>>,
    /// Key ids that were published once.
    keys: Mutex<HashSet<String>>,
}

async fn house(flaw: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let (good, keys) = (Mutex::default(), Mutex::default());
    let app = Router::new().fallback(serve).with_state(Arc::new(House { flaw, good, keys }));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

impl House {
    async fn admits(&self, headers: &HeaderMap) -> bool {
        let of = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(token) = of("authorization").strip_prefix("Bearer ") else { return false };
        if self.flaw == "remembers tokens" && self.good.lock().unwrap().contains(token) {
            return true;
        }
        if !self.knows_key(token, of("x-keys")).await {
            return false;
        }
        let form = [("token", token), ("client_id", of("x-id")), ("client_secret", of("x-secret"))];
        let answer = reqwest::Client::new().post(of("x-ask")).form(&form).send().await.unwrap();
        let active = answer.json::<Value>().await.unwrap()["active"] == true;
        if active {
            self.good.lock().unwrap().insert(token.to_owned());
        }
        active
    }

    async fn knows_key(&self, token: &str, place: &str) -> bool {
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let Some(header) = token.split('.').next().and_then(read) else { return false };
        let kid = header["kid"].as_str().unwrap_or_default();
        let first = self.keys.lock().unwrap().is_empty();
        if first || self.flaw != "keeps the first keys" {
            let known: Value = reqwest::get(place).await.unwrap().json().await.unwrap();
            let ids =
                known["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
            self.keys.lock().unwrap().extend(ids);
        }
        self.keys.lock().unwrap().contains(kid)
    }
}

async fn serve(State(house): State<Arc<House>>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if method != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if !house.admits(&headers).await {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    if message.get("id").is_none() {
        return StatusCode::ACCEPTED.into_response();
    }
    let answer = match message["method"].as_str().unwrap() {
        "initialize" => json!({"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "house", "version": "1"}}}),
        "tools/list" => json!({"result": {"tools": [{"name": "knock", "inputSchema": {"type": "object"}}]}}),
        "tools/call" if message["params"]["name"] == "knock" => {
            json!({"result": {"content": [{"type": "text", "text": "come in"}]}})
        }
        _ => json!({"error": {"code": -32602, "message": "not here"}}),
    };
    let mut whole = json!({"jsonrpc": "2.0", "id": message["id"]});
    whole.as_object_mut().unwrap().extend(answer.as_object().unwrap().clone());
    Json(whole).into_response()
}

fn suite(url: &str, issuer: &str) -> String {
    format!(
        r#"
version: 1
trials: 2
target:
  url: {url}
  protocol: 2025-11-25
  headers:
    x-ask: "${{issuer.introspection}}"
    x-id: "${{issuer.introspection_client}}"
    x-secret: "${{issuer.introspection_secret}}"
    x-keys: "${{issuer.jwks}}"
auth: {{issuer: {issuer}}}
personas: [{{name: guest, identity: {{minted: {{}}}}}}]
access:
  guest:
    calls: [knock]
    becomes:
      rotated: {{sees: [knock], calls: [knock], becomes: {{revoked: {{never: [knock], denied_as: unauthorized}}}}}}
      revoked: {{never: [knock], denied_as: unauthorized, becomes: {{guest: {{calls: [knock]}}}}}}
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_taken_back_and_keys_change_inside_a_session() {
    let (code, summary, talk) = eval(suite(&house("").await, "embedded")).await;
    assert_eq!(code, 0, "{summary:#} {talk}");
    let knock = |persona| cell(&summary, "tools", "knock", persona);
    assert_eq!(knock("guest/rotated"), json!(["allowed", "open", null]));
    assert_eq!(knock("guest/rotated/revoked"), json!(["denied", "closed", "unauthorized"]));
    assert_eq!(knock("guest/revoked"), json!(["denied", "closed", "unauthorized"]));
    assert_eq!(knock("guest/revoked/guest"), json!(["allowed", "open", null]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_remembers_too_long_is_found() {
    for (flaw, exit, wrong) in [
        ("remembers tokens", 6, &["access/guest/revoked", "access/guest/rotated/revoked"][..]),
        ("keeps the first keys", 1, &["access/guest/rotated", "access/guest/rotated/revoked"]),
    ] {
        let (code, summary, talk) = eval(suite(&house(flaw).await, "embedded")).await;
        assert_eq!(code, exit, "{flaw}: {summary:#} {talk}");
        let mut cases: Vec<&str> = summary["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|reason| reason["case"].as_str())
            .collect();
        cases.sort_unstable();
        // Where a new key is not taken, its token needs no taking back.
        assert!(!cases.is_empty() && cases.iter().all(|case| wrong.contains(case)), "{flaw}: {cases:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_makes_every_token_late() {
    let text = r#"
version: 1
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  env: {BOOKSHOP_ISSUER: "${issuer.url}", BOOKSHOP_AUDIENCE: "${target.url}"}
auth: {issuer: {clock_offset: OFFSET}}
personas: [customer]
access: {customer: {never: {search_books: {query: Lem}}}}
"#;
    let (code, summary, talk) = eval(text.replace("OFFSET", "-2h")).await;
    assert_eq!(code, 0, "a token that ended two hours ago opens nothing: {summary:#} {talk}");
    let (code, summary, _) = eval(text.replace("OFFSET", "1s")).await;
    assert_eq!(code, 6, "a second is within what clocks differ by: {summary:#}");
}
