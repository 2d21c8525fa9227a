//! The record of a trial: every event in order, and the only input of scoring.
//!
//! Events are written only through [`Recorder`], which numbers, stamps and redacts them. Everything above `drive`
//! learns about the world from here and from nowhere else. Stored formats only gain fields ([`SCHEMA`]).

use serde::{Deserialize, Serialize};

use crate::diag::Origin;
use crate::ids::{CaseKey, CaseName, ClientName, ModelName, PersonaName, Pool, SuiteName};

mod aside;
mod body;
pub mod clock;
pub mod event;
pub mod glance;
mod hold;
mod reach;
pub mod recorder;
pub mod redact;
pub mod subject;
pub mod view;

pub use aside::Aside;
pub use clock::Clock;
pub use event::{Body, Event, Frame, HttpSide, ServerFacts, ToolCall, ToolFact, What, WireMessage};
pub use glance::Glance;
pub use hold::Hold;
pub use reach::Attempt;
pub use recorder::Recorder;
pub use redact::Secrets;
pub use subject::Subject;
pub use view::View;

/// The number of the transcript format. Readers accept every number up to this one.
pub const SCHEMA: u32 = 1;

/// Which of the three kinds of evals a case belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// A model works on a prompt.
    Use,
    /// Which tools a persona sees and may call; no model.
    Access,
    /// Protocol probes; no model.
    Auth,
}

impl CaseKind {
    /// The word used in reports and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Access => "access",
            Self::Auth => "auth",
        }
    }
}

/// What a transcript is about: enough to find its case, its line and its place in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseHeader {
    /// The identity of the trial.
    pub key: CaseKey,
    /// The suite.
    pub suite: SuiteName,
    /// The case.
    pub case: CaseName,
    /// Use, access or auth.
    pub kind: CaseKind,
    /// The model; `None` for access and auth cases.
    pub model: Option<ModelName>,
    /// The spoofed identity.
    pub persona: PersonaName,
    /// The emulated client.
    pub client: ClientName,
    /// The number of the trial, from 1.
    pub trial: u32,
    /// The tags of the case, sorted.
    pub tags: Vec<String>,
    /// Where the case stands in its suite file.
    pub origin: Origin,
}

impl CaseHeader {
    /// Takes the names from the pool, so that headers which name the same share it.
    pub fn share(&mut self, pool: &mut Pool) {
        self.suite.share(pool);
        self.case.share(pool);
        self.model.iter_mut().for_each(|model| model.share(pool));
        self.persona.share(pool);
        self.client.share(pool);
        pool.share(&mut self.origin.file);
    }
}

/// One trial, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// [`SCHEMA`] at the time of writing.
    pub schema: u32,
    /// What it is about.
    pub header: CaseHeader,
    /// Wall-clock start, RFC 3339 in UTC.
    pub started: String,
    /// What happened, in order; `seq` counts from 0 without gaps.
    pub events: Vec<Event>,
    /// How it ended.
    pub end: End,
    /// Milliseconds from the first event to the end.
    pub took_ms: u64,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The work was done: the model answered, or the probes were all sent.
    Done,
    /// A limit of the case was reached; this counts against the model.
    OutOf(Limit),
    /// Somebody stopped the run; never scored, runs again on resume.
    Interrupted,
    /// Something broke; who is to blame decides whether it counts.
    Faulted(Fault),
}

/// A limit of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Model turns.
    Turns,
    /// Tool calls.
    ToolCalls,
    /// Wall time.
    Time,
    /// Tokens in and out together.
    Tokens,
    /// Money.
    Cost,
}

/// Who is to blame for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// rehearsal itself or the machine it runs on.
    Harness,
    /// The model's API.
    Model,
    /// The judge.
    Judge,
    /// The target's authorization, or a token that could not be obtained.
    Auth,
    /// The target server.
    Server,
}

impl Side {
    /// Whether a trial that ends with this fault counts as a failure of the target. Faults of the harness, the model's
    /// API and the judge are missing data.
    pub fn counts_against_target(self) -> bool {
        match self {
            Self::Server | Self::Auth => true,
            Self::Harness | Self::Model | Self::Judge => false,
        }
    }

    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Harness => "harness",
            Self::Model => "model",
            Self::Judge => "judge",
            Self::Auth => "auth",
            Self::Server => "server",
        }
    }
}

/// Something broke that is not a failed expectation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Who is to blame.
    pub side: Side,
    /// A stable code that `rehearsal explain` knows, such as `target.unreachable` or `model.rate-limited`.
    pub code: String,
    /// Whether trying again could help.
    pub retryable: bool,
    /// What happened, lower case, without secrets.
    pub message: String,
}

impl Fault {
    /// A fault that trying again will not mend.
    pub fn new(side: Side, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { side, code: code.into(), retryable: false, message: message.into() }
    }

    /// The same, worth another try.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

/// Something of a tool or of its result that does not reach the model, so that it sees less than the server says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Loss {
    /// The tool.
    pub tool: crate::ids::ToolName,
    /// Where in its definition or result, as a JSON pointer, e.g. `/inputSchema/properties/id/minimum` or
    /// `/result/content/0`.
    pub place: String,
    /// What became of it, e.g. `left out: the API takes no minimum`.
    pub what: String,
}

/// Tokens of one or several model calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// Part of `input` that the provider served from its cache.
    pub cached: u64,
    /// Part of `input` that the provider stored in its cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_written: u64,
    /// Part of `output` spent on reasoning.
    pub reasoning: u64,
    /// Whether the provider reported these numbers; `false` means estimated by rehearsal.
    pub reported: bool,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    /// What was added since an earlier count; `None` where that counted more of anything.
    pub fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            input: self.input.checked_sub(before.input)?,
            output: self.output.checked_sub(before.output)?,
            cached: self.cached.checked_sub(before.cached)?,
            cache_written: self.cache_written.checked_sub(before.cache_written)?,
            reasoning: self.reasoning.checked_sub(before.reasoning)?,
            reported: self.reported,
        })
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let first = *self == Self::default();
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cached = self.cached.saturating_add(other.cached);
        self.cache_written = self.cache_written.saturating_add(other.cache_written);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.reported = other.reported && (first || self.reported);
    }
}
