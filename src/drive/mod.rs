//! Drives cases against the target and leaves one transcript each; never decides pass or fail.
//!
//! The scheduler starts trials as permits allow, each trial is a task of its own with its own record, and everything
//! comes back in one bounded stream of [`DriveEvent`]s. Nothing here scores, stores or prints.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::auth::Authority;
use crate::ids::{CaseKey, Digest, PersonaName};
use crate::llm::ChatModel;
use crate::llm::pace::Paces;
use crate::mcp::{Host, Identity, Opening, Scene, Session, Target};
use crate::plan::Case;
use crate::transcript::{CaseHeader, Clock, Event, Fault, Glance, Recorder, Secrets, Side, Transcript};

pub mod access;
pub mod agent;
pub mod auth;
pub mod cast;
pub mod doors;
mod errands;
pub mod fit;
mod foreign;
pub mod hands;
pub mod host;
pub mod house;
pub mod issuer;
pub mod ledger;
pub mod offer;
pub mod sampling;
pub mod schedule;
pub mod script;
pub mod seats;
pub mod stage;
pub mod steps;
pub mod surface;
pub mod tapes;
pub mod trial;
mod turning;
mod user;
pub mod visit;

/// Keeps what was paid for before anything is done with it. Implemented by `store`; waiting for it is part of the loop.
pub trait Journal: Send + Sync {
    /// A model response arrived. Returns when it is safe on disk; an error stops all spending.
    fn model_replied<'a>(&'a self, key: CaseKey, event: &'a Event) -> BoxFuture<'a, Result<(), Fault>>;
}

/// Everything outside that a trial touches. Built once per run.
pub struct World {
    /// The server under test.
    pub target: Arc<dyn Target>,
    /// The models, by the `model` digest of the case keys.
    pub models: HashMap<Digest, Arc<dyn ChatModel>>,
    /// The models that answer for the client when the server asks for words, by [`sampling::Sampler::key`].
    pub samplers: HashMap<Digest, Arc<sampling::Sampler>>,
    /// What trials need besides models and the target: programs, players, variables.
    pub hands: hands::Hands,
    /// The identities, by persona.
    pub identities: HashMap<PersonaName, Identity>,
    /// What identities of a single trial are made with; `None` where the target is a tape and asks for none.
    pub authority: Option<Authority>,
    /// What each persona sees, learned before the first trial; arguments of access probes are made from it.
    pub surfaces: surface::Surfaces,
    /// What clients make of the target's tools.
    pub stocks: offer::Stocks,
    /// How the personas were authorized meanwhile.
    pub prelude: surface::Prelude,
    /// What auth probes need; `None` when the suite has no auth checks.
    pub lab: Option<auth::Lab>,
    /// Keeps model responses.
    pub journal: Arc<dyn Journal>,
    /// Time.
    pub clock: Clock,
    /// What must not be written down.
    pub secrets: Secrets,
    /// How the run is stopped.
    pub stop: Stopping,
    /// How fast the providers of models may be asked.
    pub paces: Arc<Paces>,
    /// Trials in flight at most.
    pub seats: seats::Seats,
    /// Sessions that are opened at once.
    pub doors: doors::Doors,
}

impl World {
    /// The identity of a persona. The plan builds every one it names, so a missing one is a fault of ours.
    fn identity(&self, persona: &PersonaName) -> Result<&Identity, Fault> {
        let missing = || {
            let message = format!("the plan names the persona `{persona}`, which was not built");
            Fault::new(Side::Harness, "bug.no-persona", message)
        };
        self.identities.get(persona).ok_or_else(missing)
    }

    /// A session as a persona, with the case's client profile; without a host the client answers by itself.
    pub(crate) async fn open(
        &self,
        persona: &PersonaName,
        case: &Case,
        log: &Recorder,
        host: Option<&Arc<dyn Host>>,
    ) -> Result<Box<dyn Session>, Fault> {
        self.prelude.tell(persona, log);
        let scene = Scene { persona, case: Some(&case.header) };
        let opening = Opening { host, ..Opening::new(self.identity(persona)?, &case.client).in_scene(scene) };
        self.target.open(opening, log.clone()).await
    }
}

/// The two ways to stop a run, and its pause. Draining is implied by aborting.
#[derive(Clone, Debug, Default)]
pub struct Stopping {
    /// Start no more trials; let those in flight finish.
    pub drain: CancellationToken,
    /// Interrupt the trials in flight; their events so far are kept.
    pub abort: CancellationToken,
    /// Start no more trials for now.
    pub pause: seats::Pause,
}

/// What driving reports, in one stream.
#[derive(Debug)]
pub enum DriveEvent {
    /// A trial began, and can be looked at while it runs.
    Started(CaseHeader, Glance),
    /// A trial ended, one way or another. Back-pressure of the receiver slows the scheduler down.
    Finished(Arc<Transcript>),
}
