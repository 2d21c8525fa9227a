//! The door: every HTTP request to the MCP endpoint shows who sends it before anything reads it.
//!
//! Lets a request through with its [`Caller`], or answers it with a [`Denial`]. Sessions belong to whoever opened
//! them: a session id is not a credential.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::challenge::Denial;
use super::flaws::Flaw;
use super::roles::{BOOKS_READ, Caller, scope_of};
use super::shop::House;
use super::verify::{Denied, Verifier};

const LARGEST_REQUEST: usize = 4 * 1024 * 1024;
/// Sessions whose owner is remembered; beyond it the door refuses new ones.
const MOST_SESSIONS: usize = 10_000;
const SESSION: &str = "mcp-session-id";

/// What the door knows.
pub(super) struct Door {
    house: Arc<House>,
    verifier: Verifier,
    metadata: Option<String>,
    owners: Mutex<HashMap<String, String>>,
}

/// The little that the door reads of a message. A repeated key is an error, so that nobody reads another tool's name
/// than the door did.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    params: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<String>,
}

impl Door {
    /// A door; `metadata` is the URL that challenges point to.
    pub(super) fn new(house: Arc<House>, verifier: Verifier, metadata: Option<String>) -> Self {
        Self { house, verifier, metadata, owners: Mutex::new(HashMap::new()) }
    }

    fn deny(&self, denial: Denial) -> Response {
        denial.response(self.metadata.as_deref())
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Denial> {
        let token = bearer(headers)?;
        let caller = self.verifier.caller(token).await.map_err(|denied| match denied {
            Denied::Invalid => Denial::InvalidToken,
            Denied::IssuerUnreachable => Denial::IssuerUnreachable,
        })?;
        if caller.has(BOOKS_READ) { Ok(caller) } else { Err(Denial::InsufficientScope(BOOKS_READ)) }
    }

    /// Whether the tool that is called asks for a scope the caller lacks.
    fn missing_scope(&self, caller: &Caller, message: Option<&Envelope>) -> Option<&'static str> {
        let message = message.filter(|message| message.method.as_deref() == Some("tools/call"))?;
        let scope = scope_of(message.params.as_ref()?.name.as_deref()?)?;
        (!caller.has(scope) && !self.house.has(Flaw::HiddenToolCallable)).then_some(scope)
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_strangers(&self, session: Option<&str>, caller: &Caller) -> bool {
        session.is_some_and(|id| self.owners().get(id).is_some_and(|owner| *owner != caller.subject))
    }
}

/// Serves the request, or says why not.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let caller = door.caller(&parts.headers).await;
    let may_be_listed = door.house.has(Flaw::UnauthenticatedList) && caller == Err(Denial::NoCredentials);
    if let Err(denial) = caller
        && !may_be_listed
    {
        return door.deny(denial);
    }
    let (body, message) = match open(&parts.method, body).await {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(_) if is_listing(message.as_ref()) => Caller::new("nobody", &Caller::walk_in().scope()),
        Err(denial) => return door.deny(denial),
    };
    if let Some(scope) = door.missing_scope(&caller, message.as_ref()) {
        return door.deny(Denial::InsufficientScope(scope));
    }
    let session = parts.headers.get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    if door.is_strangers(session.as_deref(), &caller) {
        return (StatusCode::NOT_FOUND, "no such session").into_response();
    }
    let opens =
        session.is_none() && message.is_some_and(|message| message.method.as_deref() == Some("initialize"));
    if opens && door.owners().len() >= MOST_SESSIONS {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions").into_response();
    }
    let ends = parts.method == Method::DELETE;
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(caller.clone());
    let response = next.run(request).await;
    remember(&door, &caller, &response);
    if ends && let Some(id) = session {
        door.owners().remove(&id);
    }
    response
}

/// Notes whose session was opened.
fn remember(door: &Door, caller: &Caller, response: &Response) {
    if let Some(id) = response.headers().get(SESSION).and_then(|id| id.to_str().ok()) {
        door.owners().insert(id.to_owned(), caller.subject.clone());
    }
}

/// Reads a POST's message and gives the body back unread.
async fn open(method: &Method, body: Body) -> Result<(Body, Option<Envelope>), Response> {
    if method != Method::POST {
        return Ok((body, None));
    }
    let bytes: Bytes =
        to_bytes(body, LARGEST_REQUEST).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?;
    let Ok(message) = serde_json::from_slice::<Envelope>(&bytes) else {
        let error = serde_json::json!({
            "jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "the body is not one JSON-RPC message"},
        });
        return Err((StatusCode::BAD_REQUEST, axum::Json(error)).into_response());
    };
    Ok((Body::from(bytes), Some(message)))
}

fn is_listing(message: Option<&Envelope>) -> bool {
    const LISTING: &[&str] = &["initialize", "notifications/initialized", "tools/list"];
    message.and_then(|message| message.method.as_deref()).is_some_and(|method| LISTING.contains(&method))
}

/// The token of the one `Authorization` header; nowhere else is looked for one.
fn bearer(headers: &HeaderMap) -> Result<&str, Denial> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), rest) = (all.next(), all.next()) else { return Err(Denial::NoCredentials) };
    if rest.is_some() {
        return Err(Denial::Ambiguous);
    }
    let text = HeaderValue::to_str(value).map_err(|_| Denial::InvalidToken)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    // Another scheme is a client that does not know what is wanted: RFC 6750 section 3.1 wants no error code either.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denial::NoCredentials);
    }
    if token.is_empty() || token.contains(' ') { Err(Denial::InvalidToken) } else { Ok(token) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(values: &[&'static str]) -> Result<String, Denial> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_header_counts() {
        assert_eq!(token(&["bearer abc"]), Ok("abc".to_owned()));
        assert_eq!(token(&[]), Err(Denial::NoCredentials));
        assert_eq!(token(&["Basic abc"]), Err(Denial::NoCredentials));
        assert_eq!(token(&["Bearer"]), Err(Denial::InvalidToken));
        assert_eq!(token(&["Bearer   abc"]), Err(Denial::InvalidToken));
        assert_eq!(token(&["Bearer abc", "Bearer def"]), Err(Denial::Ambiguous));
    }

    #[test]
    fn repeated_keys_are_no_message() {
        assert!(
            serde_json::from_str::<Envelope>(r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#)
                .is_err()
        );
        assert!(serde_json::from_str::<Envelope>(r#"[{"method":"tools/list"}]"#).is_err());
    }
}
