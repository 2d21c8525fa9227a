//! The issuer's public keys: fetched once, and again for an unknown key id, but not as often as an attacker likes.

use std::sync::Mutex;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::time::Instant;

use super::{Server, lock};

/// How long the issuer may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// After how long one more fetch is allowed in any case.
const PAUSE: Duration = Duration::from_secs(10);

/// How many fetches unknown key ids may cause in a row.
const ALLOWED: u32 = 2;

/// The keys known so far.
#[derive(Default)]
pub(super) struct KeySet(Mutex<Known>);

#[derive(Default)]
struct Known {
    keys: Option<JwkSet>,
    refetched: u32,
    last: Option<Instant>,
}

/// What became of the search for a key.
pub(super) enum Search {
    /// The key.
    Found(Box<Jwk>),
    /// The issuer lists no such key, as far as may be asked.
    Unknown,
    /// The issuer does not answer.
    Unavailable,
}

impl Server {
    /// The key with this id.
    pub(super) async fn key(&self, kid: &str) -> Search {
        let known = {
            let known = lock(&self.keys.0);
            known.keys.as_ref().map(|keys| keys.find(kid).cloned())
        };
        match known {
            Some(Some(key)) => return Search::Found(Box::new(key)),
            Some(None) if !self.may_refetch() => return Search::Unknown,
            _ => {}
        }
        let Some(keys) = fetch(&self.http, &format!("{}/jwks", self.issuer)).await else {
            return Search::Unavailable;
        };
        let key = keys.find(kid).cloned();
        lock(&self.keys.0).keys = Some(keys);
        key.map_or(Search::Unknown, |key| Search::Found(Box::new(key)))
    }

    fn may_refetch(&self) -> bool {
        let mut known = lock(&self.keys.0);
        if self.broken("D34") {
            return false;
        }
        let now = Instant::now();
        if known.last.is_some_and(|last| now.duration_since(last) > PAUSE) {
            known.refetched = 0;
        }
        if known.refetched >= ALLOWED && !self.broken("D10.fetches") {
            return false;
        }
        known.refetched += 1;
        known.last = Some(now);
        true
    }

    /// A good token was seen: whoever sent it may make us ask again.
    pub(super) fn trust_restored(&self) {
        lock(&self.keys.0).refetched = 0;
    }

    /// Any RSA key, for the flaw that takes a public key for a secret.
    pub(super) async fn rsa_key(&self) -> Option<Jwk> {
        let keys = fetch(&self.http, &format!("{}/jwks", self.issuer)).await?;
        keys.keys
            .into_iter()
            .find(|key| matches!(key.algorithm, jsonwebtoken::jwk::AlgorithmParameters::RSA(_)))
    }
}

/// A key set by URL.
pub(super) async fn fetch(http: &reqwest::Client, url: &str) -> Option<JwkSet> {
    let answer = http.get(url).send().await.ok()?.error_for_status().ok()?;
    answer.json().await.ok()
}
