//! Scenarios of the official conformance suite, retold without node: a server that says what the suite's server says,
//! and the checks that the suite makes of what the client sends. Each test is called like its scenario.
//! `docs/conformance.md` tells how the suite itself is run.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and look at the clock")]

#[path = "conformance/authorization.rs"]
mod authorization;
#[path = "conformance/elicitation.rs"]
mod elicitation;
#[path = "conformance/modern.rs"]
mod modern;
#[path = "conformance/provider.rs"]
mod provider;
#[path = "conformance/rounds.rs"]
mod rounds;
#[path = "conformance/schemas.rs"]
mod schemas;
#[path = "support/shell.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod shell;
#[path = "conformance/site.rs"]
mod site;
#[path = "mcp_wire/stage.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod stage;
#[path = "conformance/streams.rs"]
mod streams;
