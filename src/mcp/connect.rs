//! From an endpoint to a [`Target`]: which sessions share a process, and what is ended when.
//!
//! Over stdio a session has its own process, or all sessions of one identity and one client profile share one
//! ([`Isolation::Run`]). Over HTTP every session is its own, whoever started the server.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::exchange::Site;
use super::hub::Hub;
use super::launch::Launched;
use super::line::Line;
use super::opener::{self, Known, Opened};
use super::process::guard::Guard;
use super::relay::{self, Relay, Relaying};
use super::remote::Remote;
use super::repeats::Repeats;
use super::request::Voice;
use super::revision::Choice;
use super::session::{Conversation, Holding};
use super::stdio::{Pipe, Starter};
use super::terms::{Over, Pace, Terms};
use super::{Endpoint, Isolation, Opening, Program, Session, Target};
use crate::ids::Digest;
use crate::transcript::{Fault, Recorder, ServerFacts, Side};

/// What a target is reached with and kept alive by: the HTTP client, the guard over child processes, and the server's
/// own process when the harness started it.
pub struct Keeper {
    http: reqwest::Client,
    guard: Option<Guard>,
    launched: Option<Launched>,
    ready: Option<Duration>,
    choice: Choice,
    pace: Pace,
}

impl Keeper {
    /// Only an HTTP client, made by [`crate::net::client`].
    pub fn new(http: reqwest::Client) -> Self {
        Self { http, guard: None, launched: None, ready: None, choice: Choice::Auto, pace: Pace::default() }
    }

    /// Only this revision is spoken, whatever a client profile prefers.
    #[must_use]
    pub fn speaking(mut self, choice: Choice) -> Self {
        self.choice = choice;
        self
    }

    /// How patient the client is while it does not know the server's era.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Child processes are also watched by a guard.
    #[must_use]
    pub fn guarded(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// How long a child process may take until it has answered the handshake; by default as long as the client profile
    /// waits.
    #[must_use]
    pub fn ready(mut self, ready: Option<Duration>) -> Self {
        self.ready = ready;
        self
    }

    /// The server behind the URL was started by us and ends with the target.
    #[must_use]
    pub fn launched(mut self, server: Launched) -> Self {
        self.launched = Some(server);
        self
    }
}

/// The target at an endpoint.
pub fn target(endpoint: Endpoint, isolation: Isolation, keeper: Keeper) -> Arc<dyn Target> {
    let speech = Speech {
        choice: keeper.choice,
        pace: keeper.pace,
        known: Mutex::default(),
        repeats: Arc::default(),
    };
    let two_ways = matches!(endpoint, Endpoint::HttpSse { .. });
    match endpoint {
        Endpoint::Stdio(program) => {
            let Keeper { guard, ready, .. } = keeper;
            Arc::new(Stdio { program, isolation, guard, ready, speech, shared: Mutex::default() })
        }
        Endpoint::Http { url, headers } | Endpoint::HttpSse { url, headers } => {
            let site = Site {
                client: keeper.http,
                url,
                fixed: headers.into_iter().collect(),
                vitals: keeper.launched.as_ref().map(|launched| launched.vitals().clone()),
                tracker: TaskTracker::new(),
                mute: Arc::default(),
                slow: Arc::default(),
                hand: None,
            };
            Arc::new(Remote::new(site, keeper.launched, speech, two_ways))
        }
    }
}

/// How a target is spoken to. Its era is found out once; sessions that open meanwhile wait for it.
pub(super) struct Speech {
    choice: Choice,
    pace: Pace,
    known: Mutex<Option<Known>>,
    repeats: Arc<Repeats>,
}

impl Speech {
    /// A target whose era is known beforehand.
    pub(super) fn knowing(choice: Choice, known: Option<Known>) -> Self {
        Self { choice, pace: Pace::default(), known: Mutex::new(known), repeats: Arc::default() }
    }

    /// A hub for a connection with this target.
    pub(super) fn hub(&self) -> Arc<Hub> {
        Hub::knowing(Arc::clone(&self.repeats))
    }

    pub(super) fn terms(&self, how: Opening<'_>, over: Over) -> Terms {
        Terms::of(how.profile, over, (self.choice, self.pace))
    }

    /// Opens a session on a line.
    pub(super) async fn open(&self, line: &Line, terms: &Terms) -> Result<Opened, Fault> {
        // A client that asks every server learns nothing from another session.
        if terms.choice != Choice::Auto || terms.legacy_steps.probes {
            return opener::open(line, terms, None).await;
        }
        let mut place = self.known.lock().await;
        if let Some(known) = *place {
            drop(place);
            let opened = opener::open(line, terms, Some(known)).await;
            if opened.as_ref().is_err_and(|fault| fault.code == "target.protocol") {
                // The server is not what it was; the next session asks again.
                *self.known.lock().await = None;
            }
            return opened;
        }
        let opened = opener::open(line, terms, None).await?;
        *place = Some(match &opened {
            Opened::Ready(_, known) => *known,
            Opened::Gone => Known::Legacy(terms.offered),
        });
        Ok(opened)
    }
}

struct Stdio {
    program: Program,
    isolation: Isolation,
    guard: Option<Guard>,
    ready: Option<Duration>,
    speech: Speech,
    /// One place per identity and client profile. The place's own lock lets one session do the opening while others
    /// of the same identity wait, and those of other identities do not.
    shared: Mutex<HashMap<Digest, Arc<Mutex<Option<Shared>>>>>,
}

/// A process that several sessions sit on.
struct Shared {
    hub: Arc<Hub>,
    pipe: Arc<Pipe>,
    facts: ServerFacts,
    voice: Option<Voice>,
}

/// A process whose server is ready.
struct Started {
    line: Line,
    pipe: Arc<Pipe>,
    facts: ServerFacts,
    terms: Terms,
}

impl Stdio {
    fn line(&self, how: Opening<'_>, log: &Recorder) -> Result<(Line, Arc<Pipe>), Fault> {
        let hub = self.speech.hub();
        hub.first(how.profile.wire.over_stdio().first_request_id.unwrap_or(1));
        let (program, identity) = (self.program.clone(), Arc::clone(how.identity));
        let starter = Starter { program, identity, guard: self.guard.clone() };
        let pipe = Arc::new(Pipe::start(starter, Arc::clone(&hub))?);
        let carrier = Arc::clone(&pipe);
        Ok((Line::new(hub, carrier, log.clone(), how.host(Over::Stdio)).since_its_start(), pipe))
    }

    /// Starts a process and opens a session with it; in a second process if the first one ended on the question.
    async fn start(&self, how: Opening<'_>, log: &Recorder) -> Result<Started, Fault> {
        let terms = self.speech.terms(how, Over::Stdio).ready_within(self.ready);
        let (line, pipe) = self.line(how, log)?;
        if let Opened::Ready(facts, _) = self.speech.open(&line, &terms).await? {
            return Ok(Started { line, pipe, facts, terms });
        }
        line.note_stderr();
        pipe.stop().await;
        if !terms.respawns {
            return Err(line.broke(line.hub.dead().unwrap_or_else(unopened)));
        }
        let (line, pipe) = self.line(how, log)?;
        match opener::hello(&line, &terms, terms.offered).await? {
            Opened::Ready(facts, _) => Ok(Started { line, pipe, facts, terms }),
            Opened::Gone => Err(line.broke(line.hub.dead().unwrap_or_else(unopened))),
        }
    }

    async fn open_own(&self, how: Opening<'_>, log: &Recorder) -> Result<Box<dyn Session>, Fault> {
        let Started { line, facts, terms, .. } = self.start(how, log).await?;
        Ok(Conversation::begin(line, facts, terms, Holding::Own).await)
    }

    async fn open_shared(&self, how: Opening<'_>, log: Recorder) -> Result<Box<dyn Session>, Fault> {
        let place = {
            let mut places = self.shared.lock().await;
            Arc::clone(places.entry(share_key(how)).or_default())
        };
        let mut place = place.lock().await;
        let usable = |shared: &&Shared| shared.hub.dead().is_none() || shared.pipe.is_revivable();
        if let Some(shared) = place.as_ref().filter(usable) {
            let carrier = Arc::clone(&shared.pipe);
            let line = Line::new(Arc::clone(&shared.hub), carrier, log, how.host(Over::Stdio));
            let terms = self.speech.terms(how, Over::Stdio);
            line.speak(shared.voice.clone());
            line.show(&terms.quirks);
            return Ok(Conversation::begin(line, shared.facts.clone(), terms, Holding::Shared).await);
        }
        let Started { line, pipe, facts, terms } = self.start(how, &log).await?;
        let voice = line.voice().map(|voice| (*voice).clone());
        *place = Some(Shared { hub: Arc::clone(&line.hub), pipe, facts: facts.clone(), voice });
        Ok(Conversation::begin(line, facts, terms, Holding::Shared).await)
    }
}

/// An opening that ended with nothing to show. The opener does not do that.
pub(super) fn unopened() -> Fault {
    Fault::new(Side::Server, "target.unreachable", "the server ended while a session was opened")
}

impl Target for Stdio {
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>> {
        Box::pin(async move {
            match self.isolation {
                Isolation::Trial => self.open_own(how, &log).await,
                Isolation::Run => self.open_shared(how, log).await,
            }
        })
    }

    fn url(&self) -> Option<&url::Url> {
        None
    }

    fn relay(&self, relaying: Relaying) -> BoxFuture<'_, Result<Relay, Fault>> {
        let (program, identity) = (self.program.clone(), Arc::clone(&relaying.identity));
        let starter = Starter { program, identity, guard: self.guard.clone() };
        Box::pin(relay::to_program(starter, relaying))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            let places = std::mem::take(&mut *self.shared.lock().await);
            let stopping = places.into_values().map(|place| async move {
                if let Some(shared) = place.lock().await.take() {
                    shared.pipe.stop().await;
                }
            });
            futures::future::join_all(stopping).await;
        })
    }
}

/// Sessions share a process only when the server cannot tell them apart: same identity, same client.
fn share_key(how: Opening<'_>) -> Digest {
    let env: Vec<(String, String)> = how
        .identity
        .env()
        .into_iter()
        .map(|(name, value)| (name, value.expose_secret().to_owned()))
        .collect();
    Digest::of_json(&(env, &how.profile.wire, &how.profile.conduct))
}
