//! The token endpoint, grant by grant.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::world::{AUDIENCE, accepted, clerk, json_at, keys_of, start};

#[tokio::test]
async fn client_credentials_yield_a_token_for_the_named_resource() {
    let (issuer, _) = start().await;
    let secret = issuer.enroll("robot", clerk()).unwrap();
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    let endpoint = metadata["token_endpoint"].as_str().unwrap();
    let ask = |secret: String, resource: Option<&'static str>| {
        let mut form = vec![("grant_type", "client_credentials".to_owned())];
        form.extend(resource.map(|resource| ("resource", resource.to_owned())));
        reqwest::Client::new().post(endpoint).basic_auth("robot", Some(secret)).form(&form).send()
    };
    let answer = ask(secret.expose_secret().to_owned(), Some(AUDIENCE)).await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    assert!(accepted(&issuer, &keys_of(&issuer).await, body["access_token"].as_str().unwrap()).is_ok());
    assert_eq!(ask("wrong".into(), Some(AUDIENCE)).await.unwrap().status(), 401);
    let without: Value = ask(secret.expose_secret().to_owned(), None).await.unwrap().json().await.unwrap();
    assert_eq!(without["error"], "invalid_target");
}

#[tokio::test]
async fn codes_need_the_right_verifier_and_work_once() {
    let (issuer, _) = start().await;
    issuer.enroll("customer", clerk()).unwrap();
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // The example of RFC 7636 appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let back = "http://127.0.0.1:1/callback";
    let authorize = |method: &'static str, to: &'static str| {
        http.get(metadata["authorization_endpoint"].as_str().unwrap())
            .query(&[
                ("response_type", "code"),
                ("client_id", "customer"),
                ("redirect_uri", to),
                ("code_challenge", challenge),
                ("code_challenge_method", method),
                ("resource", AUDIENCE),
                ("state", "s1"),
            ])
            .send()
    };
    assert_eq!(authorize("S256", "https://evil.example/").await.unwrap().status(), 400);
    let plain = authorize("plain", back).await.unwrap();
    assert!(plain.headers()["location"].to_str().unwrap().contains("error=invalid_request"));
    let code = async || {
        let answer = authorize("S256", back).await.unwrap();
        let to = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let pairs: BTreeMap<String, String> = to.query_pairs().into_owned().collect();
        assert_eq!(pairs["state"], "s1");
        assert_eq!(pairs["iss"], issuer.url());
        pairs["code"].clone()
    };
    let redeem = |code: String, verifier: &'static str| {
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", "customer".to_owned()),
            ("redirect_uri", back.to_owned()),
            ("code_verifier", verifier.to_owned()),
            ("code", code),
        ];
        http.post(metadata["token_endpoint"].as_str().unwrap()).form(&form).send()
    };
    assert_eq!(redeem(code().await, "wrong").await.unwrap().status(), 400);
    let once = code().await;
    let body: Value = redeem(once.clone(), verifier).await.unwrap().json().await.unwrap();
    assert!(accepted(&issuer, &keys_of(&issuer).await, body["access_token"].as_str().unwrap()).is_ok());
    assert_eq!(redeem(once, verifier).await.unwrap().status(), 400);
}
