//! Which era a server belongs to: from what it did with the first modern request to what is done next.
//!
//! A pure table. The specification decides where it speaks (2026-07-28, basic/versioning, and the sections on backward
//! compatibility of both transports); elsewhere the rule is that no server is lost over a surprise, and that every
//! surprise is recorded.

use super::revision::{self, Era, MODERN, Revision};
use crate::display;

/// HTTP headers do not say what the body says, or are missing.
pub const HEADER_MISMATCH: i64 = -32020;
/// The request needs a capability that the client did not declare.
pub const MISSING_CAPABILITY: i64 = -32021;
/// The server does not speak the revision of the request.
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// What release candidates of 2026-07-28 used for the three codes above. They have no meaning of their own in the
/// final text, so they are only named in findings.
const CANDIDATE_CODES: &[i64] = &[-32001, -32003, -32004];
/// Most times a busy server is asked again before `initialize` is tried.
pub const BUSY_TRIES: u32 = 2;

/// What became of `server/discover`, the first request of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A result with `supportedVersions`.
    Discovered(Vec<String>),
    /// A JSON-RPC error.
    Error {
        /// Its code.
        code: Option<i64>,
        /// The HTTP status it came with. Absent over stdio.
        status: Option<u16>,
        /// `data.supported`, if it is a list.
        supported: Option<Vec<String>>,
        /// The message.
        message: String,
    },
    /// An HTTP status that is no success, without a JSON-RPC error.
    Status(u16),
    /// A success that is no answer: 202, a page, a result that discovers nothing. In words.
    Strange(String),
    /// No answer in time.
    Silence,
    /// The process ended.
    Exited,
}

/// What has been tried so far in this opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Repetitions because the server was busy.
    pub busy: u32,
    /// Repetitions because of a modern error.
    pub corrected: u32,
    /// Only 2026-07-28 is wanted.
    pub pinned: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The server is modern; speak this revision.
    Modern(&'static Revision),
    /// Send the request again, with a new id.
    Again,
    /// Wait a moment, then send it again.
    Later,
    /// The server is of the older era: `initialize`, with this offer if it named one.
    Legacy(Option<&'static Revision>),
    /// The same, in a fresh process.
    Respawn,
    /// Not a question of era: the identity is refused.
    Unauthorized,
    /// Give up, in words.
    Fail(String),
}

/// An action, and what is worth recording about the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do next.
    pub action: Action,
    /// A finding, in words.
    pub finding: Option<String>,
}

/// The table.
pub fn decide(seen: &Observation, tried: Tried) -> Step {
    let step = free(seen, tried);
    match step.action {
        Action::Legacy(_) | Action::Respawn if tried.pinned => Step {
            action: Action::Fail(format!(
                "the server does not speak {}, which is pinned: it {}",
                MODERN.name,
                did(seen)
            )),
            finding: None,
        },
        _ => step,
    }
}

/// The table for a free choice.
fn free(seen: &Observation, tried: Tried) -> Step {
    match seen {
        Observation::Discovered(listed) => discovered(listed),
        Observation::Error { code: Some(UNSUPPORTED_VERSION), supported, .. } => {
            unsupported(supported, tried)
        }
        Observation::Error { code: Some(HEADER_MISMATCH), message, .. } => mismatch(message, tried),
        Observation::Error { code: Some(MISSING_CAPABILITY), message, .. } => fail(format!(
            "the server answers nothing without a capability that the client profile does not declare (error {MISSING_CAPABILITY}: {})",
            display::whole_words(message, 200)
        )),
        Observation::Status(401 | 403) | Observation::Error { status: Some(401 | 403), .. } => {
            step(Action::Unauthorized, None)
        }
        Observation::Status(429 | 500..) | Observation::Error { status: Some(429 | 500..), .. } => {
            if tried.busy < BUSY_TRIES {
                return step(Action::Later, None);
            }
            legacy(format!("`server/discover`: it {}, again and again; the era is uncertain", did(seen)))
        }
        Observation::Error { code: Some(code), .. } if CANDIDATE_CODES.contains(code) => legacy(format!(
            "`server/discover` got error {code}, which release candidates of {} used; the final revision does not",
            MODERN.name
        )),
        // A refusal in any other words is what a server of the older era says.
        Observation::Error { .. } | Observation::Status(_) => step(Action::Legacy(None), None),
        Observation::Strange(_) => legacy(format!("`server/discover`: it {}", did(seen))),
        Observation::Silence => legacy("`server/discover` was not answered".to_owned()),
        Observation::Exited => step(
            Action::Respawn,
            Some(
                "the process ended when its first message was `server/discover`; it was started again"
                    .to_owned(),
            ),
        ),
    }
}

fn discovered(listed: &[String]) -> Step {
    if let Some(revision) = revision::best(listed, Era::Modern) {
        return step(Action::Modern(revision), None);
    }
    only_legacy("`server/discover`", listed)
}

fn unsupported(supported: &Option<Vec<String>>, tried: Tried) -> Step {
    let Some(listed) = supported else {
        return legacy(format!("error {UNSUPPORTED_VERSION} came without `data.supported`"));
    };
    if revision::best(listed, Era::Modern).is_none() {
        return only_legacy(&format!("error {UNSUPPORTED_VERSION}"), listed);
    }
    let contradiction = format!(
        "the server refused {} with error {UNSUPPORTED_VERSION} and lists it as supported",
        MODERN.name
    );
    if tried.corrected == 0 { step(Action::Again, Some(contradiction)) } else { fail(contradiction) }
}

/// The text calls such a server modern and leaves no revision to speak with it.
fn only_legacy(what: &str, listed: &[String]) -> Step {
    let names = display::excerpt(&listed.join(", "), 120);
    match revision::best(listed, Era::Legacy) {
        Some(best) => {
            let finding = format!("{what} lists no revision without a handshake, only {names}");
            step(Action::Legacy(Some(best)), Some(finding))
        }
        None => fail(format!("no revision that both sides speak; the server lists {names}")),
    }
}

fn mismatch(message: &str, tried: Tried) -> Step {
    let message = display::whole_words(message, 200);
    let finding = format!(
        "the server says that headers and body of `server/discover` differ (error {HEADER_MISMATCH}: {message})"
    );
    if tried.corrected == 0 {
        return step(Action::Again, Some(finding));
    }
    fail(format!("{finding}; something between client and server may remove headers"))
}

/// What the server did, in words that follow "it".
fn did(seen: &Observation) -> String {
    match seen {
        Observation::Discovered(listed) => {
            format!("lists only {}", display::excerpt(&listed.join(", "), 120))
        }
        Observation::Error { code, status, message, .. } => {
            let code = code.map_or_else(|| "an error".to_owned(), |code| format!("error {code}"));
            let status = status.map_or_else(String::new, |status| format!(" (HTTP {status})"));
            let message = match display::whole_words(message, 120) {
                message if message.is_empty() => message,
                message => format!(": {message}"),
            };
            format!("answered `server/discover` with {code}{status}{message}")
        }
        Observation::Status(status) => format!("answered HTTP {status}"),
        Observation::Strange(what) => format!("answered {what}"),
        Observation::Silence => "did not answer".to_owned(),
        Observation::Exited => "ended".to_owned(),
    }
}

fn step(action: Action, finding: Option<String>) -> Step {
    Step { action, finding }
}

fn legacy(finding: String) -> Step {
    step(Action::Legacy(None), Some(finding))
}

fn fail(message: String) -> Step {
    step(Action::Fail(message), None)
}

#[cfg(test)]
mod tests {
    use super::super::revision::NEWEST_LEGACY;
    use super::*;

    fn error(code: i64, status: Option<u16>, supported: Option<&[&str]>) -> Observation {
        let supported = supported.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Observation::Error { code: Some(code), status, supported, message: "no".to_owned() }
    }

    fn discovered(names: &[&str]) -> Observation {
        Observation::Discovered(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// One row: what was seen, the first action, and whether something is recorded.
    fn rows() -> Vec<(&'static str, Observation, Action, bool)> {
        let legacy = || Action::Legacy(None);
        let strange = |what: &str| Observation::Strange(what.to_owned());
        vec![
            ("true modern", discovered(&["2026-07-28", "2025-11-25"]), Action::Modern(MODERN), false),
            ("lists only legacy", discovered(&["2025-11-25"]), Action::Legacy(Some(NEWEST_LEGACY)), true),
            ("401", Observation::Status(401), Action::Unauthorized, false),
            ("403 with an error", error(-32000, Some(403), None), Action::Unauthorized, false),
            ("text 400", Observation::Status(400), legacy(), false),
            ("404", Observation::Status(404), legacy(), false),
            ("405", Observation::Status(405), legacy(), false),
            ("JSON 406", error(-32000, Some(406), None), legacy(), false),
            ("JSON 400", error(-32600, Some(400), None), legacy(), false),
            ("200 with -32601", error(-32601, None, None), legacy(), false),
            ("404 with -32601", error(-32601, Some(404), None), legacy(), false),
            ("old -32004", error(-32004, Some(400), None), legacy(), true),
            ("-32020", error(-32020, Some(400), None), Action::Again, true),
            ("-32022, modern too", error(-32022, Some(400), Some(&["2026-07-28"])), Action::Again, true),
            (
                "-32022, legacy only",
                error(-32022, Some(400), Some(&["2025-11-25", "2025-06-18"])),
                Action::Legacy(Some(NEWEST_LEGACY)),
                true,
            ),
            ("-32022 without list", error(-32022, Some(400), None), legacy(), true),
            ("429", Observation::Status(429), Action::Later, false),
            ("text 500", Observation::Status(500), Action::Later, false),
            ("JSON 500", error(-32603, Some(500), None), Action::Later, false),
            ("502", Observation::Status(502), Action::Later, false),
            ("202", strange("HTTP 202 without a body"), legacy(), true),
            ("{} result", strange("a result without `supportedVersions`"), legacy(), true),
            ("silence", Observation::Silence, legacy(), true),
            ("exit", Observation::Exited, Action::Respawn, true),
        ]
    }

    #[test]
    fn every_row_of_the_table() {
        for (name, seen, action, finding) in rows() {
            let step = decide(&seen, Tried::default());
            assert_eq!((&step.action, step.finding.is_some()), (&action, finding), "{name}");
        }
    }

    #[test]
    fn a_pin_never_falls_back() {
        for (name, seen, action, _) in rows() {
            let step = decide(&seen, Tried { pinned: true, ..Tried::default() });
            match action {
                Action::Legacy(_) | Action::Respawn => {
                    let Action::Fail(message) = step.action else { panic!("{name}: {step:?}") };
                    assert!(message.contains("2026-07-28, which is pinned"), "{name}: {message}");
                }
                _ => assert_eq!(step.action, action, "{name}"),
            }
        }
    }

    #[test]
    fn corrections_and_waiting_are_bounded() {
        let corrected = Tried { corrected: 1, ..Tried::default() };
        for seen in [error(-32020, Some(400), None), error(-32022, Some(400), Some(&["2026-07-28"]))] {
            assert!(matches!(decide(&seen, corrected).action, Action::Fail(_)), "{seen:?}");
        }
        let busy = Tried { busy: BUSY_TRIES, ..Tried::default() };
        let step = decide(&Observation::Status(503), busy);
        assert_eq!(step.action, Action::Legacy(None));
        assert!(step.finding.unwrap().contains("uncertain"));
    }

    #[test]
    fn without_a_common_revision_it_fails_at_once() {
        for seen in [discovered(&["1999-01-01"]), error(-32022, None, Some(&["1999-01-01"])), discovered(&[])]
        {
            assert!(matches!(decide(&seen, Tried::default()).action, Action::Fail(_)), "{seen:?}");
        }
        assert!(matches!(decide(&error(-32021, Some(400), None), Tried::default()).action, Action::Fail(_)));
    }
}
