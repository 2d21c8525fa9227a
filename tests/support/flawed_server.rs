//! A small MCP server that does its authorization duties, except for the one that a test names.
//!
//! It is written from the texts and shares no code with the checks: tokens are verified with another library than the
//! one that signs them.

#![expect(clippy::unwrap_used, reason = "a broken set-up should stop the test at once")]

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

/// In place of a flaw: knows only the revision without sessions.
pub(crate) const MODERN_ONLY: &str = "modern only";

const SESSION: &str = "6f1c7b0e-5c1c-4f0e-9d55-0b8f6a3f2a11";

/// A running server; `flaw` is the id of the check that it must fail, or empty.
pub(crate) struct FlawedServer {
    pub(crate) url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FlawedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Server {
    flaw: &'static str,
    host: String,
    issuer: String,
    keys: JwkSet,
    pem: String,
}

impl FlawedServer {
    /// Starts on loopback, trusting the issuer at `issuer`.
    pub(crate) async fn start(flaw: &'static str, issuer: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let keys: JwkSet = reqwest::get(format!("{issuer}/jwks")).await.unwrap().json().await.unwrap();
        let pem = pem_of(&keys.keys[0]);
        let url = format!("http://{host}/mcp");
        let server = Arc::new(Server { flaw, host, issuer: issuer.to_owned(), keys, pem });
        let app = Router::new().fallback(handle).with_state(server);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, task }
    }
}

/// SubjectPublicKeyInfo of an RSA key, built by hand.
fn pem_of(key: &Jwk) -> String {
    let json = serde_json::to_value(key).unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(json[name].as_str().unwrap()).unwrap();
    let wrap = |tag: u8, body: Vec<u8>| {
        let mut out = vec![tag];
        match body.len() {
            short @ 0..=127 => out.push(short as u8),
            long @ 128..=255 => out.extend([0x81, long as u8]),
            long => out.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        out.extend(body);
        out
    };
    let integer = |bytes: Vec<u8>| wrap(2, if bytes[0] > 127 { [vec![0], bytes].concat() } else { bytes });
    let rsa = wrap(0x30, [integer(part("n")), integer(part("e"))].concat());
    let algorithm =
        vec![0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = wrap(3, [vec![0], rsa].concat());
    let text = base64::engine::general_purpose::STANDARD.encode(wrap(0x30, [algorithm, bits].concat()));
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
    match parts.uri.path() {
        "/mcp" => server.mcp(&parts.method, &parts.uri, &parts.headers, &body),
        "/.well-known/oauth-protected-resource/mcp" if !server.has("B01") && !server.has("A05") => {
            server.resource_metadata()
        }
        "/.well-known/oauth-authorization-server/as" if !server.has("C01") => server.server_metadata(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What a server of the revision without sessions refuses: the handshake, and headers that disagree with the body.
fn modern_refusal(headers: &HeaderMap, message: &Value) -> Option<Response> {
    let error = |code: i64| {
        let body =
            json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": "refused"}});
        Some((StatusCode::BAD_REQUEST, Json(body)).into_response())
    };
    if message["method"] == "initialize" {
        return error(-32022);
    }
    let agrees = |name: &str, value: &Value| {
        headers.get(name).is_some_and(|header| *value == *header.to_str().unwrap())
    };
    let meta = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    match agrees("mcp-method", &message["method"]) && agrees("mcp-protocol-version", meta) {
        true => None,
        false => error(-32020),
    }
}

impl Server {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn resource_metadata(&self) -> Response {
        let server = match self.flaw {
            "B04" => format!("{}?tenant=1", self.issuer),
            "B05" => format!("{}/", self.issuer),
            flaw if flaw.starts_with('C') => format!("http://{}/as", self.host),
            _ => self.issuer.clone(),
        };
        Json(json!({
            "resource": if self.has("B02") { "https://elsewhere.example/mcp".into() } else { format!("http://{}/mcp", self.host) },
            "authorization_servers": if self.has("B03") { vec![] } else { vec![server] },
            "bearer_methods_supported": if self.has("B07") { vec!["header", "query"] } else { vec!["header"] },
            "scopes_supported": ["mcp:read"],
        }))
        .into_response()
    }

    /// Only asked for when a flaw of group C is on.
    fn server_metadata(&self) -> Response {
        let own = format!("http://{}/as", self.host);
        let token = if self.has("C03") { "http://as.example/token".into() } else { format!("{own}/token") };
        let methods = if self.has("C04") { vec!["plain"] } else { vec!["S256"] };
        Json(json!({
            "issuer": if self.has("C02") { format!("{own}/other") } else { own.clone() },
            "authorization_endpoint": format!("{own}/authorize"),
            "token_endpoint": token,
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": methods,
            "grant_types_supported": if self.has("C08") { vec!["password"] } else { vec!["authorization_code"] },
            "authorization_response_iss_parameter_supported": !self.has("C05"),
        }))
        .into_response()
    }

    fn mcp(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let foreign = text("origin").is_some_and(|origin| origin != format!("http://{}", self.host));
        if foreign && !self.has("H01") || text("host") != Some(&self.host) && !self.has("H02") {
            return StatusCode::FORBIDDEN.into_response();
        }
        if self.has("A03") && method != Method::POST {
            return StatusCode::OK.into_response();
        }
        let claims = match self.token(uri, headers) {
            Some(token) => match self.verify(&token) {
                Ok(claims) => claims,
                Err(why) => return self.bad_token(&why),
            },
            None if self.admits_nobody(headers) => json!({"scope": "mcp:read"}),
            None => return self.unauthorized(),
        };
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        let scoped = claims["scope"].as_str().unwrap_or_default().split(' ').any(|scope| scope == "mcp:read");
        if message["method"] == "tools/list" && !scoped && !self.has("F01") {
            return self.forbidden();
        }
        if self.has(MODERN_ONLY)
            && let Some(refusal) = modern_refusal(headers, &message)
        {
            return refusal;
        }
        self.answer(method, &message)
    }

    fn answer(&self, method: &Method, message: &Value) -> Response {
        let id = &message["id"];
        let result = match (method, message["method"].as_str()) {
            (&Method::DELETE, _) => return StatusCode::NO_CONTENT.into_response(),
            (&Method::POST, Some("initialize")) => json!({
                "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                "serverInfo": {"name": "flawed", "version": "1"},
            }),
            (&Method::POST, Some("tools/list")) => json!({"tools": [{
                "name": "whoami", "annotations": {"readOnlyHint": true},
                "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
            }]}),
            (&Method::POST, Some("tools/call")) => json!({"content": [{"type": "text", "text": "you"}]}),
            (&Method::POST, Some(_)) => return StatusCode::ACCEPTED.into_response(),
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        };
        // As a stream, the way most servers answer.
        let event = format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": id, "result": result}));
        ([("content-type", "text/event-stream"), ("mcp-session-id", SESSION)], event).into_response()
    }

    fn token(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(value) = text("authorization") {
            let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
            let known = match self.flaw {
                "E05" => scheme == "Bearer",
                "E06" => matches!(scheme, "Bearer" | "Token"),
                _ => scheme.eq_ignore_ascii_case("bearer"),
            };
            return (known && !token.is_empty()).then(|| token.to_owned());
        }
        match self.flaw {
            "E01" => uri.query()?.strip_prefix("access_token=").map(str::to_owned),
            "E02.cookie" => text("cookie")?.strip_prefix("access_token=").map(str::to_owned),
            "E02.header" => text("x-access-token").map(str::to_owned),
            _ => None,
        }
    }

    fn admits_nobody(&self, headers: &HeaderMap) -> bool {
        match self.flaw {
            "A01" => true,
            "D02" => headers.get("authorization").is_some_and(|value| value == "Bearer"),
            "E07" => headers.contains_key("mcp-session-id"),
            _ => false,
        }
    }

    fn verify(&self, token: &str) -> Result<Value, String> {
        let mut parts = token.split('.');
        let mut part = || {
            let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        };
        let (Some(header), Some(claims)) = (part(), part()) else {
            return if self.has("D01") { Ok(json!({"scope": "mcp:read"})) } else { Err("malformed".into()) };
        };
        if self.has("D00") {
            return Err("nobody is let in".into());
        }
        let algorithm = header["alg"].as_str().unwrap_or_default();
        if header.get("crit").is_some() && !self.has("D15") {
            return Err("unknown critical extension".into());
        }
        let key = match (algorithm, self.flaw) {
            ("none", "D11") => return Ok(claims),
            ("HS256", "D12") => DecodingKey::from_secret(self.pem.as_bytes()),
            ("RS256" | "ES256", _) => match self.key(&header) {
                Some(key) => key,
                None if self.has("D10") => return Ok(claims),
                None => return Err("unknown key".into()),
            },
            _ => return Err("algorithm".into()),
        };
        let rules = self.rules(algorithm, &claims);
        let decoded = jsonwebtoken::decode::<Value>(token, &key, &rules);
        match (decoded, self.flaw) {
            (Ok(data), _) => Ok(data.claims),
            // Whatever the claims are, these three only ignore the signature.
            (Err(error), "D07" | "D08" | "D09") if error.to_string() == "InvalidSignature" => Ok(claims),
            (Err(error), _) => Err(error.to_string()),
        }
    }

    fn key(&self, header: &Value) -> Option<DecodingKey> {
        if self.has("D13")
            && let Some(own) = header.get("jwk")
        {
            return DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(own.clone()).unwrap()).ok();
        }
        DecodingKey::from_jwk(self.keys.find(header["kid"].as_str()?)?).ok()
    }

    fn rules(&self, algorithm: &str, claims: &Value) -> Validation {
        let mut rules = Validation::new(match algorithm {
            "HS256" => Algorithm::HS256,
            "ES256" => Algorithm::ES256,
            _ => Algorithm::RS256,
        });
        let own = format!("http://{}/mcp", self.host);
        let mut required = vec!["exp", "iss", "aud", "sub"];
        let claimed = claims["aud"].as_str().unwrap_or_default();
        rules.leeway = 5;
        rules.validate_exp = !self.has("D03");
        rules.validate_nbf = !self.has("D05");
        rules.validate_aud = match self.flaw {
            "D19" => false,
            "D21" => !claimed.starts_with(&own),
            "D25" => !claims["aud"].is_array(),
            "D26" => claimed != claims["client_id"].as_str().unwrap_or_default(),
            _ => true,
        };
        rules.set_audience(&[&own]);
        match self.flaw {
            "D17" => {}
            "D18.slash" => rules.set_issuer(&[self.issuer.clone(), format!("{}/", self.issuer)]),
            _ => rules.set_issuer(&[&self.issuer]),
        }
        match self.flaw {
            "D18" => required.retain(|name| *name != "iss"),
            "D20" => required.retain(|name| *name != "aud"),
            _ => {}
        }
        rules.set_required_spec_claims(&required);
        rules
    }

    fn metadata_url(&self) -> String {
        format!("http://{}/.well-known/oauth-protected-resource/mcp", self.host)
    }

    fn challenge(&self, status: StatusCode, params: &[(&str, &str)]) -> Response {
        if self.has("A04") {
            return status.into_response();
        }
        let mut parts: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        if !self.has("A05") {
            parts.push(format!("resource_metadata=\"{}\"", self.metadata_url()));
        }
        (status, [("www-authenticate", format!("Bearer {}", parts.join(", ")))]).into_response()
    }

    fn unauthorized(&self) -> Response {
        let scope = match self.flaw {
            "A10" => "mcp:read offline_access",
            "A11" => "*",
            _ => "mcp:read",
        };
        let params: &[(&str, &str)] = match self.flaw {
            "A07" => &[("error", "invalid_token"), ("scope", scope)],
            "A09" => &[],
            _ => &[("scope", scope)],
        };
        self.challenge(StatusCode::UNAUTHORIZED, params)
    }

    fn bad_token(&self, why: &str) -> Response {
        let text = if self.has("A06") { format!("\"token\" is bad: {why}") } else { "refused".into() };
        match self.flaw {
            "A08" => self.challenge(StatusCode::UNAUTHORIZED, &[]),
            _ => self.challenge(
                StatusCode::UNAUTHORIZED,
                &[("error", "invalid_token"), ("error_description", &text)],
            ),
        }
    }

    fn forbidden(&self) -> Response {
        match self.flaw {
            "F01.challenge" => StatusCode::FORBIDDEN.into_response(),
            _ => self
                .challenge(StatusCode::FORBIDDEN, &[("error", "insufficient_scope"), ("scope", "mcp:read")]),
        }
    }
}
