//! The flaws that a minted token can have, by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exactly one thing odd about an otherwise good token (PROTOCOL checklist group D). Most must be refused; those that
/// need not be say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// `exp` one hour ago.
    Expired,
    /// `exp` 30 seconds ago; a server with some leeway accepts it.
    #[serde(rename = "expired_30s")]
    Expired30s,
    /// `exp` two minutes ago; a server with a wide leeway accepts it.
    #[serde(rename = "expired_120s")]
    Expired120s,
    /// `exp` six minutes ago; a server that accepts it has more leeway than clocks ask for.
    #[serde(rename = "expired_6m")]
    Expired6m,
    /// `nbf` one hour ahead.
    NotYetValid,
    /// No `exp` (RFC 9068 section 2.2 requires one, MCP does not).
    NoExpiry,
    /// `aud` names another resource of the same issuer.
    WrongAudience,
    /// No `aud`.
    NoAudience,
    /// `iss` names somebody else.
    WrongIssuer,
    /// The last signature bytes are changed.
    BadSignature,
    /// The payload is changed after signing.
    Tampered,
    /// Signed by another key under the same `kid`.
    ForeignKey,
    /// A `kid` that the JWKS does not list.
    UnknownKid,
    /// `alg: none`, no signature (RFC 8725 section 3.1).
    AlgNone,
    /// HS256 with the public key's PEM text as the secret (RFC 8725 section 2.1).
    HmacWithPublicKey,
    /// Signed by a key that the token itself brings along as `jwk` (RFC 8725 section 3.5).
    EmbeddedKey,
    /// Signed by a key whose set `jku` names: the canary `jku` of the issuer.
    KeyUrl,
    /// Signed by a key whose certificate `x5u` names: the canary `x5u` of the issuer.
    CertificateUrl,
    /// A `kid` that climbs out of a folder.
    KidTraversal,
    /// A `kid` with the quotes of an SQL injection.
    KidQuotes,
    /// `crit` names an extension nobody knows (RFC 7515 section 4.1.11).
    UnknownCritical,
    /// No `iss`.
    NoIssuer,
    /// `iss` with a slash at the end (RFC 9068 section 4 compares exactly).
    IssuerSlash,
    /// `iss` goes on with `.evil.example`: prefix matching accepts it.
    IssuerSuffix,
    /// `aud` begins with the target's URL and goes on: substring matching accepts it.
    LongerAudience,
    /// `aud` is another site with the target's URL in its query: substring matching accepts it.
    AudienceInQuery,
    /// `aud` is the origin of the target without its path.
    AudienceOrigin,
    /// `aud` is another path on the origin of the target.
    AudiencePath,
    /// `aud` is the target's URL with a slash more; servers may ignore that.
    AudienceSlash,
    /// `aud` is a list that holds the target: a good token (RFC 7519 section 4.1.3).
    AudienceAmong,
    /// `aud` is a list that does not hold the target.
    AudienceList,
    /// `aud` is the service that the target itself calls: the canary `upstream` of the issuer.
    UpstreamAudience,
    /// The shape of an ID token: `aud` is the client id, and there is a `nonce`.
    IdToken,
    /// An identity assertion (`typ: oauth-id-jag+jwt`) for the issuer.
    IdJag,
    /// An identity assertion whose `aud` is the target; few servers look at `typ`.
    IdJagForTarget,
    /// Bound to a DPoP key (`cnf.jkt`) and sent without a proof; a server without DPoP accepts it.
    BoundToKey,
    /// `iat` one day ahead; servers need not look at it.
    IssuedAhead,
    /// No `sub`; servers that know no users accept it.
    NoSubject,
    /// No `kid`; servers may try every key.
    NoKid,
    /// The scopes as a JSON list; no server should break on it.
    ScopeList,
    /// 15 KB long; within what most servers take.
    #[serde(rename = "big_15kb")]
    Big15Kb,
    /// 75 KB long; more than many servers take.
    #[serde(rename = "big_75kb")]
    Big75Kb,
}

impl Flaw {
    /// Every flaw, in the order of the checklist.
    pub const ALL: [Self; 42] = [
        Self::Expired,
        Self::Expired30s,
        Self::Expired120s,
        Self::Expired6m,
        Self::NotYetValid,
        Self::NoExpiry,
        Self::WrongAudience,
        Self::NoAudience,
        Self::WrongIssuer,
        Self::BadSignature,
        Self::Tampered,
        Self::ForeignKey,
        Self::UnknownKid,
        Self::AlgNone,
        Self::HmacWithPublicKey,
        Self::EmbeddedKey,
        Self::KeyUrl,
        Self::CertificateUrl,
        Self::KidTraversal,
        Self::KidQuotes,
        Self::UnknownCritical,
        Self::NoIssuer,
        Self::IssuerSlash,
        Self::IssuerSuffix,
        Self::LongerAudience,
        Self::AudienceInQuery,
        Self::AudienceOrigin,
        Self::AudiencePath,
        Self::AudienceSlash,
        Self::AudienceAmong,
        Self::AudienceList,
        Self::UpstreamAudience,
        Self::IdToken,
        Self::IdJag,
        Self::IdJagForTarget,
        Self::BoundToKey,
        Self::IssuedAhead,
        Self::NoSubject,
        Self::NoKid,
        Self::ScopeList,
        Self::Big15Kb,
        Self::Big75Kb,
    ];

    /// Whether the oddity is in the claims, so that introspection shows it as well as a JWT does. The others are about
    /// issuer, header or signature; of those the issuer only stands by the token without `kid` when somebody asks.
    pub fn is_claim(self) -> bool {
        match self {
            Self::Expired
            | Self::Expired30s
            | Self::Expired120s
            | Self::Expired6m
            | Self::NotYetValid
            | Self::NoExpiry
            | Self::WrongAudience
            | Self::NoAudience
            | Self::LongerAudience
            | Self::AudienceInQuery
            | Self::AudienceOrigin
            | Self::AudiencePath
            | Self::AudienceSlash
            | Self::AudienceAmong
            | Self::AudienceList
            | Self::UpstreamAudience
            | Self::BoundToKey
            | Self::IssuedAhead
            | Self::NoSubject
            | Self::ScopeList
            | Self::Big15Kb
            | Self::Big75Kb => true,
            Self::WrongIssuer
            | Self::NoIssuer
            | Self::IssuerSlash
            | Self::IssuerSuffix
            | Self::BadSignature
            | Self::Tampered
            | Self::ForeignKey
            | Self::UnknownKid
            | Self::AlgNone
            | Self::HmacWithPublicKey
            | Self::EmbeddedKey
            | Self::KeyUrl
            | Self::CertificateUrl
            | Self::KidTraversal
            | Self::KidQuotes
            | Self::UnknownCritical
            | Self::IdToken
            | Self::IdJag
            | Self::IdJagForTarget
            | Self::NoKid => false,
        }
    }
}
