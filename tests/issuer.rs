//! The embedded issuer over real sockets: what it publishes, what it signs, whom it turns away.

#![expect(clippy::unwrap_used, reason = "a broken set-up should stop the test at once")]
#![expect(clippy::disallowed_methods, reason = "tokens are verified against the machine's own clock")]

#[path = "issuer/world.rs"]
mod world;

#[path = "issuer/client.rs"]
mod client;
#[path = "issuer/command.rs"]
mod command;
#[path = "issuer/documents.rs"]
mod documents;
#[path = "issuer/endpoints.rs"]
mod endpoints;
#[path = "issuer/grants.rs"]
mod grants;
#[path = "issuer/identities.rs"]
mod identities;
#[path = "issuer/introspection.rs"]
mod introspection;
#[path = "issuer/options.rs"]
mod options;
#[path = "issuer/registration.rs"]
mod registration;
#[path = "issuer/runs.rs"]
mod runs;
#[path = "issuer/tokens.rs"]
mod tokens;
#[path = "issuer/trouble.rs"]
mod trouble;
