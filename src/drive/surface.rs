//! What each persona sees, learned once before the first trial.
//!
//! The look finds a dead target before anything is spent, gives access probes the schemas of tools that a persona must
//! not see, and records which surface a run was measured on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;

use super::fit::Seen;
use crate::ids::{Digest, PersonaName, ToolName};
use crate::mcp::{ClientProfile, Identity, Opening, Target};
use crate::transcript::event::AuthMessage;
use crate::transcript::{Clock, Event, Fault, Recorder, Secrets, ServerFacts, ToolFact, What};

/// What one persona sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// What the server said of itself.
    pub server: ServerFacts,
    /// The tools, in the server's order.
    pub tools: Vec<ToolFact>,
    /// Those of them that stand beyond the first page of the list, as recorded: without secrets.
    pub later: Vec<ToolFact>,
}

impl Surface {
    /// The digest of everything a model can read of it.
    pub fn digest(&self) -> Digest {
        let tools: Vec<_> = self.tools.iter().map(|tool| &tool.raw).collect();
        Digest::of_json(&(&self.server.instructions, tools))
    }
}

/// What every persona sees, or why it sees nothing.
pub type Surfaces = BTreeMap<PersonaName, Result<Surface, Fault>>;

/// How each persona came to its credentials while the target was looked at. A look has no record of its own that is
/// kept, so the first trial as a persona takes what belongs to it into its own.
#[derive(Debug, Default)]
pub struct Prelude(Mutex<BTreeMap<PersonaName, Vec<AuthMessage>>>);

impl Prelude {
    /// Writes what belongs to a persona into a record, once.
    pub fn tell(&self, persona: &PersonaName, log: &Recorder) {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(persona);
        let Some(messages) = taken.filter(|messages| !messages.is_empty()) else { return };
        let told = |message: &str| log.note(What::Auth(AuthMessage::Noted { message: message.to_owned() }));
        told("before the first trial, when the target was looked at as this persona:");
        for message in messages {
            log.note(What::Auth(message));
        }
        told("that was before the first trial");
    }
}

fn authorized(log: &Recorder) -> Vec<AuthMessage> {
    let events = (0..log.len() as u32).filter_map(|seq| log.event(seq));
    let messages = events.filter_map(|event| match event.what {
        What::Auth(message) => Some(message),
        _ => None,
    });
    messages.collect()
}

/// Looks at the target as each persona, side by side.
pub async fn look(
    target: &dyn Target,
    identities: &[(PersonaName, Identity)],
    profile: &ClientProfile,
    (clock, secrets): (&Clock, &Secrets),
) -> (Surfaces, Prelude) {
    let looks = identities.iter().map(|(persona, identity)| async move {
        let log = Recorder::new(clock.clone(), secrets.clone());
        let look = async {
            let session = target.open(Opening::new(identity, profile), log.clone()).await?;
            let tools = session.list_tools().await;
            let server = session.facts().clone();
            session.close().await;
            Ok(Surface { server, tools: tools?, later: later(&log) })
        };
        let seen = look.await;
        ((persona.clone(), seen), (persona.clone(), authorized(&log)))
    });
    let (surfaces, messages) = join_all(looks).await.into_iter().unzip();
    (surfaces, Prelude(Mutex::new(messages)))
}

/// The tools beyond the first page that a record tells of.
fn later(log: &Recorder) -> Vec<ToolFact> {
    let mut seen = Seen::default();
    let events: Vec<Event> = (0..log.len() as u32).filter_map(|seq| log.event(seq)).collect();
    seen.absorb(&events);
    let Seen { mut tools, later, .. } = seen;
    tools.retain(|tool| later.contains(&tool.name));
    tools
}

/// The description of a tool as any persona sees it, the first by name.
pub fn find<'a>(surfaces: &'a Surfaces, tool: &ToolName) -> Option<&'a ToolFact> {
    surfaces.values().flatten().flat_map(|surface| &surface.tools).find(|fact| fact.name == *tool)
}
