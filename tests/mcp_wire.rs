//! The embedded client against real sockets and real processes: what it observes, what it records, how it fails.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "mcp_wire/era.rs"]
mod era;
#[path = "mcp_wire/clients.rs"]
mod clients;
#[path = "mcp_wire/faults.rs"]
mod faults;
#[path = "mcp_wire/floods.rs"]
mod floods;
#[path = "mcp_wire/habits.rs"]
mod habits;
#[path = "mcp_wire/http.rs"]
mod http;
#[path = "mcp_wire/long.rs"]
mod long;
#[path = "mcp_wire/modern.rs"]
mod modern;
#[path = "mcp_wire/rmcp_twin.rs"]
mod rmcp_twin;
#[path = "mcp_wire/rounds.rs"]
mod rounds;
#[path = "mcp_wire/http_sse.rs"]
mod http_sse;
#[path = "mcp_wire/renewal.rs"]
mod renewal;
#[path = "mcp_wire/second_client.rs"]
mod second_client;
#[path = "mcp_wire/stdio.rs"]
mod stdio;
#[path = "mcp_wire/stage.rs"]
mod stage;
#[path = "mcp_wire/tls.rs"]
mod tls;
