//! The shape of a suite file, key by key, with positions. Only shape: names are resolved in `resolve`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::entries::Entries;
use super::one_or_many::OneOrMany;
use super::text_or::TextOr;
use super::yaml::At;
use super::{GatePolicy, ToolStep};
use crate::auth::{Facts, Persona};
use crate::llm::ModelSpec;
use crate::mcp::ClientProfile;
use crate::score::judge::{Confidence, Escalate, Grouping, Rubric};
use crate::units::Offset;

mod access;
mod answers;
mod case;
mod surface;
mod target;

pub use access::{AccessRow, Others, PromptRow, ResourceRow};
pub use answers::{Answers, Replies, ReplyPart, RootPart, SamplingPart};
pub use case::{Case, ExpectedFailurePart, LimitsPart, SimulatePart, StepPart, Turn, VerifyPart};
pub use surface::{LintPart, SurfacePart};
pub use target::{Ready, ServerRef, Target, TlsFiles};

/// A suite: which server, what to ask as whom with which models, what to expect, when the run passes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "rehearsal suite")]
pub struct Document {
    /// The version of this format: 1.
    pub version: At<u32>,
    /// The name of the suite; the file stem when absent.
    #[serde(default)]
    pub name: Option<At<String>>,
    /// What the suite is about.
    #[serde(default)]
    pub description: String,
    /// Another suite file from which target, auth, personas, clients, models, judge, defaults and gate are taken where
    /// this file does not give them.
    #[serde(default)]
    pub extends: Option<At<String>>,
    /// Environment variables that the suite may read; `${NAME}` in the target stands for their values. They are taken for
    /// secrets and left out of everything that is kept or shown, but for those written as `{public: NAME}`.
    #[serde(default)]
    pub env: Vec<At<TextOr<PublicPart>>>,
    /// The server under test.
    #[serde(default)]
    pub target: Option<At<Target>>,
    /// Who issues tokens.
    #[serde(default)]
    pub auth: Option<At<AuthPart>>,
    /// Spoofed identities: names from `evals/personas`, or definitions. The first is the default of cases.
    #[serde(default)]
    pub personas: Option<Vec<At<TextOr<Persona>>>>,
    /// Emulated clients: names from `evals/clients`, or definitions. Default: reference.
    #[serde(default)]
    pub clients: Option<Vec<At<TextOr<ClientProfile>>>>,
    /// Models: names from `evals/models`, `provider:id`, or definitions.
    #[serde(default)]
    pub models: Option<Vec<At<TextOr<ModelSpec>>>>,
    /// Who judges criteria.
    #[serde(default)]
    pub judge: Option<At<JudgePart>>,
    /// Trials of each use case. Default 1.
    #[serde(default)]
    pub trials: Option<At<u32>>,
    /// Stop starting trials when this many US dollars are spent; `--max-cost` takes its place.
    #[serde(default)]
    pub max_cost: Option<At<f64>>,
    /// What cases use unless they say otherwise.
    #[serde(default)]
    pub defaults: Option<Defaults>,
    /// The use cases.
    #[serde(default)]
    pub cases: Vec<Case>,
    /// What each persona sees, may call and must never see or call.
    #[serde(default)]
    pub access: Entries<AccessRow>,
    /// Protocol probes of the server's auth.
    #[serde(default)]
    pub auth_checks: Option<At<AuthChecks>>,
    /// When a run passes.
    #[serde(default)]
    pub gate: Option<GatePolicy>,
    /// What the server's tools may cost and must be like, whoever calls them; found without a model.
    #[serde(default)]
    pub surface: Option<At<SurfacePart>>,
    /// Flaky use cases that raise no alarm of their own for at most 14 days. They still run, are reported and count in the
    /// rate of the suite. One use case in ten at most.
    #[serde(default)]
    pub quarantine: Vec<At<QuarantinePart>>,
    /// Steps before each use case.
    #[serde(default)]
    pub setup: Vec<At<StepPart>>,
    /// Steps after each use case whose results are checked.
    #[serde(default)]
    pub verify: Vec<At<VerifyPart>>,
    /// Steps at the end of each use case, whatever happened.
    #[serde(default)]
    pub cleanup: Vec<At<StepPart>>,
}

/// A use case that raises no alarm of its own for a while.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantinePart {
    /// The id of the case.
    pub case: At<String>,
    /// Who answers for it.
    pub owner: String,
    /// The last day, as `2026-03-31`; at most 14 days ahead when a run starts.
    pub until: At<String>,
    /// The day on which it was first put here, so that reports can say how long that has been.
    #[serde(default)]
    pub since: Option<At<String>>,
    /// Why.
    pub why: String,
}

/// An environment variable whose value may be seen by everybody, such as a URL.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicPart {
    /// The name of the variable.
    pub public: At<String>,
}

/// Who issues tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthPart {
    /// `embedded`: the loopback authorization server of the harness, or that with keys of its own. `none`: nobody.
    pub issuer: At<TextOr<IssuerPart>>,
}

/// How the embedded issuer differs from the usual one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerPart {
    /// A file with a signing key that outlives the run, for test environments that cannot be told a new one each time.
    #[serde(default)]
    pub key: Option<At<String>>,
    /// The port on 127.0.0.1, for a target whose issuer is written down. Default: a free one.
    #[serde(default)]
    pub port: Option<At<u16>>,
    /// Whether it speaks HTTPS; `${issuer.ca}` names the file with its authority. Default false.
    #[serde(default)]
    pub tls: Option<bool>,
    /// How far its clock is ahead, `-2h` for behind: for a target whose clock differs, or whose leeway is in question.
    /// Default 0s.
    #[serde(default)]
    pub clock_offset: Option<Offset>,
}

/// Who judges criteria.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JudgePart {
    /// The judge's model: a name from `evals/models`, `provider:id`, or a definition.
    pub model: At<TextOr<ModelSpec>>,
    /// How it is asked: a name from `evals/rubrics`, or a definition. Default: answers-question.
    #[serde(default)]
    pub rubric: Option<At<TextOr<Rubric>>>,
    /// A judge of another family, asked where the first is unsure or a text in the transcript talks to it.
    #[serde(default)]
    pub second: Option<At<TextOr<ModelSpec>>>,
    /// Judges that are always asked besides the first, until more than half of all agree. Instead of `second`.
    #[serde(default)]
    pub panel: Vec<At<TextOr<ModelSpec>>>,
    /// With `second`: `unsure` (the default), or `fail`: also where the first judge fails a criterion.
    #[serde(default)]
    pub escalate: Option<Escalate>,
    /// `apart` (the default): each criterion that weighs in a call of its own. `together`: all of a trial in one.
    #[serde(default)]
    pub calls: Option<Grouping>,
    /// How it is known how sure the first judge is of its word, so that `second` is asked where it is not: `logprobs` (the
    /// default where the model's definition has `logprobs`), `votes` (asked three times, at a temperature above 0) or
    /// `none` (the default elsewhere).
    #[serde(default)]
    pub confidence: Option<Confidence>,
}

/// What cases use unless they say otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The persona of cases that name none.
    #[serde(default)]
    pub persona: Option<At<String>>,
    /// Limits of each trial.
    #[serde(default)]
    pub limits: Option<LimitsPart>,
    /// What is answered when the server asks; a case that gives one of its keys replaces that key.
    #[serde(default)]
    pub answers: Option<Answers>,
    /// Tags that every case has besides its own.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Which auth checks run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthChecks {
    /// One pack or several: names from `evals/auth`.
    pub pack: At<OneOrMany>,
    /// Checks of the pack to leave out.
    #[serde(default)]
    pub skip: Vec<At<String>>,
    /// The second person of checks of isolation: a persona. Default: the second that has credentials of its own.
    #[serde(default)]
    pub other: Option<At<String>>,
    /// A persona that may do less than the first.
    #[serde(default)]
    pub weaker: Option<At<String>>,
    /// What no probe can guess about the target.
    #[serde(default)]
    pub facts: Facts,
}

/// Arguments left out are no arguments.
pub fn with_object_args(mut step: ToolStep) -> ToolStep {
    if step.args.is_null() {
        step.args = serde_json::json!({});
    }
    step
}
