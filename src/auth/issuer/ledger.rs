//! What the issuer has handed out: for introspection, and to take it back.
//!
//! Tokens are kept as digests, so that nothing here is worth stealing.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};

use super::lock;
use super::token::Made;

/// How long a token without `exp` is remembered, in seconds.
const UNENDING: i64 = 3600;

/// The most tokens remembered; beyond that new ones count as unknown.
const MOST: usize = 100_000;

type Digest = [u8; 32];

/// Every token of this issuer that may still be asked about.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Mutex<HashMap<Digest, Entry>>,
}

struct Entry {
    claims: Map<String, Value>,
    /// Forgotten after that, in seconds since 1970.
    until: i64,
    live: bool,
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
    /// Remembers a token that was just made.
    pub(super) fn note(&self, made: &Made, now: i64) {
        let until = seconds(&made.claims, "exp").unwrap_or(now + UNENDING);
        let entry = Entry { claims: made.claims.clone(), until, live: made.ours };
        let mut entries = lock(&self.entries);
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() < MOST {
            entries.insert(digest(&made.text), entry);
        }
    }

    /// What the token says, if it is in force at `now`.
    pub(super) fn active(&self, token: &str, now: i64) -> Option<Map<String, Value>> {
        let entries = lock(&self.entries);
        let entry = entries.get(&digest(token))?;
        let begun = seconds(&entry.claims, "nbf").is_none_or(|begin| begin <= now);
        (entry.live && begun && entry.until > now).then(|| entry.claims.clone())
    }

    /// Takes a token back; whether it was known.
    pub(super) fn revoke(&self, token: &str) -> bool {
        lock(&self.entries).get_mut(&digest(token)).map(|entry| entry.live = false).is_some()
    }
}
