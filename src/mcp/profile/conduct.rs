//! The conduct layer: how calls are made, how long is waited, what the server's own requests get.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Period;

/// How the client behaves. Everything absent is as in the reference client.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conduct {
    /// Which calls of one answer run side by side. Reference: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<Parallel>,
    /// Most tool calls per prompt; further ones are not made. Reference: only the case's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_prompt: Option<u32>,
    /// Deadline of opening a session. Reference: 30s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
    /// Deadline of one `tools/call`. Reference: 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_timeout: Option<Period>,
    /// What the server's own requests get. Reference: [`Answers::default`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

impl Conduct {
    /// Which calls run side by side.
    pub fn parallel(&self) -> Parallel {
        self.parallel.unwrap_or(Parallel::Always)
    }

    /// Deadline of opening a session.
    pub fn connect_timeout(&self) -> Period {
        self.connect_timeout.unwrap_or(Period::secs(30))
    }

    /// Deadline of one `tools/call`.
    pub fn call_timeout(&self) -> Period {
        self.call_timeout.unwrap_or(Period::secs(60))
    }
}

/// Which calls of one answer run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Parallel {
    /// All.
    Always,
    /// None.
    Never,
    /// Those of tools with `readOnlyHint: true`; the others one by one.
    ReadOnly,
}

/// What the server's own requests get, by method. Absent: a capability that the client declares is answered, anything
/// else is refused with -32601.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// `ping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<Answer>,
    /// `roots/list`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<Answer>,
    /// `elicitation/create`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elicitation: Option<Answer>,
    /// `sampling/createMessage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Answer>,
    /// Any other method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Answer>,
}

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// An empty result.
    Empty,
    /// Roots: the working directory.
    Directory,
    /// Roots: the working directory with a name.
    NamedDirectory,
    /// Roots: an empty list.
    NoRoots,
    /// Elicitation: `accept`, with values that fit the schema.
    Accept,
    /// Elicitation: `decline`.
    Decline,
    /// Elicitation: `cancel`.
    Cancel,
    /// The error -32601.
    NotFound,
    /// No answer at all.
    Silence,
}
