//! Changes of a token's life that a row of the access matrix may name in place of a persona.

/// What can become of a persona's tokens inside a session, besides the rights of another persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The issuer takes the token in use back (RFC 7009). Only a server that asks the issuer learns of it.
    Revoked,
    /// The next token is signed by a key that is new to everybody.
    Rotated,
}

impl Change {
    /// The words for them under `becomes`, where a suite has no persona of that name.
    pub const NAMES: [(&str, Self); 2] = [("revoked", Self::Revoked), ("rotated", Self::Rotated)];

    /// The change of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, change)| *change)
    }
}
