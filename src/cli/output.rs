//! The only file that prints: data to stdout, talk to stderr.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};

use super::args::{ColorChoice, Global};
use super::failure::{Failure, Outcome};
use super::{Lookup, program};
use crate::gate::Exit;
use crate::report::Style;

/// Where output goes and how much of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    colour: bool,
    quiet: bool,
    terminal: bool,
    machine: bool,
    /// `COLUMNS`, for output that is no terminal.
    columns: Option<u16>,
    /// How the user called us, for commands to copy.
    program: &'static str,
}

impl Printer {
    /// Decides once: colour only where stderr is a terminal or the user insists, never against NO_COLOR.
    pub(super) fn new(global: &Global, env: Lookup<'_>, program: &'static str) -> Self {
        let terminal =
            std::io::stderr().is_terminal() && env("CI").is_none() && env("TERM").as_deref() != Some("dumb");
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        let colour = match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto => terminal || set("CLICOLOR_FORCE") || set("FORCE_COLOR"),
        };
        let columns = env("COLUMNS").and_then(|columns| columns.parse().ok());
        Self { colour, quiet: global.quiet, terminal, machine: false, columns, program }
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

    /// Whether only failures and the verdict are wanted.
    pub(super) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// How the user called us, for commands to copy.
    pub(super) fn program(self) -> &'static str {
        self.program
    }

    /// A text of ours with the commands in it as this user types them.
    pub(super) fn commands(self, text: &str) -> String {
        program::commands(text, self.program)
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
        let columns = Some(columns).filter(|columns| *columns > 0).or(self.columns);
        columns.unwrap_or(100).clamp(60, 120)
    }

    /// Data. A reader that has gone away is a normal end; anything else that keeps it from arriving is not.
    pub(super) fn data(self, bytes: &[u8]) -> Outcome<()> {
        self.pieces(|out| out.write_all(bytes))
    }

    /// Data that is made while it is written.
    pub(super) fn pieces(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Outcome<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        match write(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let message = format!("cannot write to standard output: {error}");
                Err(Failure::new(Exit::LocalIo, "output.write", message)
                    .hint("what was run is kept; `rehearsal report` prints it again"))
            }
            _ => Ok(()),
        }
    }

    /// Data with a line feed.
    pub(super) fn data_line(self, text: &str) -> Outcome<()> {
        self.data(format!("{text}\n").as_bytes())
    }

    /// Talk that `--quiet` silences. Whatever it quotes is made inert here.
    pub(super) fn talk(self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Talk that is always shown, inert as well. When nobody can hear it there is nobody to tell.
    pub(super) fn tell(self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", crate::display::safe(text));
    }
}

/// Prints why a command line was refused, or the help it asked for; the exit code.
pub(super) fn refused(error: &clap::Error, args: &[String], program: &str) -> u8 {
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Pass.code();
    }
    if wants_data(args) {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let failure = Failure::usage("usage.flags", message).hint("`rehearsal --help` lists what there is");
        let line = serde_json::json!({"error": failure.to_json(program)});
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
    Exit::Usage.code()
}

/// Whether a command line that could not be read asks for output that a program reads.
fn wants_data(args: &[String]) -> bool {
    let values = args.iter().zip(args.iter().skip(1));
    let apart = values.filter(|(flag, _)| *flag == "--format").map(|(_, value)| value.as_str());
    let joined = args.iter().filter_map(|arg| arg.strip_prefix("--format="));
    apart.chain(joined).any(|format| format != "human")
}
