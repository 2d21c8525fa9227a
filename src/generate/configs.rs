//! Servers in the files in which clients, editors and registries keep them. Pure.

use serde_json::{Map, Value, json};

use crate::suite::jsonc;

/// Most servers of one file.
const MOST: usize = 200;

/// A server as a file or the command line describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its name there.
    pub name: String,
    /// The command and its arguments; empty for one at a URL.
    pub command: Vec<String>,
    /// Its address; empty for a command.
    pub url: String,
    /// Whether it speaks the HTTP+SSE of 2024-11-05.
    pub is_sse: bool,
    /// Variables of its process.
    pub env: Vec<(String, String)>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Where its process starts.
    pub cwd: Option<String>,
    /// Whether a suite may name it in that file: it stands under the `mcpServers` or `servers` of the whole file.
    pub plain: bool,
}

impl Server {
    /// A server at an address.
    pub fn at(url: &str) -> Self {
        Self { url: url.to_owned(), ..Self::default() }
    }

    /// A server that is started.
    pub fn started(command: &[String]) -> Self {
        Self { command: command.to_vec(), ..Self::default() }
    }

    /// What it is, for a list.
    pub fn about(&self) -> String {
        if self.url.is_empty() { self.command.join(" ") } else { self.url.clone() }
    }
}

/// Every server that a text of JSON names, with comments or without. `root` is the folder whose own entries count in a
/// file that keeps them for many projects. The error is for the reader of the file.
pub fn servers(text: &str, root: &str) -> Result<Vec<Server>, String> {
    let value: Value =
        serde_json::from_str(&jsonc::to_json(text)).map_err(|error| format!("it is not JSON: {error}"))?;
    let mut found = vec![];
    let own = value.get("projects").and_then(|projects| projects.get(root));
    let places = [
        (value.get("mcpServers"), true),
        (value.get("servers"), value.get("mcpServers").is_none()),
        (value.get("mcp").and_then(|mcp| mcp.get("servers")), false),
        (own.and_then(|own| own.get("mcpServers")), false),
    ];
    for (place, plain) in places {
        for (name, entry) in place.and_then(Value::as_object).into_iter().flatten() {
            if let Some(server) = entry.as_object().and_then(|entry| server(name, entry)) {
                let known = found.iter().any(|known: &Server| known.name == server.name);
                if !known && found.len() < MOST {
                    found.push(Server { plain, ..server });
                }
            }
        }
    }
    if found.is_empty() {
        found.extend(registry(&value));
    }
    Ok(found)
}

fn server(name: &str, entry: &Map<String, Value>) -> Option<Server> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let texts = |value: Option<&Value>| -> Vec<String> {
        value
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    if entry.get("disabled") == Some(&Value::Bool(true)) {
        return None;
    }
    let command = text("command").filter(|command| !command.is_empty());
    let url = ["url", "httpUrl", "serverUrl"].into_iter().find_map(text).unwrap_or_default();
    let command: Vec<String> = command.into_iter().chain(texts(entry.get("args"))).collect();
    if entry.get("command").is_none() == url.is_empty() || (url.is_empty() && command.is_empty()) {
        return None;
    }
    Some(Server {
        name: name.to_owned(),
        command: if url.is_empty() { command } else { vec![] },
        is_sse: text("type").or(text("transport")).is_some_and(|kind| kind == "sse"),
        env: pairs(entry.get("env")),
        headers: pairs(entry.get("headers")),
        cwd: text("cwd"),
        url,
        plain: false,
    })
}

fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    let texts = value.and_then(Value::as_object).into_iter().flatten().filter_map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        Some((name.clone(), value))
    });
    texts.collect()
}

/// The packages and remotes of a `server.json` of the MCP registry.
fn registry(value: &Value) -> Vec<Server> {
    let text = |value: &Value, keys: &[&str]| {
        keys.iter().find_map(|key| value.get(key)?.as_str()).unwrap_or_default().to_owned()
    };
    let full = text(value, &["name"]);
    let name = full.rsplit('/').next().unwrap_or_default().to_owned();
    let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
    let mut found = vec![];
    for package in list("packages") {
        let (id, version) = (text(package, &["identifier", "name"]), text(package, &["version"]));
        let kind = text(package, &["registryType", "registry_type", "registry_name"]);
        let with = |mark: &str| if version.is_empty() { id.clone() } else { format!("{id}{mark}{version}") };
        let mut command = match kind.as_str() {
            _ if id.is_empty() => continue,
            "npm" => vec!["npx".to_owned(), "-y".to_owned(), with("@")],
            "pypi" => vec!["uvx".to_owned(), with("==")],
            "oci" | "docker" => ["docker", "run", "-i", "--rm", &id].map(str::to_owned).to_vec(),
            _ => continue,
        };
        let arguments = package.get("packageArguments").and_then(Value::as_array).into_iter().flatten();
        for argument in arguments {
            let flag = text(argument, &["name"]);
            let said = text(argument, &["value", "default"]);
            command.extend([flag, said].into_iter().filter(|word| !word.is_empty()));
        }
        let variables = package.get("environmentVariables").or(package.get("environment_variables"));
        let variables = variables.and_then(Value::as_array).into_iter().flatten();
        let wanted = |variable: &&Value| {
            variable.get("isRequired") == Some(&json!(true)) || variable.get("isSecret") == Some(&json!(true))
        };
        let env = variables.filter(wanted).map(|variable| {
            let name = text(variable, &["name"]);
            let value = text(variable, &["value", "default"]);
            let value = if value.is_empty() { format!("${{{name}}}") } else { value };
            (name, value)
        });
        let env = env.filter(|(name, _)| !name.is_empty()).collect();
        found.push(Server { name: name.clone(), command, env, ..Server::default() });
    }
    for remote in list("remotes") {
        let url = text(remote, &["url"]);
        let kind = text(remote, &["type", "transport_type"]);
        if !url.is_empty() {
            let is_sse = kind == "sse";
            let other = if found.is_empty() { name.clone() } else { format!("{name}-remote") };
            found.push(Server { name: other, url, is_sse, ..Server::default() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        servers(text, "/home/me/shop")
            .unwrap()
            .iter()
            .map(|one| format!("{}: {}", one.name, one.about()))
            .collect()
    }

    #[test]
    fn every_flavour_is_read() {
        let cases = [
            (
                r#"{"mcpServers": {"a": {"command": "node", "args": ["s.js", 1]}, "b": {"url": "https://x.example"}, "c": {}}}"#,
                vec!["a: node s.js", "b: https://x.example"],
            ),
            (
                "{ // editor\n \"servers\": {\"a\": {\"type\": \"stdio\", \"command\": \"x\",},}, \"inputs\": [],}",
                vec!["a: x"],
            ),
            (r#"{"mcp": {"servers": {"a": {"command": "x"}}}}"#, vec!["a: x"]),
            (
                r#"{"projects": {"/home/me/shop": {"mcpServers": {"a": {"httpUrl": "https://x.example"}}}, "/else": {"mcpServers": {"b": {"command": "y"}}}}}"#,
                vec!["a: https://x.example"],
            ),
            (r#"{"mcpServers": {"a": {"command": "x", "disabled": true}}}"#, vec![]),
            ("[]", vec![]),
            (
                r#"{"name": "io.example/shop", "packages": [{"registryType": "npm", "identifier": "@x/shop", "version": "1.2.0"}, {"registryType": "pypi", "identifier": "shop"}], "remotes": [{"type": "sse", "url": "https://x.example/sse"}]}"#,
                vec!["shop: npx -y @x/shop@1.2.0", "shop: uvx shop", "shop-remote: https://x.example/sse"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text), expected, "{text}");
        }
        assert!(servers("{", "").unwrap_err().starts_with("it is not JSON"));
    }

    #[test]
    fn secrets_of_a_registry_entry_become_variables() {
        let text = r#"{"name": "a/b", "packages": [{"registryType": "npm", "identifier": "b", "environmentVariables": [{"name": "B_KEY", "isSecret": true}, {"name": "OPTIONAL"}]}]}"#;
        assert_eq!(servers(text, "").unwrap()[0].env, [("B_KEY".to_owned(), "${B_KEY}".to_owned())]);
    }
}
