//! The handshake of revisions up to 2025-11-25: `initialize`, a revision both sides speak, `notifications/initialized`.
//!
//! What refuses it is told apart here: no endpoint, no authorization, no common revision.

use std::sync::Arc;

use serde_json::json;
use tokio::time::timeout;

use super::busy::Busy;
use super::hub::Reply;
use super::line::{Heard, Line, Patience, Stop, late};
use super::refusal::{from_error, unauthorized, words};
use super::request::Request;
use super::revision::{self, Choice, Era, REVISIONS, Revision};
use super::terms::Terms;
use super::{Refusal, facts, jsonrpc};
use crate::display;
use crate::transcript::{Fault, ServerFacts, Side};

/// Greets the server and settles on a revision. Each step may take as long as the terms say for an opening.
pub(super) async fn greet(
    line: &Line,
    terms: &Terms,
    offer: &'static Revision,
) -> Result<ServerFacts, Fault> {
    let limit = terms.open;
    let params = json!({
        "protocolVersion": offer.name,
        "capabilities": terms.capabilities,
        "clientInfo": terms.info,
    });
    let (request, patience) = (Request::new("initialize", Some(&params)), Patience::strict(limit));
    let mut busy = Busy::new(terms);
    let mut heard = line.hear(&request, patience).await;
    while busy.passes(line, &heard).await {
        heard = line.hear(&request, patience).await;
    }
    let result = match heard {
        Heard::Answered(Reply { outcome: Ok(result), .. }) => Arc::unwrap_or_clone(result),
        Heard::Answered(Reply { outcome: Err(error), .. }) => {
            return Err(line.broke(refused_handshake(&from_error(error, None))));
        }
        Heard::Stopped(Stop::Blank { status: status @ (501 | ..300), looks, .. })
            if status == 501 || looks.starts_with("the HTML page") =>
        {
            return Err(line.broke(nowhere(line, &format!("HTTP {status} with {looks}"))));
        }
        Heard::Stopped(Stop::Refused(Refusal { status: Some(404 | 405), code: None, message, .. })) => {
            return Err(line.broke(nowhere(line, &message)));
        }
        Heard::Stopped(Stop::Refused(refusal)) => return Err(line.broke(refused_handshake(&refusal))),
        heard => return Err(line.fault(heard, "initialize", patience).await),
    };
    let (facts, odd) = facts::server(result);
    odd.into_iter().for_each(|message| line.hub.odd(None, message));
    let Some(revision) = revision::find(&facts.protocol).filter(|revision| revision.era == Era::Legacy)
    else {
        return Err(line.broke(unknown_revision(&facts.protocol)));
    };
    if terms.strict && terms.choice != Choice::Auto && revision != offer {
        let message = format!(
            "the server does not speak {}, which is pinned: it answered `initialize` with {}",
            offer.name, revision.name
        );
        return Err(line.broke(Fault::new(Side::Server, "target.protocol", message)));
    }
    let shown = if terms.version_header.is_some() { revision } else { revision::silent(revision) };
    line.carrier.settle(shown);
    if terms.legacy_steps.early_level && facts.capabilities.get("logging").is_some() {
        let params = json!({"level": terms.asked_level()});
        // What the server makes of it is in the record.
        let _ = line.hear(&Request::new("logging/setLevel", Some(&params)), Patience::strict(limit)).await;
    }
    let initialized = jsonrpc::notification("notifications/initialized", None::<()>);
    timeout(limit, line.carrier.tell(initialized, &line.log))
        .await
        .map_err(|_| line.broke(late("notifications/initialized", limit)))?
        .map_err(|fault| line.broke(fault))?;
    if terms.listens && !terms.legacy_steps.place_stream() {
        line.carrier.listen().await;
    }
    Ok(facts)
}

/// The first request of a connection got an answer that no MCP endpoint gives.
pub(super) fn nowhere(line: &Line, answered: &str) -> Fault {
    let place = line.carrier.place().map_or_else(|| "there".to_owned(), |place| format!("at `{place}`"));
    let message = format!(
        "no MCP endpoint {place}: it answered {answered}; check the path in `target.url`, many servers answer at `/mcp`"
    );
    Fault::new(Side::Server, "target.protocol", message)
}

fn refused_handshake(refusal: &Refusal) -> Fault {
    let message = words(refusal);
    match refusal.status {
        Some(status @ (401 | 403)) => unauthorized(status, refusal),
        _ => {
            Fault::new(Side::Server, "target.protocol", format!("the server refused `initialize`: {message}"))
        }
    }
}

fn unknown_revision(name: &str) -> Fault {
    let known: Vec<&str> =
        REVISIONS.iter().filter(|known| known.era == Era::Legacy).map(|known| known.name).collect();
    let name = display::excerpt(name, 40);
    Fault::new(
        Side::Server,
        "target.protocol",
        format!("the server wants protocol revision `{name}`; this client speaks only {}", known.join(", ")),
    )
}
