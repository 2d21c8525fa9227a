//! What each flaw does to claims, header and signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::Url;

use super::keys::{EMBEDDED_KID, Signer};
use super::token::Grant;
use crate::auth::Flaw;
use crate::auth::keys::b64;
use crate::transcript::Fault;

/// Spoils claims.
pub(super) fn claims(flaw: Flaw, claims: &mut Map<String, Value>, grant: Grant<'_>) {
    let audience = grant.audience;
    match flaw {
        // Removed in place so that the order of the others stays.
        Flaw::NoAudience => return drop(claims.shift_remove("aud")),
        Flaw::NoIssuer => return drop(claims.shift_remove("iss")),
        Flaw::NoExpiry => return drop(claims.shift_remove("exp")),
        Flaw::NoSubject => return drop(claims.shift_remove("sub")),
        Flaw::ScopeList => return listed(claims),
        _ => {}
    }
    let mut set = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    let mut expired = |ago: i64| {
        set("iat", json!(grant.now - ago - 300));
        set("exp", json!(grant.now - ago));
    };
    match flaw {
        Flaw::Expired => expired(3600),
        Flaw::Expired30s => expired(30),
        Flaw::Expired120s => expired(120),
        Flaw::Expired6m => expired(360),
        Flaw::NotYetValid => set("nbf", json!(grant.now + 3600)),
        Flaw::IssuedAhead => set("iat", json!(grant.now + 24 * 3600)),
        Flaw::WrongAudience => set("aud", json!("https://another-resource.example/mcp")),
        Flaw::LongerAudience => set("aud", json!(format!("{audience}-evil"))),
        Flaw::AudienceInQuery => set("aud", json!(format!("https://evil.example/?x={audience}"))),
        Flaw::AudienceOrigin => set("aud", json!(beside(audience, None))),
        Flaw::AudiencePath => set("aud", json!(beside(audience, Some("another-resource")))),
        Flaw::AudienceSlash => set("aud", json!(format!("{audience}/"))),
        Flaw::AudienceAmong => set("aud", json!(["https://another-resource.example/mcp", audience])),
        Flaw::AudienceList => {
            set("aud", json!(["https://another-resource.example/mcp", "https://third.example"]));
        }
        Flaw::UpstreamAudience => set("aud", json!(format!("{}/upstream", grant.bait))),
        Flaw::IdToken => {
            set("aud", json!(grant.client));
            set("nonce", json!("n-0S6_WzA2Mj"));
        }
        Flaw::IdJag => {
            set("aud", json!(grant.issuer));
            set("resource", json!(audience));
        }
        Flaw::IdJagForTarget => set("resource", json!(audience)),
        // The thumbprint of the example key in RFC 7638 section 3.1.
        Flaw::BoundToKey => set("cnf", json!({"jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"})),
        Flaw::WrongIssuer => set("iss", json!("https://another-issuer.example")),
        Flaw::IssuerSlash => set("iss", json!(format!("{}/", grant.issuer))),
        Flaw::IssuerSuffix => set("iss", json!(format!("{}.evil.example", grant.issuer))),
        Flaw::Big15Kb => set("padding", json!(padding(15))),
        Flaw::Big75Kb => set("padding", json!(padding(75))),
        Flaw::NoAudience
        | Flaw::NoIssuer
        | Flaw::NoExpiry
        | Flaw::NoSubject
        | Flaw::ScopeList
        | Flaw::BadSignature
        | Flaw::Tampered
        | Flaw::ForeignKey
        | Flaw::UnknownKid
        | Flaw::AlgNone
        | Flaw::HmacWithPublicKey
        | Flaw::EmbeddedKey
        | Flaw::KeyUrl
        | Flaw::CertificateUrl
        | Flaw::KidTraversal
        | Flaw::KidQuotes
        | Flaw::NoKid
        | Flaw::UnknownCritical => {}
    }
}

/// Every claim that can hold scopes as one text becomes a list.
fn listed(claims: &mut Map<String, Value>) {
    for name in ["scope", "scp"] {
        if let Some(Value::String(text)) = claims.get(name) {
            let list: Vec<&str> = text.split_ascii_whitespace().collect();
            let list = json!(list);
            claims.insert(name.to_owned(), list);
        }
    }
}

/// Another place on the origin of the target.
fn beside(audience: &str, path: Option<&str>) -> String {
    match Url::parse(audience) {
        Ok(url) => {
            let origin = url.origin().ascii_serialization();
            path.map_or(origin.clone(), |path| format!("{origin}/{path}"))
        }
        Err(_) => "https://another-resource.example".to_owned(),
    }
}

/// Base64 makes four characters of three, and what is there already takes about 700.
fn padding(kilobytes: usize) -> String {
    "x".repeat(kilobytes * 768 - 700)
}

/// Spoils the header.
pub(super) fn header(
    flaw: Flaw,
    header: &mut Map<String, Value>,
    signer: &Signer<'_>,
    grant: Grant<'_>,
) -> Result<(), Fault> {
    let mut set = |name: &str, value: Value| {
        header.insert(name.to_owned(), value);
    };
    match flaw {
        // Signed by a key outside the set as well: a `kid` alone is only a hint (RFC 7515 section 4.1.4).
        Flaw::UnknownKid => set("kid", json!("rehearsal-test-unknown")),
        Flaw::KidTraversal => set("kid", json!("../../../../../../dev/null")),
        Flaw::KidQuotes => set("kid", json!("' UNION SELECT 'x\" -- <>`;")),
        Flaw::EmbeddedKey => {
            set("kid", json!(EMBEDDED_KID));
            set("jwk", signer.foreign_jwk()?);
        }
        Flaw::KeyUrl => {
            set("kid", json!(EMBEDDED_KID));
            set("jku", json!(format!("{}/jku/jwks.json", grant.bait)));
        }
        Flaw::CertificateUrl => {
            set("kid", json!(EMBEDDED_KID));
            set("x5u", json!(format!("{}/x5u/chain.pem", grant.bait)));
        }
        Flaw::UnknownCritical => {
            set("crit", json!(["rehearsal-unknown"]));
            set("rehearsal-unknown", json!(true));
        }
        Flaw::IdToken => set("typ", json!("JWT")),
        Flaw::IdJag | Flaw::IdJagForTarget => set("typ", json!("oauth-id-jag+jwt")),
        Flaw::NoKid => drop(header.shift_remove("kid")),
        _ => {}
    }
    Ok(())
}

/// Turns over bits in the last bytes of the signature, so the text stays valid base64url.
pub(super) fn bend_signature(token: String) -> String {
    let Some((message, signature)) = token.rsplit_once('.') else { return token };
    let Ok(mut bytes) = URL_SAFE_NO_PAD.decode(signature) else { return token };
    for byte in bytes.iter_mut().rev().take(4) {
        *byte ^= 0x5a;
    }
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Makes an administrator of the subject and keeps the signature.
pub(super) fn swap_subject(token: &str, claims: &Map<String, Value>) -> String {
    let mut claims = claims.clone();
    claims.insert("sub".into(), "administrator".into());
    let mut parts = token.split('.');
    let header = parts.next().unwrap_or_default();
    let signature = parts.nth(1).unwrap_or_default();
    format!("{header}.{}.{signature}", b64(Value::Object(claims).to_string()))
}
