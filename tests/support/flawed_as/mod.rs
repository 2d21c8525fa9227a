//! A small MCP server that is its own authorization server, with one switch per check that breaks exactly that.
//!
//! It consents by itself, keeps everything in memory and speaks 2025-11-25. It shares no code with the checks.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

mod documents;
mod machines;
mod proxy;
mod vouched;

type Params = HashMap<String, String>;
type Shared = State<Arc<Server>>;

/// A running server. It stops when it is dropped.
pub(crate) struct Flawed {
    pub(crate) origin: String,
    _stop: DropGuard,
}

struct Server {
    origin: String,
    broken: BTreeSet<&'static str>,
    /// The identity provider whose word counts.
    provider: Option<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    count: usize,
    /// Redirect addresses by client.
    clients: HashMap<String, Vec<String>>,
    codes: HashMap<String, Code>,
    /// The resource of each access token.
    tokens: HashMap<String, String>,
    /// The client and the resource of each refresh token that is in force.
    refresh: HashMap<String, (String, String)>,
    spent: HashSet<String>,
    /// What was forwarded and has not come back: the state of the proxy, and where it came from.
    forwarded: HashMap<String, String>,
    /// The refresh token that each code brought.
    brought: HashMap<String, String>,
    /// The method and the secret of each client that brings assertions.
    confidential: HashMap<String, (String, String)>,
    /// The public key of each machine, an uncompressed point.
    machines: HashMap<String, Vec<u8>>,
}

#[derive(Clone)]
struct Code {
    client: String,
    redirect: String,
    challenge: Option<(String, String)>,
    resource: String,
    made: std::time::Instant,
}

/// How long codes live in the mode `short`.
const SHORT: std::time::Duration = std::time::Duration::from_millis(80);

impl Flawed {
    /// Starts with these flaws: ids of checks, and `page`, `no-registration`, `no-refresh`, `no-machines`, `proxy`,
    /// `short` and the name of the only method by which clients prove themselves.
    pub(crate) async fn start(broken: &[&'static str]) -> Self {
        Self::trusting(None, broken).await
    }

    /// The same, taking the word of an identity provider for who somebody is, and the documents of clients from there
    /// if it speaks HTTPS.
    pub(crate) async fn trusting(provider: Option<&str>, broken: &[&'static str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Server {
            origin: origin.clone(),
            broken: broken.iter().copied().collect(),
            provider: provider.map(str::to_owned),
            kept: Mutex::default(),
        });
        let app = Router::new()
            .route("/.well-known/oauth-protected-resource/mcp", get(resource))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .route("/register", post(register))
            .route("/authorize", get(authorize))
            .route("/callback", get(proxy::callback))
            .route("/token", post(token))
            .route("/mcp", post(mcp))
            .with_state(server);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(stopped).into_future());
        Self { origin, _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }
}

impl Server {
    fn broken(&self, flaw: &str) -> bool {
        self.broken.contains(flaw)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    fn resource(&self) -> String {
        format!("{}/mcp", self.origin)
    }
}

impl Kept {
    fn name(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}-of-the-flawed-server-{:04}", self.count)
    }
}

fn refuse(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

async fn resource(State(server): Shared) -> Json<Value> {
    Json(json!({"resource": server.resource(), "authorization_servers": [server.origin]}))
}

async fn metadata(State(server): Shared) -> Json<Value> {
    let at = |path: &str| format!("{}/{path}", server.origin);
    let mut document = json!({
        "issuer": server.origin, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "registration_endpoint": at("register"), "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"], "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": !server.broken("J07.flag"),
    });
    if server.broken("no-registration") {
        document.as_object_mut().unwrap().remove("registration_endpoint");
    }
    if !server.broken("no-machines") {
        document["grant_types_supported"] =
            json!(["authorization_code", "refresh_token", "client_credentials"]);
        document["token_endpoint_auth_methods_supported"] = json!(["none", "private_key_jwt"]);
    }
    if server.provider.is_some() {
        document["grant_types_supported"] =
            json!(["authorization_code", "refresh_token", "client_credentials", vouched::GRANT]);
        document["authorization_grant_profiles_supported"] =
            json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    }
    for method in ["none", "client_secret_post", "client_secret_basic"] {
        if server.broken(method) {
            document["token_endpoint_auth_methods_supported"] = json!([method]);
        }
    }
    Json(document)
}

async fn register(State(server): Shared, Json(asked): Json<Value>) -> Response {
    if asked["token_endpoint_auth_method"] == "private_key_jwt" {
        return machines::register(&server, &asked);
    }
    if asked["grant_types"] == json!([vouched::GRANT]) {
        return vouched::register(&server, &asked);
    }
    let redirects: Vec<String> = serde_json::from_value(asked["redirect_uris"].clone()).unwrap_or_default();
    let safe = |uri: &String| uri.starts_with("https://") || uri.starts_with("http://127.0.0.1:");
    if redirects.is_empty() || (!redirects.iter().all(safe) && !server.broken("J06")) {
        return refuse("invalid_redirect_uri");
    }
    let mut kept = server.kept();
    let id = kept.name("client");
    kept.clients.insert(id.clone(), redirects.clone());
    let body = json!({"client_id": id, "redirect_uris": redirects, "token_endpoint_auth_method": "none"});
    (StatusCode::CREATED, Json(body)).into_response()
}

/// Whether the redirect address is one of the client's.
fn may_return(server: &Server, known: &[String], asked: &str) -> bool {
    known.iter().any(|one| one == asked || (server.broken("J02") && asked.starts_with(one.as_str())))
}

async fn authorize(State(server): Shared, Query(asked): Query<Params>) -> Response {
    let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let client = of("client_id").to_owned();
    let registered = server.kept().clients.get(&client).cloned();
    let known = match registered {
        Some(known) => known,
        None if server.broken("J08") && client.starts_with("http://127.0.0.1") => {
            // What it finds does not matter: it should not have looked.
            let _ = reqwest::get(&client).await;
            return refuse("invalid_client");
        }
        None if documents::is_near(&server, &client) => match documents::fetched(&server, &client).await {
            Some(known) => known,
            None => return refuse("invalid_client"),
        },
        None if server.broken("J08.any") && client.starts_with("http") => vec![of("redirect_uri").to_owned()],
        None => return refuse("invalid_client"),
    };
    if !may_return(&server, &known, of("redirect_uri")) {
        return refuse("invalid_request");
    }
    let asks = (server.broken("page") || server.broken("proxy")) && !server.broken("J09");
    if asks && of("login_hint").is_empty() {
        return proxy::page(&server);
    }
    if server.broken("proxy") {
        return proxy::forward(&server, &asked);
    }
    let mut to = url::Url::parse(of("redirect_uri")).unwrap();
    let outcome = granted(&server, &asked);
    let name = if outcome.is_ok() { "code" } else { "error" };
    to.query_pairs_mut().append_pair(name, outcome.as_ref().unwrap_or_else(|error| error));
    if !(server.broken("J07") || (server.broken("J07.error") && name == "error")) {
        to.query_pairs_mut().append_pair("iss", &server.origin);
    }
    (StatusCode::FOUND, [(header::LOCATION, to.to_string())]).into_response()
}

fn granted(server: &Server, asked: &Params) -> Result<String, String> {
    let of = |name: &str| asked.get(name).cloned();
    if of("response_type").as_deref() != Some("code") {
        return Err("unsupported_response_type".to_owned());
    }
    let method = of("code_challenge_method").unwrap_or_else(|| "plain".to_owned());
    let challenge = of("code_challenge").map(|challenge| (challenge, method));
    let fits = match &challenge {
        Some((_, method)) => method == "S256" || server.broken("J01.plain"),
        None => server.broken("J01"),
    };
    if !fits {
        return Err("invalid_request".to_owned());
    }
    let resource = of("resource").unwrap_or_default();
    if resource != server.resource() && !server.broken("J04") {
        return Err("invalid_target".to_owned());
    }
    let mut kept = server.kept();
    let code = kept.name("code");
    let (client, redirect) = (of("client_id").unwrap_or_default(), of("redirect_uri").unwrap_or_default());
    let made = std::time::Instant::now();
    kept.codes.insert(code.clone(), Code { client, redirect, challenge, resource, made });
    Ok(code)
}

async fn token(State(server): Shared, headers: HeaderMap, Form(asked): Form<Params>) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match asked.get("grant_type").map(String::as_str) {
        Some("authorization_code") => redeemed(&server, &asked),
        Some("refresh_token") => renewed(&server, &asked),
        Some("client_credentials") => machines::token(&server, &asked),
        Some(vouched::GRANT) => vouched::token(&server, authorization, &asked).await,
        _ => refuse("unsupported_grant_type"),
    }
}

fn redeemed(server: &Server, asked: &Params) -> Response {
    let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let code = of("code");
    let mut kept = server.kept();
    let Some(known) = kept.codes.get(code).cloned() else { return refuse("invalid_grant") };
    let fits = match &known.challenge {
        None => true,
        Some((challenge, method)) if method == "plain" => challenge == of("code_verifier"),
        Some((challenge, _)) => {
            *challenge == URL_SAFE_NO_PAD.encode(digest(&SHA256, of("code_verifier").as_bytes()))
                || (server.broken("J01.verifier") && !of("code_verifier").is_empty())
                || (server.broken("J01.none") && of("code_verifier").is_empty())
        }
    };
    let own = known.client == of("client_id") || server.broken("J03.client");
    let bound = known.redirect == of("redirect_uri") || server.broken("J03.redirect");
    let old = server.broken("short") && known.made.elapsed() > SHORT && !server.broken("J03.life");
    if !fits || !own || !bound || old {
        return refuse("invalid_grant");
    }
    if !kept.spent.insert(code.to_owned()) && !server.broken("J03") {
        let brought = kept.brought.get(code).filter(|_| !server.broken("J03.revoke")).cloned();
        brought.and_then(|refresh| kept.refresh.remove(&refresh));
        return refuse("invalid_grant");
    }
    let before: HashSet<String> = kept.refresh.keys().cloned().collect();
    let granted = grant(server, &mut kept, (known.client, known.resource));
    let new = kept.refresh.keys().find(|token| !before.contains(*token)).cloned();
    if let Some(new) = new {
        kept.brought.insert(code.to_owned(), new);
    }
    granted
}

fn renewed(server: &Server, asked: &Params) -> Response {
    let of = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let mut kept = server.kept();
    let known = match server.broken("J05") || server.broken("J05.same") {
        true => kept.refresh.get(of("refresh_token")).cloned(),
        false => kept.refresh.remove(of("refresh_token")),
    };
    match known {
        Some(known) if known.0 == of("client_id") => grant(server, &mut kept, known),
        _ => refuse("invalid_grant"),
    }
}

fn grant(server: &Server, kept: &mut Kept, (client, resource): (String, String)) -> Response {
    let name = kept.name("token");
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let audience = if server.broken("J04.audience") { server.origin.clone() } else { resource.clone() };
    let token = format!("{}.{}.{name}", part(json!({"alg": "none"})), part(json!({"aud": audience})));
    kept.tokens.insert(token.clone(), resource.clone());
    let mut body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 600});
    if !server.broken("no-refresh") {
        let refresh = match server.broken("J05.same") {
            true => format!("refresh-of-{client}"),
            false => kept.name("refresh"),
        };
        kept.refresh.insert(refresh.clone(), (client, resource));
        body["refresh_token"] = json!(refresh);
    }
    match server.broken("J10") {
        true => Json(body).into_response(),
        false => ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response(),
    }
}

async fn mcp(State(server): Shared, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.strip_prefix("Bearer "));
    let resource = token.and_then(|token| server.kept().tokens.get(token).cloned());
    if resource.is_none_or(|resource| resource != server.resource() && !server.broken("J04")) {
        let place = format!("{}/.well-known/oauth-protected-resource/mcp", server.origin);
        let challenge = format!("Bearer resource_metadata=\"{place}\"");
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    }
    let answer =
        |result: Value| Json(json!({"jsonrpc": "2.0", "id": asked["id"], "result": result})).into_response();
    match asked["method"].as_str() {
        Some("initialize") => answer(json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "flawed", "version": "1"}})),
        Some("tools/list") => answer(json!({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]})),
        Some(method) if method.starts_with("notifications/") => StatusCode::ACCEPTED.into_response(),
        _ => Json(json!({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "no such method"}}))
            .into_response(),
    }
}
