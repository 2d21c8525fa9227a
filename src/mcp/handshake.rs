//! The handshake of revisions up to 2025-11-25: `initialize`, a revision both sides speak, `notifications/initialized`.
//!
//! What refuses it is told apart here: no endpoint, no authorization, no common revision.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::line::{Line, Patience, late};
use super::refusal::{from_error, unauthorized, words};
use super::revision::{self, REVISIONS};
use super::{ClientProfile, Refusal, facts, jsonrpc};
use crate::display;
use crate::transcript::{Fault, ServerFacts, Side};

/// Greets the server and settles on a revision. Each step may take as long as the limit says.
pub(super) async fn greet(
    line: &Line,
    profile: &ClientProfile,
    limit: Duration,
) -> Result<ServerFacts, Fault> {
    let params = json!({
        "protocolVersion": profile.wire.offered(),
        "capabilities": profile.wire.capabilities(),
        "clientInfo": profile.wire.client_info(),
    });
    let reply = line.ask("initialize", |_| Some(&params), Patience::strict(limit)).await?;
    let result = match reply.map(|reply| reply.outcome) {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => return Err(line.broke(refused_handshake(&from_error(error, None)))),
        Err(refusal) => return Err(line.broke(refused_handshake(&refusal))),
    };
    let (facts, odd) = facts::server(result);
    odd.into_iter().for_each(|message| line.hub.odd(None, message));
    let Some(revision) = revision::find(&facts.protocol) else {
        return Err(line.broke(unknown_revision(&facts.protocol)));
    };
    line.carrier.settle(revision);
    let initialized = jsonrpc::notification("notifications/initialized", None::<()>);
    timeout(limit, line.carrier.tell(initialized, &line.log))
        .await
        .map_err(|_| line.broke(late("notifications/initialized", limit)))?
        .map_err(|fault| line.broke(fault))?;
    line.carrier.listen();
    Ok(facts)
}

fn refused_handshake(refusal: &Refusal) -> Fault {
    let message = words(refusal);
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        Some(status @ (404 | 405)) if refusal.code.is_none() => Fault::new(
            Side::Server,
            "target.protocol",
            format!(
                "no MCP endpoint there (HTTP {status}); check the path in `target.url`, many servers answer at `/mcp`"
            ),
        ),
        _ => {
            Fault::new(Side::Server, "target.protocol", format!("the server refused `initialize`: {message}"))
        }
    }
}

fn unknown_revision(name: &str) -> Fault {
    let known: Vec<&str> = REVISIONS.iter().map(|revision| revision.name).collect();
    let name = display::excerpt(name, 40);
    Fault::new(
        Side::Server,
        "target.protocol",
        format!("the server wants protocol revision `{name}`; this client speaks only {}", known.join(", ")),
    )
}
