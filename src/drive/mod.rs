//! Drives cases against the target and leaves one transcript each; never decides pass or fail.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::ids::CaseKey;
use crate::transcript::{CaseHeader, Event, Fault, Transcript};

/// Keeps what was paid for before anything is done with it. Implemented by `store`; waiting for it is part of the loop.
pub trait Journal: Send + Sync {
    /// A model response arrived. Returns when it is safe on disk; an error stops all spending.
    fn model_replied<'a>(&'a self, key: CaseKey, event: &'a Event) -> BoxFuture<'a, Result<(), Fault>>;
}

/// What driving reports, in one stream.
#[derive(Debug)]
pub enum DriveEvent {
    /// A trial began.
    Started(CaseHeader),
    /// A trial ended, one way or another. Back-pressure of the receiver slows the scheduler down.
    Finished(Arc<Transcript>),
}
