//! Refresh tokens with rotation (RFC 9700 section 4.14.2): each works once, and using one again ends all that came of
//! the same grant.

use std::collections::HashMap;
use std::sync::Mutex;

use secrecy::SecretString;

use super::grant::Granted;
use super::ledger::{Digest, digest};
use super::lock;
use super::state::Shared;
use crate::auth::keys::random_text;
use crate::transcript::Fault;

/// How long a family lives, in seconds; runs are shorter.
const LIFE: i64 = 3600;

/// The most families; the issuer grants no refresh tokens beyond.
const MOST: usize = 10_000;

/// Every grant that can be renewed.
#[derive(Default)]
pub(super) struct Families(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    last: u64,
    families: HashMap<u64, Family>,
    /// Which family a refresh token belongs to, and whether it was used.
    tokens: HashMap<Digest, (u64, bool)>,
}

struct Family {
    granted: Granted,
    access: Vec<Digest>,
    ends: i64,
}

/// What came of showing a refresh token.
pub(super) enum Turn {
    /// It is good, and used now.
    Good(u64, Granted),
    /// Unknown, too old, or another client's.
    Unknown,
    /// It was used before. These access tokens end with the family.
    Again(Vec<Digest>),
}

impl Inner {
    fn end(&mut self, family: u64) -> Vec<Digest> {
        self.tokens.retain(|_, (of, _)| *of != family);
        self.families.remove(&family).map(|family| family.access).unwrap_or_default()
    }
}

impl Families {
    /// Uses a refresh token of `client`.
    pub(super) fn turn(&self, token: &str, client: &str, now: i64) -> Turn {
        let mut inner = lock(&self.0);
        let Some(&(id, used)) = inner.tokens.get(&digest(token)) else { return Turn::Unknown };
        let Some(family) = inner.families.get(&id) else { return Turn::Unknown };
        if family.granted.client != client || family.ends <= now {
            return Turn::Unknown;
        }
        let granted = family.granted.clone();
        if used {
            return Turn::Again(inner.end(id));
        }
        inner.tokens.insert(digest(token), (id, true));
        Turn::Good(id, granted)
    }

    /// Ends the family of a refresh token of `client`: its access tokens, or `None` if there is no such family.
    pub(super) fn revoke(&self, token: &str, client: &str) -> Option<Vec<Digest>> {
        let mut inner = lock(&self.0);
        let &(id, _) = inner.tokens.get(&digest(token))?;
        let ours = inner.families.get(&id).is_some_and(|family| family.granted.client == client);
        ours.then(|| inner.end(id))
    }

    /// A new family for a grant, unless there are too many.
    pub(super) fn begin(&self, granted: Granted, now: i64) -> Option<u64> {
        let mut inner = lock(&self.0);
        if inner.families.len() >= MOST {
            let over = inner.families.iter().filter(|(_, family)| family.ends <= now);
            let over: Vec<u64> = over.map(|(id, _)| *id).collect();
            over.into_iter().for_each(|id| drop(inner.end(id)));
        }
        if inner.families.len() >= MOST {
            return None;
        }
        inner.last += 1;
        let id = inner.last;
        inner.families.insert(id, Family { granted, access: vec![], ends: now + LIFE });
        Some(id)
    }

    /// Puts a refresh token and the access token that goes with it into a family that has not ended.
    fn put(&self, family: u64, refresh: &str, access: Option<&str>) {
        let mut inner = lock(&self.0);
        let Some(known) = inner.families.get_mut(&family) else { return };
        known.access.extend(access.map(digest));
        inner.tokens.insert(digest(refresh), (family, false));
    }
}

impl Shared {
    /// A refresh token of a family. Of one that has ended meanwhile it is worth nothing.
    pub(super) fn refresh_token(
        &self,
        family: u64,
        subject: &str,
        access: Option<&str>,
    ) -> Result<SecretString, Fault> {
        let text = format!("rehearsal-test-refresh-{}", random_text()?);
        self.secrets.register(&format!("refresh:{subject}"), &text);
        self.families.put(family, &text, access);
        Ok(SecretString::from(text))
    }

    /// Ends a family and every access token in it.
    pub(super) fn end_family(&self, family: u64) {
        let access = lock(&self.families.0).end(family);
        self.ledger.end(&access);
    }
}
