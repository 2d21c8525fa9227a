//! The auth battery against servers that are right, wrong in one thing, silent or dead.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a broken set-up should stop the test at once; servers look at the clock"
)]

#[path = "auth_matrix/bench.rs"]
mod bench;
#[path = "auth_matrix/beside.rs"]
mod beside;
#[path = "support/flawed/mod.rs"]
mod flawed;
#[path = "auth_matrix/forged.rs"]
mod forged;
#[path = "auth_matrix/matrix.rs"]
mod matrix;
#[path = "auth_matrix/tables.rs"]
mod tables;
