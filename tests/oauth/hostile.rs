//! Servers that mean harm: answers without end, addresses that lead inside, pages that lead away.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::Response;
use rehearsal::auth::client::{OAuth, Settings};
use rehearsal::net::Route;
use serde_json::json;

use crate::world::{Seen, World, consent, ok, redirect, resource, server, with};

const RESOURCE: &str = "/.well-known/oauth-protected-resource/mcp";

/// A body that never ends, a piece at a time.
fn endless(piece: &'static [u8], pause: Duration) -> Response<Body> {
    let pieces = futures::stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(piece)), ()))
    });
    Response::new(Body::from_stream(pieces))
}

#[tokio::test]
async fn a_document_without_end_is_not_read() {
    static PIECE: [u8; 65536] = [b' '; 65536];
    let script = |seen: &Seen| (seen.path == RESOURCE).then(|| endless(&PIECE, Duration::ZERO));
    let world = World::start(script).await;
    let fault = world.fault(&world.oauth()).await;
    assert_eq!(fault.code, "credentials.unreachable");
    assert!(fault.message.contains("more than 256 KiB"), "{}", fault.message);
}

#[tokio::test]
async fn an_announced_gigabyte_is_not_read() {
    let script = |seen: &Seen| {
        (seen.path == RESOURCE).then(|| {
            let body = endless(b"{", Duration::from_secs(60)).into_body();
            Response::builder().header("content-length", 1_u64 << 30).body(body).unwrap()
        })
    };
    let world = World::start(script).await;
    let fault = world.fault(&world.oauth()).await;
    assert!(fault.message.contains("more than 256 KiB"), "{}", fault.message);
}

#[tokio::test]
async fn a_dripping_answer_meets_its_deadline() {
    let script = |seen: &Seen| (seen.path == "/token").then(|| endless(b" ", Duration::from_millis(5)));
    let world = World::start(script).await;
    let settings = Settings { patience: Duration::from_millis(60), ..world.settings() };
    let begun = Instant::now();
    let fault = world.fault(&OAuth::new(settings, world.means())).await;
    assert_eq!((fault.code.as_str(), fault.retryable), ("credentials.unreachable", true));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn redirects_stay_few_and_at_home() {
    let endless =
        |seen: &Seen| seen.path.starts_with(RESOURCE).then(|| redirect(&format!("{RESOURCE}?again")));
    let world = World::start(endless).await;
    let fault = world.fault(&world.oauth()).await;
    assert!(fault.message.contains("redirects without end"), "{}", fault.message);
    assert_eq!(world.seen(&format!("GET {RESOURCE}")).len(), 4);

    let away = |seen: &Seen| (seen.path == RESOURCE).then(|| redirect("http://localhost:1/x"));
    let world = World::start(away).await;
    let fault = world.fault(&world.oauth()).await;
    assert!(fault.message.contains("another origin"), "{}", fault.message);

    let home = |seen: &Seen| match seen.path.as_str() {
        RESOURCE => Some(redirect("/moved")),
        "/moved" => Some(ok(&resource(&seen.base))),
        _ => None,
    };
    let world = World::start(home).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
}

#[tokio::test]
async fn forms_are_not_redirected() {
    let script = |seen: &Seen| (seen.path == "/token").then(|| redirect("/elsewhere"));
    let world = World::start(script).await;
    assert_eq!(world.fault(&world.oauth()).await.code, "credentials.token");
    assert!(world.seen("POST /elsewhere").is_empty() && world.seen("GET /elsewhere").is_empty());
}

#[tokio::test]
async fn addresses_that_lead_nowhere_good_are_not_asked() {
    for (name, address) in [
        ("token_endpoint", "http://as.example/token"),
        ("token_endpoint", "https://169.254.169.254/token"),
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "http://as.example/authorize"),
        ("registration_endpoint", "https://user:pass@as.example/register"),
    ] {
        let script = move |seen: &Seen| {
            let document = with(server(&seen.base), name, json!(address));
            (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&document))
        };
        let world = World::start(script).await;
        let fault = world.fault(&world.oauth()).await;
        assert_eq!(fault.code, "credentials.address", "{address}: {}", fault.message);
        assert!(!fault.message.contains("user:pass"), "{}", fault.message);
    }
}

#[tokio::test]
async fn tokens_are_not_sent_in_the_clear() {
    let world = World::polite().await;
    let target = "http://mcp.example/mcp".parse().unwrap();
    let settings = Settings { target, eager: true, ..world.settings() };
    let fault = world.fault(&OAuth::new(settings, world.means())).await;
    assert_eq!(fault.code, "credentials.address");
    assert!(fault.message.contains("plain http"), "{}", fault.message);
}

#[tokio::test]
async fn forged_answers_of_the_page_are_refused() {
    for (params, why) in [
        (vec![("code", "stolen")], "lacks `iss`"),
        (vec![("code", "stolen"), ("iss", "https://evil.example")], "another issuer"),
        (vec![("code", "stolen"), ("iss", "BASE/")], "another issuer"),
        (vec![("code", "stolen"), ("state", "second")], "names `state` twice"),
        (vec![("error", "evil-words"), ("iss", "https://evil.example")], "another issuer"),
    ] {
        let script = move |seen: &Seen| {
            let filled: Vec<_> =
                params.iter().map(|(name, value)| (*name, value.replace("BASE", &seen.base))).collect();
            let filled: Vec<_> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
            (seen.path == "/authorize").then(|| consent(seen, &filled))
        };
        let world = World::start(script).await;
        let fault = world.fault(&world.oauth()).await;
        assert_eq!(fault.code, "credentials.callback");
        assert!(fault.message.contains(why), "{why}: {}", fault.message);
        assert!(!fault.message.contains("evil-words"), "{}", fault.message);
        assert!(world.seen("POST /token").is_empty(), "the code was used");
    }
}

#[tokio::test]
async fn an_honest_refusal_is_told() {
    let script = |seen: &Seen| {
        let params = [("error", "access_denied"), ("iss", seen.base.as_str())];
        (seen.path == "/authorize").then(|| consent(seen, &params))
    };
    let world = World::start(script).await;
    let fault = world.fault(&world.oauth()).await;
    assert_eq!(fault.code, "credentials.consent");
    assert!(fault.message.contains("access_denied"), "{}", fault.message);
}

#[tokio::test]
async fn the_automatic_visitor_stays_on_this_machine() {
    for (to, why) in [
        ("https://as.example/login", "not on this machine"),
        ("/authorize", "without end"),
        ("http://127.0.0.1:33418/callback/more", "cannot connect"),
    ] {
        let script = move |seen: &Seen| (seen.path == "/authorize").then(|| redirect(to));
        let world = World::start(script).await;
        let fault = world.fault(&world.oauth()).await;
        assert!(fault.message.contains(why), "{to}: {}", fault.message);
    }
    let page = |seen: &Seen| (seen.path == "/authorize").then(|| Response::new(Body::from("<form>")));
    let world = World::start(page).await;
    assert_eq!(world.fault(&world.oauth()).await.code, "credentials.login");
}

#[tokio::test]
async fn authorization_servers_are_reached_by_the_way_of_the_target() {
    let (world, proxy) = (World::polite().await, World::polite().await);
    let route = Route { proxy: Some(proxy.base().parse().unwrap()), ..Route::default() };
    let fault = world.fault(&OAuth::new(Settings { route, ..world.settings() }, world.means())).await;
    assert_eq!(fault.code, "credentials.resource", "the proxy has answered for itself");
    assert!(world.seen(&format!("GET {RESOURCE}")).is_empty());
    assert_eq!(proxy.seen(&format!("GET {RESOURCE}")).len(), 1);

    let route = Route { proxy: Some("ftp://127.0.0.1/".parse().unwrap()), ..Route::default() };
    let fault = world.fault(&OAuth::new(Settings { route, ..world.settings() }, world.means())).await;
    assert_eq!(fault.code, "credentials.client");
}
