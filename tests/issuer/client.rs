//! The issuer and the program's own authorization client, with a target between them that only names the issuer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Json, Router, routing::get};
use rehearsal::auth::client::{Consenting, Grant, Means, Memory, OAuth, Registered, Settings};
use rehearsal::auth::issuer::Vouched;
use rehearsal::auth::{Authority, Issuer, Minted, Persona, identity};
use rehearsal::mcp::{Asking, TokenSource};
use rehearsal::transcript::{Clock, Fault, Secrets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::world::{accepted_for, clerk, json_at, keys_of, split};

const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvB0lezOq/GfhQrLR
e+5yxvTb2Cq6n4iLGRLPWnJhIDShRANCAAQxtDYD2Ly0eA1k5gdGPZ8WmM+nsKWy
X9cflISk28v/cGfJqO9hmw6XrpFsQ+og9R7h/g6ZPLUvPOKb0P8dUv1S
-----END PRIVATE KEY-----";

/// The public half of that key.
fn public() -> Value {
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "alg": "ES256",
        "x": "MbQ2A9i8tHgNZOYHRj2fFpjPp7Clsl_XH5SEpNvL_3A", "y": "Z8mo72GbDpeukWxD6iD1HuH-Dpk8tS884pvQ_x1S_VI",
    }]})
}

struct World {
    issuer: Arc<Issuer>,
    target: Url,
    hand: Arc<Mutex<Duration>>,
    clock: Clock,
}

impl World {
    async fn start() -> Self {
        let hand: Arc<Mutex<Duration>> = Arc::default();
        let seen = Arc::clone(&hand);
        // The careful resource server goes by the machine's clock.
        let clock = Clock::manual(jiff::Timestamp::now(), move || *seen.lock().unwrap());
        let issuer = Arc::new(Issuer::start(Secrets::default(), clock.clone()).await.unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/mcp", listener.local_addr().unwrap());
        let document = json!({"resource": target, "authorization_servers": [issuer.url()]});
        let answer = get(move || std::future::ready(Json(document)));
        let app = Router::new().route("/.well-known/oauth-protected-resource/mcp", answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, target: target.parse().unwrap(), hand, clock }
    }

    async fn token_of(&self, source: &dyn TokenSource) -> Result<String, Fault> {
        let headers =
            source.headers(Asking { method: "POST", url: &self.target, refused: None, log: None }).await?;
        Ok(headers[0].1.expose_secret().strip_prefix("Bearer ").unwrap().to_owned())
    }

    /// The token of a persona as a suite writes it.
    async fn persona(&self, yaml: &str, env: &[(&str, &SecretString)]) -> Result<String, Fault> {
        let variables: BTreeMap<String, String> =
            env.iter().map(|(name, value)| ((*name).to_owned(), value.expose_secret().to_owned())).collect();
        let persona: Persona = serde_saphyr::from_str(&format!("name: clerk\nidentity: {yaml}")).unwrap();
        let authority = Authority {
            issuer: None,
            audience: self.target.to_string(),
            env: Arc::new(move |name| variables.get(name).cloned()),
            secrets: Secrets::default(),
            clock: self.clock.clone(),
            route: rehearsal::net::Route::default(),
            old_servers: false,
            wallet: Arc::new(Memory::default()),
        };
        self.token_of(identity(&persona, &authority)?.as_ref()).await
    }

    fn code(&self, registered: Option<Registered>, document: Option<Url>) -> OAuth {
        let grant = Grant::Code { visitor: Arc::new(Consenting::new().unwrap()), registered, document };
        let settings = Settings { eager: true, ..Settings::new(self.target.clone(), grant) };
        let means = Means {
            wallet: Arc::new(Memory::default()),
            secrets: Secrets::default(),
            clock: self.clock.clone(),
        };
        OAuth::new(settings, means)
    }

    /// What a careful resource server reads in a token.
    async fn claims(&self, token: &str) -> Value {
        accepted_for(&self.issuer, &keys_of(&self.issuer).await, token, self.target.as_str()).unwrap()
    }
}

#[tokio::test]
async fn every_kind_of_persona_gets_a_token_that_is_good() {
    let world = World::start().await;
    let secret = world.issuer.enroll("robot", clerk()).unwrap();
    world.issuer.enroll_keys("signer", clerk(), &public()).unwrap();
    let refresh = world.issuer.refresh_token("robot", world.target.as_str()).unwrap().unwrap();
    let id = world.issuer.vouch(&clerk(), "ada", Vouched::IdToken { client: "robot" }).unwrap();
    let server = world.issuer.url();
    let workload = world.issuer.vouch(&clerk(), "batch", Vouched::Workload { server }).unwrap();
    let key = SecretString::from(KEY);
    let env = [("SECRET", &secret), ("KEY", &key), ("REFRESH", &refresh), ("ID", &id), ("W", &workload)];
    for (yaml, subject, client) in [
        ("{client_credentials: {client_id: robot, secret: {env: SECRET}}}".to_owned(), "robot", "robot"),
        ("{private_key_jwt: {client_id: signer, key: {env: KEY}}}".to_owned(), "signer", "signer"),
        ("{refresh_token: {client_id: robot, token: {env: REFRESH}}}".to_owned(), "robot", "robot"),
        ("{workload: {assertion: {env: W}}}".to_owned(), "batch", "batch"),
        (
            format!(
                "{{id_jag: {{client_id: robot, provider: {{issuer: '{server}', client_id: robot, id_token: {{env: ID}}}}}}}}"
            ),
            "ada",
            "robot",
        ),
    ] {
        let token = world.persona(&yaml, &env).await.unwrap_or_else(|fault| panic!("{yaml}: {fault:?}"));
        let claims = world.claims(&token).await;
        assert_eq!((claims["sub"].as_str(), claims["client_id"].as_str()), (Some(subject), Some(client)));
        assert_eq!(claims["scope"], "orders:read orders:write", "{yaml}");
    }
}

#[tokio::test]
async fn every_kind_of_persona_is_refused_with_the_wrong_credentials() {
    let world = World::start().await;
    world.issuer.enroll("robot", clerk()).unwrap();
    world
        .issuer
        .enroll_keys("signer", clerk(), &json!({"keys": [keys_of(&world.issuer).await.keys[0]]}))
        .unwrap();
    let server = world.issuer.url();
    let wrong = SecretString::from("wrong-secret");
    let key = SecretString::from(KEY);
    let id = world.issuer.vouch(&clerk(), "ada", Vouched::IdToken { client: "another" }).unwrap();
    let elsewhere = Vouched::Workload { server: "https://as.example" };
    let workload = world.issuer.vouch(&clerk(), "batch", elsewhere).unwrap();
    let env = [("SECRET", &wrong), ("KEY", &key), ("ID", &id), ("W", &workload)];
    for yaml in [
        "{client_credentials: {client_id: robot, secret: {env: SECRET}}}".to_owned(),
        "{client_credentials: {client_id: nobody, secret: {env: SECRET}}}".to_owned(),
        "{private_key_jwt: {client_id: signer, key: {env: KEY}}}".to_owned(),
        "{private_key_jwt: {client_id: robot, key: {env: KEY}}}".to_owned(),
        "{refresh_token: {client_id: robot, token: {env: SECRET}}}".to_owned(),
        "{workload: {assertion: {env: W}}}".to_owned(),
        format!(
            "{{id_jag: {{client_id: robot, provider: {{issuer: '{server}', client_id: robot, id_token: {{env: ID}}}}}}}}"
        ),
    ] {
        let fault = world.persona(&yaml, &env).await.unwrap_err();
        assert!(fault.code.starts_with("credentials."), "{yaml}: {fault:?}");
    }
}

#[tokio::test]
async fn a_person_signs_in_by_each_way_to_a_client_id() {
    let world = World::start().await;
    world.issuer.enroll("ada", clerk()).unwrap();
    let document = world.issuer.client_document();
    for (registered, by_document, begins) in [
        (Some(Registered::new("ada", None)), None, "ada"),
        (None, Some(document.clone()), document.as_str()),
        (None, None, "rehearsal-test-client-"),
    ] {
        let token = world.token_of(&world.code(registered, by_document)).await.unwrap();
        let claims = world.claims(&token).await;
        assert_eq!(claims["sub"], "ada");
        assert!(claims["client_id"].as_str().unwrap().starts_with(begins), "{claims}");
    }
    let said = json_at(document.to_string()).await;
    assert_eq!(said["client_id"], document.as_str());
}

#[tokio::test]
async fn a_login_is_renewed_and_each_refresh_token_works_once() {
    let world = World::start().await;
    world.issuer.enroll("ada", clerk()).unwrap();
    let oauth = world.code(Some(Registered::new("ada", None)), None);
    let first = world.token_of(&oauth).await.unwrap();
    assert_eq!(world.token_of(&oauth).await.unwrap(), first, "a fresh token is kept");
    let codes = world.issuer.fetches().token;
    for round in 1..=3 {
        *world.hand.lock().unwrap() = Duration::from_secs(round * 300);
        let next = world.token_of(&oauth).await.unwrap();
        assert_ne!(next, first);
        assert_eq!(split(&next).1["sub"], "ada");
        assert_eq!(world.issuer.fetches().token, codes + round, "one request each, and no new consent");
    }
}

#[tokio::test]
async fn without_a_persona_nobody_consents() {
    let world = World::start().await;
    let fault = world.token_of(&world.code(None, None)).await.unwrap_err();
    assert!(fault.code.starts_with("credentials."), "{fault:?}");
    world.issuer.enroll("guest", Minted::default()).unwrap();
    let token = world.token_of(&world.code(None, None)).await.unwrap();
    assert_eq!(world.claims(&token).await["sub"], "guest");
}
