//! One line per trial that a person has to know of.

use crate::display;
use crate::gate::cells::State;
use crate::ids::ToolName;
use crate::report::figures::{self, duration, thousands};
use crate::report::paint::{Style, Tone};
use crate::run::{Path, Scored};
use crate::score::Outcome;

/// A line for a person, with a mark at its start where it is about a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Line {
    /// The mark, which alone is coloured.
    pub(in crate::cli) mark: Option<(Tone, &'static str)>,
    /// The words; they have passed `display`.
    pub(in crate::cli) text: String,
}

impl Line {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { mark: None, text: text.into() }
    }
}

/// A trial: mark, names, time, the line of the suite, the way that was wanted and the way it took, and why.
pub(super) fn trial(scored: &Scored, style: Style) -> Line {
    let header = &scored.header;
    let (state, tone) = match scored.outcome {
        Some(Outcome::Pass) if scored.skipped => (State::Skipped, Tone::Dim),
        Some(Outcome::Pass) => (State::Pass, Tone::Good),
        Some(Outcome::Fail) if scored.expected_failure => (State::ExpectedFailure, Tone::Dim),
        Some(Outcome::Fail) => (State::Fail, Tone::Bad),
        Some(Outcome::Invalid) => (State::Invalid, Tone::Warn),
        None => (State::Missing, Tone::Dim),
    };
    let model = header.model.as_ref().map_or("-", |model| model.as_str());
    let mut parts = vec![
        display::excerpt(header.case.as_str(), 60),
        display::excerpt(model, 40),
        display::excerpt(header.persona.as_str(), 40),
        format!("trial {}", header.trial),
        duration(scored.took_ms as f64 / 1000.0),
    ];
    if let Some(place) = &scored.place {
        parts.push(display::safe_line(&format!("{}:{}", place.file, place.line)));
    }
    parts.extend(scored.path.as_ref().map(|path| way(path, style)));
    let dropped = scored.outcome.is_none().then_some("dropped; it runs again with `resume`");
    parts.extend(scored.why.as_deref().or(dropped).map(|why| display::excerpt(why, 160)));
    Line { mark: Some((tone, style.mark(state))), text: parts.join("  ") }
}

/// `want get_order → refund, got get_order ×3`.
fn way(path: &Path, style: Style) -> String {
    let tools = |names: &[ToolName]| figures::way(names.iter().map(ToolName::as_str), style.arrow());
    format!("want {}, got {}", tools(&path.wanted), tools(&path.called))
}

/// So many trials gave nothing for one reason; those after the first are told by powers of ten alone.
pub(super) fn again_and_again(code: &str, often: u64, style: Style) -> Option<Line> {
    let ten = (1..12).map(|power| 10_u64.pow(power)).any(|power| power == often);
    let code = display::excerpt(code, 60);
    ten.then(|| Line {
        mark: Some((Tone::Warn, style.mark(State::Invalid))),
        text: format!("{} trials without a verdict so far: {code}", thousands(often)),
    })
}
