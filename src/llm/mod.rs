//! Language models: one trait, one file per provider dialect.
//!
//! A model definition is data ([`ModelSpec`], read from `evals/models/*.yaml`); a dialect turns it into something that
//! answers ([`ChatModel`]). Attempts, waits and retries are visible: every failed attempt is an event of the trial.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ids::{Digest, ToolName};
use crate::transcript::{CaseHeader, Fault, Loss, Recorder, Side, ToolCall, Usage};

pub mod anthropic;
mod api;
pub mod command;
pub mod estimate;
pub mod gemini;
pub mod lexical;
pub mod loader;
mod media;
pub mod odds;
mod offers;
pub mod openai;
pub mod pace;
pub mod providers;
mod retry;
mod schema;
pub mod scripted;
pub mod scripted_judge;
pub mod scripted_user;
mod spec;
pub mod tape;

pub use media::Media;
pub use odds::{Odds, Weigh};
pub use offers::Offers;
pub use spec::{ModelLimits, ModelSpec, Price, Reasoning};

/// What goes to a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChatRequest {
    /// The system prompt, if any.
    pub system: Option<String>,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The tools offered.
    pub tools: Offers,
    /// Whether it must call one of them.
    #[serde(skip_serializing_if = "ToolChoice::is_auto")]
    pub choice: ToolChoice,
    /// A JSON Schema the answer must follow (the judge's); `None` for free text.
    pub answer_schema: Option<Value>,
    /// Fields of that answer whose odds are wanted, of models whose definition has `logprobs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weigh: Option<Weigh>,
    /// The number of the trial, from 1: part of the identity of a call, and the seed of scripted models.
    pub trial: u32,
}

/// Whether a model must call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must not.
    Never,
    /// It must call one or more.
    Required,
    /// It must call this one.
    Only(ToolName),
}

impl ChatRequest {
    /// The digest of everything the model sees: that of the request's JSON, of which the tools are written once for all
    /// requests that offer the same.
    pub fn digest(&self) -> Digest {
        #[derive(Serialize)]
        struct Written<'a> {
            system: &'a Option<String>,
            messages: &'a [Message],
            tools: &'a RawValue,
            #[serde(skip_serializing_if = "ToolChoice::is_auto")]
            choice: &'a ToolChoice,
            answer_schema: &'a Option<Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            weigh: &'a Option<Weigh>,
            trial: u32,
        }
        let Self { system, messages, tools, choice, answer_schema, weigh, trial } = self;
        Digest::of_json(&Written {
            system,
            messages,
            tools: tools.json(),
            choice,
            answer_schema,
            weigh,
            trial: *trial,
        })
    }
}

impl ToolChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// A tool as a model sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToolOffer {
    /// The name offered.
    pub name: ToolName,
    /// The server's own name for it, where the client profile offers another. No model sees it.
    #[serde(skip)]
    pub tool: Option<ToolName>,
    /// The human-readable title, if the server gave one.
    pub title: Option<String>,
    /// The description.
    pub description: String,
    /// The input schema.
    pub schema: Value,
}

impl ToolOffer {
    /// The server's own name for the tool.
    pub fn server_name(&self) -> &ToolName {
        self.tool.as_ref().unwrap_or(&self.name)
    }
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
        /// Images and sounds beside the text, where the client passes them on as such.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        media: Vec<Media>,
    },
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatReply {
    /// Text, if any.
    pub text: Option<String>,
    /// Private reasoning, if shown.
    pub reasoning: Option<String>,
    /// Tool calls, in order; arguments that were no JSON stand as a JSON string.
    pub calls: Vec<ToolCall>,
    /// To be given back unchanged in [`Message::Assistant`].
    pub carry: Option<Value>,
    /// How likely it found each word in the fields that were to be weighed; those that could not be are left out.
    #[serde(skip_serializing_if = "Odds::is_empty")]
    pub odds: Odds,
    /// Tokens.
    pub usage: Usage,
    /// The model id the provider reported.
    pub model_id: Option<String>,
    /// Why it stopped, in the provider's word.
    pub stop: String,
    /// Whether it, or its provider's filter, refused to answer.
    pub refused: bool,
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

    /// What of these tools its API does not take, in their order. Pure.
    fn losses(&self, _tools: &Offers) -> Vec<Loss> {
        vec![]
    }

    /// Why the model does not get an image or a sound of a tool's result; `None`: it does. Pure.
    fn unseen(&self, media: &Media) -> Option<String> {
        Some(media::text_only(media))
    }

    /// The same model for one trial, where it matters to it which one; `None`: it does not.
    fn at(&self, _header: &CaseHeader) -> Option<Arc<dyn ChatModel>> {
        None
    }
}

/// A model for one trial: [`ChatModel::at`], or the model itself.
pub fn at(model: &Arc<dyn ChatModel>, header: &CaseHeader) -> Arc<dyn ChatModel> {
    model.at(header).unwrap_or_else(|| Arc::clone(model))
}

/// Looks up an environment variable.
pub type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Makes a model of a definition.
pub type Build = fn(&ModelSpec, &Outside) -> Result<Arc<dyn ChatModel>, Fault>;

/// What dialects get besides the definition.
#[derive(Clone)]
pub struct Outside {
    /// The one HTTP client.
    pub http: reqwest::Client,
    /// Looks up a declared environment variable; never the whole environment.
    pub env: Lookup,
    /// How fast each provider may be asked; shared by all models of a run.
    pub paces: Arc<pace::Paces>,
}

impl Outside {
    /// With paces of its own.
    pub fn new(http: reqwest::Client, env: Lookup) -> Self {
        Self { http, env, paces: Arc::default() }
    }
}

/// A way of talking to a model.
pub struct Dialect {
    /// The name in `dialect:` and before the colon in `provider:id`.
    pub name: &'static str,
    /// One sentence for `rehearsal models` and the documentation.
    pub about: &'static str,
    /// What `provider:id` means for this dialect.
    pub inline: fn(id: &str) -> ModelSpec,
    /// Whether its API can be asked for log probabilities of tokens.
    pub logprobs: bool,
    /// The most tokens of an answer that its requests ask for; `None`: they do not say.
    pub longest: fn(&ModelSpec) -> Option<u64>,
    /// Builds the model. The fault says which variable is missing or which field is wrong.
    pub build: Build,
}

/// Every dialect.
pub static DIALECTS: &[Dialect] = &[
    openai::DIALECT,
    openai::RESPONSES,
    anthropic::DIALECT,
    gemini::DIALECT,
    lexical::DIALECT,
    scripted::DIALECT,
    scripted_judge::DIALECT,
    scripted_user::DIALECT,
    command::DIALECT,
];

/// The dialect of a name.
pub fn dialect(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| dialect.name == name)
}

/// Builds a model. The fault says which variable is missing (`credentials.missing-key`) or which field is wrong
/// (`model.bad-definition`).
pub fn build(spec: &ModelSpec, outside: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    match dialect(&spec.dialect) {
        Some(dialect) => {
            let Some(top) = spec.logprobs else { return (dialect.build)(spec, outside) };
            if !dialect.logprobs {
                let why = format!("`logprobs`: the dialect `{}` gives none", dialect.name);
                return Err(bad_definition(spec, &why));
            }
            if !(1..=odds::MOST_TOP).contains(&usize::from(top)) {
                return Err(bad_definition(spec, "`logprobs` is a number from 1 to 20"));
            }
            Ok(odds::willing((dialect.build)(spec, outside)?))
        }
        None => {
            let known: Vec<_> = DIALECTS.iter().map(|dialect| format!("`{}`", dialect.name)).collect();
            Err(bad_definition(
                spec,
                &format!("no dialect is called `{}`; there are {}", spec.dialect, known.join(", ")),
            ))
        }
    }
}

/// The environment variable that must be set before this model can answer.
pub fn required_env(spec: &ModelSpec) -> Option<&str> {
    spec.key.as_deref()
}

/// The most tokens of an answer that are asked for, where `limits.output` changes it; `None` where it changes nothing, so
/// that the limit is a fact about the model and no more.
pub fn limited_output(spec: &ModelSpec) -> Option<u64> {
    spec.limits.output?;
    let longest = dialect(&spec.dialect)?.longest;
    let limits = ModelLimits { output: None, ..spec.limits };
    let free = longest(&ModelSpec { limits, ..spec.clone() });
    longest(spec).filter(|most| free != Some(*most))
}

/// A field of a definition that makes no sense.
fn bad_definition(spec: &ModelSpec, message: &str) -> Fault {
    Fault::new(Side::Model, "model.bad-definition", format!("model `{}`: {message}", spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outside() -> Outside {
        Outside::new(crate::net::client().unwrap(), Arc::new(|_| None))
    }

    #[test]
    fn every_dialect_has_its_own_name_and_an_inline_form() {
        for dialect in DIALECTS {
            assert_eq!(DIALECTS.iter().filter(|other| other.name == dialect.name).count(), 1);
            assert_eq!((dialect.inline)("some-id").dialect, dialect.name);
            assert!(!dialect.about.is_empty());
        }
    }

    #[test]
    fn a_missing_key_and_an_unknown_dialect_are_faults() {
        let spec = (dialect("openai").unwrap().inline)("gpt-x");
        assert_eq!(required_env(&spec), Some("OPENAI_API_KEY"));
        let fault = build(&spec, &outside()).err().unwrap();
        assert_eq!((fault.code.as_str(), fault.side), ("credentials.missing-key", Side::Model));
        assert!(fault.message.contains("`OPENAI_API_KEY`"), "{fault}");
        let fault = build(&ModelSpec::new("x", "opnai"), &outside()).err().unwrap();
        assert_eq!(fault.code, "model.bad-definition");
    }

    #[test]
    fn a_limit_counts_where_it_changes_what_is_asked() {
        let limited = |dialect: &str, max_tokens: Option<u32>, output: Option<u64>| {
            let mut spec = ModelSpec { max_tokens, ..ModelSpec::new("m", dialect) };
            spec.limits.output = output;
            limited_output(&spec)
        };
        for dialect in DIALECTS {
            assert_eq!(limited(dialect.name, None, None), None);
            assert_eq!(limited(dialect.name, Some(100), None), None);
            assert_eq!(limited(dialect.name, Some(100), Some(4_000)), None, "{}", dialect.name);
        }
        for dialect in ["openai", "openai_responses"] {
            assert_eq!(limited(dialect, Some(9_000), Some(4_000)), Some(4_000));
            assert_eq!(limited(dialect, None, Some(4_000)), None);
        }
        assert_eq!(limited("anthropic", None, Some(64_000)), Some(64_000));
        assert_eq!(limited("anthropic", None, Some(16_384)), None, "as without it");
        assert_eq!(limited("gemini", Some(9_000), Some(4_000)), None, "it asks for what the definition says");
    }

    #[test]
    fn log_probabilities_are_of_apis_that_have_them() {
        let built = |dialect: &str, top: u8| {
            let spec = ModelSpec { logprobs: Some(top), ..ModelSpec::new("m", dialect) };
            build(&spec, &outside()).map(|_| ()).map_err(|fault| fault.message)
        };
        for dialect in DIALECTS {
            let found = built(dialect.name, 5);
            assert_eq!(found.is_ok(), dialect.logprobs, "{}: {found:?}", dialect.name);
        }
        assert!(built("anthropic", 5).is_err_and(|why| why.contains("`anthropic` gives none")));
        assert!(built("openai", 0).is_err() && built("openai", 21).is_err() && built("openai", 20).is_ok());
    }

    #[test]
    fn every_dialect_says_which_media_a_model_does_not_get() {
        let outside = Outside::new(crate::net::client().unwrap(), Arc::new(|_| Some("a-key".to_owned())));
        let mimes = ["image/png", "audio/wav", "audio/ogg", "image/svg+xml"];
        // Which of these reach the model; the built-in baseline reads text.
        let table = [
            ("openai", [true, true, false, false]),
            ("openai_responses", [true, false, false, false]),
            ("anthropic", [true, false, false, false]),
            ("gemini", [true, true, true, false]),
            ("lexical", [false; 4]),
        ];
        for (name, reach) in table {
            let model = build(&(dialect(name).unwrap().inline)("m"), &outside).unwrap();
            for (mime, reaches) in mimes.into_iter().zip(reach) {
                let why = model.unseen(&Media { mime: mime.to_owned(), data: "QQ==".into() });
                assert_eq!(why.is_none(), reaches, "{name} {mime}: {why:?}");
                assert!(why.is_none_or(|why| why.starts_with("left out: ") && why.contains(mime)), "{name}");
            }
        }
    }

    #[test]
    fn a_request_has_the_digest_of_its_json() {
        let offer = |name: &str| ToolOffer {
            name: name.into(),
            tool: None,
            title: Some("T".into()),
            description: "Does it.".into(),
            schema: serde_json::json!({"type": "object", "properties": {"z": {}, "a": {}}}),
        };
        let bare =
            ChatRequest { messages: vec![Message::User("hi".into())], trial: 1, ..ChatRequest::default() };
        let full = ChatRequest {
            system: Some("Be kind.".into()),
            tools: vec![offer("a"), offer("b")].into(),
            choice: ToolChoice::Only("a".into()),
            answer_schema: Some(serde_json::json!({"type": "object"})),
            weigh: Some(Weigh { top: 5, fields: vec!["/a".into()], words: vec!["yes".into()] }),
            trial: 2,
            ..bare.clone()
        };
        for request in [bare, full] {
            assert_eq!(request.digest(), Digest::of_json(&request));
        }
    }
}
