//! The `command` dialect: an agent that is a program, such as a coding agent on the command line. It brings its own model,
//! its own loop and its own MCP client; everything about how it is started and read is data.
//!
//! ```yaml
//! dialect: command
//! command: [some-agent, --mcp-config, "{mcp_config}", --model, "{model}"]
//! agent:
//!   stdin: "{prompt}"
//!   output: {form: json, answer: $.answer}
//! ```

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChatModel, Dialect, Lookup, ModelSpec, Outside, bad_definition};
use crate::transcript::{Fault, Side};

pub mod fill;
pub mod output;

use fill::Place;
use output::Output;

/// The name of this dialect.
pub const NAME: &str = "command";

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: NAME,
    about: "an agent that is a program: it works on the prompts of cases by itself, through a recording relay",
    inline: |id| ModelSpec::new(&format!("{NAME}:{id}"), NAME),
    logprobs: false,
    longest: |_| None,
    build,
};

/// How a program works on a prompt, besides its command line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// The command line for every prompt after the first, for agents that can go on with a conversation. Absent: the agent
    /// works on cases with one prompt only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<String>,
    /// What is written to its standard input, with the placeholders of the command line. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Environment variables of ours that it gets where they are set, besides `key`. Each is treated as a secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Variables that are set for it, with placeholders. `HOME` and the XDG folders are set in any case, to a folder of
    /// the trial.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Files that are written below its home before it starts, by relative path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileText>,
    /// How its standard output is read. Absent: all of it is the answer.
    #[serde(default)]
    pub output: Output,
}

/// The text of a file: the same for every server, or one for each way in which it is reached. Placeholders stand for JSON
/// texts and lists with their quotation marks, which TOML reads as well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FileText {
    /// One text.
    Always(String),
    /// One for each way.
    ByWay {
        /// For a server at the URL `{url}`.
        http: String,
        /// For a server that is started with `{program}` and `{args}`, and with `{address}` in the variable
        /// `REHEARSAL_RELAY` and `{secret}` in `REHEARSAL_RELAY_SECRET`.
        stdio: String,
    },
}

/// An agent that can be started.
#[derive(Debug)]
pub struct Agent {
    /// Its definition.
    pub spec: ModelSpec,
    /// How it works on a prompt.
    pub how: AgentSpec,
    /// Variables of ours that it gets, with their values.
    pub env: BTreeMap<String, String>,
}

impl Agent {
    /// The agent of a definition. Reads its variables, and nothing else of the surroundings.
    ///
    /// # Errors
    /// `credentials.missing-key` for a key that is not set, `model.bad-definition` for fields that make no sense.
    pub fn new(spec: &ModelSpec, lookup: &Lookup) -> Result<Self, Fault> {
        let problems = problems(spec);
        if !problems.is_empty() {
            return Err(bad_definition(spec, &problems.join("; ")));
        }
        let how = spec.agent.clone().unwrap_or_default();
        let mut env = BTreeMap::new();
        for name in how.env.iter().chain(&spec.key) {
            if let Some(value) = lookup(name) {
                env.insert(name.clone(), value);
            }
        }
        match &spec.key {
            Some(key) if !env.contains_key(key) => {
                let message =
                    format!("agent `{}` needs the environment variable `{key}`, which is not set", spec.name);
                Err(Fault::new(Side::Model, "credentials.missing-key", message))
            }
            _ => Ok(Self { spec: spec.clone(), how, env }),
        }
    }

    /// The command line for the prompt of this number, from 1; `None` when the agent cannot go on so far.
    pub fn command(&self, prompt: usize) -> Option<&[String]> {
        let words = if prompt <= 1 { &self.spec.command } else { &self.how.then };
        (!words.is_empty()).then_some(words)
    }
}

/// Whether a definition is of an agent that is a program.
pub fn is_agent(spec: &ModelSpec) -> bool {
    spec.dialect == NAME
}

/// Whether an agent can work on more than one prompt.
pub fn converses(spec: &ModelSpec) -> bool {
    spec.agent.as_ref().is_some_and(|agent| !agent.then.is_empty())
}

/// Everything that is wrong with a definition, one sentence each, for the loader of suites. Definitions of other dialects
/// have no such fields.
pub fn problems(spec: &ModelSpec) -> Vec<String> {
    if !is_agent(spec) {
        let foreign = [("command", !spec.command.is_empty()), ("agent", spec.agent.is_some())];
        let named = foreign.into_iter().filter(|(_, given)| *given);
        return named.map(|(key, _)| format!("`{key}` belongs to `dialect: {NAME}`")).collect();
    }
    let how = spec.agent.clone().unwrap_or_default();
    let mut wrong = vec![];
    if spec.command.first().is_none_or(|program| program.trim().is_empty()) {
        wrong.push(
            "`command` names no program; write it like `command: [some-agent, -p, \"{prompt}\"]`".to_owned(),
        );
    }
    let given = |words: &[String]| words.iter().chain(&how.stdin).any(|word| word.contains("{prompt}"));
    if !spec.command.is_empty() && !given(&spec.command) {
        wrong.push(
            "neither `command` nor `agent.stdin` holds `{prompt}`, so the agent is told nothing".to_owned(),
        );
    }
    if !how.then.is_empty() && !given(&how.then) {
        wrong.push("neither `agent.then` nor `agent.stdin` holds `{prompt}`".to_owned());
    }
    let words = spec.command.iter().chain(&how.then).chain(&how.stdin).chain(how.set.values());
    for name in words.flat_map(|word| fill::unknown(word, Place::Word)) {
        wrong.push(unknown(&name, Place::Word));
    }
    for (path, text) in &how.files {
        if !is_below(path) {
            wrong.push(format!("`agent.files` names `{path}`, which is no relative path without `..`"));
        }
        let texts = match text {
            FileText::Always(text) => vec![text],
            FileText::ByWay { http, stdio } => vec![http, stdio],
        };
        for name in texts.into_iter().flat_map(|text| fill::unknown(text, Place::File)) {
            wrong.push(unknown(&name, Place::File));
        }
    }
    let names = how.env.iter().chain(how.set.keys()).chain(&spec.key);
    for name in names.filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
        wrong.push(format!("`{name}` is not the name of an environment variable"));
    }
    wrong.extend(how.output.problems());
    wrong
}

fn unknown(name: &str, place: Place) -> String {
    let known = fill::known(place).map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ");
    format!("`{{{name}}}` is no placeholder here; there are {known}")
}

fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// An agent is no model that answers for others.
fn build(spec: &ModelSpec, _: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let why = "an agent that is a program works on cases only; it cannot judge, sample or play a user";
    Err(bad_definition(spec, why))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(more: Value) -> ModelSpec {
        let mut spec = json!({"name": "a", "dialect": "command", "command": ["agent", "{prompt}"]});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_plain_command_is_enough_and_mistakes_are_named() {
        assert_eq!(problems(&spec(json!({}))), Vec::<String>::new());
        let wrong = |more: Value| problems(&spec(more)).join("; ");
        assert!(wrong(json!({"command": []})).contains("names no program"));
        assert!(wrong(json!({"command": ["agent"]})).contains("told nothing"));
        assert!(
            wrong(json!({"command": ["agent", "{prompt}", "{promt}"]}))
                .contains("`{promt}` is no placeholder")
        );
        assert!(wrong(json!({"agent": {"files": {"../x": ""}}})).contains("relative path"));
        assert!(wrong(json!({"agent": {"files": {"/x": ""}}})).contains("relative path"));
        assert!(wrong(json!({"agent": {"then": ["agent"]}})).contains("`agent.then`"));
        assert!(wrong(json!({"agent": {"set": {"A=B": "x"}}})).contains("`A=B`"));
        assert!(wrong(json!({"agent": {"output": {"answer": "no path"}}})).contains("JSONPath"));
        assert!(wrong(json!({"dialect": "openai"})).contains("belongs to `dialect: command`"));
    }

    #[test]
    fn only_named_variables_are_read_and_a_missing_key_is_a_fault() {
        let lookup: Lookup = Arc::new(|name| (name != "MISSING").then(|| format!("value of {name}")));
        let agent = Agent::new(&spec(json!({"key": "KEY", "agent": {"env": ["OTHER", "MISSING"]}})), &lookup)
            .unwrap();
        assert_eq!(agent.env.keys().collect::<Vec<_>>(), ["KEY", "OTHER"]);
        assert!(agent.command(1).is_some() && agent.command(2).is_none());
        let fault = Agent::new(&spec(json!({"key": "MISSING"})), &lookup).unwrap_err();
        assert_eq!(fault.code, "credentials.missing-key");
    }
}
