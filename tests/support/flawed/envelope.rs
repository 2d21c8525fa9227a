//! The message in a POST: JSON, era, headers that repeat the body.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Entrant, reply};
use super::place::{header, is_form};
use super::{Call, Era, Reply, RpcError, Server, User, dispatch, strict, tools};

const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

impl Server {
    /// Answers a POST of somebody who was let in.
    pub(super) async fn post(self: &Arc<Self>, parts: &Parts, body: &Bytes, entrant: &Entrant) -> Response {
        let message = match self.broken("H06") {
            // The last of two members wins.
            true => serde_json::from_slice(body).ok(),
            false => strict::parse(body),
        };
        let form = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        match message {
            _ if self.broken("E02.form") && is_form(parts) => self.alone(&form, entrant).await,
            Some(Value::Array(all)) if self.broken("H07") => self.batch(&all, entrant).await,
            Some(message) if message.is_object() => self.one(parts, &message, entrant).await,
            Some(_) => refused(&Value::Null, -32600, "one object is wanted"),
            None => refused(&Value::Null, -32700, "no JSON that could be understood"),
        }
    }

    async fn one(self: &Arc<Self>, parts: &Parts, message: &Value, entrant: &Entrant) -> Response {
        let id = &message["id"];
        let Some(method) = message["method"].as_str() else {
            return StatusCode::ACCEPTED.into_response();
        };
        let named = message["params"]["_meta"].get("io.modelcontextprotocol/protocolVersion").is_some();
        let era = match named || header(parts, "mcp-protocol-version") == Some(MODERN) {
            true => Era::Modern,
            false => Era::Legacy,
        };
        let session = match self.admit(parts, message, era, &entrant.user) {
            Ok(session) => session,
            Err(response) => return *response,
        };
        if message.get("id").is_none() {
            return StatusCode::ACCEPTED.into_response();
        }
        let user = match session.as_deref().and_then(|id| self.session_owner(id)) {
            Some(owner) => owner,
            None => self.impersonated(&message["params"], &entrant.user).await,
        };
        let none = json!({});
        let params = message.get("params").unwrap_or(&none);
        let bearer = entrant.bearer.as_str();
        let call =
            Call { server: self, user: &user, era, id, method, params, session: session.as_deref(), bearer };
        let answer = dispatch::answer(&call).await;
        let opened = answer.is_ok() && method == "initialize";
        let mut response = reply(id, answer, era, self);
        if opened && let Ok(id) = HeaderValue::from_str(&self.open_session(&user)) {
            response.headers_mut().insert("mcp-session-id", id);
        }
        response
    }

    /// What must be right before a method is looked up: the session, or the headers and `_meta`.
    fn admit(
        &self,
        parts: &Parts,
        message: &Value,
        era: Era,
        user: &User,
    ) -> Result<Option<String>, Box<Response>> {
        let error = |code, text: &str| Box::new(refused(&message["id"], code, text));
        match era {
            Era::Modern if self.broken("mode.legacy") || self.broken("mode.2025-03-26") => {
                Err(error(-32600, "unsupported protocol version"))
            }
            Era::Modern => match self.modern(parts, message) {
                Ok(()) => Ok(None),
                Err(refusal) => Err(Box::new(reply(&message["id"], Err(refusal), era, self))),
            },
            Era::Legacy if self.broken("mode.modern") => {
                Err(Box::new(reply(&message["id"], Err(unsupported(&Value::Null)), Era::Modern, self)))
            }
            Era::Legacy if message["method"] == "initialize" => Ok(None),
            Era::Legacy => {
                let version = header(parts, "mcp-protocol-version");
                if version.is_some_and(|version| !LEGACY.contains(&version)) {
                    return Err(error(-32600, "unsupported protocol version"));
                }
                match self.own_session(parts, user, &["G01", "G01.bound"]) {
                    Ok(id) => Ok(Some(id)),
                    Err(status) => Err(Box::new(status.into_response())),
                }
            }
        }
    }

    fn modern(&self, parts: &Parts, message: &Value) -> Result<(), RpcError> {
        let params = &message["params"];
        let meta = |key: &str| params["_meta"].get(format!("io.modelcontextprotocol/{key}"));
        let (Some(version), Some(_)) = (meta("protocolVersion"), meta("clientCapabilities")) else {
            return Err(RpcError::invalid("`_meta` lacks a required key"));
        };
        let method = message["method"].as_str().unwrap_or_default();
        let name = match method {
            "tools/call" | "prompts/get" => params["name"].as_str(),
            "resources/read" => params["uri"].as_str(),
            "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
            _ => None,
        };
        let agrees = |header_name: &str, value: Option<&str>| decoded(parts, header_name).as_deref() == value;
        let known = agrees("mcp-protocol-version", version.as_str())
            && agrees("mcp-method", Some(method))
            && agrees("mcp-name", name);
        if !known && !self.broken("H04") {
            return Err(RpcError::new(400, -32020, "the headers do not repeat the body"));
        }
        if version != MODERN {
            return Err(unsupported(version));
        }
        if method == "tools/call" && !self.broken("H05") {
            mirrored(parts, params)?;
        }
        Ok(())
    }

    /// The user whose token is in the request itself, where a flaw takes it from there.
    async fn impersonated(&self, params: &Value, user: &User) -> User {
        if self.broken("E09")
            && let Some(token) = pasted(params)
            && let Ok(claims) = self.verify(&token).await
        {
            return User::of(&claims);
        }
        user.clone()
    }

    /// A message without its session and headers.
    async fn alone(self: &Arc<Self>, message: &Value, entrant: &Entrant) -> Response {
        Json(self.answered(message, entrant).await).into_response()
    }

    async fn batch(self: &Arc<Self>, all: &[Value], entrant: &Entrant) -> Response {
        let mut answers = Vec::new();
        for message in all {
            answers.push(self.answered(message, entrant).await);
        }
        Json(answers).into_response()
    }

    async fn answered(self: &Arc<Self>, message: &Value, entrant: &Entrant) -> Value {
        let none = json!({});
        let call = Call {
            server: self,
            user: &entrant.user,
            era: Era::Legacy,
            id: &message["id"],
            method: message["method"].as_str().unwrap_or_default(),
            params: message.get("params").unwrap_or(&none),
            session: None,
            bearer: &entrant.bearer,
        };
        match dispatch::answer(&call).await {
            Ok(Reply::Result(result)) => json!({"jsonrpc": "2.0", "id": message["id"], "result": result}),
            _ => json!({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32600, "message": "no"}}),
        }
    }
}

fn unsupported(asked: &Value) -> RpcError {
    let data = json!({"supported": [MODERN], "requested": asked});
    RpcError { data: Some(Box::new(data)), ..RpcError::new(400, -32022, "unsupported protocol version") }
}

fn refused(id: &Value, code: i64, text: &str) -> Response {
    let body = json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// The text of a header, out of its envelope where it needs one.
fn decoded(parts: &Parts, name: &str) -> Option<String> {
    let value = header(parts, name)?;
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(inner) => String::from_utf8(STANDARD.decode(inner).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// Whether the headers of the arguments that are marked so repeat them.
fn mirrored(parts: &Parts, params: &Value) -> Result<(), RpcError> {
    let Some(tool) = params["name"].as_str().and_then(tools::find) else { return Ok(()) };
    let schema = (tool.input)();
    for (argument, property) in schema["properties"].as_object().into_iter().flatten() {
        let Some(name) = property["x-mcp-header"].as_str() else { continue };
        let wanted = match &params["arguments"][argument] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        if decoded(parts, &format!("mcp-param-{}", name.to_lowercase())) != wanted {
            return Err(RpcError::new(400, -32020, "the headers do not repeat the arguments"));
        }
    }
    Ok(())
}

/// The first thing in a value that looks like a signed token.
fn pasted(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let token = text.rsplit(' ').next().unwrap_or_default();
            (token.starts_with("ey") && token.split('.').count() == 3).then(|| token.to_owned())
        }
        Value::Array(list) => list.iter().find_map(pasted),
        Value::Object(map) => map.values().find_map(pasted),
        _ => None,
    }
}
