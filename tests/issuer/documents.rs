//! Metadata and keys, and who may read them.

use std::time::Duration;

use serde_json::json;

use crate::world::{json_at, keys_of, start};

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
