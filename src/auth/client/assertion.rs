//! Assertions that a client signs about itself (RFC 7523 section 3), in place of a secret.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::fault;
use crate::auth::keys::random_text;
use crate::transcript::Fault;

/// How long an assertion is good for, in seconds. It is used at once.
const LIFE: i64 = 60;

/// The algorithms a client may sign with; all asymmetric.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("EdDSA", Algorithm::EdDSA),
];

/// A client's private key.
#[derive(Clone)]
pub struct ClientKey(Arc<Inner>);

struct Inner {
    key: EncodingKey,
    algorithm: Algorithm,
    id: Option<String>,
}

impl ClientKey {
    /// A key in PEM with the algorithm of its name, by default the one that fits the kind of key (ES256, ES384, RS256,
    /// EdDSA). `id` goes into the header as `kid`.
    pub fn from_pem(pem: &SecretString, algorithm: Option<&str>, id: Option<&str>) -> Result<Self, Fault> {
        let pem = pem.expose_secret().as_bytes();
        let wanted = match algorithm {
            Some(name) => Some(named(name)?),
            None => None,
        };
        let candidates = [
            (EncodingKey::from_ec_pem(pem), [Algorithm::ES256, Algorithm::ES384].as_slice()),
            (EncodingKey::from_rsa_pem(pem), &[Algorithm::RS256]),
            (EncodingKey::from_ed_pem(pem), &[Algorithm::EdDSA]),
        ];
        for (key, defaults) in candidates {
            let Ok(key) = key else { continue };
            let tried = wanted.as_ref().map_or(defaults, std::slice::from_ref);
            // Only signing shows whether a key and an algorithm fit.
            let fits = |algorithm: &&Algorithm| {
                jsonwebtoken::encode(&Header::new(**algorithm), &json!({}), &key).is_ok()
            };
            if let Some(&algorithm) = tried.iter().find(fits) {
                return Ok(Self(Arc::new(Inner { key, algorithm, id: id.map(str::to_owned) })));
            }
        }
        Err(fault(
            "credentials.key",
            "the client's private key is no PEM of an RSA, EC or Ed25519 key, or does not fit its `algorithm`",
        ))
    }

    /// An assertion of `client` for the authorization server `issuer`, at `now` seconds since 1970.
    pub(super) fn assert(&self, client: &str, issuer: &str, now: i64) -> Result<String, Fault> {
        let mut header = Header::new(self.0.algorithm);
        header.kid.clone_from(&self.0.id);
        let claims = json!({
            "iss": client, "sub": client, "aud": issuer, "jti": random_text()?,
            "iat": now, "exp": now.saturating_add(LIFE),
        });
        jsonwebtoken::encode(&header, &claims, &self.0.key).map_err(|_| {
            fault("credentials.key", "the client's assertion cannot be signed with its private key")
        })
    }
}

fn named(name: &str) -> Result<Algorithm, Fault> {
    let known = ALGORITHMS.iter().find(|(known, _)| *known == name);
    known.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
        let all: Vec<_> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        let text = format!(
            "`{}` is no algorithm a client can sign with; use one of {}",
            crate::display::excerpt(name, 40),
            all.join(", ")
        );
        fault("credentials.key", text)
    })
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientKey({:?})", self.0.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    };

    fn pem(der: &[u8]) -> SecretString {
        let body = STANDARD.encode(der);
        SecretString::from(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
    }

    fn ec(kind: &'static EcdsaSigningAlgorithm) -> SecretString {
        pem(EcdsaKeyPair::generate(kind).unwrap().to_pkcs8v1().unwrap().as_ref())
    }

    fn rsa() -> SecretString {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        pem(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref())
    }

    #[test]
    fn the_algorithm_follows_the_key() {
        let (p256, p384, rsa) =
            (ec(&ECDSA_P256_SHA256_FIXED_SIGNING), ec(&ECDSA_P384_SHA384_FIXED_SIGNING), rsa());
        for (key, wanted, algorithm) in [
            (&p256, None, Some(Algorithm::ES256)),
            (&p384, None, Some(Algorithm::ES384)),
            (&rsa, None, Some(Algorithm::RS256)),
            (&rsa, Some("PS256"), Some(Algorithm::PS256)),
            (&p256, Some("RS256"), None),
            (&rsa, Some("HS256"), None),
            (&rsa, Some("none"), None),
            (&SecretString::from("no key".to_owned()), None, None),
        ] {
            let made = ClientKey::from_pem(key, wanted, None);
            assert_eq!(made.ok().map(|key| key.0.algorithm), algorithm, "{wanted:?}");
        }
    }

    #[test]
    fn an_assertion_says_who_to_whom_and_once() {
        let key = ClientKey::from_pem(&ec(&ECDSA_P256_SHA256_FIXED_SIGNING), None, Some("k1")).unwrap();
        let [one, two] = [(); 2].map(|()| key.assert("me", "https://as.example", 1000).unwrap());
        let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&key.0.key, Algorithm::ES256).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&["https://as.example"]);
        rules.validate_exp = false;
        let opened = |text: &str| {
            let key = DecodingKey::from_jwk(&public).unwrap();
            jsonwebtoken::decode::<Value>(text, &key, &rules).unwrap()
        };
        let (header, claims) = (opened(&one).header, opened(&one).claims);
        assert_eq!(header.kid.as_deref(), Some("k1"));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("me"), &json!("me")));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1000), &json!(1060)));
        assert_ne!(claims["jti"], opened(&two).claims["jti"]);
    }
}
