//! The flags about tapes: what is recorded, what is played, and what is said of it afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::Context;
use super::failure::{Failure, Outcome};
use crate::display;
use crate::drive::tapes::Tapes;
use crate::ids::SuiteName;
use crate::llm::command;
use crate::llm::tape::{Count, Mode, Tape};
use crate::mcp::tape::Deck;
use crate::plan::{Plan, Work};
use crate::report::figures::count;
use crate::store::layout;

/// Flags about tapes.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct TapeArgs {
    /// The folder of the tapes of model calls: one for the models of each suite, one for its judge.
    #[arg(long, value_name = "DIR")]
    pub tape: Option<PathBuf>,
    /// What the tape of the models is for. Default: replay.
    #[arg(long, value_enum, value_name = "MODE", requires = "tape")]
    pub tape_mode: Option<TapeMode>,
    /// What the tape of the judge is for. Default: the same as `--tape-mode`.
    #[arg(long, value_enum, value_name = "MODE", requires = "tape")]
    pub judge_tape_mode: Option<TapeMode>,
    /// The tape of the target's answers.
    #[arg(long, value_name = "FILE")]
    pub server_tape: Option<PathBuf>,
    /// What the tape of the target is for. Default: replay.
    #[arg(long, value_enum, value_name = "MODE", requires = "server_tape")]
    pub server_tape_mode: Option<ServerTapeMode>,
}

/// What a tape of model calls is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TapeMode {
    /// Ask the models, and begin a new tape.
    Record,
    /// Never ask: a call that is not on the tape makes its trial invalid. Needs no key.
    Replay,
    /// Play what is on the tape, ask for the rest and add it.
    Extend,
    /// Never ask, and take the answer of another model, or with other parameters, to the same request.
    Loose,
    /// No tape.
    Off,
}

/// What a tape of the target is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ServerTapeMode {
    /// Speak to the target, and write what was said when the run ends.
    Record,
    /// Never speak to the target: a request that is not on the tape makes its trial invalid.
    Replay,
}

impl TapeMode {
    fn mode(self) -> Option<(&'static str, Mode)> {
        let name = match self {
            Self::Record => "record",
            Self::Replay => "replay",
            Self::Extend => "extend",
            Self::Loose => "loose",
            Self::Off => return None,
        };
        Mode::ALL.into_iter().find(|(known, _)| *known == name)
    }
}

/// Whether a session begins a run or goes on with one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    First,
    Resumed,
}

impl TapeArgs {
    /// A tape of one target cannot be that of another.
    pub(super) fn fits(&self, suites: usize) -> Outcome<()> {
        if suites > 1 && self.server_tape.is_some() {
            return Err(Failure::usage(
                "usage.flags",
                "`--server-tape` is for one suite, and several are to run",
            )
            .hint("name one suite"));
        }
        Ok(())
    }

    /// Whether a tape of models can hold what a plan asks. Agents that are programs ask models of their own, which no tape
    /// hears: they would run and spend in every mode, and nothing of it would be played again.
    ///
    /// # Errors
    /// Exit code 2 when there are both.
    pub(super) fn holds(&self, plan: &Plan) -> Outcome<()> {
        if self.tape.is_none() || self.tape_mode == Some(TapeMode::Off) {
            return Ok(());
        }
        let agent = plan.cases.iter().find_map(|case| match &case.work {
            Work::Use(work) if command::is_agent(&work.model) => Some((&work.model.name, &case.header)),
            _ => None,
        });
        let Some((name, header)) = agent else { return Ok(()) };
        let message = format!(
            "case `{}` is for the agent `{name}`, a program with a model of its own: no tape of models can record or play it, and it would run and spend",
            header.case
        );
        Err(Failure::usage("tape.agent", message)
            .hint("choose the other models with `--model`, or leave `--tape` out; `--tape-mode off` with `--judge-tape-mode` tapes the judge alone")
            .at(&header.origin))
    }

    /// Opens the tapes of a suite.
    pub(super) fn open(&self, suite: &SuiteName, session: Session, context: &Context) -> Outcome<Tapes> {
        let open = |what: &str, mode: TapeMode| -> Outcome<Option<Arc<Tape>>> {
            let (Some(folder), Some((_, mode))) = (&self.tape, mode.mode()) else { return Ok(None) };
            let path = layout::tape_file(&context.root.join(folder), suite, what);
            let opened = match session {
                Session::First => Tape::open(&path, mode),
                Session::Resumed => Tape::resume(&path, mode),
            };
            let tape = opened.map_err(|fault| Failure::from_fault(&fault))?;
            if tape.is_torn() {
                torn(&path, context);
            }
            Ok(Some(tape))
        };
        let models = self.tape_mode.unwrap_or(TapeMode::Replay);
        let server = match self.played() {
            Some(file) => {
                let path = context.root.join(file);
                let deck = Deck::open(&path).map_err(|fault| Failure::from_fault(&fault))?;
                if deck.is_torn() {
                    torn(&path, context);
                }
                Some(Arc::new(deck))
            }
            None => None,
        };
        Ok(Tapes {
            models: open("models", models)?,
            judge: open("judge", self.judge_tape_mode.unwrap_or(models))?,
            server,
        })
    }

    /// The tape that stands in place of the target.
    pub(super) fn played(&self) -> Option<&Path> {
        self.server_tape.as_deref().filter(|_| self.server_tape_mode != Some(ServerTapeMode::Record))
    }

    /// The tape of the target that is to be written.
    pub(super) fn recorded(&self) -> Option<&Path> {
        self.server_tape.as_deref().filter(|_| self.server_tape_mode == Some(ServerTapeMode::Record))
    }

    /// The tapes in words, for the record of the run.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec![];
        let models = self.tape_mode.unwrap_or(TapeMode::Replay);
        for (what, mode) in [("models", models), ("judge", self.judge_tape_mode.unwrap_or(models))] {
            if let (Some(_), Some((name, _))) = (&self.tape, mode.mode()) {
                words.push(format!("{what}: {name}"));
            }
        }
        if self.server_tape.is_some() {
            words.push(format!("server: {}", if self.played().is_some() { "replay" } else { "record" }));
        }
        words
    }
}

fn torn(path: &Path, context: &Context) {
    let path = display::path(path);
    context.printer.tell(&format!(
        "warning: the last line of the tape `{path}` was broken off and is left out; what it held is lost"
    ));
}

/// Says what was played and recorded.
pub(super) fn tell(tapes: &Tapes, context: &Context) {
    for (what, tape) in [("models", &tapes.models), ("judge", &tapes.judge)] {
        let Some(tape) = tape else { continue };
        let Count { played, loosely, recorded, missed } = tape.count();
        let parts = [
            (played, "played"),
            (loosely, "of them of another model or with other parameters"),
            (recorded, "recorded"),
            (missed, "missing"),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        let parts = if parts.is_empty() { "not used".to_owned() } else { parts.join(", ") };
        let path = display::path(tape.path());
        context.printer.talk(&format!("tape of the {what}: {parts} ({path})"));
    }
    if let Some(deck) = &tapes.server {
        let answers = count(deck.played(), "answer");
        let missed = deck.missed();
        let missed = if missed > 0 { format!(", {missed} missing") } else { String::new() };
        let path = display::path(deck.path());
        context.printer.talk(&format!("tape of the target: {answers} played{missed} ({path})"));
    }
}
