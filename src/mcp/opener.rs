//! Opens a session on a connection: finds out the era of the server, or keeps to the one that is wanted.
//!
//! `era` decides; this file sends what it says and looks at what comes back.

use std::sync::Arc;

use serde_json::Value;

use super::busy::Busy;
use super::era::{self, Action, Observation, Tried};
use super::handshake::greet;
use super::hub::Reply;
use super::line::{Heard, Line, Patience, Stop};
use super::refusal::unauthorized;
use super::request::{Request, Voice};
use super::revision::{self, Choice, Era, MODERN, Revision};
use super::terms::Terms;
use super::{Refusal, facts, shape};
use crate::transcript::{Fault, ServerFacts, Side};

/// What is known of a server's era once a session has been opened with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It answers `server/discover`.
    Modern,
    /// It needs `initialize`, best with this offer.
    Legacy(&'static Revision),
}

/// How an opening ended, if not with a fault.
pub(super) enum Opened {
    /// The server is ready.
    Ready(ServerFacts, Known),
    /// The process ended on the first message and must be started again, for `initialize`.
    Gone,
}

/// Opens a session. `known` is what earlier sessions found out; it spares the question.
pub(super) async fn open(line: &Line, terms: &Terms, known: Option<Known>) -> Result<Opened, Fault> {
    line.show(&terms.quirks);
    match (terms.choice, known) {
        (Choice::Pinned(revision), _) if revision.era == Era::Legacy => hello(line, terms, revision).await,
        (Choice::Auto, Some(Known::Legacy(offer))) => hello(line, terms, offer).await,
        (_, known) => discover(line, terms, known.is_some()).await,
    }
}

/// The handshake of the older era.
pub(super) async fn hello(line: &Line, terms: &Terms, offer: &'static Revision) -> Result<Opened, Fault> {
    line.speak(None);
    let facts = greet(line, terms, offer).await?;
    Ok(Opened::Ready(facts, Known::Legacy(offer)))
}

/// Asks `server/discover` and does what the table says. A server that is known to be modern gets all the time there is.
async fn discover(line: &Line, terms: &Terms, known: bool) -> Result<Opened, Fault> {
    line.speak(Some(Voice::new(terms, MODERN)));
    let mut patient = known || line.carrier.exchanges();
    let mut busy = Busy::new(terms);
    let mut tried = Tried { pinned: matches!(terms.choice, Choice::Pinned(_)), ..Tried::default() };
    loop {
        // A pinned revision leaves nothing to go on to.
        let limit = match patient || tried.pinned {
            true => terms.open,
            false => terms.pace.silence.min(terms.open),
        };
        let patience = Patience::strict(limit);
        let heard = line
            .hear_as(terms.probe_id.as_deref(), &Request::new("server/discover", None::<&Value>), patience)
            .await;
        let died = line.hub.dead().is_some();
        let (seen, refusal, result) = match observe(heard, died) {
            Ok(seen) => seen,
            Err(heard) => return Err(line.fault(*heard, "server/discover", patience).await),
        };
        let step = era::decide(&seen, tried);
        if let Some(finding) = step.finding {
            line.hub.odd(None, finding);
        }
        match step.action {
            Action::Modern(revision) => {
                let result = result.map(Arc::unwrap_or_clone).unwrap_or_default();
                shape::cache_oddities("server/discover", &result)
                    .into_iter()
                    .for_each(|message| line.hub.odd(None, message));
                let (facts, odd) = facts::discovered(result, revision.name);
                odd.into_iter().for_each(|message| line.hub.odd(None, message));
                line.hub.stateless();
                return Ok(Opened::Ready(facts, Known::Modern));
            }
            Action::Again => tried.corrected += 1,
            Action::Later => {
                busy.rest(line, terms).await;
                tried.busy = busy.tries();
            }
            Action::Legacy(offer) => {
                let opened = hello(line, terms, offer.unwrap_or(terms.offered)).await;
                match &opened {
                    // It was silent because it was starting, and has no handshake.
                    Err(fault)
                        if seen == Observation::Silence && !patient && fault.code == "target.protocol" =>
                    {
                        patient = true;
                        line.speak(Some(Voice::new(terms, MODERN)));
                    }
                    _ => return opened,
                }
            }
            Action::Respawn => return Ok(Opened::Gone),
            Action::Unauthorized => {
                let refusal = refusal.unwrap_or_else(|| blank(&seen));
                return Err(line.broke(unauthorized(refusal.status.unwrap_or(401), &refusal)));
            }
            Action::Fail(message) => {
                let place = line.carrier.place().filter(|_| is_nowhere(&seen));
                let message = place.map_or(message.clone(), |place| {
                    format!("{message}; check the path in `target.url`, which is `{place}`")
                });
                return Err(line.broke(Fault::new(Side::Server, "target.protocol", message)));
            }
        }
    }
}

type Seen = (Observation, Option<Refusal>, Option<Arc<Value>>);

/// What came of the question as the table knows it. What says nothing about an era comes back as it was.
fn observe(heard: Heard, died: bool) -> Result<Seen, Box<Heard>> {
    let strange = |what: String| Ok((Observation::Strange(what), None, None));
    match heard {
        Heard::Answered(Reply { outcome: Ok(result), .. }) => {
            match revision::listed(result.get("supportedVersions")) {
                Some(listed) => Ok((Observation::Discovered(listed), None, Some(result))),
                None => strange("with a result without `supportedVersions`".to_owned()),
            }
        }
        Heard::Answered(Reply { outcome: Err(error), status, .. }) => {
            let refusal = super::refusal::from_error(error, status);
            Ok((said(&refusal), Some(refusal), None))
        }
        Heard::Stopped(Stop::Refused(refusal)) => Ok((said(&refusal), Some(refusal), None)),
        Heard::Stopped(Stop::Blank { status, .. }) if status >= 400 => {
            Ok((Observation::Status(status), None, None))
        }
        Heard::Stopped(Stop::Blank { status, .. }) => {
            strange(format!("HTTP {status} without a JSON-RPC answer"))
        }
        Heard::Stopped(Stop::Lost(fault)) => strange(format!("with a broken answer ({})", fault.message)),
        Heard::TooLong => Ok((Observation::Silence, None, None)),
        Heard::Stopped(Stop::Fault(_)) if died => Ok((Observation::Exited, None, None)),
        heard @ Heard::Stopped(Stop::Fault(_)) => Err(Box::new(heard)),
    }
}

/// Whether an answer looks like one from another place than an MCP endpoint.
fn is_nowhere(seen: &Observation) -> bool {
    matches!(seen, Observation::Status(404 | 405 | 501) | Observation::Strange(_))
}

fn said(refusal: &Refusal) -> Observation {
    let data = refusal.data.as_ref();
    match (refusal.code, refusal.status) {
        (None, Some(status)) if data.is_none() => Observation::Status(status),
        (code, status) => Observation::Error {
            code,
            status,
            supported: revision::listed(data.and_then(|data| data.get("supported"))),
            message: refusal.message.clone(),
        },
    }
}

fn blank(seen: &Observation) -> Refusal {
    let status = match seen {
        Observation::Status(status) => Some(*status),
        _ => None,
    };
    Refusal { code: None, status, message: String::new(), data: None, challenge: None }
}
