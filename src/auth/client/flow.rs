//! When what is done: the state of one identity, and the steps from it.
//!
//! One step runs at a time, however many sessions ask, so a token is renewed once and not once per session. A fault
//! that trying again cannot mend is remembered: a thousand trials must not mean a thousand refused token requests.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::sync::{Mutex, MutexGuard};

use super::discovery::{Search, Site};
use super::dpop::ProofKey;
use super::settings::{Grant, Means, Settings};
use super::supply::Supply;
use super::trace::Trace;
use super::wallet::{Client, Held, Tokens};
use super::{fault, scope};
use crate::auth::challenge::{Challenge, Challenges};
use crate::mcp::Rejection;
use crate::transcript::{Fault, Recorder};

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
    pub(super) supply: Supply,
    state: Mutex<State>,
    /// Counts what is sent, over all steps.
    count: Trace,
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
    /// Where the step that is under way is recorded.
    trace: Trace,
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
        Self { supply: Supply::new(settings, means), state: Mutex::default(), count: Trace::default() }
    }

    /// The token for a request that has not been sent yet; `None` goes without.
    pub(super) async fn ahead(&self, log: Option<&Recorder>) -> Result<Option<Tokens>, Fault> {
        let mut state = self.turn(log).await;
        let done = self.before(&mut state).await;
        self.settle(&mut state, done)?;
        Ok(state.held.as_ref().map(|held| held.tokens.clone()))
    }

    /// The token after a refusal; the outer `None` lets the refusal stand.
    pub(super) async fn again(
        &self,
        refused: &Rejection,
        log: Option<&Recorder>,
    ) -> Result<Option<Tokens>, Fault> {
        let mut state = self.turn(log).await;
        let done = self.after(&mut state, refused).await;
        match self.settle(&mut state, done)? {
            Next::Changed => Ok(state.held.as_ref().map(|held| held.tokens.clone())),
            Next::Stands => Ok(None),
        }
    }

    /// Waits for its turn. What is sent from then on goes into `log`.
    async fn turn(&self, log: Option<&Recorder>) -> MutexGuard<'_, State> {
        let before = self.count.sent();
        let mut state = self.state.lock().await;
        state.trace = self.count.to(log);
        if self.count.sent() > before {
            state.trace.note(
                "waited while another request of this identity was authorized; its record has the messages",
            );
        }
        state
    }

    fn settle<T>(&self, state: &mut State, done: Result<T, Fault>) -> Result<T, Fault> {
        // The record of a trial ends with it.
        state.trace = Trace::default();
        if let Err(fault) = &done
            && !fault.retryable
        {
            state.broken = Some(fault.clone());
        }
        done
    }

    async fn before(&self, state: &mut State) -> Result<(), Fault> {
        self.open(state)?;
        if let Some(held) = state.held.clone().filter(|held| self.is_old(held)) {
            return self.replace_old(state, &held).await;
        }
        match state.held.is_none() && self.supply.settings.eager {
            true => self.seek(state).await,
            false => Ok(()),
        }
    }

    /// In place of a token that ends: one by its refresh token, or by a grant that troubles nobody. Failing that, the
    /// server's refusal will say more.
    async fn replace_old(&self, state: &mut State, held: &Held) -> Result<(), Fault> {
        if self.renew(state, None).await? || matches!(self.supply.settings.grant, Grant::Code { .. }) {
            return Ok(());
        }
        if let Some(site) = self.home(state, held).await? {
            let scopes = scope::union(&held.tokens.scopes, []);
            self.obtain(state, site, scopes).await?;
        }
        Ok(())
    }

    /// Gets a token unasked, if there is none and the target's metadata says where; once.
    pub(super) async fn unasked(&self) -> Result<(), Fault> {
        let mut state = self.turn(None).await;
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
        let done = self.seek_once(state).await;
        // A server that was out of order is asked again before the next request; nobody becomes a stranger by it.
        state.sought = done.is_ok();
        done
    }

    async fn seek_once(&self, state: &mut State) -> Result<(), Fault> {
        // A target that has not asked for authorization is not presumed to grant it by itself.
        if let Some(site) = self.look(state, None, false).await? {
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
                state.trace.note(
                    "the refused token has been replaced meanwhile, for another request of this identity",
                );
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
        if self.supply.settings.scopes.is_some() || all.len() == before.len() {
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
            self.supply.drop_held()?;
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
        let now = self.supply.means.clock.elapsed();
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
            state.held = self.supply.kept();
            state.held.iter().for_each(|held| self.supply.register(held));
        }
        Ok(())
    }

    fn is_old(&self, held: &Held) -> bool {
        let now = self.supply.means.clock.wall().as_second();
        held.tokens.expires.is_some_and(|end| end.saturating_sub(now) <= MARGIN)
    }

    async fn search(&self, state: &State, challenge: Option<&Challenge>) -> Result<Option<Site>, Fault> {
        self.look(state, challenge, self.supply.settings.old_servers).await
    }

    async fn look(
        &self,
        state: &State,
        challenge: Option<&Challenge>,
        old_servers: bool,
    ) -> Result<Option<Site>, Fault> {
        let (target, last) = (&self.supply.settings.target, state.site.as_ref());
        let held = state.held.as_ref().map(|held| held.issuer.as_str());
        self.supply.search(Search { target, challenge, old_servers, last }, held, &state.trace).await
    }

    /// What is asked for at first, and when a token has to be replaced: what the identity may have, or what the server
    /// names together with what was held before.
    fn scopes(&self, state: &State, site: &Site, challenge: Option<&Challenge>) -> Vec<String> {
        if let Some(scopes) = &self.supply.settings.scopes {
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
        if let Some(kept) = self.supply.kept().filter(is_new) {
            // Another process with the same login was faster, and its refresh used ours up.
            self.supply.register(&kept);
            (state.held, state.refreshed) = (Some(kept), true);
            return Ok(true);
        }
        if held.tokens.refresh.is_none() {
            return Ok(false);
        }
        let site = match site {
            Some(site) => site.clone(),
            None => match self.home(state, &held).await? {
                Some(site) => site,
                None => return Ok(false),
            },
        };
        let Some(tokens) = self.supply.refresh(&site, &held, &state.trace).await? else {
            self.supply.drop_held()?;
            state.held = None;
            return Ok(false);
        };
        self.keep(state, site, tokens, held.client)?;
        state.refreshed = true;
        Ok(true)
    }

    /// The site that tokens from the wallet belong to.
    async fn home(&self, state: &State, held: &Held) -> Result<Option<Site>, Fault> {
        if let Some(site) = state.site.as_ref().filter(|site| site.server.issuer == held.issuer) {
            return Ok(Some(site.clone()));
        }
        let found = self.search(state, None).await?;
        Ok(found.filter(|site| site.server.issuer == held.issuer))
    }

    /// Gets a token by the identity's own way.
    async fn obtain(&self, state: &mut State, site: Site, scopes: Vec<String>) -> Result<(), Fault> {
        let refreshable = matches!(self.supply.settings.grant, Grant::Code { .. });
        let scopes = match &self.supply.settings.scopes {
            Some(_) => scopes,
            None => scope::with_offline(scopes, &site.server, refreshable),
        };
        let held = state.held.as_ref().and_then(|held| held.tokens.key.clone());
        let key = match site.bound {
            true => Some(held.map_or_else(|| ProofKey::generate(&self.supply.means.secrets), Ok)?),
            false => None,
        };
        let (tokens, client) = self.supply.obtain(&site, (&scopes, key.as_ref()), &state.trace).await?;
        self.keep(state, site, tokens, Some(client))?;
        state.refreshed = false;
        Ok(())
    }

    fn keep(
        &self,
        state: &mut State,
        site: Site,
        tokens: Tokens,
        client: Option<Client>,
    ) -> Result<(), Fault> {
        let held = Held {
            target: self.supply.settings.target.to_string(),
            account: self.supply.settings.account.clone(),
            issuer: site.server.issuer.clone(),
            resource: site.resource.clone(),
            client,
            tokens,
        };
        self.supply.means.wallet.keep(&held)?;
        (state.held, state.site) = (Some(held), Some(site));
        Ok(())
    }
}

/// Whether the refused request carried these tokens.
fn is_sent(tokens: &Tokens, refused: &Rejection) -> bool {
    refused.sent.iter().any(|(name, value)| {
        let token = value.expose_secret().split_once(' ').map(|(_, token)| token);
        name.eq_ignore_ascii_case("authorization") && token == Some(tokens.access.expose_secret())
    })
}
