//! Rotation, switches that break endpoints, and canaries.

use std::time::Duration;

use rehearsal::auth::issuer::{Point, Trouble};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::{AUDIENCE, accepted, clerk, keys_of, split, start};

#[tokio::test]
async fn a_rotation_signs_with_new_keys_and_keeps_the_old_ones() {
    let (issuer, _) = start().await;
    let before = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    let old = keys_of(&issuer).await;
    let kid = issuer.rotate().unwrap();
    let after = issuer.mint(&clerk(), "clerk", AUDIENCE).unwrap();
    assert_eq!(split(after.expose_secret()).0["kid"], kid.as_str());
    assert!(kid.starts_with("rehearsal-test-rs256-"));
    let new = keys_of(&issuer).await;
    assert_eq!((old.keys.len(), new.keys.len()), (2, 4));
    assert!(accepted(&issuer, &new, before.expose_secret()).is_ok());
    assert!(accepted(&issuer, &new, after.expose_secret()).is_ok());
    assert_eq!(accepted(&issuer, &old, after.expose_secret()).unwrap_err(), "kid");
}

#[tokio::test]
async fn switches_break_one_endpoint_at_a_time_and_let_go() {
    let (issuer, _) = start().await;
    let http = reqwest::Client::new();
    let token_endpoint = crate::world::json_at(format!("{}/.well-known/openid-configuration", issuer.url()));
    let token_endpoint = token_endpoint.await["token_endpoint"].as_str().unwrap().to_owned();
    let status = async |point| {
        let request = match point {
            Point::Jwks => http.get(issuer.jwks_url()),
            Point::Introspection => http.post(issuer.introspection_url()).form(&[("token", "x")]),
            Point::Token => http.post(&token_endpoint).form(&[("grant_type", "x")]),
        };
        request.send().await.unwrap().status().as_u16()
    };
    let usual = [(Point::Jwks, 200), (Point::Introspection, 401), (Point::Token, 400)];
    for (broken, _) in usual {
        issuer.faults().set(broken, Trouble::Error);
        for (point, answer) in usual {
            assert_eq!(status(point).await, if point == broken { 500 } else { answer }, "{point:?}");
        }
        issuer.faults().set(broken, Trouble::Off);
    }
    let counted = issuer.fetches();
    assert_eq!((counted.jwks, counted.introspection, counted.token), (3, 3, 3));

    issuer.faults().set(Point::Jwks, Trouble::Slow(Duration::from_millis(50)));
    let clock = rehearsal::transcript::Clock::system();
    let start = clock.elapsed();
    assert_eq!(status(Point::Jwks).await, 200);
    assert!(clock.elapsed() - start >= Duration::from_millis(50));

    issuer.faults().set(Point::Jwks, Trouble::Hang);
    let hanging = http.get(issuer.jwks_url()).timeout(Duration::from_millis(50)).send();
    assert!(hanging.await.unwrap_err().is_timeout());
    let waiting = tokio::spawn(http.get(issuer.jwks_url()).send());
    while issuer.fetches().jwks < 6 {
        tokio::task::yield_now().await;
    }
    issuer.faults().clear();
    assert_eq!(waiting.await.unwrap().unwrap().status(), 503, "who hung is let go");
    assert_eq!(status(Point::Jwks).await, 200, "and it recovers");
}

#[tokio::test]
async fn a_canary_remembers_what_it_was_asked() {
    let (issuer, _) = start().await;
    let http = reqwest::Client::new();
    let place = issuer.canary("orders api");
    assert!(issuer.hits("orders api").is_empty());
    let asked = http
        .put(format!("{place}/v1/orders?page=2"))
        .header("authorization", "Bearer canary-token")
        .body("{\"amount\": 1}")
        .send();
    let answer = asked.await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({}));
    let foreign = http.get(place.clone()).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403, "no page of another origin gets an answer");
    let hits = issuer.hits("orders api");
    assert_eq!(hits.len(), 2);
    assert_eq!((hits[0].method.as_str(), hits[0].body.as_str()), ("PUT", "{\"amount\": 1}"));
    assert!(hits[0].path.ends_with("/orders-api/v1/orders?page=2"), "{}", hits[0].path);
    let sent = ("authorization".to_owned(), "Bearer canary-token".to_owned());
    assert!(hits[0].headers.contains(&sent));
    assert!(issuer.hits("upstream").is_empty(), "canaries are apart");

    let unknown = place.as_str().replace("orders-api", "nobody");
    assert_eq!(http.get(&unknown).send().await.unwrap().status(), 404);
    assert!(issuer.hits("nobody").is_empty());
}

#[tokio::test]
async fn a_canary_keeps_no_more_than_it_should() {
    let (issuer, _) = start().await;
    let place = issuer.canary("flood");
    let http = reqwest::Client::new();
    let answer = http.post(place.clone()).body("x".repeat(200_000)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(issuer.hits("flood")[0].body.len(), 64 * 1024);
    for _ in 0..260 {
        http.get(place.clone()).send().await.unwrap();
    }
    assert_eq!(issuer.hits("flood").len(), 256);
}

#[tokio::test]
async fn the_key_set_of_the_attacker_fits_the_tokens_that_name_it() {
    let (issuer, _) = start().await;
    let minted = rehearsal::auth::Minted { flaw: Some(rehearsal::auth::Flaw::KeyUrl), ..clerk() };
    let token = issuer.mint(&minted, "clerk", AUDIENCE).unwrap();
    let named = split(token.expose_secret()).0["jku"].as_str().unwrap().to_owned();
    let theirs = reqwest::get(&named).await.unwrap().json().await.unwrap();
    // Who believes the header is taken in, which is what makes the probe worth sending.
    assert!(accepted(&issuer, &theirs, token.expose_secret()).is_ok());
    assert!(accepted(&issuer, &keys_of(&issuer).await, token.expose_secret()).is_err());
    assert_eq!(issuer.hits("jku").len(), 1);
    assert!(issuer.hits("x5u").is_empty());
}
