//! One SQLite file per run; a crash loses at most the trials in flight.

pub mod record;
