//! A persona's claims become a signed access token: a good one, or one with exactly one flaw.
//!
//! The shape is that of RFC 9068, so that a strict resource server accepts it. Every token names loopback or a
//! reserved domain as its issuer, lives five minutes at most, and carries the id of the run. Nothing here keeps or
//! sends tokens.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::keys::{Keys, Signing};
use super::{Flaw, Minted, SigningAlg};
use crate::transcript::{Fault, Side};

/// The longest life of a minted token.
pub const LONGEST: Duration = Duration::from_secs(300);

/// Claims that a persona may not set: they are what makes a token a good one.
const RESERVED: [&str; 8] = ["iss", "aud", "iat", "nbf", "exp", "jti", "sub", "rehearsal_run"];

/// Everything but the persona's own wishes that goes into a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant<'a> {
    /// `iss`.
    pub(super) issuer: &'a str,
    /// `sub` when the persona names none; also `client_id`.
    pub(super) subject: &'a str,
    /// `aud`.
    pub(super) audience: &'a str,
    /// The id of the run.
    pub(super) run: &'a str,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// How long a token of this persona lives.
pub(super) fn lifetime(minted: &Minted) -> Result<Duration, Fault> {
    let life = minted.lifetime.map_or(LONGEST, |period| period.0);
    if life > LONGEST || life < Duration::from_secs(1) {
        let text = format!("a minted token lives between 1s and 5m, not {}s", life.as_secs());
        return Err(Fault::new(Side::Harness, "persona.lifetime", text));
    }
    Ok(life)
}

/// The compact form of a token.
pub(super) fn write(keys: &Keys, minted: &Minted, grant: Grant<'_>) -> Result<String, Fault> {
    let mut claims = claims(minted, grant)?;
    let signing = signing(minted);
    let mut header = Map::new();
    header.insert("alg".into(), signing.alg().into());
    header.insert("typ".into(), "at+jwt".into());
    header.insert("kid".into(), keys.kid(signing).into());
    if let Some(flaw) = minted.flaw {
        spoil_claims(flaw, &mut claims, grant);
        spoil_header(flaw, &mut header, keys)?;
    }
    let token = keys.sign(signing, &header, &claims)?;
    match minted.flaw {
        Some(Flaw::BadSignature) => Ok(bend_signature(token)),
        Some(Flaw::Tampered) => {
            claims.insert("sub".into(), "administrator".into());
            Ok(swap_claims(&token, &claims))
        }
        _ => Ok(token),
    }
}

fn claims(minted: &Minted, grant: Grant<'_>) -> Result<Map<String, Value>, Fault> {
    if let Some(name) = minted.claims.keys().find(|name| RESERVED.contains(&name.as_str())) {
        let text = format!("a persona cannot set the claim `{name}`; the issuer does");
        return Err(Fault::new(Side::Harness, "persona.reserved-claim", text));
    }
    let life = i64::try_from(lifetime(minted)?.as_secs()).unwrap_or(300);
    let mut claims = Map::new();
    claims.insert("iss".into(), grant.issuer.into());
    claims.insert("sub".into(), minted.subject.as_deref().unwrap_or(grant.subject).into());
    claims.insert("aud".into(), grant.audience.into());
    claims.insert("client_id".into(), "rehearsal".into());
    claims.insert("scope".into(), minted.scopes.join(" ").into());
    claims.insert("iat".into(), grant.now.into());
    claims.insert("exp".into(), (grant.now + life).into());
    claims.insert("jti".into(), uuid::Uuid::now_v7().to_string().into());
    claims.insert("rehearsal_run".into(), grant.run.into());
    claims.extend(minted.claims.iter().map(|(name, value)| (name.clone(), value.clone())));
    Ok(claims)
}

fn signing(minted: &Minted) -> Signing {
    match minted.flaw {
        Some(Flaw::ForeignKey | Flaw::UnknownKid | Flaw::EmbeddedKey) => Signing::Foreign,
        Some(Flaw::AlgNone) => Signing::Unsigned,
        Some(Flaw::HmacWithPublicKey) => Signing::HmacPublic,
        _ => match minted.algorithm {
            SigningAlg::Rs256 => Signing::Rs256,
            SigningAlg::Es256 => Signing::Es256,
        },
    }
}

fn spoil_claims(flaw: Flaw, claims: &mut Map<String, Value>, grant: Grant<'_>) {
    let mut set = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    match flaw {
        Flaw::Expired => {
            set("iat", json!(grant.now - 3900));
            set("exp", json!(grant.now - 3600));
        }
        Flaw::NotYetValid => set("nbf", json!(grant.now + 3600)),
        Flaw::WrongAudience => set("aud", json!("https://another-resource.example/mcp")),
        Flaw::LongerAudience => set("aud", json!(format!("{}-evil", grant.audience))),
        Flaw::AudienceList => {
            set("aud", json!(["https://another-resource.example/mcp", "https://third.example"]));
        }
        Flaw::IdToken => {
            set("aud", json!("rehearsal"));
            set("nonce", json!("n-0S6_WzA2Mj"));
        }
        Flaw::WrongIssuer => set("iss", json!("https://another-issuer.example")),
        Flaw::IssuerSlash => set("iss", json!(format!("{}/", grant.issuer))),
        // Removed in place so that the order of the others stays.
        Flaw::NoAudience => drop(claims.shift_remove("aud")),
        Flaw::NoIssuer => drop(claims.shift_remove("iss")),
        Flaw::BadSignature
        | Flaw::Tampered
        | Flaw::ForeignKey
        | Flaw::UnknownKid
        | Flaw::AlgNone
        | Flaw::HmacWithPublicKey
        | Flaw::EmbeddedKey
        | Flaw::UnknownCritical => {}
    }
}

fn spoil_header(flaw: Flaw, header: &mut Map<String, Value>, keys: &Keys) -> Result<(), Fault> {
    match flaw {
        // Signed by a key outside the set as well: a `kid` alone is only a hint (RFC 7515 section 4.1.4).
        Flaw::UnknownKid => {
            header.insert("kid".into(), "rehearsal-test-unknown".into());
        }
        Flaw::EmbeddedKey => {
            header.insert("kid".into(), "rehearsal-test-embedded".into());
            header.insert("jwk".into(), keys.foreign_jwk()?);
        }
        Flaw::UnknownCritical => {
            header.insert("crit".into(), json!(["rehearsal-unknown"]));
            header.insert("rehearsal-unknown".into(), json!(true));
        }
        Flaw::IdToken => {
            header.insert("typ".into(), "JWT".into());
        }
        _ => {}
    }
    Ok(())
}

/// Turns over bits in the last bytes of the signature, so the text stays valid base64url.
fn bend_signature(token: String) -> String {
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let Some((message, signature)) = token.rsplit_once('.') else { return token };
    let Ok(mut bytes) = engine.decode(signature) else { return token };
    for byte in bytes.iter_mut().rev().take(4) {
        *byte ^= 0x5a;
    }
    format!("{message}.{}", engine.encode(bytes))
}

fn swap_claims(token: &str, claims: &Map<String, Value>) -> String {
    let mut parts = token.split('.');
    let header = parts.next().unwrap_or_default();
    let signature = parts.nth(1).unwrap_or_default();
    format!("{header}.{}.{signature}", super::keys::b64(Value::Object(claims.clone()).to_string()))
}
