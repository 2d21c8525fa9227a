//! Bearer token in, caller out: the checks an MCP resource server owes its users.
//!
//! Signature with a key of the issuer's JWKS, an allow-list of algorithms, issuer, audience, expiry and not-before
//! (RFC 7519, RFC 8725, RFC 9068 section 4). Key material in the token itself is never used.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::flaws::Flaw;
use super::roles::Caller;
use crate::net;

/// Why a token opens no door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The token is bad; RFC 6750 calls all of it `invalid_token`, and which check failed is nobody's business.
    Invalid,
    /// The issuer's keys cannot be read, so nothing can be decided.
    IssuerUnreachable,
}

/// Verifies tokens of one issuer for one audience.
pub(super) struct Verifier {
    http: reqwest::Client,
    issuer: String,
    audience: String,
    flaw: Option<Flaw>,
    keys: Mutex<Option<Keys>>,
}

struct Keys {
    set: JwkSet,
    read_at: Instant,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    scope: Option<Scope>,
    #[serde(default)]
    scp: Option<Scope>,
}

/// Scopes as one string or as a list: issuers differ.
struct Scope(String);

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Array(items) => {
                let words: Option<Vec<_>> = items.iter().map(|item| item.as_str()).collect();
                words
                    .map(|words| Self(words.join(" ")))
                    .ok_or_else(|| serde::de::Error::custom("no list of words"))
            }
            _ => Err(serde::de::Error::custom("neither a string nor a list")),
        }
    }
}

const LEEWAY: Duration = Duration::from_secs(30);
const LARGEST_DOCUMENT: usize = 256 * 1024;
const LONGEST_READ: Duration = Duration::from_secs(5);
/// Unknown key ids cause at most one fetch in this time, or anybody could make us hammer the issuer.
const REREAD_AFTER: Duration = Duration::from_secs(5);

impl Verifier {
    /// A verifier; keys are read when the first token comes.
    pub(super) fn new(http: reqwest::Client, issuer: &str, audience: &str, flaw: Option<Flaw>) -> Self {
        Self { http, issuer: issuer.to_owned(), audience: audience.to_owned(), flaw, keys: Mutex::new(None) }
    }

    /// Who holds this token.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, Denied> {
        let claims = if self.flaw == Some(Flaw::NoSignatureCheck) {
            self.trust_blindly(token)?
        } else {
            let header = decode_header(token).map_err(|_| Denied::Invalid)?;
            // No extension is understood here, and a critical one must be (RFC 7515 section 4.1.11).
            if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
                return Err(Denied::Invalid);
            }
            let key = self.key(header.kid.as_deref(), header.alg).await?;
            decode::<Claims>(token, &key, &self.rules(header.alg)).map_err(|_| Denied::Invalid)?.claims
        };
        let scope = claims.scope.or(claims.scp).map_or(String::new(), |scope| scope.0);
        Ok(Caller::new(&claims.sub, &scope))
    }

    fn rules(&self, algorithm: Algorithm) -> Validation {
        let mut rules = Validation::new(algorithm);
        rules.leeway = LEEWAY.as_secs();
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        match self.flaw {
            Some(Flaw::AnyAudience) => {
                rules.validate_aud = false;
                rules.required_spec_claims.remove("aud");
            }
            Some(Flaw::NoExpiryCheck) => {
                rules.validate_exp = false;
                rules.required_spec_claims.remove("exp");
            }
            _ => {}
        }
        rules
    }

    /// The flaw: every check but that of the signature.
    fn trust_blindly(&self, token: &str) -> Result<Claims, Denied> {
        #[derive(Deserialize)]
        struct Bare {
            iss: String,
            aud: serde_json::Value,
            exp: u64,
            #[serde(default)]
            nbf: u64,
        }
        let read = |token| jsonwebtoken::dangerous::insecure_decode_claims::<Bare>(token);
        let bare = read(token).map_err(|_| Denied::Invalid)?;
        let now = jsonwebtoken::get_current_timestamp();
        let mine = bare.aud == self.audience.as_str()
            || bare.aud.as_array().is_some_and(|all| all.iter().any(|one| one == self.audience.as_str()));
        let timely = bare.exp + LEEWAY.as_secs() >= now && bare.nbf <= now + LEEWAY.as_secs();
        if bare.iss != self.issuer || !mine || !timely {
            return Err(Denied::Invalid);
        }
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| Denied::Invalid)
    }

    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Denied> {
        // Held while reading, so that a crowd of first requests reads the keys once.
        let mut keys = self.keys.lock().await;
        let known = keys.as_ref().and_then(|keys| pick(&keys.set, kid, algorithm));
        if let Some(key) = known {
            return Ok(key);
        }
        if keys.as_ref().is_some_and(|keys| keys.read_at.elapsed() < REREAD_AFTER) {
            return Err(Denied::Invalid);
        }
        let set = self.read_keys().await.ok_or(Denied::IssuerUnreachable)?;
        let key = pick(&set, kid, algorithm);
        *keys = Some(Keys { set, read_at: Instant::now() });
        key.ok_or(Denied::Invalid)
    }

    /// The issuer's keys, found through its metadata (RFC 8414 section 3, OpenID Connect Discovery).
    async fn read_keys(&self) -> Option<JwkSet> {
        for url in discovery(&self.issuer)? {
            if let Some(metadata) = self.read::<Metadata>(&url).await
                && metadata.issuer == self.issuer
            {
                return self.read(&metadata.jwks_uri).await;
            }
        }
        None
    }

    async fn read<T: DeserializeOwned>(&self, url: &str) -> Option<T> {
        let read = async {
            let response = self.http.get(url).send().await.ok()?.error_for_status().ok()?;
            net::read_bounded(response, LARGEST_DOCUMENT).await.ok()
        };
        let body = tokio::time::timeout(LONGEST_READ, read).await.ok()??;
        serde_json::from_slice(&body).ok()
    }
}

/// Asymmetric algorithms only: with a public key there is no secret that HS256 could use.
const ALGORITHMS: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256];

/// The key with this id; without an id, the only key that fits the algorithm.
fn pick(set: &JwkSet, kid: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
    use jsonwebtoken::jwk::AlgorithmParameters;
    let fits = |jwk: &&jsonwebtoken::jwk::Jwk| match jwk.algorithm {
        AlgorithmParameters::RSA(_) => algorithm == Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(_) => algorithm == Algorithm::ES256,
        _ => false,
    };
    let mut fitting =
        set.keys.iter().filter(fits).filter(|jwk| kid.is_none() || jwk.common.key_id.as_deref() == kid);
    let key = fitting.next()?;
    if fitting.next().is_some() {
        return None;
    }
    DecodingKey::from_jwk(key).ok()
}

/// Where the metadata of an issuer may be, in the order to try; `None` when the issuer is no URL.
fn discovery(issuer: &str) -> Option<Vec<String>> {
    let url = url::Url::parse(issuer).ok()?;
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/');
    Some(vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}/.well-known/openid-configuration{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_inserts_the_path() {
        assert_eq!(
            discovery("http://127.0.0.1:9/tenant").unwrap(),
            [
                "http://127.0.0.1:9/.well-known/oauth-authorization-server/tenant",
                "http://127.0.0.1:9/.well-known/openid-configuration/tenant",
                "http://127.0.0.1:9/tenant/.well-known/openid-configuration",
            ]
        );
        assert_eq!(discovery("nonsense"), None);
    }
}
