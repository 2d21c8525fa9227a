//! Language models: one trait, one file per provider dialect.
//!
//! A model definition is data ([`ModelSpec`], read from `evals/models/*.yaml`); a dialect turns it into something that
//! answers ([`ChatModel`]). Attempts, waits and retries are visible: every failed attempt is an event of the trial.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ModelName, ToolName};
use crate::transcript::{Fault, Recorder, ToolCall, Usage};
use crate::units::Period;

/// A model as a file in `evals/models` describes it. `provider:id` without a file gives one with defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The name suites use. Defaults to the file stem.
    #[serde(default = "unnamed")]
    pub name: ModelName,
    /// The dialect it speaks, one of the names in [`DIALECTS`].
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
            price: None,
            timeout: attempt_deadline(),
            retries: retries(),
            extra: BTreeMap::new(),
            script: None,
        }
    }

    /// The id sent to the API.
    pub fn api_id(&self) -> &str {
        self.id.as_deref().unwrap_or(self.name.as_str())
    }
}

/// US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million tokens read.
    pub input: f64,
    /// Per million tokens written.
    pub output: f64,
    /// Per million tokens read from the provider's cache; the input price when absent.
    #[serde(default)]
    pub cached: Option<f64>,
}

impl Price {
    /// US dollars for this usage.
    pub fn of(&self, usage: &Usage) -> f64 {
        let cached = usage.cached.min(usage.input);
        let fresh = usage.input - cached;
        let sum = fresh as f64 * self.input
            + cached as f64 * self.cached.unwrap_or(self.input)
            + usage.output as f64 * self.output;
        sum / 1e6
    }
}

/// What goes to a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatRequest {
    /// The system prompt, if any.
    pub system: Option<String>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The tools offered.
    pub tools: Vec<ToolOffer>,
    /// A JSON Schema the answer must follow (the judge's); `None` for free text.
    pub answer_schema: Option<Value>,
    /// The number of the trial, from 1: part of the identity of a call, and the seed of scripted models.
    pub trial: u32,
}

/// A tool as a model sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolOffer {
    /// The name offered.
    pub name: ToolName,
    /// The human-readable title, if the server gave one.
    pub title: Option<String>,
    /// The description.
    pub description: String,
    /// The input schema.
    pub schema: Value,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Message {
    /// The user's words.
    User(String),
    /// What the model said before.
    Assistant {
        /// Text, if any.
        text: Option<String>,
        /// Calls it asked for.
        calls: Vec<ToolCall>,
        /// What the dialect must give back unchanged (reasoning blocks, signatures).
        carry: Option<Value>,
    },
    /// What a tool call gave.
    Tool {
        /// The call answered.
        call: ToolCall,
        /// The text the model sees.
        text: String,
        /// Whether it is an error.
        is_error: bool,
    },
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatReply {
    /// Text, if any.
    pub text: Option<String>,
    /// Private reasoning, if shown.
    pub reasoning: Option<String>,
    /// Tool calls, in order; arguments that were no JSON stand as a JSON string.
    pub calls: Vec<ToolCall>,
    /// To be given back unchanged in [`Message::Assistant`].
    pub carry: Option<Value>,
    /// Tokens.
    pub usage: Usage,
    /// The model id the provider reported.
    pub model_id: Option<String>,
    /// Why it stopped, in the provider's word.
    pub stop: String,
    /// Milliseconds of the attempt that succeeded.
    pub took_ms: u64,
    /// Milliseconds to the first token, when streamed.
    pub first_token_ms: Option<u64>,
}

/// Something that answers. Implementations are shared by all trials of a run and keep no state of a conversation.
pub trait ChatModel: Send + Sync {
    /// One answer. Failed attempts are recorded in `log`; the fault that comes back is final, after all retries.
    /// Dropping the future cancels the call.
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        log: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>>;
}

/// What dialects get besides the definition.
#[derive(Clone)]
pub struct Outside {
    /// The one HTTP client.
    pub http: reqwest::Client,
    /// Looks up a declared environment variable; never the whole environment.
    pub env: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
}

/// A way of talking to a model.
pub struct Dialect {
    /// The name in `dialect:` and before the colon in `provider:id`.
    pub name: &'static str,
    /// One sentence for `rehearsal models` and the documentation.
    pub about: &'static str,
    /// What `provider:id` means for this dialect.
    pub inline: fn(id: &str) -> ModelSpec,
    /// Builds the model. The fault says which variable is missing or which field is wrong.
    pub build: fn(&ModelSpec, &Outside) -> Result<Arc<dyn ChatModel>, Fault>,
}

/// Every dialect.
pub static DIALECTS: &[Dialect] = &[];
