//! The only file that prints: data to stdout, talk to stderr.

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::fs::FileType;

use super::args::{ColorChoice, Drawn, Global};
use super::failure::{Failure, Outcome};
use super::progress::line::Line;
use super::{Lookup, program};
use crate::gate::Exit;
use crate::report::Style;
use crate::report::wrap;

/// The live block below everything else, while there is one: whatever is said goes above it.
static BLOCK: Mutex<Block> = Mutex::new(Block { wanted: false, drawn: None });

/// The live block.
struct Block {
    /// Between its beginning and its end.
    wanted: bool,
    drawn: Option<ProgressBar>,
}

/// Where output goes and how much of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    /// Of stdout.
    data: Style,
    /// Of stderr.
    talk: Style,
    quiet: bool,
    /// Whether lines may be redrawn.
    redraws: bool,
    /// Whether somebody watches stderr.
    watched: bool,
    machine: bool,
    /// `COLUMNS`, for output that is no terminal.
    columns: Option<u16>,
    /// How the user called us, for commands to copy.
    program: &'static str,
}

impl Printer {
    /// Decides once. Colour only where a terminal is watched or the user insists, never against NO_COLOR, and only beside
    /// marks that the terminal can show. Lines are redrawn on a terminal that moves its cursor, unless it is the log of
    /// a CI system or colours are unwanted, which is a wish for no escape sequences.
    pub(super) fn new(global: &Global, env: Lookup<'_>, program: &'static str) -> Self {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = env("TERM").as_deref() == Some("dumb");
        let moves = std::io::stderr().is_terminal() && !dumb;
        let terminal = moves && (!set("CI") || env("CI").as_deref() == Some("false"));
        let colour = |watched: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if set("NO_COLOR") => false,
            ColorChoice::Auto => watched || set("CLICOLOR_FORCE") || set("FORCE_COLOR"),
        };
        let ascii = dumb || !is_utf8(env);
        let style = |watched: bool| match ascii {
            true => Style::Ascii,
            false if colour(watched) => Style::Colour,
            false => Style::Plain,
        };
        let redraws = match global.progress {
            Drawn::Block => moves,
            Drawn::Lines => false,
            Drawn::Auto => terminal && !set("NO_COLOR"),
        };
        let columns = env("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            data: style(terminal && std::io::stdout().is_terminal()),
            talk: style(terminal),
            quiet: global.quiet,
            redraws,
            watched: terminal || redraws,
            machine: false,
            columns,
            program,
        }
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

    /// The style of human output on stdout.
    pub(super) fn style(self) -> Style {
        self.data
    }

    /// The style of what is said on stderr.
    pub(super) fn talk_style(self) -> Style {
        self.talk
    }

    /// Whether a person watches, so that lines may be redrawn.
    pub(super) fn live(self) -> bool {
        self.redraws && !self.quiet && !self.machine
    }

    /// Whether keys may be read: somebody watches stderr, standard input is a terminal, and stdout leads into no other
    /// program, which may be a pager and want the keys itself.
    pub(super) fn takes_keys(self) -> bool {
        let piped = rustix::fs::fstat(std::io::stdout()).is_ok_and(|stat| {
            matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket)
        });
        self.watched && !self.quiet && !self.machine && !piped && std::io::stdin().is_terminal()
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
        self.above_the_block(&self.talk.finish(crate::display::safe(text).into_owned()));
    }

    /// A line about a trial, silenced by `--quiet`: wrapped where a person watches, whole in a log.
    pub(super) fn talk_line(self, line: &Line) {
        if self.quiet {
            return;
        }
        let mark = line.mark.map_or("", |(_, mark)| mark);
        let words = crate::display::safe_line(&line.text);
        let text = if mark.is_empty() { words } else { format!("{mark} {words}") };
        let lines = match self.live() {
            true => wrap::lines(&text, self.screen().0, ["", "    │ "]),
            false => vec![text],
        };
        let text = self.talk.finish(lines.join("\n"));
        let painted = match line.mark.and_then(|(tone, mark)| Some((tone, text.strip_prefix(mark)?))) {
            Some((tone, rest)) => format!("{}{rest}", self.talk.paint(tone, mark)),
            None => text,
        };
        self.above_the_block(&painted);
    }

    fn above_the_block(self, text: &str) {
        let write = || drop(writeln!(std::io::stderr().lock(), "{text}"));
        let drawn = block().drawn.clone();
        match drawn {
            Some(block) => block.suspend(write),
            None => write(),
        }
    }

    /// Begins a live block below what is said, where a person watches.
    pub(super) fn block_begins(self) {
        if self.live() {
            *block() = Block { wanted: true, drawn: Some(drawn()) };
        }
    }

    /// Clears the block until it returns.
    pub(super) fn block_steps_aside(self) {
        if let Some(drawn) = block().drawn.take() {
            drawn.finish_and_clear();
        }
    }

    /// Draws the block again, if it has not ended meanwhile.
    pub(super) fn block_returns(self) {
        let mut block = block();
        if block.wanted && block.drawn.is_none() {
            block.drawn = Some(drawn());
        }
    }

    /// Draws the block anew. The lines are inert already, and fit the screen.
    pub(super) fn block_shows(self, lines: &[String]) {
        if let Some(drawn) = &block().drawn {
            drawn.set_message(lines.join("\n"));
        }
    }

    /// Clears the block, if there is one.
    pub(super) fn block_ends(self) {
        block().wanted = false;
        self.block_steps_aside();
    }

    /// Cells of a line and lines of the terminal that people watch. The last cell of a line stays free.
    pub(super) fn screen(self) -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (width, height) = size.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()));
        (usize::clamp(width, 21, 201) - 1, height)
    }
}

fn block() -> MutexGuard<'static, Block> {
    BLOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drawn() -> ProgressBar {
    let drawn = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
    // The template is a constant; if it were wrong the default style would be shown.
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        drawn.set_style(style);
    }
    drawn
}

/// Whether the locale writes UTF-8. One that nobody has set is taken for one that does: containers and services have
/// none, and what reads their output does.
fn is_utf8(env: Lookup<'_>) -> bool {
    let named =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    named.is_none_or(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("utf-8") || name.contains("utf8")
    })
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
