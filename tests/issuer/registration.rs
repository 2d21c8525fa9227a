//! Clients that nobody enrolled: registered by themselves, or known by their document.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::{Value, json};

use crate::endpoints::Asker;
use crate::world::{clerk, json_at, start};

async fn register(issuer: &rehearsal::auth::Issuer, body: &Value) -> (u16, Value) {
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    let endpoint = metadata["registration_endpoint"].as_str().unwrap().to_owned();
    let answer = reqwest::Client::new().post(endpoint).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_registered_client_gets_what_it_asked_for_and_no_more() {
    let (issuer, secrets) = start().await;
    issuer.enroll("ada", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let back = "http://127.0.0.1:1/callback";
    let (status, made) = register(&issuer, &json!({"redirect_uris": [back], "client_name": "x"})).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["token_endpoint_auth_method"], &made["client_name"]),
        (&json!("client_secret_basic"), &json!("x"))
    );
    let secret = made["client_secret"].as_str().unwrap();
    assert_eq!(secrets.redact(secret), "[secret:client:registered]");
    let id = made["client_id"].as_str().unwrap();
    let to = asker.page(id, &[("redirect_uri", "http://127.0.0.1:9/callback")]).await.unwrap();
    assert!(to.as_str().starts_with("http://127.0.0.1:9/callback?code="), "a loopback port is free: {to}");
    for other in ["http://127.0.0.1:1/other", "http://localhost:1/callback", "https://evil.example/callback"]
    {
        assert_eq!(asker.page(id, &[("redirect_uri", other)]).await.unwrap_err().0, 400, "{other}");
    }
    let code = to.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let fields = [("grant_type", "authorization_code"), ("client_id", id), ("code", &code)];
    assert_eq!(asker.form("token_endpoint", &fields).await.0, 401, "it has a secret and must show it");
    let own = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
        ("resource", back),
    ];
    let (_, body) = asker.form("token_endpoint", &own).await;
    assert_eq!(body["error"], "unauthorized_client", "it acts for people only");

    let public = json!({"redirect_uris": [back], "token_endpoint_auth_method": "none"});
    let (_, made) = register(&issuer, &public).await;
    assert!(made.get("client_secret").is_none());
    let body = asker.sign_in(made["client_id"].as_str().unwrap(), &[]).await;
    assert!(body["refresh_token"].is_string());
}

#[tokio::test]
async fn addresses_and_wishes_that_cannot_be_granted_are_refused() {
    let (issuer, _) = start().await;
    for uri in [
        "javascript:alert(1)",
        "http://evil.example/callback",
        "myapp://callback",
        "https://app.example/callback#x",
        "no-url",
    ] {
        let (status, body) = register(&issuer, &json!({"redirect_uris": [uri]})).await;
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_redirect_uri")), "{uri}");
    }
    assert_eq!(register(&issuer, &json!({})).await.0, 400);
    let good = "https://app.example/callback";
    for wish in [
        json!({"redirect_uris": [good], "token_endpoint_auth_method": "tls_client_auth"}),
        json!({"redirect_uris": [good], "token_endpoint_auth_method": "private_key_jwt"}),
        json!({"redirect_uris": [good], "grant_types": ["password"]}),
        json!({"redirect_uris": [good], "response_types": ["token"]}),
    ] {
        let (status, body) = register(&issuer, &wish).await;
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_client_metadata")), "{wish}");
    }
    assert_eq!(register(&issuer, &json!({"redirect_uris": [good]})).await.0, 201);
}

#[tokio::test]
async fn documents_of_clients_are_believed_only_about_themselves() {
    let (issuer, _) = start().await;
    issuer.enroll("ada", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let document = |name: &str| {
        let id = format!("{base}/{name}");
        json!({"client_id": id, "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none"})
    };
    let (good, mut secret, mut big) = (document("good"), document("secret"), document("big"));
    secret["token_endpoint_auth_method"] = json!("client_secret_basic");
    big["client_name"] = json!("x".repeat(100_000));
    let mine = document("good");
    let asked: Arc<Mutex<u32>> = Arc::default();
    let count = Arc::clone(&asked);
    let json = |value: Value| get(move || std::future::ready(axum::Json(value)));
    let away = [(header::LOCATION, "/good")];
    let app = Router::new()
        .route(
            "/good",
            get(move || {
                *count.lock().unwrap() += 1;
                std::future::ready(axum::Json(good))
            }),
        )
        .route("/other", json(mine.clone()))
        .route("/secret", json(secret))
        .route("/big", json(big))
        .route("/text", get(move || std::future::ready(mine.to_string())))
        .route("/moved", get(move || std::future::ready((axum::http::StatusCode::FOUND, away))));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let id = format!("{base}/good");
    assert!(asker.sign_in(&id, &[]).await["access_token"].is_string());
    assert!(asker.sign_in(&id, &[]).await["access_token"].is_string());
    assert_eq!(*asked.lock().unwrap(), 1, "a document is fetched once");
    assert_eq!(asker.page(&id, &[("redirect_uri", "https://evil.example/")]).await.unwrap_err().0, 400);
    for bad in ["other", "secret", "big", "text", "moved", "missing", "good?x=1", "good#x", ""] {
        let id = format!("{base}/{bad}");
        let (status, body) = asker.page(&id, &[]).await.unwrap_err();
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_client")), "{bad}");
    }
    for far in [
        "http://10.0.0.1/client.json",
        "https://169.254.169.254/client.json",
        "http://as.example/client.json",
    ] {
        let (_, body) = asker.page(far, &[]).await.unwrap_err();
        assert_eq!(body["error_description"], "the client_id leads where nobody may go", "{far}");
    }
}
