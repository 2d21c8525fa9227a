//! Marks and colours of terminal texts. Colour only repeats what a mark or a word already says.

use anstyle::{AnsiColor, Effects};

use crate::gate::cells::State;

/// How a terminal text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Unicode marks, no escapes.
    Plain,
    /// Unicode marks and colours.
    Colour,
    /// ASCII marks, no escapes: for dumb terminals and locales that are not UTF-8.
    Ascii,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Holds.
    Good,
    /// Does not.
    Bad,
    /// Worth a look.
    Warn,
    /// Beside the point.
    Dim,
    /// A heading.
    Strong,
}

impl Style {
    /// The text in a tone; unchanged without colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self != Self::Colour || text.is_empty() {
            return text.to_owned();
        }
        let style = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Dim => anstyle::Style::new().effects(Effects::DIMMED),
            Tone::Strong => anstyle::Style::new().effects(Effects::BOLD),
        };
        format!("{style}{text}{style:#}")
    }

    /// The mark of a state.
    pub fn mark(self, state: State) -> &'static str {
        let ascii = self == Self::Ascii;
        match state {
            State::Pass if ascii => "ok",
            State::Pass => "✓",
            State::Flaky => "~",
            State::Fail | State::UnexpectedPass if ascii => "FAIL",
            State::Fail | State::UnexpectedPass => "✗",
            State::Security if ascii => "LEAK",
            State::Security => "⚠",
            State::ExpectedFailure => "x",
            State::Undecided => "?",
            State::Invalid => "!",
            State::Missing | State::Skipped if ascii => "-",
            State::Missing | State::Skipped => "–",
        }
    }

    /// The mark of a trial's outcome; `None`: not scored.
    pub fn tick(self, outcome: Option<&str>) -> char {
        match (outcome, self) {
            (Some("pass"), Self::Ascii) => '+',
            (Some("pass"), _) => '✓',
            (Some("fail"), Self::Ascii) => 'x',
            (Some("fail"), _) => '✗',
            (Some(_), _) => '!',
            (None, Self::Ascii) => '-',
            (None, _) => '–',
        }
    }

    /// A separator between facts on one line.
    pub fn dot(self) -> &'static str {
        if self == Self::Ascii { " - " } else { " · " }
    }

    /// What stands between things that follow each other.
    pub fn arrow(self) -> &'static str {
        if self == Self::Ascii { " > " } else { " → " }
    }

    /// Replaces the marks that this program writes itself by ASCII ones where they are not wanted; words of others
    /// become `?` there, one per character.
    pub fn finish(self, text: String) -> String {
        if self != Self::Ascii {
            return text;
        }
        text.chars()
            .map(|c| match c {
                '·' => '-',
                '│' => '|',
                '–' => '-',
                '≥' => '>',
                '…' => '~',
                '→' => '>',
                '×' => 'x',
                c if c.is_ascii() => c,
                _ => '?',
            })
            .collect()
    }
}

/// The tone of a state.
pub fn tone(state: State) -> Tone {
    match state {
        State::Pass => Tone::Good,
        State::Fail | State::Security | State::UnexpectedPass => Tone::Bad,
        State::Flaky | State::Undecided | State::Invalid | State::Missing => Tone::Warn,
        State::ExpectedFailure | State::Skipped => Tone::Dim,
    }
}
