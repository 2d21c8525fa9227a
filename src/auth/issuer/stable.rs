//! A signing key that outlives the run, for test environments that cannot fetch a new one each time.
//!
//! Whoever holds the file can sign as anybody wherever the key is trusted, for as long as it is trusted. So nothing makes
//! such a key unasked, its id says what it is, and whoever uses it is told so every time.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::auth::keys::{b64, broken};
use crate::transcript::{Fault, Side};

/// What is said, on stderr and in reports, whenever such a key is used.
pub const WARNING: &str =
    "tokens are signed with a stable test key; whoever holds its file is anybody wherever the key is trusted";

/// The first lines of a file with such a key.
const BANNER: &str = "\
REHEARSAL TEST KEY. NOT FOR PRODUCTION.
Whoever holds this file can sign tokens as anybody for every server that trusts it.
Let only test environments trust it, keep it out of version control, and delete it when the tests are over.

";

/// Keys from a file. Its `Debug` form shows their name only.
#[derive(Clone)]
pub struct StableKey(Arc<Inner>);

struct Inner {
    rsa: Option<Vec<u8>>,
    ec: Option<Vec<u8>>,
    tag: String,
}

impl StableKey {
    /// The text of a new file: a banner, an RSA key and a P-256 key. Blocks for about a tenth of a second.
    pub fn make() -> Result<SecretString, Fault> {
        let rsa = RsaPair::generate(KeySize::Rsa2048).map_err(|_| broken("an RSA key"))?;
        let rsa = AsDer::<Pkcs8V1Der<'_>>::as_der(&rsa).map_err(|_| broken("an RSA key"))?;
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| broken("an EC key"))?;
        let ec = ec.to_pkcs8v1().map_err(|_| broken("an EC key"))?;
        Ok(SecretString::from(format!("{BANNER}{}{}", pem(rsa.as_ref()), pem(ec.as_ref()))))
    }

    /// Reads such a file: an RSA key, a P-256 key or both, as PKCS #8 in PEM without a passphrase. The kind that is
    /// missing is made for the run.
    pub fn from_pem(text: &str) -> Result<Self, Fault> {
        let (mut rsa, mut ec) = (None, None);
        let mut publics: Vec<u8> = Vec::new();
        for block in PrivatePkcs8KeyDer::pem_slice_iter(text.as_bytes()) {
            let block = block.map_err(|_| wrong("a block of it is no PEM"))?;
            let der = block.secret_pkcs8_der();
            if let (None, Ok(pair)) = (&rsa, RsaPair::from_pkcs8(der)) {
                publics.extend_from_slice(pair.public_key().as_ref());
                rsa = Some(der.to_vec());
            } else if let (None, Ok(pair)) =
                (&ec, EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der))
            {
                publics.extend_from_slice(pair.public_key().as_ref());
                ec = Some(der.to_vec());
            } else {
                return Err(wrong(
                    "a key of it is neither RSA of 2048 bits or more nor P-256, or there are two of a kind",
                ));
            }
        }
        if publics.is_empty() {
            return Err(wrong("there is no `PRIVATE KEY` in it (PKCS #8, without a passphrase)"));
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &publics);
        let tag = format!("stable-{}", &b64(digest)[..12]);
        Ok(Self(Arc::new(Inner { rsa, ec, tag })))
    }

    /// What the ids of its keys end with; the same as long as the file is.
    pub fn tag(&self) -> &str {
        &self.0.tag
    }

    /// The RSA key, if there is one.
    pub(super) fn rsa(&self) -> Option<RsaPair> {
        self.0.rsa.as_ref().and_then(|der| RsaPair::from_pkcs8(der).ok())
    }

    /// The P-256 key, if there is one.
    pub(super) fn ec(&self) -> Option<EcdsaKeyPair> {
        let der = self.0.ec.as_ref()?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()
    }
}

impl fmt::Debug for StableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StableKey({})", self.0.tag)
    }
}

impl PartialEq for StableKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.tag == other.0.tag
    }
}

fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

fn wrong(what: &str) -> Fault {
    Fault::new(Side::Harness, "issuer.key", format!("the issuer's key file cannot be used: {what}"))
}
