//! Where metadata is looked for, and whom it may speak for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use rehearsal::auth::client::{Grant, Nobody, OAuth, Settings};
use serde_json::{Value, json};

use crate::world::{Seen, World, answer, ok, resource, server, with};

#[tokio::test]
async fn a_challenge_leads_to_a_token() {
    let world = World::polite().await;
    let oauth = world.oauth();
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(
        world.calls(),
        [
            "GET /.well-known/oauth-protected-resource/mcp",
            "GET /.well-known/oauth-authorization-server",
            "POST /register",
            "GET /authorize",
            "POST /token",
        ]
    );
    let page = &world.seen("GET /authorize")[0];
    let token = &world.seen("POST /token")[0];
    for asked in [page, token] {
        assert_eq!(asked.field("resource"), world.target().as_str());
        assert_eq!(asked.field("client_id"), "client-1");
    }
    assert_eq!(page.field("response_type"), "code");
    assert_eq!(page.field("scope"), "mcp:read");
    assert_eq!(token.field("code"), "code-1");
    assert!(page.field("state").len() >= 43);
    for secret in [token.field("code_verifier"), "access-token-1", "refresh-token-1"] {
        assert!(world.secrets.redact(secret).starts_with("[secret:"), "`{secret}` is not registered");
    }
    assert_eq!(world.ask(&oauth).await.unwrap(), 200);
    assert_eq!(world.seen("POST /token").len(), 1, "the token is kept");
}

#[tokio::test]
async fn searches_say_the_revision_that_the_emulated_client_says() {
    use rehearsal::mcp::TokenSource as _;
    for said in [None, Some("2025-11-25")] {
        let world = World::polite().await;
        let oauth = world.oauth();
        oauth.discovering(said);
        assert_eq!(world.ask(&oauth).await.unwrap(), 200);
        for document in
            ["GET /.well-known/oauth-protected-resource/mcp", "GET /.well-known/oauth-authorization-server"]
        {
            assert_eq!(world.seen(document)[0].header("mcp-protocol-version"), said.unwrap_or_default());
        }
    }
}

/// The documents are elsewhere; `None` says that nobody looks any further.
#[tokio::test]
async fn documents_are_looked_for_in_the_order_of_the_text() {
    for (challenge, document, issuer_path, metadata, calls) in [
        (
            "Bearer",
            "/.well-known/oauth-protected-resource",
            "",
            "/.well-known/openid-configuration",
            vec![
                "GET /.well-known/oauth-protected-resource/mcp",
                "GET /.well-known/oauth-protected-resource",
                "GET /.well-known/oauth-authorization-server",
                "GET /.well-known/openid-configuration",
            ],
        ),
        (
            "Bearer resource_metadata=\"BASE/custom.json\"",
            "/custom.json",
            "/tenant",
            "/.well-known/oauth-authorization-server/tenant",
            vec!["GET /custom.json", "GET /.well-known/oauth-authorization-server/tenant"],
        ),
        (
            "Bearer resource_metadata=\"BASE/gone.json\"",
            "/.well-known/oauth-protected-resource/mcp",
            "/tenant",
            "/tenant/.well-known/openid-configuration",
            vec![
                "GET /gone.json",
                "GET /.well-known/oauth-protected-resource/mcp",
                "GET /.well-known/oauth-authorization-server/tenant",
                "GET /.well-known/openid-configuration/tenant",
                "GET /tenant/.well-known/openid-configuration",
            ],
        ),
    ] {
        let script = move |seen: &Seen| {
            let issuer = format!("{}{issuer_path}", seen.base);
            let moved = seen.path.contains(".well-known") || seen.path.ends_with(".json");
            match seen.path.as_str() {
                path if path == document => {
                    Some(ok(&with(resource(&seen.base), "authorization_servers", json!([issuer]))))
                }
                path if path == metadata => Some(ok(&with(server(&seen.base), "issuer", json!(issuer)))),
                "/authorize" => Some(crate::world::consent(seen, &[("code", "code-1"), ("iss", &issuer)])),
                _ => moved.then(|| answer(404, &json!({}))),
            }
        };
        let world = World::start(script).await;
        world.challenge(&challenge.replace("BASE", world.base()));
        assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200, "{document}");
        let asked: Vec<String> =
            world.calls().into_iter().take_while(|call| call != "POST /register").collect();
        assert_eq!(asked, calls);
    }
}

/// A world in which one document says something else.
async fn changed(
    path: &'static str,
    name: &'static str,
    value: impl Fn(&str) -> Value + Send + Sync + 'static,
) -> World {
    World::start(move |seen| {
        let document = match seen.path.as_str() {
            "/.well-known/oauth-protected-resource/mcp" => resource(&seen.base),
            "/.well-known/oauth-authorization-server" => server(&seen.base),
            _ => return None,
        };
        (seen.path.ends_with(path)).then(|| ok(&with(document, name, value(&seen.base))))
    })
    .await
}

#[tokio::test]
async fn a_resource_may_be_a_parent_and_nothing_else() {
    let parent = changed("mcp", "resource", |base| json!(base)).await;
    assert_eq!(parent.ask(&parent.oauth()).await.unwrap(), 200);
    assert_eq!(
        parent.seen("GET /authorize")[0].field("resource"),
        parent.base(),
        "byte for byte as published"
    );

    let foreign = changed("mcp", "resource", |_| json!("https://evil.example/mcp")).await;
    let fault = foreign.fault(&foreign.oauth()).await;
    assert_eq!(fault.code, "credentials.resource");
    assert_eq!(foreign.calls(), ["GET /.well-known/oauth-protected-resource/mcp"], "nothing else is asked");
}

#[tokio::test]
async fn another_issuer_is_not_believed() {
    for issuer in ["https://evil.example", "BASE/"] {
        let value = move |base: &str| json!(issuer.replace("BASE", base));
        let world = changed("server", "issuer", value).await;
        let fault = world.fault(&world.oauth()).await;
        assert_eq!(fault.code, "credentials.issuer", "{}", fault.message);
        assert!(world.seen("POST /register").is_empty() && world.seen("GET /authorize").is_empty());
    }
}

#[tokio::test]
async fn without_pkce_nothing_is_asked() {
    for methods in [Value::Null, json!(["plain"]), json!([])] {
        let value = move |_: &str| methods.clone();
        let world = changed("server", "code_challenge_methods_supported", value).await;
        assert_eq!(world.fault(&world.oauth()).await.code, "credentials.pkce");
        assert!(world.seen("GET /authorize").is_empty());
    }
}

#[tokio::test]
async fn useless_documents_are_named() {
    let nobody = changed("mcp", "authorization_servers", |_| json!([])).await;
    assert_eq!(nobody.fault(&nobody.oauth()).await.code, "credentials.metadata");
    let nowhere =
        World::start(|seen| seen.path.contains(".well-known").then(|| answer(404, &json!({})))).await;
    assert_eq!(nowhere.fault(&nowhere.oauth()).await.code, "credentials.metadata");
    let silent = changed("mcp", "authorization_servers", |base| json!([format!("{base}/elsewhere")])).await;
    let fault = silent.fault(&silent.oauth()).await;
    assert!(fault.message.contains("publishes no metadata"), "{}", fault.message);
}

fn old(script: impl Fn(&Seen) -> Option<Response<Body>>, seen: &Seen) -> Option<Response<Body>> {
    let hidden = seen.path.contains("oauth-protected-resource").then(|| answer(404, &json!({})));
    hidden.or_else(|| script(seen))
}

fn tolerant(world: &World) -> OAuth {
    OAuth::new(Settings { old_servers: true, ..world.settings() }, world.means())
}

#[tokio::test]
async fn servers_of_2025_03_26_are_their_own_authorization_servers() {
    // With metadata at the origin, at other endpoints.
    let script = |seen: &Seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let document =
                with(server(&seen.base), "token_endpoint", json!(format!("{}/oauth/token", seen.base)));
            Some(ok(&with(document, "authorization_response_iss_parameter_supported", Value::Null)))
        }
        "/oauth/token" => Some(ok(&json!({"access_token": "t", "token_type": "bearer"}))),
        "/mcp" if seen.header("authorization") == "Bearer t" => Some(ok(&json!({}))),
        _ => None,
    };
    let world = World::start(move |seen| old(script, seen)).await;
    world.challenge("Bearer");
    assert_eq!(world.ask(&tolerant(&world)).await.unwrap(), 200);
    assert_eq!(world.seen("GET /authorize")[0].field("resource"), "", "that revision does not know it");

    // Without: the endpoints of the text.
    let gone = |seen: &Seen| seen.path.contains(".well-known").then(|| answer(404, &json!({})));
    let world = World::start(move |seen| old(gone, seen)).await;
    world.challenge("Bearer");
    assert_eq!(world.ask(&tolerant(&world)).await.unwrap(), 200);
    assert_eq!(world.calls()[world.calls().len() - 3..], ["POST /register", "GET /authorize", "POST /token"]);

    // Somebody else's metadata at the origin is still somebody else's.
    let script = |seen: &Seen| {
        let forged = with(server(&seen.base), "issuer", json!("https://evil.example"));
        (seen.path == "/.well-known/oauth-authorization-server").then(|| ok(&forged))
    };
    let world = World::start(move |seen| old(script, seen)).await;
    assert_eq!(world.fault(&tolerant(&world)).await.code, "credentials.issuer");

    // And nothing of this unless it is wanted.
    let world = World::start(move |seen| old(|_| None, seen)).await;
    assert_eq!(world.fault(&world.oauth()).await.code, "credentials.metadata");
    assert!(world.seen("GET /.well-known/oauth-authorization-server").is_empty());
}

#[tokio::test]
async fn an_eager_identity_does_not_wait_for_a_challenge() {
    let open = |seen: &Seen| (seen.path == "/mcp").then(|| ok(&json!({})));
    let world = World::start(open).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
    assert_eq!(world.calls(), [] as [&str; 0], "nobody asked for a token");

    let eager = OAuth::new(Settings { eager: true, ..world.settings() }, world.means());
    assert_eq!(world.ask(&eager).await.unwrap(), 200);
    let asked = world.seen("POST /mcp");
    assert_eq!(asked.last().unwrap().header("authorization"), "Bearer access-token-1");
}

#[tokio::test]
async fn where_nobody_is_the_reader_is_told_what_to_do() {
    let world = World::polite().await;
    let grant = Grant::Code { visitor: Arc::new(Nobody), registered: None, document: None };
    let oauth = OAuth::new(Settings { grant, ..world.settings() }, world.means());
    let fault = world.fault(&oauth).await;
    assert_eq!(fault.code, "credentials.login");
    assert!(fault.message.contains("rehearsal login"), "{}", fault.message);
    let before = world.calls().len();
    assert_eq!(world.fault(&oauth).await.code, "credentials.login");
    assert_eq!(world.calls().len(), before, "what cannot be mended is not tried again");
}
