//! A use case as it is written.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Answers;
use crate::llm::ModelSpec;
use crate::score::checks::Check;
use crate::score::checks::short::Written;
use crate::score::judge::Criterion;
use crate::suite::text_or::TextOr;
use crate::suite::yaml::At;
use crate::suite::{CommandStep, HttpStep, Limits, PromptStep, ResourceStep, ToolStep};
use crate::units::Period;

/// A use case: what the user says, and what must come of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The id, unique in the suite.
    pub id: At<String>,
    /// What the user says, if it is one turn.
    #[serde(default)]
    pub prompt: Option<At<String>>,
    /// What the user says, turn by turn.
    #[serde(default)]
    pub turns: Option<At<Vec<At<Turn>>>>,
    /// Tags to select by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The persona it runs as.
    #[serde(default)]
    pub persona: Option<At<String>>,
    /// The personas it runs as.
    #[serde(default)]
    pub personas: Option<Vec<At<String>>>,
    /// The client it runs through.
    #[serde(default)]
    pub client: Option<At<String>>,
    /// The clients it runs through.
    #[serde(default)]
    pub clients: Option<Vec<At<String>>>,
    /// The model it runs with.
    #[serde(default)]
    pub model: Option<At<String>>,
    /// The models it runs with.
    #[serde(default)]
    pub models: Option<Vec<At<String>>>,
    /// Trials; the suite's when absent.
    #[serde(default)]
    pub trials: Option<At<u32>>,
    /// Expectations in code.
    #[serde(default)]
    pub expect: Vec<At<Check>>,
    /// Expectations for the judge, each answered yes, no or unsure.
    #[serde(default)]
    pub criteria: Vec<At<Criterion>>,
    /// Limits of each trial.
    #[serde(default)]
    pub limits: Option<LimitsPart>,
    /// What is answered when the server asks the client: elicitation, sampling, roots.
    #[serde(default)]
    pub answers: Option<Answers>,
    /// What the scripted model does in this case.
    #[serde(default)]
    pub script: Option<Value>,
    /// Why this case is known to fail; it must keep failing.
    #[serde(default)]
    pub expected_failure: Option<At<TextOr<ExpectedFailurePart>>>,
    /// Steps before the first turn.
    #[serde(default)]
    pub setup: Vec<At<StepPart>>,
    /// Steps after the last turn whose results are checked.
    #[serde(default)]
    pub verify: Vec<At<VerifyPart>>,
    /// Steps at the end, whatever happened.
    #[serde(default)]
    pub cleanup: Vec<At<StepPart>>,
}

/// A turn of the user.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Turn {
    /// Fixed words.
    User(String),
    /// A user played by a model.
    Simulate(Box<SimulatePart>),
}

/// A user played by a model with a goal, for as many turns as it takes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatePart {
    /// Who the user is and how they speak.
    #[serde(default)]
    pub persona: String,
    /// What the user wants.
    pub goal: String,
    /// The model that plays the user: a name, `provider:id`, or a definition.
    pub model: At<TextOr<ModelSpec>>,
    /// When the user is done, besides having what they want.
    #[serde(default)]
    pub stop: Option<String>,
    /// Most turns of this user. Default 8.
    #[serde(default)]
    pub max_turns: Option<u32>,
    /// What a `scripted_user` says, turn by turn.
    #[serde(default)]
    pub script: Option<Value>,
}

/// Limits of a trial; what is not given comes from the defaults.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsPart {
    /// Most answers of the model per turn of the user. Default 10.
    #[serde(default)]
    pub turns: Option<u32>,
    /// Most tool calls of a trial. Default 20.
    #[serde(default)]
    pub tool_calls: Option<u32>,
    /// Most wall time of a trial. Default 2m.
    #[serde(default)]
    pub time: Option<Period>,
    /// Most tokens of a trial, in and out together.
    #[serde(default)]
    pub tokens: Option<u64>,
    /// Most US dollars of a trial.
    #[serde(default)]
    pub cost: Option<f64>,
}

impl LimitsPart {
    /// These limits, and `base` where nothing is said.
    pub fn over(self, base: Limits) -> Limits {
        Limits {
            turns: self.turns.unwrap_or(base.turns),
            tool_calls: self.tool_calls.unwrap_or(base.tool_calls),
            time: self.time.unwrap_or(base.time),
            tokens: self.tokens.or(base.tokens),
            cost: self.cost.or(base.cost),
        }
    }
}

/// A known failure, for some models only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailurePart {
    /// Why.
    pub reason: String,
    /// The models it holds for; all when absent.
    #[serde(default)]
    pub models: Vec<At<String>>,
}

/// A step of setup or cleanup.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StepPart {
    /// A tool call by the harness.
    Tool(ToolStep),
    /// A resource that the harness reads: its URI, or that with a persona.
    Resource(TextOr<ResourceStep>),
    /// A prompt that the harness gets: its name, or that with arguments and a persona.
    Prompt(TextOr<PromptStep>),
    /// An HTTP call: its URL, or a map.
    Http(Written<HttpStep>),
    /// A program that is run to its end: its command line, or a map. Needs `--allow-exec`.
    Command(Written<CommandStep>),
}

/// A step after the trial whose result is checked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyPart {
    /// A tool call. Exactly one of `tool`, `resource`, `prompt`, `http` and `command` is named.
    #[serde(default)]
    pub tool: Option<ToolStep>,
    /// A resource to read: its URI, or that with a persona.
    #[serde(default)]
    pub resource: Option<TextOr<ResourceStep>>,
    /// A prompt to get: its name, or that with arguments and a persona.
    #[serde(default)]
    pub prompt: Option<TextOr<PromptStep>>,
    /// An HTTP call: its URL, or a map.
    #[serde(default)]
    pub http: Option<Written<HttpStep>>,
    /// A program that is run to its end: its command line, or a map. Needs `--allow-exec`.
    #[serde(default)]
    pub command: Option<Written<CommandStep>>,
    /// An RFC 9535 JSONPath into the result; the whole result when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// What must be found there; the same matchers as `args` of `tool_called`.
    #[serde(default)]
    pub equals: Option<Value>,
}
