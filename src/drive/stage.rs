//! Sets the stage before the first trial and strikes it after the last: issuer, target, identities, models.
//!
//! Everything that can go wrong for the whole run goes wrong here, before a run file exists and before anything is
//! spent: a missing key, a server that does not start, a URL where nobody answers.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cast::{Models, models};
use super::doors::Doors;
use super::hands::Hands;
use super::issuer::Standing;
use super::offer::Stocks;
use super::seats::Seats;
use super::surface::{self, Prelude, Surfaces};
use super::tapes::Tapes;
use super::{Journal, Stopping, World, auth};
use crate::auth::Persona;
use crate::auth::client::Wallet;
use crate::auth::identity::{self, Authority};
use crate::ids::PersonaName;
use crate::mcp::connect::{self, Keeper};
use crate::mcp::launch::{self, Launch};
use crate::mcp::process::guard::Guard;
use crate::mcp::revision::Choice;
use crate::mcp::tape::Deck;
use crate::mcp::{Anonymous, ClientProfile, Endpoint, Identity, Program, Target};
use crate::net;
use crate::plan::{Plan, Work};
use crate::score::judge::Judge;
use crate::suite::{Suite, TargetSource, TargetSpec, Template, Transport, secret, vars};
use crate::transcript::{Clock, Fault, Secrets, Side};

/// How long a started server may take until it accepts connections, unless the suite says otherwise.
const READY: Duration = Duration::from_secs(30);

/// Looks up a declared environment variable.
pub type Env = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the program brings along.
pub struct Outside {
    /// The one HTTP client.
    pub http: reqwest::Client,
    /// Looks up a declared environment variable.
    pub env: Env,
    /// Time.
    pub clock: Clock,
    /// What must not be written down.
    pub secrets: Secrets,
    /// This program: the demo server and the guard are started from it.
    pub program: PathBuf,
    /// The folder of the project.
    pub root: PathBuf,
    /// Logins of people.
    pub wallet: Arc<dyn Wallet>,
    /// How often per second auth checks may ask the target; `None` as in [`crate::auth::Prober::paced`].
    pub max_rps: Option<u32>,
    /// Recordings that are made, or played in place of the outside.
    pub tapes: Tapes,
}

/// Everything a run needs of the outside, up and answering.
pub struct Stage {
    set: Set,
    description: String,
    models: Models,
    judge: Option<Judge>,
    identities: HashMap<PersonaName, Identity>,
    authority: Option<Authority>,
    surfaces: Surfaces,
    prelude: Prelude,
    lab: Option<auth::Lab>,
    clock: Clock,
    secrets: Secrets,
    program: PathBuf,
    root: PathBuf,
}

/// What has to be taken down at the end.
pub struct Set {
    issuer: Option<Standing>,
    target: Arc<dyn Target>,
    /// Fixed headers of the target.
    headers: BTreeMap<String, String>,
    /// What the target is reached with.
    http: reqwest::Client,
    /// By which way its authorization servers are reached.
    route: net::Route,
    /// Whether it is pinned to the revision whose servers may be their own authorization servers.
    old_servers: bool,
    /// Who ends child processes when we cannot.
    guard: Guard,
    /// Values of `${…}`.
    variables: BTreeMap<String, String>,
}

impl Set {
    /// The target.
    pub(super) fn target(&self) -> &dyn Target {
        self.target.as_ref()
    }

    /// What identities are made with.
    pub(super) fn authority(&self, outside: &Outside) -> Authority {
        Authority {
            issuer: self.issuer.as_ref().map(|standing| Arc::clone(&standing.issuer)),
            audience: self.target.url().map_or_else(|| "stdio".to_owned(), ToString::to_string),
            env: Arc::clone(&outside.env),
            secrets: outside.secrets.clone(),
            clock: outside.clock.clone(),
            // Its authorities and its proxy; the client's own certificate is for the target alone.
            route: net::Route {
                tls: net::Tls { identity: None, ..self.route.tls.clone() },
                proxy: self.route.proxy.clone(),
            },
            wallet: Arc::clone(&outside.wallet),
            old_servers: self.old_servers,
        }
    }

    /// Ends the target's processes and the issuer.
    pub async fn strike(self) {
        self.target.close().await;
        if let Some(standing) = &self.issuer {
            standing.issuer.shutdown();
        }
    }
}

impl Stage {
    /// How the target is reached, in words.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The URL of the target; none over standard streams.
    pub fn url(&self) -> Option<&url::Url> {
        self.set.target.url()
    }

    /// What each persona sees.
    pub fn surfaces(&self) -> &Surfaces {
        &self.surfaces
    }

    /// The world for trials, the judge, and what has to be taken down afterwards.
    pub fn into_world(
        self,
        journal: Arc<dyn Journal>,
        stop: Stopping,
        width: usize,
    ) -> (World, Option<Judge>, Set) {
        let world = World {
            target: Arc::clone(&self.set.target),
            models: self.models.tested,
            samplers: self.models.samplers,
            hands: Hands {
                agents: self.models.agents,
                players: self.models.players,
                variables: self.set.variables.clone(),
                ..Hands::bare(self.set.http.clone(), self.set.guard.clone(), self.program, self.root)
            },
            identities: self.identities,
            authority: self.authority,
            surfaces: self.surfaces,
            stocks: Stocks::default(),
            prelude: self.prelude,
            lab: self.lab,
            journal,
            doors: Doors::new(self.clock.clone()),
            clock: self.clock,
            secrets: self.secrets,
            stop,
            paces: self.models.paces,
            seats: Seats::of(width),
        };
        (world, self.judge, self.set)
    }

    /// Takes everything down without a run.
    pub async fn strike(self) {
        self.set.strike().await;
    }
}

/// Sets the stage for a plan.
pub async fn set(suite: &Suite, plan: &Plan, outside: &Outside) -> Result<Stage, Fault> {
    let (models, judge) = models(suite, plan, outside)?;
    let (set, description) = raise(suite, outside).await?;
    match dress(suite, plan, outside, &set).await {
        Ok((identities, (surfaces, prelude), lab)) => Ok(Stage {
            authority: outside.tapes.server.is_none().then(|| set.authority(outside)),
            set,
            description,
            models,
            judge,
            identities,
            surfaces,
            prelude,
            lab,
            clock: outside.clock.clone(),
            secrets: outside.secrets.clone(),
            program: outside.program.clone(),
            root: outside.root.clone(),
        }),
        Err(fault) => {
            set.strike().await;
            Err(fault)
        }
    }
}

/// Starts issuer and target, and says in words how the target is reached.
pub(super) async fn raise(suite: &Suite, outside: &Outside) -> Result<(Set, String), Fault> {
    if let Some(deck) = &outside.tapes.server {
        return taped(suite, deck, outside);
    }
    let issuer = Standing::raise(suite, outside).await?;
    let guard = Guard::new(outside.program.clone(), &["guard"]);
    let place = place(suite, issuer.as_ref(), outside)?;
    let mut keeper = Keeper::new(place.http.clone())
        .ready(suite.target.ready.map(|ready| ready.0))
        .speaking(suite.target.protocol);
    if let Some(launch) = &place.launch {
        keeper = keeper.launched(launch.start(Some(&guard)).await?);
    }
    let headers = match &place.endpoint {
        Endpoint::Http { headers, .. } | Endpoint::HttpSse { headers, .. } => headers.clone(),
        Endpoint::Stdio(_) => BTreeMap::new(),
    };
    let target = connect::target(place.endpoint, suite.target.isolation, keeper.guarded(guard.clone()));
    let old_servers =
        matches!(suite.target.protocol, Choice::Pinned(revision) if revision.name == "2025-03-26");
    let (http, route, variables) = (place.http, place.route, place.variables);
    let set = Set { issuer, target, headers, http, route, old_servers, guard, variables };
    let description = match &set.issuer {
        Some(issuer) => issuer.described(place.description),
        None => place.description,
    };
    Ok((set, description))
}

/// A tape in the place of the target: nothing is started, and nobody needs to be known.
fn taped(suite: &Suite, deck: &Arc<Deck>, outside: &Outside) -> Result<(Set, String), Fault> {
    let http = outside.http.clone();
    let target = deck.target(suite.target.protocol, http.clone())?;
    let (headers, route) = (BTreeMap::new(), net::Route::default());
    let (guard, variables) = (Guard::new(outside.program.clone(), &["guard"]), BTreeMap::new());
    let set = Set { issuer: None, target, headers, http, route, old_servers: false, guard, variables };
    Ok((set, format!("the tape {}", deck.path().display())))
}

/// Where the target is, with every variable filled in.
struct Place {
    endpoint: Endpoint,
    launch: Option<Launch>,
    description: String,
    http: reqwest::Client,
    route: net::Route,
    /// Every variable that has a value.
    variables: BTreeMap<String, String>,
}

/// The client that reaches the target: the one of the run, unless there are certificates of its own or a proxy.
fn reach(
    target: &TargetSpec,
    tls: net::Tls,
    fill: impl Fn(&Template) -> Result<String, Fault>,
    outside: &Outside,
) -> Result<(reqwest::Client, net::Route), Fault> {
    if let Some(identity) = &tls.identity {
        outside.secrets.register("client key", identity);
    }
    let wrong = |error: &dyn std::fmt::Display| {
        Fault::new(Side::Harness, "target.bad-url", format!("`target.proxy` is no URL: {error}"))
    };
    let proxy = match &target.proxy {
        Some(template) => Some(url::Url::parse(&fill(template)?).map_err(|error| wrong(&error))?),
        None if tls == net::Tls::default() => return Ok((outside.http.clone(), net::Route::default())),
        None => None,
    };
    if let Some(password) = proxy.as_ref().and_then(url::Url::password) {
        outside.secrets.register("proxy password", password);
    }
    let route = net::Route { tls, proxy };
    Ok((net::client_by(&route).map_err(|error| wrong(&error))?, route))
}

fn place(suite: &Suite, issuer: Option<&Standing>, outside: &Outside) -> Result<Place, Fault> {
    let target = &suite.target;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for name in &suite.env {
        if let Some(value) = (outside.env)(&name.value) {
            // Nothing about a value tells that it is harmless: a URL may be a webhook, a word a password. So the suite
            // must say so; better one placeholder too many in a report than a leak.
            if suite.public.iter().all(|public| public.value != name.value) {
                outside.secrets.register(&name.value, &value);
            } else if let Some(password) = url::Url::parse(&value).ok().as_ref().and_then(url::Url::password)
            {
                outside.secrets.register(&name.value, &value);
                outside.secrets.register(&name.value, password);
            }
            known.insert(name.value.clone(), value);
        }
    }
    if let Some(issuer) = issuer {
        known.extend(issuer.variables());
    }
    let wrong = |text: &str, error: &dyn std::fmt::Display| {
        Fault::new(Side::Harness, "target.bad-url", format!("`{text}` is not a URL: {error}"))
    };
    let starts = matches!(target.source, TargetSource::Command(_)) && target.transport != Transport::Stdio;
    if starts {
        let port = launch::pick_port().map_err(|error| {
            Fault::new(Side::Harness, "target.no-port", format!("no free loopback port: {error}"))
        })?;
        known.insert("target.port".to_owned(), port.to_string());
        known.insert("target.url".to_owned(), format!("http://127.0.0.1:{port}{}", target.path));
    }
    let fill = |template: &Template| {
        vars::fill(template, &known).map_err(|missing| {
            let message = format!(
                "`${{{missing}}}` has no value; set the environment variable, or remove it from the suite"
            );
            Fault::new(Side::Harness, "credentials.missing", message)
        })
    };
    let tls = target.tls.clone();
    let tls = issuer.map_or(tls.clone(), |issuer| issuer.trusted(tls));
    let (http, route) = reach(target, tls, fill, outside)?;
    let url = match &target.source {
        TargetSource::Url(template) => Some(fill(template)?),
        TargetSource::Command(_) => known.get("target.url").cloned(),
    };
    let headers = target.headers.iter().map(|(name, value)| Ok((name.clone(), fill(value)?)));
    let headers: BTreeMap<String, String> = headers.collect::<Result<_, Fault>>()?;
    hide(&headers, &outside.secrets);
    let mut url = url.map(|text| url::Url::parse(&text).map_err(|error| wrong(&text, &error))).transpose()?;
    let endpoint = |url, headers| match target.transport {
        Transport::Sse => Endpoint::HttpSse { url, headers },
        Transport::Stdio | Transport::Http => Endpoint::Http { url, headers },
    };
    let TargetSource::Command(command) = &target.source else {
        let url = url.take().ok_or_else(|| wrong("", &"empty"))?;
        let description = net::shown(&url);
        known.insert("target.url".to_owned(), url.to_string());
        let endpoint = endpoint(url, headers);
        return Ok(Place { endpoint, launch: None, description, http, route, variables: known });
    };
    let mut words = command.iter().map(fill).collect::<Result<Vec<_>, _>>()?;
    let description = words.join(" ");
    if words.first().is_some_and(|program| program == "rehearsal") {
        words[0] = outside.program.to_string_lossy().into_owned();
    }
    let env = target.env.iter().map(|(name, value)| Ok((name.clone(), fill(value)?)));
    let mut env: BTreeMap<String, String> = env.collect::<Result<_, Fault>>()?;
    hide(&env, &outside.secrets);
    if let Some(port) = known.get("target.port") {
        env.entry("PORT".to_owned()).or_insert_with(|| port.clone());
    }
    let cwd = Some(target.cwd.as_ref().map_or_else(|| outside.root.clone(), |cwd| outside.root.join(cwd)));
    let program = Program { command: words, env, cwd };
    Ok(match url {
        Some(url) => {
            let launch =
                Launch { program, url: url.clone(), ready: target.ready.map_or(READY, |ready| ready.0) };
            let endpoint = endpoint(url, headers);
            Place { endpoint, launch: Some(launch), description, http, route, variables: known }
        }
        None => {
            let endpoint = Endpoint::Stdio(program);
            Place { endpoint, launch: None, description, http, route, variables: known }
        }
    })
}

/// Registers values that are written out in a suite or in a file of servers where a variable should stand.
fn hide(values: &BTreeMap<String, String>, secrets: &Secrets) {
    for (name, value) in values.iter().filter(|(name, value)| secret::is_secret(name, value)) {
        secrets.register(name, secret::without_scheme(value));
    }
}

type Dressed = (HashMap<PersonaName, Identity>, (Surfaces, Prelude), Option<auth::Lab>);

/// Builds the identities and looks at the target as each of them.
async fn dress(suite: &Suite, plan: &Plan, outside: &Outside, set: &Set) -> Result<Dressed, Fault> {
    let authority = set.authority(outside);
    // What credentials the personas had is on a tape; nobody needs them there.
    let identity = |persona: &Persona| match &outside.tapes.server {
        Some(_) => Ok(Arc::new(Anonymous) as Identity),
        None => identity::identity(persona, &authority),
    };
    let mut identities = Vec::new();
    for persona in &suite.personas {
        let wanted = plan.cases.iter().any(|case| case.persona.name == persona.value.name);
        if wanted || !suite.auth_checks.is_empty() {
            identities.push((persona.value.name.clone(), identity(&persona.value)?));
        }
    }
    for case in &plan.cases {
        if !identities.iter().any(|(name, _)| *name == case.persona.name) {
            identities.push((case.persona.name.clone(), identity(&case.persona)?));
        }
    }
    // Reports and access checks are about the whole list.
    let profile =
        suite.clients.first().map_or_else(ClientProfile::reference, |client| client.value.reading_all());
    let whole = plan.cases.iter().any(|case| matches!(&case.work, Work::Access(work) if work.features));
    let around = (&outside.clock, &outside.secrets);
    let (surfaces, prelude) = surface::look(set.target.as_ref(), &identities, &profile, around, whole).await;
    reachable(plan, &surfaces, suite.target.transport)?;
    let personas: Vec<_> = suite.personas.iter().map(|persona| persona.value.clone()).collect();
    let cast = auth::Cast { personas: &personas, identities: &identities };
    let lab = match (set.target.url(), suite.target.transport) {
        _ if suite.auth_checks.is_empty() => None,
        (Some(url), Transport::Http) => {
            let lab = auth::Lab::new(url, set.headers.clone(), cast, &suite.auth, &authority)?;
            Some(lab.through(set.http.clone(), &set.route).paced(outside.max_rps).knowing().await?)
        }
        (_, Transport::Stdio) => {
            Some(auth::Lab::stdio(Arc::clone(&set.target), cast, &suite.auth, &authority)?)
        }
        _ => None,
    };
    let mut identities: HashMap<PersonaName, Identity> = identities.into_iter().collect();
    for case in &plan.cases {
        let Work::Access(work) = &case.work else { continue };
        for turn in work.becomes.iter().filter(|turn| turn.change.is_none()) {
            identities.insert(turn.persona.name.clone(), identity(&turn.persona)?);
        }
    }
    Ok((identities, (surfaces, prelude), lab))
}

/// A run can begin when at least one persona of a use case is let in. Access and auth cases may well be about personas
/// that are not; they only need a server that answers. Over standard streams a server refuses by ending, and how it does
/// that is a question of its own.
fn reachable(plan: &Plan, surfaces: &Surfaces, transport: Transport) -> Result<(), Fault> {
    let ends =
        transport == Transport::Stdio && plan.cases.iter().any(|case| matches!(case.work, Work::Auth(_)));
    let refused =
        |fault: &Fault| fault.code == "target.unauthorized" || (ends && fault.code == "target.died");
    let broken = surfaces.values().filter_map(|surface| surface.as_ref().err()).find(|fault| !refused(fault));
    let nobody = surfaces.values().all(|surface| surface.as_ref().is_err_and(|fault| !refused(fault)));
    if let Some(fault) = broken.filter(|_| nobody) {
        return Err(fault.clone());
    }
    let workers: Vec<_> = plan
        .cases
        .iter()
        .filter(|case| matches!(case.work, Work::Use(_)))
        .filter_map(|case| surfaces.get(&case.persona.name))
        .collect();
    match workers.iter().find_map(|surface| surface.as_ref().err()) {
        Some(fault) if workers.iter().all(|surface| surface.is_err()) => Err(fault.clone()),
        _ => Ok(()),
    }
}
