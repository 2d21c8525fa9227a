//! The protocol revisions this client speaks, and what differs between them on the wire.

/// One revision with a handshake.
#[derive(Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its date, as the handshake writes it.
    pub name: &'static str,
    /// Whether `MCP-Protocol-Version` is sent with every HTTP request after the handshake (since 2025-06-18).
    pub version_header: bool,
}

/// Every revision that may come back from `initialize`, newest first.
pub const REVISIONS: &[Revision] = &[
    Revision { name: "2025-11-25", version_header: true },
    Revision { name: "2025-06-18", version_header: true },
    Revision { name: "2025-03-26", version_header: false },
    Revision { name: "2024-11-05", version_header: false },
];

/// The revision of a date, if this client speaks it.
pub fn find(name: &str) -> Option<&'static Revision> {
    REVISIONS.iter().find(|revision| revision.name == name)
}
