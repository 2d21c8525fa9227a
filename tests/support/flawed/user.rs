//! Whoever a token speaks for.

use std::collections::BTreeSet;

use serde_json::Value;

/// Somebody who was let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    /// `sub`; empty for somebody without a token.
    pub(crate) subject: String,
    /// What the token allows.
    pub(crate) scopes: BTreeSet<String>,
    /// `jti`: the token itself, as far as that may be kept.
    pub(crate) token: String,
}

impl User {
    /// Nobody in particular, who may only read: what a flaw makes of somebody without a token.
    pub(crate) fn nobody() -> Self {
        Self { subject: String::new(), scopes: ["mcp:read".to_owned()].into(), token: String::new() }
    }

    /// The user of verified claims.
    pub(crate) fn of(claims: &Value) -> Self {
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let scopes = text("scope").split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        Self { subject: text("sub"), scopes, token: text("jti") }
    }
}
