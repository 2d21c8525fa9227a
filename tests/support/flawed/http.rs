//! From an HTTP request to its answer: paths, hosts, origins, methods.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::{Value, json};

use super::place::header;
use super::verify::Bad;
use super::{Reply, RpcError, Server, User, place};

/// The largest body that is read.
const LARGEST: usize = 256 * 1024;

/// Somebody who was let in, and the token as it came.
pub(super) struct Entrant {
    pub(super) user: User,
    pub(super) bearer: String,
}

pub(super) async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = parts.uri.path();
    if path == "/mcp" {
        return server.endpoint(&parts, &body).await;
    }
    if path == "/mcp/" && server.broken("H08") {
        let to = format!("http://{}/mcp", server.host.replace("127.0.0.1", "localhost"));
        return (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response();
    }
    match path.strip_prefix("/.well-known/") {
        Some(name) => server.well_known(name, &parts).await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A page that may talk to this server from a browser.
const FRIEND: &str = "https://inspector.example";

impl Server {
    async fn endpoint(self: &Arc<Self>, parts: &Parts, body: &Bytes) -> Response {
        let origin = header(parts, "origin");
        let known = origin.is_none_or(|origin| origin == FRIEND || origin == self.origin);
        let foreign = !known && !self.broken("H01") || origin.is_none() && self.broken("H03");
        let elsewhere = parts.uri.authority().is_some_and(|asked| asked.as_str() != self.host);
        let several = parts.headers.get_all("host").iter().count() > 1;
        if elsewhere && !self.broken("H02.absolute") || several && !self.broken("H02.two") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        if foreign || header(parts, "host") != Some(&self.host) && !self.broken("H02") {
            return StatusCode::FORBIDDEN.into_response();
        }
        let mut response = match parts.method {
            Method::OPTIONS => self.preflight(),
            _ => self.guarded(parts, body).await,
        };
        if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
            let headers = response.headers_mut();
            headers.insert("access-control-allow-origin", origin);
            let exposed = HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id");
            headers.insert("access-control-expose-headers", exposed);
        }
        response
    }

    fn preflight(&self) -> Response {
        if self.broken("A13") {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let names = "authorization, content-type, accept, last-event-id, mcp-protocol-version, mcp-method, \
                     mcp-name, mcp-session-id, mcp-param-region";
        let headers = [
            ("access-control-allow-methods", "GET, POST, DELETE"),
            ("access-control-allow-headers", names),
            ("access-control-max-age", "600"),
        ];
        (StatusCode::NO_CONTENT, headers).into_response()
    }

    async fn guarded(self: &Arc<Self>, parts: &Parts, body: &Bytes) -> Response {
        if self.broken("A03") && parts.method != Method::POST && header(parts, "authorization").is_none() {
            return StatusCode::OK.into_response();
        }
        let entrant = match self.authenticate(parts, body).await {
            Ok(entrant) => entrant,
            Err(response) => return response,
        };
        match parts.method {
            Method::POST => self.post(parts, body, &entrant).await,
            Method::GET => self.open_stream(parts, &entrant.user),
            Method::DELETE => self.end_session(parts, &entrant.user),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }

    /// Who asks, or the refusal.
    async fn authenticate(&self, parts: &Parts, body: &Bytes) -> Result<Entrant, Response> {
        let token = match self.token(parts, body) {
            place::Found::Token(token) => token,
            place::Found::Ambiguous => return Err(StatusCode::BAD_REQUEST.into_response()),
            place::Found::Crash => return Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            place::Found::Nothing => {
                let user = self.stand_in(parts, body).ok_or_else(|| self.unauthorized())?;
                return Ok(Entrant { user, bearer: String::new() });
            }
        };
        let verified = match self.broken("D00") || self.broken("mode.closed") {
            true => Err(Bad::Token("nobody is let in".into())),
            false => self.verify(&token).await,
        };
        match verified {
            Ok(claims) if !self.is_struck(true) => Ok(Entrant { user: User::of(&claims), bearer: token }),
            Ok(_) => Err(self.bad_token("too many mistakes")),
            Err(Bad::Crash) => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
            Err(Bad::Unavailable) => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
            Err(Bad::Expired) if self.broken("E08") && self.session_user(parts).is_some() => {
                Ok(Entrant { user: self.session_user(parts).unwrap(), bearer: token })
            }
            Err(Bad::Expired) => Err(self.bad_token("expired")),
            Err(Bad::Token(why)) => {
                self.is_struck(false);
                Err(self.bad_token(&why))
            }
        }
    }

    /// Whom a flaw takes somebody without a token for.
    fn stand_in(&self, parts: &Parts, body: &Bytes) -> Option<User> {
        // Whoever puts a token into the query is not nobody.
        if parts.uri.query().is_some() {
            return None;
        }
        let open = ["prompts/list", "resources/list", "resources/templates/list"];
        let listing = |body: &Bytes| {
            let message: Value = serde_json::from_slice(body).unwrap_or_default();
            open.iter().any(|method| message["method"] == *method)
        };
        let bare = header(parts, "authorization").is_some_and(|value| value.trim() == "Bearer");
        if self.broken("A01") || self.broken("A02") && listing(body) || self.broken("D02") && bare {
            return Some(User::nobody());
        }
        if self.broken("E07") { self.session_user(parts) } else { None }
    }

    /// Counts mistakes in a row; with the flaw on, fifteen of them lock everybody out for the next four good tokens.
    fn is_struck(&self, good: bool) -> bool {
        let mut strikes = super::lock(&self.strikes);
        let locked = self.broken("H10") && *strikes >= 15;
        *strikes = match (good, locked) {
            (true, true) if *strikes < 400 => *strikes + 100,
            (true, _) => 0,
            (false, _) => *strikes + 1,
        };
        good && locked && *strikes > 0
    }
}

/// One answer in the form of the era.
pub(super) fn reply(
    id: &Value,
    answer: Result<Reply, RpcError>,
    era: super::Era,
    server: &Server,
) -> Response {
    match (answer, era) {
        (Ok(Reply::Result(result)), super::Era::Modern) => {
            Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
        }
        // As a stream, the way most servers answer.
        (Ok(Reply::Result(result)), super::Era::Legacy) => {
            let event = format!("data: {}\n\n", json!({"jsonrpc": "2.0", "id": id, "result": result}));
            ([("content-type", "text/event-stream")], event).into_response()
        }
        (Ok(Reply::Stream(messages)), _) => stream(messages),
        (Err(error), era) => refusal(id, &error, era, server),
    }
}

fn refusal(id: &Value, error: &RpcError, era: super::Era, server: &Server) -> Response {
    if !error.scopes.is_empty() {
        return server.forbidden(&error.scopes);
    }
    let mut body =
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": error.code, "message": error.message}});
    if let Some(data) = &error.data {
        body["error"]["data"] = Value::clone(data);
    }
    let status = match era {
        super::Era::Modern => StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST),
        super::Era::Legacy => StatusCode::OK,
    };
    (status, Json(body)).into_response()
}

/// Messages as events, until the sender goes.
pub(super) fn stream(messages: tokio::sync::mpsc::Receiver<Value>) -> Response {
    let events = futures::stream::unfold(messages, |mut messages| async move {
        let message = messages.recv().await?;
        Some((format!("data: {message}\n\n"), messages))
    });
    // A comment at once, so that the head of the answer leaves.
    let begun = futures::stream::once(async { ": open\n\n".to_owned() }).chain(events);
    let body = Body::from_stream(begun.map(Ok::<_, std::convert::Infallible>));
    ([("content-type", "text/event-stream")], body).into_response()
}
