//! The keys of the live block: what they are, what they change of the picture, and the lines about them. Pure.

use super::block::{Look, Part, flow, pick};
use super::scene::Scene;
use crate::report::figures::thousands;
use crate::report::paint::Tone;

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// No more trials begin until it is pressed again.
    Pause,
    /// As the first Ctrl-C.
    Drain,
    /// Other trials under way are shown.
    Trials,
    /// One trial more at a time.
    More,
    /// One less.
    Fewer,
    /// The keys are explained.
    Help,
}

impl Key {
    /// The key that was typed, and how often. Keys that come at once and are not all the same are none: a key that sends
    /// several bytes, or pasted text.
    pub(super) fn of(typed: &[u8]) -> Option<(Self, usize)> {
        let first = typed.first()?;
        if typed.iter().any(|byte| byte != first) {
            return None;
        }
        let key = match first.to_ascii_lowercase() {
            b'p' => Self::Pause,
            b'd' => Self::Drain,
            b't' => Self::Trials,
            // The key beside the backspace, whichever of its signs it gives.
            b'+' | b'=' => Self::More,
            b'-' => Self::Fewer,
            b'?' | b'h' => Self::Help,
            _ => return None,
        };
        Some((key, typed.len()))
    }
}

/// Which trials under way are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shown {
    /// The oldest.
    #[default]
    Few,
    /// As many as there is room for.
    Fitting,
    /// None.
    Nothing,
}

impl Shown {
    /// What the key shows next.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Few => Self::Fitting,
            Self::Fitting => Self::Nothing,
            Self::Nothing => Self::Few,
        }
    }
}

/// What keys have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    /// Which trials under way are shown.
    pub(super) shown: Shown,
    /// Whether the keys are explained.
    pub(super) help: bool,
    /// Trials at once.
    pub(super) at_once: usize,
}

/// The lines about keys at the foot of the block, where keys are read.
pub(super) fn foot(scene: &Scene, look: Look) -> Vec<String> {
    let Some(keys) = scene.keys else { return vec![] };
    if keys.help {
        return help(keys.at_once, look);
    }
    let at_once = format!("+/- {} at once", thousands(keys.at_once as u64));
    let parts = match (scene.stopping, scene.paused) {
        (true, _) => vec!["t trials", "? keys", "Ctrl-C drops what is under way"],
        (false, true) => vec!["p go on", "d drain", "t trials", &at_once, "? keys"],
        (false, false) => vec!["p pause", "d drain", "t trials", &at_once, "? keys"],
    };
    flow(parts.into_iter().map(dim).collect(), look)
}

/// What the keys do, a line each. `at_once`: trials at a time.
pub(super) fn help(at_once: usize, look: Look) -> Vec<String> {
    let room = look.width.saturating_sub(2);
    let lines = explained(at_once).into_iter().map(|[key, long, short]| {
        let line = |words: String| format!("{key:<7} {words}");
        pick(room, [line(long), line(short)])
    });
    lines.flat_map(|line| flow(vec![dim(&line)], look)).collect()
}

fn dim(text: &str) -> Part {
    (Tone::Dim, text.to_owned())
}

/// The keys on one line, for a terminal without a block.
pub(super) fn line() -> String {
    "keys: p pause, d drain, t trials under way, + and - trials at once, ? what they do".to_owned()
}

/// Key, words, fewer words.
fn explained(at_once: usize) -> [[String; 3]; 6] {
    let at_once = thousands(at_once as u64);
    let number = format!("trials at once: one more, one less (now {at_once})");
    [
        [
            "p",
            "pause: no trial begins until p is pressed again; those under way finish",
            "pause: no trial begins until p is pressed again",
        ],
        [
            "d",
            "drain: no more trials, and the end when those under way have finished",
            "drain: those under way finish, no more begin",
        ],
        ["t", "trials under way: the oldest, all that fit, none", "trials: the oldest, all that fit, none"],
        ["+ -", &number, &number],
        ["?", "these lines", "these lines"],
        [
            "Ctrl-C",
            "drains as d; again, it drops the trials under way",
            "drains; again, it drops those under way",
        ],
    ]
    .map(|texts| texts.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_alone_and_as_often_as_it_comes() {
        let known = [
            ("p", Key::Pause),
            ("P", Key::Pause),
            ("d", Key::Drain),
            ("t", Key::Trials),
            ("+", Key::More),
            ("=", Key::More),
            ("-", Key::Fewer),
            ("?", Key::Help),
            ("h", Key::Help),
        ];
        for (typed, key) in known {
            assert_eq!(Key::of(typed.as_bytes()), Some((key, 1)), "{typed}");
        }
        assert_eq!(Key::of(b"+++"), Some((Key::More, 3)));
        // Arrows, Alt-D, pasted text, letters of others, what is no text.
        for typed in [&b""[..], b"\x1b[D", b"\x1bd", b"dd if=a", b"pd", b"q", b"\n", b"\x03", b"\xff"] {
            assert_eq!(Key::of(typed), None, "{typed:?}");
        }
    }
}
