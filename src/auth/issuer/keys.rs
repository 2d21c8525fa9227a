//! Signing keys made for one run: RS256 and ES256 pairs, their JWKS, and compact JWS signatures.
//!
//! Keys live in memory only; nothing here writes them anywhere. The RSA pairs are generated on first use, because
//! that takes a tenth of a second; the issuer asks for the first one in the background as it starts. A rotation adds a
//! generation and keeps the old ones published, as real authorization servers do.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::stable::StableKey;
use crate::auth::keys::{b64, broken};
use crate::transcript::Fault;

/// The keys of one run: every generation, the newest last, and one pair that is never published.
pub(super) struct Keys {
    generations: RwLock<Vec<Arc<Generation>>>,
    foreign: OnceLock<Option<RsaPair>>,
}

/// One pair of each kind.
struct Generation {
    /// The end of its key ids.
    tag: String,
    /// Whether others came before it.
    rotated: bool,
    rsa: OnceLock<Option<RsaPair>>,
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
    /// New keys whose ids carry `tag`, so that a test key is recognised wherever it turns up, or those of a file.
    pub(super) fn generate(tag: &str, stable: Option<&StableKey>) -> Result<Self, Fault> {
        let first = match stable {
            Some(stable) => Generation::stable(stable)?,
            None => Generation::new(tag.to_owned())?,
        };
        let first = Arc::new(first);
        Ok(Self { generations: RwLock::new(vec![first]), foreign: OnceLock::new() })
    }

    /// Makes a new generation, which signs from now on, and returns its RS256 key id. Blocks for about a tenth of a
    /// second.
    pub(super) fn rotate(&self) -> Result<String, Fault> {
        // Made before it is published: nobody waits for a key that is announced.
        let (first, count) =
            self.read(|all| (all.iter().find(|one| !one.rotated).map(|one| one.tag.clone()), all.len()));
        let tag = format!("{}-{}", first.unwrap_or_default(), count + 1);
        let new = Generation { rotated: true, ..Generation::new(tag)? };
        new.rsa()?;
        let new = Arc::new(new);
        self.generations.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&new));
        Ok(new.kid(Signing::Rs256))
    }

    /// Publishes a new generation that signs only what is asked of it by its name, which this returns. Blocks for about a
    /// tenth of a second.
    pub(super) fn spare(&self) -> Result<String, Fault> {
        let (first, count) =
            self.read(|all| (all.iter().find(|one| !one.rotated).map(|one| one.tag.clone()), all.len()));
        let tag = format!("{}-spare-{}", first.unwrap_or_default(), count + 1);
        let new = Generation { rotated: true, ..Generation::new(tag.clone())? };
        new.rsa()?;
        // In front of the others, the last of which signs.
        self.generations.write().unwrap_or_else(PoisonError::into_inner).insert(0, Arc::new(new));
        Ok(tag)
    }

    /// Signs with the first generation again; the others stay published.
    pub(super) fn turn_back(&self) {
        let mut all = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = all.iter().position(|one| !one.rotated) {
            all[first..].rotate_left(1);
        }
    }

    /// Generates the RSA key if that has not happened yet; blocks for about a tenth of a second.
    pub(super) fn warm(&self) {
        let _ = self.signer().map(|signer| signer.pair.rsa().is_ok());
    }

    /// What signs now.
    pub(super) fn signer(&self) -> Result<Signer<'_>, Fault> {
        let newest = self.read(|all| all.last().cloned());
        Ok(Signer { keys: self, pair: newest.ok_or_else(|| broken("a key"))? })
    }

    /// What signs by the name of a spare generation.
    pub(super) fn signer_of(&self, spare: Option<&str>) -> Result<Signer<'_>, Fault> {
        let Some(tag) = spare else { return self.signer() };
        let named = self.read(|all| all.iter().find(|one| one.tag == tag).cloned());
        Ok(Signer { keys: self, pair: named.ok_or_else(|| broken("a key"))? })
    }

    /// The public keys of all generations as a JWK set (RFC 7517), the newest first.
    pub(super) fn jwks(&self) -> Result<Value, Fault> {
        let all = self.read(<[_]>::to_vec);
        let mut keys = Vec::new();
        for one in all.iter().rev() {
            keys.extend(one.public()?);
        }
        Ok(json!({"keys": keys}))
    }

    /// The set that an attacker would serve: the unpublished key under the id that tokens name with it.
    pub(super) fn foreign_jwks(&self) -> Result<Value, Fault> {
        let mut key = rsa_jwk(self.foreign()?);
        key.insert("kid".into(), EMBEDDED_KID.into());
        Ok(json!({"keys": [key]}))
    }

    /// The certificate that an attacker would serve, as PEM: self-signed, of the unpublished key.
    pub(super) fn foreign_certificate(&self) -> Result<String, Fault> {
        let made = AsDer::<Pkcs8V1Der<'_>>::as_der(self.foreign()?).map_err(|_| broken("a private key"))?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.as_ref().to_vec()));
        let signed = rcgen::KeyPair::from_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).and_then(|key| {
            rcgen::CertificateParams::new(vec!["evil.example".to_owned()])?.self_signed(&key)
        });
        Ok(signed.map_err(|_| broken("a certificate"))?.pem())
    }

    fn foreign(&self) -> Result<&RsaPair, Fault> {
        self.foreign.get_or_init(new_rsa).as_ref().ok_or_else(|| broken("an RSA key"))
    }

    fn read<T>(&self, look: impl FnOnce(&[Arc<Generation>]) -> T) -> T {
        look(&self.generations.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The key id of a key that a token brings along.
pub(super) const EMBEDDED_KID: &str = "rehearsal-test-embedded";

/// One generation that signs, so that key and key id of a token belong together whatever is rotated meanwhile.
pub(super) struct Signer<'a> {
    keys: &'a Keys,
    pair: Arc<Generation>,
}

impl Signer<'_> {
    /// The key id under which a signature is announced. Everything but ES256 claims to be the RSA key.
    pub(super) fn kid(&self, signing: Signing) -> String {
        self.pair.kid(signing)
    }

    /// The unpublished key as a JWK, for tokens that bring their own key.
    pub(super) fn foreign_jwk(&self) -> Result<Value, Fault> {
        Ok(Value::Object(rsa_jwk(self.keys.foreign()?)))
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
            Signing::Rs256 => rsa_signature(self.pair.rsa()?, message),
            Signing::Foreign => rsa_signature(self.keys.foreign()?, message),
            Signing::Es256 => {
                let signed = self.pair.ec.sign(&rand::SystemRandom::new(), message);
                Ok(signed.map_err(|_| broken("a signature"))?.as_ref().to_vec())
            }
            Signing::HmacPublic => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, public_pem(self.pair.rsa()?)?.as_bytes());
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            Signing::Unsigned => Ok(vec![]),
        }
    }
}

impl Generation {
    fn new(tag: String) -> Result<Self, Fault> {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| broken("an EC key"))?;
        Ok(Self { tag, rotated: false, rsa: OnceLock::new(), ec })
    }

    fn stable(stable: &StableKey) -> Result<Self, Fault> {
        let made = Self::new(stable.tag().to_owned())?;
        if let Some(rsa) = stable.rsa() {
            let _ = made.rsa.set(Some(rsa));
        }
        Ok(Self { ec: stable.ec().unwrap_or(made.ec), ..made })
    }

    fn rsa(&self) -> Result<&RsaPair, Fault> {
        self.rsa.get_or_init(new_rsa).as_ref().ok_or_else(|| broken("an RSA key"))
    }

    fn kid(&self, signing: Signing) -> String {
        match signing {
            Signing::Es256 => format!("rehearsal-test-es256-{}", self.tag),
            _ => format!("rehearsal-test-rs256-{}", self.tag),
        }
    }

    fn public(&self) -> Result<[Value; 2], Fault> {
        let mut rsa = rsa_jwk(self.rsa()?);
        rsa.insert("kid".into(), self.kid(Signing::Rs256).into());
        let point = self.ec.public_key().as_ref();
        // An uncompressed point: 0x04, then 32 bytes each of x and y.
        let ec = json!({
            "kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65]),
            "kid": self.kid(Signing::Es256), "use": "sig", "alg": "ES256",
        });
        Ok([Value::Object(rsa), ec])
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

fn new_rsa() -> Option<RsaPair> {
    RsaPair::generate(KeySize::Rsa2048).ok()
}

/// A public RSA key as PEM text, exactly as common tools print it.
fn public_pem(pair: &RsaPair) -> Result<String, Fault> {
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| broken("a public key"))?;
    Ok(pem(der.as_ref()))
}

/// The same of its DER.
pub(super) fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
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
