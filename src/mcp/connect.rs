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

use super::handshake::greet;
use super::http::{Http, Site};
use super::hub::Hub;
use super::launch::Launched;
use super::line::Line;
use super::process::guard::Guard;
use super::process::{Process, Streams};
use super::session::{Conversation, Holding};
use super::stdio::Pipe;
use super::{Endpoint, Isolation, Opening, Program, Session, Target};
use crate::ids::Digest;
use crate::transcript::{Fault, Recorder, ServerFacts};

/// How long the end of a run waits for farewells under way.
const FAREWELLS: Duration = Duration::from_secs(3);

/// What a target is reached with and kept alive by: the HTTP client, the guard over child processes, and the server's
/// own process when the harness started it.
pub struct Keeper {
    http: reqwest::Client,
    guard: Option<Guard>,
    launched: Option<Launched>,
    ready: Option<Duration>,
}

impl Keeper {
    /// Only an HTTP client, made by [`crate::net::client`].
    pub fn new(http: reqwest::Client) -> Self {
        Self { http, guard: None, launched: None, ready: None }
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
    match endpoint {
        Endpoint::Stdio(program) => {
            let Keeper { guard, ready, .. } = keeper;
            Arc::new(Stdio { program, isolation, guard, ready, shared: Mutex::default() })
        }
        Endpoint::Http { url, headers } => {
            let site = Site {
                client: keeper.http,
                url,
                fixed: headers.into_iter().collect(),
                vitals: keeper.launched.as_ref().map(|launched| launched.vitals().clone()),
                tracker: TaskTracker::new(),
                mute: Arc::default(),
            };
            Arc::new(Remote { site, launched: keeper.launched })
        }
    }
}

struct Remote {
    site: Site,
    launched: Option<Launched>,
}

impl Target for Remote {
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>> {
        Box::pin(async move {
            let hub = Hub::new();
            let http = Http::new(self.site.clone(), Arc::clone(how.identity), Arc::clone(&hub), log.clone());
            let line = Line::new(hub, Arc::new(http), log, how.host());
            let facts = greet(&line, how.profile, how.profile.conduct.connect_timeout().0).await?;
            Ok(Box::new(Conversation::new(line, facts, how.profile, Holding::Own)) as Box<dyn Session>)
        })
    }

    fn url(&self) -> Option<&url::Url> {
        Some(&self.site.url)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.site.tracker.close();
            let _ = tokio::time::timeout(FAREWELLS, self.site.tracker.wait()).await;
            if let Some(launched) = &self.launched {
                launched.stop().await;
            }
        })
    }
}

struct Stdio {
    program: Program,
    isolation: Isolation,
    guard: Option<Guard>,
    ready: Option<Duration>,
    /// One place per identity and client profile. The place's own lock lets one session do the handshake while others
    /// of the same identity wait, and those of other identities do not.
    shared: Mutex<HashMap<Digest, Arc<Mutex<Option<Shared>>>>>,
}

/// A process that several sessions sit on.
struct Shared {
    hub: Arc<Hub>,
    pipe: Arc<Pipe>,
    facts: ServerFacts,
}

impl Stdio {
    fn limit(&self, how: Opening<'_>) -> Duration {
        self.ready.unwrap_or(how.profile.conduct.connect_timeout().0)
    }

    fn start(&self, how: Opening<'_>) -> Result<(Arc<Hub>, Arc<Pipe>), Fault> {
        let hub = Hub::new();
        let process =
            Process::start(&self.program, &how.identity.env(), Streams::Piped, self.guard.as_ref())?;
        Ok((Arc::clone(&hub), Arc::new(Pipe::new(process, hub))))
    }

    async fn open_own(&self, how: Opening<'_>, log: Recorder) -> Result<Box<dyn Session>, Fault> {
        let (hub, pipe) = self.start(how)?;
        let line = Line::new(hub, pipe, log, how.host());
        let facts = greet(&line, how.profile, self.limit(how)).await?;
        Ok(Box::new(Conversation::new(line, facts, how.profile, Holding::Own)))
    }

    async fn open_shared(&self, how: Opening<'_>, log: Recorder) -> Result<Box<dyn Session>, Fault> {
        let place = {
            let mut places = self.shared.lock().await;
            Arc::clone(places.entry(share_key(how)).or_default())
        };
        let mut place = place.lock().await;
        if let Some(shared) = place.as_ref().filter(|shared| shared.hub.dead().is_none()) {
            let carrier = Arc::clone(&shared.pipe);
            let line = Line::new(Arc::clone(&shared.hub), carrier, log, how.host());
            return Ok(Box::new(Conversation::new(line, shared.facts.clone(), how.profile, Holding::Shared)));
        }
        let (hub, pipe) = self.start(how)?;
        let carrier = Arc::clone(&pipe);
        let line = Line::new(Arc::clone(&hub), carrier, log, how.host());
        let facts = greet(&line, how.profile, self.limit(how)).await?;
        *place = Some(Shared { hub, pipe, facts: facts.clone() });
        Ok(Box::new(Conversation::new(line, facts, how.profile, Holding::Shared)))
    }
}

impl Target for Stdio {
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>> {
        Box::pin(async move {
            match self.isolation {
                Isolation::Trial => self.open_own(how, log).await,
                Isolation::Run => self.open_shared(how, log).await,
            }
        })
    }

    fn url(&self) -> Option<&url::Url> {
        None
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
