//! Personas that are authorized by an authorization server other than the embedded issuer: as a suite writes them, and
//! as identities.
//!
//! Secrets stand in declared environment variables and nowhere else. Each identity keeps its tokens to itself; only a
//! login is shared, with the command that made it.

use std::sync::Arc;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::{
    ClientAuth, ClientKey, Grant, Means, Memory, Nobody, OAuth, Provider, Registered, Settings, Wallet,
};
use super::identity::{Authority, missing, read};
use super::{FromEnv, IdentitySpec, Persona};
use crate::transcript::Fault;

/// Tokens that `rehearsal login` has stored for the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The name given to `rehearsal login --as`, where several people have signed in at one target.
    #[serde(default)]
    pub account: Option<String>,
}

/// A client with a secret: the client credentials grant (RFC 6749 section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// `client_id`.
    pub client_id: String,
    /// `client_secret`.
    pub secret: FromEnv,
    /// How the secret is sent; by default as the server prefers.
    #[serde(default)]
    pub auth: Option<SecretAuth>,
    /// The issuer that knows the client; by default the first one that the target names.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Exactly these scopes, and no step-up. By default what the target asks for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

/// How a client secret is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretAuth {
    /// HTTP Basic authentication.
    Basic,
    /// In the form.
    Post,
}

/// A client with a private key: the client credentials grant with an assertion (RFC 7523 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivateKeyJwt {
    /// `client_id`.
    pub client_id: String,
    /// The private key as PEM.
    pub key: FromEnv,
    /// How assertions are signed, such as `ES256` or `PS256`; by default as fits the key.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// The id of the key, if the server wants it in the header.
    #[serde(default)]
    pub key_id: Option<String>,
    /// The issuer that knows the client; by default the first one that the target names.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Exactly these scopes, and no step-up. By default what the target asks for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

/// A refresh token obtained elsewhere. One that the server rotates serves for a single run: use a login then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    /// The client it was granted to.
    pub client_id: String,
    /// `client_secret`, unless the client is public.
    #[serde(default)]
    pub secret: Option<FromEnv>,
    /// The token.
    pub token: FromEnv,
    /// The issuer of the token; by default the first one that the target names.
    #[serde(default)]
    pub issuer: Option<String>,
}

/// A person whom an identity provider vouches for (enterprise-managed authorization: RFC 8693, then RFC 7523).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdJag {
    /// The client at the authorization server of the target.
    pub client_id: String,
    /// Its secret, unless the client is public.
    #[serde(default)]
    pub secret: Option<FromEnv>,
    /// The issuer that knows the client; by default the first one that the target names.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Who vouches.
    pub provider: IdProvider,
    /// Exactly these scopes, and no step-up. By default what the target asks for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdProvider {
    /// Its issuer URL.
    pub issuer: String,
    /// Its token endpoint; by default the one in its metadata.
    #[serde(default)]
    pub token_endpoint: Option<String>,
    /// The client that the ID token was issued to.
    pub client_id: String,
    /// The secret of that client, unless it is public.
    #[serde(default)]
    pub secret: Option<FromEnv>,
    /// The ID token of the person.
    pub id_token: FromEnv,
}

/// A workload that shows its platform's own token (RFC 7523 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The token.
    pub assertion: FromEnv,
    /// `client_id`, if the server wants one.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Exactly these scopes, and no step-up. By default what the target asks for.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

impl IdentitySpec {
    /// The environment variables it reads; a suite must declare each.
    pub fn variables(&self) -> Vec<&str> {
        let all = match self {
            Self::Anonymous | Self::Minted(_) | Self::Login(_) => vec![],
            Self::Bearer(from) => vec![Some(from)],
            Self::Header(header) => return vec![&header.env],
            Self::ClientCredentials(spec) => vec![Some(&spec.secret)],
            Self::PrivateKeyJwt(spec) => vec![Some(&spec.key)],
            Self::RefreshToken(spec) => vec![Some(&spec.token), spec.secret.as_ref()],
            Self::IdJag(spec) => {
                let provider = &spec.provider;
                vec![spec.secret.as_ref(), provider.secret.as_ref(), Some(&provider.id_token)]
            }
            Self::Workload(spec) => vec![Some(&spec.assertion)],
        };
        all.into_iter().flatten().map(|from| from.env.as_str()).collect()
    }

    /// Whether its credentials come from outside and are meant to be accepted.
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Anonymous | Self::Minted(_))
    }
}

/// The identity of such a persona; `None` for any other.
pub(super) fn oauth(persona: &Persona, authority: &Authority) -> Result<Option<OAuth>, Fault> {
    let value = |from: &FromEnv| read(persona, &from.env, authority).map(SecretString::from);
    let some = |from: &Option<FromEnv>| from.as_ref().map(value).transpose();
    let client = |id: &str, secret, issuer: &Option<String>| Registered {
        issuer: issuer.clone(),
        ..Registered::new(id, secret)
    };
    let (grant, scopes) = match &persona.identity {
        IdentitySpec::Anonymous
        | IdentitySpec::Minted(_)
        | IdentitySpec::Bearer(_)
        | IdentitySpec::Header(_) => return Ok(None),
        IdentitySpec::Login(login) => return stored(persona, login, authority).map(Some),
        IdentitySpec::ClientCredentials(spec) => {
            let auth = spec.auth.map(|auth| match auth {
                SecretAuth::Basic => ClientAuth::Basic,
                SecretAuth::Post => ClientAuth::Post,
            });
            let registered = client(&spec.client_id, Some(value(&spec.secret)?), &spec.issuer);
            (Grant::ClientCredentials(Registered { auth, ..registered }), &spec.scopes)
        }
        IdentitySpec::PrivateKeyJwt(spec) => {
            let (algorithm, id) = (spec.algorithm.as_deref(), spec.key_id.as_deref());
            let key = Some(ClientKey::from_pem(&value(&spec.key)?, algorithm, id)?);
            let auth = Some(ClientAuth::PrivateKeyJwt);
            let registered = client(&spec.client_id, None, &spec.issuer);
            (Grant::ClientCredentials(Registered { key, auth, ..registered }), &spec.scopes)
        }
        IdentitySpec::RefreshToken(spec) => {
            let registered = client(&spec.client_id, some(&spec.secret)?, &spec.issuer);
            (Grant::Refresh { registered, token: value(&spec.token)? }, &None)
        }
        IdentitySpec::IdJag(spec) => {
            let from = &spec.provider;
            let provider = Provider {
                issuer: from.issuer.clone(),
                token_endpoint: from.token_endpoint.as_deref().map(endpoint).transpose()?,
                client: Registered::new(&from.client_id, some(&from.secret)?),
                id_token: value(&from.id_token)?,
            };
            let registered = client(&spec.client_id, some(&spec.secret)?, &spec.issuer);
            (Grant::IdJag { registered, provider }, &spec.scopes)
        }
        IdentitySpec::Workload(spec) => {
            let registered = Registered::new(spec.client_id.as_deref().unwrap_or_default(), None);
            (Grant::Workload { registered, assertion: value(&spec.assertion)? }, &spec.scopes)
        }
    };
    let settings = Settings { scopes: scopes.clone(), ..settings(persona, grant, authority)? };
    Ok(Some(OAuth::new(settings, means(Arc::new(Memory::default()), authority))))
}

/// The stored login, or a fault that says how to make one.
fn stored(persona: &Persona, login: &Login, authority: &Authority) -> Result<OAuth, Fault> {
    let grant = Grant::Code { visitor: Arc::new(Nobody), registered: None, document: None };
    let account = login.account.clone();
    let settings = Settings { account, ..settings(persona, grant, authority)? };
    let Some(held) = authority.wallet.held(settings.target.as_str(), login.account.as_deref()) else {
        let flag = login.account.as_ref().map_or_else(String::new, |account| format!(" --as {account}"));
        let text = format!(
            "persona `{}` needs a login at the target, and none is stored; run `rehearsal login {}{flag}`",
            persona.name,
            crate::net::shown(&settings.target)
        );
        return Err(Fault::new(crate::transcript::Side::Auth, "credentials.login", text));
    };
    // Only a server of 2025-03-26 knows no `resource`.
    let settings = Settings { old_servers: settings.old_servers || held.resource.is_none(), ..settings };
    Ok(OAuth::new(settings, means(Arc::clone(&authority.wallet), authority)))
}

fn endpoint(text: &str) -> Result<Url, Fault> {
    let wrong = |_| {
        missing(format!(
            "`token_endpoint` of the identity provider is no URL: `{}`",
            crate::display::excerpt(text, 100)
        ))
    };
    Url::parse(text).map_err(wrong)
}

fn settings(persona: &Persona, grant: Grant, authority: &Authority) -> Result<Settings, Fault> {
    let target = Url::parse(&authority.audience).map_err(|_| {
        let name = &persona.name;
        missing(format!("persona `{name}` is authorized over HTTP, and the target speaks over standard streams; give its server a `header` or `bearer` variable"))
    })?;
    // A server that answers strangers would never ask who this is.
    let (route, old_servers) = (authority.route.clone(), authority.old_servers);
    Ok(Settings { eager: true, route, old_servers, ..Settings::new(target, grant) })
}

fn means(wallet: Arc<dyn Wallet>, authority: &Authority) -> Means {
    Means { wallet, secrets: authority.secrets.clone(), clock: authority.clock.clone() }
}
