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
    /// `scope` as it was written.
    pub(crate) written: String,
    /// `jti`: the token itself, as far as that may be kept.
    pub(crate) token: String,
}

impl User {
    /// Nobody in particular, who may only read: what a flaw makes of somebody without a token.
    pub(crate) fn nobody() -> Self {
        Self::of(&serde_json::json!({"scope": "mcp:read"}))
    }

    /// The user of verified claims.
    pub(crate) fn of(claims: &Value) -> Self {
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let written = text("scope");
        let scopes = written.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        Self { subject: text("sub"), scopes, written, token: text("jti") }
    }
}
