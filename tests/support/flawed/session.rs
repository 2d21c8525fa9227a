//! Sessions of the revisions that have them. An id is random and belongs to the user who opened it.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::http::stream;
use super::place::header;
use super::{Server, User, lock};

/// The open sessions by id.
pub(super) type Sessions = HashMap<String, Session>;

/// An open session.
#[derive(Debug)]
pub(super) struct Session {
    /// Who opened it.
    pub(super) user: User,
}

/// A text of 144 random bits.
pub(crate) fn random_text() -> String {
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Server {
    /// Opens a session for a user.
    pub(super) fn open_session(&self, user: &User) -> String {
        let id = if self.broken("G03") { self.state.next() } else { random_text() };
        lock(&self.sessions).insert(id.clone(), Session { user: user.clone() });
        id
    }

    /// The user whose session the request names; only the flaws that take it for a token ask.
    pub(super) fn session_user(&self, parts: &Parts) -> Option<User> {
        lock(&self.sessions).get(header(parts, "mcp-session-id")?).map(|session| session.user.clone())
    }

    /// Whose session it is, for the flaw that acts for them.
    pub(super) fn session_owner(&self, id: &str) -> Option<User> {
        let owner = || lock(&self.sessions).get(id).map(|session| session.user.clone());
        self.broken("G01").then(owner).flatten()
    }

    /// The session that a request names, if it is this user's: 400 without one, 404 for any other. With one of these
    /// flaws on it may be anybody's.
    pub(super) fn own_session(
        &self,
        parts: &Parts,
        user: &User,
        flaws: &[&str],
    ) -> Result<String, StatusCode> {
        let id = header(parts, "mcp-session-id").ok_or(StatusCode::BAD_REQUEST)?;
        match lock(&self.sessions).get(id) {
            Some(session) if session.user.subject == user.subject => Ok(id.to_owned()),
            Some(_) if flaws.iter().any(|flaw| self.broken(flaw)) => Ok(id.to_owned()),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    /// GET: a stream for messages of the server.
    pub(super) fn open_stream(&self, parts: &Parts, user: &User) -> Response {
        if self.broken("mode.modern") {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        match self.own_session(parts, user, &["G02"]) {
            Ok(id) => stream(self.state.stream(&id)),
            Err(status) => status.into_response(),
        }
    }

    /// DELETE: the end of a session.
    pub(super) fn end_session(&self, parts: &Parts, user: &User) -> Response {
        if self.broken("mode.modern") {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        match self.own_session(parts, user, &["G02"]) {
            Ok(id) => {
                lock(&self.sessions).remove(&id);
                self.state.forget(&id);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(status) => status.into_response(),
        }
    }
}
