//! A persona becomes something that sessions ask for credentials.
//!
//! Each persona has its own source; nothing is shared between two. Credentials are registered as secrets before they
//! are handed out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use super::client::Wallet;
use super::issuer::{lock, token};
use super::{IdentitySpec, Issuer, Minted, Persona, machine, step_up};
use crate::mcp::{Anonymous, Asking, Credentials, TokenSource};
use crate::net::Route;
use crate::transcript::{Clock, Fault, Secrets, Side};

/// The variable in which a stdio server finds the bearer token of its persona.
pub const TOKEN_VARIABLE: &str = "REHEARSAL_TOKEN";

/// Reads a declared environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What identities are made from.
#[derive(Clone)]
pub struct Authority {
    /// The embedded issuer, if the suite uses it.
    pub issuer: Option<Arc<Issuer>>,
    /// `aud` of minted tokens: the target's URL.
    pub audience: String,
    /// The environment variables that the suite declares.
    pub env: Environment,
    /// Where credentials are registered.
    pub secrets: Secrets,
    /// Decides when a token is old.
    pub clock: Clock,
    /// How authorization servers are reached.
    pub route: Route,
    /// Logins of people.
    pub wallet: Arc<dyn Wallet>,
    /// Whether the target is pinned to revision 2025-03-26, where a server without metadata is its own authorization
    /// server. Later revisions make metadata a must, and a client must not guess.
    pub old_servers: bool,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({:?} for {})", self.issuer, self.audience)
    }
}

/// The persona whose good token is the positive control of auth probes: the first with a minted token and no flaw, else
/// the first with credentials of its own; `None`: nobody has any.
pub fn control(personas: &[Persona]) -> Option<&Persona> {
    let minted = personas.iter().find(|persona| match &persona.identity {
        IdentitySpec::Minted(minted) => minted.flaw.is_none(),
        _ => false,
    });
    minted.or_else(|| personas.iter().find(|persona| persona.identity.is_given()))
}

/// A second person for probes of isolation: the first but the control that has credentials without a flaw, and is
/// somebody else.
pub fn second<'a>(personas: &'a [Persona], control: &Persona) -> Option<&'a Persona> {
    let subject = |persona: &Persona| match &persona.identity {
        IdentitySpec::Minted(minted) => minted.subject.clone().unwrap_or_else(|| persona.name.to_string()),
        _ => persona.name.to_string(),
    };
    personas.iter().find(|persona| {
        let usable = match &persona.identity {
            IdentitySpec::Minted(minted) => minted.flaw.is_none(),
            other => other.is_given(),
        };
        usable && subject(persona) != subject(control)
    })
}

/// The source of a persona's credentials. Fails when a variable is not set, or when a minted persona has no issuer.
pub fn identity(persona: &Persona, authority: &Authority) -> Result<Arc<dyn TokenSource>, Fault> {
    match &persona.identity {
        IdentitySpec::Anonymous => Ok(Arc::new(Anonymous)),
        IdentitySpec::Minted(minted) => {
            let issuer = authority.issuer.clone().ok_or_else(|| {
                let text =
                    format!("persona `{}` needs a minted token, but the suite has no issuer", persona.name);
                missing(text)
            })?;
            press(persona, minted, (issuer, None), authority)
        }
        IdentitySpec::Bearer(from) => {
            let value = read(persona, &from.env, authority)?;
            let header = ("authorization".to_owned(), format!("Bearer {value}"));
            Ok(Arc::new(Fixed::new(header, [(TOKEN_VARIABLE, &value), (&from.env, &value)])))
        }
        IdentitySpec::Header(from) => {
            let value = read(persona, &from.env, authority)?;
            let header = (from.name.clone(), value.clone());
            Ok(Arc::new(Fixed::new(header, [(&from.env, &value)])))
        }
        IdentitySpec::Login(_)
        | IdentitySpec::ClientCredentials(_)
        | IdentitySpec::PrivateKeyJwt(_)
        | IdentitySpec::RefreshToken(_)
        | IdentitySpec::IdJag(_)
        | IdentitySpec::Workload(_) => match machine::oauth(persona, authority)? {
            Some(oauth) => Ok(Arc::new(oauth)),
            None => Ok(Arc::new(Anonymous)),
        },
    }
}

/// The same for a minted persona whose tokens are signed by a key that is new to everybody. Blocks for about a tenth of a
/// second.
pub fn rotated(persona: &Persona, authority: &Authority) -> Result<Arc<dyn TokenSource>, Fault> {
    match (&persona.identity, &authority.issuer) {
        (IdentitySpec::Minted(minted), Some(issuer)) => {
            let key = issuer.spare_key()?;
            press(persona, minted, (Arc::clone(issuer), Some(key)), authority)
        }
        _ => identity(persona, authority),
    }
}

fn press(
    persona: &Persona,
    minted: &Minted,
    (issuer, key): (Arc<Issuer>, Option<String>),
    authority: &Authority,
) -> Result<Arc<dyn TokenSource>, Fault> {
    token::lifetime(minted)?;
    Ok(Arc::new(MintedSource(Arc::new(Press {
        issuer,
        key,
        minted: minted.clone(),
        subject: persona.name.to_string(),
        audience: authority.audience.clone(),
        clock: authority.clock.clone(),
        last: Mutex::default(),
    }))))
}

pub(super) fn missing(text: String) -> Fault {
    Fault::new(Side::Auth, "credentials.missing", text)
}

pub(super) fn read(persona: &Persona, variable: &str, authority: &Authority) -> Result<String, Fault> {
    let value = (authority.env)(variable).filter(|value| !value.trim().is_empty()).ok_or_else(|| {
        missing(format!(
            "persona `{}` needs the environment variable `{variable}`, which is not set",
            persona.name
        ))
    })?;
    let value = value.trim().to_owned();
    authority.secrets.register_jwt(variable, &value);
    Ok(value)
}

/// A credential that never changes.
struct Fixed {
    header: (String, SecretString),
    variables: Vec<(String, SecretString)>,
}

impl Fixed {
    fn new<const N: usize>(header: (String, String), variables: [(&str, &str); N]) -> Self {
        Self {
            header: (header.0, SecretString::from(header.1)),
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
                .collect(),
        }
    }
}

impl TokenSource for Fixed {
    fn headers<'a>(&'a self, _: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        Box::pin(std::future::ready(Ok(vec![self.header.clone()])))
    }

    fn env(&self) -> Credentials {
        self.variables.clone()
    }
}

/// Mints tokens for one persona and keeps the last one while it is fresh.
struct Press {
    issuer: Arc<Issuer>,
    /// The name of the spare key that signs, if it is not the usual one.
    key: Option<String>,
    minted: Minted,
    subject: String,
    audience: String,
    clock: Clock,
    last: Mutex<Option<(SecretString, Duration)>>,
}

impl Press {
    fn mint(&self, minted: &Minted) -> Result<SecretString, Fault> {
        match &self.key {
            Some(key) => self.issuer.mint_under(key, minted, &self.subject, &self.audience),
            None => self.issuer.mint(minted, &self.subject, &self.audience),
        }
    }

    /// The kept token, or a new one when less than a quarter of its life is left or the server refused it.
    fn token(&self, refused: bool) -> Result<SecretString, Fault> {
        let life = token::lifetime(&self.minted)?;
        let now = self.clock.elapsed();
        let mut last = lock(&self.last);
        if let (Some((token, made)), false) = (&*last, refused)
            && now.saturating_sub(*made) * 4 <= life * 3
        {
            return Ok(token.clone());
        }
        let token = self.mint(&self.minted)?;
        *last = Some((token.clone(), now));
        Ok(token)
    }
}

struct MintedSource(Arc<Press>);

impl TokenSource for MintedSource {
    fn headers<'a>(&'a self, asking: Asking<'a>) -> BoxFuture<'a, Result<Credentials, Fault>> {
        let press = Arc::clone(&self.0);
        // Only a 401 says that the token is bad; a 403 says that it is not enough, and a new one would be the same.
        let refused = asking.refused.is_some_and(|refused| refused.status == 401);
        let raised = asking.refused.and_then(|refused| step_up::raised(&press.minted, refused));
        // What a raised token did not turn either, the usual one would not.
        if let Some(refused) = asking.refused.filter(|refused| refused.status == 403 && refused.attempt > 1) {
            return Box::pin(std::future::ready(Ok(refused.sent.clone())));
        }
        Box::pin(async move {
            let mint = move || match &raised {
                Some(raised) => press.mint(raised),
                None => press.token(refused),
            };
            // Signing takes milliseconds, the first key a tenth of a second: too long for an async thread.
            let token = tokio::task::spawn_blocking(mint).await.map_err(|error| {
                Fault::new(Side::Harness, "issuer.crypto", format!("minting a token broke off: {error}"))
            })??;
            let value = SecretString::from(format!("Bearer {}", token.expose_secret()));
            Ok(vec![("authorization".to_owned(), value)])
        })
    }

    fn env(&self) -> Credentials {
        // A token that cannot be minted leaves the server without one, and it says so itself.
        self.0.token(false).map(|token| vec![(TOKEN_VARIABLE.to_owned(), token)]).unwrap_or_default()
    }
}
