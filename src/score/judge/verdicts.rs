//! Verdicts that were given once and are given again for the same question: same judge, same words, same data.
//!
//! Reuse takes the noise of asking twice out of reports; it does not take the judge's error out. Only what was decided
//! is kept: an unsure judge is asked again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::channel::oneshot::{Receiver, Sender, channel};
use futures::future::Shared;

use super::reply::Decision;
use crate::ids::Digest;

/// Where verdicts are kept. Losing one costs a call and nothing else, so nothing here fails.
pub trait Verdicts: Send + Sync {
    /// The verdict of a key.
    fn recall(&self, key: Digest) -> Option<Decision>;

    /// Keeps a verdict.
    fn keep(&self, key: Digest, decision: &Decision);

    /// Who asks for which of them now.
    fn turns(&self) -> &Turns;
}

/// Who asks which question now: the same question is put once, and others who have it wait for its verdict.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<Digest, Over>>);

/// Done when somebody's asking is over, however it ended.
pub(super) type Over = Shared<Receiver<()>>;

/// Whose turn it is to ask.
pub(super) enum Turn<'a> {
    /// Ours, for as long as this is held.
    Mine(Asking<'a>),
    /// Somebody else's.
    Theirs(Over),
}

/// A turn that is ours. Dropping it, also when the asking is given up, ends it.
pub(super) struct Asking<'a> {
    turns: &'a Turns,
    key: Digest,
    _over: Sender<()>,
}

impl Turns {
    /// Takes the turn for this key, or tells whom to wait for.
    pub(super) fn take(&self, key: Digest) -> Turn<'_> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key) {
            Entry::Occupied(theirs) => Turn::Theirs(theirs.get().clone()),
            Entry::Vacant(free) => {
                let (sender, receiver) = channel();
                free.insert(receiver.shared());
                Turn::Mine(Asking { turns: self, key, _over: sender })
            }
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Verdicts of one process.
#[derive(Debug, Default)]
pub struct InMemory {
    kept: Mutex<HashMap<Digest, Decision>>,
    turns: Turns,
}

impl Verdicts for InMemory {
    fn recall(&self, key: Digest) -> Option<Decision> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn keep(&self, key: Digest, decision: &Decision) {
        if decision.says().is_some() {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(key, decision.clone());
        }
    }

    fn turns(&self) -> &Turns {
        &self.turns
    }
}
