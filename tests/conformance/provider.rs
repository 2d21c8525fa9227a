//! An authorization server and a protected MCP server, with what the scenarios vary about them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::site::{Asked, Site};

/// What the answer to an authorization says of its issuer (RFC 9207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Iss {
    Right,
    Wrong,
    Slashed,
    Absent,
}

/// An authorization server.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// `authorization_response_iss_parameter_supported`.
    pub(crate) promises_iss: Option<bool>,
    pub(crate) iss: Iss,
    /// The issuer in the metadata, where it is not the server's own.
    pub(crate) claims_to_be: Option<&'static str>,
    /// How clients authenticate at the token endpoint.
    pub(crate) method: &'static str,
    /// Whether a URL may be a client id.
    pub(crate) documents: bool,
    /// Whether tokens are bound to a key, and a nonce is asked for (RFC 9449 section 8).
    pub(crate) dpop: bool,
    pub(crate) secret: Option<&'static str>,
    pub(crate) client: &'static str,
    /// Tokens begin with it.
    pub(crate) token: &'static str,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            promises_iss: Some(true),
            iss: Iss::Right,
            claims_to_be: None,
            method: "none",
            documents: false,
            dpop: false,
            secret: None,
            client: "registered-client",
            token: "token",
        }
    }
}

pub(crate) const AS_NONCE: &str = "nonce-of-the-authorization-server";
pub(crate) const RS_NONCE: &str = "nonce-of-the-resource-server";

pub(crate) fn reply(status: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .unwrap()
}

/// Starts an authorization server. A token says which scopes were asked for: `token[mcp:basic mcp:write]`.
pub(crate) async fn authorization_server(rules: Rules) -> Site {
    Site::start(|origin| move |asked: &Asked| authorize(&rules, &origin, asked)).await
}

fn authorize(rules: &Rules, origin: &str, asked: &Asked) -> Response<Body> {
    match asked.path.as_str() {
        "/.well-known/oauth-authorization-server" => reply(200, &metadata(rules, origin)),
        "/register" => {
            let mut client = json!({
                "client_id": rules.client,
                "redirect_uris": asked.json["redirect_uris"],
                "token_endpoint_auth_method": rules.method,
            });
            if let Some(secret) = rules.secret {
                client["client_secret"] = json!(secret);
            }
            reply(201, &client)
        }
        "/authorize" => {
            let mut back: url::Url = asked.get("redirect_uri").parse().unwrap();
            back.query_pairs_mut()
                // The code carries the scopes to the token endpoint.
                .append_pair("code", &format!("code[{}]", asked.scopes().join(" ")))
                .append_pair("state", asked.get("state"));
            match rules.iss {
                Iss::Right => drop(back.query_pairs_mut().append_pair("iss", origin)),
                Iss::Wrong => drop(back.query_pairs_mut().append_pair("iss", "https://evil.example.com")),
                Iss::Slashed => drop(back.query_pairs_mut().append_pair("iss", &format!("{origin}/"))),
                Iss::Absent => {}
            }
            Response::builder().status(302).header("location", back.as_str()).body(Body::empty()).unwrap()
        }
        "/token" if rules.dpop && proof(asked)["nonce"] != AS_NONCE => {
            let mut challenge = reply(400, &json!({"error": "use_dpop_nonce"}));
            challenge.headers_mut().insert("dpop-nonce", AS_NONCE.parse().unwrap());
            challenge
        }
        "/token" => {
            let scopes = asked.get("code").trim_start_matches("code");
            let kind = if rules.dpop { "DPoP" } else { "Bearer" };
            let token = format!("{}{scopes}", rules.token).replace(' ', "+");
            reply(200, &json!({"access_token": token, "token_type": kind, "expires_in": 3600}))
        }
        _ => reply(404, &json!({})),
    }
}

fn metadata(rules: &Rules, origin: &str) -> Value {
    let mut metadata = json!({
        "issuer": rules.claims_to_be.unwrap_or(origin),
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "registration_endpoint": format!("{origin}/register"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [rules.method],
        "client_id_metadata_document_supported": rules.documents,
    });
    if let Some(promises) = rules.promises_iss {
        metadata["authorization_response_iss_parameter_supported"] = json!(promises);
    }
    if rules.dpop {
        metadata["dpop_signing_alg_values_supported"] = json!(["ES256"]);
    }
    metadata
}

/// The payload of a DPoP proof; null when there is none. Its signature is not looked at here.
pub(crate) fn proof(asked: &Asked) -> Value {
    let payload = asked.header("dpop").split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// How a client authenticated: method, id and secret.
pub(crate) fn authentication(asked: &Asked) -> (&'static str, String, String) {
    let basic = asked.header("authorization").strip_prefix("Basic ").map(|encoded| {
        let decoded = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        let (id, secret) = decoded.split_once(':').unwrap();
        ("client_secret_basic", id.to_owned(), secret.to_owned())
    });
    let (id, secret) = (asked.get("client_id").to_owned(), asked.get("client_secret").to_owned());
    basic.unwrap_or(match secret.is_empty() {
        true => ("none", id, secret),
        false => ("client_secret_post", id, secret),
    })
}

/// Whether a request may pass; else status and challenge, to which the address of the metadata is added.
pub(crate) type Guard = Arc<dyn Fn(&Asked) -> Result<(), (u16, String)> + Send + Sync>;

/// Starts a protected MCP server of both eras. `issuer` is asked at each request for the metadata.
pub(crate) async fn resource_server(
    issuer: impl Fn() -> String + Send + Sync + 'static,
    resource: Option<&'static str>,
    guard: Guard,
) -> Site {
    Site::start(|origin| {
        move |asked: &Asked| match (asked.path.as_str(), asked.method.as_str()) {
            ("/.well-known/oauth-protected-resource/mcp", _) => {
                let resource = resource.map_or_else(|| format!("{origin}/mcp"), str::to_owned);
                reply(200, &json!({"resource": resource, "authorization_servers": [issuer()]}))
            }
            ("/mcp", "POST") => match guard(asked) {
                Ok(()) => served(asked),
                Err((status, challenge)) => {
                    let metadata = format!("{origin}/.well-known/oauth-protected-resource/mcp");
                    let challenge = format!("{challenge} resource_metadata=\"{metadata}\"");
                    let mut refusal = reply(status, &json!({"error": "no"}));
                    refusal.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
                    if challenge.contains("use_dpop_nonce") {
                        refusal.headers_mut().insert("dpop-nonce", RS_NONCE.parse().unwrap());
                    }
                    refusal
                }
            },
            ("/mcp", _) => reply(405, &json!({})),
            _ => reply(404, &json!({})),
        }
    })
    .await
}

fn served(asked: &Asked) -> Response<Body> {
    let info = json!({"name": "protected", "version": "1"});
    let result = match asked.rpc() {
        "server/discover" => json!({
            "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "serverInfo": info,
        }),
        "initialize" => {
            json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info})
        }
        "tools/list" => json!({"tools": [{"name": "test-tool", "inputSchema": {"type": "object"}}]}),
        "tools/call" => json!({"content": [{"type": "text", "text": "called"}]}),
        _ => return Response::builder().status(202).body(Body::empty()).unwrap(),
    };
    let mut whole = json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private"});
    whole.as_object_mut().unwrap().extend(result.as_object().unwrap().clone());
    reply(200, &json!({"jsonrpc": "2.0", "id": asked.json["id"], "result": whole}))
}

/// The token of a request, with its scopes: `token[mcp:basic]`.
pub(crate) fn token(asked: &Asked) -> Option<String> {
    let (_, token) = asked.header("authorization").split_once(' ')?;
    Some(token.replace('+', " "))
}

/// Any token of the authorization server will do.
pub(crate) fn any_token() -> Guard {
    Arc::new(|asked| match token(asked) {
        Some(_) => Ok(()),
        None => Err((401, "Bearer".to_owned())),
    })
}
