//! Sends single HTTP requests to the target and records each with its answer. It judges nothing.
//!
//! It talks to the hosts of the target and of the embedded issuer and to no other, follows no redirect, waits five
//! seconds at most, and keeps 64 KiB of an answer. Servers elsewhere are asked at a measured pace, and one that says 429
//! and when to come back is asked once more then. Minted tokens go only to loopback and private addresses: a spoofed
//! identity has no business elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use url::{Host, Url};

use self::pace::Pacer;
use super::issuer::Forger;
use super::{Facts, Flaw, IdentitySpec, Issuer, Minted, Persona, TokenFormat};
use crate::mcp::revision::Era;
use crate::mcp::{Asking, Identity};
use crate::net::bare::{Dialer, outward_address};
use crate::net::{self, Route};
use crate::transcript::{Fault, HttpSide, Recorder, Side};

mod aside;
mod bearer;
mod discreet;
mod forging;
mod listen;
mod pace;
mod raw;
mod record;
mod reply;
mod sending;
mod talk;
mod vouching;

pub use listen::Listening;
pub use pace::DEFAULT_RPS;
pub use raw::Raw;
pub use talk::{MODERN, Opened, REVISION, Talk};
pub use vouching::Voucher;

/// How much of an answer is kept, in bytes.
const KEPT: usize = 64 * 1024;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// How the reason begins why an answer did not come in time.
pub const LATE: &str = "no answer within";

/// Somebody whom the target is expected to let in.
#[derive(Clone)]
pub struct Figure {
    /// Who it is.
    pub persona: Persona,
    /// The credentials.
    pub identity: Identity,
}

/// What probes need to know; the same for every check of a run.
#[derive(Clone)]
pub struct ProbeSetup {
    /// The MCP endpoint, exactly as the suite names it.
    pub target: Url,
    /// Fixed headers of the target.
    pub headers: BTreeMap<String, String>,
    /// The embedded issuer, if the target is set up to trust it.
    pub issuer: Option<Arc<Issuer>>,
    /// The persona whose good token is the positive control; `None`: nobody has credentials.
    pub control: Option<Figure>,
    /// A second persona with credentials of its own.
    pub other: Option<Figure>,
    /// A persona that may do less than the control.
    pub weaker: Option<Figure>,
    /// What the suite says of the target.
    pub facts: Facts,
    /// `aud` of a good token; the URL of the target, byte for byte as the target knows it.
    pub audience: String,
}

/// Sends and records.
#[derive(Clone)]
pub struct Prober {
    setup: ProbeSetup,
    http: reqwest::Client,
    /// How the target is reached, for requests that the client refuses to send.
    route: Route,
    dialer: Arc<Dialer>,
    pacer: Arc<Pacer>,
    /// An address of this machine that others may reach.
    outward: Option<IpAddr>,
    log: Recorder,
    /// The eras that the target is known to speak.
    eras: Vec<Era>,
    /// The era that is spoken, if it is settled.
    era: Option<Era>,
    /// Whether labels say which.
    marked: bool,
    /// Forges where there is no issuer near.
    forger: Arc<OnceLock<Option<Forger>>>,
    /// How long an answer may take.
    patience: Duration,
    /// Many ask at a time, but one that changes the world asks alone.
    turns: Arc<RwLock<()>>,
}

/// The right to ask.
pub enum Turn<'a> {
    /// Beside others.
    Shared(RwLockReadGuard<'a, ()>),
    /// Alone.
    Alone(RwLockWriteGuard<'a, ()>),
}

/// What proves who asks: headers, and a query parameter for the probe that must not work.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Headers.
    pub headers: Vec<(String, SecretString)>,
    /// A query parameter.
    pub query: Option<(String, SecretString)>,
}

/// One request.
pub struct Ask<'a> {
    /// What it is for; examinations find it by this.
    pub label: &'a str,
    /// The HTTP method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers that are no secret.
    pub headers: Vec<(String, String)>,
    /// The body; a text that need not be sound JSON.
    pub body: Option<String>,
}

impl Credentials {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// A value of the `Authorization` header.
    pub fn authorization(value: &str) -> Self {
        Self { headers: vec![("authorization".to_owned(), SecretString::from(value))], query: None }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), SecretString::from(value)));
        self
    }
}

impl Prober {
    /// A prober that writes to `log`.
    pub fn new(setup: ProbeSetup, log: Recorder) -> Result<Self, Fault> {
        let http = net::client().map_err(|error| Fault::new(Side::Harness, "auth.client", error))?;
        let mut setup = setup;
        if !is_near(&setup.target) && !setup.facts.untrusted {
            setup.issuer = None;
        }
        let (route, turns) = (Route::default(), Arc::new(RwLock::new(())));
        Ok(Self {
            http,
            dialer: Arc::new(Dialer::new(&route)),
            route,
            pacer: Arc::new(Pacer::new(&setup.target, None)),
            forger: Arc::default(),
            outward: outward_address(),
            log,
            eras: vec![],
            era: None,
            marked: false,
            patience: DEADLINE,
            turns,
            setup,
        })
    }

    /// The same prober with another HTTP client, made for `route`: for servers that want certificates or a proxy.
    #[must_use]
    pub fn through(self, http: reqwest::Client, route: &Route) -> Self {
        Self { http, dialer: Arc::new(Dialer::new(route)), route: route.clone(), ..self }
    }

    /// The same prober, asking so many times per second at most. Without a number it asks servers elsewhere
    /// [`DEFAULT_RPS`] times and this machine without a limit.
    #[must_use]
    pub fn paced(self, rps: Option<u32>) -> Self {
        Self { pacer: Arc::new(Pacer::new(&self.setup.target, rps)), ..self }
    }

    /// The same prober, taking this for the address of this machine that others may reach.
    #[must_use]
    pub fn outward_at(self, outward: Option<IpAddr>) -> Self {
        Self { outward, ..self }
    }

    /// An address of this machine that others may reach, if it has one.
    pub fn outward(&self) -> Option<IpAddr> {
        self.outward
    }

    /// The same prober with another record, sharing connections.
    #[must_use]
    pub fn recording(&self, log: Recorder) -> Self {
        Self { log, ..self.clone() }
    }

    /// The same prober, waiting so long for an answer.
    #[must_use]
    pub fn waiting(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    /// The MCP endpoint.
    pub fn target(&self) -> &Url {
        &self.setup.target
    }

    /// What the suite says of the target.
    pub fn facts(&self) -> &Facts {
        &self.setup.facts
    }

    /// `aud` of a good token.
    pub fn audience(&self) -> &str {
        &self.setup.audience
    }

    /// The eras that the target is known to speak; empty when nobody was let in.
    pub fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// The same prober, knowing what the target speaks.
    #[must_use]
    pub fn knowing(self, eras: Vec<Era>) -> Self {
        Self { eras, ..self }
    }

    /// The same prober, speaking one era; its labels say which if they are `marked`.
    #[must_use]
    pub fn speaking(&self, era: Era, marked: bool) -> Self {
        Self { era: Some(era), marked, ..self.clone() }
    }

    /// Waits for the right to ask: beside others, or alone.
    pub async fn turn(&self, alone: bool) -> Turn<'_> {
        match alone {
            true => Turn::Alone(self.turns.write().await),
            false => Turn::Shared(self.turns.read().await),
        }
    }

    /// Whether there is a persona with credentials that the target should accept.
    pub fn has_persona(&self) -> bool {
        self.has(self.setup.control.as_ref())
    }

    /// Whether there is a second one.
    pub fn has_other(&self) -> bool {
        self.has(self.setup.other.as_ref())
    }

    /// Whether there is one that may do less.
    pub fn has_weaker(&self) -> bool {
        self.has(self.setup.weaker.as_ref())
    }

    fn has(&self, figure: Option<&Figure>) -> bool {
        match figure.map(|figure| &figure.persona.identity) {
            None | Some(IdentitySpec::Anonymous) => false,
            Some(IdentitySpec::Minted(_)) => self.setup.issuer.is_some() && !self.setup.facts.untrusted,
            Some(given) => given.is_given(),
        }
    }

    /// The embedded issuer, if the target is near and set up to trust it.
    pub fn issuer(&self) -> Option<&Arc<Issuer>> {
        self.setup.issuer.as_ref()
    }

    /// The claims of the good persona, if they are ours to sign.
    pub fn minted(&self) -> Option<(&Arc<Issuer>, &Minted)> {
        match (&self.setup.issuer, &self.setup.control.as_ref()?.persona.identity) {
            (Some(issuer), IdentitySpec::Minted(minted)) if !self.setup.facts.untrusted => {
                Some((issuer, minted))
            }
            _ => None,
        }
    }

    async fn credentials(&self, figure: Option<&Figure>) -> Result<Credentials, Fault> {
        let (url, log) = (&self.setup.target, Some(&self.log));
        let asking = Asking { method: "POST", url, refused: None, log };
        let headers = match figure {
            Some(figure) => figure.identity.headers(asking).await?,
            None => vec![],
        };
        Ok(Credentials { headers, query: None })
    }

    /// The good persona's credentials.
    pub async fn good(&self) -> Result<Credentials, Fault> {
        self.credentials(self.setup.control.as_ref()).await
    }

    /// The second persona's credentials.
    pub async fn other(&self) -> Result<Credentials, Fault> {
        self.credentials(self.setup.other.as_ref()).await
    }

    /// The weaker persona's credentials.
    pub async fn weaker(&self) -> Result<Credentials, Fault> {
        self.credentials(self.setup.weaker.as_ref()).await
    }

    /// A token like the good persona's, changed by `change`.
    pub async fn token(&self, change: impl FnOnce(&mut Minted)) -> Result<SecretString, Fault> {
        let Some((issuer, minted)) = self.minted() else {
            let text = "this probe needs a persona with a minted token and a target that trusts the issuer";
            return Err(Fault::new(Side::Harness, "auth.no-issuer", text));
        };
        let mut minted = minted.clone();
        change(&mut minted);
        let issuer = Arc::clone(issuer);
        let subject =
            self.setup.control.as_ref().map(|figure| figure.persona.name.to_string()).unwrap_or_default();
        let audience = self.setup.audience.clone();
        minted_by(issuer, minted, subject, audience).await
    }

    /// A token of the embedded issuer for a target that must refuse it.
    pub async fn foreign_token(&self, minted: Minted) -> Result<SecretString, Fault> {
        let Some(issuer) = self.setup.issuer.clone().filter(|_| self.setup.facts.untrusted) else {
            let text =
                "tokens to be refused need `auth: {issuer: embedded}` and `auth_checks.facts.untrusted`";
            return Err(Fault::new(Side::Harness, "auth.no-issuer", text));
        };
        minted_by(issuer, minted, String::new(), self.setup.audience.clone()).await
    }

    /// The good persona's token with one flaw.
    pub async fn flawed_token(&self, flaw: Flaw) -> Result<SecretString, Fault> {
        self.token(|minted| {
            minted.flaw = Some(flaw);
            // An opaque token has no form that could be wrong.
            if !flaw.is_claim() {
                minted.format = TokenFormat::Jwt;
            }
        })
        .await
    }

    /// The same as a bearer token.
    pub async fn flawed(&self, flaw: Flaw) -> Result<Credentials, Fault> {
        let token = self.flawed_token(flaw).await?;
        Ok(Credentials::authorization(&format!("Bearer {}", token.expose_secret())))
    }

    /// A metadata document, without credentials.
    pub async fn document(&self, label: &str, url: Url) -> Result<HttpSide, String> {
        let headers = vec![("accept".to_owned(), "application/json".to_owned())];
        self.send(Ask { label, method: Method::GET, url, headers, body: None }, &Credentials::none()).await
    }

    /// Sends one request and records it with its answer. The record is redacted; the returned answer is not.
    pub async fn send(&self, ask: Ask<'_>, who: &Credentials) -> Result<HttpSide, String> {
        let label = ask.label;
        let written = self.write(ask, who);
        let sent = || async {
            match self.may_ask(&written.url) {
                true => self.exchange(&written).await,
                false => Err(sending::not_asked(&written.url)),
            }
        };
        self.recorded(label, written.side(), sent).await
    }

    fn is_target(&self, url: &Url) -> bool {
        url.origin() == self.setup.target.origin()
    }

    /// Only the hosts of the target and of the issuer.
    fn may_ask(&self, url: &Url) -> bool {
        let issuer = self.setup.issuer.as_ref().and_then(|issuer| Url::parse(issuer.url()).ok());
        matches!(url.scheme(), "http" | "https")
            && (url.host() == self.setup.target.host()
                || issuer.is_some_and(|issuer| issuer.host() == url.host()))
    }
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prober({})", net::shown(&self.setup.target))
    }
}

/// Signs off the async threads: it takes milliseconds, the first key a tenth of a second.
async fn minted_by(
    issuer: Arc<Issuer>,
    minted: Minted,
    subject: String,
    audience: String,
) -> Result<SecretString, Fault> {
    tokio::task::spawn_blocking(move || issuer.mint(&minted, &subject, &audience))
        .await
        .map_err(|error| Fault::new(Side::Harness, "issuer.crypto", error.to_string()))?
}

/// Whether an address is this machine or a private network.
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_addresses_get_minted_tokens() {
        for near in ["http://127.0.0.1:1/mcp", "http://localhost/", "http://10.1.2.3/", "http://[::1]:8/"] {
            assert!(is_near(&Url::parse(near).unwrap()), "{near}");
        }
        for far in ["https://example.com/mcp", "http://8.8.8.8/", "http://localhost.evil.example/"] {
            assert!(!is_near(&Url::parse(far).unwrap()), "{far}");
        }
    }
}
