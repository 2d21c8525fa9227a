//! Proof of possession (RFC 9449): a key, the proofs made with it, and the nonces that servers want in them.
//!
//! A proof is good for one request and is not kept; the key never leaves the wallet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::fault;
use crate::auth::issuer::lock;
use crate::auth::keys::{b64, random_text};
use crate::transcript::{Fault, Secrets};

/// A P-256 key that tokens are bound to.
#[derive(Clone)]
pub struct ProofKey(Arc<Inner>);

struct Inner {
    signing: EncodingKey,
    public: Jwk,
    text: SecretString,
}

/// What a proof is for.
pub(super) struct Covered<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a Url,
    /// The access token, in proofs for the resource.
    pub(super) token: Option<&'a str>,
    pub(super) nonce: Option<String>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

impl ProofKey {
    /// A new key.
    pub fn generate(secrets: &Secrets) -> Result<Self, Fault> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| broken())?;
        let der = pair.to_pkcs8v1().map_err(|_| broken())?;
        Self::from_der(der.as_ref(), secrets)
    }

    /// The key that [`ProofKey::text`] has written.
    pub fn from_text(text: &str, secrets: &Secrets) -> Result<Self, Fault> {
        Self::from_der(&STANDARD.decode(text).map_err(|_| broken())?, secrets)
    }

    /// The key as text, for a wallet: PKCS #8 in base64.
    pub fn text(&self) -> &SecretString {
        &self.0.text
    }

    fn from_der(der: &[u8], secrets: &Secrets) -> Result<Self, Fault> {
        let text = STANDARD.encode(der);
        secrets.register("dpop-key", &text);
        let signing = EncodingKey::from_ec_der(der);
        let public = Jwk::from_encoding_key(&signing, Algorithm::ES256).map_err(|_| broken())?;
        Ok(Self(Arc::new(Inner { signing, public, text: SecretString::from(text) })))
    }

    /// A proof for one request (RFC 9449 section 4.2).
    pub(super) fn proof(&self, covered: &Covered<'_>) -> Result<String, Fault> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(self.0.public.clone());
        let mut place = covered.url.clone();
        place.set_query(None);
        place.set_fragment(None);
        let mut claims = json!({
            "jti": random_text()?, "htm": covered.method, "htu": place.as_str(), "iat": covered.now,
        });
        if let Some(token) = covered.token {
            claims["ath"] = b64(digest(&SHA256, token.as_bytes())).into();
        }
        if let Some(nonce) = &covered.nonce {
            claims["nonce"] = nonce.as_str().into();
        }
        jsonwebtoken::encode(&header, &claims, &self.0.signing).map_err(|_| broken())
    }
}

impl std::fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProofKey")
    }
}

fn broken() -> Fault {
    fault("credentials.client", "a key for proofs of possession cannot be made or read")
}

/// The last nonce of each server (RFC 9449 sections 8 and 9): they are never mixed.
#[derive(Default)]
pub(super) struct Nonces(Mutex<HashMap<String, String>>);

impl Nonces {
    /// Keeps the nonce of the server at `url`. What is no nonce by its grammar is ignored.
    pub(super) fn keep(&self, url: &Url, nonce: &str) {
        if !nonce.is_empty() && nonce.len() <= 1024 && nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            lock(&self.0).insert(url.origin().ascii_serialization(), nonce.to_owned());
        }
    }

    /// The last nonce of the server at `url`.
    pub(super) fn of(&self, url: &Url) -> Option<String> {
        lock(&self.0).get(&url.origin().ascii_serialization()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    fn opened(proof: &str) -> (Value, Value) {
        let header = jsonwebtoken::decode_header(proof).unwrap();
        let key = DecodingKey::from_jwk(header.jwk.as_ref().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Value>(proof, &key, &rules).unwrap().claims;
        (serde_json::to_value(header).unwrap(), claims)
    }

    #[test]
    fn a_proof_covers_one_request() {
        let key = ProofKey::generate(&Secrets::default()).unwrap();
        let url = Url::parse("https://x.example/mcp?key=1#f").unwrap();
        let covered =
            Covered { method: "POST", url: &url, token: Some("abc"), nonce: Some("n1".into()), now: 7 };
        let (one, two) = (key.proof(&covered).unwrap(), key.proof(&covered).unwrap());
        let (header, claims) = opened(&one);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        assert_eq!(header["jwk"].get("d"), None, "the private half stays here");
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["htu"], "https://x.example/mcp");
        assert_eq!(claims["iat"], 7);
        assert_eq!(claims["nonce"], "n1");
        // The digest of `abc`, from FIPS 180-4.
        assert_eq!(claims["ath"], "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_ne!(claims["jti"], opened(&two).1["jti"], "never used twice");
        let bare = Covered { token: None, nonce: None, ..covered };
        let (_, claims) = opened(&key.proof(&bare).unwrap());
        assert!(claims.get("ath").is_none() && claims.get("nonce").is_none());
    }

    #[test]
    fn a_key_survives_its_text() {
        use secrecy::ExposeSecret;
        let secrets = Secrets::default();
        let key = ProofKey::generate(&secrets).unwrap();
        let text = key.text().expose_secret();
        assert_eq!(secrets.redact(text), "[secret:dpop-key]");
        let again = ProofKey::from_text(text, &secrets).unwrap();
        assert_eq!(key.0.public, again.0.public);
        assert!(ProofKey::from_text("bm8ga2V5", &secrets).is_err());
        assert!(ProofKey::from_text("%", &secrets).is_err());
    }

    #[test]
    fn nonces_belong_to_their_server() {
        let nonces = Nonces::default();
        let url = |text: &str| Url::parse(text).unwrap();
        nonces.keep(&url("https://as.example/token"), "n1");
        nonces.keep(&url("https://as.example/token"), "bad nonce");
        assert_eq!(nonces.of(&url("https://as.example/other")).as_deref(), Some("n1"));
        assert_eq!(nonces.of(&url("https://rs.example/")), None);
    }
}
