//! What each persona sees, learned once before the first trial.
//!
//! The look finds a dead target before anything is spent, gives access probes the schemas of tools that a persona must
//! not see, and records which surface a run was measured on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use serde_json::Value;

use super::fit::Seen;
use crate::ids::{Digest, PersonaName, ToolName};
use crate::mcp::{ClientProfile, Identity, Opening, Scene, Session, Target, facts};
use crate::transcript::event::AuthMessage;
use crate::transcript::{
    Clock, Event, Fault, Recorder, Secrets, ServerFacts, Subject, ToolFact, What, WireMessage,
};

/// What one persona sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Surface {
    /// What the server said of itself.
    pub server: ServerFacts,
    /// The tools, in the server's order.
    pub tools: Vec<ToolFact>,
    /// Those of them that stand beyond the first page of the list, as recorded: without secrets.
    pub later: Vec<ToolFact>,
    /// What it has besides tools; empty unless the run asks about that.
    pub features: Features,
    /// What was said meanwhile, as recorded.
    pub wire: Vec<WireMessage>,
}

/// What a server has besides tools, as received.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// `resources/list`.
    pub resources: Vec<Value>,
    /// `resources/templates/list`.
    pub templates: Vec<Value>,
    /// `prompts/list`.
    pub prompts: Vec<Value>,
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

/// The lists of everything besides tools that the server says it has.
pub async fn features(session: &dyn Session) -> Result<Features, Fault> {
    let has = |capability: &str| session.facts().capabilities.get(capability).is_some();
    let mut features = Features::default();
    if has("resources") {
        features.resources = session.list(facts::RESOURCES).await?;
        features.templates = session.list(facts::TEMPLATES).await?;
    }
    if has("prompts") {
        features.prompts = session.list(facts::PROMPTS).await?;
    }
    Ok(features)
}

/// Looks at the target as each persona, side by side; `whole`: at more than its tools.
pub async fn look(
    target: &dyn Target,
    identities: &[(PersonaName, Identity)],
    profile: &ClientProfile,
    (clock, secrets): (&Clock, &Secrets),
    whole: bool,
) -> (Surfaces, Prelude) {
    let looks = identities.iter().map(|(persona, identity)| async move {
        let log = Recorder::new(clock.clone(), secrets.clone());
        let look = async {
            let scene = Scene { persona, case: None };
            let session = target.open(Opening::new(identity, profile).in_scene(scene), log.clone()).await?;
            let tools = session.list_tools().await;
            let features = if whole { features(session.as_ref()).await } else { Ok(Features::default()) };
            let server = session.facts().clone();
            session.close().await;
            let (later, wire) = (later(&log), wire(&log));
            Ok(Surface { server, tools: tools?, later, features: features?, wire })
        };
        let seen = look.await;
        ((persona.clone(), seen), (persona.clone(), authorized(&log)))
    });
    let (surfaces, messages) = join_all(looks).await.into_iter().unzip();
    (surfaces, Prelude(Mutex::new(messages)))
}

fn wire(log: &Recorder) -> Vec<WireMessage> {
    let events = (0..log.len() as u32).filter_map(|seq| log.event(seq));
    let messages = events.filter_map(|event| match event.what {
        What::Wire(message) => Some(message),
        _ => None,
    });
    messages.collect()
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

/// The description of a prompt as any persona sees it, the first by name.
pub fn find_prompt<'a>(surfaces: &'a Surfaces, prompt: &str) -> Option<&'a Value> {
    let prompts = surfaces.values().flatten().flat_map(|surface| &surface.features.prompts);
    prompts.into_iter().find(|item| item.get("name").is_some_and(|name| name == prompt))
}

/// What can be tried unasked, as any persona sees it: tools that say they only read, resources and prompts.
pub fn harmless(surfaces: &Surfaces) -> BTreeSet<Subject> {
    let mut found = BTreeSet::new();
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    for surface in surfaces.values().flatten() {
        let reads = surface.tools.iter().filter(|tool| {
            let hints = tool.raw.get("annotations");
            let says = |hint: &str| hints.and_then(|hints| hints.get(hint)?.as_bool());
            says("readOnlyHint") == Some(true) && says("destructiveHint") != Some(true)
        });
        found.extend(reads.map(|tool| Subject::Tool(tool.name.clone())));
        let Features { resources, prompts, .. } = &surface.features;
        found.extend(resources.iter().filter_map(|item| text(item, "uri")).map(Subject::Resource));
        found.extend(prompts.iter().filter_map(|item| text(item, "name")).map(Subject::Prompt));
    }
    found
}

/// The description of a tool as any persona sees it, the first by name.
pub fn find<'a>(surfaces: &'a Surfaces, tool: &ToolName) -> Option<&'a ToolFact> {
    surfaces.values().flatten().flat_map(|surface| &surface.tools).find(|fact| fact.name == *tool)
}
