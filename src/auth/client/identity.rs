//! The identity that sessions ask: the flow's tokens as headers.

use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::dpop::Covered;
use super::fault;
use super::flow::Flow;
use super::settings::{Means, Settings};
use super::trace::Trace;
use super::wallet::{Held, Tokens};
use crate::mcp::{Asking, Credentials, Rejection, TokenSource};
use crate::transcript::{Fault, Recorder};

/// An identity that authorizes itself as the target demands.
#[derive(Clone)]
pub struct OAuth(Arc<Flow>);

impl OAuth {
    /// An identity at one target. Nothing is asked of anybody before a session asks for headers.
    pub fn new(settings: Settings, means: Means) -> Self {
        Self(Arc::new(Flow::new(settings, means)))
    }

    /// Begins a session as this identity, for as long as the target's refusals lead to other credentials, and says with
    /// which status it was let in or turned away. A target that lets strangers begin is asked for its metadata
    /// instead: what is held afterwards is the answer.
    pub async fn sign_in(&self) -> Result<SignedIn, Fault> {
        let (flow, url) = (&self.0, &self.0.supply.settings.target);
        let mut refused: Option<Rejection> = None;
        loop {
            let asking = Asking { method: "POST", url, refused: refused.as_ref(), log: None };
            let headers = self.headers(asking).await?;
            if let Some(refused) = refused.as_ref().filter(|refused| same(&refused.sent, &headers)) {
                return Ok(SignedIn::Refused(refused.status));
            }
            let knocked = flow.supply.courier(&Trace::default()).await?.knock(url, &headers).await?;
            let attempt = refused.map_or(0, |refused| refused.attempt) + 1;
            if !matches!(knocked.status, 401 | 403) {
                flow.unasked().await?;
                return Ok(flow.supply.kept().map_or(SignedIn::Open, |held| SignedIn::As(Box::new(held))));
            }
            if attempt > ATTEMPTS {
                return Ok(SignedIn::Refused(knocked.status));
            }
            let (status, challenge, nonce) = (knocked.status, knocked.challenge, knocked.nonce);
            refused = Some(Rejection { status, challenge, nonce, attempt, sent: headers });
        }
    }

    async fn answer(flow: &Flow, asked: Asked) -> Result<Credentials, Fault> {
        let Some(refused) = &asked.refused else {
            let tokens = flow.ahead(asked.log.as_ref()).await?;
            return tokens.map_or(Ok(vec![]), |tokens| asked.headers(flow, &tokens));
        };
        if let Some(nonce) = &refused.nonce {
            flow.supply.nonces.keep(&asked.url, nonce);
        }
        match flow.again(refused, asked.log.as_ref()).await? {
            Some(tokens) => asked.headers(flow, &tokens),
            None => Ok(refused.sent.clone()),
        }
    }
}

/// What came of signing in.
#[derive(Debug)]
pub enum SignedIn {
    /// With these tokens.
    As(Box<Held>),
    /// The target wants no authorization, and says nothing about where to get any.
    Open,
    /// The target refuses, whatever it is shown, with this status.
    Refused(u16),
}

/// Most times one beginning is tried.
const ATTEMPTS: u32 = 5;

fn same(one: &Credentials, other: &Credentials) -> bool {
    let plain = |all: &Credentials| -> Vec<(String, String)> {
        all.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    };
    plain(one) == plain(other)
}

/// An [`Asking`] that outlives its request.
struct Asked {
    method: String,
    url: Url,
    refused: Option<Rejection>,
    log: Option<Recorder>,
}

impl Asked {
    fn headers(&self, flow: &Flow, tokens: &Tokens) -> Result<Credentials, Fault> {
        let token = tokens.access.expose_secret();
        let Some(key) = &tokens.key else {
            return Ok(vec![("authorization".to_owned(), SecretString::from(format!("Bearer {token}")))]);
        };
        let proof = key.proof(&Covered {
            method: &self.method,
            url: &self.url,
            token: Some(token),
            nonce: flow.supply.nonces.of(&self.url),
            now: flow.supply.means.clock.wall().as_second(),
        })?;
        Ok(vec![
            ("authorization".to_owned(), SecretString::from(format!("DPoP {token}"))),
            ("dpop".to_owned(), SecretString::from(proof)),
        ])
    }
}

impl TokenSource for OAuth {
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        let flow = Arc::clone(&self.0);
        let Asking { method, url, refused, log } = asking;
        let (method, url) = (method.to_owned(), url.clone());
        let asked = Asked { method, url, refused: refused.cloned(), log: log.cloned() };
        Box::pin(async move {
            // On a task of its own: a session that gives up must not lose a refresh token in the middle of its
            // rotation.
            let working = tokio::spawn(async move { Self::answer(&flow, asked).await });
            working.await.map_err(|_| fault("credentials.client", "the authorization flow broke off"))?
        })
    }

    fn nonce(&self, nonce: &str) {
        self.0.supply.nonces.keep(&self.0.supply.settings.target, nonce);
    }

    fn discovering(&self, version: Option<&'static str>) {
        self.0.supply.discovering(version);
    }

    fn env(&self) -> Credentials {
        vec![]
    }
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OAuth({})", crate::net::shown(&self.0.supply.settings.target))
    }
}
