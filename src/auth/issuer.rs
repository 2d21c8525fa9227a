//! The embedded authorization server: what a target needs to verify the harness's own tokens.
//!
//! It listens on 127.0.0.1 at a random port, with keys made for the run, and ends with it. Metadata and public keys
//! are open to local programs; every other path begins with a random part that only metadata names. It answers no
//! browser page of another origin, follows no link, and never logs a token.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Minted;
use super::grants::{self, Code, Enrolled};
use super::keys::{self, Keys};
use super::token::{self, Grant};
use crate::transcript::{Clock, Fault, Secrets, Side};

/// The authorization server of one run. It stops when it is dropped.
pub struct Issuer {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

/// What the handlers share.
pub(super) struct Shared {
    pub(super) url: String,
    pub(super) hidden: String,
    pub(super) codes: Mutex<HashMap<String, Code>>,
    pub(super) enrolled: Mutex<BTreeMap<String, Enrolled>>,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    keys: Keys,
    run: String,
    hosts: [String; 2],
}

impl Issuer {
    /// Starts on a random port of 127.0.0.1. Every token it signs is registered in `secrets` before anybody sees it;
    /// `clock` decides when tokens begin and end.
    pub async fn start(secrets: Secrets, clock: Clock) -> Result<Self, Fault> {
        Self::start_on(0, secrets, clock).await
    }

    /// The same at a fixed port; 0 takes a free one.
    pub async fn start_on(port: u16, secrets: Secrets, clock: Clock) -> Result<Self, Fault> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
            let text = format!("the embedded issuer cannot listen on 127.0.0.1:{port}: {error}");
            Fault::new(Side::Harness, "issuer.listen", text)
        })?;
        let port = listener.local_addr().map_err(|error| listen_fault(&error))?.port();
        let run = uuid::Uuid::now_v7().to_string();
        let tag = run[run.len() - 12..].to_owned();
        let shared = Arc::new(Shared {
            url: format!("http://127.0.0.1:{port}"),
            hidden: keys::random_text()?,
            codes: Mutex::default(),
            enrolled: Mutex::default(),
            clock,
            secrets,
            keys: Keys::generate(&tag)?,
            run,
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
        });
        let stop = CancellationToken::new();
        let serving = axum::serve(listener, router(&shared));
        tokio::spawn(serving.with_graceful_shutdown(stop.clone().cancelled_owned()).into_future());
        let warming = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || warming.keys.warm());
        Ok(Self { shared, stop })
    }

    /// The issuer identifier, without a slash at the end: `iss` of every good token, byte for byte.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The id that every token of this issuer carries as `rehearsal_run`.
    pub fn run(&self) -> &str {
        &self.shared.run
    }

    /// Lets a name ask for tokens at the token endpoint: with the returned secret (client credentials) or, as a public
    /// client, with an authorization code that is granted without asking anybody.
    pub fn enroll(&self, name: &str, minted: Minted) -> Result<SecretString, Fault> {
        token::lifetime(&minted)?;
        let secret = keys::random_text()?;
        self.shared.secrets.register(&format!("client:{name}"), &secret);
        let enrolled = Enrolled { minted, secret: SecretString::from(secret.clone()) };
        lock(&self.shared.enrolled).insert(name.to_owned(), enrolled);
        Ok(SecretString::from(secret))
    }

    /// A token for `audience` with the persona's claims and at most one flaw. `subject` stands in for a persona that
    /// names none. The first call may block for a tenth of a second while a key is generated.
    pub fn mint(&self, minted: &Minted, subject: &str, audience: &str) -> Result<SecretString, Fault> {
        self.shared.mint(minted, subject, audience)
    }

    /// Stops listening; open connections end with their answer.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.shared.url)
    }
}

impl Shared {
    /// Signs a token and registers it as a secret.
    pub(super) fn mint(&self, minted: &Minted, subject: &str, audience: &str) -> Result<SecretString, Fault> {
        let grant = Grant {
            issuer: &self.url,
            subject,
            audience,
            run: &self.run,
            now: self.clock.wall().as_second(),
        };
        let token = token::write(&self.keys, minted, grant)?;
        self.secrets.register_jwt(&format!("token:{subject}"), &token);
        Ok(SecretString::from(token))
    }

    /// An endpoint whose path cannot be guessed.
    pub(super) fn endpoint(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url, self.hidden)
    }
}

/// A lock that a panicking handler cannot poison for the others.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen_fault(error: &std::io::Error) -> Fault {
    Fault::new(Side::Harness, "issuer.listen", format!("the embedded issuer cannot listen: {error}"))
}

fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks", get(jwks))
        .route(&format!("/{}/authorize", shared.hidden), get(grants::authorize))
        .route(&format!("/{}/token", shared.hidden), post(grants::token))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .layer(from_fn_with_state(Arc::clone(shared), guard))
        .with_state(Arc::clone(shared))
}

/// RFC 8414. It names only what exists.
async fn metadata(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!({
        "issuer": shared.url,
        "jwks_uri": format!("{}/jwks", shared.url),
        "authorization_endpoint": shared.endpoint("authorize"),
        "token_endpoint": shared.endpoint("token"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": "tokens of this issuer are for tests; trust it in test set-ups only",
    }))
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Response {
    // The key may still be in the making, and that blocks.
    let made = tokio::task::spawn_blocking(move || shared.keys.jwks()).await;
    match made {
        Ok(Ok(keys)) => Json(keys).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Turns away foreign hosts (DNS rebinding) and foreign origins (pages in a browser), and forbids framing and sniffing.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if !trusted(&shared, request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn trusted(shared: &Shared, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = text(header::HOST).is_some_and(|host| shared.hosts.iter().any(|known| known == host));
    let origin = match headers.contains_key(header::ORIGIN) {
        true => text(header::ORIGIN) == Some(shared.url.as_str()),
        false => true,
    };
    host && origin
}
