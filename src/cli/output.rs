//! The only file that prints: data to stdout, talk to stderr.
#![expect(clippy::print_stderr, reason = "this is where the program speaks")]

use std::io::{IsTerminal, Write};

use super::args::{ColorChoice, Global};
use crate::report::Style;

/// Where output goes and how much of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    colour: bool,
    quiet: bool,
    terminal: bool,
    machine: bool,
}

impl Printer {
    /// Decides once: colour only where stderr is a terminal or the user insists, never against NO_COLOR.
    pub(super) fn new(global: &Global, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let terminal =
            std::io::stderr().is_terminal() && env("CI").is_none() && env("TERM").as_deref() != Some("dumb");
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        let colour = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto => terminal || set("CLICOLOR_FORCE") || set("FORCE_COLOR"),
        };
        Self { colour, quiet: global.quiet, terminal, machine: false }
    }

    /// The same for output that a program reads: the last line of stderr is one JSON object on failure.
    #[must_use]
    pub(super) fn machine(mut self) -> Self {
        self.machine = true;
        self
    }

    /// Whether a program reads stdout.
    pub(super) fn is_machine(self) -> bool {
        self.machine
    }

    /// The style of human output.
    pub(super) fn style(self) -> Style {
        if self.colour { Style::Colour } else { Style::Plain }
    }

    /// Whether a person watches, so that lines may be redrawn.
    pub(super) fn live(self) -> bool {
        self.terminal && !self.quiet && !self.machine
    }

    /// Columns for human output, within what a person can read.
    pub(super) fn width(self) -> u16 {
        let columns = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| size.ws_col);
        if columns == 0 { 100 } else { columns.clamp(60, 120) }
    }

    /// Data. A reader that has gone away is a normal end.
    pub(super) fn data(self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    /// Data with a line feed.
    pub(super) fn data_line(self, text: &str) {
        self.data(format!("{text}\n").as_bytes());
    }

    /// Talk that `--quiet` silences. Whatever it quotes is made inert here.
    pub(super) fn talk(self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Talk that is always shown, inert as well.
    pub(super) fn tell(self, text: &str) {
        eprintln!("{}", crate::display::safe(text));
    }
}
