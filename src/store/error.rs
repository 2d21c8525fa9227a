//! What can go wrong with run files, each with a stable code and what to do about it.

use std::path::PathBuf;

use crate::ids::CaseKey;
use crate::transcript::{Fault, Side};

/// Something went wrong with a run file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The run cannot be recorded any longer. Final: every later call gives the same error.
    #[error("cannot write `{}`: {why}{}", path.display(), waiting(*.needed))]
    Write {
        /// The run file.
        path: PathBuf,
        /// What the operating system or SQLite said.
        why: String,
        /// Bytes that could not be stored.
        needed: u64,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or SQLite said.
        why: String,
    },
    /// Another process works on the run.
    #[error("`{}` is in use by {}", path.display(), holder(*.pid))]
    Locked {
        /// The run file.
        path: PathBuf,
        /// The process, if it left its number.
        pid: Option<u32>,
    },
    /// There is no such file.
    #[error("there is no run file `{}`", path.display())]
    Missing {
        /// The run file.
        path: PathBuf,
    },
    /// A new run would overwrite an old one.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The run file.
        path: PathBuf,
    },
    /// The file is something else, or damaged beyond recognition.
    #[error("`{}` is not a run file: {why}", path.display())]
    NotARun {
        /// The file.
        path: PathBuf,
        /// How it is known.
        why: String,
    },
    /// The file was written by a newer version.
    #[error("`{}` has format {found}, and this version reads formats up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// A trial was finished twice.
    #[error("the trial {key} is finished already")]
    Duplicate {
        /// The trial.
        key: CaseKey,
    },
    /// A trial that was never planned.
    #[error("the trial {key} is not part of this run")]
    Unplanned {
        /// The trial.
        key: CaseKey,
    },
    /// A verdict came before its transcript.
    #[error("the trial {key} has a verdict but no transcript")]
    Unfinished {
        /// The trial.
        key: CaseKey,
    },
    /// A value that does not become JSON.
    #[error("the trial {key} cannot be stored: {why}")]
    Unstorable {
        /// The trial.
        key: CaseKey,
        /// Why.
        why: String,
    },
    /// The run file was closed before.
    #[error("the run file `{}` is closed", path.display())]
    Closed {
        /// The run file.
        path: PathBuf,
    },
    /// No run has this name.
    #[error("no run matches `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Several runs have this name.
    #[error("`{name}` matches {} runs: {}", found.len(), found.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// The first few that match.
        found: Vec<String>,
    },
}

fn waiting(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!(" (about {bytes} bytes are waiting)") }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl StoreError {
    /// The code that `rehearsal explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "store.write",
            Self::Read { .. } => "store.read",
            Self::Locked { .. } => "store.locked",
            Self::Missing { .. } => "store.missing",
            Self::Exists { .. } => "store.exists",
            Self::NotARun { .. } => "store.not-a-run",
            Self::Newer { .. } => "store.newer",
            Self::Duplicate { .. } => "store.duplicate",
            Self::Unplanned { .. } => "store.unplanned",
            Self::Unfinished { .. } => "store.unfinished",
            Self::Unstorable { .. } => "store.unstorable",
            Self::Closed { .. } => "store.closed",
            Self::Unknown { .. } => "store.unknown-run",
            Self::Ambiguous { .. } => "store.ambiguous-run",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Write { .. } => {
                "see that the folder can be written and has room, then `rehearsal resume`: what was finished is stored"
            }
            Self::Read { .. } => "check that the file exists and may be read",
            Self::Locked { .. } => "wait for that process to end, or stop it; a dead process holds no lock",
            Self::Missing { .. } | Self::Unknown { .. } => "`rehearsal runs list` shows what there is",
            Self::Exists { .. } => "resume that run with `rehearsal resume`, or give another name",
            Self::NotARun { .. } => "run files end in .sqlite and lie under reports/runs",
            Self::Newer { .. } => "update rehearsal",
            Self::Ambiguous { .. } => "give more characters of the id, or `SUITE/ID`",
            Self::Duplicate { .. }
            | Self::Unplanned { .. }
            | Self::Unfinished { .. }
            | Self::Unstorable { .. }
            | Self::Closed { .. } => "this is a bug in rehearsal, please report it",
        }
    }

    /// Whether an internal invariant broke, as opposed to the disk or the user's choice of file.
    pub fn is_bug(&self) -> bool {
        matches!(
            self,
            Self::Duplicate { .. }
                | Self::Unplanned { .. }
                | Self::Unfinished { .. }
                | Self::Unstorable { .. }
                | Self::Closed { .. }
        )
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::new(Side::Harness, error.code(), error.to_string())
    }
}
