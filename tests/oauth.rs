//! Authorization as a client, over real sockets: one rule at a time, each with a server that keeps it and one that does
//! not.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a broken set-up should stop the test at once"
)]

#[path = "oauth/world.rs"]
mod world;

#[path = "oauth/discovery.rs"]
mod discovery;
#[path = "oauth/hostile.rs"]
mod hostile;
#[path = "oauth/registration.rs"]
mod registration;
#[path = "oauth/renewal.rs"]
mod renewal;
#[path = "oauth/scopes.rs"]
mod scopes;
#[path = "oauth/machines.rs"]
mod machines;
#[path = "oauth/proofs.rs"]
mod proofs;
#[path = "oauth/record.rs"]
mod record;
#[path = "oauth/personas.rs"]
mod personas;
