//! What an authorization client is told: the target, the way to a token, and the means.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::assertion::ClientKey;
use super::visitor::Visitor;
use super::wallet::{Client, ClientAuth, Wallet};
use crate::net::Route;
use crate::transcript::{Clock, Secrets};

/// What is wanted.
pub struct Settings {
    /// The MCP endpoint.
    pub target: Url,
    /// How a token is obtained.
    pub grant: Grant,
    /// Which of several people at the target this is; nobody in particular when absent.
    pub account: Option<String>,
    /// Exactly these scopes, whatever the server asks for, and no step-up: an identity that is meant to be weak stays
    /// weak. `None` follows the challenge, then the resource's list.
    pub scopes: Option<Vec<String>>,
    /// Get a token before the first request instead of after the first refusal. A server that answers strangers never
    /// asks, and then the identity would not be used at all.
    pub eager: bool,
    /// Whether a target without resource metadata is taken for a server of revision 2025-03-26, which is its own
    /// authorization server.
    pub old_servers: bool,
    /// How authorization servers are reached besides their addresses: authorities to trust, and a proxy.
    pub route: Route,
    /// How long any one answer of an authorization server may take.
    pub patience: Duration,
}

impl Settings {
    /// The way of an ordinary client: answers a challenge, follows its scopes, waits ten seconds.
    pub fn new(target: Url, grant: Grant) -> Self {
        let patience = Duration::from_secs(10);
        let route = Route::default();
        Self { target, grant, account: None, scopes: None, eager: false, old_servers: false, route, patience }
    }
}

/// How a token is obtained.
pub enum Grant {
    /// An authorization code, which somebody fetches from the authorization page.
    Code {
        /// Who visits the page.
        visitor: Arc<dyn Visitor>,
        /// A client id obtained outside of the protocol.
        registered: Option<Registered>,
        /// The URL of a client id metadata document, used as the client id where the server supports that.
        document: Option<Url>,
    },
    /// A machine of its own (RFC 6749 section 4.4).
    ClientCredentials(Registered),
    /// A refresh token obtained elsewhere. What it is rotated to is kept in the wallet.
    Refresh {
        /// The client it was granted to.
        registered: Registered,
        /// The token.
        token: SecretString,
    },
    /// Enterprise-managed: an identity provider turns a person's ID token into a grant for the authorization server of
    /// the target (RFC 8693, then RFC 7523).
    IdJag {
        /// The client at the target's authorization server.
        registered: Registered,
        /// The identity provider.
        provider: Provider,
    },
    /// A workload's own token from its platform, used as a grant (RFC 7523 section 2.1).
    Workload {
        /// The client, if the server wants one named; its id may be empty.
        registered: Registered,
        /// The token.
        assertion: SecretString,
    },
}

/// An identity provider that vouches for a person.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its issuer, whose metadata names the token endpoint.
    pub issuer: String,
    /// The token endpoint, if it shall not be looked up.
    pub token_endpoint: Option<Url>,
    /// The client that the ID token was issued to.
    pub client: Registered,
    /// The ID token.
    pub id_token: SecretString,
}

/// A client id obtained outside of the protocol.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The issuer that knows it. Without one it belongs to the first issuer that the target names, and to no other
    /// after that.
    pub issuer: Option<String>,
    /// `client_id`.
    pub id: String,
    /// `client_secret`, unless the client is public.
    pub secret: Option<SecretString>,
    /// The key it signs assertions with, unless it has a secret or is public.
    pub key: Option<ClientKey>,
    /// How it authenticates; by default what the server's metadata allows.
    pub auth: Option<ClientAuth>,
}

impl Registered {
    /// A client by its id and secret.
    pub fn new(id: impl Into<String>, secret: Option<SecretString>) -> Self {
        Self { issuer: None, id: id.into(), secret, key: None, auth: None }
    }

    pub(super) fn client(&self) -> Client {
        Client {
            id: self.id.clone(),
            secret: self.secret.clone(),
            key: self.key.clone(),
            auth: self.auth,
            redirect: None,
            expires: None,
        }
    }
}

/// With what.
#[derive(Clone)]
pub struct Means {
    /// Where clients and tokens are kept.
    pub wallet: Arc<dyn Wallet>,
    /// Where credentials are registered before use.
    pub secrets: Secrets,
    /// Decides when a token is old.
    pub clock: Clock,
}
