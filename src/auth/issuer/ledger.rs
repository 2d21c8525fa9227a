//! What the issuer has handed out: for introspection, and to take it back.
//!
//! Tokens are kept as digests, so that nothing here is worth stealing.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::lock;
use super::token::{Made, Sort};
use crate::auth::Minted;

/// How long a token without `exp` is remembered, in seconds.
const UNENDING: i64 = 3600;

/// The most tokens remembered; beyond that new ones count as unknown.
const MOST: usize = 100_000;

pub(super) type Digest = [u8; 32];

/// Every token of this issuer that may still be asked about.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<HashMap<Digest, Entry>>,
}

struct Entry {
    known: Known,
    /// Forgotten after that, in seconds since 1970.
    until: i64,
    live: bool,
}

/// A token, as the issuer knows it.
#[derive(Clone)]
pub(super) struct Known {
    /// What it is for.
    pub(super) sort: Sort,
    /// What it says.
    pub(super) claims: Map<String, Value>,
    /// Whose wishes it was made from.
    pub(super) minted: Minted,
    /// `sub`, unless those name another.
    pub(super) subject: String,
}

/// What a digest of a token is found by.
pub(super) fn digest(token: &str) -> Digest {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name).and_then(Value::as_i64)
}

impl Ledger {
    /// Remembers a token that was just made for somebody.
    pub(super) fn note(&self, made: &Made, (minted, subject): (&Minted, &str), now: i64) {
        let until = seconds(&made.claims, "exp").unwrap_or(now + UNENDING);
        let known = Known {
            sort: made.sort,
            claims: made.claims.clone(),
            // The flaw of a token is not that of what comes of it.
            minted: Minted { flaw: None, ..minted.clone() },
            subject: subject.to_owned(),
        };
        let entry = Entry { known, until, live: made.ours };
        let mut entries = lock(&self.entries);
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() < MOST {
            entries.insert(digest(&made.text), entry);
        }
    }

    /// The token, if it is in force at `now`.
    pub(super) fn look(&self, token: &str, now: i64) -> Option<Known> {
        let entries = lock(&self.entries);
        let entry = entries.get(&digest(token))?;
        let begun = seconds(&entry.known.claims, "nbf").is_none_or(|begin| begin <= now);
        (entry.live && begun && entry.until > now).then(|| entry.known.clone())
    }

    /// Takes a token back; whether it was not taken back yet.
    pub(super) fn revoke(&self, token: &str) -> bool {
        let mut entries = lock(&self.entries);
        entries.get_mut(&digest(token)).is_some_and(|entry| std::mem::replace(&mut entry.live, false))
    }

    /// The same for several by their digests.
    pub(super) fn end(&self, tokens: &[Digest]) {
        let mut entries = lock(&self.entries);
        for token in tokens {
            if let Some(entry) = entries.get_mut(token) {
                entry.live = false;
            }
        }
    }
}
