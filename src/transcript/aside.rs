//! Further sessions of a trial.

use serde::{Deserialize, Serialize};

use crate::ids::PersonaName;

/// A session with the target besides the first one of a trial, as when a step acts as somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Its number in the trial, from 1.
    pub session: u32,
    /// As whom it was opened.
    pub persona: PersonaName,
}
