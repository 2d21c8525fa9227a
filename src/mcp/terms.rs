//! On which terms a session is opened: what the client says of itself, and how long it waits.
//!
//! Computed once per session from the client profile and from what the suite pins.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::ClientProfile;
use super::profile::{ConnectStep, ListKind, Pages, ParamHeaders, Quirk, SessionUse, VersionHeader, Wire};
use super::revision::{self, Choice, Era, MODERN, NEWEST_LEGACY, Revision};
use super::steps::Steps;

/// The extension for long work of 2026-07-28.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// How patient the client is with a server whose era it does not know yet.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a stdio server may be silent on `server/discover`. 3 s, as measured of a common client.
    pub silence: Duration,
    /// How long a busy server is left alone: this long the first time, four times as long the second.
    pub busy: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { silence: Duration::from_secs(3), busy: Duration::from_millis(250) }
    }
}

/// What a session is carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Requests with headers.
    Http,
    /// Lines of text.
    Stdio,
}

impl Over {
    /// The wire layer of a client over this.
    pub(super) fn wire(self, profile: &ClientProfile) -> Wire {
        match self {
            Self::Http => profile.wire.clone(),
            Self::Stdio => profile.wire.over_stdio(),
        }
    }
}

/// See the module.
#[derive(Clone)]
pub(super) struct Terms {
    pub choice: Choice,
    /// Whether the suite asks for the choice; a profile's older revision is an offer that a server may lower.
    pub strict: bool,
    /// What `initialize` offers.
    pub offered: &'static Revision,
    pub info: Value,
    pub capabilities: Map<String, Value>,
    pub log_level: Option<String>,
    /// Whether arguments are repeated in headers where tools ask for it.
    pub mirrors: bool,
    /// What `MCP-Protocol-Version` says where `_meta` says the revision; `None` for no header.
    pub version_header: Option<&'static str>,
    /// Whether a process that ends on the question about its era is started again.
    pub respawns: bool,
    /// What a session over HTTP shows of the client with every request.
    pub headers: Vec<(String, String)>,
    /// The id of the first request.
    pub first_id: u64,
    /// Whether a GET stream is opened after a handshake.
    pub listens: bool,
    /// Whether a session is ended with a farewell.
    pub parts: bool,
    /// What `_meta` of a call holds besides the protocol's own; `None` for a progress token.
    pub call_meta: Option<Vec<String>>,
    /// First messages of the older era.
    pub legacy_steps: Steps,
    /// First messages of the modern era.
    pub modern_steps: Steps,
    /// The text that stands for the id of the question about the era, if one does.
    pub probe_id: Option<String>,
    /// The text that stands for the id of the first subscription, if one does.
    pub listen_id: Option<String>,
    /// Whether lists are read no further than their first page.
    pub first_page: bool,
    /// Whether the list of tools is asked for again when the server says that it changed.
    pub relists: bool,
    /// Whether every call has a session of its own, where there are sessions.
    pub per_call: bool,
    /// Whether the profile says of itself that it opens a GET stream, and so does it with every session.
    pub insists: bool,
    /// What `MCP-Protocol-Version` says when documents of authorization are fetched; `None` for no header.
    pub discovery_version: Option<&'static str>,
    pub quirks: BTreeSet<Quirk>,
    /// Deadline of each step of the opening.
    pub open: Duration,
    /// Deadline of a request without a sign of progress.
    pub call: Duration,
    pub pace: Pace,
}

impl Terms {
    /// The suite's pin goes before the profile's wish, and that before the free choice.
    pub(super) fn of(profile: &ClientProfile, over: Over, (pin, pace): (Choice, Pace)) -> Self {
        let wire = over.wire(profile);
        let strict = pin != Choice::Auto;
        let wish = Choice::named(wire.protocol().as_str()).unwrap_or_default();
        let choice = if strict { pin } else { wish };
        let older = revision::find(wire.offered().as_str()).filter(|offer| offer.era == Era::Legacy);
        let probe = wire.probe.as_ref();
        Self {
            choice,
            strict,
            offered: older.unwrap_or(NEWEST_LEGACY),
            info: serde_json::to_value(wire.client_info()).unwrap_or_default(),
            capabilities: wire.capabilities(),
            log_level: wire.log_level.clone(),
            mirrors: wire.param_headers != Some(ParamHeaders::Ignored),
            version_header: match wire.version_header {
                None | Some(VersionHeader::Sent) => Some(MODERN.name),
                Some(VersionHeader::Stale) => Some(older.unwrap_or(NEWEST_LEGACY).name),
                Some(VersionHeader::Missing) => None,
            },
            headers: headers(&wire),
            first_id: wire.first_request_id.unwrap_or(1),
            listens: wire.get_stream.unwrap_or(true),
            parts: wire.delete_session.unwrap_or(true),
            call_meta: wire.call_meta.clone(),
            legacy_steps: Steps::of(
                wire.connect_legacy.as_deref().unwrap_or_default(),
                ConnectStep::Initialize,
            ),
            modern_steps: Steps::of(
                wire.connect_modern.as_deref().unwrap_or_default(),
                ConnectStep::Discover,
            ),
            probe_id: probe.and_then(|probe| probe.id.clone()),
            listen_id: wire.listen_id.clone(),
            first_page: profile.menu.pages() == Pages::First,
            relists: profile
                .surface
                .list_changed
                .as_ref()
                .is_none_or(|kinds| kinds.contains(&ListKind::Tools)),
            per_call: wire.session == Some(SessionUse::PerCall),
            insists: wire.get_stream == Some(true),
            discovery_version: wire
                .has(Quirk::LegacyVersionOnDiscovery)
                .then_some(older.unwrap_or(NEWEST_LEGACY).name),
            quirks: wire.quirks.clone().unwrap_or_default(),
            respawns: probe.and_then(|probe| probe.respawn).unwrap_or(true),
            open: profile.conduct.connect_timeout().0,
            call: profile.conduct.call_timeout().0,
            pace: Pace {
                silence: probe.and_then(|probe| probe.timeout).map_or(pace.silence, |period| period.0),
                ..pace
            },
        }
    }

    /// Whether an oddity of the client is shown.
    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// The same with another deadline for the steps of the opening.
    #[must_use]
    pub(super) fn ready_within(self, ready: Option<Duration>) -> Self {
        Self { open: ready.unwrap_or(self.open), ..self }
    }

    /// The level of log messages that a step asks for; a client that has one and does not say which means `info`.
    pub(super) fn asked_level(&self) -> &str {
        self.log_level.as_deref().unwrap_or("info")
    }

    /// What the client sends before the opening, of the era that it begins with.
    pub(super) fn before(&self) -> &[ConnectStep] {
        match self.choice {
            Choice::Pinned(revision) if revision.era == Era::Legacy => &self.legacy_steps.before,
            _ => &self.modern_steps.before,
        }
    }

    /// Whether an extension is declared.
    pub(super) fn extends(&self, extension: &str) -> bool {
        self.capabilities.get("extensions").is_some_and(|extensions| extensions.get(extension).is_some())
    }
}

/// The client's own headers, in the order of the profile.
fn headers(wire: &Wire) -> Vec<(String, String)> {
    let version = wire.client_info().version;
    let agent = wire.user_agent.as_ref().map(|agent| agent.replace("<version>", &version));
    let own = [("user-agent", agent), ("accept", wire.accept.clone())];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    own.chain(wire.headers.clone().into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::profile::Protocol;

    fn of(protocol: Option<Protocol>, pin: Choice) -> Terms {
        let mut profile = ClientProfile::reference();
        profile.wire.protocol = protocol;
        Terms::of(&profile, Over::Http, (pin, Pace::default()))
    }

    #[test]
    fn the_pin_goes_before_the_profile_and_that_before_the_free_choice() {
        let oldest = revision::find("2024-11-05").unwrap();
        assert_eq!(of(None, Choice::Auto).choice, Choice::Auto);
        let wish = of(Some(Protocol::V20241105), Choice::Auto);
        assert_eq!((wish.choice, wish.offered, wish.strict), (Choice::Pinned(oldest), oldest, false));
        let pinned = of(Some(Protocol::V20241105), Choice::Pinned(MODERN));
        assert_eq!((pinned.choice, pinned.strict), (Choice::Pinned(MODERN), true));
        assert_eq!(of(Some(Protocol::V20260728), Choice::Auto).choice, Choice::Pinned(MODERN));
    }

    #[test]
    fn standard_streams_have_terms_of_their_own() {
        let mut profile = ClientProfile::reference();
        profile.wire.stdio = Some(crate::mcp::profile::StdioWire {
            protocol: Some(Protocol::V20241105),
            ..Default::default()
        });
        let terms = |over| Terms::of(&profile, over, (Choice::Auto, Pace::default()));
        assert_eq!(terms(Over::Http).choice, Choice::Auto);
        assert_eq!(terms(Over::Stdio).offered.name, "2024-11-05");
    }
}
