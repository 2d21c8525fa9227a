//! The protocol revisions this client speaks, and what differs between them on the wire.

use serde_json::Value;

/// How a revision begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// With a handshake (`initialize`), which binds a session. Up to 2025-11-25.
    Legacy,
    /// Without: every request says who asks and in which revision. Since 2026-07-28.
    Modern,
}

/// One revision.
#[derive(Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its date, as the wire writes it.
    pub name: &'static str,
    /// How it begins.
    pub era: Era,
    /// Whether `MCP-Protocol-Version` is sent with every HTTP request: after the handshake since 2025-06-18, with every
    /// POST since 2026-07-28.
    pub version_header: bool,
}

/// Every revision this client speaks, newest first.
pub const REVISIONS: &[Revision] = &[
    Revision { name: "2026-07-28", era: Era::Modern, version_header: true },
    Revision { name: "2025-11-25", era: Era::Legacy, version_header: true },
    Revision { name: "2025-06-18", era: Era::Legacy, version_header: true },
    Revision { name: "2025-03-26", era: Era::Legacy, version_header: false },
    Revision { name: "2024-11-05", era: Era::Legacy, version_header: false },
];

/// The same without the header, for clients that never send it.
const SILENT: &[Revision] = &[
    Revision { name: "2025-11-25", era: Era::Legacy, version_header: false },
    Revision { name: "2025-06-18", era: Era::Legacy, version_header: false },
];

/// A revision as a client speaks it that does not send `MCP-Protocol-Version`.
pub fn silent(revision: &'static Revision) -> &'static Revision {
    SILENT.iter().find(|silent| silent.name == revision.name).unwrap_or(revision)
}

/// The revision that is tried first when the choice is free.
pub const MODERN: &Revision = &REVISIONS[0];

/// The revision that `initialize` offers when the choice is free.
pub const NEWEST_LEGACY: &Revision = &REVISIONS[1];

/// The revision of a date, if this client speaks it.
pub fn find(name: &str) -> Option<&'static Revision> {
    REVISIONS.iter().find(|revision| revision.name == name)
}

/// The newest revision of an era that a server lists too.
pub fn best(listed: &[String], era: Era) -> Option<&'static Revision> {
    REVISIONS.iter().find(|revision| revision.era == era && listed.iter().any(|name| name == revision.name))
}

/// The texts of a JSON array; what is no text in it is left out.
pub fn listed(value: Option<&Value>) -> Option<Vec<String>> {
    let items = value?.as_array()?.iter();
    Some(items.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// Which revision is spoken with a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The newest that both sides speak; found out by asking (`protocol: auto`).
    #[default]
    Auto,
    /// This one and no other. A server that does not speak it gives a fault.
    Pinned(&'static Revision),
}

impl Choice {
    /// The choice that `auto` or a date names.
    pub fn named(name: &str) -> Option<Self> {
        if name == "auto" { Some(Self::Auto) } else { find(name).map(Self::Pinned) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_named_by_date() {
        assert_eq!(Choice::named("auto"), Some(Choice::Auto));
        assert_eq!(Choice::named("2026-07-28"), Some(Choice::Pinned(MODERN)));
        assert_eq!(Choice::named("2025-11-25"), Some(Choice::Pinned(NEWEST_LEGACY)));
        assert_eq!(Choice::named("2027-01-01"), None);
    }

    #[test]
    fn the_best_is_the_newest_of_its_era() {
        let listed = ["2024-11-05", "2026-07-28", "2025-06-18", "2099-01-01"].map(str::to_owned);
        assert_eq!(best(&listed, Era::Legacy).map(|revision| revision.name), Some("2025-06-18"));
        assert_eq!(best(&listed, Era::Modern), Some(MODERN));
        assert_eq!(best(&["2099-01-01".to_owned()], Era::Modern), None);
    }
}
