//! Tokens that end: refreshed in time, refreshed after a refusal, granted anew, or given up.

use std::sync::Arc;

use rehearsal::auth::client::{Held, OAuth, Tokens, Wallet};
use rehearsal::mcp::{Asking, Rejection, TokenSource};
use secrecy::SecretString;
use serde_json::json;

use crate::world::{Seen, World, answer, ok, refuse};

fn grants(world: &World) -> Vec<String> {
    world.seen("POST /token").iter().map(|seen| seen.field("grant_type").to_owned()).collect()
}

#[tokio::test]
async fn an_ending_token_is_refreshed_before_it_is_used() {
    let world = World::polite().await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    world.wait(3589);
    world.ask(&oauth).await.unwrap();
    assert_eq!(grants(&world), ["authorization_code"], "eleven seconds are left");
    world.wait(1);
    let refused = world.seen("POST /mcp").len();
    world.ask(&oauth).await.unwrap();
    assert_eq!(grants(&world), ["authorization_code", "refresh_token"]);
    assert_eq!(world.seen("POST /mcp").len(), refused + 1, "no request was wasted on the old token");
    let refresh = &world.seen("POST /token")[1];
    assert_eq!(refresh.field("refresh_token"), "refresh-token-1");
    assert_eq!(refresh.field("resource"), world.target().as_str());
    assert_eq!(refresh.field("client_id"), "client-1");
    world.wait(3590);
    world.ask(&oauth).await.unwrap();
    assert_eq!(world.seen("POST /token")[2].field("refresh_token"), "refresh-token-2", "rotated");
}

#[tokio::test]
async fn a_token_that_ends_in_mid_session_is_refreshed() {
    let world = World::polite().await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    world.revoke();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(grants(&world), ["authorization_code", "refresh_token"]);
    assert_eq!(world.seen("GET /.well-known/oauth-authorization-server").len(), 1, "metadata is kept");
}

/// Asks, ends the token, asks again, and returns the grants that were asked for.
async fn grants_after_an_end(world: &World) -> Vec<String> {
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    world.revoke();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    grants(world)
}

#[tokio::test]
async fn a_used_up_refresh_token_leads_back_to_the_page() {
    let script = |seen: &Seen| {
        let refresh = seen.field("grant_type") == "refresh_token";
        refresh.then(|| answer(400, &json!({"error": "invalid_grant"})))
    };
    let granted = grants_after_an_end(&World::start(script).await).await;
    assert_eq!(granted, ["authorization_code", "refresh_token", "authorization_code"]);
}

#[tokio::test]
async fn a_refresh_that_does_not_help_is_followed_by_a_grant() {
    let script = |seen: &Seen| {
        let bad = seen.header("authorization") == "Bearer access-token-2";
        (seen.path == "/mcp" && bad).then(|| refuse(401, "Bearer error=\"invalid_token\""))
    };
    let granted = grants_after_an_end(&World::start(script).await).await;
    assert_eq!(granted, ["authorization_code", "refresh_token", "authorization_code"]);
}

#[tokio::test]
async fn a_target_that_refuses_every_token_is_left_at_last() {
    let script = |seen: &Seen| (seen.path == "/mcp").then(|| refuse(401, "Bearer error=\"invalid_token\""));
    let world = World::start(script).await;
    let oauth = world.oauth();
    for _ in 0..20 {
        assert_eq!(world.ask(&oauth).await.unwrap(), 401);
    }
    let granted = grants(&world).iter().filter(|grant| *grant == "authorization_code").count();
    assert!((1..=3).contains(&granted), "{:?}", grants(&world));
}

#[tokio::test]
async fn many_sessions_renew_once() {
    let world = World::polite().await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    let url = world.target();
    let sent = oauth.headers(Asking { method: "POST", url: &url, refused: None, log: None }).await.unwrap();
    world.revoke();
    let refused = Rejection { status: 401, attempt: 1, sent, ..Rejection::default() };
    let asking = Asking { method: "POST", url: &url, refused: Some(&refused), log: None };
    let all = futures::future::join_all((0..10).map(|_| oauth.headers(asking))).await;
    assert!(all.iter().all(Result::is_ok));
    // One of them comes late: its refusal is about a token that is long replaced.
    oauth.headers(asking).await.unwrap();
    assert_eq!(grants(&world), ["authorization_code", "refresh_token"]);
}

#[tokio::test]
async fn a_session_that_gives_up_loses_no_refresh_token() {
    let world = World::polite().await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    world.wait(3600);
    let url = world.target();
    let asking = oauth.headers(Asking { method: "POST", url: &url, refused: None, log: None });
    // Polled once, so that it has begun, and then dropped.
    let _ = tokio::time::timeout(std::time::Duration::ZERO, asking).await;
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(grants(&world), ["authorization_code", "refresh_token"], "the rotated token was kept");
}

#[tokio::test]
async fn tokens_of_an_earlier_run_are_used() {
    let world = World::polite().await;
    world.ask(&world.oauth()).await.unwrap();
    let before = world.calls().len();
    assert_eq!(world.ask(&OAuth::new(world.settings(), world.means())).await.unwrap(), 200);
    assert_eq!(world.calls().len(), before, "nothing was asked for");
}

#[tokio::test]
async fn tokens_of_another_issuer_are_not_refreshed_here() {
    let world = World::polite().await;
    let tokens = Tokens {
        access: SecretString::from("stolen-access".to_owned()),
        refresh: Some(SecretString::from("stolen-refresh".to_owned())),
        expires: Some(-100),
        scopes: vec![],
        key: None,
    };
    let (target, issuer) = (world.target().to_string(), "https://other.example".to_owned());
    world.wallet.keep(&Held { target, account: None, issuer, resource: None, client: None, tokens }).unwrap();
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
    for call in world.seen("POST /token") {
        assert_ne!(call.field("refresh_token"), "stolen-refresh");
    }
}

#[tokio::test]
async fn useless_answers_of_the_token_endpoint_are_named_and_remembered() {
    for (status, body) in [
        (400, json!({"error": "invalid_grant", "error_description": "why not"})),
        (200, json!({"token_type": "Bearer"})),
        (200, json!({"access_token": "a", "token_type": "mac"})),
        (200, json!({"access_token": "a\nb", "token_type": "Bearer"})),
        (200, json!({"access_token": "", "token_type": "Bearer"})),
        (200, json!(["access_token"])),
    ] {
        let script = move |seen: &Seen| (seen.path == "/token").then(|| answer(status, &body));
        let world = World::start(script).await;
        let oauth = world.oauth();
        assert_eq!(world.fault(&oauth).await.code, "credentials.token");
        assert_eq!(world.fault(&oauth).await.code, "credentials.token");
        assert_eq!(grants(&world).len(), 1, "not asked again");
    }
}

#[tokio::test]
async fn a_server_that_is_down_may_be_asked_again() {
    let down = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let state = Arc::clone(&down);
    let script = move |seen: &Seen| {
        let down = state.load(std::sync::atomic::Ordering::Relaxed);
        (seen.path == "/token" && down).then(|| answer(503, &json!({})))
    };
    let world = World::start(script).await;
    let oauth = world.oauth();
    assert!(world.fault(&oauth).await.retryable);
    down.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
}

#[tokio::test]
async fn a_token_without_an_end_is_kept() {
    let script = |seen: &Seen| match seen.path.as_str() {
        "/token" => Some(ok(&json!({"access_token": "t", "token_type": "Bearer"}))),
        "/mcp" if seen.header("authorization") == "Bearer t" => Some(ok(&json!({}))),
        _ => None,
    };
    let world = World::start(script).await;
    let oauth = world.oauth();
    world.ask(&oauth).await.unwrap();
    world.wait(100_000);
    world.ask(&oauth).await.unwrap();
    assert_eq!(grants(&world).len(), 1);
}
