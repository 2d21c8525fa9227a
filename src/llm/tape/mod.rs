//! Model calls on tape: recorded once, played as often as wanted, without a key and without a network.
//!
//! A tape is a file of one JSON object per line (`file`). A call is found again by everything that shapes its answer:
//! the model's definition, system prompt, tools, conversation and answer schema, and the place it was made at: case,
//! persona, client profile and trial. So no answer is ever shared between trials, and a tape that holds one call twice
//! plays both, in order. What is not on the tape is a fault of ours and never a made-up answer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ids::{Digest, ModelName};
use crate::llm::{ChatModel, ModelSpec, Outside};
use crate::transcript::{CaseHeader, Fault, Side};

mod asked;
mod file;
mod near;
mod reel;
mod taped;

pub use file::SCHEMA;

use asked::{Asked, Parts};
use file::{Call, Outcome};
use reel::Reel;
use taped::Taped;

/// What a tape is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every call goes to the model and is added to the tape.
    Record,
    /// Every answer comes from the tape; a call that is not on it is a fault.
    Replay,
    /// What is on the tape is played; other calls go to the model and are added.
    Extend,
    /// As replay, but where a call is missing, the answer to the same request with another definition of the model will
    /// do: another id, address, temperature, seed, and so on.
    Loose,
}

impl Mode {
    /// Every mode by its name on the command line.
    pub const ALL: [(&'static str, Self); 4] = [
        ("record", Self::Record),
        ("replay", Self::Replay),
        ("extend", Self::Extend),
        ("loose", Self::Loose),
    ];

    /// Whether a model may be asked, so that its key is needed and money is spent.
    pub fn asks(self) -> bool {
        matches!(self, Self::Record | Self::Extend)
    }
}

/// Whose calls are played or recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A model under test.
    Candidate,
    /// A model that answers for the client when the server asks.
    Sampler,
    /// A model that plays the user.
    User,
    /// The judge.
    Judge,
}

impl Role {
    /// The word in tapes and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Sampler => "sampler",
            Self::User => "user",
            Self::Judge => "judge",
        }
    }
}

/// How often a tape was played and added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Answers from the tape.
    pub played: u64,
    /// Of these, answers to the same request of another definition of the model.
    pub loosely: u64,
    /// Answers of the model that were added.
    pub recorded: u64,
    /// Calls that were not on the tape.
    pub missed: u64,
}

/// A tape in use. Clones of the `Arc` share it.
pub struct Tape {
    path: PathBuf,
    mode: Mode,
    state: Mutex<State>,
    /// Whether its last line was broken off when it was opened.
    torn: bool,
}

struct State {
    reel: Reel,
    parts: Parts,
    pen: Option<file::Pen>,
    count: Count,
}

impl Tape {
    /// Opens a tape. Recording begins a new one, in place of one that is there; extending goes on with it.
    ///
    /// # Errors
    /// `tape.missing` for one to be played that is not there, `tape.broken` for one that cannot be read, `tape.busy` for
    /// one that another process writes to, `store.tape` where it cannot be written.
    pub fn open(path: &Path, mode: Mode) -> Result<Arc<Self>, Fault> {
        let read = match mode {
            Mode::Record => file::Read::default(),
            Mode::Extend if !path.exists() => file::Read::default(),
            Mode::Replay | Mode::Extend | Mode::Loose => file::read(path)?,
        };
        let pen = match mode {
            Mode::Record => Some(file::Pen::anew(path)?),
            Mode::Extend => Some(file::Pen::after(path, read.whole)?),
            Mode::Replay | Mode::Loose => None,
        };
        let state = State { reel: Reel::new(read.calls), parts: read.parts, pen, count: Count::default() };
        Ok(Arc::new(Self { path: path.to_owned(), mode, state: Mutex::new(state), torn: read.torn }))
    }

    /// The same tape for a session that goes on with what another one recorded.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn resume(path: &Path, mode: Mode) -> Result<Arc<Self>, Fault> {
        match mode {
            Mode::Record => {
                let tape = Self::open(path, Mode::Extend)?;
                // What was recorded belongs to trials that are done, or that begin again.
                tape.state().reel = Reel::new(vec![]);
                Ok(tape)
            }
            mode => Self::open(path, mode),
        }
    }

    /// A model behind this tape. `model` is asked only where the mode [asks](Mode::asks).
    pub fn before(
        self: &Arc<Self>,
        model: Arc<dyn ChatModel>,
        spec: &ModelSpec,
        role: Role,
    ) -> Arc<dyn ChatModel> {
        Arc::new(Taped::new(Arc::clone(self), model, spec, role))
    }

    /// What it is used for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its last line was broken off when it was opened: the call on it is lost.
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// What it was used for so far.
    pub fn count(&self) -> Count {
        self.state().count
    }

    /// The answer to a call, if it is on the tape.
    fn play(&self, asked: &Asked) -> Option<Call> {
        if self.mode == Mode::Record {
            return None;
        }
        let mut state = self.state();
        // A model that failed is asked again where it can be.
        let failed_too = !self.mode.asks();
        let exact = state.reel.take(asked, failed_too);
        let call = match exact {
            None if self.mode == Mode::Loose => {
                let call = state.reel.take_loosely(asked);
                state.count.loosely += u64::from(call.is_some());
                call
            }
            exact => exact,
        };
        state.count.played += u64::from(call.is_some());
        call
    }

    /// The fault of a call that is not on the tape.
    fn miss(&self, asked: &Asked) -> Fault {
        let mut state = self.state();
        state.count.missed += 1;
        let why = near::explain(asked, &state.reel, &state.parts);
        let message = format!(
            "`{}` has no answer to a call of the {} `{}` at {}: {why}",
            self.path.display(),
            asked.role.as_str(),
            asked.model,
            asked.place
        );
        Fault::new(Side::Harness, "tape.miss", message)
    }

    /// Adds a call. It is in the file when this returns.
    fn keep(&self, asked: &Asked, attempts: Vec<serde_json::Value>, outcome: Outcome) -> Result<(), Fault> {
        let mut state = self.state();
        let State { pen, parts, count, .. } = &mut *state;
        let Some(pen) = pen else { return Ok(()) };
        count.recorded += 1;
        let call = asked.call(attempts, outcome);
        pen.write(&call, asked, parts).map_err(|error| file::unwritable(&self.path, &error))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where in a run a call is made.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Case, persona, client profile and trial.
    name: String,
    /// The model that a played user talks with. Trials of several models open with the same question to the user, and each
    /// needs the answer that its own conversation went on from.
    with: Option<ModelName>,
}

impl Place {
    fn of(header: &CaseHeader, role: Role) -> Self {
        let with = header.model.clone().filter(|_| role == Role::User);
        let name = format!("{}/{}/{}#{}", header.case, header.persona, header.client, header.trial);
        Self { name, with }
    }
}

/// What a value is known by.
type Key = Digest;

/// Builds a model, behind a tape if there is one. Where the tape asks no model, no key is needed.
///
/// # Errors
/// As [`crate::llm::build`].
pub fn build(
    spec: &ModelSpec,
    role: Role,
    tape: Option<&Arc<Tape>>,
    outside: &Outside,
) -> Result<Arc<dyn ChatModel>, Fault> {
    let Some(tape) = tape else { return crate::llm::build(spec, outside) };
    let keyless = Outside { env: Arc::new(|_| Some("unused".to_owned())), ..outside.clone() };
    let model = crate::llm::build(spec, if tape.mode.asks() { outside } else { &keyless })?;
    Ok(tape.before(model, spec, role))
}
