//! A look at a server without any case: its tools as each identity sees them, with how the list came.

use std::sync::Arc;

use super::fit::Seen;
use super::stage::{self, Outside};
use crate::auth::identity;
use crate::mcp::connect::{self, Keeper};
use crate::mcp::process::guard::Guard;
use crate::mcp::{ClientProfile, Endpoint, Identity, Isolation, Opening, Target};
use crate::net;
use crate::suite::Suite;
use crate::transcript::{Event, Fault, Recorder, ServerFacts, ToolFact, What};

/// What a look gave.
#[derive(Debug)]
pub struct Visit {
    /// How the target was reached, in words.
    pub target: String,
    /// What was seen, over all identities.
    pub seen: Seen,
    /// The lists of tools themselves, one per identity that was let in; without secrets.
    pub lists: Vec<Vec<ToolFact>>,
    /// What the server said of itself to the last identity that was let in.
    pub facts: ServerFacts,
    /// Identities that saw nothing, and why.
    pub refused: Vec<(String, Fault)>,
}

impl Visit {
    /// Nothing seen yet.
    fn new(target: String) -> Self {
        let (seen, facts) = (Seen::default(), ServerFacts::default());
        Self { target, seen, lists: vec![], facts, refused: vec![] }
    }
}

/// Visits the target of a suite as each of its personas. Fails when nobody sees anything.
pub async fn suite(suite: &Suite, outside: &Outside) -> Result<Visit, Fault> {
    let (set, target) = stage::raise(suite, outside).await?;
    let authority = set.authority(outside);
    let mut visit = Visit::new(target);
    for persona in &suite.personas {
        let looked = match identity::identity(&persona.value, &authority) {
            Ok(identity) => look(set.target(), &identity, outside, &mut visit).await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = looked {
            visit.refused.push((persona.value.name.to_string(), fault));
        }
    }
    set.strike().await;
    somebody(visit, suite.personas.len())
}

/// Visits an endpoint as one identity.
pub async fn endpoint(endpoint: Endpoint, identity: &Identity, outside: &Outside) -> Result<Visit, Fault> {
    let target = match &endpoint {
        Endpoint::Http { url, .. } | Endpoint::HttpSse { url, .. } => net::shown(url),
        Endpoint::Stdio(program) => program.command.join(" "),
    };
    let guard = Guard::new(outside.program.clone(), &["guard"]);
    let keeper = Keeper::new(outside.http.clone()).guarded(guard);
    let server: Arc<dyn Target> = connect::target(endpoint, Isolation::Trial, keeper);
    let mut visit = Visit::new(target);
    let looked = look(server.as_ref(), identity, outside, &mut visit).await;
    server.close().await;
    looked?;
    Ok(visit)
}

fn somebody(visit: Visit, asked: usize) -> Result<Visit, Fault> {
    match visit.refused.first() {
        Some((_, fault)) if visit.refused.len() == asked => Err(fault.clone()),
        _ => Ok(visit),
    }
}

/// Lists the tools through the client without limits and takes in everything that came.
async fn look(
    target: &dyn Target,
    identity: &Identity,
    outside: &Outside,
    visit: &mut Visit,
) -> Result<(), Fault> {
    let log = Recorder::new(outside.clock.clone(), outside.secrets.clone());
    let profile = ClientProfile::reference();
    let session = target.open(Opening::new(identity, &profile), log.clone()).await?;
    visit.facts = session.facts().clone();
    let listed = session.list_tools().await;
    session.close().await;
    let events: Vec<Event> = (0..log.len() as u32).filter_map(|seq| log.event(seq)).collect();
    visit.seen.absorb(&events);
    let lists = events.into_iter().filter_map(|event| match event.what {
        What::ToolsListed { tools } => Some(tools),
        _ => None,
    });
    visit.lists.extend(lists);
    listed.map(|_| ())
}
