//! A target and its authorization server on one loopback port. Both behave; a test says where they do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rehearsal::auth::client::{Consenting, Grant, Means, Memory, OAuth, Settings, Wallet};
use rehearsal::mcp::{Asking, Rejection, TokenSource};
use rehearsal::transcript::{Clock, Fault, Recorder, Secrets};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Query and form together.
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) base: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn call(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

type Script = Arc<dyn Fn(&Seen) -> Option<Response<Body>> + Send + Sync>;

#[derive(Clone)]
struct Inner {
    base: String,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Tokens that the target accepts.
    good: Arc<Mutex<Vec<String>>>,
    granted: Arc<Mutex<u32>>,
    challenge: Arc<Mutex<Option<String>>>,
}

/// The target, its authorization server, and an hour hand.
pub(crate) struct World {
    inner: Inner,
    hand: Arc<Mutex<Duration>>,
    http: reqwest::Client,
    pub(crate) secrets: Secrets,
    pub(crate) wallet: Arc<Memory>,
}

impl World {
    /// Everybody behaves but where `script` answers.
    pub(crate) async fn start(
        script: impl Fn(&Seen) -> Option<Response<Body>> + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            base: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(script),
            seen: Arc::default(),
            good: Arc::default(),
            granted: Arc::default(),
            challenge: Arc::default(),
        };
        let app = Router::new().fallback(serve).with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let http = reqwest::Client::new();
        Self { inner, hand: Arc::default(), http, secrets: Secrets::default(), wallet: Arc::default() }
    }

    pub(crate) async fn polite() -> Self {
        Self::start(|_| None).await
    }

    pub(crate) fn base(&self) -> &str {
        &self.inner.base
    }

    pub(crate) fn target(&self) -> Url {
        format!("{}/mcp", self.inner.base).parse().unwrap()
    }

    pub(crate) fn seen(&self, call: &str) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().iter().filter(|seen| seen.call() == call).cloned().collect()
    }

    /// All requests in short, but those to the target itself.
    pub(crate) fn calls(&self) -> Vec<String> {
        let seen = self.inner.seen.lock().unwrap();
        seen.iter().map(Seen::call).filter(|call| call != "POST /mcp").collect()
    }

    /// What the target says with its next refusals, in place of its usual challenge.
    pub(crate) fn challenge(&self, text: &str) {
        *self.inner.challenge.lock().unwrap() = Some(text.to_owned());
    }

    /// From now on the target takes no token that was granted before.
    pub(crate) fn revoke(&self) {
        self.inner.good.lock().unwrap().clear();
    }

    pub(crate) fn wait(&self, seconds: u64) {
        *self.hand.lock().unwrap() += Duration::from_secs(seconds);
    }

    pub(crate) fn means(&self) -> Means {
        let hand = Arc::clone(&self.hand);
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || *hand.lock().unwrap());
        let wallet = Arc::clone(&self.wallet) as Arc<dyn Wallet>;
        Means { wallet, secrets: self.secrets.clone(), clock }
    }

    /// A record of its own.
    pub(crate) fn log(&self) -> Recorder {
        Recorder::new(self.means().clock, self.secrets.clone())
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { patience: Duration::from_secs(5), ..Settings::new(self.target(), code()) }
    }

    pub(crate) fn oauth(&self) -> OAuth {
        OAuth::new(self.settings(), self.means())
    }

    /// One request to the target, sent again as long as the identity has other credentials.
    pub(crate) async fn ask(&self, oauth: &OAuth) -> Result<u16, Fault> {
        self.ask_into(oauth, None).await
    }

    /// The same, recorded.
    pub(crate) async fn ask_into(&self, oauth: &OAuth, log: Option<&Recorder>) -> Result<u16, Fault> {
        let url = self.target();
        let mut refused: Option<Rejection> = None;
        loop {
            let headers =
                oauth.headers(Asking { method: "POST", url: &url, refused: refused.as_ref(), log }).await?;
            let shown = |all: &[(String, secrecy::SecretString)]| -> Vec<(String, String)> {
                all.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
            };
            if let Some(refused) = &refused
                && shown(&refused.sent) == shown(&headers)
            {
                return Ok(refused.status);
            }
            let mut request = self.http.post(url.clone()).body("{}");
            for (name, value) in shown(&headers) {
                request = request.header(name, value);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text =
                |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            if !matches!(status, 401 | 403) {
                if let Some(nonce) = text("dpop-nonce") {
                    oauth.nonce(&nonce);
                }
                return Ok(status);
            }
            let attempt = refused.map_or(0, |refused| refused.attempt) + 1;
            assert!(attempt < 10, "without end");
            let challenge = text("www-authenticate").unwrap_or_default();
            refused =
                Some(Rejection { status, challenge, nonce: text("dpop-nonce"), attempt, sent: headers });
        }
    }

    /// The same, for a request that must fail before it is sent again.
    pub(crate) async fn fault(&self, oauth: &OAuth) -> Fault {
        self.ask(oauth).await.expect_err("it should have given up")
    }
}

/// An authorization code from a server that consents by itself.
pub(crate) fn code() -> Grant {
    Grant::Code { visitor: Arc::new(Consenting::new().unwrap()), registered: None, document: None }
}

async fn serve(
    State(inner): State<Inner>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let query = uri.query().unwrap_or_default();
    let form = url::form_urlencoded::parse(query.as_bytes()).chain(url::form_urlencoded::parse(&body));
    let seen = Seen {
        method,
        path: uri.path().to_owned(),
        headers,
        fields: form.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        body: body.to_vec(),
        base: inner.base.clone(),
    };
    inner.seen.lock().unwrap().push(seen.clone());
    if let Some(response) = (inner.script)(&seen) {
        return response;
    }
    match seen.call().as_str() {
        "GET /.well-known/oauth-protected-resource/mcp" => ok(&resource(&seen.base)),
        "GET /.well-known/oauth-authorization-server" => ok(&server(&seen.base)),
        "POST /register" => answer(201, &json!({"client_id": "client-1"})),
        "GET /authorize" => consent(&seen, &[("code", "code-1"), ("iss", &seen.base)]),
        "POST /token" => inner.token(&seen),
        "POST /mcp" => inner.mcp(&seen),
        _ => answer(404, &json!({})),
    }
}

impl Inner {
    fn token(&self, seen: &Seen) -> Response<Body> {
        let grant = seen.field("grant_type");
        if grant == "authorization_code" && !pkce_fits(self, seen) {
            return answer(400, &json!({"error": "invalid_grant"}));
        }
        let mut granted = self.granted.lock().unwrap();
        *granted += 1;
        let token = format!("access-token-{granted}");
        self.good.lock().unwrap().push(token.clone());
        ok(&json!({
            "access_token": token, "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": format!("refresh-token-{granted}"),
        }))
    }

    fn mcp(&self, seen: &Seen) -> Response<Body> {
        let token = seen.header("authorization").split_once(' ').map(|(_, token)| token.to_owned());
        if token.is_some_and(|token| self.good.lock().unwrap().contains(&token)) {
            return ok(&json!({}));
        }
        let challenge = self.challenge.lock().unwrap().clone().unwrap_or_else(|| {
            format!("Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", self.base)
        });
        refuse(401, &challenge)
    }
}

fn pkce_fits(inner: &Inner, seen: &Seen) -> bool {
    let asked = inner.seen.lock().unwrap();
    let Some(asked) = asked.iter().rev().find(|seen| seen.path.ends_with("/authorize")) else { return false };
    let digest =
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seen.field("code_verifier").as_bytes());
    asked.field("code_challenge_method") == "S256"
        && URL_SAFE_NO_PAD.encode(digest) == asked.field("code_challenge")
        && asked.field("redirect_uri") == seen.field("redirect_uri")
}

/// Well-behaved resource metadata.
pub(crate) fn resource(base: &str) -> Value {
    json!({"resource": format!("{base}/mcp"), "authorization_servers": [base], "scopes_supported": ["mcp:read"]})
}

/// Well-behaved metadata of an authorization server.
pub(crate) fn server(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// The same with something else in it; `null` removes.
pub(crate) fn with(mut document: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(document.as_object_mut().unwrap().shift_remove(name)),
        value => document[name] = value,
    }
    document
}

/// Sends the visitor back with its own `state` and these parameters.
pub(crate) fn consent(seen: &Seen, params: &[(&str, &str)]) -> Response<Body> {
    let mut to = Url::parse(seen.field("redirect_uri")).unwrap();
    to.query_pairs_mut().append_pair("state", seen.field("state")).extend_pairs(params);
    redirect(to.as_str())
}

pub(crate) fn redirect(to: &str) -> Response<Body> {
    Response::builder().status(302).header("location", to).body(Body::empty()).unwrap()
}

pub(crate) fn refuse(status: u16, challenge: &str) -> Response<Body> {
    Response::builder().status(status).header("www-authenticate", challenge).body(Body::empty()).unwrap()
}

pub(crate) fn ok(body: &Value) -> Response<Body> {
    answer(200, body)
}

pub(crate) fn answer(status: u16, body: &Value) -> Response<Body> {
    let body = Body::from(body.to_string());
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}
