//! Signing keys made for one run: RS256 and ES256 pairs, their JWKS, and compact JWS signatures.
//!
//! Keys live in memory only; nothing here writes them anywhere. The RSA pairs are generated on first use, because
//! that takes a tenth of a second; the issuer asks for the first one in the background as it starts.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::transcript::{Fault, Side};

/// Base64url without padding, as JOSE wants it.
pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Random text of 256 bits, safe in URLs.
pub(super) fn random_text() -> Result<String, Fault> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| broken("random bytes"))?;
    Ok(b64(bytes))
}

/// The keys of one run.
pub(super) struct Keys {
    tag: String,
    rsa: OnceLock<Option<RsaPair>>,
    foreign: OnceLock<Option<RsaPair>>,
    ec: EcdsaKeyPair,
}

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signing {
    /// With the published RSA key.
    Rs256,
    /// With the published P-256 key.
    Es256,
    /// With an RSA key that is not published.
    Foreign,
    /// HS256 with the text of the published RSA key as the secret.
    HmacPublic,
    /// Not at all.
    Unsigned,
}

impl Signing {
    /// The `alg` that belongs to it.
    pub(super) fn alg(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Foreign => "RS256",
            Self::Es256 => "ES256",
            Self::HmacPublic => "HS256",
            Self::Unsigned => "none",
        }
    }
}

impl Keys {
    /// New keys whose ids carry `tag`, so that a test key is recognised wherever it turns up.
    pub(super) fn generate(tag: &str) -> Result<Self, Fault> {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| broken("an EC key"))?;
        Ok(Self { tag: tag.to_owned(), rsa: OnceLock::new(), foreign: OnceLock::new(), ec })
    }

    /// Generates the RSA key if that has not happened yet; blocks for about a tenth of a second.
    pub(super) fn warm(&self) {
        let _ = self.rsa();
    }

    fn rsa(&self) -> Result<&RsaPair, Fault> {
        self.rsa.get_or_init(new_rsa).as_ref().ok_or_else(|| broken("an RSA key"))
    }

    fn foreign(&self) -> Result<&RsaPair, Fault> {
        self.foreign.get_or_init(new_rsa).as_ref().ok_or_else(|| broken("an RSA key"))
    }

    /// The key id under which a signature is announced. Everything but ES256 claims to be the RSA key.
    pub(super) fn kid(&self, signing: Signing) -> String {
        match signing {
            Signing::Es256 => format!("rehearsal-test-es256-{}", self.tag),
            _ => format!("rehearsal-test-rs256-{}", self.tag),
        }
    }

    /// The public keys as a JWK set (RFC 7517).
    pub(super) fn jwks(&self) -> Result<Value, Fault> {
        let mut rsa = rsa_jwk(self.rsa()?);
        rsa.insert("kid".into(), self.kid(Signing::Rs256).into());
        let point = self.ec.public_key().as_ref();
        // An uncompressed point: 0x04, then 32 bytes each of x and y.
        let ec = json!({
            "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]),
            "kid": self.kid(Signing::Es256), "use": "sig", "alg": "ES256",
        });
        Ok(json!({"keys": [rsa, ec]}))
    }

    /// The unpublished key as a JWK, for tokens that bring their own key.
    pub(super) fn foreign_jwk(&self) -> Result<Value, Fault> {
        Ok(Value::Object(rsa_jwk(self.foreign()?)))
    }

    /// A compact JWS (RFC 7515 section 7.1) over a header and claims.
    pub(super) fn sign(
        &self,
        signing: Signing,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> Result<String, Fault> {
        let text = |map: &Map<String, Value>| Value::Object(map.clone()).to_string();
        let message = format!("{}.{}", b64(text(header)), b64(text(claims)));
        let signature = self.signature(signing, message.as_bytes())?;
        Ok(format!("{message}.{}", b64(signature)))
    }

    fn signature(&self, signing: Signing, message: &[u8]) -> Result<Vec<u8>, Fault> {
        match signing {
            Signing::Rs256 => rsa_signature(self.rsa()?, message),
            Signing::Foreign => rsa_signature(self.foreign()?, message),
            Signing::Es256 => {
                let signed = self.ec.sign(&rand::SystemRandom::new(), message);
                Ok(signed.map_err(|_| broken("a signature"))?.as_ref().to_vec())
            }
            Signing::HmacPublic => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.public_pem()?.as_bytes());
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            Signing::Unsigned => Ok(vec![]),
        }
    }

    /// The published RSA key as PEM text, exactly as common tools print it.
    pub(super) fn public_pem(&self) -> Result<String, Fault> {
        let der = self.rsa()?.public_key().as_der().map_err(|_| broken("a public key"))?;
        let body = STANDARD.encode(der.as_ref());
        let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(pem)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.tag)
    }
}

fn new_rsa() -> Option<RsaPair> {
    RsaPair::generate(KeySize::Rsa2048).ok()
}

fn rsa_jwk(pair: &RsaPair) -> Map<String, Value> {
    let public = pair.public_key();
    [
        ("kty", "RSA".to_owned()),
        ("n", b64(public.modulus().big_endian_without_leading_zero())),
        ("e", b64(public.exponent().big_endian_without_leading_zero())),
        ("use", "sig".to_owned()),
        ("alg", "RS256".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::String(value)))
    .collect()
}

fn rsa_signature(pair: &RsaPair, message: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut signature)
        .map_err(|_| broken("a signature"))?;
    Ok(signature)
}

fn broken(what: &str) -> Fault {
    Fault::new(Side::Harness, "issuer.crypto", format!("the embedded issuer cannot make {what}"))
}
