//! How tokens are got for one identity: the site, the client id, the grant. When that happens is decided in `flow`.

use std::sync::{Mutex, OnceLock, PoisonError};

use secrecy::ExposeSecret;
use tokio::sync::OnceCell;
use url::Url;

use super::courier::Courier;
use super::discovery::{self, Search, Site};
use super::dpop::{Nonces, ProofKey};
use super::fault;
use super::grant::Errand;
use super::metadata::ServerMetadata;
use super::registration::{self, Papers, Way};
use super::settings::{Grant, Means, Provider, Settings};
use super::token_endpoint::{Denied, Post};
use super::trace::Trace;
use super::wallet::{Client, Held, Tokens};
use crate::transcript::Fault;

/// What one identity gets its tokens with.
pub(super) struct Supply {
    pub(super) settings: Settings,
    pub(super) means: Means,
    pub(super) nonces: Nonces,
    courier: OnceCell<Courier>,
    /// What the emulated client says in `MCP-Protocol-Version` of its searches.
    version: Mutex<Option<&'static str>>,
    /// The issuer to which a pre-registered client without one has been bound.
    bound: OnceLock<String>,
}

impl Supply {
    pub(super) fn new(settings: Settings, means: Means) -> Self {
        let (courier, bound) = (OnceCell::new(), OnceLock::new());
        Self { settings, means, nonces: Nonces::default(), courier, version: Mutex::default(), bound }
    }

    /// From now on searches say this in `MCP-Protocol-Version`, or nothing.
    pub(super) fn discovering(&self, version: Option<&'static str>) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }

    /// Whoever carries the messages of one step.
    pub(super) async fn courier(&self, trace: &Trace) -> Result<Courier, Fault> {
        let courier = self
            .courier
            .get_or_try_init(|| async {
                let courier =
                    Courier::new(&self.settings.target, &self.settings.route, self.settings.patience).await?;
                courier.admit(&self.settings.target)?;
                Ok::<_, Fault>(courier)
            })
            .await?;
        Ok(courier.tracing(trace))
    }

    /// Where the target's tokens come from by now. `held` is the issuer of the tokens that are held.
    pub(super) async fn search(
        &self,
        search: Search<'_>,
        held: Option<&str>,
        trace: &Trace,
    ) -> Result<Option<Site>, Fault> {
        let registered = self.registered_issuer();
        let known = |issuer: &str| {
            registered.map_or_else(
                || held == Some(issuer) || self.means.wallet.client(issuer).is_some(),
                |own| own == issuer,
            )
        };
        let version = *self.version.lock().unwrap_or_else(PoisonError::into_inner);
        search.run(&self.courier(trace).await?.saying(version), known).await
    }

    /// A token by the identity's own way, and the client it is granted to. A client that its server has forgotten
    /// registers again, once.
    pub(super) async fn obtain(
        &self,
        site: &Site,
        (scopes, key): (&[String], Option<&ProofKey>),
        trace: &Trace,
    ) -> Result<(Tokens, Client), Fault> {
        let courier = self.courier(trace).await?;
        let mut granted = self.attempt(site, (scopes, key), &courier).await;
        if granted.as_ref().is_err_and(|denied| denied.is("invalid_client")) && self.forget(site)? {
            granted = self.attempt(site, (scopes, key), &courier).await;
        }
        granted.map_err(Denied::into_fault)
    }

    /// A token by the refresh token that is held. `None`: there is none, or the server no longer takes it.
    pub(super) async fn refresh(
        &self,
        site: &Site,
        held: &Held,
        trace: &Trace,
    ) -> Result<Option<Tokens>, Fault> {
        let client = held.client.clone().or_else(|| self.means.wallet.client(&site.server.issuer));
        let (Some(refresh), Some(client)) = (&held.tokens.refresh, client) else {
            return Ok(None);
        };
        let (scopes, key) = (held.tokens.scopes.as_slice(), held.tokens.key.as_ref());
        let courier = self.courier(trace).await?;
        let errand = Errand { post: self.post(&courier), site, client: &client, scopes, key };
        match errand.refresh(refresh).await {
            Ok(tokens) => Ok(Some(tokens)),
            Err(Denied::Error { .. }) => Ok(None),
            Err(Denied::Fault(fault)) => Err(fault),
        }
    }

    /// What the identity holds for its target by now.
    pub(super) fn kept(&self) -> Option<Held> {
        self.means.wallet.held(self.settings.target.as_str(), self.settings.account.as_deref())
    }

    /// Forgets it.
    pub(super) fn drop_held(&self) -> Result<(), Fault> {
        self.means.wallet.drop_held(self.settings.target.as_str(), self.settings.account.as_deref())
    }

    /// Whatever comes from a wallet is a secret of this run as well.
    pub(super) fn register(&self, held: &Held) {
        let secrets = &self.means.secrets;
        secrets.register_jwt("access-token", held.tokens.access.expose_secret());
        if let Some(refresh) = &held.tokens.refresh {
            secrets.register_jwt("refresh-token", refresh.expose_secret());
        }
        if let Some(secret) = held.client.as_ref().and_then(|client| client.secret.as_ref()) {
            secrets.register("client-secret", secret.expose_secret());
        }
    }

    fn post<'a>(&'a self, courier: &'a Courier) -> Post<'a> {
        let (means, nonces, settings) = (&self.means, &self.nonces, &self.settings);
        Post { courier, means, nonces, settings }
    }

    async fn attempt(
        &self,
        site: &Site,
        (scopes, key): (&[String], Option<&ProofKey>),
        courier: &Courier,
    ) -> Result<(Tokens, Client), Denied> {
        let client = self.client(site, courier).await?;
        let errand = Errand { post: self.post(courier), site, client: &client, scopes, key };
        let tokens = match &self.settings.grant {
            Grant::Code { visitor, .. } => errand.code(visitor.as_ref()).await,
            Grant::ClientCredentials(_) => errand.client_credentials().await,
            Grant::Refresh { token, .. } => errand.refresh(token).await,
            Grant::Workload { assertion, .. } => errand.assertion(assertion).await,
            Grant::IdJag { provider, .. } => {
                let server = self.provider(provider, courier.trace()).await?;
                errand.vouched(provider, &server).await
            }
        }?;
        Ok((tokens, client))
    }

    /// The identity provider's metadata, or what was configured in its place.
    async fn provider(&self, provider: &Provider, trace: &Trace) -> Result<ServerMetadata, Fault> {
        if let Some(endpoint) = &provider.token_endpoint {
            let (issuer, token_endpoint) = (provider.issuer.clone(), Some(endpoint.clone()));
            return Ok(ServerMetadata { issuer, token_endpoint, ..ServerMetadata::default() });
        }
        let Ok(url) = Url::parse(&provider.issuer) else {
            return Err(fault("credentials.metadata", "the issuer of the identity provider is no URL"));
        };
        let courier = Courier::new(&url, &self.settings.route, self.settings.patience).await?;
        discovery::server(&courier.tracing(trace), &provider.issuer).await
    }

    fn papers(&self) -> Papers<'_> {
        let machine = |registered| Papers { registered: Some(registered), document: None, redirect: None };
        match &self.settings.grant {
            Grant::Code { visitor, registered, document } => Papers {
                registered: registered.as_ref(),
                document: document.as_ref(),
                redirect: Some(visitor.redirect()),
            },
            Grant::ClientCredentials(registered)
            | Grant::Refresh { registered, .. }
            | Grant::Workload { registered, .. }
            | Grant::IdJag { registered, .. } => machine(registered),
        }
    }

    fn registered_issuer(&self) -> Option<&str> {
        let registered = self.papers().registered?;
        registered.issuer.as_deref().or_else(|| self.bound.get().map(String::as_str))
    }

    /// The client id at a site, registered there if need be.
    async fn client(&self, site: &Site, courier: &Courier) -> Result<Client, Fault> {
        let papers = self.papers();
        if papers.registered.is_some_and(|registered| registered.issuer.is_none()) {
            let _ = self.bound.set(site.server.issuer.clone());
        }
        let issuer = &site.server.issuer;
        match registration::way(&papers, self.registered_issuer(), &site.server)? {
            Way::Dynamic(endpoint) => {
                let now = self.means.clock.wall().as_second();
                let redirect = papers.redirect.unwrap_or_default();
                let known = self.means.wallet.client(issuer);
                if let Some(client) = known.filter(|client| registration::serves(client, redirect, now)) {
                    return Ok(client);
                }
                let made = registration::register(courier, &endpoint, redirect, &site.server, &self.means);
                let client = made.await?;
                self.means.wallet.keep_client(issuer, &client)?;
                Ok(client)
            }
            // A refresh in a later run has to know who the token was granted to.
            Way::Document(id) => {
                let client =
                    Client { id, secret: None, key: None, auth: None, redirect: None, expires: None };
                self.means.wallet.keep_client(issuer, &client)?;
                Ok(client)
            }
            Way::Registered => {
                let client = papers.registered.map(super::Registered::client);
                let client =
                    client.ok_or_else(|| fault("credentials.registration", "there is no client id"))?;
                self.means.wallet.keep_client(issuer, &client)?;
                Ok(client)
            }
        }
    }

    /// Forgets a client that its server no longer knows; `false` if it did not come from registering.
    fn forget(&self, site: &Site) -> Result<bool, Fault> {
        let issuer = &site.server.issuer;
        let registered = self.means.wallet.client(issuer).is_some_and(|client| client.redirect.is_some());
        if registered {
            self.means.wallet.drop_client(issuer)?;
        }
        Ok(registered)
    }
}
