//! What is kept between requests and, if the wallet is a file, between runs: client ids and tokens, per issuer.
//!
//! Nothing is ever looked up without its issuer, so nothing of one authorization server can reach another.

use std::collections::HashMap;
use std::sync::Mutex;

use secrecy::SecretString;

use super::assertion::ClientKey;
use super::dpop::ProofKey;
use crate::auth::issuer::lock;
use crate::transcript::Fault;

/// How a client proves itself at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Not at all: a public client names its id.
    None,
    /// Id and secret as HTTP Basic authentication.
    Basic,
    /// Id and secret in the form.
    Post,
    /// An assertion signed with the client's key (RFC 7523 section 2.2).
    PrivateKeyJwt,
}

impl ClientAuth {
    /// Every method, in order of preference for a client with a secret.
    pub const ALL: [Self; 4] = [Self::PrivateKeyJwt, Self::Basic, Self::Post, Self::None];

    /// The name that metadata and registration use.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// The method of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

/// A client id at one issuer, with what belongs to it.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`, if there is one.
    pub secret: Option<SecretString>,
    /// The key it signs assertions with, if it has one. Never kept in a file.
    pub key: Option<ClientKey>,
    /// How it authenticates, if that is settled; otherwise the server's metadata decides.
    pub auth: Option<ClientAuth>,
    /// The redirect address it was registered with.
    pub redirect: Option<String>,
    /// When the secret ends, in seconds since 1970.
    pub expires: Option<i64>,
}

/// An access token and what is known about it.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: SecretString,
    /// The refresh token, if there is one.
    pub refresh: Option<SecretString>,
    /// When the access token ends, in seconds since 1970.
    pub expires: Option<i64>,
    /// The scopes that were asked for or granted.
    pub scopes: Vec<String>,
    /// The key that the access token is bound to (RFC 9449); without one it is a bearer token.
    pub key: Option<ProofKey>,
}

/// The tokens for one target, bound to the issuer they come from.
#[derive(Clone, Debug)]
pub struct Held {
    /// The URL of the target.
    pub target: String,
    /// Which of several people there.
    pub account: Option<String>,
    /// The issuer.
    pub issuer: String,
    /// The `resource` they were asked for, as the target writes it.
    pub resource: Option<String>,
    /// The client that they were granted to, if that is known; no other may refresh them (RFC 6749 section 6).
    pub client: Option<Client>,
    /// The tokens.
    pub tokens: Tokens,
}

/// Keeps clients and tokens. Implemented in memory here, and as a file where files belong.
pub trait Wallet: Send + Sync {
    /// The client registered at an issuer.
    fn client(&self, issuer: &str) -> Option<Client>;

    /// Keeps a client for an issuer, in place of an earlier one.
    fn keep_client(&self, issuer: &str, client: &Client) -> Result<(), Fault>;

    /// Forgets the client of an issuer.
    fn drop_client(&self, issuer: &str) -> Result<(), Fault>;

    /// The tokens for a target.
    fn held(&self, target: &str, account: Option<&str>) -> Option<Held>;

    /// Keeps tokens for their target, in place of earlier ones.
    fn keep(&self, held: &Held) -> Result<(), Fault>;

    /// Forgets the tokens for a target.
    fn drop_held(&self, target: &str, account: Option<&str>) -> Result<(), Fault>;
}

/// A wallet that ends with the run.
#[derive(Debug, Default)]
pub struct Memory {
    clients: Mutex<HashMap<String, Client>>,
    held: Mutex<HashMap<Place, Held>>,
}

type Place = (String, Option<String>);

fn place(target: &str, account: Option<&str>) -> Place {
    (target.to_owned(), account.map(str::to_owned))
}

impl Wallet for Memory {
    fn client(&self, issuer: &str) -> Option<Client> {
        lock(&self.clients).get(issuer).cloned()
    }

    fn keep_client(&self, issuer: &str, client: &Client) -> Result<(), Fault> {
        lock(&self.clients).insert(issuer.to_owned(), client.clone());
        Ok(())
    }

    fn drop_client(&self, issuer: &str) -> Result<(), Fault> {
        lock(&self.clients).remove(issuer);
        Ok(())
    }

    fn held(&self, target: &str, account: Option<&str>) -> Option<Held> {
        lock(&self.held).get(&place(target, account)).cloned()
    }

    fn keep(&self, held: &Held) -> Result<(), Fault> {
        lock(&self.held).insert(place(&held.target, held.account.as_deref()), held.clone());
        Ok(())
    }

    fn drop_held(&self, target: &str, account: Option<&str>) -> Result<(), Fault> {
        lock(&self.held).remove(&place(target, account));
        Ok(())
    }
}
