//! Identities without a person: client credentials, assertions, refresh tokens, identity providers, workloads.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rehearsal::auth::client::{ClientKey, Grant, OAuth, Provider, Registered, Settings};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{Seen, World, answer, ok, server, with};

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn oauth(world: &World, grant: Grant) -> OAuth {
    OAuth::new(Settings { grant, eager: true, ..world.settings() }, world.means())
}

fn machine() -> Registered {
    Registered::new("ci", Some(secret("ci-secret")))
}

/// A world whose authorization server says something else of itself.
async fn announcing(name: &'static str, value: Value) -> World {
    World::start(move |seen| {
        let document = with(server(&seen.base), name, value.clone());
        (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&document))
    })
    .await
}

const METHODS: &str = "token_endpoint_auth_methods_supported";

#[tokio::test]
async fn client_credentials_with_a_secret() {
    for (methods, basic) in [(json!(["client_secret_basic"]), true), (json!(["client_secret_post"]), false)] {
        let world = announcing(METHODS, methods).await;
        let oauth = oauth(&world, Grant::ClientCredentials(machine()));
        assert_eq!(world.ask(&oauth).await.unwrap(), 200);
        let token = &world.seen("POST /token")[0];
        assert_eq!(token.field("grant_type"), "client_credentials");
        assert_eq!(token.field("scope"), "mcp:read");
        assert_eq!(token.field("resource"), world.target().as_str());
        let header = format!("Basic {}", STANDARD.encode("ci:ci-secret"));
        assert_eq!(token.header("authorization"), if basic { header.as_str() } else { "" });
        assert_eq!(token.field("client_secret"), if basic { "" } else { "ci-secret" });
        assert!(world.seen("POST /register").is_empty() && world.seen("GET /authorize").is_empty());
    }
}

#[tokio::test]
async fn client_credentials_with_a_key() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let body = STANDARD.encode(pair.to_pkcs8v1().unwrap());
    let pem = secret(&format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"));
    let key = ClientKey::from_pem(&pem, Some("ES256"), None).unwrap();
    let world = announcing(METHODS, json!(["private_key_jwt", "client_secret_basic"])).await;
    let client = Registered { key: Some(key), ..Registered::new("ci", None) };
    assert_eq!(world.ask(&oauth(&world, Grant::ClientCredentials(client))).await.unwrap(), 200);
    let token = &world.seen("POST /token")[0];
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(token.field("client_assertion_type"), kind);
    let claims = token.field("client_assertion").split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("ci"), &json!("ci")));
    assert_eq!(claims["aud"], world.base(), "the issuer, and not the endpoint");
    assert_eq!(claims["exp"], 60);
}

#[tokio::test]
async fn a_machine_is_bound_to_its_issuer() {
    let world = World::polite().await;
    let elsewhere = Registered { issuer: Some("https://other.example".into()), ..machine() };
    let fault = world.fault(&oauth(&world, Grant::ClientCredentials(elsewhere))).await;
    assert_eq!(fault.code, "credentials.registration");
    assert!(world.seen("POST /token").is_empty() && world.seen("POST /register").is_empty());
    let here = Registered { issuer: Some(world.base().to_owned()), ..machine() };
    assert_eq!(world.ask(&oauth(&world, Grant::ClientCredentials(here))).await.unwrap(), 200);
}

#[tokio::test]
async fn a_refresh_token_from_elsewhere_is_rotated() {
    let world = World::polite().await;
    let grant = Grant::Refresh { registered: machine(), token: secret("refresh-from-env") };
    let oauth = oauth(&world, grant);
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    world.wait(3600);
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    let tokens: Vec<_> =
        world.seen("POST /token").iter().map(|seen| seen.field("refresh_token").to_owned()).collect();
    assert_eq!(tokens, ["refresh-from-env", "refresh-token-1"]);
}

#[tokio::test]
async fn a_workload_shows_its_own_token() {
    for (id, named) in [("workload", "workload"), ("", "")] {
        let world = announcing(METHODS, json!(["none"])).await;
        let grant = Grant::Workload { registered: Registered::new(id, None), assertion: secret("own-jwt") };
        assert_eq!(world.ask(&oauth(&world, grant)).await.unwrap(), 200);
        let token = &world.seen("POST /token")[0];
        assert_eq!(token.field("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert_eq!(token.field("assertion"), "own-jwt");
        assert_eq!(token.field("client_id"), named);
    }
}

#[tokio::test]
async fn a_refused_workload_tries_nothing_else() {
    for error in ["invalid_grant", "invalid_scope", "unauthorized_client", "invalid_client"] {
        let script =
            move |seen: &Seen| (seen.path == "/token").then(|| answer(400, &json!({"error": error})));
        let world = World::start(script).await;
        let grant = Grant::Workload { registered: Registered::new("w", None), assertion: secret("own-jwt") };
        let oauth = oauth(&world, grant);
        let fault = world.fault(&oauth).await;
        assert!(fault.message.contains(error), "{}", fault.message);
        world.fault(&oauth).await;
        assert_eq!(world.seen("POST /token").len(), 1);
    }
}

fn provider(world: &World, endpoint: bool) -> Provider {
    Provider {
        issuer: format!("{}/idp", world.base()),
        token_endpoint: endpoint.then(|| format!("{}/idp/token", world.base()).parse().unwrap()),
        client: Registered::new("at-the-provider", None),
        id_token: secret("id-token-of-a-person"),
    }
}

fn vouching(kind: &'static str) -> impl Fn(&Seen) -> Option<axum::http::Response<axum::body::Body>> {
    move |seen| match seen.path.as_str() {
        "/idp/token" => Some(ok(&json!({
            "access_token": "vouched-for", "token_type": "N_A",
            "issued_token_type": format!("urn:ietf:params:oauth:token-type:{kind}"),
        }))),
        "/.well-known/openid-configuration/idp" => Some(ok(&server(&format!("{}/idp", seen.base)))),
        _ => None,
    }
}

#[tokio::test]
async fn an_identity_provider_vouches_for_a_person() {
    for endpoint in [true, false] {
        let world = World::start(vouching("id-jag")).await;
        let provider = provider(&world, endpoint);
        let oauth = oauth(&world, Grant::IdJag { registered: machine(), provider });
        assert_eq!(world.ask(&oauth).await.unwrap(), 200);
        let exchange = &world.seen("POST /idp/token")[0];
        for (name, value) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
            ("subject_token", "id-token-of-a-person"),
            ("audience", world.base()),
            ("resource", world.target().as_str()),
            ("scope", "mcp:read"),
            ("client_id", "at-the-provider"),
        ] {
            assert_eq!(exchange.field(name), value);
        }
        let grant = &world.seen("POST /token")[0];
        assert_eq!(grant.field("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert_eq!(grant.field("assertion"), "vouched-for");
        assert_eq!(grant.header("authorization"), format!("Basic {}", STANDARD.encode("ci:ci-secret")));
        assert_eq!(grant.field("subject_token"), "", "the ID token stays with its provider");
        assert_eq!(world.secrets.redact("vouched-for"), "[secret:id-jag]");
    }
}

#[tokio::test]
async fn another_kind_of_token_is_no_grant() {
    let world = World::start(vouching("access_token")).await;
    let provider = provider(&world, true);
    let fault = world.fault(&oauth(&world, Grant::IdJag { registered: machine(), provider })).await;
    assert_eq!(fault.code, "credentials.token");
    assert!(world.seen("POST /token").is_empty(), "it was not passed on");
}
