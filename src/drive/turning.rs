//! An identity that changes while a session is open: a role that is granted, a token that ends or is taken back, a caller
//! who signs out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::mcp::{Asking, Credentials, Identity, TokenSource};
use crate::transcript::Fault;

/// Who speaks at one time.
pub(super) enum Speaker {
    /// Somebody.
    Identity(Identity),
    /// Whoever spoke before, with the same words and no others.
    Parrot,
}

/// One speaker after the other; which of them it is is decided from outside.
pub(super) struct Turning {
    stages: Vec<Speaker>,
    now: AtomicUsize,
    /// What was said last.
    last: Mutex<Credentials>,
}

impl Turning {
    /// Begins as the first of them.
    pub(super) fn new(first: Identity, then: impl IntoIterator<Item = Speaker>) -> Arc<Self> {
        let stages = std::iter::once(Speaker::Identity(first)).chain(then).collect();
        Arc::new(Self { stages, now: AtomicUsize::new(0), last: Mutex::default() })
    }

    /// From the next request on, the next speaker speaks; the last one stays.
    pub(super) fn turn(&self) {
        let end = self.stages.len() - 1;
        let _ = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| Some((now + 1).min(end)));
    }

    /// The bearer token that was shown last.
    pub(super) fn shown(&self) -> Option<SecretString> {
        let last = self.said();
        let (_, value) = last.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
        value.expose_secret().split_once(' ').map(|(_, token)| SecretString::from(token))
    }

    fn said(&self) -> Credentials {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who speaks now; `None`: nobody new.
    fn speaking(&self) -> Option<&Identity> {
        match &self.stages[self.now.load(Ordering::Relaxed)] {
            Speaker::Identity(identity) => Some(identity),
            Speaker::Parrot => None,
        }
    }
}

impl TokenSource for Turning {
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        Box::pin(async move {
            let Some(speaking) = self.speaking() else { return Ok(self.said()) };
            let said = speaking.headers(asking).await?;
            self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&said);
            Ok(said)
        })
    }

    fn nonce(&self, nonce: &str) {
        if let Some(speaking) = self.speaking() {
            speaking.nonce(nonce);
        }
    }

    fn env(&self) -> Credentials {
        self.speaking().map(|speaking| speaking.env()).unwrap_or_default()
    }
}
