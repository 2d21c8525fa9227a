//! Which client id is used, how it is proved, and that it stays with its issuer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rehearsal::auth::client::{Consenting, Grant, OAuth, Registered, Settings, Wallet};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{Seen, World, answer, ok, resource, server, with};

fn oauth(world: &World, registered: Option<Registered>, document: Option<&str>) -> OAuth {
    let visitor = Arc::new(Consenting::new().unwrap());
    let document = document.map(|url| url.parse().unwrap());
    let grant = Grant::Code { visitor, registered, document };
    OAuth::new(Settings { grant, ..world.settings() }, world.means())
}

fn registered() -> Registered {
    Registered::new("pre-id", Some(SecretString::from("pre-secret".to_owned())))
}

#[tokio::test]
async fn a_registered_client_is_preferred() {
    let world = World::polite().await;
    let document = Some("https://me.example/client.json");
    assert_eq!(world.ask(&oauth(&world, Some(registered()), document)).await.unwrap(), 200);
    assert!(world.seen("POST /register").is_empty());
    let token = &world.seen("POST /token")[0];
    assert_eq!(token.header("authorization"), format!("Basic {}", STANDARD.encode("pre-id:pre-secret")));
    assert_eq!((token.field("client_id"), token.field("client_secret")), ("", ""));
}

#[tokio::test]
async fn a_metadata_document_is_used_where_it_is_announced() {
    let url = "https://me.example/client.json";
    let announced = |seen: &Seen| {
        let document = with(server(&seen.base), "client_id_metadata_document_supported", json!(true));
        (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&document))
    };
    let world = World::start(announced).await;
    assert_eq!(world.ask(&oauth(&world, None, Some(url))).await.unwrap(), 200);
    assert!(world.seen("POST /register").is_empty());
    assert_eq!(world.seen("GET /authorize")[0].field("client_id"), url);
    assert_eq!(world.seen("POST /token")[0].field("client_id"), url);

    let silent = World::polite().await;
    assert_eq!(silent.ask(&oauth(&silent, None, Some(url))).await.unwrap(), 200);
    assert_eq!(silent.seen("GET /authorize")[0].field("client_id"), "client-1");
}

#[tokio::test]
async fn registration_says_what_kind_of_client_this_is() {
    let world = World::polite().await;
    world.ask(&world.oauth()).await.unwrap();
    let body = world.seen("POST /register")[0].json();
    assert_eq!(body["application_type"], "native");
    assert_eq!(body["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(body["token_endpoint_auth_method"], "none");
    assert_eq!(body["redirect_uris"][0], world.seen("GET /authorize")[0].field("redirect_uri"));
}

#[tokio::test]
async fn a_server_that_does_not_register_is_named() {
    for (status, body) in [
        (400, json!({"error": "invalid_redirect_uri", "error_description": "no\u{7} loopback"})),
        (201, json!({"client_name": "no id"})),
        (201, json!({"client_id": ""})),
        (404, json!({})),
    ] {
        let shown = body["error"].as_str().unwrap_or_default().to_owned();
        let script = move |seen: &Seen| (seen.path == "/register").then(|| answer(status, &body));
        let world = World::start(script).await;
        let fault = world.fault(&world.oauth()).await;
        assert_eq!(fault.code, "credentials.registration");
        assert!(fault.message.contains(&shown) && !fault.message.contains('\u{7}'), "{}", fault.message);
    }
    let none = |seen: &Seen| {
        let document = with(server(&seen.base), "registration_endpoint", Value::Null);
        (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&document))
    };
    let world = World::start(none).await;
    assert_eq!(world.fault(&world.oauth()).await.code, "credentials.registration");
}

#[tokio::test]
async fn the_secret_travels_as_the_server_wants_it() {
    for (methods, answered, basic, posted) in [
        (json!(["client_secret_basic"]), Value::Null, true, ""),
        (json!(["client_secret_post"]), Value::Null, false, "s-01234567"),
        (json!(["none"]), Value::Null, false, ""),
        (json!(["none", "client_secret_basic"]), json!("client_secret_post"), false, "s-01234567"),
        (Value::Null, Value::Null, true, ""),
    ] {
        let told = methods.clone();
        let script = move |seen: &Seen| match seen.path.as_str() {
            "/.well-known/oauth-authorization-server" => {
                let name = "token_endpoint_auth_methods_supported";
                Some(ok(&with(server(&seen.base), name, methods.clone())))
            }
            "/register" => {
                let client = json!({"client_id": "c 1", "client_secret": "s-01234567"});
                Some(ok(&with(client, "token_endpoint_auth_method", answered.clone())))
            }
            _ => None,
        };
        let world = World::start(script).await;
        assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
        let token = &world.seen("POST /token")[0];
        let expected = format!("Basic {}", STANDARD.encode("c+1:s-01234567"));
        assert_eq!(token.header("authorization"), if basic { expected.as_str() } else { "" }, "{told}");
        assert_eq!(token.field("client_secret"), posted, "{told}");
        assert_eq!(world.secrets.redact("s-01234567"), "[secret:client-secret]");
    }
}

/// A target that names another authorization server once the switch is thrown.
async fn moving() -> (World, World, Arc<AtomicBool>) {
    let next = World::polite().await;
    let issuer = next.base().to_owned();
    let moved = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&moved);
    let script = move |seen: &Seen| {
        let asked = seen.path.starts_with("/.well-known/oauth-protected") && moved.load(Ordering::Relaxed);
        asked.then(|| ok(&with(resource(&seen.base), "authorization_servers", json!([issuer]))))
    };
    (World::start(script).await, next, switch)
}

#[tokio::test]
async fn a_new_issuer_gets_nothing_of_the_old_one() {
    let (world, next, switch) = moving().await;
    let oauth = world.oauth();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    switch.store(true, Ordering::Relaxed);
    world.revoke();
    // The target of this world knows no token of the other; what matters is what the other was told.
    assert_eq!(world.ask(&oauth).await.unwrap(), 401);
    assert_eq!(next.seen("POST /register").len(), 1, "registered anew");
    for call in next.seen("POST /token").iter().chain(&next.seen("GET /authorize")) {
        assert!(!format!("{:?}", call.fields).contains("refresh-token-1"), "an old token went along");
    }
    assert!(world.wallet.client(world.base()).is_some() && world.wallet.client(next.base()).is_some());
    assert_eq!(world.wallet.held(world.target().as_str(), None).unwrap().issuer, next.base());
}

#[tokio::test]
async fn a_registered_client_does_not_move_along() {
    let (world, next, switch) = moving().await;
    let pinned = Registered { issuer: Some("https://other.example".into()), ..registered() };
    assert_eq!(world.ask(&oauth(&world, Some(pinned), None)).await.unwrap(), 200);
    assert_eq!(world.seen("GET /authorize")[0].field("client_id"), "client-1", "not shown to this issuer");

    let oauth = oauth(&world, Some(registered()), None);
    world.wallet.drop_held(world.target().as_str(), None).unwrap();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    switch.store(true, Ordering::Relaxed);
    world.revoke();
    world.ask(&oauth).await.unwrap();
    for call in next.seen("POST /token").iter().chain(&next.seen("GET /authorize")) {
        assert_ne!(call.field("client_id"), "pre-id", "bound to the first issuer");
        assert!(!call.header("authorization").starts_with("Basic"), "bound to the first issuer");
    }
}

#[tokio::test]
async fn a_client_that_its_server_forgot_registers_again() {
    let forgot = |seen: &Seen| {
        let first = seen.path == "/token" && seen.field("client_id") == "stale";
        first.then(|| answer(401, &json!({"error": "invalid_client"})))
    };
    let world = World::start(forgot).await;
    let redirect = "http://127.0.0.1:33418/callback".to_owned();
    let stale = rehearsal::auth::client::Client {
        id: "stale".into(),
        secret: None,
        key: None,
        auth: None,
        redirect: Some(redirect),
        expires: None,
    };
    world.wallet.keep_client(world.base(), &stale).unwrap();
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
    assert_eq!(world.seen("POST /register").len(), 1);
    assert_eq!(world.seen("POST /token").len(), 2);
}
