//! Prompts: texts, files, and conversations as JSON. And how promptfoo signs in at a server.

use serde_json::{Value, json};

use super::super::draft::{Case, Draft, Mapped};
use super::super::node::Node;
use super::super::openai_evals::conversation;
use super::super::source::{Near, Source};
use super::super::target::template;
use super::vars::Vars;
use crate::diag::Origin;

/// A prompt with variables.
#[derive(Clone, Debug)]
pub(super) struct Prompt {
    at: Origin,
    /// What tells it from the others.
    pub(super) label: String,
    /// `None`: the question is one of the variables.
    text: Option<String>,
}

impl Prompt {
    /// The prompt of files that have tests only.
    pub(super) fn blank(at: &Origin) -> Self {
        Self { at: at.clone(), label: String::new(), text: None }
    }

    /// Puts the question into the case.
    pub(super) fn ask(&self, vars: &Vars, case: &mut Case) {
        let part = Mapped::new("prompt", &self.at, self.text.as_deref().unwrap_or_default());
        let Some(template) = &self.text else {
            match vars.question() {
                Some(question) => {
                    case.turns.push(question);
                    case.told(
                        part.near("prompt", "no prompt is given; the question is one of the variables"),
                    );
                }
                None => {
                    case.leave_out("no prompt is given, and none of the variables is clearly the question");
                    case.told(
                        part.lost("no prompt is given, and none of the variables is clearly the question"),
                    );
                }
            }
            return;
        };
        let text = match vars.fill(template) {
            Ok(text) => text,
            Err(why) => {
                case.leave_out(format!("its prompt cannot be filled in: {why}"));
                case.told(part.lost(why));
                return;
            }
        };
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Array(messages)) if messages.iter().all(|message| message.get("role").is_some()) => {
                conversation(&Node::on_line(&Value::Array(messages), &self.at), case);
                case.told(part.exact("prompt"));
            }
            Ok(Value::Object(call)) if call.contains_key("tool") => {
                let why =
                    "it calls a tool without a model; `setup`, `verify` and `access` of a suite do that";
                case.leave_out(why);
                case.told(part.lost(why));
            }
            _ => {
                case.turns.push(text);
                case.told(part.exact("prompt"));
            }
        }
    }
}

/// The prompts of a configuration.
pub(super) fn read(source: &Source, prompts: &Node, near: Near<'_>, draft: &mut Draft) -> Vec<Prompt> {
    let mut found = vec![];
    for node in prompts.one_or_many() {
        let raw = node.text().or_else(|| node.any(&["raw", "id", "content"])?.text()).unwrap_or_default();
        let label = node.text_at("label").unwrap_or_default();
        let named = raw.strip_prefix("file://").or_else(|| is_file(raw).then_some(raw));
        let Some(name) = named else {
            found.push(Prompt { at: node.at.clone(), label: label.to_owned(), text: Some(raw.to_owned()) });
            continue;
        };
        let part = Mapped::new("prompts", &node.at, raw);
        match near(source, name)
            .filter(|file| ["txt", "md", "json", "yaml", "yml", ""].contains(&&*file.ending()))
        {
            Some(file) => {
                let texts: Vec<String> = match file.ending().as_str() {
                    // YAML conversations are the same as JSON ones.
                    "yaml" | "yml" => {
                        vec![file.tree().map(|tree| tree.value().to_string()).unwrap_or_default()]
                    }
                    "json" => vec![file.text.to_string()],
                    _ => file.text.split("\n---\n").map(|text| text.trim().to_owned()).collect(),
                };
                draft.told(part.exact("prompt"));
                found.extend(texts.into_iter().filter(|text| !text.is_empty()).map(|text| Prompt {
                    at: node.at.clone(),
                    label: label.to_owned(),
                    text: Some(text),
                }));
            }
            None => {
                draft.told(part.lost("there is no such file beside the configuration, or it is a program"));
            }
        }
    }
    let many = found.len() > 1;
    for (index, prompt) in found.iter_mut().enumerate() {
        if many && prompt.label.is_empty() {
            prompt.label = format!("p{}", index + 1);
        }
    }
    found
}

/// Whether a prompt without a scheme names a file.
fn is_file(text: &str) -> bool {
    let ends = [".txt", ".md", ".json", ".yaml", ".yml", ".js", ".py", ".ts"];
    !text.contains(char::is_whitespace) && !text.contains("{{") && ends.iter().any(|end| text.ends_with(end))
}

/// The name of the variable that holds a secret.
fn held(auth: &Node, key: &str, usual: &str, draft: &mut Draft) -> String {
    let filled = template(auth.text_at(key).unwrap_or_default(), draft);
    let name = filled.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(str::to_owned);
    name.unwrap_or_else(|| draft.variable(usual).trim_matches(['$', '{', '}']).to_owned())
}

/// How a server wants its caller to sign in. Secrets are variables, whatever stands in the file.
pub(super) fn auth(auth: &Node, draft: &mut Draft) {
    let kind = auth.text_at("type").unwrap_or_default();
    let part = Mapped::new("auth", &auth.at, kind);
    let header = auth.text_at("placement") != Some("query");
    let identity = match kind {
        "bearer" => json!({"bearer": {"env": held(auth, "token", "MCP_BEARER_TOKEN", draft)}}),
        "api_key" if header => {
            let key = if auth.get("value").is_some() { "value" } else { "api_key" };
            let name = auth.text_at("keyName").unwrap_or("X-API-Key");
            json!({"header": {"name": name, "env": held(auth, key, "MCP_API_KEY", draft)}})
        }
        "oauth" if auth.text_at("grantType").is_none_or(|grant| grant == "client_credentials") => {
            // An id is no secret, and a suite wants it written out.
            let id = auth.text_at("clientId").unwrap_or_default();
            if id.is_empty() || id.contains("{{") {
                draft.told(
                    part.lost(
                        "write a persona with `client_credentials`: the client's id is a variable here",
                    ),
                );
                return;
            }
            json!({"client_credentials": {"client_id": id, "secret": {"env": held(auth, "clientSecret", "MCP_CLIENT_SECRET", draft)}}})
        }
        "none" | "" | "no_auth" => return,
        _ => {
            draft.told(part.lost("write a persona for it: docs/suite.md, Identities"));
            return;
        }
    };
    draft.personas.push(json!({"name": "user", "identity": identity}));
    draft.told(part.exact("personas"));
}
