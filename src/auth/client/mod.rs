//! Authorization as a client: from a 401 to a token, the way the MCP authorization pages demand it.
//!
//! An [`OAuth`] identity reads the challenge, finds the metadata of the resource and of its authorization server, gets
//! a client id and a token, renews it, asks for more scope when the server says so, and gives up after a few tries.
//! Reading and deciding is pure and apart from fetching; every file is one concern.
//!
//! It never opens a browser: whoever visits the authorization page is a [`Visitor`] handed in from outside. What is
//! fetched is fenced (see [`crate::net::fence`]), capped and bounded in time. Codes, tokens and client secrets are
//! registered as secrets before they are used, and none is ever shown to another issuer than its own.

mod assertion;
mod callback;
mod courier;
mod discovery;
mod dpop;
mod flow;
mod grant;
mod identity;
mod metadata;
mod pkce;
mod registration;
mod revocation;
mod scope;
mod settings;
mod supply;
mod token_endpoint;
mod trace;
mod visitor;
mod wallet;

pub use assertion::ClientKey;
pub use dpop::ProofKey;
pub use identity::{OAuth, SignedIn};
pub use revocation::{Revoked, revoke};
pub use settings::{Grant, Means, Provider, Registered, Settings};
pub use trace::Trace;
pub use visitor::{Consenting, Nobody, Visitor};
pub use wallet::{Client, ClientAuth, Held, Memory, Tokens, Wallet};

use crate::transcript::{Fault, Side};

/// A fault of the authorization flow. Text from outside must be made inert by the caller.
fn fault(code: &str, text: impl Into<String>) -> Fault {
    Fault::new(Side::Auth, code, text)
}
