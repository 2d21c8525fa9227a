//! An issuer made by hand: two keys, metadata and a JWKS on loopback, and tokens good and bad.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// The scopes of a customer.
pub(crate) const CUSTOMER: &str = "books:read orders:read orders:write";
/// The scopes of a clerk.
pub(crate) const CLERK: &str = "books:read orders:read refunds:write";

/// A running issuer.
pub(crate) struct Issuer {
    /// Its identifier.
    pub(crate) url: String,
    /// How often its keys were read.
    pub(crate) reads: Arc<AtomicUsize>,
    key: EncodingKey,
    curve: EncodingKey,
    stranger: EncodingKey,
}

/// Made once: searching for primes takes most of the time of these tests.
static KEYS: LazyLock<(EncodingKey, EncodingKey, EncodingKey)> =
    LazyLock::new(|| (rsa_key(), curve_key(), rsa_key()));

fn pem(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

fn rsa_key() -> EncodingKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    EncodingKey::from_rsa_pem(pem(der.as_ref()).as_bytes()).unwrap()
}

fn curve_key() -> EncodingKey {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    EncodingKey::from_ec_pem(pem(pair.to_pkcs8v1().unwrap().as_ref()).as_bytes()).unwrap()
}

impl Issuer {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let (key, curve, stranger) = KEYS.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = vec![public("k1", &key, Algorithm::RS256), public("e1", &curve, Algorithm::ES256)];
        let set = serde_json::to_value(JwkSet { keys }).unwrap();
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/jwks")});
        let reads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&reads);
        let jwks = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            let set = set.clone();
            async move { Json(set) }
        };
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(move || async move { Json(metadata) }))
            .route("/jwks", get(jwks));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, reads, key, curve, stranger }
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self, audience: &str, subject: &str, scope: &str) -> Value {
        let now = jsonwebtoken::get_current_timestamp();
        json!({"iss": self.url, "sub": subject, "aud": audience, "scope": scope, "iat": now, "exp": now + 300})
    }

    /// A good token.
    pub(crate) fn token(&self, audience: &str, subject: &str, scope: &str) -> String {
        self.sign(&self.claims(audience, subject, scope))
    }

    /// Signs whatever claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        encode(&header("k1"), claims, &self.key).unwrap()
    }

    /// Signs with a key of this issuer that it calls `kid`.
    pub(crate) fn sign_as(&self, kid: &str, claims: &Value) -> String {
        encode(&header(kid), claims, &self.key).unwrap()
    }

    /// Signs with a key that is not in the JWKS, under the id of one that is.
    pub(crate) fn forge(&self, claims: &Value) -> String {
        encode(&header("k1"), claims, &self.stranger).unwrap()
    }

    /// Signs with the elliptic curve.
    pub(crate) fn sign_with_curve(&self, claims: &Value) -> String {
        let header = Header { kid: Some("e1".to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.curve).unwrap()
    }

    /// HS256 under the id of the public key, with whatever secret (RFC 8725 section 2.1).
    pub(crate) fn hmac(claims: &Value) -> String {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &EncodingKey::from_secret(b"the public key, known to all")).unwrap()
    }

    /// No signature and no algorithm.
    pub(crate) fn unsigned(claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(claims))
    }
}

fn public(kid: &str, key: &EncodingKey, algorithm: Algorithm) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    jwk
}

fn header(kid: &str) -> Header {
    Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) }
}
