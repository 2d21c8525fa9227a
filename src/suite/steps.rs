//! What the user says, and what is done around a conversation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Template;
use crate::ids::{PersonaName, ToolName};
use crate::llm::ModelSpec;
use crate::score::checks::short::{Brief, NoItem, Short};
use crate::units::Period;

/// A turn of the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Fixed words.
    User(String),
    /// A user played by a model, for as many turns as it takes.
    Simulate(Box<Simulate>),
}

impl Turn {
    /// The user whom a model plays, if one does.
    pub fn player(&self) -> Option<&Simulate> {
        match self {
            Self::User(_) => None,
            Self::Simulate(user) => Some(user),
        }
    }
}

/// A user whom a model plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulate {
    /// Who the user is and how they speak, in words for the model.
    pub persona: String,
    /// What the user wants.
    pub goal: String,
    /// When the user is done, besides having what they want.
    pub stop: Option<String>,
    /// Most turns of this user.
    pub max_turns: u32,
    /// The model.
    pub model: ModelSpec,
}

/// A step of setup or cleanup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A tool call by the harness, as the case's persona or another one.
    Tool(ToolStep),
    /// A resource that is read, likewise.
    Resource(ResourceStep),
    /// A prompt that is got, likewise.
    Prompt(PromptStep),
    /// An HTTP call, as nobody in particular.
    Http(HttpStep),
    /// A program that is run to its end; only with leave on the command line.
    Command(CommandStep),
}

impl Step {
    /// The tool, the URI or the prompt.
    pub fn name(&self) -> &str {
        match self {
            Self::Tool(step) => step.name.as_str(),
            Self::Resource(step) => &step.uri,
            Self::Prompt(step) => &step.name,
            Self::Http(step) => &step.url.0,
            Self::Command(step) => step.run.first().map_or("", String::as_str),
        }
    }

    /// Whether it is the target that is asked.
    pub fn asks_target(&self) -> bool {
        match self {
            Self::Tool(_) | Self::Resource(_) | Self::Prompt(_) => true,
            Self::Http(_) | Self::Command(_) => false,
        }
    }

    /// Every text of it in which variables are filled in.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Tool(_) | Self::Resource(_) | Self::Prompt(_) => vec![],
            Self::Http(step) => {
                std::iter::once(&step.url).chain(step.headers.values()).chain(&step.body).collect()
            }
            Self::Command(step) => step.env.values().chain(&step.stdin).collect(),
        }
    }

    /// As whom it runs, if not as the case's persona.
    pub fn persona(&self) -> Option<&PersonaName> {
        match self {
            Self::Tool(step) => step.persona.as_ref(),
            Self::Resource(step) => step.persona.as_ref(),
            Self::Prompt(step) => step.persona.as_ref(),
            Self::Http(_) | Self::Command(_) => None,
        }
    }
}

/// A resource that the harness reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceStep {
    /// Its URI.
    pub uri: String,
    /// As whom; the case's persona when absent.
    #[serde(default)]
    pub persona: Option<PersonaName>,
}

/// A prompt that the harness gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptStep {
    /// Its name.
    pub name: String,
    /// Its arguments; the protocol has texts only.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// As whom; the case's persona when absent.
    #[serde(default)]
    pub persona: Option<PersonaName>,
}

/// An HTTP call of a step, such as one that resets a database or looks into it. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpStep {
    /// The URL, `http` or `https`, with variables such as `${target.url}`.
    pub url: Template,
    /// The method. Default `GET`.
    #[serde(default = "get")]
    pub method: String,
    /// Headers; values with variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// The body, with variables; sent as JSON unless a header says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Template>,
    /// The status that says that it worked; any from 200 to 299 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

fn get() -> String {
    "GET".to_owned()
}

impl Short for HttpStep {
    const EXPECTS: &'static str = "a URL, or a map with `url`, `method`, `headers`, `body` and `status`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        let Brief::Text(url) = brief else { return None };
        Some(Self { url: Template(url), method: get(), headers: BTreeMap::new(), body: None, status: None })
    }
}

/// A program that a step runs to its end, in the folder of the project. It has worked when it ends with exit code 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandStep {
    /// The program and its arguments. No shell reads them.
    pub run: Vec<String>,
    /// Variables set for it, with variables of the suite.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// What it reads from its standard input, with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Template>,
    /// How long it may take. Default 30s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

impl Short for CommandStep {
    const EXPECTS: &'static str =
        "a list of a program and its arguments, or a map with `run`, `env`, `stdin` and `timeout`";
    type Item = String;
    const SCALARS: &'static [&'static str] = &[];
    const LIST: bool = true;

    fn from_brief(brief: Brief<String>) -> Option<Self> {
        let Brief::List(run) = brief else { return None };
        Some(Self { run, env: BTreeMap::new(), stdin: None, timeout: None })
    }
}

/// A tool call by the harness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolStep {
    /// The tool.
    pub name: ToolName,
    /// Its arguments.
    #[serde(default)]
    pub args: Value,
    /// As whom; the case's persona when absent.
    #[serde(default)]
    pub persona: Option<PersonaName>,
}

/// A step after the trial whose result is checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verify {
    /// What is called, read or got.
    #[serde(flatten)]
    pub step: Step,
    /// An RFC 9535 JSONPath into the result (structured content, JSON text, or the result of `prompts/get`); the whole
    /// result when absent.
    pub path: Option<String>,
    /// What must be found there; same matchers as `args` of `tool_called`.
    pub equals: Value,
}
