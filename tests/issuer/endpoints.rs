//! Refresh, exchange, assertions, revocation and registration, each with what is granted and what is refused.

use rehearsal::auth::issuer::Vouched;
use rehearsal::auth::{Flaw, Issuer, Minted};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::world::{AUDIENCE, accepted, accepted_for, clerk, json_at, keys_of, split, start};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:1/callback";

/// Asks endpoints that metadata names.
pub(crate) struct Asker {
    http: reqwest::Client,
    metadata: Value,
}

impl Asker {
    pub(crate) async fn new(issuer: &Issuer) -> Self {
        let policy = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(policy).build().unwrap();
        let metadata = json_at(format!("{}/.well-known/oauth-authorization-server", issuer.url())).await;
        Self { http, metadata }
    }

    fn at(&self, endpoint: &str) -> &str {
        self.metadata[endpoint].as_str().unwrap()
    }

    /// The status and the answer to a form.
    pub(crate) async fn form(&self, endpoint: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.http.post(self.at(endpoint)).form(fields).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The error of a refused token request.
    async fn refusal(&self, fields: &[(&str, &str)]) -> String {
        let (status, body) = self.form("token_endpoint", fields).await;
        assert!(status == 400 || status == 401, "{status} {body}");
        body["error"].as_str().unwrap().to_owned()
    }

    /// The answer of the authorization page to a client, `more` overriding what is usual.
    pub(crate) async fn page(&self, client: &str, more: &[(&str, &str)]) -> Result<Url, (u16, Value)> {
        let mut query = vec![
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", BACK),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", AUDIENCE),
        ];
        query.retain(|(name, _)| !more.iter().any(|(other, _)| name == other));
        query.extend(more);
        let answer = self.http.get(self.at("authorization_endpoint")).query(&query).send().await.unwrap();
        match answer.headers().get("location") {
            Some(to) => Ok(to.to_str().unwrap().parse().unwrap()),
            None => Err((answer.status().as_u16(), answer.json().await.unwrap_or_default())),
        }
    }

    pub(crate) async fn sign_in(&self, client: &str, more: &[(&str, &str)]) -> Value {
        let to = self.page(client, more).await.unwrap();
        let code = field(&to, "code").unwrap_or_else(|| panic!("{to}"));
        let (status, body) = self.form("token_endpoint", &redemption(client, &code)).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

fn redemption<'a>(client: &'a str, code: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
        ("code", code),
    ]
}

fn field(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whether introspection calls a token active.
async fn active(issuer: &Issuer, asker: &Asker, token: &str) -> bool {
    let (client, secret) = issuer.introspection_client();
    let fields = [("token", token), ("client_id", client), ("client_secret", secret.expose_secret())];
    asker.form("introspection_endpoint", &fields).await.1["active"] == true
}

#[tokio::test]
async fn a_used_refresh_token_ends_the_whole_family() {
    let (issuer, _) = start().await;
    issuer.enroll("ada", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let first = asker.sign_in("ada", &[]).await;
    let renew = |body: &Value| body["refresh_token"].as_str().unwrap().to_owned();
    let refresh = async |token: String| {
        let fields = [("grant_type", "refresh_token"), ("client_id", "ada"), ("refresh_token", &token)];
        asker.form("token_endpoint", &fields).await
    };
    let (status, second) = refresh(renew(&first)).await;
    assert_eq!(status, 200);
    assert_ne!(renew(&first), renew(&second), "each is rotated");
    let tokens = [&first, &second].map(|body| body["access_token"].as_str().unwrap());
    for token in tokens {
        assert!(accepted(&issuer, &keys_of(&issuer).await, token).is_ok());
        assert!(active(&issuer, &asker, token).await);
    }
    let (status, body) = refresh(renew(&first)).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")));
    for token in tokens {
        assert!(!active(&issuer, &asker, token).await, "what came of the grant ends with it");
    }
    assert_eq!(refresh(renew(&second)).await.0, 400, "the newest token as well");
}

#[tokio::test]
async fn refresh_tokens_stay_with_their_client_resource_and_scopes() {
    let (issuer, _) = start().await;
    let secret = issuer.enroll("ada", clerk()).unwrap();
    issuer.enroll("bob", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let token = issuer.refresh_token("ada", AUDIENCE).unwrap().unwrap();
    assert!(issuer.refresh_token("nobody", AUDIENCE).unwrap().is_none());
    assert!(!active(&issuer, &asker, token.expose_secret()).await, "it is no access token");
    let base = [("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    assert_eq!(asker.refusal(&with(&[("client_id", "bob")])).await, "invalid_grant");
    assert_eq!(asker.refusal(&with(&[])).await, "invalid_client");
    let fields = with(&[("client_id", "ada"), ("scope", "orders:read admin")]);
    let (status, body) = asker.form("token_endpoint", &fields).await;
    assert_eq!((status, body["scope"].as_str()), (200, Some("orders:read")), "never more than was granted");
    let (client, wrong) = (("client_id", "ada"), ("client_secret", "wrong"));
    let next = body["refresh_token"].as_str().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", next), client, wrong];
    assert_eq!(asker.refusal(&fields).await, "invalid_client");
    let proof = ("client_secret", secret.expose_secret());
    let other = ("resource", "https://another.example/mcp");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", next), client, proof, other];
    assert_eq!(asker.refusal(&fields).await, "invalid_target");
}

#[tokio::test]
async fn a_code_used_twice_takes_back_what_it_brought() {
    let (issuer, _) = start().await;
    issuer.enroll("ada", clerk()).unwrap();
    issuer.enroll("bob", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let to = asker.page("ada", &[]).await.unwrap();
    let code = field(&to, "code").unwrap();
    assert_eq!(asker.refusal(&redemption("bob", &code)).await, "invalid_grant", "another client's code");
    let (_, body) = asker.form("token_endpoint", &redemption("ada", &code)).await;
    let token = body["access_token"].as_str().unwrap();
    assert!(active(&issuer, &asker, token).await);
    assert_eq!(asker.refusal(&redemption("ada", &code)).await, "invalid_grant");
    assert!(!active(&issuer, &asker, token).await);
}

#[tokio::test]
async fn the_persona_that_consents_is_named_or_the_clients_own() {
    let (issuer, _) = start().await;
    for name in ["ada", "bob"] {
        issuer.enroll(name, clerk()).unwrap();
    }
    let asker = Asker::new(&issuer).await;
    let subject = |body: &Value| split(body["access_token"].as_str().unwrap()).1["sub"].clone();
    assert_eq!(subject(&asker.sign_in("bob", &[]).await), "bob");
    assert_eq!(subject(&asker.sign_in("bob", &[("login_hint", "ada")]).await), "ada");
    let narrow = asker.sign_in("bob", &[("scope", "orders:read other")]).await;
    assert_eq!(narrow["scope"], "orders:read");
    assert!(narrow.get("id_token").is_none());
    let openid = asker.sign_in("bob", &[("scope", "openid"), ("nonce", "n1")]).await;
    let (header, claims, _) = split(openid["id_token"].as_str().unwrap());
    assert_eq!(
        (&header["typ"], &claims["aud"], &claims["nonce"]),
        (&json!("JWT"), &json!("bob"), &json!("n1"))
    );
    for (more, error) in [
        (("login_hint", "eve"), "access_denied"),
        (("scope", "admin"), "invalid_scope"),
        (("resource", "no-uri"), "invalid_target"),
        (("resource", "https://x.example/mcp#part"), "invalid_target"),
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", "short"), "invalid_request"),
    ] {
        let to = asker.page("bob", &[more]).await.unwrap();
        assert_eq!((field(&to, "error").as_deref(), field(&to, "code")), (Some(error), None), "{more:?}");
        assert_eq!(field(&to, "iss").as_deref(), Some(issuer.url()), "RFC 9207 holds for errors, too");
    }
}

#[tokio::test]
async fn tokens_are_exchanged_for_another_audience() {
    let (issuer, _) = start().await;
    let secret = issuer.enroll("robot", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let token = issuer.mint(&clerk(), "ada", AUDIENCE).unwrap();
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let exchange = |subject: &str, more: &[(&str, &str)]| {
        let base = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", "robot"),
            ("client_secret", secret.expose_secret()),
            ("subject_token", subject),
            ("subject_token_type", kind),
        ];
        let fields: Vec<(String, String)> =
            base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let asker = &asker;
        async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            asker.form("token_endpoint", &fields).await
        }
    };
    let upstream = "https://upstream.example/api";
    let wanted = [("resource", upstream), ("scope", "orders:read")];
    let (status, body) = exchange(token.expose_secret(), &wanted).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["issued_token_type"], kind);
    let new = body["access_token"].as_str().unwrap();
    let claims = accepted_for(&issuer, &keys_of(&issuer).await, new, upstream).unwrap();
    assert_eq!((&claims["sub"], &claims["act"]), (&json!("ada"), &json!({"sub": "robot"})));
    assert_eq!(claims["scope"], "orders:read");
    assert!(accepted(&issuer, &keys_of(&issuer).await, new).is_err(), "no longer good for the first target");

    let refused = async |subject: &str, more: &[(&str, &str)]| {
        let (status, body) = exchange(subject, more).await;
        assert_eq!(status, 400, "{body}");
        body["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(token.expose_secret(), &[]).await, "invalid_target");
    assert_eq!(refused("not-a-token", &wanted).await, "invalid_request");
    let forged = Minted { flaw: Some(Flaw::ForeignKey), ..clerk() };
    let forged = issuer.mint(&forged, "ada", AUDIENCE).unwrap();
    assert_eq!(refused(forged.expose_secret(), &wanted).await, "invalid_request");
    issuer.revoke(token.expose_secret());
    assert_eq!(refused(token.expose_secret(), &wanted).await, "invalid_request");
}

#[tokio::test]
async fn assertions_are_for_this_server_and_client_and_work_once() {
    let (issuer, _) = start().await;
    issuer.enroll("robot", clerk()).unwrap();
    let asker = Asker::new(&issuer).await;
    let jag = |client: &'static str, server: &str, minted: &Minted| {
        let about = Vouched::IdJag { client, server, resource: Some(AUDIENCE) };
        issuer.vouch(minted, "ada", about).unwrap()
    };
    let fields = |assertion: &SecretString| {
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()),
            ("client_id", "robot".to_owned()),
            ("assertion", assertion.expose_secret().to_owned()),
        ]
    };
    let ask = async |assertion: &SecretString, more: &[(&str, &str)]| {
        let fields = fields(assertion);
        let mut all: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(more);
        let (status, body) = asker.form("token_endpoint", &all).await;
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    let good = jag("robot", issuer.url(), &clerk());
    let (header, claims, _) = split(good.expose_secret());
    assert_eq!((&header["typ"], &claims["resource"]), (&json!("oauth-id-jag+jwt"), &json!(AUDIENCE)));
    let wrong = ("resource", "https://another.example/mcp");
    assert_eq!(ask(&good, &[wrong]).await, (400, "invalid_target".to_owned()));
    assert_eq!(ask(&good, &[]).await.0, 200);
    assert_eq!(ask(&good, &[]).await, (400, "invalid_grant".to_owned()), "replayed");
    let flawed = |flaw| Minted { flaw: Some(flaw), ..clerk() };
    for (name, bad) in [
        ("another client", jag("other", issuer.url(), &clerk())),
        ("another server", jag("robot", "https://as.example", &clerk())),
        ("expired", jag("robot", issuer.url(), &flawed(Flaw::Expired))),
        ("unsigned", jag("robot", issuer.url(), &flawed(Flaw::AlgNone))),
        ("another issuer", jag("robot", issuer.url(), &flawed(Flaw::WrongIssuer))),
        ("an ID token", issuer.vouch(&clerk(), "ada", Vouched::IdToken { client: "robot" }).unwrap()),
        ("an access token", issuer.mint(&clerk(), "ada", issuer.url()).unwrap()),
    ] {
        assert_eq!(ask(&bad, &[]).await, (400, "invalid_grant".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn clients_take_back_their_own_tokens_only() {
    let (issuer, _) = start().await;
    for name in ["ada", "bob"] {
        issuer.enroll(name, clerk()).unwrap();
    }
    let asker = Asker::new(&issuer).await;
    let body = asker.sign_in("ada", &[]).await;
    let access = body["access_token"].as_str().unwrap();
    let revoke = async |client: &str, token: &str| {
        asker.form("revocation_endpoint", &[("client_id", client), ("token", token)]).await.0
    };
    assert_eq!(revoke("bob", access).await, 400);
    assert!(active(&issuer, &asker, access).await);
    assert_eq!(revoke("eve", access).await, 401);
    assert_eq!(revoke("ada", "unknown").await, 200, "what is unknown is over");
    assert_eq!(asker.form("revocation_endpoint", &[("client_id", "ada")]).await.0, 400);
    assert_eq!(revoke("ada", access).await, 200);
    assert!(!active(&issuer, &asker, access).await);

    let body = asker.sign_in("ada", &[]).await;
    let refresh = body["refresh_token"].as_str().unwrap();
    assert_eq!(revoke("ada", refresh).await, 200);
    assert!(!active(&issuer, &asker, body["access_token"].as_str().unwrap()).await);
    let fields = [("grant_type", "refresh_token"), ("client_id", "ada"), ("refresh_token", refresh)];
    assert_eq!(asker.refusal(&fields).await, "invalid_grant");
}
