//! Spoofed identities: the loopback issuer, tokens with and without flaws, personas, auth checks.
//!
//! The harness is its own authority. The issuer lives on loopback with keys made for the run; what it signs is valid
//! for nobody else. Auth checks send requests and record them ([`checks`]); whether the target did right is decided
//! from the record alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::PersonaName;
use crate::units::Period;

pub mod answer;
pub mod challenge;
pub mod checks;
pub mod client;
pub mod discover;
mod facts;
mod grants;
pub mod identity;
pub mod issuer;
mod keys;
mod machine;
pub mod prober;
pub mod token;

pub use facts::{Facts, ToolUse};
pub use identity::{Authority, identity};
pub use issuer::Issuer;
pub use machine::{
    ClientCredentials, IdJag, IdProvider, Login, PrivateKeyJwt, RefreshToken, SecretAuth, Workload,
};
pub use prober::{Figure, ProbeSetup, Prober};

/// A spoofed identity, as a file in `evals/personas` or a suite describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// The name suites use. Defaults to the file stem.
    #[serde(default = "unnamed")]
    pub name: PersonaName,
    /// Who this is.
    #[serde(default)]
    pub description: String,
    /// How the identity is obtained.
    pub identity: IdentitySpec,
}

fn unnamed() -> PersonaName {
    PersonaName::from("")
}

/// How an identity is obtained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IdentitySpec {
    /// No credentials at all.
    Anonymous,
    /// A token from the embedded issuer.
    Minted(Minted),
    /// A bearer token from a declared environment variable.
    Bearer(FromEnv),
    /// A header with a value from a declared environment variable, e.g. an API key.
    Header(HeaderFromEnv),
    /// Tokens that `rehearsal login` has stored for the target.
    Login(Login),
    /// A client with a secret: the client credentials grant.
    ClientCredentials(ClientCredentials),
    /// A client with a private key: the client credentials grant with a signed assertion.
    PrivateKeyJwt(PrivateKeyJwt),
    /// A refresh token obtained elsewhere.
    RefreshToken(RefreshToken),
    /// A person whom an identity provider vouches for (enterprise-managed authorization).
    IdJag(IdJag),
    /// A workload that shows its platform's own token.
    Workload(Workload),
}

/// The claims of a minted token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Minted {
    /// `sub`; the persona's name when absent.
    #[serde(default)]
    pub subject: Option<String>,
    /// Scopes, sent as one space-separated `scope` claim.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Further claims, e.g. `roles: [clerk]`.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// How long a token lives. Default 5m, at most 5m.
    #[serde(default)]
    pub lifetime: Option<Period>,
    /// Exactly one thing wrong with the token, for a persona that must be refused.
    #[serde(default)]
    pub flaw: Option<Flaw>,
    /// How the token is signed. Default `RS256`.
    #[serde(default)]
    pub algorithm: SigningAlg,
}

/// A signature algorithm of the embedded issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SigningAlg {
    /// RSA PKCS #1 v1.5 with SHA-256: what every resource server accepts.
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

/// A credential in a declared environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    /// The variable; the suite declares it under `env:`.
    pub env: String,
}

/// A header whose value is in a declared environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderFromEnv {
    /// The header's name.
    pub name: String,
    /// The variable; the suite declares it under `env:`.
    pub env: String,
}

/// Exactly one thing wrong with an otherwise good token (PROTOCOL checklist group D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// `exp` one hour ago.
    Expired,
    /// `nbf` one hour ahead.
    NotYetValid,
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
    /// `crit` names an extension nobody knows (RFC 7515 section 4.1.11).
    UnknownCritical,
    /// No `iss`.
    NoIssuer,
    /// `iss` with a slash at the end (RFC 9068 section 4 compares exactly).
    IssuerSlash,
    /// `aud` begins with the target's URL and goes on: substring matching accepts it.
    LongerAudience,
    /// `aud` is a list that does not hold the target.
    AudienceList,
    /// The shape of an ID token: `aud` is the client id, and there is a `nonce`.
    IdToken,
}

impl Flaw {
    /// Every flaw, in the order of the checklist.
    pub const ALL: [Self; 18] = [
        Self::Expired,
        Self::NotYetValid,
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
        Self::UnknownCritical,
        Self::NoIssuer,
        Self::IssuerSlash,
        Self::LongerAudience,
        Self::AudienceList,
        Self::IdToken,
    ];
}
