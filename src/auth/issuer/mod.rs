//! The embedded authorization server: what a target needs to verify the harness's own tokens.
//!
//! It listens on 127.0.0.1 at a random port, with keys made for the run, and ends with it. Metadata and public keys
//! are open to local programs; every other path begins with a random part that only metadata names. It answers no
//! browser page of another origin, follows no link but to the metadata document of a client, and never logs a token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::state::Shared;
use self::token::Kind;
use super::{Minted, TokenFormat};
use crate::transcript::{Clock, Fault, Secrets, Side};

pub use canary::Hit;
pub use faults::{Faults, Fetches, Point, Trouble};
pub use forge::{Forger, Forgery};
pub use persona::Vouched;
pub use specimens::Specimen;
pub use stable::{StableKey, WARNING};
pub use trust::Told;

mod authorize;
mod canary;
mod client_auth;
mod clients;
mod documents;
mod exchange;
mod faults;
mod forge;
mod grant;
mod introspect;
mod keys;
mod ledger;
mod metadata;
mod persona;
mod refresh;
mod register;
mod revoke;
mod routes;
mod specimens;
mod spoil;
mod stable;
mod state;
mod tls;
pub(super) mod token;
mod token_endpoint;
mod trust;

/// How an issuer differs from the usual one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The port of 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Keys from a file in place of new ones. Tell the user: [`WARNING`].
    pub key: Option<StableKey>,
    /// Whether it speaks HTTPS, with an authority made for the run.
    pub tls: bool,
    /// How far its clock is ahead of the true one, in seconds; negative: behind.
    pub offset: i64,
}

/// The authorization server of one run. It stops when it is dropped.
pub struct Issuer {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

impl Issuer {
    /// Starts on a random port of 127.0.0.1. Every token it signs is registered in `secrets` before anybody sees it;
    /// `clock` decides when tokens begin and end.
    pub async fn start(secrets: Secrets, clock: Clock) -> Result<Self, Fault> {
        Self::start_with(&Options::default(), secrets, clock).await
    }

    /// The same with a port, a key, TLS or a clock of one's own.
    pub async fn start_with(options: &Options, secrets: Secrets, clock: Clock) -> Result<Self, Fault> {
        let port = options.port;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
            let text = format!("the embedded issuer cannot listen on 127.0.0.1:{port}: {error}");
            Fault::new(Side::Harness, "issuer.listen", text)
        })?;
        let port = listener.local_addr().map_err(|error| listen_fault(&error))?.port();
        let shared = Arc::new(Shared::new(port, options, secrets, clock)?);
        let stop = CancellationToken::new();
        let (router, stopped) = (routes::router(&shared), stop.clone().cancelled_owned());
        match &shared.certificates {
            Some(made) => {
                let listener = made.listen(listener, stop.clone()).map_err(|error| listen_fault(&error))?;
                tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
            }
            None => {
                tokio::spawn(axum::serve(listener, router).with_graceful_shutdown(stopped).into_future());
            }
        }
        let warming = Arc::clone(&shared);
        tokio::task::spawn_blocking(move || warming.keys.warm());
        Ok(Self { shared, stop })
    }

    /// The issuer identifier, without a slash at the end: `iss` of every good token, byte for byte.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The id that every token of this issuer carries as `rehearsal_run`.
    pub fn run(&self) -> &str {
        &self.shared.run
    }

    /// The authority that clients have to trust, as PEM, if the issuer speaks HTTPS.
    pub fn ca(&self) -> Option<&str> {
        self.shared.certificates.as_ref().map(|made| &*made.ca)
    }

    /// Where the public keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}/jwks", self.shared.url)
    }

    /// Where clients ask for tokens.
    pub fn token_url(&self) -> String {
        self.shared.endpoint("token")
    }

    /// Where a resource server asks what a token means (RFC 7662).
    pub fn introspection_url(&self) -> String {
        self.shared.endpoint("introspect")
    }

    /// The client id and secret of the resource server at the introspection endpoint.
    pub fn introspection_client(&self) -> (&str, &SecretString) {
        (introspect::RESOURCE_SERVER, &self.shared.resource_secret)
    }

    /// A token for `audience` with the persona's claims and at most one flaw. `subject` stands in for a persona that
    /// names none. The first call may block for a tenth of a second while a key is generated.
    pub fn mint(&self, minted: &Minted, subject: &str, audience: &str) -> Result<SecretString, Fault> {
        self.shared.mint(minted, (subject, "rehearsal"), audience, Kind::Access)
    }

    /// The same under a spare key of [`Self::spare_key`], by its name.
    pub fn mint_under(
        &self,
        key: &str,
        minted: &Minted,
        subject: &str,
        audience: &str,
    ) -> Result<SecretString, Fault> {
        self.shared.mint_under(Some(key), minted, (subject, "rehearsal"), (audience, Kind::Access))
    }

    /// The same as an opaque token, whatever format the persona wants: only introspection explains it. Flaws in claims
    /// become flawed answers, e.g. active without `aud`; flaws of a JWT's form are refused (`persona.opaque-flaw`).
    pub fn mint_opaque(&self, minted: &Minted, subject: &str, audience: &str) -> Result<SecretString, Fault> {
        self.mint(&Minted { format: TokenFormat::Opaque, ..minted.clone() }, subject, audience)
    }

    /// Takes a token back: introspection calls it inactive from now on. Whether it was known. A server that verifies
    /// JWTs by itself never learns of it.
    pub fn revoke(&self, token: &str) -> bool {
        self.shared.ledger.revoke(token)
    }

    /// Publishes new keys and signs with them; the old ones stay published. Returns the new RS256 key id. Blocks for
    /// about a tenth of a second.
    pub fn rotate(&self) -> Result<String, Fault> {
        self.shared.keys.rotate()
    }

    /// Publishes a new key that signs nothing but what [`Self::mint_under`] makes with it, and returns its name: what a
    /// rotation looks like to one caller, while everybody else's tokens stay as they are. Blocks for about a tenth of a
    /// second.
    pub fn spare_key(&self) -> Result<String, Fault> {
        self.shared.keys.spare()
    }

    /// Signs with the first keys again. The new ones stay published, so that every token stays good.
    pub fn turn_back(&self) {
        self.shared.keys.turn_back();
    }

    /// The switches that make endpoints fail.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How often keys, introspection and tokens were asked for so far.
    pub fn fetches(&self) -> Fetches {
        self.shared.faults.fetches()
    }

    /// Plants a canary, if there is none of that name yet. Whatever is asked under its address is kept for
    /// [`Self::hits`]. `jku` and `x5u` (named by tokens with those flaws) and `upstream` are there from the start.
    pub fn canary(&self, name: &str) -> Url {
        let name = canary::plain(name);
        self.shared.canaries.plant(&name);
        let mut url = self.shared.base.clone();
        url.set_path(&format!("{}/{name}", self.shared.bait_path()));
        url
    }

    /// The address of a metadata document of a client that returns to `redirect`, good or with one thing wrong.
    pub fn specimen(&self, specimen: Specimen, redirect: &str) -> Url {
        let mut url = self.canary("client-document");
        specimens::address(&mut url, specimen, redirect);
        url
    }

    /// What has arrived at a canary, in order, 256 requests at most.
    pub fn hits(&self, name: &str) -> Vec<Hit> {
        self.shared.canaries.hits(&canary::plain(name))
    }

    /// Stops listening; open connections end with their answer.
    pub fn shutdown(&self) {
        self.shared.faults.clear();
        self.stop.cancel();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issuer({})", self.shared.url)
    }
}

/// A lock that a panicking handler cannot poison for the others.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen_fault(error: &std::io::Error) -> Fault {
    Fault::new(Side::Harness, "issuer.listen", format!("the embedded issuer cannot listen: {error}"))
}
