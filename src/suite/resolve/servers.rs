//! A server from the common `mcpServers` JSON, comments allowed: `command` with `args` and `env`, or `url` with `headers`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::suite::jsonc;

/// What the file says about one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Server {
    pub command: Vec<String>,
    pub url: Option<String>,
    pub env: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub cwd: Option<String>,
    /// Said with `"type": "sse"`.
    pub is_sse: bool,
}

/// Finds a server by its name in the file's text.
pub(super) fn find(file: &Arc<str>, text: &str, name: &Located<String>) -> Result<Server, Diagnostic> {
    let wrong = |message: String| Diagnostic::error("suite.server-file", name.origin.clone(), message);
    let json: Value = serde_json::from_str(&jsonc::to_json(text)).map_err(|error| {
        let at = Origin {
            file: file.clone(),
            line: u32::try_from(error.line()).unwrap_or(u32::MAX).max(1),
            column: u32::try_from(error.column()).unwrap_or(u32::MAX).max(1),
        };
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
        Diagnostic::error("suite.server-file", at, format!("the file is not JSON: {message}"))
            .also(name.origin.clone(), "named here")
    })?;
    let servers = json
        .get("mcpServers")
        .or_else(|| json.get("servers"))
        .and_then(Value::as_object)
        .ok_or_else(|| wrong(format!("`{file}` has no `mcpServers`")))?;
    let Some(server) = servers.get(&name.value) else {
        let message = format!("`{file}` has no server `{}`", name.value);
        return Err(wrong(message).hint(suggest::hint(&name.value, servers.keys().map(String::as_str))));
    };
    let server =
        server.as_object().ok_or_else(|| wrong(format!("server `{}` is not an object", name.value)))?;
    read(server).map_err(|message| wrong(format!("server `{}` in `{file}`: {message}", name.value)))
}

fn read(server: &Map<String, Value>) -> Result<Server, String> {
    let mut command = vec![];
    if let Some(program) = text(server, "command")? {
        command.push(program);
        let args = match server.get("args") {
            None | Some(Value::Null) => vec![],
            Some(Value::Array(args)) => args.clone(),
            Some(_) => return Err("`args` is not a list".to_owned()),
        };
        for arg in args {
            command.push(arg.as_str().ok_or("`args` holds something that is not a text")?.to_owned());
        }
    }
    let url = text(server, "url")?.or(text(server, "httpUrl")?);
    if command.is_empty() == url.is_none() {
        return Err("exactly one of `command` and `url` is needed".to_owned());
    }
    Ok(Server {
        command,
        url,
        env: texts(server, "env")?,
        headers: texts(server, "headers")?,
        cwd: text(server, "cwd")?,
        is_sse: text(server, "type")?.is_some_and(|kind| kind == "sse"),
    })
}

fn text(server: &Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match server.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{key}` is not a text")),
    }
}

fn texts(server: &Map<String, Value>, key: &str) -> Result<Vec<(String, String)>, String> {
    let Some(value) = server.get(key).filter(|value| !value.is_null()) else { return Ok(vec![]) };
    let map = value.as_object().ok_or_else(|| format!("`{key}` is not an object"))?;
    map.iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => Ok((name.clone(), value.to_string())),
            _ => Err(format!("`{key}.{name}` is not a text")),
        })
        .collect()
}
