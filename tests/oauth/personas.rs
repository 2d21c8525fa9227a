//! Personas as a suite writes them become identities that authorize themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use rehearsal::auth::client::{Held, Memory, Tokens, Wallet};
use rehearsal::auth::{Authority, Persona, identity};
use rehearsal::mcp::{Asking, Rejection};
use rehearsal::transcript::Fault;
use secrecy::{ExposeSecret, SecretString};

use crate::world::{Seen, World, ok, server};

const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvB0lezOq/GfhQrLR
e+5yxvTb2Cq6n4iLGRLPWnJhIDShRANCAAQxtDYD2Ly0eA1k5gdGPZ8WmM+nsKWy
X9cflISk28v/cGfJqO9hmw6XrpFsQ+og9R7h/g6ZPLUvPOKb0P8dUv1S
-----END PRIVATE KEY-----";

fn authority(world: &World, wallet: Arc<Memory>) -> Authority {
    let variables = BTreeMap::from([
        ("SECRET", "secret-from-env"),
        ("KEY", KEY),
        ("TOKEN", "token-from-env"),
        ("ID_TOKEN", "id-token-from-env"),
    ]);
    Authority {
        issuer: None,
        audience: world.target().to_string(),
        env: Arc::new(move |name| variables.get(name).map(|value| (*value).to_owned())),
        secrets: world.secrets.clone(),
        clock: world.means().clock,
        route: rehearsal::net::Route::default(),
        wallet,
        old_servers: false,
    }
}

async fn header(yaml: &str, world: &World, wallet: Arc<Memory>) -> Result<String, Fault> {
    let persona: Persona = serde_saphyr::from_str(&format!("name: clerk\nidentity: {yaml}")).unwrap();
    let source = identity(&persona, &authority(world, wallet))?;
    let url = world.target();
    let headers = source.headers(Asking { method: "POST", url: &url, refused: None, log: None }).await?;
    Ok(headers.first().map_or_else(String::new, |(_, value)| value.expose_secret().to_owned()))
}

#[tokio::test]
async fn every_kind_is_authorized_before_its_first_request() {
    let provider = |seen: &Seen| match seen.path.as_str() {
        "/.well-known/oauth-authorization-server/idp" => Some(ok(&server(&format!("{}/idp", seen.base)))),
        "/idp/token" => Some(ok(&serde_json::json!({
            "access_token": "vouched-for", "token_type": "N_A",
            "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
        }))),
        _ => None,
    };
    for (yaml, field, value) in [
        (
            "{client_credentials: {client_id: ci, secret: {env: SECRET}, auth: post}}",
            "client_secret",
            "secret-from-env",
        ),
        ("{client_credentials: {client_id: ci, secret: {env: SECRET}, scopes: [a, b]}}", "scope", "a b"),
        ("{private_key_jwt: {client_id: ci, key: {env: KEY}, key_id: k1}}", "client_id", "ci"),
        ("{refresh_token: {client_id: ci, token: {env: TOKEN}}}", "refresh_token", "token-from-env"),
        ("{workload: {assertion: {env: TOKEN}}}", "assertion", "token-from-env"),
        (
            "{id_jag: {client_id: ci, provider: {issuer: BASE/idp, client_id: app, id_token: {env: ID_TOKEN}}}}",
            "assertion",
            "vouched-for",
        ),
    ] {
        let world = World::start(provider).await;
        let yaml = yaml.replace("BASE", world.base());
        assert_eq!(header(&yaml, &world, Arc::default()).await.unwrap(), "Bearer access-token-1", "{yaml}");
        assert_eq!(world.seen("POST /token")[0].field(field), value, "{yaml}");
        assert!(world.seen("GET /authorize").is_empty());
    }
}

#[tokio::test]
async fn a_server_without_metadata_is_its_own_issuer_only_where_the_revision_says_so() {
    for old_servers in [true, false] {
        let script = |seen: &Seen| {
            seen.path.starts_with("/.well-known").then(|| crate::world::answer(404, &serde_json::json!({})))
        };
        let world = World::start(script).await;
        let persona: Persona = serde_saphyr::from_str(
            "{name: clerk, identity: {client_credentials: {client_id: ci, secret: {env: SECRET}}}}",
        )
        .unwrap();
        let authority = Authority { old_servers, ..authority(&world, Arc::default()) };
        let source = identity(&persona, &authority).unwrap();
        let url = world.target();
        let ahead = Asking { method: "POST", url: &url, refused: None, log: None };
        assert_eq!(source.headers(ahead).await.unwrap().len(), 0, "nobody has asked for anything yet");
        let refused = Rejection { status: 401, attempt: 1, ..Rejection::default() };
        let headers = source.headers(Asking { refused: Some(&refused), ..ahead }).await;
        match old_servers {
            true => assert_eq!(headers.unwrap()[0].1.expose_secret(), "Bearer access-token-1"),
            false => assert_eq!(headers.err().unwrap().code, "credentials.metadata"),
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let world = World::polite().await;
    for (yaml, code, text) in [
        ("{client_credentials: {client_id: ci, secret: {env: UNSET}}}", "credentials.missing", "`UNSET`"),
        ("{private_key_jwt: {client_id: ci, key: {env: SECRET}}}", "credentials.key", "no PEM"),
        (
            "{private_key_jwt: {client_id: ci, key: {env: KEY}, algorithm: HS256}}",
            "credentials.key",
            "`HS256`",
        ),
        ("{login: {}}", "credentials.login", "rehearsal login http://127.0.0.1"),
        ("{login: {account: alice}}", "credentials.login", "--as alice"),
        (
            "{id_jag: {client_id: c, provider: {issuer: x, token_endpoint: y, client_id: a, id_token: {env: TOKEN}}}}",
            "credentials.missing",
            "is no URL: `y`",
        ),
    ] {
        let fault = header(yaml, &world, Arc::default()).await.unwrap_err();
        assert_eq!(fault.code, code, "{yaml}: {}", fault.message);
        assert!(fault.message.contains(text), "{yaml}: {}", fault.message);
        assert!(!fault.message.contains("secret-from-env"));
    }
    assert_eq!(world.calls(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_server_over_standard_streams_needs_another_kind() {
    let world = World::polite().await;
    let persona: Persona = serde_saphyr::from_str("{name: a, identity: {login: {}}}").unwrap();
    let authority = Authority { audience: "stdio".to_owned(), ..authority(&world, Arc::default()) };
    let fault = identity(&persona, &authority).err().unwrap();
    assert!(fault.message.contains("over HTTP"), "{}", fault.message);
}

#[tokio::test]
async fn a_login_is_the_one_of_its_account() {
    let world = World::polite().await;
    let wallet = Arc::new(Memory::default());
    for (account, access) in [(None, "access-of-nobody"), (Some("alice"), "access-of-alice")] {
        let tokens = Tokens {
            access: SecretString::from(access.to_owned()),
            refresh: None,
            expires: None,
            scopes: vec![],
            key: None,
        };
        let (target, account) = (world.target().to_string(), account.map(str::to_owned));
        let issuer = world.base().to_owned();
        wallet.keep(&Held { target, account, issuer, resource: None, client: None, tokens }).unwrap();
    }
    for (yaml, expected) in
        [("{login: {}}", "access-of-nobody"), ("{login: {account: alice}}", "access-of-alice")]
    {
        let found = header(yaml, &world, Arc::clone(&wallet)).await.unwrap();
        assert_eq!(found, format!("Bearer {expected}"));
        assert_eq!(world.secrets.redact(expected), "[secret:access-token]");
    }
    assert_eq!(world.calls(), [] as [&str; 0], "nobody is asked for what is there");
    assert!(header("{login: {account: bob}}", &world, wallet).await.is_err());
}

#[test]
fn every_variable_of_a_persona_is_declared() {
    let read = |yaml: &str| -> Persona { serde_saphyr::from_str(&format!("identity: {yaml}")).unwrap() };
    for (yaml, variables) in [
        ("anonymous", vec![]),
        ("{login: {}}", vec![]),
        ("{bearer: {env: A}}", vec!["A"]),
        ("{header: {name: x, env: A}}", vec!["A"]),
        ("{client_credentials: {client_id: c, secret: {env: A}}}", vec!["A"]),
        ("{private_key_jwt: {client_id: c, key: {env: A}}}", vec!["A"]),
        ("{refresh_token: {client_id: c, token: {env: A}, secret: {env: B}}}", vec!["A", "B"]),
        ("{workload: {assertion: {env: A}}}", vec!["A"]),
        (
            "{id_jag: {client_id: c, secret: {env: A}, provider: {issuer: i, client_id: d, secret: {env: B}, id_token: {env: C}}}}",
            vec!["A", "B", "C"],
        ),
    ] {
        assert_eq!(read(yaml).identity.variables(), variables, "{yaml}");
    }
}
