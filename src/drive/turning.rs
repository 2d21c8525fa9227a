//! An identity that changes while a session is open: a role that is granted, a token that ends, a caller who signs out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;

use crate::mcp::{Asking, Credentials, Identity, TokenSource};
use crate::transcript::Fault;

/// One identity after the other; which of them speaks is decided from outside.
pub(super) struct Turning {
    stages: Vec<Identity>,
    now: AtomicUsize,
}

impl Turning {
    /// Begins as the first of them.
    pub(super) fn new(first: &Identity, then: impl IntoIterator<Item = Identity>) -> Arc<Self> {
        let stages = std::iter::once(Arc::clone(first)).chain(then).collect();
        Arc::new(Self { stages, now: AtomicUsize::new(0) })
    }

    /// From the next request on, the next identity speaks; the last one stays.
    pub(super) fn turn(&self) {
        let last = self.stages.len() - 1;
        let _ = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some((now + 1).min(last)));
    }

    fn speaking(&self) -> &Identity {
        &self.stages[self.now.load(Ordering::Relaxed)]
    }
}

impl TokenSource for Turning {
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        self.speaking().headers(asking)
    }

    fn nonce(&self, nonce: &str) {
        self.speaking().nonce(nonce);
    }

    fn env(&self) -> Credentials {
        self.speaking().env()
    }
}
