//! The exit codes, their precedence and their names.

use serde::{Deserialize, Serialize};

/// What the program ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: everything selected ran to a verdict and the policy holds.
    Pass,
    /// 1: a quality verdict failed.
    Fail,
    /// 2: flags, suite or instrument errors; nothing ran, nothing was spent.
    Usage,
    /// 3: not enough evidence.
    Inconclusive,
    /// 4: target unreachable, dead, or no common protocol before any trial could run.
    Target,
    /// 5: missing key, provider 401 or 403, or the target demands auth that was not configured.
    Credentials,
    /// 6: an access or auth check of level MUST failed.
    Security,
    /// 70: an internal invariant broke.
    Bug,
    /// 74: disk full, run file unreadable or locked.
    LocalIo,
    /// 130: SIGINT after a clean save.
    Interrupted,
    /// 143: SIGTERM after a clean save.
    Terminated,
}

impl Exit {
    /// Every code, the one that wins first.
    pub const BY_PRECEDENCE: [Self; 11] = [
        Self::Bug,
        Self::LocalIo,
        Self::Interrupted,
        Self::Terminated,
        Self::Usage,
        Self::Credentials,
        Self::Target,
        Self::Security,
        Self::Fail,
        Self::Inconclusive,
        Self::Pass,
    ];

    /// The number the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Target => 4,
            Self::Credentials => 5,
            Self::Security => 6,
            Self::Bug => 70,
            Self::LocalIo => 74,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The one that wins when several apply.
    #[must_use]
    pub fn gravest(codes: impl IntoIterator<Item = Self>) -> Self {
        let codes: Vec<Self> = codes.into_iter().collect();
        Self::BY_PRECEDENCE.into_iter().find(|code| codes.contains(code)).unwrap_or(Self::Pass)
    }
}
