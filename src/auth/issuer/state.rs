//! What the handlers of one issuer share.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::SecretString;
use url::Url;

use super::Options;
use super::authorize::Code;
use super::canary::Canaries;
use super::clients::Clients;
use super::documents::Courier;
use super::faults::Faults;
use super::keys::Keys;
use super::ledger::Ledger;
use super::lock;
use super::refresh::Families;
use super::tls::Certificates;
use super::token::{self, Grant, Kind};
use crate::auth::Minted;
use crate::auth::keys::random_text;
use crate::transcript::{Clock, Fault, Secrets, Side};

/// Everything behind the endpoints.
pub(super) struct Shared {
    pub(super) url: String,
    /// The same as a URL.
    pub(super) base: Url,
    /// The part of paths that only metadata names.
    pub(super) hidden: String,
    /// The part of canaries' paths; another one, because targets and whoever they ask see it.
    bait: String,
    pub(super) codes: Mutex<HashMap<String, Code>>,
    /// Who can consent, in the order of enrolment.
    pub(super) personas: Mutex<Vec<(String, Minted)>>,
    pub(super) clients: Clients,
    pub(super) families: Families,
    /// Fetches client metadata documents.
    pub(super) courier: Courier,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    pub(super) keys: Keys,
    pub(super) run: String,
    pub(super) ledger: Ledger,
    pub(super) faults: Faults,
    pub(super) canaries: Canaries,
    pub(super) resource_secret: SecretString,
    pub(super) certificates: Option<Certificates>,
    /// How far the issuer's clock is ahead, in seconds.
    offset: i64,
    hosts: [String; 2],
}

impl Shared {
    /// A new issuer that listens at `port`, whatever the options say.
    pub(super) fn new(port: u16, options: &Options, secrets: Secrets, clock: Clock) -> Result<Self, Fault> {
        let run = uuid::Uuid::now_v7().to_string();
        let tag = run[run.len() - 12..].to_owned();
        let resource_secret = random_text()?;
        secrets.register("issuer.introspection_secret", &resource_secret);
        let canaries = Canaries::default();
        for name in ["jku", "x5u", "upstream"] {
            canaries.plant(name);
        }
        let certificates = match options.tls {
            true => Some(Certificates::make(&run, clock.wall())?),
            false => None,
        };
        let scheme = if options.tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}");
        let base = Url::parse(&url)
            .map_err(|error| Fault::new(Side::Harness, "issuer.listen", format!("{url}: {error}")))?;
        Ok(Self {
            url,
            base,
            hidden: random_text()?,
            bait: random_text()?,
            codes: Mutex::default(),
            personas: Mutex::default(),
            clients: Clients::default(),
            families: Families::default(),
            courier: Courier::default(),
            clock,
            secrets,
            keys: Keys::generate(&tag, options.key.as_ref())?,
            offset: options.offset,
            certificates,
            run,
            ledger: Ledger::default(),
            faults: Faults::default(),
            canaries,
            resource_secret: SecretString::from(resource_secret),
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
        })
    }

    /// Makes a token of a subject and a client, and registers it as a secret.
    pub(super) fn mint(
        &self,
        minted: &Minted,
        (subject, client): (&str, &str),
        audience: &str,
        kind: Kind<'_>,
    ) -> Result<SecretString, Fault> {
        self.mint_under(None, minted, (subject, client), (audience, kind))
    }

    /// The same under a spare key, by its name.
    pub(super) fn mint_under(
        &self,
        key: Option<&str>,
        minted: &Minted,
        (subject, client): (&str, &str),
        (audience, kind): (&str, Kind<'_>),
    ) -> Result<SecretString, Fault> {
        let (now, bait) = (self.now(), self.bait());
        let (issuer, run) = (self.url.as_str(), self.run.as_str());
        let grant = Grant { issuer, subject, client, audience, run, now, bait: &bait, key, kind };
        let made = token::write(&self.keys, minted, grant)?;
        self.secrets.register_jwt(&format!("token:{subject}"), &made.text);
        self.ledger.note(&made, (minted, subject), now);
        Ok(SecretString::from(made.text))
    }

    /// The persona of that name, else the first; whether anybody can consent.
    pub(super) fn persona(&self, name: Option<&str>) -> Option<(String, Minted)> {
        let personas = lock(&self.personas);
        match name {
            Some(name) => personas.iter().find(|(known, _)| known == name).cloned(),
            None => personas.first().cloned(),
        }
    }

    /// The time of the issuer's clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.clock.wall().as_second().saturating_add(self.offset)
    }

    /// An endpoint whose path cannot be guessed.
    pub(super) fn endpoint(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url, self.hidden)
    }

    /// What the addresses of canaries begin with.
    pub(super) fn bait(&self) -> String {
        format!("{}{}", self.url, self.bait_path())
    }

    /// The path under which canaries answer.
    pub(super) fn bait_path(&self) -> String {
        format!("/{}", self.bait)
    }

    /// Whether a request names us as its host (else: DNS rebinding) and comes from no page of another origin.
    pub(super) fn is_trusted(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let host = text(header::HOST).is_some_and(|host| self.hosts.iter().any(|known| known == host));
        let origin = match headers.contains_key(header::ORIGIN) {
            true => text(header::ORIGIN) == Some(self.url.as_str()),
            false => true,
        };
        host && origin
    }
}
