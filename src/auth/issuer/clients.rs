//! Who may ask for tokens, and how they prove it: enrolled by the run, registered by themselves, or known by a document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::client_auth::{Presented, Refused};
use super::lock;
use super::state::Shared;
use crate::auth::keys::same;

/// The most clients that register themselves or come with a document.
const MOST: usize = 1000;

/// RFC 7523 section 2.2.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest life of a client's assertion that is accepted, in seconds.
const ASSERTION_LIFE: i64 = 600;

/// How far a client's clock may be off, in seconds.
const LEEWAY: i64 = 60;

/// Algorithms of assertions; all asymmetric.
pub(super) const ASSERTION_ALGORITHMS: [&str; 6] = ["RS256", "PS256", "ES256", "ES384", "PS384", "EdDSA"];

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its id.
    pub(super) id: String,
    /// What it shows.
    pub(super) proof: Proof,
    /// Where its people may be sent back to.
    pub(super) redirects: Redirects,
    /// Who consents when the request names nobody.
    pub(super) persona: Option<String>,
}

/// How a client proves who it is.
#[derive(Debug)]
pub(super) enum Proof {
    /// It is public.
    None,
    /// By its secret.
    Secret(SecretString),
    /// By its secret, or not at all for grants that a public client may use.
    Either(SecretString),
    /// By assertions under one of these keys.
    Keys(JwkSet),
}

/// Where people may be sent back to.
#[derive(Debug)]
pub(super) enum Redirects {
    /// Any http address on loopback.
    Loopback,
    /// Exactly these; the port of a loopback address is free (RFC 8252 section 7.3).
    Listed(Vec<String>),
}

impl Redirects {
    /// Whether an address may be used.
    pub(super) fn allow(&self, asked: &str) -> bool {
        let Some(url) = Url::parse(asked).ok().filter(|url| url.fragment().is_none()) else { return false };
        match self {
            Self::Loopback => is_loopback_http(&url),
            Self::Listed(all) => all.iter().any(|known| {
                known == asked
                    || Url::parse(known)
                        .is_ok_and(|known| is_loopback_http(&known) && portless(&known) == portless(&url))
            }),
        }
    }
}

/// Plain http on this machine, as native programs use it.
pub(super) fn is_loopback_http(url: &Url) -> bool {
    url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

fn portless(url: &Url) -> Url {
    let mut url = url.clone();
    // Fails only for URLs without a host, which are not loopback.
    let _ = url.set_port(None);
    url
}

/// The fields of a form by which clients prove who they are.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Credentials {
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
    pub(super) client_assertion: Option<String>,
    pub(super) client_assertion_type: Option<String>,
}

/// A client that has shown what it has.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) client: Arc<Client>,
    /// Whether it has shown more than its name.
    pub(super) confidential: bool,
}

impl Proven {
    /// The client, if it has shown more than its name.
    pub(super) fn confidential(self) -> Result<Arc<Client>, Refused> {
        match self.confidential {
            true => Ok(self.client),
            false => Err(wrong()),
        }
    }
}

fn wrong() -> Refused {
    Refused("invalid_client", "unknown client, or its secret or assertion does not hold")
}

/// All clients of one issuer.
#[derive(Debug, Default)]
pub(super) struct Clients {
    known: Mutex<HashMap<String, Arc<Client>>>,
    /// Assertions that were used, and until when they would be good.
    spent: Mutex<HashMap<String, i64>>,
}

impl Clients {
    /// The client of that id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Client>> {
        lock(&self.known).get(id).cloned()
    }

    /// Takes a client in that the run itself brings.
    pub(super) fn enroll(&self, client: Client) {
        lock(&self.known).insert(client.id.clone(), Arc::new(client));
    }

    /// Takes a stranger in, if there is room.
    pub(super) fn admit(&self, client: Client) -> Result<(), Refused> {
        let mut known = lock(&self.known);
        if known.len() >= MOST {
            return Err(Refused("temporarily_unavailable", "too many clients have registered in this run"));
        }
        known.insert(client.id.clone(), Arc::new(client));
        Ok(())
    }

    /// Marks an assertion as used; whether it was new.
    pub(super) fn spend(&self, id: &str, until: i64, now: i64) -> bool {
        let mut spent = lock(&self.spent);
        spent.retain(|_, end| *end > now);
        spent.insert(id.to_owned(), until).is_none()
    }
}

/// Who asks, from header or form.
pub(super) fn proven(shared: &Shared, headers: &HeaderMap, form: &Credentials) -> Result<Proven, Refused> {
    if let Some(assertion) = &form.client_assertion {
        if form.client_assertion_type.as_deref() != Some(ASSERTION) || form.client_secret.is_some() {
            return Err(Refused("invalid_request", "`client_assertion_type` does not fit"));
        }
        let client = asserted(shared, assertion, form.client_id.as_deref())?;
        return Ok(Proven { client, confidential: true });
    }
    let presented = Presented::of(headers, form.client_id.as_deref(), form.client_secret.as_deref())?;
    let client = shared.clients.get(&presented.name).ok_or_else(wrong)?;
    let confidential = match (&client.proof, &presented.secret) {
        (Proof::Secret(known) | Proof::Either(known), Some(secret)) => {
            if !same(known.expose_secret(), secret) {
                return Err(wrong());
            }
            true
        }
        (Proof::None | Proof::Either(_), None) => false,
        _ => return Err(wrong()),
    };
    Ok(Proven { client, confidential })
}

/// RFC 7523 section 3: signed by the client, about itself, for us, soon over, and never seen before.
fn asserted(shared: &Shared, assertion: &str, id: Option<&str>) -> Result<Arc<Client>, Refused> {
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| wrong())?;
    let id = match id {
        Some(id) => id.to_owned(),
        None => jsonwebtoken::dangerous::insecure_decode::<Value>(assertion)
            .ok()
            .and_then(|data| data.claims["sub"].as_str().map(str::to_owned))
            .ok_or_else(wrong)?,
    };
    let client = shared.clients.get(&id).ok_or_else(wrong)?;
    let Proof::Keys(keys) = &client.proof else { return Err(wrong()) };
    let known = [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::PS384,
        Algorithm::EdDSA,
    ];
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        None => keys.keys.first(),
    };
    let key = key.filter(|_| known.contains(&header.alg)).ok_or_else(wrong)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| wrong())?;
    let mut rules = Validation::new(header.alg);
    rules.set_audience(&[&shared.url, &shared.endpoint("token")]);
    rules.set_issuer(&[&id]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Time is the issuer's, not the machine's.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(assertion, &key, &rules).map_err(|_| wrong())?.claims;
    let (now, end) = (shared.now(), claims["exp"].as_i64().ok_or_else(wrong)?);
    let lives = end + LEEWAY > now && end <= now + ASSERTION_LIFE + LEEWAY;
    let begun = claims["nbf"].as_i64().is_none_or(|begin| begin <= now + LEEWAY);
    let fresh = |jti: &str| shared.clients.spend(&format!("{id} {jti}"), end + LEEWAY, now);
    match claims["sub"] == id.as_str() && lives && begun && claims["jti"].as_str().is_some_and(fresh) {
        true => Ok(client),
        false => Err(wrong()),
    }
}
