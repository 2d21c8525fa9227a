//! A server as the `target` of a suite: what is secret becomes a variable that the suite declares. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Value, json};

use super::configs::Server;
use crate::llm::lexical;
use crate::suite::secret;
use crate::suite::write::{Node, Part};

/// Who the suite's first persona is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A bearer token in a variable.
    Bearer(String),
    /// A header with a value in a variable.
    Header(String, String),
    /// Somebody who has signed in.
    Login,
}

/// A server as a suite writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The block under `target:`.
    pub block: Node,
    /// Variables that the suite declares.
    pub env: Vec<String>,
    /// Values of those that are known from elsewhere than the environment; never written.
    pub values: BTreeMap<String, String>,
    /// Whose credentials there are.
    pub credential: Option<Credential>,
}

/// The block for a server. `file` is the file in the project that a suite may refer to, relative to it.
pub fn target(server: &Server, file: Option<&str>) -> Target {
    let mut writer = Writer::default();
    let block = writer.block(server);
    if let Some(file) = file.filter(|_| server.plain && !writer.changed) {
        let block = Node::Map(vec![Part::of("server", json!({"file": file, "name": server.name}))]);
        return writer.done(block);
    }
    writer.done(block)
}

#[derive(Default)]
struct Writer {
    env: Vec<String>,
    values: BTreeMap<String, String>,
    credential: Option<Credential>,
    /// Whether a text of the file means something else in a suite.
    changed: bool,
}

impl Writer {
    fn done(self, block: Node) -> Target {
        Target { block, env: self.env, values: self.values, credential: self.credential }
    }

    fn block(&mut self, server: &Server) -> Node {
        let mut parts = vec![];
        if server.url.is_empty() {
            let words: Vec<Value> = self.words(&server.command).into_iter().map(Value::from).collect();
            parts.push(Part::of("command", Value::Array(words)));
        } else {
            let url = match secret::looks_secret(&server.url) {
                true => self.hidden("TARGET_URL", &server.url),
                false => self.text(&server.url),
            };
            parts.push(Part::of("url", url));
        }
        if server.is_sse {
            parts.push(Part::of("transport", "sse"));
        }
        let env = server.env.iter().map(|(name, value)| (name.clone(), Value::from(self.value(name, value))));
        let env: serde_json::Map<String, Value> = env.collect();
        if !env.is_empty() {
            parts.push(Part::of("env", Value::Object(env)));
        }
        let mut headers = serde_json::Map::new();
        for (name, value) in &server.headers {
            if let Some(value) = self.header(name, value) {
                headers.insert(name.clone(), Value::from(value));
            }
        }
        if !headers.is_empty() {
            parts.push(Part::of("headers", Value::Object(headers)));
        }
        if let Some(cwd) = &server.cwd {
            let cwd = self.text(cwd);
            parts.push(Part::of("cwd", cwd));
        }
        Node::Map(parts)
    }

    /// Arguments; the one behind `--api-key` and the value of `--api-key=` are secrets as well.
    fn words(&mut self, words: &[String]) -> Vec<String> {
        let mut out: Vec<String> = vec![];
        let mut flag = String::new();
        for word in words {
            let is_flag = word.starts_with('-');
            out.push(match word.split_once('=') {
                Some((name, value)) if is_flag && secret::is_secret(name, value) => {
                    format!("{name}={}", self.hidden(name, value))
                }
                _ if !is_flag && !flag.is_empty() && secret::is_secret(&flag, word) => {
                    self.hidden(&flag.clone(), word)
                }
                _ if !is_flag && secret::looks_secret(word) => self.hidden("TARGET_SECRET", word),
                _ => self.text(word),
            });
            flag = if is_flag { word.clone() } else { String::new() };
        }
        out
    }

    fn value(&mut self, name: &str, value: &str) -> String {
        if secret::is_secret(name, value) { self.hidden(name, value) } else { self.text(value) }
    }

    /// A header's value; nothing for the first credential, which becomes a persona's.
    fn header(&mut self, name: &str, value: &str) -> Option<String> {
        let text = self.text(value);
        let bare = text.strip_prefix("Bearer ").unwrap_or(&text);
        let variable = bare.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let named = name.eq_ignore_ascii_case("authorization") || secret::is_secret(name, "x");
        if !named && !secret::is_secret(name, value) {
            return Some(text);
        }
        let bearer = name.eq_ignore_ascii_case("authorization") && text.starts_with("Bearer ");
        let variable = match variable.filter(|name| self.env.iter().any(|known| known == name)) {
            Some(variable) => variable.to_owned(),
            None => {
                let (name, value) = if bearer {
                    ("TARGET_TOKEN", &value["Bearer ".len().min(value.len())..])
                } else {
                    (name, value)
                };
                self.hidden(name, value).trim_start_matches("${").trim_end_matches('}').to_owned()
            }
        };
        // The header goes where the persona is.
        self.changed = true;
        if self.credential.is_some() {
            return Some(if bearer { format!("Bearer ${{{variable}}}") } else { format!("${{{variable}}}") });
        }
        self.credential = Some(if bearer {
            Credential::Bearer(variable)
        } else {
            Credential::Header(name.to_owned(), variable)
        });
        None
    }

    /// A secret as the variable it becomes.
    fn hidden(&mut self, name: &str, value: &str) -> String {
        self.changed = true;
        let mut variable: String = lexical::words_of(name).join("_").to_uppercase();
        variable.retain(|c| c.is_ascii_alphanumeric() || c == '_');
        if !variable.starts_with(|c: char| c.is_ascii_alphabetic()) {
            variable = format!("TARGET_{variable}");
        }
        // Names of variables are kept as they are where they are some already.
        if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            variable = name.to_owned();
        }
        while self.values.get(&variable).is_some_and(|known| known != value) {
            variable.push_str("_2");
        }
        self.values.insert(variable.clone(), value.to_owned());
        self.declare(&variable);
        format!("${{{variable}}}")
    }

    fn declare(&mut self, variable: &str) {
        if !self.env.iter().any(|known| known == variable) {
            self.env.push(variable.to_owned());
        }
    }

    /// A text with the variables of clients and editors as those of a suite.
    fn text(&mut self, text: &str) -> String {
        static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{([^{}]*)\}|\$\{").ok());
        let Some(pattern) = VARIABLE.as_ref() else { return text.replace("${", "$${") };
        let out = pattern.replace_all(text, |found: &Captures<'_>| {
            let Some(inside) = found.get(1).map(|inside| inside.as_str()) else { return "$${".to_owned() };
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            let name = name.strip_prefix("env:").unwrap_or(name);
            let input = name.strip_prefix("input:");
            if matches!(name, "workspaceFolder" | "workspaceRoot" | "cwd") {
                return ".".to_owned();
            }
            let name = match (name, input) {
                ("userHome", _) => "HOME".to_owned(),
                (_, Some(input)) => lexical::words_of(input).join("_").to_uppercase(),
                (name, None) => name.to_owned(),
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
                return format!("$${{{inside}}}");
            }
            if !default.is_empty() {
                self.values.insert(name.clone(), default.to_owned());
            }
            self.declare(&name);
            format!("${{{name}}}")
        });
        self.changed |= out != text;
        out.into_owned()
    }
}

/// The head of a suite for a target: everything but cases, with the personas that there are.
pub fn head(name: &str, about: &str, target: &Target) -> Vec<Part> {
    let mut parts = vec![
        Part::of("version", 1),
        Part::of("name", name),
        Part::of("description", about),
        Part::of("target", target.block.clone()).gap(),
    ];
    if !target.env.is_empty() {
        parts.push(Part::of("env", json!(target.env)).above(
            "Read from the environment when the suite runs; taken for secrets and kept out of every report.",
        ));
    }
    let mut personas = vec![];
    if let Some(credential) = &target.credential {
        let identity = match credential {
            Credential::Bearer(variable) => json!({"bearer": {"env": variable}}),
            Credential::Header(name, variable) => json!({"header": {"name": name, "env": variable}}),
            Credential::Login => json!({"login": {}}),
        };
        personas.push(json!({"name": "user", "identity": identity}));
    }
    personas.push(json!("anonymous"));
    parts.push(Part::of("personas", Value::Array(personas)));
    parts.push(Part::of("models", json!(["lexical"])));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::write::document;

    fn written(server: &Server, file: Option<&str>) -> (String, Target) {
        let target = target(server, file);
        (document(&head("shop", "A shop.", &target)[3..]), target)
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn secrets_become_variables_and_never_stand_in_the_text() {
        let command = [
            "shop",
            "--api-key",
            "hunter2secret",
            "--token=abc123",
            "--port",
            "80",
            "sk-live-0123456789ab",
            "$HOME",
            "${x y}",
        ];
        let server = Server {
            command: command.map(str::to_owned).to_vec(),
            env: pairs(&[
                ("DB_PASSWORD", "tiger"),
                ("LOG", "debug"),
                ("FROM", "${env:FROM}"),
                ("IN", "${input:shop-key}"),
                ("D", "${DIR:-/tmp}"),
            ]),
            ..Server::default()
        };
        let (text, target) = written(&server, Some(".mcp.json"));
        insta::assert_snapshot!(text);
        for value in target.values.values().filter(|value| *value != "/tmp") {
            assert!(!text.contains(value.as_str()), "{value}");
        }
    }

    #[test]
    fn a_credential_in_a_header_becomes_a_persona() {
        let server = Server {
            url: "https://x.example/mcp".to_owned(),
            headers: pairs(&[("Authorization", "Bearer abc.def"), ("X-Api-Key", "k"), ("X-Team", "blue")]),
            ..Server::default()
        };
        let (text, target) = written(&server, None);
        insta::assert_snapshot!(text, @r#"

        target:
          url: https://x.example/mcp
          headers: {X-Api-Key: "${X_API_KEY}", X-Team: blue}
        # Read from the environment when the suite runs; taken for secrets and kept out of every report.
        env: [TARGET_TOKEN, X_API_KEY]
        personas: [{name: user, identity: {bearer: {env: TARGET_TOKEN}}}, anonymous]
        models: [lexical]
        "#);
        assert_eq!(target.values.get("TARGET_TOKEN").map(String::as_str), Some("abc.def"));
    }

    #[test]
    fn a_file_is_referred_to_where_it_means_the_same() {
        let plain = Server {
            name: "shop".into(),
            command: vec!["shop".into(), "${KEY}".into()],
            plain: true,
            ..Server::default()
        };
        let (text, target) = written(&plain, Some(".mcp.json"));
        assert!(text.contains("server: {file: .mcp.json, name: shop}"), "{text}");
        assert_eq!(target.env, ["KEY"]);
        let secret = Server { env: pairs(&[("TOKEN", "abc")]), ..plain.clone() };
        for server in [
            secret,
            Server { plain: false, ..plain.clone() },
            Server { command: vec!["${input:x}".into()], ..plain },
        ] {
            assert!(!written(&server, Some(".mcp.json")).0.contains("file:"), "{server:?}");
        }
    }
}
