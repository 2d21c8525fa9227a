//! The embedded issuer over real sockets: what it publishes, what it signs, whom it turns away.

#![expect(clippy::unwrap_used, reason = "a broken set-up should stop the test at once")]
#![expect(clippy::disallowed_methods, reason = "tokens are verified against the machine's own clock")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use rehearsal::auth::identity::TOKEN_VARIABLE;
use rehearsal::auth::{
    Authority, Flaw, FromEnv, HeaderFromEnv, IdentitySpec, Issuer, Minted, Persona, SigningAlg, identity,
};
use rehearsal::ids::PersonaName;
use rehearsal::mcp::{Asking, Rejection};
use rehearsal::transcript::{Body, Clock, HttpSide, Recorder, Secrets, Side, What};
use rehearsal::units::Period;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const AUDIENCE: &str = "http://127.0.0.1:9999/mcp";

async fn start() -> (Issuer, Secrets) {
    let secrets = Secrets::default();
    let issuer = Issuer::start(secrets.clone(), Clock::system()).await.unwrap();
    (issuer, secrets)
}

fn clerk() -> Minted {
    Minted {
        scopes: vec!["orders:read".into(), "orders:write".into()],
        claims: BTreeMap::from([("roles".to_owned(), json!(["clerk"]))]),
        ..Minted::default()
    }
}

async fn json_at(url: String) -> Value {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/json"));
    response.json().await.unwrap()
}

async fn keys_of(issuer: &Issuer) -> JwkSet {
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    serde_json::from_value(json_at(metadata["jwks_uri"].as_str().unwrap().to_owned()).await).unwrap()
}

/// What a careful resource server does, written against another library than the one that signs.
fn accepted(issuer: &Issuer, keys: &JwkSet, token: &str) -> Result<Value, String> {
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
    rules.set_audience(&[AUDIENCE]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = DecodingKey::from_jwk(key).map_err(|e| e.to_string())?;
    jsonwebtoken::decode::<Value>(token, &key, &rules).map(|data| data.claims).map_err(|e| e.to_string())
}

fn split(token: &str) -> (Value, Value, Vec<u8>) {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    assert_eq!(parts.len(), 3);
    (serde_json::from_slice(&parts[0]).unwrap(), serde_json::from_slice(&parts[1]).unwrap(), parts[2].clone())
}

#[tokio::test]
async fn metadata_is_truthful_and_names_the_issuer_exactly() {
    let (issuer, _) = start().await;
    assert!(issuer.url().starts_with("http://127.0.0.1:") && !issuer.url().ends_with('/'));
    let oauth = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    let openid = json_at(format!("{}/.well-known/openid-configuration", issuer.url())).await;
    assert_eq!(oauth, openid);
    assert_eq!(oauth["issuer"], issuer.url());
    assert_eq!(oauth["code_challenge_methods_supported"], json!(["S256"]));
    let http = reqwest::Client::new();
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let url = oauth[endpoint].as_str().unwrap();
        assert_ne!(http.get(url).send().await.unwrap().status(), 404, "{endpoint} is announced but missing");
    }
    let keys = keys_of(&issuer).await;
    assert_eq!(keys.keys.len(), 2);
    let text = serde_json::to_string(&keys).unwrap();
    assert!(!text.contains("\"d\""), "a private key is published");
}

#[tokio::test]
async fn good_tokens_verify_with_an_independent_library() {
    let (issuer, _) = start().await;
    let keys = keys_of(&issuer).await;
    for algorithm in [SigningAlg::Rs256, SigningAlg::Es256] {
        let minted = Minted { algorithm, ..clerk() };
        let token = issuer.mint(&minted, "clerk", AUDIENCE).unwrap();
        let claims = accepted(&issuer, &keys, token.expose_secret()).unwrap();
        assert_eq!(claims["sub"], "clerk");
        assert_eq!(claims["scope"], "orders:read orders:write");
        assert_eq!(claims["roles"], json!(["clerk"]));
        assert_eq!(claims["rehearsal_run"], issuer.run());
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        let (header, ..) = split(token.expose_secret());
        assert_eq!(header["typ"], "at+jwt");
        assert!(header["kid"].as_str().unwrap().starts_with("rehearsal-test-"));
    }
    let [one, two] = [(); 2].map(|()| issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap());
    assert_ne!(split(one.expose_secret()).1["jti"], split(two.expose_secret()).1["jti"]);
}

#[tokio::test]
async fn two_issuers_share_no_key() {
    let (one, _) = start().await;
    let (two, _) = start().await;
    let token = one.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let mut keys = keys_of(&two).await;
    let kid = split(token.expose_secret()).0["kid"].as_str().unwrap().to_owned();
    keys.keys[0].common.key_id = Some(kid);
    assert_eq!(accepted(&one, &keys, token.expose_secret()).unwrap_err(), "InvalidSignature");
}

/// The parts in which a flawed token differs from a good one of the same persona at the same time, and why a careful
/// server refuses it.
fn portrait(issuer: &Issuer, keys: &JwkSet, flaw: Flaw) -> (Vec<String>, String) {
    let good = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let bad = issuer.mint(&Minted { flaw: Some(flaw), ..clerk() }, "clerk", AUDIENCE).unwrap();
    assert!(accepted(issuer, keys, good.expose_secret()).is_ok());
    let (good, bad_parts) = (split(good.expose_secret()), split(bad.expose_secret()));
    let mut differ = Vec::new();
    for (part, left, right) in [("header", &good.0, &bad_parts.0), ("claims", &good.1, &bad_parts.1)] {
        let names = left.as_object().unwrap().keys().chain(right.as_object().unwrap().keys());
        let mut names: Vec<&String> =
            names.filter(|name| *name != "jti" && left.get(name) != right.get(name)).collect();
        names.sort();
        names.dedup();
        differ.extend(names.into_iter().map(|name| format!("{part}.{name}")));
    }
    (differ, accepted(issuer, keys, bad.expose_secret()).expect_err("a careful server must refuse it"))
}

#[tokio::test]
async fn every_flaw_is_exactly_one_flaw() {
    let clock = Clock::manual(jiff::Timestamp::now(), || Duration::ZERO);
    let issuer = Issuer::start(Secrets::default(), clock).await.unwrap();
    let keys = keys_of(&issuer).await;
    let mut lines = String::new();
    for flaw in Flaw::ALL {
        let (differ, refusal) = portrait(&issuer, &keys, flaw);
        lines.push_str(&format!("{flaw:?}: [{}] {refusal}\n", differ.join(", ")));
    }
    insta::assert_snapshot!(lines);
}

#[tokio::test]
async fn tokens_that_live_too_long_or_forge_claims_are_not_minted() {
    let (issuer, _) = start().await;
    let long = Minted { lifetime: Some(Period::secs(301)), ..clerk() };
    assert_eq!(issuer.mint(&long, "x", AUDIENCE).unwrap_err().code, "persona.lifetime");
    let forged = Minted { claims: BTreeMap::from([("aud".to_owned(), json!("*"))]), ..clerk() };
    assert_eq!(issuer.mint(&forged, "x", AUDIENCE).unwrap_err().code, "persona.reserved-claim");
}

#[tokio::test]
async fn tokens_never_reach_a_record() {
    let (issuer, secrets) = start().await;
    let log = Recorder::new(Clock::system(), secrets);
    for flaw in [None, Some(Flaw::BadSignature), Some(Flaw::AlgNone), Some(Flaw::Tampered)] {
        let token = issuer.mint(&Minted { flaw, ..clerk() }, "clerk", AUDIENCE).unwrap();
        let token = token.expose_secret();
        let side = HttpSide {
            start: format!("GET http://x/?access_token={token}"),
            headers: vec![("authorization".into(), format!("Bearer {token}"))],
            body: Body::Text(format!("access_token={token}")),
        };
        let seq = log.note(What::Exchanged {
            label: "x".into(),
            request: side,
            response: Err(format!("no {token}")),
            took_ms: 0,
        });
        let text = serde_json::to_string(&log.event(seq)).unwrap();
        assert!(!text.contains(token), "{text}");
        assert_eq!(text.matches("[secret:token:clerk]").count(), 4, "{text}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_turned_away() {
    let (issuer, _) = start().await;
    let http = reqwest::Client::new();
    let ask = |name: &'static str, value: String| {
        http.get(format!("{}/jwks", issuer.url())).header(name, value).send()
    };
    let port = issuer.url().rsplit_once(':').unwrap().1;
    assert_eq!(ask("host", format!("localhost:{port}")).await.unwrap().status(), 200);
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), "127.0.0.1".to_owned()] {
        assert_eq!(ask("host", host).await.unwrap().status(), 403);
    }
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let answer = ask("origin", origin.to_owned()).await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(answer.headers().get("access-control-allow-origin").is_none());
    }
    let own = ask("origin", issuer.url().to_owned()).await.unwrap();
    assert_eq!(own.status(), 200);
    assert!(own.headers().get("access-control-allow-origin").is_none());
    assert!(own.headers()["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"));
    assert_eq!(http.get(format!("{}/token", issuer.url())).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn shutdown_closes_the_port() {
    let (issuer, _) = start().await;
    let url = format!("{}/jwks", issuer.url());
    assert!(reqwest::get(&url).await.unwrap().status().is_success());
    issuer.shutdown();
    for _ in 0..50 {
        if reqwest::get(&url).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the port is still open");
}

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

fn persona(identity: IdentitySpec) -> Persona {
    Persona { name: PersonaName::from("clerk"), description: String::new(), identity }
}

fn authority(issuer: Option<Arc<Issuer>>, clock: Clock) -> Authority {
    Authority {
        issuer,
        audience: AUDIENCE.to_owned(),
        env: Arc::new(|name| (name == "BOOKSHOP_KEY").then(|| "key-0123456789".to_owned())),
        secrets: Secrets::default(),
        clock,
        route: rehearsal::net::Route::default(),
        wallet: std::sync::Arc::new(rehearsal::auth::client::Memory::default()),
        old_servers: false,
    }
}

fn asking<'a>(url: &'a url::Url, refused: Option<&'a Rejection>) -> Asking<'a> {
    Asking { method: "POST", url, refused, log: None }
}

#[tokio::test]
async fn minted_identities_renew_their_token_in_time() {
    let hand = Arc::new(Mutex::new(Duration::ZERO));
    let seen = Arc::clone(&hand);
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || *seen.lock().unwrap());
    let issuer = Arc::new(Issuer::start(Secrets::default(), clock.clone()).await.unwrap());
    let source = identity(&persona(IdentitySpec::Minted(clerk())), &authority(Some(issuer), clock)).unwrap();
    let url = url::Url::parse(AUDIENCE).unwrap();
    let refused = Rejection { status: 401, attempt: 1, ..Rejection::default() };
    let current = async || {
        let headers = source.headers(asking(&url, None)).await.unwrap();
        assert_eq!(headers[0].0, "authorization");
        headers[0].1.expose_secret().to_owned()
    };
    let first = current().await;
    *hand.lock().unwrap() = Duration::from_secs(225);
    assert_eq!(current().await, first, "three quarters of five minutes are not over");
    *hand.lock().unwrap() = Duration::from_secs(226);
    let second = current().await;
    assert_ne!(second, first, "less than a quarter is left");
    let third = source.headers(asking(&url, Some(&refused))).await.unwrap();
    assert_ne!(third[0].1.expose_secret(), second, "a refused token is not sent again");
    assert_eq!(source.env()[0].0, TOKEN_VARIABLE);
}

#[tokio::test]
async fn missing_credentials_are_named() {
    let url = url::Url::parse(AUDIENCE).unwrap();
    let bearer = |env: &str| persona(IdentitySpec::Bearer(FromEnv { env: env.to_owned() }));
    let rights = authority(None, Clock::system());
    let fault = identity(&bearer("BOOKSHOP_TOKEN"), &rights).err().unwrap();
    assert_eq!((fault.side, fault.code.as_str()), (Side::Auth, "credentials.missing"));
    insta::assert_snapshot!(fault.message, @"persona `clerk` needs the environment variable `BOOKSHOP_TOKEN`, which is not set");
    let fault = identity(&persona(IdentitySpec::Minted(clerk())), &rights).err().unwrap();
    assert_eq!(fault.code, "credentials.missing");

    let source = identity(&bearer("BOOKSHOP_KEY"), &rights).unwrap();
    assert_eq!(
        source.headers(asking(&url, None)).await.unwrap()[0].1.expose_secret(),
        "Bearer key-0123456789"
    );
    assert_eq!(rights.secrets.redact("key-0123456789"), "[secret:BOOKSHOP_KEY]");
    let header = HeaderFromEnv { name: "x-api-key".into(), env: "BOOKSHOP_KEY".into() };
    let source = identity(&persona(IdentitySpec::Header(header)), &rights).unwrap();
    assert_eq!(source.headers(asking(&url, None)).await.unwrap()[0].0, "x-api-key");
    assert_eq!(source.env()[0].0, "BOOKSHOP_KEY");
}
