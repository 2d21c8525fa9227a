//! What a model is, as a file in `evals/models` describes it: data only.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::ModelName;
use crate::transcript::Usage;
use crate::units::Period;

/// A model as a file in `evals/models` describes it. `provider:id` without a file gives one with defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The name suites use. Defaults to the file stem.
    #[serde(default = "unnamed")]
    pub name: ModelName,
    /// The dialect it speaks, e.g. `openai`, `anthropic` or `gemini`; an unknown one is refused with the names of all.
    pub dialect: String,
    /// The id the provider's API wants. Defaults to the name.
    #[serde(default)]
    pub id: Option<String>,
    /// Where the API is, without a trailing slash, e.g. `https://api.openai.com/v1`. The dialect knows a default.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The environment variable that holds the key, e.g. `OPENAI_API_KEY`. None: no key is sent.
    #[serde(default)]
    pub key: Option<String>,
    /// What this is and where its numbers come from.
    #[serde(default)]
    pub description: String,
    /// Sampling temperature; the provider's default when absent.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Most tokens of one answer; the provider's default when absent.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// Seed, where the provider takes one.
    #[serde(default)]
    pub seed: Option<i64>,
    /// Whether answers are streamed. Streaming gives time to first token.
    #[serde(default)]
    pub stream: bool,
    /// Who made the model, e.g. `anthropic`: a judge of the same family as the candidate is warned of.
    #[serde(default)]
    pub family: Option<String>,
    /// How much it thinks before it answers; the provider's default when absent.
    #[serde(default)]
    pub reasoning: Option<Reasoning>,
    /// How many likely tokens its API tells in the place of each one, from 1 to 20, with their log probabilities: a judge
    /// asks for them. Absent: it tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub logprobs: Option<u8>,
    /// Whether it may call several tools at once; the provider's default when absent.
    #[serde(default)]
    pub parallel_tools: Option<bool>,
    /// Whether requests mark what the provider may cache, where it wants marks. Default: they do.
    #[serde(default = "yes")]
    pub cache: bool,
    /// The header that carries the key, e.g. `api-key`. Default: the dialect's own.
    #[serde(default)]
    pub key_header: Option<String>,
    /// Further headers of each request. No secrets: they are stored with the run.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What the model and its provider bear.
    #[serde(default)]
    pub limits: ModelLimits,
    /// Prices; unpriced when absent, never zero by accident.
    #[serde(default)]
    pub price: Option<Price>,
    /// Deadline of one attempt. Default 120s.
    #[serde(default = "attempt_deadline")]
    pub timeout: Period,
    /// How often a failed attempt is repeated when that could help. Default 4.
    #[serde(default = "retries")]
    pub retries: u32,
    /// Further parameters passed to the API as they are.
    #[serde(default)]
    pub extra: BTreeMap<String, Value>,
    /// What a scripted dialect follows; its shape belongs to the dialect.
    #[serde(default)]
    pub script: Option<Value>,
    /// The command line of an agent that is a program, with placeholders such as `{prompt}`; for `dialect: command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How that program works on a prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<super::command::AgentSpec>,
}

fn unnamed() -> ModelName {
    ModelName::from("")
}

fn attempt_deadline() -> Period {
    Period::secs(120)
}

fn retries() -> u32 {
    4
}

fn yes() -> bool {
    true
}

/// How much a model thinks. Providers take one of the two; the dialect says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoning {
    /// The provider's word, e.g. `none`, `minimal`, `low`, `medium`, `high`, `xhigh`.
    #[serde(default)]
    pub effort: Option<String>,
    /// Most tokens of thought.
    #[serde(default)]
    pub budget: Option<u32>,
}

/// What a model bears, and what its provider allows to one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelLimits {
    /// Tokens that fit into one request and its answer.
    #[serde(default)]
    pub context: Option<u64>,
    /// Tokens of the longest answer.
    #[serde(default)]
    pub output: Option<u64>,
    /// Requests a minute.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, read and written together.
    #[serde(default)]
    pub tokens_per_minute: Option<u32>,
    /// Requests at once. Default: grows until the provider says that it is too much.
    #[serde(default)]
    pub concurrency: Option<u32>,
}

impl ModelSpec {
    /// A definition with defaults, as `provider:id` gives it.
    pub fn new(name: &str, dialect: &str) -> Self {
        Self {
            name: ModelName::from(name),
            dialect: dialect.to_owned(),
            id: None,
            base_url: None,
            key: None,
            description: String::new(),
            temperature: None,
            max_tokens: None,
            seed: None,
            stream: false,
            family: None,
            reasoning: None,
            logprobs: None,
            parallel_tools: None,
            cache: yes(),
            key_header: None,
            headers: BTreeMap::new(),
            limits: ModelLimits::default(),
            price: None,
            timeout: attempt_deadline(),
            retries: retries(),
            extra: BTreeMap::new(),
            script: None,
            command: vec![],
            agent: None,
        }
    }

    /// What `prefix:id` means without a file: this dialect, the id as it stands, and a key where one is named.
    pub(super) fn inline(prefix: &str, id: &str, dialect: &str, key: Option<&str>) -> Self {
        Self {
            id: Some(id.to_owned()),
            key: key.map(str::to_owned),
            ..Self::new(&format!("{prefix}:{id}"), dialect)
        }
    }

    /// The id sent to the API.
    pub fn api_id(&self) -> &str {
        self.id.as_deref().unwrap_or(self.name.as_str())
    }
}

/// US dollars per million tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million tokens read.
    pub input: f64,
    /// Per million tokens written.
    pub output: f64,
    /// Per million tokens read from the provider's cache; the input price when absent.
    #[serde(default)]
    pub cached: Option<f64>,
    /// Per million tokens written to the provider's cache; the input price when absent.
    #[serde(default)]
    pub cache_write: Option<f64>,
    /// The day on which somebody last compared these prices with the provider's, e.g. `2026-11-21`.
    #[serde(default)]
    pub verified: Option<String>,
}

impl Price {
    /// US dollars for this usage.
    pub fn of(&self, usage: &Usage) -> f64 {
        let cached = usage.cached.min(usage.input);
        let written = usage.cache_written.min(usage.input - cached);
        let fresh = usage.input - cached - written;
        let sum = fresh as f64 * self.input
            + cached as f64 * self.cached.unwrap_or(self.input)
            + written as f64 * self.cache_write.unwrap_or(self.input)
            + usage.output as f64 * self.output;
        sum / 1e6
    }
}
