//! What a persona says about the tokens that the embedded issuer mints for it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Flaw;
use crate::units::Period;

/// The claims of a minted token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Minted {
    /// `sub`; the persona's name when absent.
    #[serde(default)]
    pub subject: Option<String>,
    /// Scopes, sent as one space-separated `scope` claim unless `scope_claim` says otherwise.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Further claims, e.g. `roles: [clerk]`.
    #[serde(default)]
    pub claims: BTreeMap<String, Value>,
    /// How long a token lives. Default 5m, at most 5m.
    #[serde(default)]
    pub lifetime: Option<Period>,
    /// Further scopes that it may get when the target refuses a request for want of them: the request is sent once more
    /// with the scopes it has and those that the challenge names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_up: Vec<String>,
    /// Exactly one thing wrong with the token, for a persona that must be refused.
    #[serde(default)]
    pub flaw: Option<Flaw>,
    /// How the token is signed. Default `RS256`.
    #[serde(default)]
    pub algorithm: SigningAlg,
    /// Which claim holds the scopes. Default `scope`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scope_claim: ScopeClaim,
    /// `typ` in the header. Default `at+jwt` (RFC 9068).
    #[serde(default, skip_serializing_if = "is_default")]
    pub typ: TokenType,
    /// A token that says something by itself, or one that only introspection explains. Default `jwt`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: TokenFormat,
}

// Absent defaults keep the identity of cases whose personas say nothing about them.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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

/// Where a token keeps its scopes; issuers differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeClaim {
    /// `scope`, one text with spaces (RFC 9068, RFC 8693).
    #[default]
    Scope,
    /// `scp`, a list, as Okta writes it.
    Scp,
    /// `scp`, one text with spaces, as Entra ID writes it.
    ScpText,
    /// `permissions`, a list, as Auth0 writes it.
    Permissions,
    /// `roles`, a list, as Entra ID writes the roles of applications.
    Roles,
}

impl ScopeClaim {
    /// The claim's name and value.
    pub fn of(self, scopes: &[String]) -> (&'static str, Value) {
        let (text, list) = (|| Value::from(scopes.join(" ")), || Value::from(scopes.to_vec()));
        match self {
            Self::Scope => ("scope", text()),
            Self::Scp => ("scp", list()),
            Self::ScpText => ("scp", text()),
            Self::Permissions => ("permissions", list()),
            Self::Roles => ("roles", list()),
        }
    }
}

/// `typ` of a token's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TokenType {
    /// An access token (RFC 9068 section 2.1).
    #[default]
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// Any JWT: what many issuers still write.
    #[serde(rename = "JWT")]
    Jwt,
}

impl TokenType {
    /// The value of the header.
    pub fn text(self) -> &'static str {
        match self {
            Self::AtJwt => "at+jwt",
            Self::Jwt => "JWT",
        }
    }
}

/// What an access token looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A signed JWT.
    #[default]
    Jwt,
    /// Random text: the target asks the issuer what it means (RFC 7662).
    Opaque,
}
