//! Where a session's credentials come from: asked before every HTTP request, and again after a refusal.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::SecretString;
use url::Url;

use crate::transcript::{Fault, Recorder};

/// Headers that carry an identity.
pub type Credentials = Vec<(String, SecretString)>;

/// Shared identities are used from many sessions.
pub type Identity = Arc<dyn TokenSource>;

/// A request about to leave, as an identity needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The HTTP method, in capitals. A proof of possession covers it (RFC 9449 §4.2).
    pub method: &'a str,
    /// The URL the request goes to.
    pub url: &'a Url,
    /// The server's last refusal of this very request, if that is why the identity is asked again.
    pub refused: Option<&'a Rejection>,
    /// The record of whoever asks: what passes between the identity and its authorization servers for this request goes
    /// there.
    pub log: Option<&'a Recorder>,
}

/// A 401 or 403 that better credentials might turn.
#[derive(Clone, Debug, Default)]
pub struct Rejection {
    /// 401 or 403.
    pub status: u16,
    /// All `WWW-Authenticate` headers as one comma-separated list; empty when there was none.
    pub challenge: String,
    /// The `DPoP-Nonce` header (RFC 9449 §9), if any.
    pub nonce: Option<String>,
    /// How many times this request has been refused, from 1.
    pub attempt: u32,
    /// The identity's headers that were refused. Another session may have renewed them in the meantime; and to return
    /// them unchanged says that there is nothing better.
    pub sent: Credentials,
}

/// An identity. Implemented by `auth`.
pub trait TokenSource: Send + Sync {
    /// Headers to send with this HTTP request: `Authorization` or whatever the persona uses. After a refusal, headers
    /// that equal the refused ones mean that the identity has nothing better, and the refusal stands.
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>>;

    /// Told the `DPoP-Nonce` of a successful answer, for the next proof (RFC 9449 §8.2).
    fn nonce(&self, _nonce: &str) {}

    /// Told, when a session is about to open, what its client says in `MCP-Protocol-Version` when it fetches documents of
    /// authorization; `None` for nothing.
    fn discovering(&self, _version: Option<&'static str>) {}

    /// Environment variables that carry the identity to a stdio server.
    fn env(&self) -> Credentials;
}

/// Nobody: no header, no variable.
pub struct Anonymous;

impl TokenSource for Anonymous {
    fn headers<'a>(&'a self, _: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }

    fn env(&self) -> Credentials {
        vec![]
    }
}
