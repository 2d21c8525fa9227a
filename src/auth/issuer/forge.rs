//! Tokens in the name of an issuer that is not us, signed by nobody or by a key of ours: what a stranger could send to
//! any server. Each would open a server that takes the token's own word for who may sign it.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKeyComponents;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Issuer;
use super::keys::{Keys, Signing, pem};
use super::token::{self, Grant, Kind};
use crate::auth::keys::{b64, broken};
use crate::auth::{Flaw, Minted};
use crate::transcript::Fault;
use crate::units::Period;

/// The subject of every forged token: nobody whom a server knows.
const SUBJECT: &str = "rehearsal-canary";

/// What the addresses of keys begin with where nobody listens: the domain is reserved and leads nowhere.
const NOWHERE: &str = "https://keys.rehearsal.example";

/// What a forged token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgery {
    /// How it is forged.
    pub flaw: Flaw,
    /// In whose name: `iss`.
    pub issuer: String,
    /// For whom: `aud`.
    pub audience: String,
    /// The scopes that the server asks for.
    pub scopes: Vec<String>,
    /// The issuer's public key as a JWK: for tokens that take its text for an HMAC secret, or bear its id.
    pub key: Option<Value>,
}

/// Forges with keys of its own.
pub struct Forger(Keys);

impl std::fmt::Debug for Forger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forger")
    }
}

impl Forger {
    /// New keys. The first token takes a tenth of a second.
    pub fn new() -> Result<Self, Fault> {
        Keys::generate("forged", None).map(Self)
    }

    /// A token that lives a minute from `now`, in seconds since 1970.
    pub fn forge(&self, forgery: &Forgery, now: i64) -> Result<SecretString, Fault> {
        forge(&self.0, forgery, ("forged", now, NOWHERE))
    }
}

impl Issuer {
    /// A token in another issuer's name. Where it names a key, that is at a canary of this one.
    pub fn forge(&self, forgery: &Forgery) -> Result<SecretString, Fault> {
        let shared = &self.shared;
        forge(&shared.keys, forgery, (&shared.run, shared.now(), &shared.bait()))
    }
}

fn forge(keys: &Keys, forgery: &Forgery, (run, now, bait): (&str, i64, &str)) -> Result<SecretString, Fault> {
    let minted = Minted {
        scopes: forgery.scopes.clone(),
        lifetime: Some(Period(Duration::from_secs(60))),
        flaw: Some(forgery.flaw),
        ..Minted::default()
    };
    let (issuer, audience) = (forgery.issuer.as_str(), forgery.audience.as_str());
    let (subject, client, kind) = (SUBJECT, "rehearsal", Kind::Access);
    let grant = Grant { issuer, subject, client, audience, run, now, bait, key: None, kind };
    let made = token::write(keys, &minted, grant)?.text;
    match (&forgery.key, forgery.flaw) {
        (Some(key), Flaw::HmacWithPublicKey) => under_text_of(key, &made),
        (Some(key), Flaw::ForeignKey) => {
            let (header, claims) = (named_after(key, &made)?, part(&made, 1)?);
            keys.signer()?.sign(Signing::Foreign, &header, &claims)
        }
        _ => Ok(made),
    }
    .map(SecretString::from)
}

/// A part of a token.
fn part(token: &str, number: usize) -> Result<Map<String, Value>, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap_or_default()).ok();
    let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or_else(|| broken("a token from its parts"))
}

/// The header of a token under the id of a public key.
fn named_after(key: &Value, token: &str) -> Result<Map<String, Value>, Fault> {
    let mut header = part(token, 0)?;
    match key.get("kid") {
        Some(kid) => drop(header.insert("kid".to_owned(), kid.clone())),
        None => drop(header.shift_remove("kid")),
    }
    Ok(header)
}

/// The same token under the id of a public key, with the text of that key as its secret.
fn under_text_of(key: &Value, token: &str) -> Result<String, Fault> {
    let wrong = || broken("a token from this public key");
    let number = |name: &str| {
        let text = key.get(name).and_then(Value::as_str).unwrap_or_default();
        URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())
    };
    let public = PublicKeyComponents { n: number("n")?, e: number("e")? };
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(&public).map_err(|_| wrong())?;
    let header = named_after(key, token)?;
    let claims = token.split('.').nth(1).unwrap_or_default();
    let message = format!("{}.{claims}", b64(Value::Object(header).to_string()));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, pem(der.as_ref()).as_bytes());
    Ok(format!("{message}.{}", b64(hmac::sign(&secret, message.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn forgery(flaw: Flaw, key: Option<Value>) -> Forgery {
        let (issuer, audience) = ("https://as.example".to_owned(), "https://mcp.example/mcp".to_owned());
        Forgery { flaw, issuer, audience, scopes: vec!["a".to_owned()], key }
    }

    fn read(token: &str, part: usize) -> Value {
        let part = token.split('.').nth(part).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_forged_token_speaks_for_the_issuer_it_names() {
        let forger = Forger::new().unwrap();
        let made = forger.forge(&forgery(Flaw::KeyUrl, None), 1000).unwrap();
        let (header, claims) = (read(made.expose_secret(), 0), read(made.expose_secret(), 1));
        assert_eq!(header["jku"], "https://keys.rehearsal.example/jku/jwks.json");
        assert_eq!(
            (claims["iss"].as_str(), claims["exp"].as_i64()),
            (Some("https://as.example"), Some(1060))
        );
        assert_eq!(claims["sub"], "rehearsal-canary");
    }

    #[test]
    fn a_public_key_becomes_a_secret() {
        let keys = Keys::generate("t", None).unwrap().jwks().unwrap();
        let key = keys["keys"][0].clone();
        let forger = Forger::new().unwrap();
        let made = forger.forge(&forgery(Flaw::HmacWithPublicKey, Some(key.clone())), 1000).unwrap();
        let header = read(made.expose_secret(), 0);
        assert_eq!((&header["alg"], &header["kid"]), (&"HS256".into(), &key["kid"]));
        let no_key = forgery(Flaw::HmacWithPublicKey, Some(serde_json::json!({"kty": "RSA"})));
        assert!(forger.forge(&no_key, 1000).is_err());
    }
}
