//! The program itself, and the terminal it speaks to.

use std::io::IsTerminal as _;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::line::Line;
use super::setting::Setting;
use crate::report::Style;

/// The version of the program.
pub(super) fn program<'a>(_: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move { vec![version(env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH)] }
        .boxed()
}

pub(super) fn version(version: &str, system: &str, machine: &str) -> Line {
    Line::new("rehearsal", "", format!("{version} for {system} on {machine}"))
}

/// Colour, columns, characters, and whether this is a CI job.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let printer = setting.context.printer;
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| setting.variable(name))
            .unwrap_or_default()
            .to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let place = match (setting.variable("CI"), std::io::stderr().is_terminal()) {
            (Some(_), _) => Place::Job,
            (None, true) => Place::Terminal,
            (None, false) => Place::Elsewhere,
        };
        vec![told(place, printer.style(), printer.width(), utf8)]
    }
    .boxed()
}

/// Where talk goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A job of a CI system.
    Job,
    /// A terminal.
    Terminal,
    /// A file or another program.
    Elsewhere,
}

pub(super) fn told(place: Place, style: Style, columns: u16, utf8: bool) -> Line {
    let colour = if style == Style::Colour { "colour" } else { "no colour" };
    let characters = if utf8 { "UTF-8" } else { "a locale that is not UTF-8" };
    let words = match place {
        Place::Job => "a CI job",
        Place::Terminal => "a terminal",
        Place::Elsewhere => "no terminal",
    };
    let line = Line::new("terminal", "", format!("{words}, {colour}, {columns} columns, {characters}"));
    if utf8 || place != Place::Terminal {
        line
    } else {
        line.warning("marks such as ✓ may look odd; `export LC_ALL=C.UTF-8`")
    }
}
