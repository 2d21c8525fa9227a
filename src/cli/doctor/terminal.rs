//! The program itself, and the terminal it speaks to.

use std::io::IsTerminal as _;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::line::Line;
use super::setting::Setting;
use crate::report::Style;

/// The version of the program.
pub(super) fn program<'a>(_: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let says = format!(
            "{} for {} on {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        vec![Line::new("rehearsal", "", says)]
    }
    .boxed()
}

/// Colour, columns, characters, and whether this is a CI job.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let printer = setting.context.printer;
        let colour = if printer.style() == Style::Colour { "colour" } else { "no colour" };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| setting.variable(name))
            .unwrap_or_default()
            .to_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let characters = if utf8 { "UTF-8" } else { "a locale that is not UTF-8" };
        let place = match (setting.variable("CI"), std::io::stderr().is_terminal()) {
            (Some(_), _) => "a CI job",
            (None, true) => "a terminal",
            (None, false) => "no terminal",
        };
        let line = Line::new(
            "terminal",
            "",
            format!("{place}, {colour}, {} columns, {characters}", printer.width()),
        );
        vec![if utf8 || place != "a terminal" {
            line
        } else {
            line.warning("marks such as ✓ may look odd; `export LC_ALL=C.UTF-8`")
        }]
    }
    .boxed()
}
