//! Verdicts that were given once and are given again for the same question: same judge, same words, same data.
//!
//! Reuse takes the noise of asking twice out of reports; it does not take the judge's error out. Only what was decided
//! is kept: an unsure judge is asked again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::reply::Decision;
use crate::ids::Digest;

/// Where verdicts are kept. Losing one costs a call and nothing else, so nothing here fails.
pub trait Verdicts: Send + Sync {
    /// The verdict of a key.
    fn recall(&self, key: Digest) -> Option<Decision>;

    /// Keeps a verdict.
    fn keep(&self, key: Digest, decision: &Decision);
}

/// Verdicts of one process.
#[derive(Debug, Default)]
pub struct InMemory(Mutex<HashMap<Digest, Decision>>);

impl Verdicts for InMemory {
    fn recall(&self, key: Digest) -> Option<Decision> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn keep(&self, key: Digest, decision: &Decision) {
        if decision.says().is_some() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, decision.clone());
        }
    }
}
