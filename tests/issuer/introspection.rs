//! Introspection: what the issuer says of its tokens, and to whom.

use std::time::Duration;

use rehearsal::auth::{Flaw, Issuer, Minted};
use rehearsal::transcript::{Clock, Secrets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::world::{AUDIENCE, clerk, json_at, start};

/// Asks as the resource server of the run.
async fn asked(issuer: &Issuer, token: &SecretString) -> Value {
    asked_with(&reqwest::Client::new(), issuer, token).await
}

async fn asked_with(http: &reqwest::Client, issuer: &Issuer, token: &SecretString) -> Value {
    let (client, secret) = issuer.introspection_client();
    let response = http
        .post(issuer.introspection_url())
        .basic_auth(client, Some(secret.expose_secret()))
        .form(&[("token", token.expose_secret())])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn jwts_and_opaque_tokens_are_explained_alike() {
    let (issuer, secrets) = start().await;
    let signed = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let opaque = issuer.mint_opaque(&clerk(), "clerk", AUDIENCE).unwrap();
    assert!(!opaque.expose_secret().contains('.'));
    for token in [&signed, &opaque] {
        let said = asked(&issuer, token).await;
        assert_eq!(said["active"], true);
        assert_eq!(said["token_type"], "Bearer");
        assert_eq!(said["sub"], "clerk");
        assert_eq!(said["aud"], AUDIENCE);
        assert_eq!(said["iss"], issuer.url());
        assert_eq!(said["scope"], "orders:read orders:write");
        assert_eq!(said["roles"], json!(["clerk"]));
        assert_eq!(said["rehearsal_run"], issuer.run());
        assert!(secrets.redact(token.expose_secret()).starts_with("[secret:token:clerk"));
    }
    assert!(issuer.revoke(opaque.expose_secret()));
    assert_eq!(asked(&issuer, &opaque).await, json!({"active": false}));
    assert_eq!(asked(&issuer, &signed).await["active"], true, "another token is not touched");
    let stranger = SecretString::from("rehearsal-test-unknown");
    assert!(!issuer.revoke(stranger.expose_secret()));
    assert_eq!(asked(&issuer, &stranger).await, json!({"active": false}));
}

#[tokio::test]
async fn only_the_resource_server_may_ask() {
    let (issuer, _) = start().await;
    let token = issuer.mint_opaque(&clerk(), "clerk", AUDIENCE).unwrap();
    let (client, secret) = issuer.introspection_client();
    let other = issuer.enroll("robot", clerk()).unwrap();
    let ask = |fields: Vec<(&'static str, String)>| {
        let mut form = vec![("token", token.expose_secret().to_owned())];
        form.extend(fields);
        reqwest::Client::new().post(issuer.introspection_url()).form(&form).send()
    };
    let named = |id: &str, secret: &SecretString| {
        vec![("client_id", id.to_owned()), ("client_secret", secret.expose_secret().to_owned())]
    };
    let posted: Value = ask(named(client, secret)).await.unwrap().json().await.unwrap();
    assert_eq!(posted["active"], true);
    for wrong in [
        vec![],
        vec![("client_id", client.to_owned())],
        named(client, &SecretString::from("wrong")),
        named("robot", &other),
    ] {
        let answer = ask(wrong).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
        assert!(!answer.text().await.unwrap().contains("clerk"));
    }
    let without = reqwest::Client::new()
        .post(issuer.introspection_url())
        .basic_auth(client, Some(secret.expose_secret()))
        .form(&[("hint", "x")])
        .send();
    assert_eq!(without.await.unwrap().status(), 400);
    let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
    assert_eq!(metadata["introspection_endpoint"], issuer.introspection_url());
}

#[tokio::test]
async fn flaws_in_claims_become_flawed_answers_and_forgeries_are_unknown() {
    let clock = Clock::manual(jiff::Timestamp::now(), || Duration::ZERO);
    let issuer = Issuer::start(Secrets::default(), clock).await.unwrap();
    let http = reqwest::Client::new();
    let mut lines = String::new();
    for flaw in Flaw::ALL {
        let minted = Minted { flaw: Some(flaw), ..clerk() };
        let signed = issuer.mint(&minted, "clerk", AUDIENCE).unwrap();
        let signed = asked_with(&http, &issuer, &signed).await;
        let opaque = match issuer.mint_opaque(&minted, "clerk", AUDIENCE) {
            Ok(token) => {
                let opaque = asked_with(&http, &issuer, &token).await;
                assert_eq!(opaque["active"], signed["active"], "{flaw:?}");
                assert_eq!(opaque["aud"], signed["aud"], "{flaw:?}");
                "the same"
            }
            Err(fault) => {
                assert_eq!(fault.code, "persona.opaque-flaw");
                "refused"
            }
        };
        let audience = signed["aud"].to_string().replace(issuer.url(), "[issuer]");
        let bait = issuer.canary("x").path().split('/').nth(1).unwrap().to_owned();
        let audience = audience.replace(&bait, "[bait]");
        lines.push_str(&format!("{flaw:?}: active {}, aud {audience}; opaque {opaque}\n", signed["active"]));
    }
    insta::assert_snapshot!(lines);
}

#[tokio::test]
async fn a_token_ends_with_its_life() {
    let hand = std::sync::Arc::new(std::sync::Mutex::new(Duration::ZERO));
    let seen = std::sync::Arc::clone(&hand);
    let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || *seen.lock().unwrap());
    let issuer = Issuer::start(Secrets::default(), clock).await.unwrap();
    let token = issuer.mint_opaque(&clerk(), "clerk", AUDIENCE).unwrap();
    for (seconds, active) in [(299, true), (300, false)] {
        *hand.lock().unwrap() = Duration::from_secs(seconds);
        assert_eq!(asked(&issuer, &token).await["active"], active, "after {seconds} s");
    }
}
