//! Tapes that stand before the outside of a run.

use std::sync::Arc;

use crate::llm::tape::Tape;
use crate::mcp::tape::Deck;

/// Recordings that are made, or played in place of the outside.
#[derive(Clone, Default)]
pub struct Tapes {
    /// Of every model but the judge.
    pub models: Option<Arc<Tape>>,
    /// Of the judge.
    pub judge: Option<Arc<Tape>>,
    /// Of the target, whose place it takes.
    pub server: Option<Arc<Deck>>,
}

impl Tapes {
    /// Whether trials cost nothing, because every answer of their models is from a tape.
    pub fn trials_are_free(&self) -> bool {
        self.models.as_ref().is_some_and(|tape| !tape.mode().asks())
    }

    /// Whether judging costs nothing.
    pub fn judging_is_free(&self) -> bool {
        self.judge.as_ref().is_some_and(|tape| !tape.mode().asks())
    }
}
