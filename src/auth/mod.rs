//! Spoofed identities: the loopback issuer, tokens with and without flaws, personas, auth checks.
//!
//! The harness is its own authority. The issuer lives on loopback with keys made for the run; what it signs is valid
//! for nobody else. Auth checks send requests and record them ([`checks`]); whether the target did right is decided
//! from the record alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::PersonaName;

pub mod answer;
pub mod bench;
pub mod challenge;
pub mod checks;
pub mod client;
pub mod discover;
mod facts;
mod flaw;
pub mod identity;
pub mod issuer;
mod keys;
mod machine;
mod minted;
pub mod prober;
mod step_up;

pub use bench::{Bench, BenchSetup};
pub use facts::{
    AskFact, CompleteFact, Facts, HandleFact, ObjectFact, ObjectId, OpenCall, RequestUse, ToolUse, WatchFact,
};
pub use flaw::Flaw;
pub use identity::{Authority, identity};
pub use issuer::Issuer;
pub(crate) use keys::{random_text, same};
pub use machine::{
    ClientCredentials, IdJag, IdProvider, Login, PrivateKeyJwt, RefreshToken, SecretAuth, Workload,
};
pub use minted::{Minted, ScopeClaim, SigningAlg, TokenFormat, TokenType};
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
