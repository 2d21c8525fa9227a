//! When what is done: the state of one identity, and the steps from it.
//!
//! One step runs at a time, however many sessions ask, so a token is renewed once and not once per session. A fault
//! that trying again cannot mend is remembered: a thousand trials must not mean a thousand refused token requests.

use std::sync::OnceLock;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::{Mutex, OnceCell};
use url::Url;

use super::courier::Courier;
use super::discovery::{self, Search, Site};
use super::dpop::{Nonces, ProofKey};
use super::grant::Errand;
use super::metadata::ServerMetadata;
use super::registration::{self, Papers, Way};
use super::settings::{Grant, Means, Provider, Settings};
use super::token_endpoint::{Denied, Post};
use super::wallet::{Client, Held, Tokens};
use super::{fault, scope};
use crate::auth::challenge::{Challenge, Challenges};
use crate::mcp::Rejection;
use crate::transcript::Fault;

/// Most times one request leads to a new token.
const STEPS: u32 = 3;

/// Most new tokens in a short time; a server that refuses each of them is not asked for ever.
const RENEWALS: usize = 3;

/// What a short time is.
const SHORTLY: Duration = Duration::from_secs(30);

/// A token that ends sooner than this, in seconds, is renewed before it is used.
const MARGIN: i64 = 10;

/// One identity at one target.
pub(super) struct Flow {
    pub(super) settings: Settings,
    pub(super) means: Means,
    pub(super) nonces: Nonces,
    courier: OnceCell<Courier>,
    /// The issuer to which a pre-registered client without one has been bound.
    bound: OnceLock<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether the wallet has been looked into.
    opened: bool,
    /// Whether a token was sought unasked.
    sought: bool,
    site: Option<Site>,
    held: Option<Held>,
    /// Whether the token came from a refresh, so that a full grant may still do better.
    refreshed: bool,
    /// When tokens were granted after refusals.
    renewals: Vec<Duration>,
    broken: Option<Fault>,
}

/// What a refusal may lead to.
enum Next {
    /// Other credentials than before.
    Changed,
    /// Nothing better is to be had.
    Stands,
}

impl Flow {
    pub(super) fn new(settings: Settings, means: Means) -> Self {
        let (courier, bound) = (OnceCell::new(), OnceLock::new());
        Self { settings, means, nonces: Nonces::default(), courier, bound, state: Mutex::default() }
    }

    /// The token for a request that has not been sent yet; `None` goes without.
    pub(super) async fn ahead(&self) -> Result<Option<Tokens>, Fault> {
        let mut state = self.state.lock().await;
        let done = self.before(&mut state).await;
        self.settle(&mut state, done)?;
        Ok(state.held.as_ref().map(|held| held.tokens.clone()))
    }

    /// The token after a refusal; the outer `None` lets the refusal stand.
    pub(super) async fn again(&self, refused: &Rejection) -> Result<Option<Tokens>, Fault> {
        let mut state = self.state.lock().await;
        let done = self.after(&mut state, refused).await;
        match self.settle(&mut state, done)? {
            Next::Changed => Ok(state.held.as_ref().map(|held| held.tokens.clone())),
            Next::Stands => Ok(None),
        }
    }

    fn settle<T>(&self, state: &mut State, done: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &done
            && !fault.retryable
        {
            state.broken = Some(fault.clone());
        }
        done
    }

    async fn before(&self, state: &mut State) -> Result<(), Fault> {
        self.open(state)?;
        let old = state.held.as_ref().is_some_and(|held| self.is_old(held));
        if old && self.renew(state, None).await? {
            return Ok(());
        }
        match state.held.is_none() && (old || self.settings.eager) {
            true => self.seek(state).await,
            false => Ok(()),
        }
    }

    /// Gets a token unasked, if there is none and the target's metadata says where; once.
    pub(super) async fn unasked(&self) -> Result<(), Fault> {
        let mut state = self.state.lock().await;
        let done = match state.held {
            Some(_) => Ok(()),
            None => self.seek(&mut state).await,
        };
        self.settle(&mut state, done)
    }

    async fn seek(&self, state: &mut State) -> Result<(), Fault> {
        if std::mem::replace(&mut state.sought, true) {
            return Ok(());
        }
        if let Some(site) = self.search(state, None).await? {
            let scopes = self.scopes(state, &site, None);
            self.obtain(state, site, scopes).await?;
        }
        Ok(())
    }

    async fn after(&self, state: &mut State, refused: &Rejection) -> Result<Next, Fault> {
        self.open(state)?;
        let challenges = Challenges::read(&refused.challenge);
        let challenge = challenges.scheme("bearer").or_else(|| challenges.scheme("dpop"));
        let error = challenge.and_then(|challenge| challenge.get("error"));
        if let Some(held) = &state.held {
            if !is_sent(&held.tokens, refused) {
                // Another session has renewed it while this request was under way.
                return Ok(Next::Changed);
            }
            if held.tokens.key.is_some() && refused.nonce.is_some() && error == Some("use_dpop_nonce") {
                return Ok(Next::Changed);
            }
        }
        if refused.attempt > STEPS {
            return Ok(Next::Stands);
        }
        match refused.status {
            403 => self.step_up(state, challenge).await,
            _ => self.replace(state, challenge, refused.attempt).await,
        }
    }

    /// 403: more scope, if that is what is missing (RFC 6750 section 3.1).
    async fn step_up(&self, state: &mut State, challenge: Option<&Challenge>) -> Result<Next, Fault> {
        let Some(challenge) =
            challenge.filter(|challenge| challenge.get("error") == Some("insufficient_scope"))
        else {
            return Ok(Next::Stands);
        };
        let before = state.held.as_ref().map(|held| held.tokens.scopes.clone()).unwrap_or_default();
        let demanded = scope::split(challenge.get("scope").unwrap_or_default());
        let all = scope::union(&before, demanded.iter().map(String::as_str));
        // Asking again for what was asked for before would only be refused again.
        if self.settings.scopes.is_some() || all.len() == before.len() {
            return Ok(Next::Stands);
        }
        let Some(site) = self.search(state, Some(challenge)).await? else { return Ok(Next::Stands) };
        self.obtain(state, site, all).await?;
        Ok(Next::Changed)
    }

    /// 401: a token in place of none, of an old one or of one from another issuer.
    async fn replace(
        &self,
        state: &mut State,
        challenge: Option<&Challenge>,
        attempt: u32,
    ) -> Result<Next, Fault> {
        let Some(site) = self.search(state, challenge).await? else {
            return Err(fault(
                "credentials.metadata",
                "the target demands authorization and publishes no resource metadata that says where to get it",
            ));
        };
        if state.held.as_ref().is_some_and(|held| held.issuer != site.server.issuer) {
            self.drop_held()?;
            state.held = None;
        }
        // A fresh token that the same request was refused with again: the next one would fare no better.
        let hopeless = attempt > 1 && state.held.as_ref().is_some_and(|held| held.tokens.key.is_none());
        if hopeless && !state.refreshed {
            return Ok(Next::Stands);
        }
        if !state.refreshed && self.renew(state, Some(&site)).await? {
            return Ok(Next::Changed);
        }
        let now = self.means.clock.elapsed();
        state.renewals.retain(|then| now.saturating_sub(*then) < SHORTLY);
        if state.renewals.len() >= RENEWALS {
            return Ok(Next::Stands);
        }
        state.renewals.push(now);
        let scopes = self.scopes(state, &site, challenge);
        self.obtain(state, site, scopes).await?;
        Ok(Next::Changed)
    }

    /// Looks into the wallet, once.
    fn open(&self, state: &mut State) -> Result<(), Fault> {
        if let Some(fault) = &state.broken {
            return Err(fault.clone());
        }
        if !std::mem::replace(&mut state.opened, true) {
            state.held = self.kept();
            state.held.iter().for_each(|held| self.register(held));
        }
        Ok(())
    }

    /// Whatever comes from a wallet is a secret of this run as well.
    fn register(&self, held: &Held) {
        let secrets = &self.means.secrets;
        secrets.register_jwt("access-token", held.tokens.access.expose_secret());
        if let Some(refresh) = &held.tokens.refresh {
            secrets.register_jwt("refresh-token", refresh.expose_secret());
        }
    }

    /// What the identity holds for its target by now.
    pub(super) fn kept(&self) -> Option<Held> {
        self.means.wallet.held(self.settings.target.as_str(), self.settings.account.as_deref())
    }

    fn drop_held(&self) -> Result<(), Fault> {
        self.means.wallet.drop_held(self.settings.target.as_str(), self.settings.account.as_deref())
    }

    fn is_old(&self, held: &Held) -> bool {
        let now = self.means.clock.wall().as_second();
        held.tokens.expires.is_some_and(|end| end.saturating_sub(now) <= MARGIN)
    }

    pub(super) async fn courier(&self) -> Result<&Courier, Fault> {
        self.courier
            .get_or_try_init(|| async {
                let courier = Courier::new(&self.settings.target, self.settings.patience).await?;
                courier.admit(&self.settings.target)?;
                Ok(courier)
            })
            .await
    }

    async fn search(&self, state: &State, challenge: Option<&Challenge>) -> Result<Option<Site>, Fault> {
        let search = Search {
            target: &self.settings.target,
            challenge,
            old_servers: self.settings.old_servers,
            last: state.site.as_ref(),
        };
        let held = state.held.as_ref().map(|held| held.issuer.as_str());
        let registered = self.registered_issuer();
        let known = |issuer: &str| {
            registered.map_or_else(
                || held == Some(issuer) || self.means.wallet.client(issuer).is_some(),
                |own| own == issuer,
            )
        };
        search.run(self.courier().await?, known).await
    }

    /// What is asked for at first, and when a token has to be replaced: what the identity may have, or what the server
    /// names together with what was held before.
    fn scopes(&self, state: &State, site: &Site, challenge: Option<&Challenge>) -> Vec<String> {
        if let Some(scopes) = &self.settings.scopes {
            return scopes.clone();
        }
        let demanded = challenge.and_then(|challenge| challenge.get("scope"));
        let chosen = scope::select(demanded, site.scopes.as_deref());
        let before = state.held.as_ref().map(|held| held.tokens.scopes.as_slice()).unwrap_or_default();
        scope::union(before, chosen.iter().map(String::as_str))
    }

    /// Tries the refresh token. `false`: there is none, or it is used up.
    async fn renew(&self, state: &mut State, site: Option<&Site>) -> Result<bool, Fault> {
        let Some(held) = state.held.clone() else { return Ok(false) };
        let is_new = |kept: &Held| {
            kept.issuer == held.issuer
                && kept.tokens.access.expose_secret() != held.tokens.access.expose_secret()
        };
        if let Some(kept) = self.kept().filter(is_new) {
            // Another process with the same login was faster, and its refresh used ours up.
            self.register(&kept);
            (state.held, state.refreshed) = (Some(kept), true);
            return Ok(true);
        }
        let Some(refresh) = &held.tokens.refresh else { return Ok(false) };
        let site = match site {
            Some(site) => site.clone(),
            None => match self.home(state, &held).await? {
                Some(site) => site,
                None => return Ok(false),
            },
        };
        let Some(client) = self.known_client(&site) else { return Ok(false) };
        let errand = Errand {
            post: self.post().await?,
            site: &site,
            client: &client,
            scopes: &held.tokens.scopes,
            key: held.tokens.key.as_ref(),
        };
        match errand.refresh(refresh).await {
            Ok(tokens) => {
                self.keep(state, site, tokens)?;
                state.refreshed = true;
                Ok(true)
            }
            Err(Denied::Error { .. }) => {
                self.drop_held()?;
                state.held = None;
                Ok(false)
            }
            Err(Denied::Fault(fault)) => Err(fault),
        }
    }

    /// The site that tokens from the wallet belong to.
    async fn home(&self, state: &State, held: &Held) -> Result<Option<Site>, Fault> {
        if let Some(site) = state.site.as_ref().filter(|site| site.server.issuer == held.issuer) {
            return Ok(Some(site.clone()));
        }
        let found = self.search(state, None).await?;
        Ok(found.filter(|site| site.server.issuer == held.issuer))
    }

    async fn post(&self) -> Result<Post<'_>, Fault> {
        let (means, nonces, patience) = (&self.means, &self.nonces, self.settings.patience);
        Ok(Post { courier: self.courier().await?, means, nonces, patience })
    }

    /// Gets a token by the identity's own way.
    async fn obtain(&self, state: &mut State, site: Site, scopes: Vec<String>) -> Result<(), Fault> {
        let refreshable = matches!(self.settings.grant, Grant::Code { .. });
        let scopes = match &self.settings.scopes {
            Some(_) => scopes,
            None => scope::with_offline(scopes, &site.server, refreshable),
        };
        let held = state.held.as_ref().and_then(|held| held.tokens.key.clone());
        let key = match site.bound {
            true => Some(held.map_or_else(|| ProofKey::generate(&self.means.secrets), Ok)?),
            false => None,
        };
        let mut tokens = self.attempt(&site, &scopes, key.as_ref()).await;
        if tokens.as_ref().is_err_and(|denied| denied.is("invalid_client")) && self.forget(&site)? {
            tokens = self.attempt(&site, &scopes, key.as_ref()).await;
        }
        let tokens = tokens.map_err(Denied::into_fault)?;
        self.keep(state, site, tokens)?;
        state.refreshed = false;
        Ok(())
    }

    async fn attempt(
        &self,
        site: &Site,
        scopes: &[String],
        key: Option<&ProofKey>,
    ) -> Result<Tokens, Denied> {
        let client = self.client(site).await?;
        let errand = Errand { post: self.post().await?, site, client: &client, scopes, key };
        match &self.settings.grant {
            Grant::Code { visitor, .. } => errand.code(visitor.as_ref()).await,
            Grant::ClientCredentials(_) => errand.client_credentials().await,
            Grant::Refresh { token, .. } => errand.refresh(token).await,
            Grant::Workload { assertion, .. } => errand.assertion(assertion).await,
            Grant::IdJag { provider, .. } => {
                let server = self.provider(provider).await?;
                errand.vouched(provider, &server).await
            }
        }
    }

    /// The identity provider's metadata, or what was configured in its place.
    async fn provider(&self, provider: &Provider) -> Result<ServerMetadata, Fault> {
        if let Some(endpoint) = &provider.token_endpoint {
            let (issuer, token_endpoint) = (provider.issuer.clone(), Some(endpoint.clone()));
            return Ok(ServerMetadata { issuer, token_endpoint, ..ServerMetadata::default() });
        }
        let Ok(url) = Url::parse(&provider.issuer) else {
            return Err(fault("credentials.metadata", "the issuer of the identity provider is no URL"));
        };
        discovery::server(&Courier::new(&url, self.settings.patience).await?, &provider.issuer).await
    }

    fn keep(&self, state: &mut State, site: Site, tokens: Tokens) -> Result<(), Fault> {
        let held = Held {
            target: self.settings.target.to_string(),
            account: self.settings.account.clone(),
            issuer: site.server.issuer.clone(),
            resource: site.resource.clone(),
            tokens,
        };
        self.means.wallet.keep(&held)?;
        (state.held, state.site) = (Some(held), Some(site));
        Ok(())
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
    async fn client(&self, site: &Site) -> Result<Client, Fault> {
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
                let courier = self.courier().await?;
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

    /// The client that tokens of this issuer were granted to.
    fn known_client(&self, site: &Site) -> Option<Client> {
        self.means.wallet.client(&site.server.issuer)
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

/// Whether the refused request carried these tokens.
fn is_sent(tokens: &Tokens, refused: &Rejection) -> bool {
    refused.sent.iter().any(|(name, value)| {
        let token = value.expose_secret().split_once(' ').map(|(_, token)| token);
        name.eq_ignore_ascii_case("authorization") && token == Some(tokens.access.expose_secret())
    })
}
