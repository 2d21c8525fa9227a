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

    /// The name in the table of exit codes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Usage => "usage",
            Self::Inconclusive => "inconclusive",
            Self::Target => "target",
            Self::Credentials => "credentials",
            Self::Security => "security",
            Self::Bug => "bug",
            Self::LocalIo => "local io",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }

    /// What it means and what to do, in one paragraph.
    pub fn about(self) -> &'static str {
        match self {
            Self::Pass => {
                "Everything selected ran to a verdict and the policy of the suite holds. In nightly mode an \
                 inconclusive gate also ends with 0, with a warning, until the third such night in a row. Safe reaction: go on."
            }
            Self::Fail => {
                "A quality verdict failed: a use case is below `gate.min_pass`, a must check broke, or a case that is known \
                 to fail has started to pass. The server or the model did wrong; faults of the network, of a provider \
                 or of rehearsal itself never lead here. Safe reaction: look at the change, then at `rehearsal show RUN CASE`."
            }
            Self::Usage => {
                "Flags, the suite or an instrument are wrong, a file is missing, or nothing was selected. \
                 Nothing ran and nothing was spent. Safe reaction: mend the input; the message names file, line and column."
            }
            Self::Inconclusive => {
                "There is not enough evidence for a verdict: too many trials were invalid, some did not run, budget or \
                 time ran out, or the judge could not be used. Safe reaction: run again, or `rehearsal resume RUN`, which \
                 runs only what is missing."
            }
            Self::Target => {
                "The target could not be reached, died, or shares no protocol revision with rehearsal, before any trial \
                 could run. Safe reaction: mend or start the target, and look at its last lines in the message."
            }
            Self::Credentials => {
                "A key is missing, a provider answered 401 or 403, or the target demands authorization that the suite does \
                 not configure. Safe reaction: set the key or the identity that the message names."
            }
            Self::Security => {
                "An access or auth check that must hold failed: a tool was seen or callable by somebody who must not, or a \
                 bad token was accepted. Safe reaction: stop the release and read the finding."
            }
            Self::Bug => {
                "An invariant inside rehearsal broke. The verdict cannot be trusted. Safe reaction: report it with the \
                 report file whose path was printed."
            }
            Self::LocalIo => {
                "The disk is full, or a run file could not be written, read or locked. What was stored before is intact. \
                 Safe reaction: free space or close the other process, then `rehearsal resume RUN`."
            }
            Self::Interrupted => {
                "The run was stopped by Ctrl-C (SIGINT). Finished trials are stored. Safe reaction: `rehearsal resume RUN` \
                 runs only what is missing."
            }
            Self::Terminated => {
                "The run was stopped by SIGTERM, as when a CI job is cancelled. Finished trials are stored. Safe reaction: \
                 `rehearsal resume RUN` runs only what is missing."
            }
        }
    }
}
