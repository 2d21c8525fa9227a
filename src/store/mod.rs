//! One SQLite file per run; a crash loses at most the trials in flight.
//!
//! [`Store`] writes (one thread, one transaction per batch of trials, acknowledged when synced), [`Reader`] reads.
//! The record is the product: when it cannot be written, every later call fails at once, so that spending stops.

pub mod baseline;
pub mod check;
pub mod clerks;
pub mod error;
mod gate;
pub mod history;
mod jobs;
pub mod layout;
mod lock;
pub mod outcomes;
mod pack;
pub mod paid;
pub mod prune;
pub mod read;
pub mod record;
mod schema;
pub mod sqlite;
pub mod verdicts;
mod writer;

pub use error::StoreError;
pub use lock::Lock;
pub use pack::{Packed, PackedVerdict};
pub use read::Reader;
pub use sqlite::{Kept, Options, Store};
