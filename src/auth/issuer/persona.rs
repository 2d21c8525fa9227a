//! What the run tells the issuer of its personas and clients, and what it can have made for them outside of any grant.

use jsonwebtoken::jwk::JwkSet;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::clients::{Client, Proof, Redirects};
use super::grant::Granted;
use super::token::{self, Kind};
use super::{Issuer, documents, lock};
use crate::auth::Minted;
use crate::auth::keys::random_text;
use crate::transcript::{Fault, Side};

/// A statement of the issuer about somebody, for an authorization server or a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched<'a> {
    /// Who a person is, for this client (an ID token).
    IdToken {
        /// The client, which is `aud`.
        client: &'a str,
    },
    /// An identity assertion (ID-JAG): a person, for a client at an authorization server.
    IdJag {
        /// The client at that server.
        client: &'a str,
        /// The server, which is `aud`.
        server: &'a str,
        /// The target in the end.
        resource: Option<&'a str>,
    },
    /// What an identity assertion says, under a `typ` that does not say that it is one.
    Untyped {
        /// The client at that server.
        client: &'a str,
        /// The server, which is `aud`.
        server: &'a str,
        /// The target in the end.
        resource: Option<&'a str>,
    },
    /// A workload, for an authorization server.
    Workload {
        /// The server, which is `aud`.
        server: &'a str,
    },
}

impl Issuer {
    /// Lets a persona consent, and a client of the same name ask for tokens: with the returned secret, or as a public
    /// client with an authorization code that is granted without asking anybody.
    pub fn enroll(&self, name: &str, minted: Minted) -> Result<SecretString, Fault> {
        let secret = random_text()?;
        self.shared.secrets.register(&format!("client:{name}"), &secret);
        let secret = SecretString::from(secret);
        self.take(name, minted, Proof::Either(secret.clone()))?;
        Ok(secret)
    }

    /// The same for a client that signs assertions with a key of this JWK set (RFC 7523 section 2.2).
    pub fn enroll_keys(&self, name: &str, minted: Minted, keys: &Value) -> Result<(), Fault> {
        let keys: JwkSet = serde_json::from_value(keys.clone()).map_err(|error| {
            Fault::new(Side::Harness, "issuer.crypto", format!("no JWK set for `{name}`: {error}"))
        })?;
        self.take(name, minted, Proof::Keys(keys))
    }

    fn take(&self, name: &str, minted: Minted, proof: Proof) -> Result<(), Fault> {
        token::lifetime(&minted)?;
        let mut personas = lock(&self.shared.personas);
        match personas.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = minted,
            None => personas.push((name.to_owned(), minted)),
        }
        let (id, persona) = (name.to_owned(), Some(name.to_owned()));
        self.shared.clients.enroll(Client { id, proof, redirects: Redirects::Loopback, persona });
        Ok(())
    }

    /// A refresh token of an enrolled persona and its client, for `resource`; `None` for an unknown name.
    pub fn refresh_token(&self, name: &str, resource: &str) -> Result<Option<SecretString>, Fault> {
        let Some((subject, minted)) = self.shared.persona(Some(name)) else { return Ok(None) };
        let (client, resource) = (subject.clone(), resource.to_owned());
        let granted = Granted { minted, subject, client, resource };
        let Some(family) = self.shared.families.begin(granted, self.shared.now()) else { return Ok(None) };
        self.shared.refresh_token(family, name, None).map(Some)
    }

    /// A signed statement about somebody, good or with the persona's flaw.
    pub fn vouch(&self, minted: &Minted, subject: &str, about: Vouched<'_>) -> Result<SecretString, Fault> {
        let (client, audience, kind) = match about {
            Vouched::IdToken { client } => (client, client, Kind::Id { nonce: None }),
            Vouched::IdJag { client, server, resource } => {
                (client, server, Kind::Jag { resource, typed: true })
            }
            Vouched::Untyped { client, server, resource } => {
                (client, server, Kind::Jag { resource, typed: false })
            }
            Vouched::Workload { server } => (subject, server, Kind::Workload),
        };
        self.shared.mint(minted, (subject, client), audience, kind)
    }

    /// The address of the metadata document of the harness's own client, which is its client id where a server supports
    /// that.
    pub fn client_document(&self) -> Url {
        let mut url = self.shared.base.clone();
        url.set_path(documents::PATH);
        url
    }
}
