//! What a check needs before it can run.

use super::challenge::is_loopback;
use crate::auth::{Bench, Figure, IdentitySpec, Prober};

/// What a check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Needs {
    /// A persona that the target lets in, from any source.
    GoodToken,
    /// The same, known by a bearer token, to be put where it does not belong.
    BearerToken,
    /// No proxy before the target: the probe writes bytes that a proxy would not pass on as they are.
    Direct,
    /// An address of this machine that others may reach.
    OutwardAddress,
    /// Two different personas that the target lets in.
    TwoPersonas,
    /// A persona that may do less than the first.
    WeakerPersona,
    /// A target on loopback.
    LoopbackTarget,
    /// A target over https.
    HttpsTarget,
    /// A persona with a minted token, and a target that trusts the embedded issuer.
    TrustedIssuer,
    /// Scopes in that token, to leave out.
    Scopes,
    /// A target that asks the embedded issuer about every token (RFC 7662).
    Introspection,
    /// A fact about the target that no probe can guess, under `auth_checks.facts` of the suite.
    Fact(&'static str),
    /// A fact that takes the question away, and that the suite does not state.
    Without(&'static str),
    /// Nobody else asking: the check changes what other checks rely on.
    Alone,
    /// A target over standard streams.
    Stdio,
}

impl Needs {
    /// Whether a prober has it.
    pub fn met(self, prober: &Prober) -> bool {
        match self {
            Self::GoodToken => prober.has_persona(),
            Self::BearerToken => prober.has_bearer(),
            Self::Direct => prober.is_direct(),
            Self::OutwardAddress => prober.outward().is_some(),
            Self::TwoPersonas => prober.has_persona() && prober.has_other(),
            Self::WeakerPersona => prober.has_weaker(),
            Self::LoopbackTarget => is_loopback(prober.target()),
            Self::HttpsTarget => prober.target().scheme() == "https",
            Self::TrustedIssuer => prober.minted().is_some(),
            Self::Scopes => prober.minted().is_some_and(|(_, minted)| !minted.scopes.is_empty()),
            Self::Introspection => prober.facts().introspection && prober.minted().is_some(),
            Self::Fact(key) => prober.facts().has(key),
            Self::Without(key) => !prober.facts().has(key),
            Self::Alone => true,
            // A prober speaks HTTP.
            Self::Stdio => false,
        }
    }

    /// Whether a bench has it.
    pub fn met_on(self, bench: &Bench) -> bool {
        let given = |figure: Option<&Figure>| {
            figure.is_some_and(|one| one.persona.identity != IdentitySpec::Anonymous)
        };
        match self {
            Self::Stdio | Self::Alone => true,
            Self::GoodToken => given(bench.control()),
            Self::TwoPersonas => given(bench.control()) && given(bench.other()),
            Self::Fact(key) => bench.facts().has(key),
            Self::Without(key) => !bench.facts().has(key),
            _ => false,
        }
    }

    /// How the identity is spoofed for it: the mode of the project's checklist. `-`: not at all.
    pub fn spoof(self) -> &'static str {
        match self {
            Self::GoodToken | Self::BearerToken => "any",
            Self::TwoPersonas | Self::WeakerPersona => "P2",
            Self::TrustedIssuer | Self::Scopes => "M1",
            Self::Introspection => "M3",
            Self::Stdio => "M6",
            Self::LoopbackTarget
            | Self::HttpsTarget
            | Self::Direct
            | Self::OutwardAddress
            | Self::Fact(_)
            | Self::Without(_)
            | Self::Alone => "-",
        }
    }
}

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::GoodToken => f.write_str("a persona with credentials that the target accepts"),
            Self::BearerToken => f.write_str("a persona with a bearer token that the target accepts"),
            Self::Direct => f.write_str("no proxy before the target"),
            Self::OutwardAddress => f.write_str("an address of this machine that is not loopback"),
            Self::TwoPersonas => f.write_str("two personas with credentials that the target accepts"),
            Self::WeakerPersona => f.write_str("a weaker persona (`auth_checks.weaker`)"),
            Self::LoopbackTarget => f.write_str("a target on loopback"),
            Self::HttpsTarget => f.write_str("a target over https"),
            Self::TrustedIssuer => {
                f.write_str("a persona with a minted token, and a target that trusts the embedded issuer")
            }
            Self::Scopes => f.write_str("a minted token with scopes"),
            Self::Introspection => {
                f.write_str("a target that introspects tokens (`auth_checks.facts.introspection`)")
            }
            Self::Fact(key) => write!(f, "`auth_checks.facts.{key}` in the suite"),
            Self::Without(key) => write!(f, "a suite that does not say `auth_checks.facts.{key}`"),
            Self::Alone => f.write_str("nobody else asking"),
            Self::Stdio => f.write_str("a target over standard streams"),
        }
    }
}
