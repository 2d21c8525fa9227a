//! Which scopes are asked for, and when more are.

use axum::body::Body;
use axum::http::Response;
use rehearsal::auth::client::{OAuth, Settings};
use serde_json::{Value, json};

use crate::world::{Seen, World, ok, refuse, resource, server, with};

async fn asked(challenge: Option<&str>, listed: Value, known: Value) -> String {
    let script = move |seen: &Seen| match seen.path.as_str() {
        "/.well-known/oauth-protected-resource/mcp" => {
            Some(ok(&with(resource(&seen.base), "scopes_supported", listed.clone())))
        }
        "/.well-known/oauth-authorization-server" => {
            Some(ok(&with(server(&seen.base), "scopes_supported", known.clone())))
        }
        _ => None,
    };
    let world = World::start(script).await;
    if let Some(scope) = challenge {
        world.challenge(&format!("Bearer scope=\"{scope}\""));
    }
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
    let page = &world.seen("GET /authorize")[0];
    page.fields.get("scope").cloned().unwrap_or_else(|| "(none)".to_owned())
}

#[tokio::test]
async fn the_strategy_of_the_text() {
    let none = Value::Null;
    assert_eq!(asked(Some("a b"), json!(["c"]), none.clone()).await, "a b");
    assert_eq!(asked(None, json!(["c", "d"]), none.clone()).await, "c d");
    assert_eq!(asked(None, none.clone(), none.clone()).await, "(none)");
    assert_eq!(asked(None, none.clone(), json!(["x", "offline_access"])).await, "(none)");
    assert_eq!(asked(None, json!(["c"]), json!(["c", "offline_access"])).await, "c offline_access");
    assert_eq!(asked(Some("c offline_access"), none.clone(), json!(["c"])).await, "c");
}

/// A target that wants `needed(n)` for its n-th token.
fn demanding(needed: fn(usize) -> String) -> impl Fn(&Seen) -> Option<Response<Body>> + Send + Sync {
    move |seen| {
        let token = seen.header("authorization").strip_prefix("Bearer access-token-")?;
        let scope = needed(token.parse().unwrap());
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        (seen.path == "/mcp" && !scope.is_empty()).then(|| refuse(403, &challenge))
    }
}

fn pages(world: &World) -> Vec<String> {
    world.seen("GET /authorize").iter().map(|page| page.field("scope").to_owned()).collect()
}

#[tokio::test]
async fn a_step_up_asks_for_the_union() {
    let needed = |token| if token == 1 { "mcp:write".to_owned() } else { String::new() };
    let world = World::start(demanding(needed)).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 200);
    assert_eq!(pages(&world), ["mcp:read", "mcp:read mcp:write"]);
}

#[tokio::test]
async fn a_scope_that_was_asked_for_is_not_asked_for_again() {
    let world = World::start(demanding(|_| "mcp:read".to_owned())).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 403);
    assert_eq!(pages(&world), ["mcp:read"]);
}

#[tokio::test]
async fn a_server_that_always_wants_more_is_left_at_last() {
    let world = World::start(demanding(|token| format!("more:{token}"))).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 403);
    assert_eq!(pages(&world).len(), 3, "{:?}", pages(&world));
}

#[tokio::test]
async fn only_a_lack_of_scope_leads_to_a_step_up() {
    let plain = |seen: &Seen| {
        let token = seen.header("authorization").starts_with("Bearer ");
        (seen.path == "/mcp" && token).then(|| refuse(403, "Bearer error=\"access_denied\", scope=\"more\""))
    };
    let world = World::start(plain).await;
    assert_eq!(world.ask(&world.oauth()).await.unwrap(), 403);
    assert_eq!(pages(&world).len(), 1);
}

#[tokio::test]
async fn an_identity_that_is_meant_to_be_weak_stays_weak() {
    let needed = |token| if token == 1 { "mcp:write".to_owned() } else { String::new() };
    let world = World::start(demanding(needed)).await;
    let scopes = Some(vec!["mcp:little".to_owned()]);
    let oauth = OAuth::new(Settings { scopes, ..world.settings() }, world.means());
    assert_eq!(world.ask(&oauth).await.unwrap(), 403);
    assert_eq!(pages(&world), ["mcp:little"], "neither the list nor the challenge counts");
}
